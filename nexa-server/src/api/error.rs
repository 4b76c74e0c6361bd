//! Errors on the wire: one body everywhere, whatever went wrong.

use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::oauth_error::{self, plain_sentence};
use super::rate_limit;
use super::refusal::{Shown, bad_input, refused};
use crate::domain::Error;
use crate::http::BodyProblem;
use crate::http::extract::BadInput;
use crate::http::media_type::is_accepted;
use crate::http::websocket;

/// Why a call got no answer of its own.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The request could not be decoded.
    Input(BadInput),
    /// A rule refused it.
    Rule(Error),
}

impl From<BadInput> for Fault {
    fn from(bad: BadInput) -> Self {
        Self::Input(bad)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Rule(error)
    }
}

/// RFC 9457 members, plus `error` (the same sentence) and `code` (stable, for programs).
#[derive(Serialize, JsonSchema)]
pub(super) struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    /// A sentence; on routes that answer 422, an array of {loc, msg, type}.
    detail: Value,
    error: &'a str,
    code: &'static str,
}

/// Renders a fault of a route.
pub(crate) fn render(fault: Fault, dialect: Dialect, head: &Parts) -> Response<Bytes> {
    let shown = match fault {
        Fault::Input(bad) => bad_input(&bad),
        Fault::Rule(error) => refused(error, dialect),
    };
    respond(shown, dialect, Some(head))
}

/// What a caller in process may learn of an error: its code and its sentence, as a client would.
pub(crate) fn told(error: Error) -> (&'static str, String) {
    let Shown { code, sentence, .. } = refused(error, Dialect::Agentyk);
    (code, sentence)
}

/// No route has that path.
pub(crate) fn no_route(head: &Parts) -> Response<Bytes> {
    respond(
        Shown::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing at this path",
        ),
        Dialect::Agentyk,
        Some(head),
    )
}

/// The path exists, the method does not.
pub(crate) fn wrong_method(head: &Parts, dialect: Dialect, allow: HeaderValue) -> Response<Bytes> {
    let sentence = "This path does not take that method";
    let shown = Shown::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        sentence,
    );
    let mut response = respond(shown, dialect, Some(head));
    response.headers_mut().insert(hyper::header::ALLOW, allow);
    response
}

/// The request did not arrive whole, or the server could not take it.
pub(crate) fn not_received(
    problem: BodyProblem,
    dialect: Dialect,
    head: Option<&Parts>,
) -> Response<Bytes> {
    let shown = match problem {
        BodyProblem::Host => Shown::new(
            StatusCode::BAD_REQUEST,
            "invalid_host",
            "A request needs exactly one Host field, and a valid one",
        ),
        BodyProblem::TooLarge { limit } => Shown::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body may be at most {limit} bytes"),
        ),
        BodyProblem::Timeout => Shown::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "The body took too long to arrive",
        ),
        BodyProblem::Broken => {
            Shown::new(StatusCode::BAD_REQUEST, "body_broken", "The body broke off")
        }
        BodyProblem::Overloaded => Shown::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "The server is busy; try again",
        )
        .retry_after(1),
        BodyProblem::Panicked => Shown::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on the server",
        ),
    };
    respond(shown, dialect, head)
}

