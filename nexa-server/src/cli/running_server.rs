//! What subcommands ask a running server.

use std::path::PathBuf;

use clap::Args;
use nexa_core::{PlainKey, check_issuer};
use serde_json::Value;
use ureq::http::{HeaderValue, Method, Request, Uri};

use super::exit::Failure;
use super::input::read_text;

/// The server, and the key that it knows its operator by.
#[derive(Args)]
pub(super) struct RunningServer {
    /// A running server. The operator key comes from NEXA_OPERATOR_KEY or from --key-file.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file that holds the operator key for --server.
    #[arg(long, value_name = "FILE", requires = "server")]
    key_file: Option<PathBuf>,
}

impl RunningServer {
    /// As [`ask`](Self::ask), of a server that has to be named, with a body if there is one.
    pub(super) fn tell<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        self.send(method, path, body, read)?
            .ok_or_else(|| Failure::usage("name the running server: --server URL"))
    }

    /// Sends a request without a body and hands the JSON of its answer to `read`; `None` without --server. What `read`
    /// finds nothing in is a refusal.
    pub(super) fn ask<T>(
        &self,
        method: Method,
        path: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        self.send(method, path, None, read)
    }

    fn send<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(server) = &self.server else {
            return Ok(None);
        };
        let key = match &self.key_file {
            Some(file) => read_text(file)?,
            None => std::env::var("NEXA_OPERATOR_KEY")
                .map_err(|_| Failure::usage("set NEXA_OPERATOR_KEY or name a --key-file"))?,
        };
        let key = operator_key_header(key.trim())?;
        let url = format!("{}{path}", http_url(server.trim_end_matches('/'))?);
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{url}: {error}"));
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build(),
        );
        let request = Request::builder().method(method).uri(&url);
        let request = request
            .header("X-API-Key", key)
            .header("Content-Type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default());
        let mut response = request
            .map_err(ureq::Error::from)
            .and_then(|request| agent.run(request))
            .map_err(|error| failed(&error))?;
        let body = response
            .body_mut()
            .read_to_string()
            .map_err(|error| failed(&error))?;
        let body: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        read(&body).map(Some).ok_or_else(|| {
            let reason = body
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or("an answer that is none of ours");
            Failure::Failed(format!("{url}: {}: {reason}", response.status()))
        })
    }
}

/// A URL that a request can be sent to.
fn http_url(url: &str) -> Result<&str, Failure> {
    check_issuer(url).map_err(|error| Failure::Usage(format!("--server: {url:?}: {error}")))?;
    match url.parse::<Uri>() {
        Ok(_) => Ok(url),
        Err(error) => Err(Failure::Usage(format!("--server: {url:?}: {error}"))),
    }
}

/// The operator key as a header value; what cannot be one is not repeated, it may be some other secret.
fn operator_key_header(key: &str) -> Result<HeaderValue, Failure> {
    match PlainKey::from_presented(key).map(|key| HeaderValue::from_str(key.expose())) {
        Some(Ok(mut value)) => {
            value.set_sensitive(true);
            Ok(value)
        }
        Some(Err(_)) | None => Err(Failure::usage(
            "the operator key must be 1 to 256 printable ASCII characters without spaces",
        )),
    }
}
