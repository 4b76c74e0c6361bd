//! Refresh tokens: opaque random values, stored only as digests.

use alloc::string::String;
use core::fmt;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::base64url;

/// Keeps the mask of a successor apart from every other SHA-256 over a token.
const MASK_DOMAIN: &[u8] = b"nexa refresh";

/// Keeps the digest of a family apart from every other SHA-256 over a part of a token.
const FAMILY_DOMAIN: &[u8] = b"nexa refresh family";

/// The bytes that all tokens of a session begin with.
const FAMILY_BYTES: usize = 16;

/// A refresh token: 256 random bits, written as 43 characters of base64url.
///
/// A session draws all of them once, and half of them anew at every rotation: what stays names the session, so that one row
/// a session is enough to know any token that it ever had.
///
/// ```
/// use nexa_core::RefreshToken;
///
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let first = RefreshToken::generate(&mut rng);
/// let second = first.successor(&mut rng);
/// assert_eq!(first.family_digest(), second.family_digest());
///
/// // At rest: the digest of their session, the digest of each, and the second one masked by the first.
/// let masked = first.mask_successor(&second);
///
/// // The first one comes back (an answer was lost): it gets the same successor again.
/// let presented = RefreshToken::from_presented(first.expose()).ok_or("not a refresh token")?;
/// assert_eq!(presented.digest(), first.digest());
/// assert_eq!(presented.unmask_successor(&masked).expose(), second.expose());
/// # Ok::<(), &str>(())
/// ```
///
/// # Security
/// The memory is wiped on drop; `Debug` shows nothing of it and there is no `Display`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RefreshToken {
    bits: [u8; 32],
    /// `bits` in base64url, and nothing else: one token has one text.
    text: String,
}

impl RefreshToken {
    /// A new token.
    ///
    /// # Security
    /// `rng` must be the operating system's random source or seeded from it.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bits = [0; 32];
        rng.fill_bytes(&mut bits);
        Self::from_bits(bits)
    }

    /// The token that takes this one's place in its session: the first 128 bits stay, the other 128 are drawn.
    ///
    /// # Security
    /// As for [`generate`](Self::generate). Who holds this token and not its successor knows the session and has 128 bits to
    /// guess.
    #[must_use]
    pub fn successor<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> Self {
        let mut bits = self.bits;
        let (_, fresh) = bits.split_at_mut(FAMILY_BYTES);
        rng.fill_bytes(fresh);
        Self::from_bits(bits)
    }

    /// A token as a caller sent it; `None` unless it is the one canonical text of 256 bits.
    #[must_use]
    pub fn from_presented(presented: &str) -> Option<Self> {
        base64url::decode_exact(presented).map(Self::from_bits)
    }

    /// The token itself, to be handed to its owner.
    ///
    /// # Security
    /// The one way to the text: every place where a token leaves the process can be found by this name.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What to store: SHA-256 of the 43 characters.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// What to find the session by: SHA-256 of `nexa refresh family` and the 128 bits that all its tokens begin with.
    #[must_use]
    pub fn family_digest(&self) -> [u8; 32] {
        let (family, _) = self.bits.split_at(FAMILY_BYTES);
        Sha256::new()
            .chain_update(FAMILY_DOMAIN)
            .chain_update(family)
            .finalize()
            .into()
    }

    /// The successor of this token in a form that may be stored: XOR with SHA-256 of `nexa refresh` and this token.
    ///
    /// # Security
    /// Only who holds this token can unmask it. Call it with **one** successor per token: two masks of one token
    /// would show how its successors differ.
    #[must_use]
    pub fn mask_successor(&self, successor: &Self) -> [u8; 32] {
        xor(&self.mask(), &successor.bits)
    }

    /// The successor that [`mask_successor`](Self::mask_successor) masked with this token.
    #[must_use]
    pub fn unmask_successor(&self, masked: &[u8; 32]) -> Self {
        Self::from_bits(xor(&self.mask(), masked))
    }

    fn from_bits(bits: [u8; 32]) -> Self {
        let mut encoded = base64url::encode_32(&bits);
        // Its capacity is its length: a string that grew would leave a copy behind.
        let mut text = String::with_capacity(43);
        text.extend(encoded.map(char::from));
        encoded.zeroize();
        Self { bits, text }
    }

    fn mask(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(MASK_DOMAIN)
            .chain_update(self.text.as_bytes())
            .finalize()
            .into()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(redacted)")
    }
}

fn xor(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut mixed = *left;
    for (mixed, right) in mixed.iter_mut().zip(right) {
        *mixed ^= right;
    }
    mixed
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;
    use crate::seeded::Seeded;

    #[test]
    fn debug_and_zeroize_leave_nothing() {
        fn is_wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let mut token = RefreshToken::generate(&mut Seeded::new(1));
        is_wiped_on_drop(&token);
        assert_eq!(format!("{token:?}"), "RefreshToken(redacted)");
        token.zeroize();
        assert_eq!((token.expose(), token.bits), ("", [0; 32]));
    }

    #[test]
    fn only_the_canonical_text_is_read() {
        let token = RefreshToken::from_bits([0xff; 32]);
        let text = token.expose();
        assert_eq!(text, "__________________________________________8");
        // The last character carries two loose bits: the decoder must not ignore them.
        for other in ["9", "-", "_", "="] {
            assert!(
                RefreshToken::from_presented(&format!("{}{other}", &text[..42])).is_none(),
                "{other}"
            );
        }
        for other in [
            &text[..42],
            &format!("{text}="),
            &format!(" {}", &text[1..]),
            &text.replace('_', "/"),
            "",
        ] {
            assert!(RefreshToken::from_presented(other).is_none(), "{other:?}");
        }
        assert_eq!(
            RefreshToken::from_presented(text).map(|read| read.bits),
            Some([0xff; 32])
        );
    }

    #[test]
    fn digest_is_over_the_text() {
        let token = RefreshToken::from_bits([0; 32]);
        assert_eq!(
            token.digest(),
            <[u8; 32]>::from(Sha256::digest("A".repeat(43).as_bytes()))
        );
    }

    proptest! {
        #[test]
        fn tokens_and_successors_come_back(seed in any::<u64>()) {
            let mut rng = Seeded::new(seed);
            let first = RefreshToken::generate(&mut rng);
            let (second, third) = (first.successor(&mut rng), RefreshToken::generate(&mut rng));
            prop_assert_eq!(first.family_digest(), second.family_digest());
            prop_assert_ne!(first.family_digest(), third.family_digest());
            prop_assert_ne!(first.digest(), second.digest());
            prop_assert_eq!(&first.bits[..FAMILY_BYTES], &second.bits[..FAMILY_BYTES]);
            prop_assert_ne!(&first.bits[FAMILY_BYTES..], &second.bits[FAMILY_BYTES..]);
            let read = RefreshToken::from_presented(first.expose()).expect("its own text");
            prop_assert_eq!(read.bits, first.bits);
            let masked = first.mask_successor(&second);
            prop_assert_ne!(masked, second.bits);
            prop_assert_eq!(first.unmask_successor(&masked).bits, second.bits);
            prop_assert_ne!(third.unmask_successor(&masked).bits, second.bits);
        }
    }
}
