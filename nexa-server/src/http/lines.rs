//! JSON Lines: bodies of one JSON value a line, in and out.

use std::fmt::Display;
use std::marker::PhantomData;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::extract::{BadInput, Extract, Input};
use super::openapi::Operation;
use super::reply::{Content, Respond};
use super::stream::Chunks;
use super::{json, media_type};

const JSON_LINES: &str = "application/x-ndjson";

/// A body with one `T` a line; a line that holds none does not keep the others from being read.
///
/// Each line is read as strictly as a JSON body. Empty lines hold nothing.
#[derive(Clone, Debug)]
pub(crate) struct Lines<T> {
    body: Bytes,
    shape: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// The lines, numbered from 1, each read when it is asked for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Result<T, BadInput>)> {
        let lines = self.body.split(|byte| *byte == b'\n').zip(1..);
        lines
            .map(|(line, number)| (number, line.trim_ascii()))
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| (number, json::read(line)))
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for Lines<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        media_type::require(&input.head.headers, &[JSON_LINES])?;
        Ok(Self {
            body: input.body.clone(),
            shape: PhantomData,
        })
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.request_body(&[JSON_LINES], schemas.subschema_for::<T>(), true);
    }
}

/// 200 with one `T` a line, made while it is sent. What fails half-way cuts the connection (see [`Chunks`]).
pub(crate) struct LineStream<T> {
    chunks: Chunks,
    shape: PhantomData<fn() -> T>,
}

impl<T: Serialize> LineStream<T> {
    /// The items of all `pages`. A page is asked for when the one before is on its way; between two of them nothing may be
    /// held that others wait for.
    pub(crate) fn new<E: Display>(
        pages: impl Iterator<Item = Result<Vec<T>, E>> + Send + 'static,
    ) -> Self {
        let chunks = pages.map(|page| {
            let mut chunk = Vec::new();
            for item in page.map_err(|problem| problem.to_string())? {
                serde_json::to_writer(&mut chunk, &item).map_err(|error| error.to_string())?;
                chunk.push(b'\n');
            }
            Ok::<Bytes, String>(chunk.into())
        });
        Self {
            chunks: Chunks::new(chunks),
            shape: PhantomData,
        }
    }
}

impl<T: JsonSchema> Respond for LineStream<T> {
    fn respond(self) -> Response<Content> {
        let mut response = Response::new(Content::Stream(self.chunks));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(JSON_LINES));
        response
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(StatusCode::OK, "OK", None);
        operation.other_form(StatusCode::OK, JSON_LINES);
    }
}
