//! The written shape of a key: prefix, random part, checksum.

use alloc::string::String;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroize;

use super::plain::PlainKey;

/// Digits of base62, in the order of their values.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62⁶ is the first power of 62 above 2³², so every CRC-32 fits.
const CHECKSUM_LEN: usize = 6;
/// 22 random base62 characters carry 130 bits.
const MIN_RANDOM_LEN: usize = 22;
const MAX_RANDOM_LEN: usize = 128;
const MAX_PREFIX_LEN: usize = 32;

/// How a kind of key is written: a prefix, random base62 characters, and six base62 digits of checksum.
///
/// The alphabet is `0-9A-Za-z`. The checksum is the CRC-32 (IEEE 802.3) of the random characters alone, written
/// most significant digit first and padded with `0`. It lets a leak scanner tell keys from noise without asking anyone.
///
/// ```
/// use nexa_core::{KeyFormat, KeyShape};
///
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let key = KeyFormat::NEXA.generate(&mut rng);
/// assert!(key.expose().starts_with("nex_"));
/// assert_eq!(key.expose().len(), 36);
/// assert_eq!(KeyFormat::NEXA.classify(key.expose()), KeyShape::Plausible);
///
/// let ours = KeyFormat::new("acme_", 30)?;
/// assert_eq!(ours.classify(key.expose()), KeyShape::WrongShape);
/// # Ok::<(), nexa_core::KeyFormatError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFormat {
    prefix: &'static str,
    /// At least [`MIN_RANDOM_LEN`]: fewer characters could be guessed from the digest.
    random_len: usize,
}

/// What a text looks like beside a [`KeyFormat`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyShape {
    /// Another prefix, length or alphabet.
    WrongShape,
    /// The right shape, but the checksum does not fit: a typing error, a shortened key or noise.
    WrongChecksum,
    /// Shape and checksum fit. One random text in 2³² does by chance.
    Plausible,
}

impl KeyFormat {
    /// `nex_` and 32 characters.
    pub const NEXA: Self = Self {
        prefix: "nex_",
        random_len: 26,
    };
    /// `nxr_` and 32 characters.
    pub const NEXORA: Self = Self {
        prefix: "nxr_",
        random_len: 26,
    };
    /// `sk_live_` and 32 characters.
    pub const DIALNEXA: Self = Self {
        prefix: "sk_live_",
        random_len: 26,
    };

    /// A format of one's own: a prefix of 1 to 32 characters of `A-Za-z0-9_-`, and 22 to 128 random characters. It
    /// can be a constant, and a bad one then does not compile.
    ///
    /// # Errors
    /// Whichever part breaks its rule.
    pub const fn new(prefix: &'static str, random_len: usize) -> Result<Self, KeyFormatError> {
        let length = prefix.len();
        if length == 0 || length > MAX_PREFIX_LEN {
            return Err(KeyFormatError::PrefixLength { length });
        }
        let mut rest = prefix.as_bytes();
        while let [byte, after @ ..] = rest {
            if !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-') {
                let position = length - rest.len();
                return Err(KeyFormatError::PrefixCharacter { position });
            }
            rest = after;
        }
        if random_len < MIN_RANDOM_LEN || random_len > MAX_RANDOM_LEN {
            return Err(KeyFormatError::RandomLength { length: random_len });
        }
        Ok(Self { prefix, random_len })
    }

    /// A new key. Every character is equally likely: bytes that would favour some are drawn again.
    ///
    /// # Security
    /// `rng` must be the operating system's random source or seeded from it.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> PlainKey {
        let mut text = String::with_capacity(self.key_len());
        text.push_str(self.prefix);
        push_random_base62(&mut text, self.random_len, rng);
        let random = text.get(self.prefix.len()..).unwrap_or_default();
        let digits = checksum(random.as_bytes());
        text.extend(digits.map(char::from));
        PlainKey::from_generated(text, self.prefix.len())
    }

    /// Whether a text looks like a key of this format.
    ///
    /// # Security
    /// This classifies and never decides: a key is valid when its digest is stored, whatever its checksum says,
    /// and a key with a fitting checksum may have been made up.
    #[must_use]
    pub fn classify(&self, text: &str) -> KeyShape {
        let Some(body) = text.strip_prefix(self.prefix) else {
            return KeyShape::WrongShape;
        };
        if body.len() != self.random_len + CHECKSUM_LEN
            || !body.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return KeyShape::WrongShape;
        }
        match body.as_bytes().split_at_checked(self.random_len) {
            Some((random, digits)) if digits == checksum(random) => KeyShape::Plausible,
            Some(_) => KeyShape::WrongChecksum,
            None => KeyShape::WrongShape,
        }
    }

    /// What every key of this format begins with.
    #[must_use]
    pub const fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// Bytes of the published prefix that `text` begins with. A text of another format is taken to have one of
    /// four, as most have.
    pub(super) fn published_prefix_len(text: &str) -> usize {
        [Self::NEXA, Self::NEXORA, Self::DIALNEXA]
            .iter()
            .find(|format| text.starts_with(format.prefix))
            .map_or(4, |format| format.prefix.len())
    }

    /// Characters of a whole key.
    #[must_use]
    pub const fn key_len(&self) -> usize {
        self.prefix.len() + self.random_len + CHECKSUM_LEN
    }
}

