//! What is noted of every request: its id, its place in the counts, its line in the log.

use std::time::Instant;

use hyper::Response;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;

use super::mask::{holds_secret, masked};
use super::metrics::{Metrics, method_label};
use crate::app::{App, Trail};
use crate::domain::Error;
use crate::http::{Arrival, BodyProblem, ConnectionEvent, Outcome};
use crate::time::UnixMillis;
use nexa_core::uuid_v7_from;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whatever is shared by what is noted.
pub(super) struct Requests {
    metrics: Metrics,
    started: (UnixMillis, Instant),
    /// Ids count on from here.
    first_id: u128,
}

impl Requests {
    /// # Errors
    /// See [`Metrics::new`].
    pub(super) fn new(
        app: &App,
        started: (UnixMillis, Instant),
        random: [u8; 16],
    ) -> Result<Self, Error> {
        Ok(Self {
            metrics: Metrics::new(app.paths())?,
            started,
            first_id: u128::from_be_bytes(random),
        })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn started(&self) -> UnixMillis {
        self.started.0
    }

    pub(super) fn connection(&self, event: ConnectionEvent) {
        self.metrics.connection(event);
    }

    /// Runs one call under the request's id. A miss is not noted: the call runs again, under the same id.
    pub(super) fn handle(
        &self,
        app: &App,
        arrival: Arrival,
        head: &Parts,
        may_block: bool,
        call: impl FnOnce(&mut Trail) -> Outcome,
    ) -> Outcome {
        let mut trail = Trail {
            request_id: self.id(app, arrival, Some(head)),
            names_tenant: is_logged(),
            ..Trail::default()
        };
        let is_wanted = may_block || tracing::enabled!(tracing::Level::DEBUG);
        let _span = is_wanted.then(|| trail.enter());
        trail.is_in_span = is_wanted;
        let mut outcome = call(&mut trail);
        match &mut outcome {
            Outcome::Reply(response) => {
                self.answered(app, arrival, Some(head), trail, response);
            }
            Outcome::Stream(response) => {
                self.answered(app, arrival, Some(head), trail, response);
            }
            Outcome::Upgrade(response) => {
                self.answered(app, arrival, Some(head), trail, response);
            }
            Outcome::Miss => {}
        }
        outcome
    }

    /// As [`Requests::handle`], for what the listener refused.
    pub(super) fn refuse<B>(
        &self,
        app: &App,
        arrival: Arrival,
        head: Option<&Parts>,
        problem: BodyProblem,
        refuse: impl FnOnce() -> Response<B>,
    ) -> Response<B> {
        let trail = Trail {
            request_id: self.id(app, arrival, head),
            route: head.and_then(|head| app.route_index(head)),
            ..Trail::default()
        };
        let _span = trail.enter();
        self.metrics.refused(problem);
        let mut response = refuse();
        self.answered(app, arrival, head, trail, &mut response);
        response
    }

    fn answered<B>(
        &self,
        app: &App,
        arrival: Arrival,
        head: Option<&Parts>,
        trail: Trail,
        response: &mut Response<B>,
    ) {
        let took = arrival.at.elapsed();
        let status = response.status();
        if let Some(head) = head {
            self.metrics
                .answered(trail.route, &head.method, status, took);
            if is_logged() {
                let peer = arrival.peer.ip();
                let client = app.client(peer, head);
                tracing::debug!(
                    target: ACCESS,
                    method = method_label(&head.method),
                    route = self.metrics.route_label(trail.route),
                    path = masked(head.uri.path()),
                    status = status.as_u16(),
                    duration_ms = took.as_micros() as f64 / 1_000.0,
                    client = client.map(tracing::field::display),
                    tenant_id = trail.tenant_id,
                    "request"
                );
            }
        }
        if let Ok(id) = HeaderValue::try_from(trail.request_id) {
            response.headers_mut().insert(&X_REQUEST_ID, id);
        }
    }

    /// What a trusted proxy calls the request, or else an id that is the same each time the request is looked at.
    fn id(&self, app: &App, arrival: Arrival, head: Option<&Parts>) -> String {
        let given = head.and_then(|head| {
            let mut given = head.headers.get_all(&X_REQUEST_ID).iter();
            given.next().filter(|_| given.next().is_none())
        });
        if let Some(given) = given
            && app.trusts(arrival.peer.ip())
            && let Some(id) = accepted(given)
        {
            return id.to_owned();
        }
        let (started, started_at) = self.started;
        let since = arrival.at.saturating_duration_since(started_at);
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let bits = self.first_id.wrapping_add(arrival.number.into());
        uuid_v7_from(
            started.unsigned_ms().saturating_add(since_ms),
            bits.to_be_bytes(),
        )
    }
}

/// The target of the lines that tell of requests.
const ACCESS: &str = "nexa_server::access";

fn is_logged() -> bool {
    tracing::enabled!(target: ACCESS, tracing::Level::DEBUG)
}

/// An id of 1 to 128 letters, digits and `-._:/+=@`, unless it looks like a secret.
fn accepted(given: &HeaderValue) -> Option<&str> {
    let id = given.to_str().ok()?;
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-._:/+=@".contains(&b);
    let is_meant = is_trace_id(id) || !holds_secret(id);
    ((1..=128).contains(&id.len()) && id.bytes().all(is_safe) && is_meant).then_some(id)
}

/// As nginx (`$request_id`) and W3C Trace Context write it: as random as a secret, and none.
fn is_trace_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_safe_and_no_secret() {
        let long = "a".repeat(128);
        let too_long = "a".repeat(129);
        for (given, expected) in [
            ("a", true),
            ("0190-ab.c:d/e+f=@", true),
            (&long, true),
            ("", false),
            (&too_long, false),
            ("a b", false),
            ("a\tb", false),
            ("a\"b", false),
            ("a,b", false),
            ("7b2f0c1de4a94c5f8b6a0d3e2c1f9a87", true),
            ("0190c1d2-0000-7000-8000-00000000abcd", true),
            ("7b2f0c1de4a94c5f8b6a0d3e2c1f9a87a", false),
            ("7B2F0C1DE4A94C5F8B6A0D3E2C1F9A87", false),
            ("nex_0000", false),
            ("eyJhbGciOi", false),
        ] {
            let given = HeaderValue::from_str(given).unwrap();
            assert_eq!(accepted(&given).is_some(), expected, "{given:?}");
        }
        assert!(accepted(&HeaderValue::from_bytes(b"\xc3\xa4").unwrap()).is_none());
    }
}
