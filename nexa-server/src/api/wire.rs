//! Shapes that several endpoints share.

use std::borrow::Cow;

use hyper::Response;
use hyper::header::{HeaderValue, LINK};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::route::Cx;
use crate::domain::paging::{Page, Paged};
use crate::http::form_decode;
use crate::http::openapi::Operation;
use crate::http::reply::{Content, Ok200, Respond};
use crate::time::UnixMillis;

/// Items on one page: 1 to 1,000.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct PageLimit(u32);

impl PageLimit {
    const MAX: u32 = 1_000;

    /// How many items to read: one more than wanted tells whether there is a next page.
    pub(super) const fn probe(self) -> u32 {
        self.0.saturating_add(1)
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u32> for PageLimit {
    type Error = String;

    fn try_from(limit: u32) -> Result<Self, String> {
        match limit {
            1..=Self::MAX => Ok(Self(limit)),
            _ => Err(format!("must be from 1 to {}", Self::MAX)),
        }
    }
}

impl JsonSchema for PageLimit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PageLimit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": Self::MAX })
    }
}

/// The id of an item of a list, as this server writes UUIDs (RFC 9562 §4, lower case).
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ListedId(String);

impl TryFrom<String> for ListedId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, &'static str> {
        match is_uuid(&id) {
            true => Ok(Self(id)),
            false => Err("must be an id from the list"),
        }
    }
}

impl JsonSchema for ListedId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ListedId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}

impl From<ListedId> for String {
    fn from(ListedId(id): ListedId) -> Self {
        id
    }
}

/// What a list's query says of pages.
pub(super) fn page<B>(limit: Option<PageLimit>, before: Option<impl Into<B>>) -> Page<B> {
    Page {
        limit: limit.unwrap_or_default().0,
        before: before.map(Into::into),
    }
}

/// The query of a list that knows nothing but pages.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PageQuery {
    /// Items on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    pub(super) limit: Option<PageLimit>,
    /// Only items older than the one of this id; `Link` names the next page.
    #[serde(default)]
    pub(super) before: Option<ListedId>,
}

/// One page as a bare array; where it goes on stands in `Link` (RFC 8288).
pub(crate) struct PageOf<T> {
    items: Vec<T>,
    link: Option<HeaderValue>,
}

impl<T> PageOf<T> {
    /// Of a list at the path of the call.
    pub(super) fn of<S>(cx: &Cx<'_>, paged: Paged<S>, show: impl FnMut(S) -> T) -> Self {
        let next = paged.next.map(|next| ("before", next));
        Self {
            items: paged.items.into_iter().map(show).collect(),
            link: next.and_then(|next| link(cx, next)),
        }
    }

    /// Of a list at the path of the call whose items rise and that goes on `after` one; it was read with
    /// [`PageLimit::probe`].
    pub(super) fn rising<S>(
        cx: &Cx<'_>,
        limit: PageLimit,
        mut items: Vec<S>,
        after: impl FnOnce(&S) -> String,
        show: impl FnMut(S) -> T,
    ) -> Self {
        let most = usize::try_from(limit.0).unwrap_or(usize::MAX);
        let has_more = items.len() > most;
        items.truncate(most);
        let last = items.last().filter(|_| has_more);
        let next = last.map(|item| ("after", after(item)));
        Self {
            link: next.and_then(|next| link(cx, next)),
            items: items.into_iter().map(show).collect(),
        }
    }
}

/// The call again, with that pair of the query instead of the one that it had.
fn link(cx: &Cx<'_>, (cursor, next): (&str, String)) -> Option<HeaderValue> {
    let asked = cx.head.uri.query().unwrap_or_default().split('&');
    let mut query: Vec<&str> = asked
        .filter(|pair| !pair.is_empty() && !is_pair_of(pair, cursor))
        .collect();
    let next = format!("{cursor}={next}");
    query.push(&next);
    let (host, path) = (cx.services.ring.issuer(), cx.head.uri.path());
    let target = format!("<{host}{path}?{}>; rel=\"next\"", query.join("&"));
    HeaderValue::try_from(target).ok()
}

impl<T: Serialize + JsonSchema> Respond for PageOf<T> {
    fn respond(self) -> Response<Content> {
        let mut response = Ok200(self.items).respond();
        if let Some(link) = self.link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        Ok200::<Vec<T>>::describe(operation, schemas);
    }
}

/// Whether a pair of a query is the one that `name` is read from, however its name is escaped.
fn is_pair_of(pair: &str, name: &str) -> bool {
    let written = pair.split('=').next().unwrap_or_default();
    form_decode(written).is_some_and(|written| written == name)
}

/// Whether the text is a UUID as this server writes them (RFC 9562 §4, lower case).
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Reads a member that is there, whatever it holds: for members whose absence and whose `null` differ.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for UnixMillis {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "RFC 3339, UTC, milliseconds" })
    }
}
