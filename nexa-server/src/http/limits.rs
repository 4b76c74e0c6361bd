//! What a listener allows: connections, times, sizes, pools.

use std::io;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::websocket::Rules;

/// What the listener allows.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Open connections, if the system allows as many files. One more makes room for itself where
    /// a peer owes a request (see `Room`), else it waits.
    pub(crate) connections: usize,
    /// WebSockets: the app sees to it that there are no more, and is told where the system allows fewer files.
    pub(crate) websockets: usize,
    /// File handles that are kept for everything else.
    pub(crate) other_handles: usize,
    /// Between two pings to a WebSocket.
    pub(crate) ping_every: Duration,
    /// From a ping until something has come from the WebSocket's other end.
    pub(crate) pong_timeout: Duration,
    /// For taking the word that ends a WebSocket.
    pub(crate) goodbye_timeout: Duration,
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
            websockets: 10_000,
            other_handles: 32,
            ping_every: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(20),
            goodbye_timeout: Duration::from_secs(5),
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
    pub(super) fn websocket_rules(&self) -> Rules {
        Rules {
            ping_every: self.ping_every,
            pong_timeout: self.pong_timeout,
            write_stall: self.write_stall_timeout,
            goodbye: self.goodbye_timeout,
        }
    }

    pub(super) fn check(&self) -> io::Result<()> {
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
