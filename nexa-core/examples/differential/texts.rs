//! The bytes of a document before it is encoded: grammar, white space, UTF-8, trailing data. The signature is made over them.

use crate::dice::Dice;
use crate::licences::Licence;

pub(crate) fn change(dice: &mut Dice, licence: &mut Licence) -> &'static str {
    let is_header = dice.chance(40);
    let (what, text) = changed(dice, licence.document(is_header));
    licence.set_document(is_header, text);
    what
}

fn changed(dice: &mut Dice, mut text: Vec<u8>) -> (&'static str, Vec<u8>) {
    let at = dice.below(text.len());
    match dice.below(12) {
        0 => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
            ("bit", text)
        }
        1 => {
            let _: Option<u8> = (at < text.len()).then(|| text.remove(at));
            ("byte-less", text)
        }
        2 => {
            text.insert(at, dice.byte());
            ("byte-more", text)
        }
        3 => {
            text.truncate(at);
            ("cut", text)
        }
        4 | 5 => {
            let space = dice.pick(&[" ", "\t", "\r\n", "\n  ", "   "]);
            ("white-space", spaced(&text, space))
        }
        6 => {
            let space = dice.pick(&["\u{b}", "\u{c}", "\u{a0}", "\u{feff}", "\u{2028}", "\0"]);
            ("odd-space", spaced(&text, space))
        }
        7 => {
            let more: &[u8] = dice.pick(&[
                b" ".as_slice(),
                b"\n",
                b"\0",
                b"x",
                b"}",
                b",",
                b"{}",
                b"null",
                b"//",
                b"\xff",
                b"\x1a",
                b"]",
            ]);
            ("trailing", [&text, more].concat())
        }
        8 => {
            let more: &[u8] = dice.pick(&[
                b" ".as_slice(),
                b"\xef\xbb\xbf",
                b"\n",
                b"\0",
                b"[",
                b"{",
                b")]}',\n",
            ]);
            ("leading", [more, &text].concat())
        }
        9 => {
            let odd: &[u8] = dice.pick(&[
                b"\xff".as_slice(),
                b"\x80",
                b"\xc0\xae",
                b"\xed\xa0\x80",
                b"\xf4\x90\x80\x80",
                b"\xe2\x82",
                b"\xf0\x9f",
            ]);
            ("not-utf8", inserted(&text, at, odd))
        }
        10 => {
            let wide = text.iter().flat_map(|byte| [*byte, 0]).collect();
            ("utf-16", wide)
        }
        _ => {
            let swapped = at.saturating_sub(1);
            if at < text.len() {
                text.swap(at, swapped);
            }
            ("swapped", text)
        }
    }
}

fn inserted(text: &[u8], at: usize, more: &[u8]) -> Vec<u8> {
    let (front, back) = text.split_at(at.min(text.len()));
    [front, more, back].concat()
}

/// White space after every comma and opening brace; within strings, too, where there are some.
fn spaced(text: &[u8], space: &str) -> Vec<u8> {
    let mut spaced = Vec::with_capacity(text.len() * 2);
    for byte in text {
        spaced.push(*byte);
        if matches!(byte, b',' | b'{') {
            spaced.extend(space.bytes());
        }
    }
    spaced
}
