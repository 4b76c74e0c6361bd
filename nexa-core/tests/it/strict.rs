//! What is accepted is exactly what `verify_strict` accepts, over points with and without torsion.
use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signature, VerifyingKey};
use nexa_core::{KeyProblem, SignatureError, VerificationKey};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

/// The signature over `message` whose point is `point`, under the key a·B + torsion that encodes as `key`.
fn sign(a: Scalar, key: [u8; 32], r: Scalar, point: [u8; 32], message: &[u8]) -> [u8; 64] {
    let k = challenge(point, key, message);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&point);
    signature[32..].copy_from_slice((r + k * a).as_bytes());
    signature
}

/// RFC 8032 §5.1.7: the scalar k.
fn challenge(point: [u8; 32], key: [u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(point)
        .chain_update(key)
        .chain_update(message)
        .finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// Compares both readers; answers whether they accept.
fn agree(key: &VerificationKey, message: &[u8], signature: &[u8; 64]) -> bool {
    let strict = VerifyingKey::from_bytes(&key.to_bytes())
        .expect("a loaded key")
        .verify_strict(message, &Signature::from_bytes(signature))
        .is_ok();
    let ours = key.verify(message, signature);
    assert_eq!(ours.is_ok(), strict, "{ours:?} {signature:02x?}");
    strict
}

fn encoded(point: EdwardsPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn torsion_mixed_keys_and_points(a in any::<[u8; 32]>(), r in any::<[u8; 32]>(), message in any::<[u8; 9]>()) {
        let (a, r) = (Scalar::from_bytes_mod_order(a), Scalar::from_bytes_mod_order(r));
        prop_assume!(a != Scalar::ZERO && r != Scalar::ZERO);
        accepted_with_torsion(a, r, &message);
    }

    #[test]
    fn random_and_damaged_signatures(seed in any::<[u8; 32]>(), noise in any::<[u8; 32]>(), bit in 0..512_usize, message in any::<Vec<u8>>()) {
        let signer = ed25519_dalek::SigningKey::from_bytes(&seed);
        let key = VerificationKey::from_bytes(&signer.verifying_key().to_bytes()).expect("not weak");
        let good = ed25519_dalek::Signer::sign(&signer, &message).to_bytes();
        prop_assert!(agree(&key, &message, &good));
        let mut flipped = good;
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!agree(&key, &message, &flipped));
        for half in [0, 32] {
            let mut replaced = good;
            replaced[half..half + 32].copy_from_slice(&noise);
            agree(&key, &message, &replaced);
        }
    }
}

/// Both readers agree on all pairs of torsion in the key and in the point, with and without a large part in
/// the point. Answers how many pairs with torsion in the key were accepted: they exist, and must be accepted.
fn accepted_with_torsion(a: Scalar, r: Scalar, message: &[u8]) -> usize {
    let mut accepted = 0;
    for (index, key_torsion) in EIGHT_TORSION.into_iter().enumerate() {
        let key_bytes = encoded(ED25519_BASEPOINT_POINT * a + key_torsion);
        let key = VerificationKey::from_bytes(&key_bytes).expect("not weak");
        for point_torsion in EIGHT_TORSION {
            for r in [r, Scalar::ZERO] {
                let point = encoded(ED25519_BASEPOINT_POINT * r + point_torsion);
                let signature = sign(a, key_bytes, r, point, message);
                let is_accepted = agree(&key, message, &signature);
                // S·B − k·A without the cofactor is r·B − k·torsion: it has to be the point, to the byte.
                let k = challenge(point, key_bytes, message);
                let result = encoded(ED25519_BASEPOINT_POINT * r - key_torsion * k);
                assert_eq!(is_accepted, result == point && r != Scalar::ZERO);
                accepted += usize::from(is_accepted && index != 0);
            }
        }
    }
    accepted
}

#[test]
fn some_torsion_mixed_signatures_are_accepted() {
    let accepted: usize = (1..20_u64)
        .map(|n| accepted_with_torsion(Scalar::from(n), Scalar::from(n + 77), &n.to_le_bytes()))
        .sum();
    assert!(accepted > 50, "{accepted}");
}

/// y = 0, 1, −1 and their spellings y + p, with either sign: every encoding of a small-order point that a
/// decoder may take, beside the canonical ones.
fn odd_encodings() -> Vec<[u8; 32]> {
    let mut encodings = Vec::new();
    for low in 0..=255_u8 {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            encodings.push(bytes);
        }
        for high in [0x00, 0x80] {
            let mut bytes = [0; 32];
            (bytes[0], bytes[31]) = (low, high);
            encodings.push(bytes);
        }
    }
    for point in EIGHT_TORSION {
        let mut bytes = encoded(point);
        encodings.push(bytes);
        bytes[31] ^= 0x80;
        encodings.push(bytes);
    }
    encodings
}

