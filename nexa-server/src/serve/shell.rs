//! The app with a clock and a random source, as sockets and callers in process see it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::{now, rng};
use crate::app::{App, Call};
use crate::http::{BodyProblem, Outcome, Plan, Serve};

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

    fn refuse(&self, head: Option<&Parts>, problem: BodyProblem) -> Response<Bytes> {
        self.app.refuse(head, problem)
    }
}

