//! A precomputed table per verification key: a signature check becomes 64 additions without a doubling.

// The base point's table is the same for every key, and sharing it takes a lock of the standard library.
extern crate std;

use alloc::boxed::Box;
use alloc::vec::Vec;
use std::sync::LazyLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha512};

/// Multiples of one public key, made once and read by every check of its signatures.
///
/// It holds 4,096 points of 160 bytes, 640 KiB. The base point's table, of the same size, is made
/// with the first key's and shared by all.
///
/// # Security
/// Which entries are read depends on the signature. That is no leak because everything here is public:
/// key, message and signature. Nothing of this may be used for signing.
pub(crate) struct PointTable {
    /// Of −A rather than A, so that both halves of the equation are sums.
    negated_key: Multiples,
}

impl PointTable {
    pub(crate) fn new(key: &VerifyingKey) -> Self {
        LazyLock::force(&BASE_POINT);
        Self {
            negated_key: Multiples::of(-key.to_edwards()),
        }
    }

    /// Whether R = s·B − k·A, compared as encoded bytes (RFC 8032 §5.1.7, the equation without the cofactor).
    ///
    /// `key_bytes` must be the encoding of the key that the table was made of. It accepts what ed25519-dalek's `verify`
    /// accepts: both take s and k as plain integers, so they agree on keys with a torsion part too.
    pub(crate) fn verify(
        &self,
        key_bytes: &[u8; 32],
        message: &[u8],
        signature: &[u8; 64],
    ) -> bool {
        let (Some(r), Some(s)) = (signature.first_chunk(), signature.last_chunk()) else {
            return false;
        };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)) else {
            return false;
        };
        let hash = Sha512::new()
            .chain_update(r)
            .chain_update(key_bytes)
            .chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let point = BASE_POINT.times(&s) + self.negated_key.times(&k);
        point.compress().to_bytes() == *r
    }
}

static BASE_POINT: LazyLock<Multiples> = LazyLock::new(|| Multiples::of(ED25519_BASEPOINT_POINT));

/// For each byte of a scalar, the multiples of a point by 1 to 128 times that byte's weight.
struct Multiples(Box<[EdwardsPoint]>);

/// A window is the multiples for one byte.
const WINDOWS: usize = 32;
const WINDOW_LEN: usize = 128;

impl Multiples {
    fn of(point: EdwardsPoint) -> Self {
        let mut multiples = Vec::with_capacity(WINDOWS * WINDOW_LEN);
        let mut unit = point;
        for _ in 0..WINDOWS {
            let mut multiple = EdwardsPoint::identity();
            for _ in 0..WINDOW_LEN {
                multiple += unit;
                multiples.push(multiple);
            }
            unit = multiple + multiple;
        }
        Self(multiples.into_boxed_slice())
    }

    /// The point times the scalar, in variable time.
    fn times(&self, scalar: &Scalar) -> EdwardsPoint {
        let windows = self.0.chunks_exact(WINDOW_LEN);
        let mut sum = EdwardsPoint::identity();
        for (window, digit) in windows.zip(signed_digits(scalar.to_bytes())) {
            let index = usize::from(digit.unsigned_abs()).checked_sub(1);
            match index.and_then(|index| window.get(index)) {
                Some(multiple) if digit > 0 => sum += multiple,
                Some(multiple) => sum -= multiple,
                None => (),
            }
        }
        sum
    }
}

