//! One question to Mollie's API over HTTP, and what its answer means.

use std::io::Read;

use serde::{Deserialize, Serialize};
use ureq::http::{HeaderValue, Method, Request};
use ureq::{Agent, AsSendBody};

use super::PaymentsError;
use super::settings::{ApiKey, MollieSettings};

/// The way to the API.
pub(super) struct Exchange {
    agent: Agent,
    api_url: String,
    api_key: ApiKey,
}

/// Longest answer.
const BYTES_MAX: u64 = 1024 * 1024;

impl Exchange {
    pub(super) fn new(settings: &MollieSettings) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            // A redirect would carry the key to another place.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("nexa/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: Agent::new_with_config(config),
            api_url: settings.api_url.clone(),
            api_key: settings.api_key.clone(),
        }
    }

    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>, PaymentsError> {
        self.ask(self.request(Method::GET, path), ())
    }

    pub(super) fn delete(&self, path: &str) -> Result<Vec<u8>, PaymentsError> {
        self.ask(self.request(Method::DELETE, path), ())
    }

    pub(super) fn post(
        &self,
        path: &str,
        idempotency_key: &str,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, PaymentsError> {
        let body = serde_json::to_string(body)
            .map_err(|error| PaymentsError::Unreachable(format!("cannot be written: {error}")))?;
        let request = self
            .request(Method::POST, path)
            .header("Idempotency-Key", idempotency_key)
            .header("Content-Type", "application/json");
        self.ask(request, body)
    }

    fn request(&self, method: Method, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api_url))
            .header("Accept", "application/hal+json, application/json");
        match HeaderValue::try_from(format!("Bearer {}", self.api_key.expose())) {
            Ok(mut bearer) => {
                bearer.set_sensitive(true);
                request.header("Authorization", bearer)
            }
            // A key that was checked has no characters that do not go into a header.
            Err(_) => request,
        }
    }

    /// The body of a good answer.
    fn ask(
        &self,
        request: ureq::http::request::Builder,
        body: impl AsSendBody,
    ) -> Result<Vec<u8>, PaymentsError> {
        let not_now = |problem: String| PaymentsError::Unreachable(self.one_line(&problem));
        let response = request
            .body(body)
            .map_err(ureq::Error::from)
            .and_then(|request| self.agent.run(request))
            .map_err(|error| not_now(error.to_string()))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        let source = response.into_body().into_reader();
        let read = source.take(BYTES_MAX + 1).read_to_end(&mut bytes);
        let whole = match (read, u64::try_from(bytes.len())) {
            (Err(error), _) => Err(error.to_string()),
            (Ok(_), Ok(..=BYTES_MAX)) => Ok(()),
            (Ok(_), Ok(_) | Err(_)) => Err(format!("an answer of more than {BYTES_MAX} bytes")),
        };
        match (status, whole) {
            (200..=299, Ok(())) => Ok(bytes),
            (200..=299, Err(problem)) => Err(not_now(problem)),
            // 410 is what customers that were deleted answer.
            (404 | 410, _) => Err(PaymentsError::NotFound),
            // Ours is another problem than the customer's: a key that was revoked, an account that may not do this. 409: the
            // same call is still running.
            (401 | 403 | 408 | 409 | 425 | 429, _) => Err(not_now(problem(status, &bytes))),
            (400..=499, _) => Err(PaymentsError::Refused {
                status,
                field: serde_json::from_slice::<WireProblem>(&bytes)
                    .ok()
                    .and_then(|problem| problem.field)
                    .map(|field| self.one_line(&field)),
                sentence: self.one_line(&sentence(&bytes)),
            }),
            _ => Err(not_now(problem(status, &bytes))),
        }
    }

    /// What others have written, as it may stand in a log: without our key, lines and whatever turns text around, and short.
    pub(super) fn one_line(&self, text: &str) -> String {
        const CHARS_MAX: usize = 200;
        let is_plain = |c: char| {
            !c.is_control()
                && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        text.replace(self.api_key.expose(), "[key]")
            .chars()
            .map(|c| if is_plain(c) { c } else { ' ' })
            .take(CHARS_MAX)
            .collect()
    }
}

/// The error object of the API.
#[derive(Deserialize)]
struct WireProblem {
    title: Option<String>,
    detail: Option<String>,
    /// The parameter that it is about.
    field: Option<String>,
}

fn problem(status: u16, body: &[u8]) -> String {
    format!("status {status}: {}", sentence(body))
}

fn sentence(body: &[u8]) -> String {
    let Ok(problem) = serde_json::from_slice::<WireProblem>(body) else {
        return "no reason is given".to_owned();
    };
    let sentence = problem.detail.or(problem.title);
    let sentence = sentence.unwrap_or_else(|| "no reason is given".to_owned());
    match problem.field {
        Some(field) => format!("{field}: {sentence}"),
        None => sentence,
    }
}
