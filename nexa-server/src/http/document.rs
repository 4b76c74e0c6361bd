//! Bytes that are the same for everybody and that caches may keep.

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};
use schemars::SchemaGenerator;

use super::openapi::Operation;
use super::reply::{Content, Respond, public};

/// A document of one media type. Under one entity tag it never changes.
pub(crate) struct Document<M> {
    /// None for whoever has it already.
    body: Option<Bytes>,
    tag: HeaderValue,
    max_age_s: u32,
    media_type: std::marker::PhantomData<M>,
}

/// A media type, as a type.
pub(crate) trait MediaType {
    const NAME: &'static str;
}

impl<M> Document<M> {
    /// The version `tag` of a document, or only its name where the request has it already (RFC 9110 §13.1.2).
    pub(crate) fn new(
        head: &Parts,
        tag: u64,
        max_age_s: u32,
        body: impl FnOnce() -> Bytes,
    ) -> Self {
        let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("digits in quotes");
        Self {
            body: (!is_known(&head.headers, &tag)).then(body),
            tag,
            max_age_s,
            media_type: std::marker::PhantomData,
        }
    }
}

/// Whether `If-None-Match` names the tag, weakly or not, or anything at all.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let named = headers.get_all(IF_NONE_MATCH).iter();
    named
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|named| named.trim())
        .any(|named| named == "*" || named.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

impl<M: MediaType> Respond for Document<M> {
    fn respond(self) -> Response<Content> {
        let status = match &self.body {
            Some(_) => StatusCode::OK,
            None => StatusCode::NOT_MODIFIED,
        };
        let mut response = Response::new(Content::Whole(self.body.unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if status == StatusCode::OK {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(M::NAME));
        }
        headers.insert(ETAG, self.tag);
        headers.insert(CACHE_CONTROL, public(self.max_age_s));
        response
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(StatusCode::OK, "OK", None);
        operation.other_form(StatusCode::OK, M::NAME);
        operation.response(StatusCode::NOT_MODIFIED, "Not modified", None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_every_form_that_clients_send() {
        let tag = HeaderValue::from_static("\"7\"");
        for (sent, expected) in [
            (&["\"7\""][..], true),
            (&["W/\"7\""], true),
            (&["\"6\", \"7\""], true),
            (&["\"6\"", "\"7\""], true),
            (&["*"], true),
            (&["\"77\""], false),
            (&["7"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(is_known(&headers, &tag), expected, "{sent:?}");
        }
    }
}
