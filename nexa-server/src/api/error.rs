//! Errors on the wire: one body everywhere, whatever went wrong.

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::blame::Blame;
use super::dialect::Dialect;
use super::oauth_error::{self, plain_sentence};
use super::rate_limit;
use crate::domain::Error;
use crate::domain::key_usage::RateState;
use crate::http::BodyProblem;
use crate::http::extract::BadInput;
use crate::store::StoreError;

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

/// What the client may learn of a fault.
struct Shown {
    status: StatusCode,
    code: &'static str,
    sentence: String,
    /// What is to blame, where that is a part of the request.
    blame: Option<Blame>,
    retry_after_s: Option<u64>,
    rate: Option<RateState>,
}

impl Shown {
    fn new(status: StatusCode, code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            status,
            code,
            sentence: sentence.into(),
            blame: None,
            retry_after_s: None,
            rate: None,
        }
    }

    fn blame(mut self, blame: Blame) -> Self {
        self.blame = Some(blame);
        self
    }

    fn rate(mut self, state: RateState) -> Self {
        self.rate = Some(state);
        self.retry_after(state.resets_in_s)
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// Renders a fault of a route.
pub(crate) fn render(fault: Fault, dialect: Dialect, head: &Parts) -> Response<Bytes> {
    let shown = match fault {
        Fault::Input(bad) => bad_input(&bad),
        Fault::Rule(error) => refused(error, dialect),
    };
    respond(shown, dialect, Some(head))
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

fn bad_input(bad: &BadInput) -> Shown {
    let code = match bad {
        BadInput::MediaType { .. } => "unsupported_media_type",
        BadInput::Json { .. } | BadInput::Form { .. } => "invalid_body",
        BadInput::Query { .. } => "invalid_query",
        BadInput::Path { .. } => "invalid_path",
    };
    Shown::new(bad.status(), code, bad.sentence()).blame(Blame::of(bad))
}

fn refused(error: Error, dialect: Dialect) -> Shown {
    use StatusCode as S;
    match error {
        Error::Invalid { field, rule } => {
            let field = dialect.field(&field);
            Shown::new(S::BAD_REQUEST, "invalid_field", format!("{field}: {rule}"))
                .blame(Blame::of_body(field))
        }
        Error::NotFound { noun } => {
            Shown::new(S::NOT_FOUND, "not_found", format!("{noun} not found"))
        }
        Error::CredentialMissing => match dialect {
            Dialect::Nexgent | Dialect::Nexalayer | Dialect::Gateway => {
                Shown::new(S::UNAUTHORIZED, "api_key_required", "API key required")
            }
            Dialect::Agentyk | Dialect::Nexora => Shown::new(
                S::UNAUTHORIZED,
                "credential_required",
                "Authentication required",
            ),
            Dialect::Oauth => Shown::new(
                S::UNAUTHORIZED,
                "invalid_client",
                "Client authentication required",
            ),
        },
        Error::TokenInvalid { reason } => {
            tracing::debug!(reason, "access token refused");
            Shown::new(
                S::UNAUTHORIZED,
                "invalid_token",
                "Invalid or expired access token",
            )
        }
        Error::KeyInvalid => Shown::new(S::UNAUTHORIZED, "invalid_api_key", "Invalid API key"),
        Error::TwoCredentials => Shown::new(
            S::BAD_REQUEST,
            "two_credentials",
            "Send one credential, once: in X-API-Key or in Authorization",
        ),
        Error::LoginFailed => {
            Shown::new(S::UNAUTHORIZED, "login_failed", "Invalid email or password")
        }
        Error::RefreshInvalid => Shown::new(
            S::UNAUTHORIZED,
            "invalid_refresh_token",
            "Invalid or expired refresh token",
        ),
        Error::MailedTokenInvalid => Shown::new(
            S::BAD_REQUEST,
            "invalid_mailed_token",
            "token: invalid, used or expired",
        )
        .blame(Blame::of_body("token".to_owned())),
        Error::PasswordWrong => Shown::new(S::FORBIDDEN, "wrong_password", "Wrong password"),
        Error::Conflict { rule } => Shown::new(S::CONFLICT, "conflict", rule),
        Error::ClientInvalid => Shown::new(S::UNAUTHORIZED, "invalid_client", "Invalid client"),
        Error::ClientForbidden { rule } => Shown::new(S::BAD_REQUEST, "unauthorized_client", rule),
        Error::GrantUnsupported => Shown::new(
            S::BAD_REQUEST,
            "unsupported_grant_type",
            "The grant type must be client_credentials or urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        Error::TargetRefused { field } => Shown::new(
            S::BAD_REQUEST,
            "invalid_target",
            format!("{field}: tokens are for this server alone; leave it out"),
        ),
        Error::IssuerSilent { retry_after_s } => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "issuer_unavailable",
            "The keys of the token's issuer cannot be read now; try again",
        )
        .retry_after(retry_after_s),
        Error::TokenTypeUnsupported => Shown::new(
            S::BAD_REQUEST,
            "unsupported_token_type",
            "A token of this kind ends with its session or its secret; API keys and sessions of one's own can be revoked here",
        ),
        Error::ScopeRefused { problem } => Shown::new(S::BAD_REQUEST, "invalid_scope", problem),
        Error::ScopeMissing { scope } => Shown::new(
            S::FORBIDDEN,
            "scope_missing",
            format!("API key missing required scope: {scope}"),
        ),
        Error::AddressNotAllowed => Shown::new(
            S::FORBIDDEN,
            "address_not_allowed",
            "This API key may not be used from this address",
        ),
        Error::WrongEnvironment => Shown::new(
            S::FORBIDDEN,
            "wrong_environment",
            "This API key belongs to another environment",
        ),
        Error::KeyLimited { state } => Shown::new(
            S::TOO_MANY_REQUESTS,
            "rate_limited",
            format!(
                "The API key's rate limit is used up; try again in {} s",
                state.resets_in_s
            ),
        )
        .rate(state),
        Error::UsedUp => Shown::new(S::FORBIDDEN, "used_up", "The API key has too few uses left"),
        Error::Forbidden { rule } => Shown::new(S::FORBIDDEN, "forbidden", rule),
        Error::NoRule { method, path } => Shown::new(
            S::FORBIDDEN,
            "no_rule",
            format!("No rule covers {method} {path}"),
        ),
        Error::AmbiguousPath { problem } => Shown::new(
            S::FORBIDDEN,
            "ambiguous_path",
            format!("The path could be read in two ways: {problem}"),
        ),
        Error::OriginalRequest { problem } => Shown::new(
            S::BAD_REQUEST,
            "original_request",
            format!("The original request is unclear: {problem}"),
        ),
        Error::Limited { retry_after_s } => {
            let sentence = format!("Too many requests; try again in {retry_after_s} s");
            Shown::new(S::TOO_MANY_REQUESTS, "rate_limited", sentence).retry_after(retry_after_s)
        }
        Error::Busy { retry_after_s } => Shown::new(
            S::SERVICE_UNAVAILABLE,
            "busy",
            "The server is busy; try again",
        )
        .retry_after(retry_after_s),
        Error::Store(error) => store_failed(&error),
        Error::NotInMemory | Error::Fault(_) => {
            tracing::error!(%error, "fault");
            Shown::new(
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong on the server",
            )
        }
    }
}

fn store_failed(error: &StoreError) -> Shown {
    tracing::error!(%error, "store");
    if error.is_temporary() {
        Shown::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            "The store cannot take this now; try again",
        )
        .retry_after(5)
    } else {
        Shown::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on the server",
        )
    }
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
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
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
    if let Some(seconds) = retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(state) = rate {
        rate_limit::show(headers, state);
    }
    if dialect == Dialect::Gateway
        && let Ok(value) = HeaderValue::from_str(&plain_sentence(&sentence))
    {
        headers.insert(HeaderName::from_static("x-nexa-error"), value);
    }
    response
}

/// RFC 9457 §3: only for clients that name the media type.
fn asks_for_problem_json(head: Option<&Parts>) -> bool {
    head.is_some_and(|head| {
        let mut accepted = head
            .headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        accepted.any(|value| value.contains("application/problem+json"))
    })
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
