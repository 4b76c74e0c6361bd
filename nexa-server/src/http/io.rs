//! A socket that does not wait for ever: idle, slow and stalled peers are cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

/// A TCP stream with deadlines; which one holds depends on the [`Phase`] of its connection.
///
/// hyper's own header timeout takes a new timer per request and cannot tell an idle connection
/// from a slow one. Here one timer per connection serves all deadlines, and is set anew only when
/// it rings too early.
pub(super) struct PacedStream {
    stream: TcpStream,
    phase: Arc<PhaseCell>,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
    /// When the head began to arrive; for the first request, when the connection was accepted.
    head_began: Instant,
    /// When bytes last moved in either direction.
    last_moved: Instant,
    has_ended: bool,
    linger: Option<Linger>,
}

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From the first byte of a head to its last.
    pub(super) head: Duration,
    /// Between an answer and the first byte of the next head.
    pub(super) idle: Duration,
    /// For taking any bytes of an answer.
    pub(super) write_stall: Duration,
}

/// Where a connection stands between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing has come yet on this connection.
    New,
    /// A head is arriving.
    Head,
    /// The request is with the app; its body has a timeout of its own.
    Busy,
    /// Part of an answer is sent, and the rest is still being made.
    Streaming,
    /// Answered, and nothing more has come.
    Idle,
    /// Answered with part of the body unread.
    Refused,
    /// It speaks another protocol, whose side here keeps the time of reading and of writing.
    Upgraded,
    /// It is over, whatever the peer is still owed.
    Cut,
}

/// The phase of a connection, shared by its socket, its service and whoever looks for room.
#[derive(Debug, Default)]
pub(super) struct PhaseCell {
    phase: AtomicU8,
    /// Whether part of an answer waits for the peer to take it.
    is_sending: AtomicBool,
    is_wanted: Notify,
}

struct Linger {
    until: Instant,
    bytes_left: usize,
}

impl PhaseCell {
    pub(super) fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Asks the connection to go, if it only waits.
    pub(super) fn want(&self) {
        self.is_wanted.notify_one();
    }

    /// Has the connection go whatever it does; what was not taken is lost.
    pub(super) fn cut(&self) {
        self.set(Phase::Cut);
        self.want();
    }

    /// Ready once the connection has been asked to go, and has to.
    pub(super) async fn wanted(&self) {
        loop {
            self.is_wanted.notified().await;
            if self.is_waiting() {
                return;
            }
        }
    }

    /// Whether the peer owes a request and is owed nothing.
    pub(super) fn is_waiting(&self) -> bool {
        match self.phase() {
            Phase::New | Phase::Head | Phase::Idle => !self.is_sending.load(Ordering::Relaxed),
            Phase::Busy | Phase::Streaming | Phase::Refused | Phase::Upgraded => false,
            Phase::Cut => true,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        let value = self.phase.load(Ordering::Relaxed);
        [
            Phase::Head,
            Phase::Busy,
            Phase::Streaming,
            Phase::Idle,
            Phase::Refused,
            Phase::Upgraded,
            Phase::Cut,
        ]
        .into_iter()
        .find(|phase| *phase as u8 == value)
        .unwrap_or(Phase::New)
    }
}

impl PacedStream {
    pub(super) fn new(stream: TcpStream, phase: Arc<PhaseCell>, pace: Pace) -> Self {
        let now = Instant::now();
        Self {
            stream,
            phase,
            pace,
            timer: Box::pin(sleep_until(now + pace.head)),
            head_began: now,
            last_moved: now,
            has_ended: false,
            linger: None,
        }
    }

    fn read_deadline(&self) -> Option<Instant> {
        match self.phase.phase() {
            Phase::New | Phase::Head => Some(self.head_began + self.pace.head),
            Phase::Idle => Some(self.last_moved + self.pace.idle),
            Phase::Busy | Phase::Streaming | Phase::Refused | Phase::Upgraded | Phase::Cut => None,
        }
    }

    /// Ready once `deadline` has passed; else the task is woken no later than then.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        loop {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            if self.timer.deadline() > deadline {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(cx));
            // It rang for an older deadline.
            self.timer.as_mut().reset(deadline);
        }
    }

    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.phase
            .is_sending
            .store(result.is_pending(), Ordering::Relaxed);
        match result {
            Poll::Ready(result) => {
                self.last_moved = Instant::now();
                Poll::Ready(result)
            }
            Poll::Pending if self.phase.phase() == Phase::Upgraded => Poll::Pending,
            Poll::Pending => {
                ready!(self.poll_deadline(cx, self.last_moved + self.pace.write_stall));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Reads and forgets what the peer still sends, for a while: closing a socket with unread
    /// bytes resets it, and the reset may overtake the answer that explains the refusal.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        const TIME: Duration = Duration::from_secs(2);
        const BYTES: usize = 4 << 20;
        let mut linger = self.linger.take().unwrap_or_else(|| Linger {
            until: Instant::now() + TIME,
            bytes_left: BYTES,
        });
        let mut scratch = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    match linger.bytes_left.checked_sub(buffer.filled().len()) {
                        Some(left) => linger.bytes_left = left,
                        None => return Poll::Ready(()),
                    }
                }
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    let until = linger.until;
                    self.linger = Some(linger);
                    return self.poll_deadline(cx, until);
                }
            }
        }
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            let now = Instant::now();
            self.last_moved = now;
            self.has_ended = buffer.filled().len() == before;
            if self.has_ended {
                return Poll::Ready(result);
            }
            match self.phase.phase() {
                // The time since the accept counts: a new connection gets no second allowance.
                Phase::New => self.phase.set(Phase::Head),
                Phase::Idle => {
                    self.phase.set(Phase::Head);
                    self.head_began = now;
                }
                Phase::Head
                | Phase::Busy
                | Phase::Streaming
                | Phase::Refused
                | Phase::Upgraded
                | Phase::Cut => {}
            }
            return Poll::Ready(result);
        }
        match self.read_deadline() {
            Some(deadline) => {
                ready!(self.poll_deadline(cx, deadline));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        match self.phase.phase() {
            Phase::Head | Phase::Refused if !self.has_ended => {
                ready!(self.poll_linger(cx));
                Poll::Ready(Ok(()))
            }
            Phase::New
            | Phase::Head
            | Phase::Refused
            | Phase::Busy
            | Phase::Streaming
            | Phase::Idle
            | Phase::Upgraded
            | Phase::Cut => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for PacedStream {
    /// Part of an answer is missing: a reset says so. An orderly end would tell an HTTP/1.0 client, whose answers end with
    /// their connection, that it has all.
    fn drop(&mut self) {
        let is_sending = self.phase.is_sending.load(Ordering::Relaxed);
        if (is_sending || self.phase.phase() == Phase::Streaming)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "cannot reset a connection");
        }
    }
}
