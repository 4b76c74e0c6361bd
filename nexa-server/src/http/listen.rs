//! The accept loop: connections in, bounded in number, size and time, and a graceful end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::body;
use super::io::{Pace, PacedStream, Phase, PhaseCell};
use super::serve::{BodyProblem, Outcome, Run, Serve};

/// Serves `service` on `listener` until `shutdown` completes and the connections have drained.
///
/// HTTP/1.1 only, one request at a time per connection. A `Run::Inline` request costs no task and
/// no timer of its own.
///
/// # Errors
/// When a limit is out of the range it names. Errors of single connections and of `accept` are
/// logged and survived.
pub(crate) async fn listen<S: Serve>(
    listener: TcpListener,
    service: Arc<S>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    limits.check()?;
    let (stop, stop_seen) = watch::channel(());
    let connections = Arc::new(Semaphore::new(limits.connections));
    let shared = Arc::new(Shared {
        service,
        running: Arc::new(Semaphore::new(limits.blocking_max)),
        admitted: Arc::new(Semaphore::new(limits.blocking_max + limits.waiting_max)),
        http: builder(&limits),
        limits,
    });
    let mut shutdown = pin!(shutdown);
    while let Some((permit, stream, peer)) =
        unless(shutdown.as_mut(), accept(&listener, &connections)).await
    {
        let (shared, stop) = (Arc::clone(&shared), stop_seen.clone());
        tokio::spawn(async move {
            converse(shared, stream, peer, stop).await;
            drop(permit);
        });
    }
    drop(listener);
    stop.send_replace(());
    // Every permit back means every connection gone.
    let all = u32::try_from(shared.limits.connections).unwrap_or(u32::MAX);
    let drained = tokio::time::timeout(shared.limits.drain_timeout, connections.acquire_many(all));
    if drained.await.is_err() {
        tracing::warn!("connections were cut: they did not finish within the drain timeout");
    }
    Ok(())
}

/// What the listener allows.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Open connections; more wait in the backlog of the system.
    pub(crate) connections: usize,
    /// From the first byte of a head (or the accept) to the end of the head.
    pub(crate) header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub(crate) body_timeout: Duration,
    /// Between an answer and the first byte of the next request.
    pub(crate) idle_timeout: Duration,
    /// Without the peer taking a single byte of an answer.
    pub(crate) write_stall_timeout: Duration,
    /// Request line and header fields, in bytes; at least 8,192.
    pub(crate) head_bytes: usize,
    /// For requests in flight when the server stops.
    pub(crate) drain_timeout: Duration,
    /// Requests on the blocking pool at once; the runtime must have as many blocking threads.
    pub(crate) blocking_max: usize,
    /// Requests that wait for the blocking pool; more are refused.
    pub(crate) waiting_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(30),
            head_bytes: 16 << 10,
            drain_timeout: Duration::from_secs(20),
            blocking_max: 256,
            waiting_max: 1_024,
        }
    }
}

impl Limits {
    fn check(&self) -> io::Result<()> {
        // What hyper demands of a read buffer, and tokio of a semaphore.
        let fits = self.head_bytes >= 8_192
            && (1..=Semaphore::MAX_PERMITS.min(u32::MAX as usize)).contains(&self.connections)
            && self.blocking_max >= 1
            && self.blocking_max.saturating_add(self.waiting_max) <= Semaphore::MAX_PERMITS;
        match fits {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{self:?}"),
            )),
        }
    }
}

/// What all connections share.
struct Shared<S> {
    service: Arc<S>,
    http: http1::Builder,
    limits: Limits,
    /// Requests on the blocking pool.
    running: Arc<Semaphore>,
    /// Requests on the blocking pool and those that wait for it.
    admitted: Arc<Semaphore>,
}

