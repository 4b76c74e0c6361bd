//! A JSON value in memory: read once and strictly, then filled into shapes that take their own kind only.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::value::{
    BorrowedStrDeserializer, CowStrDeserializer, MapAccessDeserializer, MapDeserializer,
    SeqDeserializer,
};
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Error;

/// A value as it was sent, each member once.
///
/// serde's derived structs also take an array, field by field in their order, and would let
/// `["a@example.com", "secret"]` log in. As the input of serde this gives a struct or a map nothing
/// but an object, at every depth.
///
/// # Security
/// serde reads untagged and internally tagged enums and flattened fields through a buffer of its
/// own, where that does not hold: no shape of a body may be one of these.
#[derive(Debug)]
pub(super) enum Json<'t> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(Cow<'t, str>),
    Array(Vec<Json<'t>>),
    Object(BTreeMap<Cow<'t, str>, Json<'t>>),
}

/// Where a text is not the JSON that all readers agree on, and why.
#[derive(Debug)]
pub(super) struct Flaw {
    /// As in [`push_member`]; empty for the text as a whole.
    pub(super) path: String,
    pub(super) problem: String,
}

impl<'t> Json<'t> {
    /// Scalars, arrays and objects together: a value takes far more memory than the byte or two
    /// that it may have on the wire.
    const VALUES_MAX: usize = 16_384;

    /// Reads the whole text.
    ///
    /// # Errors
    /// [`Flaw`]: broken syntax, a member twice at any depth, anything after the value, more than
    /// 127 levels or too many values.
    pub(super) fn parse(text: &'t str) -> Result<Self, Flaw> {
        let mut walk = Walk {
            path: String::new(),
            // It falls to zero at the first value too many.
            values_left: Self::VALUES_MAX + 1,
        };
        let mut source = serde_json::Deserializer::from_str(text);
        let read = Reader { walk: &mut walk }
            .deserialize(&mut source)
            .and_then(|value| source.end().map(|()| value));
        read.map_err(|error| {
            let whole = |problem: String| Flaw {
                path: String::new(),
                problem,
            };
            match error.classify() {
                serde_json::error::Category::Data if walk.values_left == 0 => {
                    whole("holds too many values".to_owned())
                }
                serde_json::error::Category::Data => Flaw {
                    path: walk.path,
                    problem: "appears twice".to_owned(),
                },
                serde_json::error::Category::Eof => {
                    whole("not valid JSON: it ends too early".to_owned())
                }
                _ if error.to_string().starts_with("recursion limit") => {
                    whole("nested too deeply".to_owned())
                }
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                    let at = byte_offset(text, error.line(), error.column());
                    whole(format!("not valid JSON at byte {at}"))
                }
            }
        })
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Negative(value) => Unexpected::Signed(*value),
            Self::Float(value) => Unexpected::Float(*value),
            Self::Text(value) => Unexpected::Str(value),
            Self::Array(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }

    fn deserialize_object<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Object(members) => {
                MapDeserializer::new(members.into_iter()).deserialize_any(visitor)
            }
            other => Err(de::Error::invalid_type(other.unexpected(), &visitor)),
        }
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Negative(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(Cow::Borrowed(value)) => visitor.visit_borrowed_str(value),
            Self::Text(Cow::Owned(value)) => visitor.visit_string(value),
            Self::Array(items) => SeqDeserializer::new(items.into_iter()).deserialize_any(visitor),
            Self::Object(_) => self.deserialize_object(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_object(visitor)
    }

    /// Also what serde asks for the fields of an enum's variant.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_object(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Text(Cow::Borrowed(name)) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(name))
            }
            Self::Text(name) => visitor.visit_enum(CowStrDeserializer::new(name)),
            Self::Object(members) if members.len() == 1 => {
                let members = MapDeserializer::new(members.into_iter());
                visitor.visit_enum(MapAccessDeserializer::new(members))
            }
            other => Err(de::Error::invalid_type(other.unexpected(), &visitor)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier ignored_any
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Negative(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

impl<'de> IntoDeserializer<'de, Error> for Json<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Appends a member to a path: `device.fingerprint`.
pub(super) fn push_member(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// Appends a place in an array to a path: `scopes[1]`.
pub(super) fn push_index(path: &mut String, index: usize) {
    path.push_str(&format!("[{index}]"));
}

/// Where the reading is, and how much it may still keep.
struct Walk {
    path: String,
    values_left: usize,
}

/// Reads one value.
struct Reader<'w> {
    walk: &'w mut Walk,
}

impl Reader<'_> {
    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        self.walk.values_left = self.walk.values_left.saturating_sub(1);
        match self.walk.values_left {
            0 => Err(de::Error::custom("too many")),
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(mut self, source: D) -> Result<Json<'de>, D::Error> {
        self.count()?;
        source.deserialize_any(self)
    }
}

#[derive(Deserialize)]
struct Member<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Json<'de>, A::Error> {
        let mut members = BTreeMap::new();
        let parent = self.walk.path.len();
        while let Some(Member(name)) = source.next_key()? {
            push_member(&mut self.walk.path, &name);
            let Entry::Vacant(place) = members.entry(name) else {
                return Err(de::Error::custom("repeated"));
            };
            place.insert(source.next_value_seed(Reader { walk: self.walk })?);
            self.walk.path.truncate(parent);
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        let parent = self.walk.path.len();
        loop {
            push_index(&mut self.walk.path, items.len());
            let item = source.next_element_seed(Reader { walk: self.walk })?;
            self.walk.path.truncate(parent);
            match item {
                Some(item) => items.push(item),
                None => return Ok(Json::Array(items)),
            }
        }
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Negative(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
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
