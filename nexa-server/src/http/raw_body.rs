//! A JSON body as it was sent, for what is signed byte for byte.

use std::marker::PhantomData;

use hyper::body::Bytes;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::extract::{BadInput, Extract, Input};
use super::media_type;
use super::openapi::Operation;

/// A JSON body that is read only after its bytes have been found good; `application/json` only.
#[derive(Clone, Debug)]
pub(crate) struct RawBody<T> {
    bytes: Bytes,
    shape: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> RawBody<T> {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The body, from whoever is trusted to send as many values as they like.
    ///
    /// # Errors
    /// Where it is no JSON or of another shape, in a sentence that repeats nothing of it.
    pub(crate) fn read(&self) -> Result<T, String> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            format!(
                "not of the documented shape at line {}, column {}",
                error.line(),
                error.column()
            )
        })
    }
}

impl<T: DeserializeOwned + JsonSchema> Extract for RawBody<T> {
    fn extract(input: &Input<'_>) -> Result<Self, BadInput> {
        media_type::require(&input.head.headers, &[media_type::JSON])?;
        Ok(Self {
            bytes: input.body.clone(),
            shape: PhantomData,
        })
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.request_body(&[media_type::JSON], schemas.subschema_for::<T>(), true);
    }
}