fn respond(shown: Shown, dialect: Dialect, head: Option<&Parts>) -> Response<Bytes> {
    let Shown {
        mut status,
        code,
        sentence,
        blame,
        retry_after_s,
        rate,
    } = shown;
    if dialect == Dialect::Oauth {
        let mut response =
            oauth_error::respond(status, code, &plain_sentence(&sentence), retry_after_s);
        if let Some(state) = rate {
            rate_limit::show(response.headers_mut(), state);
        }
        return response;
    }
    let mut detail = Value::from(sentence.as_str());
    if dialect == Dialect::Nexora
        && status == StatusCode::BAD_REQUEST
        && let Some(blame) = &blame
    {
        status = StatusCode::UNPROCESSABLE_ENTITY;
        detail = json!([{ "loc": blame.location(), "msg": sentence, "type": code }]);
    }
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        error: &sentence,
        code,
    };
    let body = Bytes::from(serde_json::to_vec(&problem).unwrap_or_default());
    let mut response = Response::new(body.clone());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media_type = if asks_for_problem_json(head) {
        "application/problem+json"
    } else {
        "application/json"
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"nexa\""),
        );
    }
    if status == StatusCode::UPGRADE_REQUIRED {
        // RFC 9110 §15.5.22, RFC 6455 §4.4.
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let version = HeaderValue::from_static(websocket::VERSION);
        headers.insert(SEC_WEBSOCKET_VERSION, version);
    }
    if let Some(seconds) = retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(state) = rate {
        rate_limit::show(headers, state);
    }
    if dialect == Dialect::Gateway {
        let reason = HeaderValue::from_str(&plain_sentence(&sentence));
        let body = HeaderValue::from_maybe_shared(body);
        for (name, value) in [("x-nexa-error", reason), ("x-nexa-problem", body)] {
            if let Ok(value) = value {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
    response
}

/// RFC 9457 §3: only for clients that name the media type.
fn asks_for_problem_json(head: Option<&Parts>) -> bool {
    head.is_some_and(|head| is_accepted(&head.headers, "application/problem+json"))
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use serde_json::from_slice;

    use super::*;

    fn rendered(fault: impl Into<Fault>, dialect: Dialect) -> (u16, Value) {
        let (head, ()) = Request::new(()).into_parts();
        let response = render(fault.into(), dialect, &head);
        (
            response.status().as_u16(),
            from_slice(response.body()).unwrap(),
        )
    }

    #[test]
    fn a_field_is_named_in_the_casing_of_its_document() {
        let snake = "rate_limit.window_seconds: too long";
        let camel = "rateLimit.windowSeconds: too long";
        for (dialect, status, sentence) in [
            (Dialect::Agentyk, 400, camel),
            (Dialect::Nexgent, 400, camel),
            (Dialect::Gateway, 400, camel),
            (Dialect::Nexalayer, 400, snake),
            (Dialect::Nexora, 422, snake),
        ] {
            let error = Error::invalid("rate_limit.window_seconds", "too long");
            let (answered, body) = rendered(error, dialect);
            assert_eq!(
                (answered, body["error"].as_str()),
                (status, Some(sentence)),
                "{dialect:?}"
            );
            if dialect == Dialect::Nexora {
                let expected = json!([{ "loc": ["body", "rate_limit", "window_seconds"], "msg": sentence, "type": "invalid_field" }]);
                assert_eq!(body["detail"], expected);
            } else {
                assert_eq!(body["detail"], sentence, "{dialect:?}");
            }
        }
    }

    #[test]
    fn a_fault_is_located_in_its_part_of_the_request() {
        let problem = || "required".to_owned();
        let json = |path: &str| BadInput::Json {
            path: path.to_owned(),
            problem: problem(),
        };
        let form = |name: &str| BadInput::Form {
            name: name.to_owned(),
            problem: problem(),
        };
        let query = |name: &str| BadInput::Query {
            name: name.to_owned(),
            problem: problem(),
        };
        let path = |name: &str| BadInput::Path {
            name: name.to_owned(),
            problem: problem(),
        };
        for (bad, loc) in [
            (json("scopes[1].name"), json!(["body", "scopes", 1, "name"])),
            (json("[3].key"), json!(["body", 3, "key"])),
            (json(""), json!(["body"])),
            (form("token"), json!(["body", "token"])),
            (query("limit"), json!(["query", "limit"])),
            (query(""), json!(["query"])),
            (path("key_id"), json!(["path", "key_id"])),
        ] {
            let sentence = bad.sentence();
            let (status, body) = rendered(bad, Dialect::Nexora);
            assert_eq!(
                (status, &body["detail"][0]["loc"]),
                (422, &loc),
                "{sentence}"
            );
            assert_eq!(body["detail"][0]["msg"], *sentence);
        }
    }

    #[test]
    fn a_missing_credential_is_called_what_the_document_calls_it() {
        for (dialect, sentence) in [
            (Dialect::Agentyk, "Authentication required"),
            (Dialect::Nexora, "Authentication required"),
            (Dialect::Nexgent, "API key required"),
            (Dialect::Nexalayer, "API key required"),
            (Dialect::Gateway, "API key required"),
        ] {
            let (status, body) = rendered(Error::CredentialMissing, dialect);
            assert_eq!(
                (status, body["error"].as_str()),
                (401, Some(sentence)),
                "{dialect:?}"
            );
        }
    }
}
