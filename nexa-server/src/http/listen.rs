//! The accept loop: connections in, bounded in number, size and time, and a graceful end.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Bytes};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::answer::{Turn, answer, perform};
use super::handles::affordable;
use super::io::{Pace, PacedStream, Phase, PhaseCell};
use super::limits::Limits;
use super::room::{Place, Room};
use super::serve::{Arrival, ConnectionEvent, Open, Serve};
use super::stream::Sent;
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
    let [connections, websockets] = affordable(wanted, shared.limits.other_handles);
    shared.service.shrink_websockets_to(websockets);
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
    pub(super) service: Arc<S>,
    http: http1::Builder,
    pub(super) limits: Limits,
    pub(super) conversations: Conversations,
    /// Requests so far.
    requests: AtomicU64,
    /// Requests on the blocking pool.
    pub(super) running: Arc<Semaphore>,
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
            conversations: Conversations::new(limits.websocket_rules()),
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
        Some(Turn::new(running, admitted))
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
    let _open = Open::connection(&shared.service);
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
        let (stopped, wanted) = (pin!(stop.changed()), pin!(place.phase().wanted()));
        unless(wanted, unless(stopped, connection.as_mut())).await
    };
    match told {
        Some(None) => {}
        Some(Some(Ok(()))) => return,
        Some(Some(Err(error))) => return tracing::debug!(%peer, %error, "connection ended"),
        None if place.phase().phase() == Phase::Cut => return,
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

/// `work`, or `None` when `stop` completes first.
async fn unless<T>(mut stop: Pin<&mut impl Future>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
