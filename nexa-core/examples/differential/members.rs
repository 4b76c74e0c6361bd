//! Changes to the members of an object that need not know what they mean.

use crate::dice::Dice;
use crate::mint::Object;

/// Values of every type, within and beyond what JSON and its readers allow.
pub(crate) const ODD_VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "-0",
    "1.5",
    "1e3",
    "1795230000",
    "1795230000.0",
    "1795230000.5",
    "9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e16",
    "1e400",
    "-1e400",
    "1e-400",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\" \"",
    "\"1795230000\"",
    "\"null\"",
    "[]",
    "{}",
    "[null]",
    "[\"\"]",
    "[[]]",
    "{\"a\":1}",
    "[1,2]",
    r#""\u0000""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "+1",
    "0x10",
    ".5",
    "1.",
    "'a'",
    "undefined",
    "True",
    "[[[[]]]]",
    "[[[[[[[[[[]]]]]]]]]]",
    r#"{"a":{"b":{"c":{"d":1}}}}"#,
];

pub(crate) fn change(dice: &mut Dice, object: Object) -> (&'static str, Object) {
    let Object(mut members) = object;
    let index = dice.below(members.len());
    let (name, value) = members.get(index).cloned().unwrap_or_default();
    let what = match dice.below(10) {
        0 => {
            members.remove(index);
            "dropped"
        }
        1 | 2 => {
            set(
                &mut members,
                index,
                (name, dice.pick(ODD_VALUES).to_owned()),
            );
            "mistyped"
        }
        3 => {
            let inner = match dice.chance(50) {
                true => format!("[{value}]"),
                false => format!("{{{}:{value}}}", "\"v\""),
            };
            set(&mut members, index, (name, inner));
            "wrapped"
        }
        4 => {
            let (at, value) = (dice.below(members.len() + 1), second(dice, value));
            members.insert(at, (name, value));
            "twice"
        }
        5 => {
            let (at, value) = (dice.below(members.len() + 1), second(dice, value));
            members.insert(at, (escaped(dice, &name), value));
            "twice-escaped"
        }
        6 => {
            set(&mut members, index, (escaped(dice, &name), value));
            "escaped-name"
        }
        7 => {
            let renamed = match dice.below(4) {
                0 => name.to_uppercase(),
                1 => format!("{name} "),
                2 => format!("{name}\\u0000"),
                // Letters that become others when case is folded, or one that is not seen.
                _ => match name.contains(['s', 'k', 'i']) {
                    true => name
                        .replace('s', "ſ")
                        .replace('k', "\u{212a}")
                        .replace('i', "ı"),
                    false => format!("{name}\u{200b}"),
                },
            };
            set(&mut members, index, (renamed, value));
            "renamed"
        }
        8 => {
            let (name, value) = (format!("x{}", dice.below(100)), dice.pick(ODD_VALUES));
            members.push((name, value.to_owned()));
            "unknown"
        }
        _ => {
            let value = match value.starts_with('"') {
                true => respelt(dice, &value),
                false => number(dice, &value),
            };
            set(&mut members, index, (name, value));
            "spelt"
        }
    };
    (what, Object(members))
}

fn set(members: &mut [(String, String)], index: usize, member: (String, String)) {
    if let Some(place) = members.get_mut(index) {
        *place = member;
    }
}

/// What a second member of the same name holds.
fn second(dice: &mut Dice, value: String) -> String {
    match dice.chance(50) {
        true => value,
        false => dice.pick(ODD_VALUES).to_owned(),
    }
}

/// The same name to everybody who reads JSON.
fn escaped(dice: &mut Dice, name: &str) -> String {
    let at = dice.below(name.chars().count());
    let escape = |(index, c): (usize, char)| match index == at {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    name.chars().enumerate().map(escape).collect()
}

/// A string with something before, within or after it, or with escapes.
fn respelt(dice: &mut Dice, quoted: &str) -> String {
    let text = quoted.trim_matches('"');
    match dice.below(6) {
        0 => format!("\" {text}\""),
        1 => format!("\"{text} \""),
        2 => format!("\"{text}\\u0000\""),
        3 => format!("\"{}\"", text.to_uppercase()),
        4 => format!("\"{text}\\n\""),
        // The same text.
        _ => format!("\"{}\"", text.replace('/', "\\/").replace('e', "\\u0065")),
    }
}

/// The same number, or one like it, in other characters.
fn number(dice: &mut Dice, digits: &str) -> String {
    match dice.below(8) {
        0 => format!("{digits}.0"),
        1 => format!("{digits}e0"),
        2 => format!("\"{digits}\""),
        3 => format!("-{digits}"),
        4 => format!("0{digits}"),
        5 => format!("{digits}000"),
        6 => format!("{digits}.5"),
        _ => format!("{digits}E+00"),
    }
}