/// Why a format cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFormatError {
    /// The prefix has not 1 to 32 characters.
    PrefixLength {
        /// Bytes found.
        length: usize,
    },
    /// The prefix holds something other than `A-Za-z0-9_-`.
    PrefixCharacter {
        /// Its byte position.
        position: usize,
    },
    /// The random part has not 22 to 128 characters: too few could be guessed, more would be of no use.
    RandomLength {
        /// Characters asked for.
        length: usize,
    },
}

impl fmt::Display for KeyFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrefixLength { length } => write!(
                f,
                "a key prefix has 1 to {MAX_PREFIX_LEN} characters, not {length}"
            ),
            Self::PrefixCharacter { position } => {
                write!(
                    f,
                    "a key prefix is made of A-Z, a-z, 0-9, _ and -; the character at byte {position} is none of them"
                )
            }
            Self::RandomLength { length } => {
                write!(
                    f,
                    "a key has {MIN_RANDOM_LEN} to {MAX_RANDOM_LEN} random characters, not {length}"
                )
            }
        }
    }
}

impl core::error::Error for KeyFormatError {}

/// Rejection sampling: 248 is the largest multiple of 62 that a byte can hold, and taking the remainder
/// of the bytes above it would make the first eight digits more likely than the others.
fn push_random_base62<R: CryptoRng + ?Sized>(text: &mut String, count: usize, rng: &mut R) {
    let mut drawn = [0_u8; 32];
    let mut missing = count;
    while missing > 0 {
        rng.fill_bytes(&mut drawn);
        let digits = drawn
            .iter()
            .filter(|byte| **byte < 248)
            .map(|byte| base62_digit(u32::from(*byte)));
        for digit in digits.take(missing) {
            text.push(char::from(digit));
            missing -= 1;
        }
    }
    drawn.zeroize();
}

fn checksum(random: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32fast::hash(random);
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = base62_digit(rest);
        rest /= 62;
    }
    digits
}

