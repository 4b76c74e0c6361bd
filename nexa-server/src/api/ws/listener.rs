//! One WebSocket as the app sees it: which events it is still to be told, and whether its credential still stands.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::events::payload;
use super::super::route::{Cx, Services};
use super::hub::Subscription;
use crate::domain::Error;
use crate::domain::events::{self, ToldEvent};
use crate::gate::access::Access;
use crate::gate::credential::Kept;
use crate::http::websocket::{Closing, Feed, Place, Said, Then};
use crate::time::UnixMillis;

/// The events that are read at once; the next ones when the peer has taken these.
const BATCH: u32 = 32;

/// How long a credential is not asked about when nothing is heard, at least and at most, in milliseconds: most die by what is
/// announced or by their own end, which the listener knows; this is for what neither tells, as when a session runs out a little
/// before the last token of it.
const PAUSE_MS: (u64, u64) = (20_000, 40_000);

const DEAD: Closing = Closing {
    code: 4401,
    reason: "the credential does not stand any more",
};

const FAULT: Closing = Closing {
    code: 1011,
    reason: "something went wrong on the server; connect again",
};

pub(super) struct Listener {
    services: Arc<Services>,
    subscription: Subscription,
    credential: Kept,
    address: Option<IpAddr>,
    /// Of the last event that was read.
    after_seq: i64,
    hello: Option<String>,
    /// Each one's own, so that those who came together do not ask together for ever.
    pause_ms: u64,
}

impl Listener {
    pub(super) fn new(
        cx: &mut Cx<'_>,
        subscription: Subscription,
        credential: Kept,
        after_seq: i64,
        hello: String,
    ) -> Self {
        let (least, most) = PAUSE_MS;
        Self {
            services: Arc::clone(cx.services),
            subscription,
            credential,
            address: cx.origin.address,
            after_seq,
            hello: Some(hello),
            pause_ms: least + u64::from(cx.rng.next_u32()) % (most - least),
        }
    }

    pub(super) fn feed(mut self, place: Place) -> Feed {
        Feed {
            place: Some(place),
            woken: self.subscription.woken(),
            ask: Box::new(move |now_ms| self.say(UnixMillis::from_ms(now_ms))),
        }
    }

    fn say(&mut self, now: UnixMillis) -> Said {
        self.next(now).unwrap_or_else(|closing| Said {
            texts: Vec::new(),
            then: Then::Close(closing),
        })
    }

    /// Events first, the credential second: what was weakened with one of these events, or before it, is seen.
    fn next(&mut self, now: UnixMillis) -> Result<Said, Closing> {
        let tenant_id = self.subscription.tenant_id();
        let told = (self.services.store)
            .read(|tx| events::after(tx, tenant_id, self.after_seq, BATCH))
            .map_err(|error| closing(&error))?;
        let (member, until) = (self.services.authority(true))
            .again(now, Access::WebsocketMember, self.address, &self.credential)
            .map_err(|error| closing(&error))?;
        let mut texts: Vec<String> = self.hello.take().into_iter().collect();
        for event in told.iter().filter(|event| event.is_seen_by(&member)) {
            texts.push(frame(event).map_err(|error| closing(&error))?);
        }
        if let Some(last) = told.last() {
            self.after_seq = last.seq;
        }
        let then = match told.len() == BATCH as usize {
            true => Then::GoOn,
            false => Then::Rest(self.rest(now, until)),
        };
        Ok(Said { texts, then })
    }

    /// Until the credential ends by itself, or is asked about anyway.
    fn rest(&self, now: UnixMillis, until: Option<UnixMillis>) -> Duration {
        /// The wall clock may be behind the clock that this is waited by.
        const LEAST_MS: u64 = 5;
        let left_ms = until.map(|until| until.ms().saturating_sub(now.ms()));
        let left_ms = left_ms.and_then(|left| u64::try_from(left).ok());
        let rest_ms = left_ms.map_or(self.pause_ms, |left| left.min(self.pause_ms));
        Duration::from_millis(rest_ms.max(LEAST_MS))
    }
}

/// The same as webhooks tell, in an envelope.
fn frame(event: &ToldEvent) -> Result<String, Error> {
    Ok(format!(r#"{{"type":"event","event":{}}}"#, payload(event)?))
}

/// A refusal is the end of the credential. What the server cannot tell is none, and goes no further either.
fn closing(error: &Error) -> Closing {
    match error {
        Error::Store(_) | Error::Fault(_) | Error::NotInMemory | Error::Busy { .. } => {
            tracing::error!(%error, "a WebSocket is closed");
            FAULT
        }
        _ => DEAD,
    }
}
