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
                    "link, retry-after, ratelimit, ratelimit-policy, www-authenticate, idempotency-replayed, x-request-id",
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

/// Whether the page that asks for a WebSocket may have one: of the configured origins, or of the server at `public_url`.
/// What is no browser says no origin.
///
/// The same-origin policy does not hold pages back from WebSockets (RFC 6455 §10.2).
pub(crate) fn may_connect(headers: &HeaderMap, origins: &[String], public_url: &str) -> bool {
    let mut found = headers.get_all(ORIGIN).iter();
    match (found.next(), found.next()) {
        (None, _) => true,
        (Some(origin), None) => {
            configured(headers, origins).is_some()
                || origin.as_bytes() == origin_of(public_url).as_bytes()
        }
        (Some(_), Some(_)) => false,
    }
}

/// As browsers write it (RFC 6454 §6.2): in lower case, and without the port that goes without saying.
fn origin_of(url: &str) -> String {
    let url = url.to_ascii_lowercase();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let implied = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(implied).unwrap_or(authority);
    format!("{scheme}://{authority}")
}

fn configured(headers: &HeaderMap, origins: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins
        .iter()
        .any(|configured| configured.as_bytes() == origin.as_bytes())
        .then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_known_origins_may_connect_and_no_others() {
        let known = ["https://app.example".to_owned()];
        for (origins, expected) in [
            (&[][..], true),
            (&["https://app.example"], true),
            (&["https://nexa.example"], true),
            (&["https://app.example", "https://app.example"], false),
            (&["https://nexa.example", "https://evil.example"], false),
            (&["https://nexa.example:8443"], false),
            (&["http://nexa.example"], false),
            (&["https://nexa.example.evil.example"], false),
            (&["https://nexa.example/"], false),
            (&["null"], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            let may = may_connect(&headers, &known, "https://Nexa.example:443/auth/");
            assert_eq!(may, expected, "{origins:?}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (url, origin) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:80/", "http://localhost"),
            ("http://[::1]:8080/a?b", "http://[::1]:8080"),
            ("https://a.example:80", "https://a.example:80"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }
}
