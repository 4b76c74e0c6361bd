//! The app with a clock and a random source, as sockets and callers in process see it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use rand_core::Rng;

use super::requests::Requests;
use super::{now, rng};
use crate::app::{App, Call};
use crate::domain::Error;
use crate::http::{Arrival, BodyProblem, ConnectionEvent, Outcome, Plan, Serve};
use crate::time::UnixMillis;

pub(super) struct Shell {
    pub(super) app: App,
    pub(super) requests: Requests,
    /// Whether nothing more is to begin, neither in the background nor for a caller.
    is_closed: AtomicBool,
}

impl Shell {
    /// # Errors
    /// See [`Requests::new`].
    #[expect(
        clippy::disallowed_methods,
        reason = "the shell is where time enters; ids of requests go on from here"
    )]
    pub(super) fn new(app: App) -> Result<Self, Error> {
        let mut random = [0; 16];
        rng().fill_bytes(&mut random);
        Ok(Self {
            requests: Requests::new(&app, (now(), Instant::now()), random)?,
            app,
            is_closed: AtomicBool::new(false),
        })
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

    fn handle(&self, arrival: Arrival, head: &Parts, body: &Bytes, may_block: bool) -> Outcome {
        if self.is_closed() {
            return Outcome::Reply(self.refuse(arrival, Some(head), BodyProblem::Overloaded));
        }
        (self.requests).handle(&self.app, arrival, head, may_block, |trail| {
            let mut rng = rng();
            let call = Call {
                now: now(),
                rng: &mut rng,
                peer: arrival.peer.ip(),
                may_block,
            };
            self.app.handle(call, trail, head, body)
        })
    }

    fn now_ms(&self) -> i64 {
        now().ms()
    }

    fn refuse(
        &self,
        arrival: Arrival,
        head: Option<&Parts>,
        problem: BodyProblem,
    ) -> Response<Bytes> {
        let refuse = || self.app.refuse(head, problem);
        (self.requests).refuse(&self.app, arrival, head, problem, refuse)
    }

    fn shrink_websockets_to(&self, all: usize) {
        self.app.services().places.shrink_to(all);
    }

    fn connection(&self, event: ConnectionEvent) {
        self.requests.connection(event);
    }
}
