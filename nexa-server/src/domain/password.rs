//! Passwords: which are allowed, how they are kept, how they are compared.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::error::Error;

/// In bytes of UTF-8. The upper bound caps the work before any hashing.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=1024;

/// Passwords that head every published list of leaked ones; one a line, lower case.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password that meets the rules; wiped when dropped, never printed.
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// Takes a new password.
    ///
    /// # Errors
    /// `Invalid` for `field` when it is too short, too long or on the list of common passwords.
    pub(crate) fn new(field: &'static str, text: String) -> Result<Self, Error> {
        let password = Self(Zeroizing::new(text));
        if !LENGTH.contains(&password.0.len()) {
            return Err(Error::invalid(
                field,
                format!("must be {} to {} bytes long", LENGTH.start(), LENGTH.end()),
            ));
        }
        let lower = Zeroizing::new(password.0.to_lowercase());
        if COMMON.lines().any(|common| common == lower.as_str()) {
            return Err(Error::invalid(field, "is one of the most common passwords"));
        }
        Ok(password)
    }

    /// The PHC string to store: Argon2id, 19 MiB, two passes, one lane (RFC 9106; the OWASP minimum).
    ///
    /// Takes tens of milliseconds: never call it while holding the writer.
    pub(crate) fn hash(&self, rng: &mut dyn CryptoRng) -> Result<String, Error> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let hash: argon2::password_hash::phc::PasswordHash = hasher()?
            .hash_password_with_salt(self.0.as_bytes(), &salt)
            .map_err(|error| Error::Fault(format!("password hashing: {error}")))?;
        Ok(hash.to_string())
    }
}

/// Whether `presented` is the password behind `stored`. Without a stored hash the same work is
/// done and the answer is no, so that timing does not tell known addresses from unknown ones.
pub(crate) fn verify(presented: &str, stored: Option<&str>) -> Result<bool, Error> {
    // A hash of nothing anybody knows: 16 fixed bytes of salt, an output that no password has been seen to give.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bmV4YSBub2JvZHkgMDA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let is_within_bounds = presented.len() <= *LENGTH.end();
    let text = if is_within_bounds { presented } else { "" };
    let matches = hasher()?
        .verify_password(text.as_bytes(), stored.unwrap_or(NOBODY))
        .is_ok();
    Ok(matches && stored.is_some() && is_within_bounds)
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(19 * 1024, 2, 1, None)
        .map_err(|error| Error::Fault(format!("argon2 parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    #[test]
    fn a_hash_verifies_its_own_password_and_no_other() -> Result<(), Error> {
        let hash =
            Password::new("password", "correct horse".to_owned())?.hash(&mut SeededRng::new(1))?;
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(verify("correct horse", Some(&hash))?);
        assert!(!verify("correct horsE", Some(&hash))?);
        assert!(!verify("", Some(&hash))?);
        assert!(!verify(&"x".repeat(1025), Some(&hash))?);
        assert!(!verify("correct horse", None)?);
        Ok(())
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        let longest = "é".repeat(512);
        for (text, is_allowed) in [
            ("1234567", false),
            ("Password1", false),
            ("tr0ub4dor", true),
            (longest.as_str(), true),
            (&"é".repeat(513), false),
        ] {
            assert_eq!(
                Password::new("password", text.to_owned()).is_ok(),
                is_allowed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_stand_in_hash_costs_what_a_real_one_does() {
        let parsed = argon2::password_hash::phc::PasswordHash::new(
            "$argon2id$v=19$m=19456,t=2,p=1$bmV4YSBub2JvZHkgMDA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        );
        assert!(
            parsed.is_ok(),
            "an unreadable stand-in would answer at once: {parsed:?}"
        );
    }
}
