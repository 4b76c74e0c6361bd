//! E-mail addresses: as their owner wrote them, and in the one form they are compared by.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

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
    /// Reads an address: one `@`, something before it, a host name after it. Letters of any script pass on both sides
    /// (RFC 6531); quoted forms, address literals and what nobody sees do not.
    ///
    /// # Errors
    /// `Invalid` for the field `email`, with the rule.
    pub(crate) fn parse(given: &str) -> Result<Self, Error> {
        let normal = normal(given);
        if given.len() > LENGTH_MAX || normal.len() > LENGTH_MAX {
            return Err(Error::invalid(
                "email",
                format!("at most {LENGTH_MAX} bytes"),
            ));
        }
        if normal.chars().any(|c| c.is_whitespace() || is_unseen(c)) {
            return Err(Error::invalid(
                "email",
                "no blanks and no invisible characters",
            ));
        }
        if normal.contains(SPECIAL) {
            return Err(Error::invalid(
                "email",
                "none of < > ( ) [ ] , ; : \" and \\",
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
        if !domain.split('.').all(is_label) {
            return Err(Error::invalid("email", "needs a host name after the @"));
        }
        Ok(Self {
            given: given.to_owned(),
            normal,
        })
    }
}

/// The form that addresses are compared by, also of one that was taken by other rules.
pub(super) fn normal(given: &str) -> String {
    let composed = given.nfc().collect::<String>();
    composed.to_lowercase().nfc().collect()
}

/// What means something in a mail header beside an address (RFC 5322 §3.2.3), `@` and `.` aside.
const SPECIAL: [char; 11] = ['<', '>', '(', ')', '[', ']', ',', ';', ':', '"', '\\'];

/// Whether it is a control character, or shows nothing by itself (`Default_Ignorable_Code_Point` of Unicode): two
/// addresses must not look alike, and no text may turn around.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A label of a host name (RFC 1123 §2.1), or one in letters that stand for such a label (RFC 5890 §2.3.2.1).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .chars()
            .all(|c| c.is_alphanumeric() || is_combining_mark(c) || c == '-' || c == '_')
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
    fn letters_of_any_script_are_an_address() {
        for given in [
            "first.last+tag@sub.example.co.uk",
            "o'brien!#$%&*/=?^`{|}~@example.com",
            "J\u{f6}rg@b\u{fc}cher.example",
            "\u{7528}\u{6237}@\u{4f8b}\u{5b50}.\u{516c}\u{53f8}",
            "\u{92e}\u{941}\u{916}\u{94d}\u{92f}@\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}.\u{92d}\u{93e}\u{930}\u{924}",
            "a@xn--bcher-kva.example",
            "a@localhost",
        ] {
            assert!(EmailAddress::parse(given).is_ok(), "{given}");
        }
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
            ("a@-b.com", "email: needs a host name after the @"),
            ("a@b-.com", "email: needs a host name after the @"),
            ("a@b/c.com", "email: needs a host name after the @"),
            ("a@b%41.com", "email: needs a host name after the @"),
            ("a@example.com.", "email: needs a host name after the @"),
            ("a@\u{20ac}.com", "email: needs a host name after the @"),
            (
                "a\u{200b}@example.com",
                "email: no blanks and no invisible characters",
            ),
            (
                "a@ex\u{202e}ample.com",
                "email: no blanks and no invisible characters",
            ),
            (
                "a\u{a0}b@example.com",
                "email: no blanks and no invisible characters",
            ),
            (
                "a b@example.com",
                "email: no blanks and no invisible characters",
            ),
            (
                "a@example.com\0",
                "email: no blanks and no invisible characters",
            ),
        ] {
            assert_eq!(
                EmailAddress::parse(given).map_err(|e| e.to_string()),
                Err(rule.to_owned()),
                "{given:?}"
            );
        }
        for special in SPECIAL {
            for given in [
                format!("a{special}b@example.com"),
                format!("a@b{special}c.com"),
            ] {
                assert_eq!(
                    EmailAddress::parse(&given).map_err(|e| e.to_string()),
                    Err("email: none of < > ( ) [ ] , ; : \" and \\".to_owned()),
                    "{given:?}"
                );
            }
        }
        assert!(EmailAddress::parse(&format!("a@{}.com", "b".repeat(64))).is_err());
        assert!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(EmailAddress::parse(&format!("a@{}", "b".repeat(253))).is_err());
    }
}
