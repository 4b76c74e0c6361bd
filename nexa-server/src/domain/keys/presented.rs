//! A key as it was presented, and the digests under which it may be known.

use std::iter::{once, once_with};

use nexa_core::KeyDigest;

/// A key that somebody has presented.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'s> {
    secret: &'s [u8],
    digest: KeyDigest,
}

impl<'s> Presented<'s> {
    pub(crate) fn new(secret: &'s (impl AsRef<[u8]> + ?Sized)) -> Self {
        let secret = secret.as_ref();
        Self {
            secret,
            digest: KeyDigest::of(secret),
        }
    }

    /// What a key of ours, or an operator key, is known by.
    pub(crate) const fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// What a key may be known by: first the digest of our own; the one of a key whose SHA-512 was imported is worked out only
    /// when it is asked for, so that a key of ours never pays for it.
    pub(crate) fn digests(self) -> impl Iterator<Item = KeyDigest> {
        once(self.digest).chain(once_with(move || KeyDigest::of_by_sha512(self.secret)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_hash_of_a_key_passes_for_the_key() {
        let sha256 = KeyDigest::of(b"a key").to_hex();
        let known: Vec<KeyDigest> = Presented::new("a key").digests().collect();
        assert_eq!(known.len(), 2);
        // Not even to a program that presents bytes: what the second digest is made of has another one.
        let sha512 = <sha2::Sha512 as sha2::Digest>::digest(b"a key");
        for bytes in [&sha512[..], &[b"nexa key by sha-512", &sha512[..]].concat()] {
            assert!(
                Presented::new(bytes)
                    .digests()
                    .all(|digest| !known.contains(&digest))
            );
        }
        for text in [sha256.as_str(), "a key ", "A key", ""] {
            assert!(
                Presented::new(text)
                    .digests()
                    .all(|digest| !known.contains(&digest)),
                "{text}"
            );
        }
    }
}
