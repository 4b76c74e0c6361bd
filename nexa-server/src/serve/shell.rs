//! The app with a clock and a random source, as sockets and callers in process see it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::{now, rng};
use crate::app::{App, Call};
use crate::http::{BodyProblem, Outcome, Plan, Serve};
use crate::time::UnixMillis;

pub(super) struct Shell {
    pub(super) app: App,
    /// Whether nothing more is to begin, neither in the background nor for a caller.
    is_closed: AtomicBool,
}

impl Shell {
    pub(super) fn new(app: App) -> Self {
        Self {
            app,
            is_closed: AtomicBool::new(false),
        }
    }

    /// Answers whether it was open.
    pub(super) fn close(&self) -> bool {
        !self.is_closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

/// A moment of the server's clock as the standard library has it.
pub(super) fn system_time(at: UnixMillis) -> SystemTime {
    let since_epoch = Duration::from_millis(at.ms().unsigned_abs());
    match at.ms() >= 0 {
        true => SystemTime::UNIX_EPOCH + since_epoch,
        false => SystemTime::UNIX_EPOCH - since_epoch,
    }
}

/// The way back; what lies before 1970 is 1970.
pub(super) fn unix_millis(at: SystemTime) -> UnixMillis {
    let since_epoch = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

impl Serve for Shell {
    fn plan(&self, head: &Parts) -> Plan {
        self.app.plan(head)
    }

    fn handle(&self, peer: SocketAddr, head: &Parts, body: &Bytes, may_block: bool) -> Outcome {
        if self.is_closed() {
            return Outcome::Reply(self.refuse(Some(head), BodyProblem::Overloaded));
        }
        let mut rng = rng();
        self.app.handle(
            Call {
                now: now(),
                rng: &mut rng,
                peer: peer.ip(),
                may_block,
            },
            head,
            body,
        )
    }

    fn now_ms(&self) -> i64 {
        now().ms()
    }

    fn refuse(&self, head: Option<&Parts>, problem: BodyProblem) -> Response<Bytes> {
        self.app.refuse(head, problem)
    }
}
