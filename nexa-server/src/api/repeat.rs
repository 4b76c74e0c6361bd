//! Routes that take an `Idempotency-Key`: which calls are the same one.

use hyper::StatusCode;
use sha2::{Digest, Sha256};

use super::route::Route;
use crate::domain::Error;
use crate::domain::idempotency::Attempt;
use crate::gate::idempotency;
use crate::http::canonical_json;
use crate::http::extract::Input;

/// The attempt that a call of `caller` belongs to, if it says so and its route has that.
///
/// A body that cannot be read has none: its handler refuses it, and nothing is kept of a refusal.
///
/// # Errors
/// `Invalid` for the header.
pub(crate) fn attempt(
    route: &Route,
    caller: &str,
    input: &Input<'_>,
) -> Result<Option<Attempt>, Error> {
    let Some(status) = route.replays else {
        return Ok(None);
    };
    let Some(key) = idempotency::key(&input.head.headers)? else {
        return Ok(None);
    };
    let body = canonical_json(input.body);
    Ok(body.map(|body| Attempt {
        route: route.path,
        key,
        payload: digest(caller, input, &body),
        status: StatusCode::as_u16(&status),
    }))
}

/// Over what the call means: who calls, what its path names, and its body, however that is written.
///
/// # Security
/// Without the caller, another user or device of the tenant that knows the key would be shown the first one's answer.
fn digest(caller: &str, input: &Input<'_>, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"nexa idempotent payload v1\0");
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_be_bytes());
        hash.update(bytes);
    };
    part(caller.as_bytes());
    for (_, value) in input.params.iter() {
        part(value.as_bytes());
    }
    part(body);
    hash.finalize().into()
}
