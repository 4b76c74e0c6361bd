//! Delivers webhooks: picks what is due, sends it, and writes down what became of it.

use rand_core::CryptoRng;

use crate::api::{Services, events};
use crate::domain::Error;
use crate::domain::webhooks::{self, Errand, Next, Outcome, Sent, Slot};
use crate::outbound::webhooks::{Answer, Post, Sender};
use crate::store::Tx;
use crate::store::webhooks::Delivery;
use crate::time::UnixMillis;

/// Takes what is due and has a place; each is to be given to [`begin`].
pub(crate) fn pick(services: &Services, now: UnixMillis) -> Vec<Delivery> {
    match webhooks::pick(&services.store, now, &services.webhook_slots) {
        Ok(picked) => picked,
        Err(error) => {
            tracing::warn!(%error, "webhooks wait: the store does not answer");
            Vec::new()
        }
    }
}

/// An attempt that is under way, with its place. It holds nothing of the store: a receiver that hangs does not keep it open.
pub(crate) struct Attempt {
    slot: Slot,
    delivery: Delivery,
    sent: Sent,
    signature: String,
    body: String,
}

/// Signs one attempt at a delivery that was picked; `None` where that is over since, or cannot be made now.
pub(crate) fn begin(services: &Services, now: UnixMillis, delivery: Delivery) -> Option<Attempt> {
    let slot = services.webhook_slots.of(&delivery);
    match prepare(services, now, &delivery) {
        Ok(Some((url, signature, body))) => Some(Attempt {
            slot,
            delivery,
            sent: Sent { url, at: now },
            signature,
            body,
        }),
        Ok(None) => {
            leave(services, slot);
            None
        }
        Err(error) => {
            rest(services, slot, now, &delivery, &error);
            None
        }
    }
}

impl Attempt {
    /// Posts it, and waits for the answer.
    pub(crate) fn send(&self, sender: &Sender) -> Outcome {
        outcome(sender.send(&Post {
            url: &self.sent.url,
            id: &self.delivery.event_id,
            timestamp: self.sent.at.seconds().get(),
            signature: &self.signature,
            body: &self.body,
        }))
    }
}

/// Writes down what an attempt has come to: `now` is after the answer, and pauses begin then.
pub(crate) fn end(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    attempt: Attempt,
    outcome: Outcome,
) {
    let Attempt {
        slot,
        delivery,
        sent,
        ..
    } = attempt;
    let (event, tenant_id) = (delivery.event_id.as_str(), delivery.tenant_id.as_str());
    tracing::debug!(tenant_id, event, ?outcome, "a webhook was sent");
    let next_at = webhooks::next_at(now, rng, &delivery, &outcome);
    let settled = delivery.clone();
    let settle = move |tx: &Tx<'_>| webhooks::settle(tx, now, &settled, &sent, &outcome, next_at);
    match services.store.write(settle) {
        Ok(Next::Done | Next::Again) => {}
        Ok(Next::GivenUp) => {
            tracing::warn!(
                tenant_id,
                event,
                "a webhook could not be delivered and is given up"
            );
        }
        Ok(Next::SwitchedOff) => {
            tracing::warn!(
                tenant_id,
                event,
                "the receiver of a tenant's webhooks is gone; they are switched off"
            );
        }
        Err(error) => return rest(services, slot, now, &delivery, &error),
    }
    leave(services, slot);
}

/// Where it goes, its signature and its body.
fn prepare(
    services: &Services,
    now: UnixMillis,
    delivery: &Delivery,
) -> Result<Option<(String, String, String)>, Error> {
    let errand = (services.store).read(|tx| webhooks::errand(tx, delivery))?;
    let Some(Errand { url, told }) = errand else {
        return Ok(None);
    };
    let body = events::payload(&told)?;
    let signature = services.webhook_keys.sign(now, &told.id, &body)?;
    Ok(Some((url, signature, body)))
}

/// Gives the place to the next one.
fn leave(services: &Services, slot: Slot) {
    drop(slot);
    services.webhooks_due.notify_one();
}

fn rest(services: &Services, slot: Slot, now: UnixMillis, delivery: &Delivery, error: &Error) {
    let (event, tenant_id) = (delivery.event_id.as_str(), delivery.tenant_id.as_str());
    slot.rest(now);
    tracing::error!(tenant_id, event, %error, "what became of a webhook could not be written down; it is sent again in a while");
    leave(services, slot);
}

fn outcome(answered: Result<Answer, &'static str>) -> Outcome {
    match answered {
        Ok(answer) => match answer.status {
            status @ 200..=299 => Outcome::Delivered { status },
            status @ 410 => Outcome::Gone { status },
            status => Outcome::Failed {
                status: Some(status),
                problem: match status {
                    300..=399 => "redirects are not followed",
                    _ => "the status means failure",
                },
                retry_after_s: answer.retry_after_s,
            },
        },
        Err(problem) => Outcome::Failed {
            status: None,
            problem,
            retry_after_s: None,
        },
    }
}
