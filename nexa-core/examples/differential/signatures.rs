//! Signatures: changed, of small order, with S beyond the group order, of others, and of other messages.

use std::rc::Rc;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};

use crate::dice::Dice;
use crate::forged;
use crate::licences::{Licence, STRANGE, key, trusted};
use crate::mint::b64;

pub(crate) fn change(dice: &mut Dice, licence: &mut Licence) -> &'static str {
    let signer = licence.signer;
    match dice.below(14) {
        0 => {
            licence.signer = STRANGE;
            "strange-key"
        }
        1 => {
            let mut others = trusted(licence.keys).to_vec();
            others.retain(|seed| *seed != signer);
            // A set of one has no other.
            if others.is_empty() {
                licence.signer = STRANGE;
                return "strange-key";
            }
            licence.signer = dice.pick(&others);
            "trusted-key"
        }
        2 | 3 => {
            let bit = dice.below(512);
            replace(licence, move |_, mut signature| {
                if let Some(byte) = signature.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                signature
            });
            "bit"
        }
        4 => {
            let length = dice.below(130);
            replace(licence, move |_, mut signature| {
                signature.resize(length, 0);
                signature
            });
            "length"
        }
        5 => {
            let bytes = dice.bytes::<64>();
            replace(licence, move |_, _| bytes.to_vec());
            "random"
        }
        6 | 7 => {
            let times = 1 + dice.below(8);
            replace(licence, move |_, signature| {
                let (r, s) = signature.split_at(32);
                let add = |s: Vec<u8>, _| forged::sum(&s, &forged::GROUP_ORDER);
                [r.to_vec(), (0..times).fold(s.to_vec(), add)].concat()
            });
            "s-plus-l"
        }
        8 | 9 => {
            let point = dice.pick(&EIGHT_TORSION).compress().to_bytes();
            replace(licence, move |signed, _| {
                forged::signature(&key(signer).key, &point, Scalar::ZERO, signed)
            });
            "small-order"
        }
        10 => {
            let nonce = Scalar::from_bytes_mod_order(dice.bytes());
            // The first is the identity, which would change nothing.
            let torsion = dice.pick(EIGHT_TORSION.get(1..).unwrap_or_default());
            let r = (EdwardsPoint::mul_base(&nonce) + torsion).compress();
            replace(licence, move |signed, _| {
                forged::signature(&key(signer).key, &r.to_bytes(), nonce, signed)
            });
            "torsion"
        }
        11 => {
            let fill = dice.pick(&[0_u8, 0xff, 0x80, 0x01]);
            replace(licence, move |_, _| vec![fill; 64]);
            "filled"
        }
        12 => {
            replace(licence, |_, signature| {
                let (r, s) = signature.split_at(32);
                [s, r].concat()
            });
            "halves-swapped"
        }
        _ => {
            // Of the payload alone, or of the header alone.
            let of_payload = dice.chance(50);
            replace(licence, move |signed, _| {
                let (header, payload) = signed.split_once('.').unwrap_or_default();
                let message = if of_payload { payload } else { header };
                use ed25519_dalek::Signer as _;
                key(signer)
                    .key
                    .0
                    .sign(message.as_bytes())
                    .to_bytes()
                    .to_vec()
            });
            "other-message"
        }
    }
}

/// Another signature in place of the true one: from what is signed, and the true one.
fn replace(licence: &mut Licence, change: impl Fn(&str, Vec<u8>) -> Vec<u8> + 'static) {
    licence.after.push(Rc::new(move |token| {
        use base64::Engine as _;
        let text = String::from_utf8_lossy(&token);
        let (signed, signature) = text.rsplit_once('.').unwrap_or_default();
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let mut bytes = engine.decode(signature).unwrap_or_default();
        // After another change it may be anything.
        bytes.resize(64, 0);
        format!("{signed}.{}", b64(change(signed, bytes))).into_bytes()
    }));
}
