//! A key in the clear, for the short time between making or receiving it and hashing it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::digest::KeyDigest;
use super::format::KeyFormat;

/// Bytes a presented key may have.
const MAX_PRESENTED_LEN: usize = 256;
/// Characters after the format's prefix that may be shown later, so that its owner recognizes it in a list.
const SHOWN_LEN: usize = 4;

/// An API key in the clear.
///
/// It is shown to its owner once, through [`expose`](Self::expose), and then only its
/// [`digest`](Self::digest) and [`prefix`](Self::prefix) remain.
///
/// ```
/// use nexa_core::{KeyFormat, PlainKey};
///
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let key = KeyFormat::NEXA.generate(&mut rng);
/// let stored = key.digest();
///
/// let presented = PlainKey::from_presented(key.expose()).ok_or("not a key")?;
/// assert!(stored.matches(&presented.digest()));
/// assert_eq!(key.prefix(), &key.expose()[..8]);
/// # Ok::<(), &str>(())
/// ```
///
/// # Security
/// The memory is wiped on drop. `Debug` shows nothing of the key and there is no `Display`, so it cannot
/// reach a log by accident.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PlainKey {
    text: String,
    /// Bytes of `text` that [`prefix`](Self::prefix) shows: at most half of what a stranger could have sent, and
    /// never more than four of the random characters of a key that was made here.
    shown_len: usize,
}

impl PlainKey {
    /// A key as a caller sent it: 1 to 256 printable ASCII characters without spaces, otherwise `None`.
    ///
    /// Its shape is not judged further: whether it is a key is decided by its digest alone.
    #[must_use]
    pub fn from_presented(presented: &str) -> Option<Self> {
        let has_length = (1..=MAX_PRESENTED_LEN).contains(&presented.len());
        let shown_len = KeyFormat::published_prefix_len(presented) + SHOWN_LEN;
        (has_length && presented.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self {
            text: presented.to_owned(),
            shown_len: shown_len.min(presented.len() / 2),
        })
    }

    /// The key itself, to be handed to its owner.
    ///
    /// # Security
    /// The one way to the text: every place where a key leaves the process can be found by this name.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What to store.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(self.text.as_bytes())
    }

    /// The format's prefix and four characters more (`nex_a1b2`, `sk_live_a1b2`), to be shown in lists.
    ///
    /// A presented key whose prefix is none of the published ones shows its first eight characters; none shows more
    /// than half.
    #[must_use]
    pub fn prefix(&self) -> &str {
        // The text is ASCII, so every byte position is a character boundary.
        self.text.get(..self.shown_len).unwrap_or_default()
    }

    /// `text` must be ASCII, begin with a format's prefix of `prefix_len` bytes, and have been written without
    /// growing, which would leave a copy behind.
    pub(super) fn from_generated(text: String, prefix_len: usize) -> Self {
        let shown_len = prefix_len + SHOWN_LEN;
        Self { text, shown_len }
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::KeyFormat;
    use crate::seeded::Seeded;

    #[test]
    fn debug_shows_nothing_of_the_key() {
        let key = KeyFormat::NEXA.generate(&mut Seeded::new(1));
        assert_eq!(
            format!("{key:?} {key:#?}"),
            "PlainKey(redacted) PlainKey(redacted)"
        );
    }

    #[test]
    fn zeroize_empties_the_key() {
        fn is_wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let mut key = KeyFormat::NEXA.generate(&mut Seeded::new(2));
        is_wiped_on_drop(&key);
        key.zeroize();
        assert_eq!(key.expose(), "");
    }

    #[test]
    fn presented_keys_are_printable_ascii_of_1_to_256_characters() {
        let longest = "k".repeat(256);
        for good in ["k", "nex_a1b2", "~!{}\"", longest.as_str()] {
            assert_eq!(PlainKey::from_presented(good).expect(good).expose(), good);
        }
        let too_long = "k".repeat(257);
        for bad in [
            "",
            " ",
            "nex_ a",
            "nex_a\n",
            "nex_é",
            "nex_\0",
            "nex_\u{7f}",
            too_long.as_str(),
        ] {
            assert!(PlainKey::from_presented(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_made_key_shows_its_format_and_four_characters() {
        const ACME: KeyFormat = match KeyFormat::new("acme_production_", 22) {
            Ok(format) => format,
            Err(_) => panic!("a good format"),
        };
        for format in [
            KeyFormat::NEXA,
            KeyFormat::NEXORA,
            KeyFormat::DIALNEXA,
            ACME,
        ] {
            let key = format.generate(&mut Seeded::new(3));
            let (shown, length) = (key.prefix(), format.prefix().len() + 4);
            assert!(shown.starts_with(format.prefix()), "{shown}");
            assert_eq!(shown, &key.expose()[..length]);
        }
        assert_eq!(
            KeyFormat::NEXA.generate(&mut Seeded::new(3)).prefix().len(),
            8
        );
    }

    #[test]
    fn a_presented_key_shows_what_it_showed_when_it_was_made() {
        for format in [KeyFormat::NEXA, KeyFormat::NEXORA, KeyFormat::DIALNEXA] {
            let made = format.generate(&mut Seeded::new(4));
            let presented = PlainKey::from_presented(made.expose()).expect("it is a key");
            assert_eq!(presented.prefix(), made.prefix());
        }
    }

    #[test]
    fn a_presented_key_never_shows_more_than_half() {
        for (key, prefix) in [
            ("nex_a1b2c3d4e5f6", "nex_a1b2"),
            ("sk_live_a1b2c3d4e5f6g7h8", "sk_live_a1b2"),
            ("sk_live_a1b2", "sk_liv"),
            ("sk_test_a1b2c3d4e5f6", "sk_test_"),
            ("nex_a1b2c3", "nex_a"),
            ("k", ""),
            ("keys", "ke"),
        ] {
            assert_eq!(PlainKey::from_presented(key).expect(key).prefix(), prefix);
        }
    }
}
