//! E-mail addresses: as their owner wrote them, and in the one form they are compared by.

use unicode_normalization::UnicodeNormalization;

use super::error::Error;

/// A plausible address. Whether anybody reads it, only a mail can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmailAddress {
    /// Where mail goes.
    pub(crate) given: String,
    /// Lower case, NFC: what must be unique.
    pub(crate) normal: String,
}

/// RFC 5321 §4.5.3.1.3, less the angle brackets.
const LENGTH_MAX: usize = 254;
/// RFC 5321 §4.5.3.1.1.
const LOCAL_MAX: usize = 64;

impl EmailAddress {
    /// Reads an address: one `@`, something on both sides, no white space or control characters.
    ///
    /// # Errors
    /// `Invalid` for the field `email`, with the rule.
    pub(crate) fn parse(given: &str) -> Result<Self, Error> {
        let normal: String = given
            .nfc()
            .collect::<String>()
            .to_lowercase()
            .nfc()
            .collect();
        if given.len() > LENGTH_MAX || normal.len() > LENGTH_MAX {
            return Err(Error::invalid(
                "email",
                format!("at most {LENGTH_MAX} bytes"),
            ));
        }
        if normal.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::invalid(
                "email",
                "no white space and no control characters",
            ));
        }
        let Some((local, domain)) = normal.split_once('@') else {
            return Err(Error::invalid("email", "must contain an @"));
        };
        if domain.contains('@') {
            return Err(Error::invalid("email", "must contain one @ only"));
        }
        if local.is_empty() || local.len() > LOCAL_MAX {
            return Err(Error::invalid(
                "email",
                format!("1 to {LOCAL_MAX} bytes before the @"),
            ));
        }
        if domain.is_empty() || domain.split('.').any(str::is_empty) {
            return Err(Error::invalid("email", "needs a host name after the @"));
        }
        Ok(Self {
            given: given.to_owned(),
            normal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_normal_form() -> Result<(), Error> {
        let composed = EmailAddress::parse("J\u{f6}rg@Example.COM")?;
        let decomposed = EmailAddress::parse("jo\u{308}RG@example.com")?;
        assert_eq!(composed.normal, decomposed.normal);
        assert_eq!(composed.given, "J\u{f6}rg@Example.COM");
        Ok(())
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_rule() {
        for (given, rule) in [
            ("", "email: must contain an @"),
            ("nobody", "email: must contain an @"),
            ("a@b@c", "email: must contain one @ only"),
            ("@example.com", "email: 1 to 64 bytes before the @"),
            ("a@", "email: needs a host name after the @"),
            ("a@example..com", "email: needs a host name after the @"),
            (
                "a b@example.com",
                "email: no white space and no control characters",
            ),
            (
                "a@example.com\0",
                "email: no white space and no control characters",
            ),
        ] {
            assert_eq!(
                EmailAddress::parse(given).map_err(|e| e.to_string()),
                Err(rule.to_owned()),
                "{given:?}"
            );
        }
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(EmailAddress::parse(&format!("a@{}", "b".repeat(253))).is_err());
    }
}
