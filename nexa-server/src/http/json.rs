//! Strict JSON bodies: one reading of the bytes or none, and a fault that names its field.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor,
};
use serde_path_to_error::Segment;

use super::extract::BadInput;

/// Reads a whole body as one `T`.
///
/// Two passes: the first accepts exactly the bodies on which all JSON readers agree (UTF-8, no
/// member twice at any depth, nothing after the value, at most 127 levels); the second fills `T`.
///
/// # Errors
/// [`BadInput::Json`] with the path of the fault. It never repeats a value that was sent.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadInput> {
    let text = std::str::from_utf8(body)
        .map_err(|error| fault("", format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    require_unambiguous(text)?;
    let mut source = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let mut path = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => push_index(&mut path, *index),
                Segment::Map { key } => push_member(&mut path, key),
                // A variant is our choice of types, not something the client wrote.
                Segment::Enum { .. } | Segment::Unknown => {}
            }
        }
        shape_fault(path, error.inner())
    })
}

/// Accepts `Content-Type: application/json`, with no charset but UTF-8.
///
/// # Errors
/// [`BadInput::MediaType`] for anything else: none, another type, `+json`, or several.
pub(crate) fn require_media_type(headers: &HeaderMap) -> Result<(), BadInput> {
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let first = sent.next();
    if first.is_some_and(is_json) && sent.next().is_none() {
        return Ok(());
    }
    let found = first.map(|value| clip(&String::from_utf8_lossy(value.as_bytes())).into_owned());
    Err(BadInput::MediaType { found })
}

/// What a client may be told of `expected`, a description by serde that may name Rust types.
pub(super) fn must_be(expected: &str) -> String {
    let plain = expected.strip_prefix("a nonzero ").unwrap_or(expected);
    let integer = |least: i128, most: u128| format!("a whole number from {least} to {most}");
    let wanted = match plain {
        "u8" => integer(0, u8::MAX.into()),
        "u16" => integer(0, u16::MAX.into()),
        "u32" => integer(0, u32::MAX.into()),
        "u64" | "usize" => integer(0, u64::MAX.into()),
        "i8" => integer(i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        "i16" => integer(i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        "i32" => integer(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" | "isize" => integer(i64::MIN.into(), i64::MAX.unsigned_abs().into()),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" | "unit" => if plain == "unit" { "null" } else { "an array" }.to_owned(),
        "a map" => "an object".to_owned(),
        _ if plain.starts_with("struct ") || plain.contains(" tagged enum ") => {
            "an object".to_owned()
        }
        _ if plain.starts_with("tuple") => "an array".to_owned(),
        _ if plain.starts_with("enum ") || plain.starts_with("variant ") => {
            "one of the documented values".to_owned()
        }
        _ => plain.replace('`', ""),
    };
    match plain.len() == expected.len() {
        true => format!("must be {wanted}"),
        false => format!("must be {wanted}, and not zero"),
    }
}

/// The first pass: syntax, and each member once per object.
fn require_unambiguous(text: &str) -> Result<(), BadInput> {
    let mut path = String::new();
    let mut source = serde_json::Deserializer::from_str(text);
    let walked = Once { path: &mut path }
        .deserialize(&mut source)
        .and_then(|()| source.end());
    walked.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => fault(&path, "appears twice".to_owned()),
        serde_json::error::Category::Eof => {
            fault("", "not valid JSON: it ends too early".to_owned())
        }
        _ if error.to_string().starts_with("recursion limit") => {
            fault("", "nested too deeply".to_owned())
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            let at = byte_offset(text, error.line(), error.column());
            fault("", format!("not valid JSON at byte {at}"))
        }
    })
}

/// Walks a value and keeps the path to where it is.
struct Once<'p> {
    path: &'p mut String,
}

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Member<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Once<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        let parent = self.path.len();
        while let Some(member) = members.next_key::<Member<'de>>()? {
            push_member(self.path, &member.0);
            if !seen.insert(member) {
                return Err(de::Error::custom("repeated"));
            }
            members.next_value_seed(Once {
                path: &mut *self.path,
            })?;
            self.path.truncate(parent);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let parent = self.path.len();
        for index in 0.. {
            push_index(self.path, index);
            let item = items.next_element_seed(Once {
                path: &mut *self.path,
            })?;
            self.path.truncate(parent);
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Turns serde's account of a wrong shape into a sentence without values and type names.
fn shape_fault(mut path: String, error: &serde_json::Error) -> BadInput {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = full.strip_suffix(&place).unwrap_or(&full);
    let named = |start: &str| {
        message
            .strip_prefix(start)
            .and_then(|rest| rest.split_once('`'))
            .map(|(name, _)| name)
    };
    if let Some(name) = named("missing field `") {
        push_member(&mut path, name);
        return fault(&path, "required".to_owned());
    }
    if let Some(name) = named("duplicate field `") {
        push_member(&mut path, name);
        return fault(&path, "appears twice".to_owned());
    }
    if let Some(name) = named("unknown field `") {
        push_member(&mut path, name);
        return fault(&path, "unknown".to_owned());
    }
    if !error.is_data() {
        // The syntax has passed: a value stands where the deserializer of an enum wants a name.
        return fault(&path, "must be one of the documented values".to_owned());
    }
    if message.starts_with("data did not match any variant") {
        return fault(&path, "has none of the documented shapes".to_owned());
    }
    let is_serdes = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant ",
    ]
    .iter()
    .any(|start| message.starts_with(start));
    // What was sent stands before the last "expected" and is dropped: it may be a password.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if is_serdes => fault(&path, must_be(expected)),
        _ => fault(&path, message.to_owned()),
    }
}

fn fault(path: &str, problem: String) -> BadInput {
    BadInput::Json {
        path: clip(path).into_owned(),
        problem,
    }
}

fn push_member(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

fn push_index(path: &mut String, index: usize) {
    path.push_str(&format!("[{index}]"));
}

/// Cuts what a client sent before it is repeated to it.
fn clip(text: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 100;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// serde_json counts lines from one and bytes within a line from one.
fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    before + column.saturating_sub(1)
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_type = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    is_type
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => charset
                .trim()
                .trim_matches('"')
                .eq_ignore_ascii_case("utf-8"),
            Some(_) => true,
            None => parameter.is_empty(),
        })
}
