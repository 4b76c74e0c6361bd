//! Shapes that several endpoints share.

use std::borrow::Cow;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, LINK};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::route::Cx;
use crate::domain::Error;
use crate::domain::paging::{Page, Paged};
use crate::http::openapi::Operation;
use crate::http::reply::{Ok200, Respond};
use crate::time::UnixMillis;

/// Reads what a list's query says of pages: `limit` from 1 to 1,000 (100 without it) and `before`, an id.
///
/// # Errors
/// `Invalid` for `limit` and `before`.
pub(super) fn page(limit: Option<u32>, before: Option<String>) -> Result<Page, Error> {
    const LIMIT_MAX: u32 = 1_000;
    const LIMIT_DEFAULT: u32 = 100;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Error::invalid(
            "limit",
            format!("must be from 1 to {LIMIT_MAX}"),
        ));
    }
    if before.as_deref().is_some_and(|id| !is_uuid(id)) {
        return Err(Error::invalid("before", "must be an id from the list"));
    }
    Ok(Page { limit, before })
}

/// The query of a list that knows nothing but pages.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PageQuery {
    /// Items on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    pub(super) limit: Option<u32>,
    /// Only items older than the one of this id; `Link` names the next page.
    #[serde(default)]
    pub(super) before: Option<String>,
}

impl PageQuery {
    /// # Errors
    /// As for [`page`].
    pub(super) fn page(self) -> Result<Page, Error> {
        page(self.limit, self.before)
    }
}

/// One page as a bare array; where it goes on stands in `Link` (RFC 8288).
pub(crate) struct PageOf<T> {
    items: Vec<T>,
    link: Option<HeaderValue>,
}

impl<T> PageOf<T> {
    /// Of a list at the path of the call.
    pub(super) fn of<S>(cx: &Cx<'_>, paged: Paged<S>, show: impl FnMut(S) -> T) -> Self {
        let link = paged.next.and_then(|next| {
            let asked = cx.head.uri.query().unwrap_or_default().split('&');
            let mut query: Vec<&str> = asked
                .filter(|pair| !pair.is_empty() && !pair.starts_with("before="))
                .collect();
            let before = format!("before={next}");
            query.push(&before);
            let (host, path) = (&cx.services.issuing.issuer, cx.head.uri.path());
            let target = format!("<{host}{path}?{}>; rel=\"next\"", query.join("&"));
            HeaderValue::try_from(target).ok()
        });
        Self {
            items: paged.items.into_iter().map(show).collect(),
            link,
        }
    }
}

impl<T: Serialize + JsonSchema> Respond for PageOf<T> {
    fn respond(self) -> Response<Bytes> {
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