/// The digit for the remainder of `value` by 62.
fn base62_digit(value: u32) -> u8 {
    *BASE62
        .get((value % 62) as usize)
        .expect("a remainder by 62 is below 62")
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use alloc::{format, vec};

    use proptest::prelude::*;

    use super::*;
    use crate::seeded::Seeded;

    const PUBLISHED: [(KeyFormat, &str, usize); 3] = [
        (KeyFormat::NEXA, "nex_", 36),
        (KeyFormat::NEXORA, "nxr_", 36),
        (KeyFormat::DIALNEXA, "sk_live_", 40),
    ];

    #[test]
    fn keys_have_their_published_shape() {
        for (format, prefix, length) in PUBLISHED {
            let key = format.generate(&mut Seeded::new(1));
            assert!(key.expose().starts_with(prefix));
            assert_eq!(key.expose().len(), length);
            assert_eq!(format.key_len(), length);
            assert_eq!(format.prefix(), prefix);
            assert_eq!(format.classify(key.expose()), KeyShape::Plausible);
        }
    }

    #[test]
    fn checksum_is_crc_32_in_base62() {
        // CRC-32 of "123456789" is the catalogue's check value 0xCBF43926 = 3421780262.
        let value = 3_421_780_262_u64;
        let text = String::from_utf8(checksum(b"123456789").to_vec()).expect("digits are ASCII");
        let read = text.bytes().fold(0_u64, |sum, digit| {
            sum * 62
                + BASE62
                    .iter()
                    .position(|known| *known == digit)
                    .expect("a base62 digit") as u64
        });
        assert_eq!(read, value);
        assert_eq!(checksum(b""), *b"000000");
    }

    #[test]
    fn a_random_source_is_used_up_to_its_last_unbiased_byte() {
        struct Counting(u8);
        impl rand_core::TryRng for Counting {
            type Error = core::convert::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                Ok(0)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                Ok(0)
            }
            fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Self::Error> {
                for byte in destination {
                    *byte = self.0;
                    self.0 = self.0.wrapping_add(1);
                }
                Ok(())
            }
        }
        impl rand_core::TryCryptoRng for Counting {}

        // Bytes 224 to 247 give digits 38 to 61, 248 to 255 are drawn again, 0 and 1 give digits 0 and 1.
        let mut text = String::new();
        push_random_base62(&mut text, 26, &mut Counting(224));
        assert_eq!(text, "cdefghijklmnopqrstuvwxyz01");
    }

    #[test]
    fn characters_are_equally_likely() {
        let mut rng = Seeded::new(62);
        let mut counts = vec![0_u32; 62];
        for _ in 0..4_000 {
            let key = KeyFormat::NEXA.generate(&mut rng);
            for digit in &key.expose().as_bytes()[4..30] {
                counts[BASE62
                    .iter()
                    .position(|known| known == digit)
                    .expect("a base62 digit")] += 1;
            }
        }
        let expected = 4_000.0 * 26.0 / 62.0;
        let chi_square: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        // 61 degrees of freedom: the mean is 61, and 160 is beyond one chance in 10^9. Taking remainders without
        // rejection would give about 104,000 × 0.0066 ≈ 690 + 61. The seed is fixed, so the figure never changes.
        assert!(chi_square < 160.0, "{chi_square}");
    }

    #[test]
    fn other_texts_are_told_apart() {
        let key = KeyFormat::NEXA.generate(&mut Seeded::new(3));
        let key = key.expose();
        let classify = |text: &str| KeyFormat::NEXA.classify(text);
        assert_eq!(classify(""), KeyShape::WrongShape);
        assert_eq!(classify("nex_"), KeyShape::WrongShape);
        assert_eq!(classify(&key[..35]), KeyShape::WrongShape);
        assert_eq!(classify(&format!("{key}0")), KeyShape::WrongShape);
        assert_eq!(classify(&key.replace("nex_", "NEX_")), KeyShape::WrongShape);
        assert_eq!(classify(&key.replace("nex_", "nxr_")), KeyShape::WrongShape);
        assert_eq!(classify(&format!("{}-", &key[..35])), KeyShape::WrongShape);
        assert_eq!(classify(&format!("{}é", &key[..34])), KeyShape::WrongShape);
        assert_eq!(
            KeyFormat::NEXORA.classify(&key.replace("nex_", "nxr_")),
            KeyShape::Plausible
        );
    }

    #[test]
    fn a_changed_character_breaks_the_checksum() {
        let key = KeyFormat::NEXA.generate(&mut Seeded::new(4));
        for position in 4..36 {
            let mut bytes = key.expose().as_bytes().to_vec();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(
                KeyFormat::NEXA.classify(&changed),
                KeyShape::WrongChecksum,
                "{position}"
            );
        }
    }

    #[test]
    fn formats_that_could_be_guessed_or_misread_are_refused() {
        let cases = [
            ("", 26, KeyFormatError::PrefixLength { length: 0 }),
            (
                "a_prefix_of_more_than_32_letters_",
                26,
                KeyFormatError::PrefixLength { length: 33 },
            ),
            ("nex ", 26, KeyFormatError::PrefixCharacter { position: 3 }),
            ("né_", 26, KeyFormatError::PrefixCharacter { position: 1 }),
            ("nex_", 21, KeyFormatError::RandomLength { length: 21 }),
            ("nex_", 129, KeyFormatError::RandomLength { length: 129 }),
        ];
        for (prefix, random_len, error) in cases {
            assert_eq!(KeyFormat::new(prefix, random_len), Err(error));
            assert!(error.to_string().starts_with("a key "));
        }
        assert_eq!(KeyFormat::new("nex_", 26), Ok(KeyFormat::NEXA));
    }

    #[test]
    fn a_format_can_be_a_constant() {
        const ACME: KeyFormat = match KeyFormat::new("acme_", 30) {
            Ok(format) => format,
            Err(_) => panic!("the prefix or the length breaks its rule"),
        };
        const LENGTH: usize = ACME.key_len();
        assert_eq!((ACME.prefix(), LENGTH), ("acme_", 41));
    }

    proptest! {
        #[test]
        fn every_key_is_plausible_and_distinct(seed in any::<u64>(), random_len in 22_usize..=128) {
            let format = KeyFormat::new("t-", random_len).expect("a valid format");
            let mut rng = Seeded::new(seed);
            let keys: Vec<_> = (0..4).map(|_| format.generate(&mut rng)).collect();
            for (index, key) in keys.iter().enumerate() {
                prop_assert_eq!(key.expose().len(), format.key_len());
                prop_assert_eq!(format.classify(key.expose()), KeyShape::Plausible);
                prop_assert!(keys[..index].iter().all(|earlier| earlier.expose() != key.expose()));
            }
        }

        #[test]
        fn no_text_upsets_the_classifier(body in "[0-9A-Za-z]{32}|[0-9A-Za-z]{28,36}|\\PC{0,40}") {
            let has_shape = body.len() == 32 && body.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let found = KeyFormat::NEXA.classify(&format!("nex_{body}"));
            prop_assert_eq!(found, if has_shape { KeyShape::WrongChecksum } else { KeyShape::WrongShape });
        }
    }
}
