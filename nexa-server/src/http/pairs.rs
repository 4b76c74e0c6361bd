//! Names with text values (query strings, parts of a path): strict decoding, typed reading.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, MapAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::json::must_be;

/// What is wrong with one of the pairs; an empty name means all of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) problem: String,
}

/// Pairs as they were decoded, in order.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Splits `application/x-www-form-urlencoded` text into pairs, each name once.
///
/// # Errors
/// For a broken percent-encoding, bytes that are not UTF-8, a repeated name, or too many pairs.
pub(super) fn parse(text: &str) -> Result<Pairs<'_>, Fault> {
    const PAIRS_MAX: usize = 100;
    let mut pairs: Pairs<'_> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (raw_name, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = form_decode(raw_name).ok_or_else(|| fault("", "not percent-encoded UTF-8"))?;
        let value = form_decode(raw_value)
            .ok_or_else(|| fault(name.as_ref(), "not percent-encoded UTF-8"))?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(fault(name.as_ref(), "appears twice"));
        }
        if pairs.len() == PAIRS_MAX {
            return Err(fault("", "too many parameters"));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Reads the fields of `T` from pairs, by name.
///
/// # Errors
/// Names the pair that is missing or does not fit.
pub(super) fn deserialize<'de, T: DeserializeOwned>(
    pairs: impl Iterator<Item = (&'de str, &'de str)>,
) -> Result<T, Fault> {
    T::deserialize(MapAccessDeserializer::new(Members {
        pairs,
        current: None,
    }))
}

/// Undoes percent-encoding (RFC 3986 §2.1); `None` when it is broken or not UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        rest = tail;
        let mut value = 0;
        for digit in digits {
            value = value * 16 + char::from(*digit).to_digit(16)?;
        }
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Undoes the encoding of forms; `None` as for [`percent_decode`].
pub(crate) fn form_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode(text);
    }
    percent_decode(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()))
}

fn fault(name: &str, problem: &str) -> Fault {
    const NAME_CHARS_MAX: usize = 100;
    Fault {
        name: name.chars().take(NAME_CHARS_MAX).collect(),
        problem: problem.to_owned(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.problem)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        fault("", &problem.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        fault("", &must_be(&expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        fault("", &must_be(&expected.to_string()))
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        fault("", &format!("must be one of {}", known.join(", ")))
    }

    fn missing_field(name: &'static str) -> Self {
        fault(name, "required")
    }

    fn unknown_field(name: &str, _: &'static [&'static str]) -> Self {
        fault(name, "unknown")
    }

    fn duplicate_field(name: &'static str) -> Self {
        fault(name, "appears twice")
    }
}

/// All pairs, as serde's input.
struct Members<'de, I> {
    pairs: I,
    current: Option<Text<'de>>,
}

/// One value, as serde's input: numbers and truth values are parsed from their text.
#[derive(Clone, Copy)]
struct Text<'de> {
    name: &'de str,
    text: &'de str,
}

impl<'de, I: Iterator<Item = (&'de str, &'de str)>> MapAccess<'de> for Members<'de, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.pairs.next().map(|(name, text)| Text { name, text });
        self.current
            .map(|Text { name, .. }| seed.deserialize(BorrowedStrDeserializer::new(name)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let current = self
            .current
            .take()
            .expect("serde asks for a value after each name");
        // Whatever goes wrong in here, custom checks included, is the fault of this pair.
        seed.deserialize(current)
            .map_err(|found| fault(current.name, &found.problem))
    }
}

/// Integers and truth values, each by its own parser.
macro_rules! parse {
    ($($method:ident $expected:literal $visit:ident;)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.text.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(fault("", &must_be($expected))),
            }
        }
    )* };
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.text)
    }

    parse! {
        deserialize_bool "true or false" visit_bool;
        deserialize_u8 "u8" visit_u8;
        deserialize_u16 "u16" visit_u16;
        deserialize_u32 "u32" visit_u32;
        deserialize_u64 "u64" visit_u64;
        deserialize_i8 "i8" visit_i8;
        deserialize_i16 "i16" visit_i16;
        deserialize_i32 "i32" visit_i32;
        deserialize_i64 "i64" visit_i64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.text))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}
