//! Signatures put together by hand: any R, any S, whatever the equation then says.

use curve25519_dalek::Scalar;
use sha2::{Digest, Sha512};

use super::mint::Key;

/// L = 2^252 + 27742317777372353535851937790883648493, little-endian.
pub(super) const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// This R, and S = nonce + k·a.
pub(super) fn signature(key: &Key, r: &[u8; 32], nonce: Scalar, signed: &str) -> Vec<u8> {
    let s = nonce + challenge(r, &key.public(), signed) * key.0.to_scalar();
    [*r, s.to_bytes()].concat()
}

/// k of RFC 8032 §5.1.7.
pub(super) fn challenge(r: &[u8; 32], public: &[u8; 32], signed: &str) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(public)
        .chain_update(signed);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// Two little-endian numbers whose sum fits in as many bytes.
pub(super) fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    left.iter()
        .zip(right)
        .map(|(left, right)| {
            carry += u16::from(*left) + u16::from(*right);
            let [low, high] = carry.to_le_bytes();
            carry = u16::from(high);
            low
        })
        .collect()
}
