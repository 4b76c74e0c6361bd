//! Signatures that do not hold, and two that do although they look odd.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};

use super::Case;
use super::forged::{GROUP_ORDER, challenge, signature, sum};
use super::mint::{Key, b64, claims, header, jwk, jwks, kid, quoted};

/// The neutral element again: y = 1 written as p + 1, and both with −0 for x.
const NEUTRAL_AGAIN: [(&str, [u8; 32]); 3] = [
    ("neutral-r-past-the-field", ends(0xee, 0xff, 0x7f)),
    ("neutral-r-past-the-field-with-sign", ends(0xee, 0xff, 0xff)),
    ("neutral-r-with-sign", ends(0x01, 0x00, 0x80)),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = bytes();
    cases.extend(flipped_bits());
    cases.extend(scalars());
    cases.extend(small_order_nonces());
    cases.extend(torsion());
    cases
}

fn bytes() -> Vec<Case> {
    let (signed, signature) = good();
    let (r, s) = signature.split_at(32);
    let with = |signature: &[u8]| format!("{signed}.{}", b64(signature));
    let strange = Key::strange().sign(&header().text(), &claims().text());
    let other_claims = claims().with("sub", "\"tenant-2\"");
    let swapped = format!(
        "{}.{}.{}",
        b64(header().text()),
        b64(other_claims.text()),
        b64(&signature)
    );
    let ed25519 = b64(header().with("alg", "\"Ed25519\"").text());
    let relabelled = format!("{ed25519}.{}.{}", b64(claims().text()), b64(&signature));
    let upper: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let (length, wrong) = ("signature_length", "signature_wrong");
    [
        ("one-byte", with(&[0]), length),
        ("32-bytes", with(r), length),
        ("63-bytes", with(signature.split_at(63).0), length),
        ("65-bytes", with(&[&signature, &[0][..]].concat()), length),
        (
            "zero-before",
            with(&[&[0], &signature[..]].concat()),
            length,
        ),
        (
            "twice",
            with(&[&signature[..], &signature].concat()),
            length,
        ),
        ("in-hexadecimal", with(upper.as_bytes()), length),
        (
            "halves-swapped",
            with(&[s, r].concat()),
            "signature_scalar_range",
        ),
        ("by-another-key", strange, wrong),
        ("of-other-claims", swapped, wrong),
        ("of-another-header", relabelled, wrong),
        (
            "of-the-payload-alone",
            signed_message(&b64(claims().text())),
            wrong,
        ),
        (
            "of-decoded-segments",
            signed_message(&format!("{}.{}", header().text(), claims().text())),
            wrong,
        ),
    ]
    .map(|(name, token, code)| Case::denied(&format!("signature/{name}"), token, code))
    .into()
}

/// One bit in every part. The text stays canonical base64url and JSON, so only the signature can tell.
fn flipped_bits() -> Vec<Case> {
    let (signed, signature) = good();
    let flipped = |bit: usize| {
        let mut bytes = signature.clone();
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        format!("{signed}.{}", b64(bytes))
    };
    let signed_as_before = |payload: String| {
        format!(
            "{}.{}.{}",
            b64(header().text()),
            b64(payload),
            b64(&signature)
        )
    };
    let text = claims().text();
    [
        ("first-bit-of-r", flipped(0)),
        ("middle-bit-of-r", flipped(131)),
        ("sign-bit-of-r", flipped(255)),
        ("first-bit-of-s", flipped(256)),
        ("middle-bit-of-s", flipped(390)),
        (
            "bit-in-exp",
            signed_as_before(text.replace("1797822000", "1797822001")),
        ),
        (
            "bit-in-sub",
            signed_as_before(text.replace("tenant-1", "tenant-0")),
        ),
        (
            "bit-in-salt",
            signed_as_before(text.replace("\"salt\":\"c", "\"salt\":\"b")),
        ),
    ]
    .map(|(name, token)| {
        Case::denied(
            &format!("signature/flipped-{name}"),
            token,
            "signature_wrong",
        )
    })
    .into()
}

