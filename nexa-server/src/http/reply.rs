//! Replies: the typed answers of handlers, and the two ways to make bytes of them.

use std::borrow::Cow;

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use hyper::{Response, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::openapi::Operation;
use super::stream::Chunks;
use super::websocket::Feed;

/// What a handler answers with.
pub(crate) trait Respond {
    /// The answer as it is sent.
    fn respond(self) -> Response<Content>;

    /// Adds the answer to the description of the operation.
    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator);
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// Made while it is sent.
    Stream(Chunks),
    /// None: what follows is no HTTP.
    Upgrade(Feed),
}

/// 200 with `T` as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ok200<T>(pub(crate) T);

/// 201 with `T` as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Created<T>(pub(crate) T);

/// What is stored with this answer, as JSON: 201 when it is new, 200 when it was there, or in place of another (RFC 9110
/// §9.3.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put<T> {
    pub(crate) value: T,
    pub(crate) is_new: bool,
}

/// 200 without a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Empty;

/// The body `{"success": true}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Success;

/// `{"success": true}`: 200 when all of it is done, 202 (RFC 9110 §15.3.3) when it will be, whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    Done,
    Accepted,
}

/// An answer that shows a secret or a token: `Cache-Control: no-store`.
///
/// # Security
/// Whatever stands between server and client must not keep such an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secret<R>(pub(crate) R);

/// A [`Secret`] that says so to HTTP/1.0 too, as RFC 6749 §5.1 wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncached<R>(pub(crate) R);

/// An answer that may be given again: then with the status of the first time, and `Idempotency-Replayed: true`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeatable<R> {
    pub(crate) reply: R,
    /// The status of the first time, where this is another one.
    pub(crate) replayed: Option<u16>,
}

/// An answer that caches may keep for so many seconds, whoever asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cacheable<R> {
    pub(crate) reply: R,
    pub(crate) max_age_s: u32,
}

/// 200 with JSON that is already encoded, and that caches may keep.
#[derive(Clone, Debug)]
pub(crate) struct RawJson {
    body: Bytes,
    max_age_s: u32,
}

impl RawJson {
    /// `body` is JSON; anyone may keep it for `max_age_s` seconds.
    pub(crate) fn cacheable(body: Bytes, max_age_s: u32) -> Self {
        Self { body, max_age_s }
    }
}

/// A reply with a JSON body.
///
/// `Serialize` impls of wire shapes must not fail: it would be a panic here, and a 500.
pub(crate) fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Response<Bytes> {
    let body = serde_json::to_vec(value)
        .expect("wire shapes have string keys and impls of Serialize that do not fail");
    json_bytes(status, body.into())
}

impl<T: Serialize + JsonSchema> Respond for Ok200<T> {
    fn respond(self) -> Response<Content> {
        json(StatusCode::OK, &self.0).map(Content::Whole)
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(
            StatusCode::OK,
            "OK",
            Some(SchemaGenerator::subschema_for::<T>),
        );
    }
}

impl<T: Serialize + JsonSchema> Respond for Created<T> {
    fn respond(self) -> Response<Content> {
        json(StatusCode::CREATED, &self.0).map(Content::Whole)
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(
            StatusCode::CREATED,
            "Created",
            Some(SchemaGenerator::subschema_for::<T>),
        );
    }
}

impl<T: Serialize + JsonSchema> Respond for Put<T> {
    fn respond(self) -> Response<Content> {
        match self.is_new {
            true => Created(self.value).respond(),
            false => Ok200(self.value).respond(),
        }
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        Ok200::<T>::describe(operation, schemas);
        Created::<T>::describe(operation, schemas);
    }
}

impl Respond for Completion {
    fn respond(self) -> Response<Content> {
        let status = match self {
            Self::Done => StatusCode::OK,
            Self::Accepted => StatusCode::ACCEPTED,
        };
        json(status, &Success).map(Content::Whole)
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        for (status, description) in [(StatusCode::OK, "OK"), (StatusCode::ACCEPTED, "Accepted")] {
            operation.response(
                status,
                description,
                Some(SchemaGenerator::subschema_for::<Success>),
            );
        }
    }
}

impl Respond for Empty {
    fn respond(self) -> Response<Content> {
        Response::new(Content::Whole(Bytes::new()))
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(StatusCode::OK, "OK", None);
    }
}

impl<R: Respond> Respond for Secret<R> {
    fn respond(self) -> Response<Content> {
        let mut response = self.0.respond();
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        R::describe(operation, schemas);
    }
}

impl<R: Respond> Respond for Uncached<R> {
    fn respond(self) -> Response<Content> {
        let mut response = Secret(self.0).respond();
        response
            .headers_mut()
            .insert(PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        R::describe(operation, schemas);
    }
}

impl<R: Respond> Respond for Repeatable<R> {
    fn respond(self) -> Response<Content> {
        let mut response = self.reply.respond();
        if let Some(status) = self
            .replayed
            .and_then(|status| StatusCode::from_u16(status).ok())
        {
            *response.status_mut() = status;
            response.headers_mut().insert(
                HeaderName::from_static("idempotency-replayed"),
                HeaderValue::from_static("true"),
            );
        }
        response
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        R::describe(operation, schemas);
    }
}

impl<R: Respond> Respond for Cacheable<R> {
    fn respond(self) -> Response<Content> {
        let mut response = self.reply.respond();
        response
            .headers_mut()
            .insert(CACHE_CONTROL, public(self.max_age_s));
        response
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        R::describe(operation, schemas);
    }
}

impl Respond for RawJson {
    fn respond(self) -> Response<Content> {
        let mut response = json_bytes(StatusCode::OK, self.body).map(Content::Whole);
        response
            .headers_mut()
            .insert(CACHE_CONTROL, public(self.max_age_s));
        response
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(
            StatusCode::OK,
            "OK",
            Some(|_| json_schema!({ "type": "object" })),
        );
    }
}

impl Serialize for Success {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Success", 1)?;
        fields.serialize_field("success", &true)?;
        fields.end()
    }
}

impl JsonSchema for Success {
    fn schema_name() -> Cow<'static, str> {
        "Success".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "success": { "const": true } },
            "required": ["success"],
        })
    }
}

/// `Cache-Control` for what anybody may keep for so many seconds.
pub(super) fn public(max_age_s: u32) -> HeaderValue {
    HeaderValue::try_from(format!("public, max-age={max_age_s}"))
        .expect("letters and digits are header bytes")
}

fn json_bytes(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
