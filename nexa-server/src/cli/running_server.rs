//! What subcommands ask a running server.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nexa_core::{PlainKey, check_issuer};
use serde_json::Value;
use ureq::Body;
use ureq::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, request};

use super::exit::Failure;
use super::input::{DOCUMENT_MAX, read_text};

/// The header that carries the operator key.
const OPERATOR_KEY: &str = "x-api-key";

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
    /// Whether --server was given.
    pub(super) const fn is_named(&self) -> bool {
        self.server.is_some()
    }

    /// As [`ask`](Self::ask), of a server that has to be named, with a body if there is one.
    pub(super) fn tell<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        self.operate(method, path, body, read)?.ok_or_else(unnamed)
    }

    /// As [`tell`](Self::tell), with lines of JSON as the body.
    pub(super) fn post_lines<T>(
        &self,
        path: &str,
        lines: Vec<u8>,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        let (url, request) = self.operation(Method::POST, path)?.ok_or_else(unnamed)?;
        let request = request.header(CONTENT_TYPE, "application/x-ndjson");
        let answer = send(&url, request, lines)?;
        let body = answer.json();
        read(&body).ok_or_else(|| answer.refused(&body))
    }

    /// Copies an answer of any length to `output`, as it comes.
    pub(super) fn download(&self, path: &str, output: &mut impl Write) -> Result<(), Failure> {
        let (url, request) = self.operation(Method::GET, path)?.ok_or_else(unnamed)?;
        let mut response = respond(&url, request, Vec::new())?;
        if response.status() != StatusCode::OK {
            let answer = Answer::read(&url, response)?;
            return Err(answer.refused(&answer.json()));
        }
        let failed = |error| Failure::Failed(format!("{url}: {error}"));
        io::copy(&mut response.body_mut().as_reader(), output).map_err(failed)?;
        output.flush().map_err(failed)
    }

    /// Sends a request without a body and hands the JSON of its answer to `read`; `None` without --server. What `read`
    /// finds nothing in is a refusal.
    pub(super) fn ask<T>(
        &self,
        method: Method,
        path: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        self.operate(method, path, None, read)
    }

    fn operate<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some((url, request)) = self.operation(method, path)? else {
            return Ok(None);
        };
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = send(&url, request, body.into_bytes())?;
        let body = answer.json();
        read(&body).map(Some).ok_or_else(|| answer.refused(&body))
    }

    /// A request with the operator key, and where it goes; `None` without --server.
    fn operation(
        &self,
        method: Method,
        path: &str,
    ) -> Result<Option<(String, request::Builder)>, Failure> {
        let Some(url) = self.url(path)? else {
            return Ok(None);
        };
        let key = match &self.key_file {
            Some(file) => read_text(file)?,
            None => std::env::var("NEXA_OPERATOR_KEY")
                .map_err(|_| Failure::usage("set NEXA_OPERATOR_KEY or name a --key-file"))?,
        };
        let key = operator_key_header(key.trim())?;
        let request = Request::builder().method(method).uri(&url);
        Ok(Some((url, request.header(OPERATOR_KEY, key))))
    }

    /// Reads a public document of that media type, without the operator key and past caches; `None` without --server.
    pub(super) fn fetch(&self, path: &str, media_type: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(url) = self.url(path)? else {
            return Ok(None);
        };
        let ask = || {
            let request = Request::builder().uri(&url);
            let request = request.header(ACCEPT, media_type);
            send(&url, request.header(CACHE_CONTROL, "no-cache"), Vec::new())
        };
        let mut answer = ask()?;
        // There may be more documents than the server answers in a minute.
        while let Some(wait) = answer.wait() {
            std::thread::sleep(wait);
            answer = ask()?;
        }
        match answer.status == StatusCode::OK && answer.media_type.as_deref() == Some(media_type) {
            true => Ok(Some(answer.body)),
            false => Err(answer.refused(&answer.json())),
        }
    }

    fn url(&self, path: &str) -> Result<Option<String>, Failure> {
        let server = self.server.as_deref();
        let url = server.map(|server| http_url(server.trim_end_matches('/')));
        Ok(url.transpose()?.map(|server| format!("{server}{path}")))
    }
}

/// What a server has answered.
struct Answer {
    url: String,
    status: StatusCode,
    media_type: Option<String>,
    retry_after_s: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    fn read(url: &str, mut response: Response<Body>) -> Result<Self, Failure> {
        let limit = u64::try_from(DOCUMENT_MAX).unwrap_or(u64::MAX);
        let body = response.body_mut().with_config().limit(limit);
        let body = body
            .read_to_vec()
            .map_err(|error| Failure::Failed(format!("{url}: {error}")))?;
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        Ok(Self {
            url: url.to_owned(),
            status: response.status(),
            media_type: header(CONTENT_TYPE).map(str::to_owned),
            retry_after_s: header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
            body,
        })
    }

    /// How long to wait before asking again, where the server says that it would answer then.
    fn wait(&self) -> Option<Duration> {
        const WAIT_MAX_S: u64 = 300;
        let seconds = self
            .retry_after_s
            .filter(|_| self.status == StatusCode::TOO_MANY_REQUESTS)?;
        (seconds <= WAIT_MAX_S).then(|| Duration::from_secs(seconds.max(1)))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn refused(&self, body: &Value) -> Failure {
        let reason = body
            .get("error")
            .and_then(Value::as_str)
            .unwrap_or("an answer that is none of ours");
        Failure::Failed(format!("{}: {}: {reason}", self.url, self.status))
    }
}

fn unnamed() -> Failure {
    Failure::usage("name the running server: --server URL")
}

fn send(url: &str, request: request::Builder, body: Vec<u8>) -> Result<Answer, Failure> {
    Answer::read(url, respond(url, request, body)?)
}

/// # Security
/// A redirect is followed without the operator key alone: ureq would take that header along, to any host.
fn respond(url: &str, request: request::Builder, body: Vec<u8>) -> Result<Response<Body>, Failure> {
    const REDIRECTS: u32 = 10;
    const CONNECTING: Duration = Duration::from_secs(10);
    /// From the whole request to the head of its answer: an erasure may rewrite the file first.
    const ANSWERING: Duration = Duration::from_secs(120);
    let has_key = (request.headers_ref()).is_some_and(|headers| headers.contains_key(OPERATOR_KEY));
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECTING))
            .timeout_recv_response(Some(ANSWERING))
            .max_redirects(if has_key { 0 } else { REDIRECTS })
            .build(),
    );
    let request = request.body(body).map_err(ureq::Error::from);
    request
        .and_then(|request| agent.run(request))
        .map_err(|error| Failure::Failed(format!("{url}: {error}")))
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