/// Writes a scalar below the group order with 32 digits of radix 256 from −127 to 128, the lowest first.
///
/// The order is below 2^253, so the last digit has room for the carry.
fn signed_digits(bytes: [u8; 32]) -> [i16; WINDOWS] {
    let mut carry = 0;
    bytes.map(|byte| {
        let digit = i16::from(byte) + carry;
        carry = i16::from(digit > 128);
        digit - 256 * carry
    })
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use ed25519_dalek::{Signature, Signer, SigningKey, Verifier};
    use proptest::prelude::*;

    use super::*;

    const LARGEST: [u8; 32] = [
        0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    fn scalars() -> impl Strategy<Value = Scalar> {
        let edges = prop::sample::select(alloc::vec![
            Scalar::ZERO,
            Scalar::ONE,
            Scalar::from(127_u8),
            Scalar::from(128_u8),
            Scalar::from(129_u8),
            Scalar::from(255_u8),
            Scalar::from(0x8080_8080_u32),
            Scalar::from(0x8081_8180_u32),
            Scalar::from_bytes_mod_order(LARGEST),
        ]);
        let any = any::<[u8; 32]>().prop_map(Scalar::from_bytes_mod_order);
        prop_oneof![1 => edges, 3 => any]
    }

    /// The tables of the cases below cost about 1,000 checks each: one serves them all.
    static TABLED: LazyLock<(VerifyingKey, PointTable)> = LazyLock::new(|| {
        let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
        (key, PointTable::new(&key))
    });

    #[test]
    fn digits_spell_the_scalar() {
        for bytes in [[0; 32], [0x0f; 32], [0x08; 32], LARGEST, {
            let mut carried = [0xff; 32];
            carried[31] = 0x0f;
            carried
        }] {
            let digits = signed_digits(bytes);
            assert!(digits.iter().all(|digit| (-127..=128).contains(digit)));
            let read = digits.iter().rev().fold(Scalar::ZERO, |sum, digit| {
                let magnitude = Scalar::from(digit.unsigned_abs());
                let sum = sum * Scalar::from(256_u16);
                if *digit < 0 {
                    sum - magnitude
                } else {
                    sum + magnitude
                }
            });
            assert_eq!(read.to_bytes(), bytes);
        }
    }

    #[test]
    fn keys_and_nonces_with_a_torsion_part_are_judged_as_without_a_table() {
        let secret = Scalar::from_bytes_mod_order([11; 32]);
        let nonce = Scalar::from_bytes_mod_order([13; 32]);
        let mut accepted = 0;
        for key_torsion in EIGHT_TORSION {
            let key = VerifyingKey::from(EdwardsPoint::mul_base(&secret) + key_torsion);
            let table = PointTable::new(&key);
            for nonce_torsion in EIGHT_TORSION {
                for message in [b"one", b"two"] {
                    let r = (EdwardsPoint::mul_base(&nonce) + nonce_torsion).compress();
                    let hash = Sha512::new()
                        .chain_update(r.as_bytes())
                        .chain_update(key.as_bytes())
                        .chain_update(message);
                    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
                    let signature =
                        Signature::from_components(r.to_bytes(), (nonce + k * secret).to_bytes());
                    let is_plain = key.verify(message, &signature).is_ok();
                    assert_eq!(
                        table.verify(key.as_bytes(), message, &signature.to_bytes()),
                        is_plain
                    );
                    accepted += u32::from(is_plain);
                }
            }
        }
        // At least the two messages under the key and nonce without torsion; far from all 128.
        assert!((2..64).contains(&accepted), "{accepted}");
    }

    #[test]
    fn a_scalar_of_the_group_order_or_more_is_refused() {
        let (key, table) = &*TABLED;
        let signature = SigningKey::from_bytes(&[7; 32]).sign(b"message");
        assert!(table.verify(key.as_bytes(), b"message", &signature.to_bytes()));
        let mut shifted = signature.to_bytes();
        let mut carry = 1_u16;
        for (byte, order) in shifted[32..].iter_mut().zip(LARGEST) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert_eq!(carry, 0);
        assert!(!table.verify(key.as_bytes(), b"message", &shifted));
    }

    proptest! {
        #[test]
        fn a_multiple_is_the_multiple(scalar in scalars()) {
            let (key, table) = &*TABLED;
            prop_assert_eq!(BASE_POINT.times(&scalar), EdwardsPoint::mul_base(&scalar));
            prop_assert_eq!(table.negated_key.times(&scalar), -key.to_edwards() * scalar);
        }

        #[test]
        fn judges_as_without_a_table(message in prop::collection::vec(any::<u8>(), 0..300), flipped in prop::option::of(0_usize..512)) {
            let (key, table) = &*TABLED;
            let mut signature = SigningKey::from_bytes(&[7; 32]).sign(&message).to_bytes();
            if let Some(bit) = flipped {
                signature[bit / 8] ^= 1 << (bit % 8);
            }
            let is_plain = key.verify(&message, &Signature::from_bytes(&signature)).is_ok();
            prop_assert_eq!(is_plain, flipped.is_none());
            prop_assert_eq!(table.verify(key.as_bytes(), &message, &signature), is_plain);
        }
    }
}
