//! Strict JSON bodies: one reading of the bytes or none, and a fault that names its field.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::extract::BadInput;
use super::tree::{Json, push_index, push_member};

/// Reads a whole body as one `T`.
///
/// Two passes: the first accepts exactly the bodies on which all JSON readers agree (UTF-8, no
/// member twice at any depth, nothing after the value, at most 127 levels and 16,384 values); the
/// second fills `T`, whose structs take objects only.
///
/// # Errors
/// [`BadInput::Json`] with the path of the fault. It never repeats a value that was sent.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadInput> {
    let text = std::str::from_utf8(body)
        .map_err(|error| fault("", format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    let json = Json::parse(text).map_err(|flaw| fault(&flaw.path, flaw.problem))?;
    serde_path_to_error::deserialize(json).map_err(|error| {
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

/// The body in one spelling: without white space, members sorted, no needless escapes; `None` for what [`read`] refuses.
pub(crate) fn canonical(body: &[u8]) -> Option<Vec<u8>> {
    let json = Json::parse(std::str::from_utf8(body).ok()?).ok()?;
    serde_json::to_vec(&json).ok()
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
        _ if plain.starts_with("tuple") || plain.starts_with("a tuple") => "an array".to_owned(),
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

/// Turns serde's account of a wrong shape into a sentence without values and type names.
fn shape_fault(mut path: String, error: &serde_json::Error) -> BadInput {
    let message = error.to_string();
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
        _ => fault(&path, message),
    }
}

fn fault(path: &str, problem: String) -> BadInput {
    BadInput::Json {
        path: clip(path).into_owned(),
        problem,
    }
}

/// Cuts what a client sent before it is repeated to it.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 100;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}
