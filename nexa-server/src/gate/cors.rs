//! Which web pages may read an answer (Fetch Standard, CORS protocol).

use hyper::body::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::access::Access;

/// Lets every page read public GETs, and pages of the configured origins everything, refusals too.
///
/// Credentials stand in headers that a page sets itself, never in cookies, so none are allowed. `access` is the
/// route's, if there is one.
pub(crate) fn allow<B>(
    response: &mut Response<B>,
    head: &Parts,
    access: Option<Access>,
    origins: &[String],
) {
    let headers = response.headers_mut();
    if access == Some(Access::Public) && matches!(head.method, Method::GET | Method::HEAD) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if !origins.is_empty() {
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = configured(&head.headers, origins) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(
                    "link, retry-after, ratelimit, ratelimit-policy, www-authenticate, idempotency-replayed",
                ),
            );
        }
    }
}

/// The answer to a preflight from a configured origin, for a path that takes the methods of `allow`.
pub(crate) fn preflight(
    head: &Parts,
    allow: &HeaderValue,
    origins: &[String],
) -> Option<Response<Bytes>> {
    if head.method != Method::OPTIONS || !head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let origin = configured(&head.headers, origins)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, x-api-key, idempotency-key"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    Some(response)
}

fn configured(headers: &HeaderMap, origins: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins
        .iter()
        .any(|configured| configured.as_bytes() == origin.as_bytes())
        .then(|| origin.clone())
}
