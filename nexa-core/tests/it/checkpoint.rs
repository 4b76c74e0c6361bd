//! Audit checkpoints: every field is signed, and no signature serves two purposes.
use ed25519_dalek::Signer;
use nexa_core::{AuditCheckpoint, Scratch, SignatureError, check_access};

use crate::forge::{Forge, NOW, at, encode};

const CHECKPOINT: AuditCheckpoint = AuditCheckpoint {
    seq: 1_204,
    hash: [7; 32],
    at_ms: 1_795_230_000_123,
};

/// What the signature is made over, written down a second time.
fn statement(checkpoint: &AuditCheckpoint, kid: &str) -> Vec<u8> {
    let mut statement = b"nexa audit checkpoint 1\0".to_vec();
    statement.extend(checkpoint.seq.to_be_bytes());
    statement.extend(checkpoint.hash);
    statement.extend(checkpoint.at_ms.to_be_bytes());
    statement.extend(kid.as_bytes());
    statement
}

#[test]
fn a_checkpoint_is_signed_over_a_prefix_and_all_of_it() {
    let forge = Forge::new(1);
    let signature = CHECKPOINT.sign(&forge.key);
    let by_hand = forge.bare.sign(&statement(&CHECKPOINT, forge.key.kid()));
    assert_eq!(signature, by_hand.to_bytes());
    assert_eq!(
        CHECKPOINT.verify(&forge.verification_key(), &signature),
        Ok(())
    );
}

#[test]
fn another_field_another_key_or_another_signature_is_refused() {
    let (forge, other) = (Forge::new(1), Forge::new(2));
    let key = forge.verification_key();
    let signature = CHECKPOINT.sign(&forge.key);
    let mut hash = CHECKPOINT.hash;
    hash[31] ^= 1;
    for changed in [
        AuditCheckpoint {
            seq: CHECKPOINT.seq + 1,
            ..CHECKPOINT
        },
        AuditCheckpoint { hash, ..CHECKPOINT },
        AuditCheckpoint {
            at_ms: CHECKPOINT.at_ms - 1,
            ..CHECKPOINT
        },
    ] {
        let refused = changed.verify(&key, &signature);
        assert_eq!(refused, Err(SignatureError::Mismatch), "{changed:?}");
    }
    let foreign = CHECKPOINT.verify(&other.verification_key(), &signature);
    assert_eq!(foreign, Err(SignatureError::Mismatch));

    // The same words under another key's name.
    let misnamed = forge.bare.sign(&statement(&CHECKPOINT, other.key.kid()));
    let refused = CHECKPOINT.verify(&key, &misnamed.to_bytes());
    assert_eq!(refused, Err(SignatureError::Mismatch));

    let mut high = signature;
    high[63] |= 0xf0;
    for (signature, refusal) in [
        (&signature[..63], SignatureError::Length { bytes: 63 }),
        (&[], SignatureError::Length { bytes: 0 }),
        (&[0; 64], SignatureError::SmallOrder),
        (&high, SignatureError::ScalarRange),
    ] {
        assert_eq!(CHECKPOINT.verify(&key, signature), Err(refusal));
    }
}

#[test]
fn no_signature_of_a_checkpoint_passes_for_a_token_and_none_of_a_token_for_a_checkpoint() {
    let forge = Forge::new(1);
    let key = forge.verification_key();

    // A token's signature, also one made over exactly the words of the checkpoint without the prefix.
    let license = forge.license();
    let header = encode(forge.header("at+jwt"));
    let signed = format!(
        "{header}.{}",
        encode(&statement(&CHECKPOINT, forge.key.kid())[24..])
    );
    for token in [license, signed] {
        let signature = forge.bare.sign(token.as_bytes()).to_bytes();
        let refused = CHECKPOINT.verify(&key, &signature);
        assert_eq!(refused, Err(SignatureError::Mismatch), "{token}");
    }

    // A checkpoint's signature under a token: what the checkpoint signs is no text that a token can have before its
    // last dot, so only another text can stand there.
    let signature = encode(CHECKPOINT.sign(&forge.key));
    let words = statement(&CHECKPOINT, forge.key.kid());
    let as_is = [&words[..], b".", signature.as_bytes()].concat();
    let dotted = [&words[..], b"..", signature.as_bytes()].concat();
    let wrapped = format!("{header}.{}.{signature}", encode(&words)).into_bytes();
    for token in [as_is, dotted, wrapped] {
        assert!(
            check_access(
                &forge.keys,
                "https://licenses.example",
                at(NOW),
                &token,
                &mut Scratch::new()
            )
            .is_err()
        );
        assert_ne!(forge.code_of(&token), "valid");
    }
}