fn builder(limits: &Limits) -> http1::Builder {
    // hyper's own bound of 100 header fields stands: with any other it allocates for every request.
    let mut http = http1::Builder::new();
    http.keep_alive(true)
        .pipeline_flush(false)
        .half_close(false)
        // The deadlines of `PacedStream` take its place.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes);
    http
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    const PAUSE_MIN: Duration = Duration::from_millis(10);
    const PAUSE_MAX: Duration = Duration::from_secs(1);
    let permit = Arc::clone(connections)
        .acquire_owned()
        .await
        .expect("the semaphore of the connections is never closed");
    let mut pause = PAUSE_MIN;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (permit, stream, peer),
            // The peer gave up while it was queued: nothing of ours is short.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // No file handles or no memory: the queued connection stays queued, so trying
                // again at once would only spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// One connection from its first byte to its last.
async fn converse<S: Serve>(
    shared: Arc<Shared<S>>,
    stream: TcpStream,
    peer: SocketAddr,
    mut stop: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let phase = Arc::new(PhaseCell::default());
    let pace = Pace {
        head: shared.limits.header_timeout,
        idle: shared.limits.idle_timeout,
        write_stall: shared.limits.write_stall_timeout,
    };
    let io = TokioIo::new(PacedStream::new(stream, Arc::clone(&phase), pace));
    let http = shared.http.clone();
    let service = service_fn(move |request| {
        let (shared, phase) = (Arc::clone(&shared), Arc::clone(&phase));
        async move {
            let response = answer(&shared, peer, request, &phase).await;
            Ok::<_, Infallible>(response.map(Full::new))
        }
    });
    let mut connection = pin!(http.serve_connection(io, service));
    if let Some(end) = unless(pin!(stop.changed()), connection.as_mut()).await {
        if let Err(error) = end {
            tracing::debug!(%peer, %error, "connection ended");
        }
        return;
    }
    connection.as_mut().graceful_shutdown();
    // The second change is the end of the sender: time is up, and the connection is dropped.
    let _ = unless(pin!(stop.changed()), connection).await;
}

/// One request: plan, body, handler.
async fn answer<S: Serve>(
    shared: &Arc<Shared<S>>,
    peer: SocketAddr,
    request: Request<Incoming>,
    phase: &PhaseCell,
) -> Response<Bytes> {
    phase.set(Phase::Busy);
    let (head, body) = request.into_parts();
    let service = &*shared.service;
    let Some(plan) = unpanicked(|| service.plan(&head)) else {
        phase.set(Phase::Refused);
        return closing(service.refuse(Some(&head), BodyProblem::Panicked));
    };
    let body = match body::read(body, plan.body_limit, shared.limits.body_timeout).await {
        Ok(body) => body,
        Err(problem) => {
            phase.set(Phase::Refused);
            return closing(service.refuse(Some(&head), problem));
        }
    };
    let response = match plan.run {
        Run::Inline => match unpanicked(|| service.handle(peer, &head, &body, false)) {
            Some(Outcome::Reply(response)) => response,
            Some(Outcome::Miss) => block(shared, peer, head, body).await,
            None => service.refuse(Some(&head), BodyProblem::Panicked),
        },
        Run::Blocking => block(shared, peer, head, body).await,
    };
    phase.set(Phase::Idle);
    response
}

/// Handles a request on the blocking pool, behind a bounded queue.
async fn block<S: Serve>(
    shared: &Arc<Shared<S>>,
    peer: SocketAddr,
    head: Parts,
    body: Bytes,
) -> Response<Bytes> {
    let Ok(admitted) = Arc::clone(&shared.admitted).try_acquire_owned() else {
        return shared.service.refuse(Some(&head), BodyProblem::Overloaded);
    };
    let Ok(running) = Arc::clone(&shared.running).acquire_owned().await else {
        return shared.service.refuse(Some(&head), BodyProblem::Overloaded);
    };
    let service = Arc::clone(&shared.service);
    let job = tokio::task::spawn_blocking(move || {
        let response = match unpanicked(|| service.handle(peer, &head, &body, true)) {
            Some(Outcome::Reply(response)) => response,
            Some(Outcome::Miss) | None => service.refuse(Some(&head), BodyProblem::Panicked),
        };
        // Held by the job, not by the connection: the peer may leave while the job goes on.
        drop((running, admitted));
        response
    });
    // It fails when the runtime is ending, or when `refuse` panicked too.
    job.await
        .unwrap_or_else(|_| shared.service.refuse(None, BodyProblem::Panicked))
}

/// `None` when `work` panicked; the panic hook has reported it.
///
/// The app is shared by all requests anyway, and its locks judge for themselves whether a panic
/// has left them in disorder.
fn unpanicked<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// The connection cannot go on: part of a body is still on its way.
fn closing(mut response: Response<Bytes>) -> Response<Bytes> {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// `work`, or `None` when `stop` completes first.
async fn unless<T>(mut stop: Pin<&mut impl Future>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
