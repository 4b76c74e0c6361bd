//! The seam between the socket and the app: what the shell asks, and what it may hear.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::reply::Content;
use super::stream::Chunks;
use super::websocket::Feed;

/// The app behind the sockets: synchronous, bytes in and bytes out.
///
/// Per request with a body the shell calls [`plan`](Serve::plan), reads the body within it, then
/// calls [`handle`](Serve::handle). A request without a body needs no plan and is handled at once,
/// on the async worker whatever its plan would be, so that its route is looked up once. All three
/// methods may be called from many threads at once. A panic in `plan` or `handle` becomes
/// [`BodyProblem::Panicked`]; the server goes on.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Where the request runs and how large its body may be, decided before the body is read.
    fn plan(&self, head: &Parts) -> Plan;

    /// Answers one request with its whole body.
    ///
    /// `may_block` is false on the async worker: the call must then neither wait nor compute for
    /// long, and answers [`Outcome::Miss`], with nothing done or counted, when it would have to. It
    /// is then called again with true on the blocking pool, where `Miss` is a bug and answers as
    /// [`BodyProblem::Panicked`].
    fn handle(&self, arrival: Arrival, head: &Parts, body: &Bytes, may_block: bool) -> Outcome;

    /// The time, in milliseconds since 1970: at which a [`Feed`] is asked.
    fn now_ms(&self) -> i64;

    /// Renders, in the app's own error body, what kept a request from being handled.
    fn refuse(
        &self,
        arrival: Arrival,
        head: Option<&Parts>,
        problem: BodyProblem,
    ) -> Response<Bytes>;

    /// At most so many WebSockets from now on: the system allows no more files.
    fn shrink_websockets_to(&self, _: usize) {}

    /// Hears what becomes of connections.
    fn connection(&self, _: ConnectionEvent) {}
}

/// Where a request came from, and when its head was whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The address of the socket.
    pub(crate) peer: SocketAddr,
    pub(crate) at: Instant,
    /// Counted from zero by each listener.
    pub(crate) number: u64,
}

impl Arrival {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long an answer takes is no business of the app, which is given its time"
    )]
    pub(crate) fn now(peer: SocketAddr, number: u64) -> Self {
        Self {
            peer,
            at: Instant::now(),
            number,
        }
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEvent {
    /// It has its place.
    Opened,
    /// Its place is free again.
    Closed,
    /// Its place was wanted for another one; `Closed` follows.
    Displaced,
    /// It goes on as a WebSocket.
    WebSocketOpened,
    WebSocketClosed,
    /// Its place was wanted for another WebSocket; `WebSocketClosed` follows.
    WebSocketDisplaced,
}

/// An open connection, for as long as its task lives.
pub(super) struct Open<S: Serve> {
    service: Arc<S>,
    end: ConnectionEvent,
}

impl<S: Serve> Open<S> {
    pub(super) fn connection(service: &Arc<S>) -> Self {
        Self::between(service, ConnectionEvent::Opened, ConnectionEvent::Closed)
    }

    pub(super) fn websocket(service: &Arc<S>) -> Self {
        Self::between(
            service,
            ConnectionEvent::WebSocketOpened,
            ConnectionEvent::WebSocketClosed,
        )
    }

    fn between(service: &Arc<S>, begin: ConnectionEvent, end: ConnectionEvent) -> Self {
        service.connection(begin);
        Self {
            service: Arc::clone(service),
            end,
        }
    }
}

impl<S: Serve> Drop for Open<S> {
    fn drop(&mut self) {
        self.service.connection(self.end);
    }
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The answer.
    Reply(Response<Bytes>),
    /// The answer, with a body that is made while it is sent. It has no `Content-Length`.
    Stream(Response<Chunks>),
    /// The connection goes on as a WebSocket, once this answer is sent.
    Upgrade(Response<Feed>),
    /// Not answerable without waiting: run the call again where it may block.
    Miss,
}

impl From<Response<Content>> for Outcome {
    fn from(response: Response<Content>) -> Self {
        let (head, content) = response.into_parts();
        match content {
            Content::Whole(bytes) => Self::Reply(Response::from_parts(head, bytes)),
            Content::Stream(chunks) => Self::Stream(Response::from_parts(head, chunks)),
            Content::Upgrade(feed) => Self::Upgrade(Response::from_parts(head, feed)),
        }
    }
}

/// Where a request runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// On the async worker; the call may answer [`Outcome::Miss`].
    Inline,
    /// On the blocking pool, bounded by the limits of the listener.
    Blocking,
}

/// What the app wants for a request whose head it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Where the request runs first.
    pub(crate) run: Run,
    /// The most body bytes that are read, chunk framing not counted.
    pub(crate) body_limit: usize,
}

/// Why a request got no answer from the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyProblem {
    /// Not exactly one `Host` field, or one that cannot name a host (400; RFC 9112 §3.2).
    Host,
    /// The body is, or says it is, longer than the limit (413).
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not arrive in time (408).
    Timeout,
    /// The body ended early or broke its framing (400).
    Broken,
    /// Too many requests wait for the blocking pool (503).
    Overloaded,
    /// The app panicked, or broke the promise of [`Serve::handle`] (500).
    Panicked,
}
