//! What is stored of a key: its SHA-256, compared in constant time.

use alloc::string::String;
use core::fmt;
use core::hash::{Hash, Hasher};

use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

/// SHA-256 of a whole key, prefix included.
///
/// A plain hash is enough because a key carries at least 128 random bits: there is nothing to guess.
/// It is the only form of a key that may be stored.
///
/// ```
/// use nexa_core::KeyDigest;
///
/// let stored = KeyDigest::of(b"nex_the-key-that-was-issued");
/// assert!(stored.verify(b"nex_the-key-that-was-issued"));
/// assert!(!stored.verify(b"nex_the-key-that-was-issued "));
/// assert_eq!(KeyDigest::from_hex(&stored.to_hex())?, stored);
/// # Ok::<(), nexa_core::DigestParseError>(())
/// ```
///
/// # Security
/// Comparison takes the same time wherever two digests differ, so that an answer's timing tells
/// nothing about a stored digest. `==` is that comparison too.
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key as it was presented, byte for byte; nothing is trimmed or folded.
    #[must_use]
    #[inline]
    pub fn of(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// The digest of a key of which only the SHA-512 is known, as of one that another program has issued: the first
    /// half of SHA-512 over a mark and those 64 bytes. It is compared with [`KeyDigest::of_by_sha512`].
    ///
    /// ```
    /// use nexa_core::KeyDigest;
    ///
    /// let theirs = b"\xdd\xaf\x35\xa1\x93\x61\x7a\xba\xcc\x41\x73\x49\xae\x20\x41\x31\x12\xe6\xfa\x4e\x89\xa9\x7e\xa2\
    ///     \x0a\x9e\xee\xe6\x4b\x55\xd3\x9a\x21\x92\x99\x2a\x27\x4f\xc1\xa8\x36\xba\x3c\x23\xa3\xfe\xeb\xbd\x45\x4d\
    ///     \x44\x23\x64\x3c\xe8\x0e\x2a\x9a\xc9\x4f\xa5\x4c\xa4\x9f";
    /// assert_eq!(KeyDigest::from_sha512(theirs), KeyDigest::of_by_sha512(b"abc"));
    /// assert_ne!(KeyDigest::from_sha512(theirs), KeyDigest::of(b"abc"));
    /// ```
    ///
    /// # Security
    /// No presented bytes have this digest by [`KeyDigest::of`], not even those that it was made of: whoever has only the hash
    /// of a key cannot present it.
    #[must_use]
    pub fn from_sha512(hash: &[u8; 64]) -> Self {
        const MARK: &[u8] = b"nexa key by sha-512";
        let whole: [u8; 64] = Sha512::new()
            .chain_update(MARK)
            .chain_update(hash)
            .finalize()
            .into();
        let mut digest = [0; 32];
        for (byte, hashed) in digest.iter_mut().zip(whole) {
            *byte = hashed;
        }
        Self(digest)
    }

    /// The digest of a key as it was presented, as [`KeyDigest::from_sha512`] makes it of the key's SHA-512.
    #[must_use]
    pub fn of_by_sha512(presented: &[u8]) -> Self {
        Self::from_sha512(&Sha512::digest(presented).into())
    }

    /// Whether `presented` is the key this digest was made of. Allocates nothing.
    #[must_use]
    #[inline]
    pub fn verify(&self, presented: &[u8]) -> bool {
        self.matches(&Self::of(presented))
    }

    /// Whether both are digests of the same key, in constant time.
    #[must_use]
    #[inline]
    pub fn matches(&self, other: &Self) -> bool {
        let (left, right) = (self.halves(), other.halves());
        let difference = (left.0 ^ right.0) | (left.1 ^ right.1);
        difference.ct_eq(&0).into()
    }

    /// The 32 bytes to store.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// A digest that was stored as bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            hex.extend([byte >> 4, byte & 15].map(hex_digit));
        }
        hex
    }

    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// Another length, or the first character that is not a hexadecimal digit.
    pub fn from_hex(hex: &str) -> Result<Self, DigestParseError> {
        let mut nibbles = hex.char_indices();
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            for shift in [4, 0] {
                let (position, digit) = nibbles
                    .next()
                    .ok_or(DigestParseError::Length { length: hex.len() })?;
                let value = digit
                    .to_digit(16)
                    .ok_or(DigestParseError::Digit { position })?;
                // A hexadecimal digit is below 16, so nothing is lost.
                *byte |= (value as u8) << shift;
            }
        }
        match nibbles.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(DigestParseError::Length { length: hex.len() }),
        }
    }

    /// Two words compare about ten times faster than 32 bytes one by one.
    fn halves(&self) -> (u128, u128) {
        let (high, low) = self.0.split_at(16);
        (word(high), word(low))
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for KeyDigest {}

/// Over the bytes, so that equal digests hash alike. For maps in memory: a map's own comparison is the one above.
impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Shows the first four bytes: enough to tell digests apart in a log, too little to look one up.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, fourth, ..] = self.0;
        write!(
            f,
            "KeyDigest({first:02x}{second:02x}{third:02x}{fourth:02x}…)"
        )
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestParseError {
    /// It is not 64 characters long.
    Length {
        /// Bytes found.
        length: usize,
    },
    /// A character is not a hexadecimal digit.
    Digit {
        /// Its byte position.
        position: usize,
    },
}

