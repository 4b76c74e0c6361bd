//! `/.well-known/*`.

use super::route::Cx;
use crate::domain::Error;
use crate::http::reply::RawJson;
use hyper::body::Bytes;

/// `/.well-known/jwks.json` (RFC 7517 §5).
pub(crate) fn jwks(cx: &mut Cx<'_>, (): ()) -> Result<RawJson, Error> {
    Ok(RawJson::cacheable(
        Bytes::copy_from_slice(cx.services.issuing.jwks.as_bytes()),
        300,
    ))
}
