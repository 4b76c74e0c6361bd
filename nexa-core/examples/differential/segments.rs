//! Segments: other spellings of the same bytes, white space, segments added and left out, and any byte anywhere.

use std::rc::Rc;

use crate::dice::Dice;
use crate::licences::Licence;
use crate::mint::quoted;

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(crate) fn change(dice: &mut Dice, licence: &mut Licence) -> &'static str {
    if dice.chance(45) {
        // The signature is made over the odd spelling: only a strict reader of base64url refuses it.
        let (what, spell) = spelling(dice);
        // Whole groups of four have neither padding nor loose bits, and a header has no digit in which the alphabets differ.
        let of_header = dice.chance(50) && what != "standard-alphabet";
        match what {
            "padding" | "loose-bits" => make_uneven(licence, of_header),
            "standard-alphabet" => add_last_digits(licence),
            _ => {}
        }
        licence.before.push(Rc::new(move |header, payload| {
            let segment = if of_header { header } else { payload };
            *segment = spell(segment);
        }));
        return what;
    }
    if dice.chance(25) {
        let (what, spell) = spelling(dice);
        licence.after.push(Rc::new(move |token| {
            let token = String::from_utf8_lossy(&token).into_owned();
            let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
            format!("{signed}.{}", spell(signature)).into_bytes()
        }));
        return what;
    }
    let seed = u64::from_le_bytes(dice.bytes());
    // What it will be has to be known now, but not on which token.
    let kind = dice.below(KINDS.len());
    let what = *KINDS.get(kind).expect("below the length");
    licence.after.push(Rc::new(move |token| {
        broken(&mut Dice::new(seed), kind, token)
    }));
    what
}

/// Adds a space, or two, until the last group is not whole.
fn make_uneven(licence: &mut Licence, is_header: bool) {
    let mut text = licence.document(is_header);
    loop {
        text.insert(1.min(text.len()), b' ');
        if text.len() % 3 != 0 {
            break;
        }
    }
    licence.set_document(is_header, text);
}

/// Lengthens a claim so that the payload has both digits in which the two alphabets differ, wherever the claim begins.
fn add_last_digits(licence: &mut Licence) {
    let claims = licence.claims.clone();
    licence.claims = claims.with("sub", quoted("tenant ~~~???"));
}

/// Breaks the bytes of any token.
pub(crate) fn bytes(dice: &mut Dice, token: Vec<u8>) -> (&'static str, Vec<u8>) {
    let kind = dice.below(KINDS.len());
    let what = *KINDS.get(kind).expect("below the length");
    (what, broken(dice, kind, token))
}

const KINDS: [&str; 9] = [
    "byte-changed",
    "byte-less",
    "byte-more",
    "character-changed",
    "white-space",
    "segment-more",
    "segment-less",
    "wrapped",
    "case",
];

fn broken(dice: &mut Dice, kind: usize, mut token: Vec<u8>) -> Vec<u8> {
    let at = dice.below(token.len());
    match kind {
        0 => {
            if let Some(byte) = token.get_mut(at) {
                *byte = dice.byte();
            }
            token
        }
        1 => {
            let _: Option<u8> = (at < token.len()).then(|| token.remove(at));
            token
        }
        2 => {
            token.insert(at, dice.byte());
            token
        }
        3 => {
            if let Some(byte) = token.get_mut(at) {
                *byte = dice.pick(ALPHABET.as_bytes());
            }
            token
        }
        4 => {
            let space: &[u8] = dice.pick(&[
                b" ".as_slice(),
                b"\n",
                b"\r\n",
                b"\t",
                b"\xc2\xa0",
                b"\0",
                b"\x0b",
            ]);
            let at = dice.pick(&[0, at, token.len()]);
            let (front, back) = token.split_at(at);
            [front, space, back].concat()
        }
        5 => {
            let more: &[u8] = dice.pick(&[b".".as_slice(), b".AA", b".e30", b"..", b".AAAA.AAAA"]);
            match dice.chance(50) {
                true => [&token, more].concat(),
                false => [more, &token].concat(),
            }
        }
        6 => {
            let mut segments: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
            let index = dice.below(segments.len());
            match dice.chance(50) {
                true => drop(segments.remove(index)),
                false => segments
                    .iter_mut()
                    .skip(index)
                    .take(1)
                    .for_each(|segment| *segment = &[]),
            }
            segments.join(&b'.')
        }
        7 => {
            let (front, back) = dice.pick(&[
                ("\"", "\""),
                ("Bearer ", ""),
                ("<", ">"),
                ("'", "'"),
                ("\u{feff}", ""),
                ("", ","),
                ("", "#a"),
            ]);
            [front.as_bytes(), &token, back.as_bytes()].concat()
        }
        _ => {
            let (front, back) = token.split_at(at);
            [&front.to_ascii_uppercase(), back].concat()
        }
    }
}

type Spell = Box<dyn Fn(&str) -> String>;

/// Another spelling of a segment, of the same bytes for whoever reads base64 leniently.
fn spelling(dice: &mut Dice) -> (&'static str, Spell) {
    let part = dice.below(10_000);
    let at = move |segment: &str| part * segment.len() / 10_000;
    let with = move |segment: &str, more: &str| {
        // Segments may be broken already, and then hold anything.
        let (front, back) = segment
            .split_at_checked(at(segment))
            .unwrap_or((segment, ""));
        format!("{front}{more}{back}")
    };
    let space = dice.pick(&[" ", "\n", "\r\n", "\t", "\u{a0}", "\0"]);
    let odd = dice.pick(&["!", "*", "~", "@", "é", "\u{1}", "%41", ",", "=", "=="]);
    match dice.below(9) {
        0 | 1 => (
            "padding",
            Box::new(|segment| format!("{segment}{}", "=".repeat((4 - segment.len() % 4) % 4))),
        ),
        2 => ("padding-more", Box::new(|segment| format!("{segment}===="))),
        3 | 4 => (
            "standard-alphabet",
            Box::new(|segment| segment.replace('-', "+").replace('_', "/")),
        ),
        5 => ("loose-bits", Box::new(with_loose_bit)),
        6 => (
            "space-inside",
            Box::new(move |segment| with(segment, space)),
        ),
        7 => ("odd-inside", Box::new(move |segment| with(segment, odd))),
        _ => ("character-more", Box::new(|segment| format!("{segment}A"))),
    }
}

/// The same bytes for a decoder that ignores the bits after the last byte.
fn with_loose_bit(segment: &str) -> String {
    let mut front = segment.to_owned();
    let last = front.pop().unwrap_or('A');
    let next = ALPHABET.chars().skip_while(|digit| *digit != last).nth(1);
    front.push(next.unwrap_or('A'));
    front
}
