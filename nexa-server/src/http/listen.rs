//! The accept loop: connections in, bounded in number, size and time, and a graceful end.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::body;
use super::handles::affordable;
use super::io::{Pace, PacedStream, Phase, PhaseCell};
use super::limits::Limits;
use super::reply::Content;
use super::room::{Place, Room};
use super::serve::{Arrival, BodyProblem, ConnectionEvent, Open, Outcome, Run, Serve};
use super::stream::{Sent, Stream};
use super::websocket::Conversations;

/// Serves on `listener` until `shutdown` completes and the connections have drained.
///
/// HTTP/1.1 only, one request at a time per connection. A `Run::Inline` request costs no task and
/// no timer of its own.
///
/// # Errors
/// None today: errors of single connections and of `accept` are logged and survived.
pub(crate) async fn listen<S: Serve>(
    listener: TcpListener,
    shared: Arc<Shared<S>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stop_seen) = watch::channel(());
    let wanted = [shared.limits.connections, shared.limits.websockets];
    let [connections, websockets] = affordable(wanted);
    shared.conversations.shrink_to(websockets);
    let room = Room::new(connections);
    let mut shutdown = pin!(shutdown);
    while let Some((place, stream, peer)) =
        unless(shutdown.as_mut(), accept(&listener, &room)).await
    {
        let (shared, stop) = (Arc::clone(&shared), stop_seen.clone());
        tokio::spawn(converse(shared, stream, peer, place, stop));
    }
    drop(listener);
    stop.send_replace(());
    shared.conversations.stop();
    let drained = async {
        room.until_empty(connections).await;
        shared.conversations.until_over().await;
    };
    let drained = tokio::time::timeout(shared.limits.drain_timeout, drained);
    if drained.await.is_err() {
        tracing::warn!("connections were cut: they did not finish within the drain timeout");
    }
    Ok(())
}

/// What all connections share, and whoever answers requests beside them.
pub(crate) struct Shared<S> {
    service: Arc<S>,
    http: http1::Builder,
    limits: Limits,
    conversations: Conversations,
    /// Requests so far.
    requests: AtomicU64,
    /// Requests on the blocking pool.
    running: Arc<Semaphore>,
    /// Requests on the blocking pool and those that wait for it.
    admitted: Arc<Semaphore>,
}

impl<S: Serve> Shared<S> {
    /// # Errors
    /// When a limit is out of the range it names.
    pub(crate) fn new(service: Arc<S>, limits: Limits) -> io::Result<Self> {
        limits.check()?;
        Ok(Self {
            service,
            conversations: Conversations::new(limits.websockets, limits.websocket_rules()),
            running: Arc::new(Semaphore::new(limits.blocking_max)),
            admitted: Arc::new(Semaphore::new(limits.blocking_max + limits.waiting_max)),
            http: builder(&limits),
            requests: AtomicU64::new(0),
            limits,
        })
    }

    /// Ends all WebSockets, each with a word.
    pub(crate) fn stop_websockets(&self) {
        self.conversations.stop();
    }