#[test]
fn odd_encodings_of_points_are_never_accepted_in_a_signature() {
    let a = Scalar::from(0x1234_5678_u64);
    let key_bytes = encoded(ED25519_BASEPOINT_POINT * a);
    let key = VerificationKey::from_bytes(&key_bytes).unwrap();
    for point in odd_encodings() {
        let signature = sign(a, key_bytes, Scalar::ZERO, point, b"message");
        assert!(!agree(&key, b"message", &signature), "{point:02x?}");
    }
}

#[test]
fn the_eight_small_order_points_are_refused_by_name() {
    let a = Scalar::from(7_u64);
    let key = VerificationKey::from_bytes(&encoded(ED25519_BASEPOINT_POINT * a)).unwrap();
    for point in EIGHT_TORSION {
        let signature = sign(a, key.to_bytes(), Scalar::ZERO, encoded(point), b"");
        assert_eq!(key.verify(b"", &signature), Err(SignatureError::SmallOrder));
    }
}

#[test]
fn weak_and_second_spellings_of_keys_are_not_loaded() {
    let mut seen = [0; 3];
    for bytes in odd_encodings() {
        let loaded = VerificationKey::from_bytes(&bytes);
        match VerifyingKey::from_bytes(&bytes) {
            Err(_) => {
                seen[0] += 1;
                assert_eq!(loaded.unwrap_err().problem, KeyProblem::NotAPoint);
            }
            Ok(key) if key.is_weak() => {
                seen[1] += 1;
                assert_eq!(
                    loaded.unwrap_err().problem,
                    KeyProblem::Weak,
                    "{bytes:02x?}"
                );
            }
            Ok(key) if encoded(key.to_edwards()) != bytes => {
                seen[2] += 1;
                assert_eq!(
                    loaded.unwrap_err().problem,
                    KeyProblem::NotCanonical,
                    "{bytes:02x?}"
                );
            }
            Ok(_) => assert_eq!(loaded.unwrap().to_bytes(), bytes),
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

/// The table changes how long a check takes, not what it answers.
#[cfg(feature = "tables")]
#[test]
fn a_key_with_a_table_answers_as_one_without() {
    let a = Scalar::from(0x0bad_cafe_u64);
    let r = Scalar::from(77_u64);
    let key = VerificationKey::from_bytes(&encoded(ED25519_BASEPOINT_POINT * a)).unwrap();
    let tabled = key.clone().with_table();
    assert_eq!(tabled, key);
    let good = sign(
        a,
        key.to_bytes(),
        r,
        encoded(ED25519_BASEPOINT_POINT * r),
        b"message",
    );
    assert_eq!(tabled.verify(b"message", &good), Ok(()));
    for bit in 0..512 {
        let mut flipped = good;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let expected = key.verify(b"message", &flipped);
        assert!(expected.is_err());
        assert_eq!(tabled.verify(b"message", &flipped), expected);
    }
    for point in EIGHT_TORSION {
        let weak = sign(a, key.to_bytes(), Scalar::ZERO, encoded(point), b"message");
        assert_eq!(
            tabled.verify(b"message", &weak),
            Err(SignatureError::SmallOrder)
        );
    }
}
