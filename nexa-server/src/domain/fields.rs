//! Rules that fields of several nouns share.

use super::error::Error;

/// In characters.
const NAME_MAX: usize = 100;

/// A display name: 1 to 100 characters after trimming, none of them a control character.
///
/// # Errors
/// `Invalid` for `field`.
pub(crate) fn name(field: &'static str, text: &str) -> Result<String, Error> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    text_up_to(field, trimmed, NAME_MAX)
}

/// Free text of at most `max` characters, none of them a control character.
///
/// # Errors
/// `Invalid` for `field`.
pub(crate) fn text_up_to(field: &'static str, text: &str, max: usize) -> Result<String, Error> {
    bounded(field, text, max, |_| false)
}

/// Free text of at most `max` characters, none of them a control character but tabs and ends of lines.
///
/// # Errors
/// `Invalid` for `field`.
pub(crate) fn lines_up_to(field: &'static str, text: &str, max: usize) -> Result<String, Error> {
    bounded(field, text, max, |c| matches!(c, '\t' | '\n' | '\r'))
}

fn bounded(
    field: &'static str,
    text: &str,
    max: usize,
    may_stand: fn(char) -> bool,
) -> Result<String, Error> {
    if text.chars().count() > max {
        return Err(Error::invalid(field, format!("at most {max} characters")));
    }
    if text.chars().any(|c| c.is_control() && !may_stand(c)) {
        return Err(Error::invalid(field, "no control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(
            name("name", "  CI pipeline ").ok().as_deref(),
            Some("CI pipeline")
        );
        assert!(name("name", &"é".repeat(100)).is_ok());
        for bad in ["", "   ", "a\nb", &"é".repeat(101)] {
            assert!(name("name", bad).is_err(), "{bad:?}");
        }
    }
}
