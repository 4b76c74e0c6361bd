//! `/metrics`, on a listener of its own.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use prometheus::TEXT_FORMAT;

use super::super::now;
use super::super::shell::Shell;
use super::Readings;
use crate::domain::Error;
use crate::http::{Arrival, BodyProblem, Limits, Outcome, Plan, Run, Serve};

/// Room for a few scrapers and for whoever looks by hand.
pub(in crate::serve) const LIMITS: Limits = Limits {
    connections: 16,
    websockets: 0,
    // The other listener has seen to these.
    other_handles: 0,
    ping_every: Duration::from_secs(30),
    pong_timeout: Duration::from_secs(20),
    goodbye_timeout: Duration::from_secs(5),
    header_timeout: Duration::from_secs(5),
    body_timeout: Duration::from_secs(5),
    idle_timeout: Duration::from_secs(75),
    write_stall_timeout: Duration::from_secs(10),
    head_bytes: 8 << 10,
    drain_timeout: Duration::from_secs(1),
    blocking_max: 2,
    waiting_max: 8,
};

/// Serves the page, and nothing else.
pub(in crate::serve) struct Page(pub(in crate::serve) Arc<Shell>);

impl Serve for Page {
    fn plan(&self, _: &Parts) -> Plan {
        Plan {
            run: Run::Inline,
            body_limit: 0,
        }
    }

    fn handle(&self, _: Arrival, head: &Parts, _: &Bytes, may_block: bool) -> Outcome {
        if head.uri.path() != "/metrics" {
            return Outcome::Reply(plain(StatusCode::NOT_FOUND, "see /metrics\n"));
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return Outcome::Reply(response);
        }
        // It asks the store.
        if !may_block {
            return Outcome::Miss;
        }
        Outcome::Reply(match self.text() {
            Ok(text) => {
                let mut response = Response::new(text.into());
                let format = HeaderValue::from_static(TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, format);
                response
            }
            Err(error) => {
                tracing::warn!(%error, "metrics cannot be read");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "see the log\n")
            }
        })
    }

    fn now_ms(&self) -> i64 {
        now().ms()
    }

    fn refuse(&self, _: Arrival, _: Option<&Parts>, problem: BodyProblem) -> Response<Bytes> {
        let status = match problem {
            BodyProblem::Host | BodyProblem::Broken => StatusCode::BAD_REQUEST,
            BodyProblem::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyProblem::Timeout => StatusCode::REQUEST_TIMEOUT,
            BodyProblem::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            BodyProblem::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        };
        plain(status, "refused\n")
    }
}

impl Page {
    fn text(&self) -> Result<Vec<u8>, Error> {
        let Self(shell) = self;
        let readings = Readings::take(shell.app.services(), shell.requests.started());
        shell.requests.metrics().text(readings)
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
