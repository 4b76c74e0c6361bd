//! From a request to its answer: plan, body, handler on its lane, and what is sent where that fails.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, Version};
use tokio::sync::OwnedSemaphorePermit;

use super::body;
use super::io::{Phase, PhaseCell};
use super::listen::Shared;
use super::reply::Content;
use super::serve::{Arrival, BodyProblem, Outcome, Run, Serve};
use super::stream::{Sent, Stream};

/// One request of a connection of ours.
pub(super) async fn answer<S: Serve>(
    shared: &Arc<Shared<S>>,
    peer: SocketAddr,
    request: Request<Incoming>,
    phase: &Arc<PhaseCell>,
) -> Response<Sent> {
    phase.set(Phase::Busy);
    let arrival = shared.arrival(peer);
    let (head, body) = request.into_parts();
    match names_its_host(&head) {
        true => perform(shared, arrival, head, body, phase).await,
        false => unheard(shared, arrival, &head, BodyProblem::Host, phase),
    }
}

/// One request: plan, body, handler.
pub(super) async fn perform<S: Serve, B: Body<Data = Bytes>>(
    shared: &Arc<Shared<S>>,
    arrival: Arrival,
    mut head: Parts,
    body: B,
    phase: &Arc<PhaseCell>,
) -> Response<Sent> {
    let service = &*shared.service;
    let upgrade = head.extensions.remove::<OnUpgrade>();
    if upgrade.is_none() {
        // RFC 9110 §7.8: who cannot upgrade ignores it.
        head.headers.remove(UPGRADE);
    }
    let refuse = |problem| unheard(shared, arrival, &head, problem, phase);
    let (run, body) = if body.is_end_stream() {
        (Run::Inline, Bytes::new())
    } else {
        let Some(plan) = unpanicked(|| service.plan(&head)) else {
            return refuse(BodyProblem::Panicked);
        };
        match body::read(body, plan.body_limit, shared.limits.body_timeout).await {
            Ok(body) => (plan.run, body),
            Err(problem) => return refuse(problem),
        }
    };
    let has_content = head.method != Method::HEAD;
    let mut response = match run {
        Run::Inline => match unpanicked(|| service.handle(arrival, &head, &body, false)) {
            Some(Outcome::Miss) => block(shared, arrival, head, body).await,
            outcome => answered(service, arrival, &head, outcome),
        },
        Run::Blocking => block(shared, arrival, head, body).await,
    };
    phase.set(Phase::Idle);
    if matches!(response.body(), Content::Upgrade(_)) {
        response = upgraded(shared, arrival, response, upgrade, phase);
    }
    response.map(|content| match content {
        Content::Whole(bytes) => Sent::Whole(Full::new(bytes)),
        Content::Stream(chunks) if has_content => {
            Sent::Stream(Stream::new(chunks, &shared.running, phase))
        }
        // Nothing is pulled for nobody.
        Content::Stream(_) | Content::Upgrade(_) => Sent::Whole(Full::default()),
    })
}

/// What is sent where the request was not read to its end.
fn unheard<S: Serve>(
    shared: &Shared<S>,
    arrival: Arrival,
    head: &Parts,
    problem: BodyProblem,
    phase: &PhaseCell,
) -> Response<Sent> {
    phase.set(Phase::Refused);
    let response = closing(shared.service.refuse(arrival, Some(head), problem));
    response.map(|bytes| Sent::Whole(Full::new(bytes)))
}

/// Has the connection go on as an answer promises.
fn upgraded<S: Serve>(
    shared: &Shared<S>,
    arrival: Arrival,
    response: Response<Content>,
    upgrade: Option<OnUpgrade>,
    phase: &Arc<PhaseCell>,
) -> Response<Content> {
    let (head, content) = response.into_parts();
    let (Content::Upgrade(feed), Some(upgrade)) = (content, upgrade) else {
        // Nobody had asked for it.
        return refused(&*shared.service, arrival, None, BodyProblem::Panicked);
    };
    // The answer has yet to be taken, in the time of any other.
    phase.set(Phase::Busy);
    (shared.conversations).begin(&shared.service, upgrade, feed, phase);
    Response::from_parts(head, Content::Whole(Bytes::new()))
}

/// What is sent for an outcome that has to be an answer; `None` is a panic.
fn answered<S: Serve>(
    service: &S,
    arrival: Arrival,
    head: &Parts,
    outcome: Option<Outcome>,
) -> Response<Content> {
    match outcome {
        Some(Outcome::Reply(response)) => response.map(Content::Whole),
        Some(Outcome::Stream(response)) => response.map(Content::Stream),
        Some(Outcome::Upgrade(response)) => response.map(Content::Upgrade),
        Some(Outcome::Miss) | None => refused(service, arrival, Some(head), BodyProblem::Panicked),
    }
}

fn refused<S: Serve>(
    service: &S,
    arrival: Arrival,
    head: Option<&Parts>,
    problem: BodyProblem,
) -> Response<Content> {
    service.refuse(arrival, head, problem).map(Content::Whole)
}

/// Exactly one `Host` with HTTP/1.1, at most one with 1.0, of bytes that a host and a port may have.
fn names_its_host(head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => head.version < Version::HTTP_11,
        // RFC 3986 §3.2.2, without user information.
        (Some(host), None) => host
            .as_bytes()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte)),
        (Some(_), Some(_)) => false,
    }
}

/// Handles a request on the blocking pool, behind a bounded queue.
async fn block<S: Serve>(
    shared: &Arc<Shared<S>>,
    arrival: Arrival,
    head: Parts,
    body: Bytes,
) -> Response<Content> {
    let Some(turn) = shared.turn().await else {
        return refused(
            &*shared.service,
            arrival,
            Some(&head),
            BodyProblem::Overloaded,
        );
    };
    let service = Arc::clone(&shared.service);
    let job = turn.take(move || {
        let outcome = unpanicked(|| service.handle(arrival, &head, &body, true));
        answered(&*service, arrival, &head, outcome)
    });
    job.await
        .unwrap_or_else(|| refused(&*shared.service, arrival, None, BodyProblem::Panicked))
}

/// A place on the blocking pool.
pub(crate) struct Turn {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Turn {
    pub(super) fn new(running: OwnedSemaphorePermit, admitted: OwnedSemaphorePermit) -> Self {
        Self {
            _running: running,
            _admitted: admitted,
        }
    }

    /// Runs `work` there; `None` when it panicked, or the runtime is ending.
    pub(crate) async fn take<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let job = tokio::task::spawn_blocking(move || {
            let done = work();
            // Held by the job, not by the connection: the peer may leave while the job goes on.
            drop(self);
            done
        });
        job.await.ok()
    }
}

/// `None` when `work` panicked; the panic hook has reported it.
///
/// The app is shared by all requests anyway, and its locks judge for themselves whether a panic
/// has left them in disorder.
pub(crate) fn unpanicked<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// The connection cannot go on: part of a body is still on its way.
fn closing(mut response: Response<Bytes>) -> Response<Bytes> {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
