//! Bodies on their way out: bytes that are all there, or chunks pulled one by one while the peer takes them.

use std::fmt::{self, Display};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::Semaphore;

use super::answer::unpanicked;
use super::io::{Phase, PhaseCell};

/// The chunks of a body, in order. Each pull is a short piece of blocking work, and holds nothing that others wait for
/// when it is done.
///
/// They end with the first failure: the connection is then cut, so that no client takes what has come for the whole. So
/// does a panic end them. They are dropped when the peer leaves.
pub(crate) struct Chunks(Box<dyn Iterator<Item = Result<Bytes, String>> + Send>);

impl Chunks {
    /// What `chunks` answers, pull by pull.
    pub(crate) fn new<E: Display>(
        chunks: impl Iterator<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        Self(Box::new(
            chunks.map(|chunk| chunk.map_err(|problem| problem.to_string())),
        ))
    }
}

impl Iterator for Chunks {
    /// A failure is a sentence for the log.
    type Item = Result<Bytes, String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chunks")
    }
}

/// A body as hyper takes it.
pub(crate) enum Sent {
    Whole(Full<Bytes>),
    Stream(Stream),
}

/// Chunks under way on one connection.
pub(crate) struct Stream {
    state: State,
    running: Arc<Semaphore>,
    phase: Arc<PhaseCell>,
}

enum State {
    /// The last chunk has been taken, and no pull runs.
    Rests(Chunks),
    Pulls(Pull),
    Ended,
}

type Pull = Pin<Box<dyn Future<Output = Result<Option<(Bytes, Chunks)>, Cut>> + Send>>;

/// The body ends before its end; why stands in the log.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut")]
pub(crate) struct Cut;

impl Stream {
    /// Pulls on the blocking pool, as one of the requests that `running` counts; until it has ended, `phase` says that a
    /// stream is under way.
    pub(super) fn new(chunks: Chunks, running: &Arc<Semaphore>, phase: &Arc<PhaseCell>) -> Self {
        phase.set(Phase::Streaming);
        Self {
            state: State::Rests(chunks),
            running: Arc::clone(running),
            phase: Arc::clone(phase),
        }
    }

    /// The next chunk. It is asked for only when the connection has taken the one before, so that at most one is held
    /// here, and a peer that takes its time occupies no thread.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let mut pull = match std::mem::replace(&mut self.state, State::Ended) {
            State::Rests(chunks) => Box::pin(pull(chunks, Arc::clone(&self.running))),
            State::Pulls(pull) => pull,
            State::Ended => return Poll::Ready(None),
        };
        let Poll::Ready(pulled) = pull.as_mut().poll(cx) else {
            self.state = State::Pulls(pull);
            return Poll::Pending;
        };
        Poll::Ready(match pulled {
            Ok(Some((chunk, chunks))) => {
                self.state = State::Rests(chunks);
                Some(Ok(chunk))
            }
            Ok(None) => {
                self.phase.set(Phase::Idle);
                None
            }
            Err(cut) => Some(Err(cut)),
        })
    }
}

/// One pull, with its turn on the blocking pool.
async fn pull(mut chunks: Chunks, running: Arc<Semaphore>) -> Result<Option<(Bytes, Chunks)>, Cut> {
    let turn = running.acquire_owned().await.map_err(|_| Cut)?;
    let job = tokio::task::spawn_blocking(move || {
        let pulled = unpanicked(|| chunks.next());
        drop(turn);
        match pulled {
            Some(Some(Ok(chunk))) => Ok(Some((chunk, chunks))),
            Some(None) => Ok(None),
            Some(Some(Err(problem))) => {
                tracing::error!(
                    problem,
                    "an answer was cut: its next part could not be made"
                );
                Err(Cut)
            }
            // The panic hook has reported it.
            None => Err(Cut),
        }
    });
    // It fails when the runtime is ending, or when dropping the chunks panicked.
    job.await.unwrap_or(Err(Cut))
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                let frame = ready!(Pin::new(bytes).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Stream(stream) => {
                let chunk = ready!(stream.poll_chunk(cx));
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_end_stream(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => bytes.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