fn scalars() -> Vec<Case> {
    let (signed, signature) = good();
    let (r, s) = signature.split_at(32);
    let with = |s: &[u8]| format!("{signed}.{}", b64([r, s].concat()));
    let mut high_bit = s.to_vec();
    if let Some(last) = high_bit.last_mut() {
        *last |= 0x80;
    }
    [
        ("plus-the-group-order", with(&sum(s, &GROUP_ORDER))),
        ("group-order", with(&GROUP_ORDER)),
        ("all-bits-set", with(&[0xff; 32])),
        ("high-bit-set", with(&high_bit)),
    ]
    .map(|(name, token)| {
        Case::denied(
            &format!("signature/s-{name}"),
            token,
            "signature_scalar_range",
        )
    })
    .into_iter()
    .chain([
        Case::denied("signature/s-zero", with(&[0; 32]), "signature_wrong"),
        Case::denied(
            "signature/all-zero",
            format!("{signed}.{}", b64([0; 64])),
            "signature_small_order",
        ),
        Case::denied(
            "signature/all-bits-set",
            format!("{signed}.{}", b64([0xff; 64])),
            "signature_scalar_range",
        ),
    ])
    .collect()
}

/// S = k·a fits the equation with R = 0 exactly, and with every small-order R if both sides are multiplied by eight.
fn small_order_nonces() -> Vec<Case> {
    let mut cases: Vec<Case> = EIGHT_TORSION
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let token = sign_with(
                &Key::issuing(),
                &point.compress().to_bytes(),
                Scalar::ZERO,
                "licence-1",
            );
            Case::denied(
                &format!("signature/small-order-r-{index}"),
                token,
                "signature_small_order",
            )
        })
        .collect();
    cases.extend(NEUTRAL_AGAIN.map(|(name, r)| {
        let token = sign_with(&Key::issuing(), &r, Scalar::ZERO, "licence-1");
        Case::denied(&format!("signature/{name}"), token, "signature_wrong")
    }));
    cases
}

/// Nonces and keys with a torsion part: where verifiers with and without the cofactor part ways.
fn torsion() -> Vec<Case> {
    let nonce = Scalar::from(0x1234_5678_9abc_def1_u64);
    let [_, torsion, ..] = EIGHT_TORSION;
    let mixed_nonce = (EdwardsPoint::mul_base(&nonce) + torsion)
        .compress()
        .to_bytes();
    let issuing = Key::issuing();
    let mixed_key = (EdwardsPoint::mul_base(&issuing.0.to_scalar()) + torsion)
        .compress()
        .to_bytes();
    let plain_nonce = EdwardsPoint::mul_base(&nonce).compress().to_bytes();

    // With A' = A + T and an R without torsion, the plain equation holds if and only if 8 divides k.
    let signed_for_mixed = |jti: &str| {
        let header = header().with("kid", quoted(&kid(&mixed_key))).text();
        let signed = format!(
            "{}.{}",
            b64(header),
            b64(claims().with("jti", quoted(jti)).text())
        );
        let k = challenge(&plain_nonce, &mixed_key, &signed);
        let s = nonce + k * issuing.0.to_scalar();
        let token = format!("{signed}.{}", b64([plain_nonce, s.to_bytes()].concat()));
        (
            token,
            k.to_bytes().first().is_some_and(|byte| byte % 8 == 0),
        )
    };
    let find = |fits: bool| {
        (0..)
            .map(|attempt| signed_for_mixed(&format!("licence-{attempt}")))
            .find_map(|(token, divides)| (divides == fits).then_some(token))
            .expect("one attempt in eight fits")
    };
    let mixed_keys = jwks(&[jwk(&mixed_key)]);
    vec![
        Case::denied(
            "signature/r-with-torsion-part",
            sign_with(&issuing, &mixed_nonce, nonce, "licence-1"),
            "signature_wrong",
        ),
        Case::denied(
            "signature/key-with-torsion-part",
            find(false),
            "signature_wrong",
        )
        .keys(mixed_keys.clone()),
        Case::valid("signature/key-with-torsion-part-that-cancels", find(true)).keys(mixed_keys),
    ]
}

/// A good licence: what is signed, and the signature's bytes.
fn good() -> (String, Vec<u8>) {
    use ed25519_dalek::Signer;
    let signed = format!("{}.{}", b64(header().text()), b64(claims().text()));
    let signature = Key::issuing().0.sign(signed.as_bytes()).to_bytes().to_vec();
    (signed, signature)
}

/// A licence with a true signature of the issuing key, but of another message.
fn signed_message(message: &str) -> String {
    use ed25519_dalek::Signer;
    let (signed, _) = good();
    format!(
        "{signed}.{}",
        b64(Key::issuing().0.sign(message.as_bytes()).to_bytes())
    )
}

/// A licence whose signature has this R, and S = nonce + k·a.
fn sign_with(key: &Key, r: &[u8; 32], nonce: Scalar, jti: &str) -> String {
    let signed = format!(
        "{}.{}",
        b64(header().text()),
        b64(claims().with("jti", quoted(jti)).text())
    );
    format!("{signed}.{}", b64(signature(key, r, nonce, &signed)))
}

const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}