    /// A request from there, now.
    pub(crate) fn arrival(&self, peer: SocketAddr) -> Arrival {
        Arrival::now(peer, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// A place on the blocking pool, once one is free; `None` when too many wait for one.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().ok()?;
        let running = Arc::clone(&self.running).acquire_owned().await.ok()?;
        Some(Turn {
            _running: running,
            _admitted: admitted,
        })
    }

    /// Answers a request that came on somebody else's connection, as [`listen`] answers its own. Which fields must frame
    /// it there (`Host`, say) is for whoever reads that connection.
    pub(crate) async fn answer<B>(
        self: &Arc<Self>,
        peer: SocketAddr,
        request: Request<B>,
    ) -> Response<Sent>
    where
        B: Body<Data = Bytes>,
    {
        let arrival = self.arrival(peer);
        let (head, body) = request.into_parts();
        perform(self, arrival, head, body, &Arc::new(PhaseCell::default())).await
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    // hyper's own bound of 100 header fields stands: with any other it allocates for every request.
    let mut http = http1::Builder::new();
    http.keep_alive(true)
        .pipeline_flush(false)
        // A peer that has sent its request and has closed its end still wants the answer. One that
        // is gone looks the same until the answer is written; then its connection ends.
        .half_close(true)
        // The deadlines of `PacedStream` take its place.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes);
    http
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Room>) -> (Place, TcpStream, SocketAddr) {
    const PAUSE_MIN: Duration = Duration::from_millis(10);
    const PAUSE_MAX: Duration = Duration::from_secs(1);
    let mut pause = PAUSE_MIN;
    loop {
        match listener.accept().await {
            // Accepted before it has a place: nobody has to go for a connection that is not there.
            Ok((stream, peer)) => return (room.enter().await, stream, peer),
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
    place: Place,
    mut stop: watch::Receiver<()>,
) {
    let _open = Open::new(&shared.service);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let (shared, place) = (&shared, &place);
    let pace = Pace {
        head: shared.limits.header_timeout,
        idle: shared.limits.idle_timeout,
        write_stall: shared.limits.write_stall_timeout,
    };
    let io = TokioIo::new(PacedStream::new(stream, Arc::clone(place.phase()), pace));
    let has_asked = Cell::new(false);
    let service = service_fn(move |request| {
        if !has_asked.replace(true) {
            place.has_asked();
        }
        async move {
            let response = answer(shared, peer, request, place.phase()).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = shared.http.serve_connection(io, service);
    let mut connection = pin!(connection.with_upgrades());
    let told = {
        let (stopped, wanted) = (pin!(stop.changed()), pin!(place.wanted()));
        unless(wanted, unless(stopped, connection.as_mut())).await
    };
    match told {
        Some(None) => {}
        Some(Some(Ok(()))) => return,
        Some(Some(Err(error))) => return tracing::debug!(%peer, %error, "connection ended"),
        None => {
            shared.service.connection(ConnectionEvent::Displaced);
            return tracing::debug!(%peer, "connection cut: its place was wanted");
        }
    }
    // What has come by now counts; a head that is still not whole never becomes a request.
    let has_ended = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready())).await;
    let is_unasked = matches!(place.phase().phase(), Phase::New | Phase::Head);
    if has_ended || is_unasked {
        return;
    }
    connection.as_mut().graceful_shutdown();
    // The second change is the end of the sender: time is up, and the connection is dropped.
    let _ = unless(pin!(stop.changed()), connection).await;
}

/// One request of a connection of ours.
async fn answer<S: Serve>(
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
async fn perform<S: Serve, B: Body<Data = Bytes>>(
    shared: &Arc<Shared<S>>,
    arrival: Arrival,
    mut head: Parts,
    body: B,
    phase: &Arc<PhaseCell>,
) -> Response<Sent> {
    let service = &*shared.service;
    let upgrade = head.extensions.remove::<OnUpgrade>();
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

/// Has the connection go on as an answer promises, where there is a place for that.
fn upgraded<S: Serve>(
    shared: &Shared<S>,
    arrival: Arrival,
    response: Response<Content>,
    upgrade: Option<OnUpgrade>,
    phase: &Arc<PhaseCell>,
) -> Response<Content> {
    let (head, content) = response.into_parts();
    if let (Content::Upgrade(feed), Some(upgrade)) = (content, upgrade)
        && (shared.conversations).begin(&shared.service, upgrade, feed, phase)
    {
        phase.set(Phase::Upgraded);
        return Response::from_parts(head, Content::Whole(Bytes::new()));
    }
    refused(&*shared.service, arrival, None, BodyProblem::Overloaded)
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

/// `work`, or `None` when `stop` completes first.
async fn unless<T>(mut stop: Pin<&mut impl Future>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
