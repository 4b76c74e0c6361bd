//! HMAC-SHA-256, for device hashes and for the state that a client keeps.
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The authentication code of a client's kept state: HMAC-SHA-256 under HMAC-SHA-256(fingerprint, "nexa state v1").
///
/// # Security
///
/// Evidence that the state was changed or is another device's; no proof against whoever can read the fingerprint on the
/// device and compute this too.
#[must_use]
pub fn state_mac(fingerprint: &[u8], state: &[u8]) -> [u8; 32] {
    let mut key = Hmac::new(fingerprint);
    key.update(b"nexa state v1");
    let mut mac = Hmac::new(&key.finish());
    mac.update(state);
    mac.finish()
}

/// Whether `mac` is the [`state_mac`] of this state, in constant time.
#[must_use]
pub fn is_state_mac(fingerprint: &[u8], state: &[u8], mac: &[u8; 32]) -> bool {
    state_mac(fingerprint, state).ct_eq(mac).into()
}

/// HMAC-SHA-256 (RFC 2104).
#[derive(Clone)]
pub(crate) struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = [0_u8; 64];
        if key.len() > block.len() {
            for (slot, byte) in block.iter_mut().zip(Sha256::digest(key)) {
                *slot = byte;
            }
        } else {
            for (slot, byte) in block.iter_mut().zip(key) {
                *slot = *byte;
            }
        }
        Self {
            inner: Sha256::new_with_prefix(block.map(|b| b ^ 0x36)),
            outer: Sha256::new_with_prefix(block.map(|b| b ^ 0x5c)),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.outer
            .chain_update(self.inner.finalize())
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, sections 4.2 to 4.8.
    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let counting: [u8; 25] = core::array::from_fn(|index| u8::try_from(index + 1).unwrap());
        let cases: [(&[u8], &[u8], &str); 7] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counting,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &[0x0c; 20],
                b"Test With Truncation",
                "a3b6167473100ee06e0c796c2955552b",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. \
                  The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, expected) in cases {
            let mut hmac = Hmac::new(key);
            for part in message.chunks(7) {
                hmac.update(part);
            }
            let found = hmac.finish();
            let digits = expected.as_bytes().chunks(2);
            for (byte, digits) in found.iter().zip(digits) {
                let expected = u8::from_str_radix(core::str::from_utf8(digits).unwrap(), 16);
                assert_eq!(Ok(*byte), expected, "{expected:?}");
            }
        }
    }

    /// Computed with another implementation of HMAC.
    #[test]
    fn state_codes_are_the_documented_ones() {
        let mac = state_mac(b"a1b2", b"state");
        assert_eq!(
            u64::from_be_bytes(mac[..8].try_into().unwrap()),
            0x2fb799a4b5397fad
        );
        assert!(is_state_mac(b"a1b2", b"state", &mac));
        assert!(!is_state_mac(b"a1b3", b"state", &mac));
        assert!(!is_state_mac(b"a1b2", b"stata", &mac));
    }
}
