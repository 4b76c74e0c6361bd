//! Delivers webhooks: picks what is due, and sends each on a thread of its own.

use rand_core::CryptoRng;

use crate::api::{Services, events};
use crate::domain::Error;
use crate::domain::webhooks::{self, Errand, Next, Outcome};
use crate::outbound::webhooks::{Answer, Post};
use crate::store::webhooks::Delivery;
use crate::time::UnixMillis;

/// Takes what is due and has a place; each is to be given to [`deliver`].
pub(crate) fn pick(services: &Services, now: UnixMillis) -> Vec<Delivery> {
    match webhooks::pick(&services.store, now, &services.webhook_slots) {
        Ok(picked) => picked,
        Err(error) => {
            tracing::warn!(%error, "webhooks wait: the store does not answer");
            Vec::new()
        }
    }
}

/// Makes one attempt at a delivery that was picked, and writes down what it has come to.
pub(crate) fn deliver(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    delivery: &Delivery,
) {
    let slot = services.webhook_slots.of(delivery);
    let attempted = attempt(services, now, rng, delivery);
    let event = delivery.event_id.as_str();
    let tenant_id = delivery.tenant_id.as_str();
    match attempted {
        Ok(None) => {}
        Ok(Some(next)) => {
            slot.note(next == Next::Done);
            match next {
                Next::Done | Next::Again => {}
                Next::GivenUp => {
                    tracing::warn!(
                        tenant_id,
                        event,
                        "a webhook could not be delivered and is given up"
                    );
                }
                Next::SwitchedOff => {
                    tracing::warn!(
                        tenant_id,
                        event,
                        "the receiver of a tenant's webhooks is gone; they are switched off"
                    );
                }
            }
        }
        Err(error) => {
            slot.rest(now);
            tracing::error!(tenant_id, event, %error, "what became of a webhook could not be written down; it is sent again in a while");
        }
    }
    drop(slot);
    // Its place is free for the next one.
    services.webhooks_due.notify_one();
}

fn attempt(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    delivery: &Delivery,
) -> Result<Option<Next>, Error> {
    let store = &services.store;
    let Some(Errand { url, told }) = store.read(|tx| webhooks::errand(tx, delivery))? else {
        return Ok(None);
    };
    let body = events::payload(&told)?;
    let signature = services.webhook_keys.sign(now, &told.id, &body)?;
    let outcome = outcome(services.webhook_sender.send(&Post {
        url: &url,
        id: &told.id,
        timestamp: now.seconds().get(),
        signature: &signature,
        body: &body,
    }));
    tracing::debug!(
        tenant_id = delivery.tenant_id,
        event = told.id,
        ?outcome,
        "a webhook was sent"
    );
    let next_at = webhooks::next_at(now, rng, delivery, &outcome);
    let delivery = delivery.clone();
    store
        .write(move |tx| webhooks::settle(tx, now, &delivery, &url, &outcome, next_at))
        .map(Some)
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
