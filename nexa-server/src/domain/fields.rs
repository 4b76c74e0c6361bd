//! Rules that fields of several nouns share.

use super::error::Error;

/// In characters.
const NAME_MAX: usize = 100;

/// A display name: 1 to 100 characters after trimming, at least one of them visible, none of them a control character.
///
/// # Errors
/// `Invalid` for `field`.
///
/// # Security
/// What cannot be seen is refused, so that no name looks like another, like none, or turns the text around it: bidi
/// controls, blanks that are no white space, invisible format characters. Joiners, which Persian, Indic scripts and emoji
/// are written with, may stand between visible characters; a variation selector behind one.
pub(crate) fn name(field: &'static str, text: &str) -> Result<String, Error> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    let name = text_up_to(field, trimmed, NAME_MAX)?;
    match unseen(&name) {
        Some(c) => Err(Error::invalid(
            field,
            format!("no invisible characters (U+{:04X})", u32::from(c)),
        )),
        None => Ok(name),
    }
}

/// What a character does in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Visible,
    Space,
    /// Joins its visible neighbours, or keeps them apart.
    Joiner,
    /// Chooses how the visible character before it looks.
    Selector,
    Invisible,
}

impl Role {
    fn of(c: char) -> Self {
        match c {
            '\u{200C}' | '\u{200D}' => Self::Joiner,
            '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => Self::Selector,
            // Bidi controls: they turn the text around them.
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Ends of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Blanks that are no white space: Hangul fillers, the empty Braille pattern.
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}'
            // Soft hyphen, grapheme joiner, Khmer inherent vowels, Mongolian selectors: they show nothing of their own.
            | '\u{00AD}' | '\u{034F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            // Zero-width spaces, invisible operators, deprecated format characters.
            | '\u{200B}' | '\u{FEFF}' | '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}'
            // Annotations, shorthand and music: controls of a layout that names do not have.
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            // Tags: whole sentences can be hidden in them.
            | '\u{E0000}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}' => Self::Invisible,
            c if c.is_whitespace() => Self::Space,
            _ => Self::Visible,
        }
    }
}

/// The first character that cannot be seen where it stands.
fn unseen(name: &str) -> Option<char> {
    let mut before = Role::Space;
    let mut open_joiner = None;
    for c in name.chars() {
        let role = Role::of(c);
        let may_stand = match role {
            Role::Visible => true,
            Role::Space => open_joiner.is_none(),
            Role::Joiner => matches!(before, Role::Visible | Role::Selector),
            Role::Selector => before == Role::Visible,
            Role::Invisible => false,
        };
        if !may_stand {
            return open_joiner.or(Some(c));
        }
        open_joiner = (role == Role::Joiner).then_some(c);
        before = role;
    }
    open_joiner
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

    #[test]
    fn what_cannot_be_seen_is_no_part_of_a_name() {
        for good in [
            "Müller & Söhne",
            "\u{5E9}\u{5DC}\u{5D5}\u{5DD} 12",
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
            "\u{1F468}\u{200D}\u{1F469}",
            "\u{1F469}\u{1F3FD}\u{200D}\u{2764}\u{FE0F}\u{200D}\u{1F468}",
            "I \u{2764}\u{FE0F} keys",
            "e\u{301}",
        ] {
            assert_eq!(name("name", good).ok().as_deref(), Some(good), "{good:?}");
        }
        for (bad, found) in [
            ("nimda\u{202E}x", "202E"),
            ("a\u{2066}b", "2066"),
            ("a\u{200F}", "200F"),
            ("a\u{61C}b", "061C"),
            ("\u{200B}", "200B"),
            ("ad\u{AD}min", "00AD"),
            ("\u{FEFF}admin", "FEFF"),
            ("\u{3164}", "3164"),
            ("\u{2800}", "2800"),
            ("a\u{2028}b", "2028"),
            ("a\u{E0041}", "E0041"),
            ("\u{200D}", "200D"),
            ("\u{200D}a", "200D"),
            ("a\u{200D}", "200D"),
            ("a\u{200C} b", "200C"),
            ("a\u{200C}\u{200C}b", "200C"),
            ("\u{FE0F}", "FE0F"),
            ("a \u{FE0F}", "FE0F"),
            ("a\u{FE0F}\u{FE0E}", "FE0E"),
        ] {
            let refused = name("name", bad).map_err(|error| error.to_string());
            let expected = format!("name: no invisible characters (U+{found})");
            assert_eq!(refused, Err(expected), "{bad:?}");
        }
    }
}