impl fmt::Display for DigestParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { length } => {
                write!(f, "a key digest has 64 hexadecimal digits, not {length}")
            }
            Self::Digit { position } => write!(
                f,
                "the character at byte {position} is not a hexadecimal digit"
            ),
        }
    }
}

impl core::error::Error for DigestParseError {}

fn word(half: &[u8]) -> u128 {
    u128::from_ne_bytes(*half.first_chunk().expect("half of 32 bytes is 16 bytes"))
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).expect("a nibble is below 16")
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digest_is_sha_256_of_all_bytes() {
        // FIPS 180-4, the example of the three bytes "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyDigest::of(b"abc").to_hex(), expected);
        assert_eq!(KeyDigest::from_hex(expected), Ok(KeyDigest::of(b"abc")));
        assert_eq!(
            KeyDigest::from_hex(&expected.to_uppercase()),
            Ok(KeyDigest::of(b"abc"))
        );
    }

    #[test]
    fn every_bit_counts() {
        let stored = KeyDigest::of(b"key");
        for bit in 0..256 {
            let mut bytes = stored.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!stored.matches(&KeyDigest::from_bytes(bytes)), "bit {bit}");
        }
        assert!(stored.matches(&KeyDigest::from_bytes(stored.to_bytes())));
    }

    #[test]
    fn hex_of_another_shape_is_refused() {
        let hex = KeyDigest::of(b"key").to_hex();
        assert_eq!(
            KeyDigest::from_hex(&hex[1..]),
            Err(DigestParseError::Length { length: 63 })
        );
        assert_eq!(
            KeyDigest::from_hex(&format!("{hex}0")),
            Err(DigestParseError::Length { length: 65 })
        );
        assert_eq!(
            KeyDigest::from_hex(""),
            Err(DigestParseError::Length { length: 0 })
        );
        assert_eq!(
            KeyDigest::from_hex(&format!("0x{}", &hex[2..])),
            Err(DigestParseError::Digit { position: 1 })
        );
        assert_eq!(
            KeyDigest::from_hex(&format!("é{}", &hex[2..])),
            Err(DigestParseError::Digit { position: 0 })
        );
        assert!(
            DigestParseError::Length { length: 63 }
                .to_string()
                .contains("63")
        );
    }

    #[test]
    fn digests_are_keys_of_a_map() {
        extern crate std;
        let key = |text: &[u8]| KeyDigest::of(text);
        let names = std::collections::HashMap::from([(key(b"a"), 1), (key(b"b"), 2)]);
        assert_eq!(names.get(&key(b"a")), Some(&1));
        assert_eq!(names.get(&key(b"b")), Some(&2));
        assert_eq!(names.get(&key(b"c")), None);
    }

    #[test]
    fn debug_shows_four_bytes() {
        assert_eq!(
            format!("{:?}", KeyDigest::of(b"abc")),
            "KeyDigest(ba7816bf…)"
        );
    }

    proptest! {
        #[test]
        fn verify_agrees_with_equality(left in proptest::collection::vec(any::<u8>(), 0..64), right in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(KeyDigest::of(&left).verify(&left));
            prop_assert_eq!(KeyDigest::of(&left).verify(&right), left == right);
        }

        #[test]
        fn hex_comes_back(bytes in any::<[u8; 32]>()) {
            let digest = KeyDigest::from_bytes(bytes);
            prop_assert_eq!(KeyDigest::from_hex(&digest.to_hex()).map(KeyDigest::to_bytes), Ok(bytes));
        }
    }
}
