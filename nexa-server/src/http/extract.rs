//! Typed inputs of handlers: each reads itself from a request and describes itself for OpenAPI.

use std::fmt::Write as _;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::openapi::Operation;
use super::router::Params;
use super::{json, media_type, pairs};

/// What an input may read: one request, routed, with its whole body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'r> {
    /// Method, target and header fields.
    pub(crate) head: &'r Parts,
    /// The whole body, already within its limit.
    pub(crate) body: &'r Bytes,
    /// What the path captured.
    pub(crate) params: &'r Params<'r>,
}

/// An input of a handler.
///
/// `()` reads nothing; tuples of up to three read each part in order, and the first fault wins.
pub(crate) trait Extract: Sized {
    /// Reads the input.
    ///
    /// # Errors
    /// What is wrong with the request, naming the field.
    fn extract(input: &Input<'_>) -> Result<Self, BadInput>;

    /// Adds what the input reads to the description of the operation.
    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator);
}

/// A JSON body of the shape `T`; `application/json` only.
///
/// Unknown members are ignored, repeated ones refused, and nothing may follow the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be left out: no bytes at all mean `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

/// An `application/x-www-form-urlencoded` body as the fields of `T`.
///
/// Unknown names are ignored; a name sent twice or a broken percent-encoding is refused. A name without a value counts as
/// left out (RFC 6749 §3.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<T>(pub(crate) T);

/// A [`Form`] or a [`Body`], as the `Content-Type` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormOrBody<T>(pub(crate) T);

/// The query string as the fields of `T`; absent is the same as empty.
///
/// Unknown names are ignored; a name sent twice or a broken percent-encoding is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// The captured parts of the path as the fields of `T`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<T>(pub(crate) T);

/// What is wrong with a request before its handler sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadInput {
    /// The body is not declared as what the route takes.
    MediaType {
        /// What it takes.
        wanted: String,
        /// The `Content-Type` that was sent, if any (cut when long).
        found: Option<String>,
    },
    /// The body is not JSON, or not of the wanted shape.
    Json {
        /// Where: `device.fingerprint`, `scopes[1]`; empty for the body as a whole.
        path: String,
        /// What: `required`, `must be a string`.
        problem: String,
    },
    /// A field of a form.
    Form {
        /// Its name; empty for the form as a whole.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A parameter of the query string.
    Query {
        /// Its name; empty for the query string as a whole.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A header field.
    Header {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The request asks for no WebSocket, or not in the one way that is served.
    Upgrade {
        /// The header field that would.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// A part of the path.
    Path {
        /// Its name in the route.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl BadInput {
    /// What is at fault: a JSON path, a parameter's name, or `Content-Type`, `body`, `query`.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::MediaType { .. } => "Content-Type",
            Self::Json { path: name, .. } | Self::Form { name, .. } if name.is_empty() => "body",
            Self::Query { name, .. } if name.is_empty() => "query",
            Self::Header { name, .. } | Self::Upgrade { name, .. } => name,
            Self::Json { path: name, .. }
            | Self::Form { name, .. }
            | Self::Query { name, .. }
            | Self::Path { name, .. } => name,
        }
    }

    /// What is wrong with it, without its name: `required`, `must be a string`.
    fn problem(&self) -> &str {
        match self {
            Self::MediaType { .. } => "must be",
            Self::Header { problem, .. } | Self::Upgrade { problem, .. } => problem,
            Self::Json { problem, .. }
            | Self::Form { problem, .. }
            | Self::Query { problem, .. }
            | Self::Path { problem, .. } => problem,
        }
    }

    /// One sentence for the client: `device.fingerprint: must be a string`.
    pub(crate) fn sentence(&self) -> String {
        let mut sentence = format!("{}: {}", self.path(), self.problem());
        if let Self::MediaType { wanted, found } = self {
            // Writing to a String cannot fail.
            let _ = write!(sentence, " {wanted}");
            if let Some(found) = found {
                let _ = write!(sentence, ", not {found}");
            }
        }
        sentence
    }

    /// The status it answers with: 415 for the media type, 426 where a WebSocket is, else 400.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Upgrade { .. } => StatusCode::UPGRADE_REQUIRED,
            Self::Json { .. }
            | Self::Form { .. }
            | Self::Query { .. }
            | Self::Header { .. }
            | Self::Path { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for Body<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        media_type::require(&input.head.headers, &[media_type::JSON])?;
        json::read(input.body).map(Self)
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.request_body(&[media_type::JSON], schemas.subschema_for::<T>(), true);
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for OptionalBody<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        if input.body.is_empty() {
            return Ok(Self(None));
        }
        Body::extract(input).map(|Body(value)| Self(Some(value)))
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.request_body(&[media_type::JSON], schemas.subschema_for::<T>(), false);
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for Form<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        media_type::require(&input.head.headers, &[media_type::FORM])?;
        form(input.body).map(Self)
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.request_body(&[media_type::FORM], schemas.subschema_for::<T>(), true);
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for FormOrBody<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        const BOTH: [&str; 2] = [media_type::FORM, media_type::JSON];
        let value = match media_type::require(&input.head.headers, &BOTH)? {
            media_type::JSON => json::read(input.body),
            _ => form(input.body),
        };
        value.map(Self)
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        const BOTH: [&str; 2] = [media_type::FORM, media_type::JSON];
        operation.request_body(&BOTH, schemas.subschema_for::<T>(), true);
    }
}

fn form<T: DeserializeOwned>(body: &Bytes) -> Result<T, BadInput> {
    let fault = |fault: pairs::Fault| BadInput::Form {
        name: fault.name,
        problem: fault.problem,
    };
    let text = std::str::from_utf8(body).map_err(|error| BadInput::Form {
        name: String::new(),
        problem: format!("not UTF-8 at byte {}", error.valid_up_to()),
    })?;
    let decoded = pairs::parse(text).map_err(fault)?;
    let items = decoded
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    pairs::deserialize(items).map_err(fault)
}

impl<T: DeserializeOwned + JsonSchema> Extract for Query<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        let query = input.head.uri.query().unwrap_or_default();
        let fault = |fault: pairs::Fault| BadInput::Query {
            name: fault.name,
            problem: fault.problem,
        };
        let decoded = pairs::parse(query).map_err(fault)?;
        let items = decoded
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()));
        pairs::deserialize(items).map(Self).map_err(fault)
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.parameters("query", &T::json_schema(schemas));
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for Path<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        pairs::deserialize(input.params.iter())
            .map(Self)
            .map_err(|fault| BadInput::Path {
                name: fault.name,
                problem: fault.problem,
            })
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.parameters("path", &T::json_schema(schemas));
    }
}

impl Extract for () {
    fn extract(_: &Input<'_>) -> Result<Self, BadInput> {
        Ok(())
    }

    fn describe(_: &mut Operation, _: &mut SchemaGenerator) {}
}

impl<A: Extract, B: Extract> Extract for (A, B) {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        Ok((A::extract(input)?, B::extract(input)?))
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        A::describe(operation, schemas);
        B::describe(operation, schemas);
    }
}

impl<A: Extract, B: Extract, C: Extract> Extract for (A, B, C) {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        Ok((A::extract(input)?, B::extract(input)?, C::extract(input)?))
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        A::describe(operation, schemas);
        B::describe(operation, schemas);
        C::describe(operation, schemas);
    }
}
