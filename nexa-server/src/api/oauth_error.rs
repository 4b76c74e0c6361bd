//! Errors of the OAuth endpoints, in the codes of their standards.

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::reply::json;

/// RFC 6749 §5.2.
#[derive(Serialize, JsonSchema)]
pub(super) struct OauthProblem<'a> {
    /// `invalid_request`, `invalid_client`, `invalid_scope`, …
    error: &'static str,
    /// A sentence.
    error_description: &'a str,
}

/// Renders what another route would answer with `status` and `code`.
pub(super) fn respond(
    status: StatusCode,
    code: &'static str,
    sentence: &str,
    retry_after_s: Option<u64>,
) -> Response<Bytes> {
    let error = oauth_code(status, code);
    let status = match status {
        // The standard knows one status for requests that it cannot read.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::BAD_REQUEST,
        status => status,
    };
    let problem = OauthProblem {
        error,
        error_description: sentence,
    };
    let mut response = json(status, &problem);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    if status == StatusCode::UNAUTHORIZED {
        let challenge = match error {
            INVALID_TOKEN => "Bearer realm=\"nexa\", error=\"invalid_token\"",
            _ => "Basic realm=\"nexa\"",
        };
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if error == INSUFFICIENT_SCOPE {
        let challenge = "Bearer realm=\"nexa\", error=\"insufficient_scope\"";
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

const INVALID_TOKEN: &str = "invalid_token";
const INSUFFICIENT_SCOPE: &str = "insufficient_scope";

/// The standard's word for a code of ours: RFC 6749 §5.2 and §4.1.2.1, RFC 6750 §3.1, RFC 7009
/// §2.2.1, RFC 8693 §2.2.2.
fn oauth_code(status: StatusCode, code: &'static str) -> &'static str {
    match code {
        "invalid_client"
        | "unauthorized_client"
        | "unsupported_grant_type"
        | "unsupported_token_type"
        | "invalid_scope"
        | "invalid_target"
        | INVALID_TOKEN => code,
        "invalid_api_key" => INVALID_TOKEN,
        "scope_missing" => INSUFFICIENT_SCOPE,
        _ => match status {
            StatusCode::UNAUTHORIZED => "invalid_client",
            StatusCode::FORBIDDEN => "access_denied",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                "temporarily_unavailable"
            }
            status if status.is_server_error() => "server_error",
            _ => "invalid_request",
        },
    }
}

/// The sentence in the characters that RFC 6749 §5.2 lets a description have, which a header takes too.
pub(super) fn plain_sentence(sentence: &str) -> String {
    let plain = sentence.chars().map(|c| match c {
        '"' => '\'',
        '\\' => '/',
        c if c.is_ascii_graphic() || c == ' ' => c,
        _ => '?',
    });
    plain.collect()
}
