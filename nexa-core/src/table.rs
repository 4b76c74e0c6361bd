//! A precomputed table per verification key: a signature check becomes 52 additions without a doubling.

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
/// It holds 13,312 points of 160 bytes, 2.1 MB, and takes about a hundred signature checks to make. The base point's
/// table, of the same size, is made with the first key's and shared by all.
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
        let sum = BASE_POINT.add_to(EdwardsPoint::identity(), &s);
        let sum = self.negated_key.add_to(sum, &k);
        sum.compress().to_bytes() == *r
    }
}

static BASE_POINT: LazyLock<Multiples> = LazyLock::new(|| Multiples::of(ED25519_BASEPOINT_POINT));

/// The multiples of a point by everything that one digit of a scalar can stand for.
///
/// For each digit, the lowest first, the multiples by 1 to 512 times the digit's weight.
struct Multiples(Box<[EdwardsPoint]>);

/// Ten bits a digit are where wider ones stop to pay: each further bit doubles the table for two additions less.
const DIGIT_BITS: usize = 10;
const RADIX: i32 = 1 << DIGIT_BITS;
const ENTRIES: usize = 1 << (DIGIT_BITS - 1);
/// Scalars have 253 bits, and the last digit needs room for a carry.
const DIGITS: usize = 254_usize.div_ceil(DIGIT_BITS);

impl Multiples {
    fn of(point: EdwardsPoint) -> Self {
        let mut entries = Vec::with_capacity(DIGITS * ENTRIES);
        let mut unit = point;
        for _ in 0..DIGITS {
            let mut multiple = EdwardsPoint::identity();
            for _ in 0..ENTRIES {
                multiple += unit;
                entries.push(multiple);
            }
            unit = multiple + multiple;
        }
        Self(entries.into_boxed_slice())
    }

    /// Adds the point times the scalar to `sum`, in variable time.
    fn add_to(&self, mut sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let entries = self.0.chunks_exact(ENTRIES);
        for (entries, digit) in entries.zip(signed_digits(scalar.as_bytes())) {
            let index = (digit.unsigned_abs() as usize).checked_sub(1);
            match index.and_then(|index| entries.get(index)) {
                Some(multiple) if digit > 0 => sum += multiple,
                Some(multiple) => sum -= multiple,
                None => (),
            }
        }
        sum
    }
}

/// Writes a scalar below 2^253 with digits from 1 − radix / 2 to radix / 2, the lowest first.
fn signed_digits(scalar: &[u8; 32]) -> impl Iterator<Item = i32> {
    let mut carry = 0;
    (0..DIGITS).map(move |position| {
        let bit = position * DIGIT_BITS;
        // Ten bits never lie in more than three bytes, whatever bit they start at.
        let bytes = scalar.iter().skip(bit / 8).take(3).rev();
        let bits = bytes.fold(0, |bits, byte| bits << 8 | i32::from(*byte));
        let digit = (bits >> (bit % 8)) % RADIX + carry;
        carry = i32::from(digit > RADIX / 2);
        digit - RADIX * carry
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
            Scalar::from(511_u16),
            Scalar::from(512_u16),
            Scalar::from(513_u16),
            Scalar::from(1_023_u16),
            // Digits of exactly half the radix, with and without a carry from below.
            Scalar::from(512_u64 << 20 | 512 << 10 | 512),
            Scalar::from(512_u64 << 20 | 512 << 10 | 513),
            Scalar::from_bytes_mod_order(LARGEST),
        ]);
        let any = any::<[u8; 32]>().prop_map(Scalar::from_bytes_mod_order);
        prop_oneof![1 => edges, 3 => any]
    }

    /// The tables of the cases below cost about 100 checks each: one serves them all.
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
            let digits: Vec<i32> = signed_digits(&bytes).collect();
            assert!(digits.iter().all(|digit| (-511..=512).contains(digit)));
            let read = digits.iter().rev().fold(Scalar::ZERO, |sum, digit| {
                let magnitude = Scalar::from(digit.unsigned_abs());
                let sum = sum * Scalar::from(1_024_u16);
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
            prop_assert_eq!(BASE_POINT.add_to(EdwardsPoint::identity(), &scalar), EdwardsPoint::mul_base(&scalar));
            prop_assert_eq!(table.negated_key.add_to(EdwardsPoint::identity(), &scalar), -key.to_edwards() * scalar);
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
