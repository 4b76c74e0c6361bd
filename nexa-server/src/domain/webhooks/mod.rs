//! Webhooks: every event of a tenant with a receiver waits in the outbox, written with the event, until it is delivered.
//!
//! A row is due again until an attempt is written down, so what a crash cuts off is delivered once more: at least once, and
//! receivers know repeats by the event's id. Attempts of one tenant begin in the order of its events; those that have to be
//! repeated come later.

mod keys;
mod slots;

use rand_core::CryptoRng;

use super::agents as accounts;
use super::audit::Origin;
use super::error::Error;
use super::events::{self, ToldEvent};
use super::paging::{Page, Paged};
use super::principal::Member;
use crate::store::agents::{self, Agent};
use crate::store::webhooks::{self, Attempted, Delivery, Latest};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

pub(crate) use keys::{WebhookKeys, written};
pub(crate) use slots::{ALL as AT_ONCE, Slot, Slots};

const NOUN: &str = "Delivery";

/// The pauses after the first, the second, … attempt, in seconds: eight attempts in about 28 hours.
const PAUSES_S: [i64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
/// By how much a pause may be longer, in percent, so that what has failed together does not come back together.
const JITTER_PERCENT: u64 = 20;
/// The longest that a receiver may ask for, in seconds.
const RETRY_AFTER_MAX_S: i64 = 24 * 3600;
/// The longest pause of all, in seconds.
const PAUSE_MAX_S: i64 = RETRY_AFTER_MAX_S * (100 + JITTER_PERCENT as i64) / 100;
/// By how much the first attempt may seem to lie ahead, in seconds: events are told while somebody picks, who has asked for the
/// time before.
const FIRST_MAX_S: i64 = 2;

/// How long an attempt may take, in milliseconds: one that takes longer keeps others waiting, whatever is answered in the end.
const SWIFT_MS: i64 = 3_000;

/// What is to be sent, and where.
pub(crate) struct Errand {
    pub(crate) url: String,
    pub(crate) told: ToldEvent,
}

/// An attempt that was made.
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) at: UnixMillis,
}

/// What an attempt has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered {
        status: u16,
    },
    /// The receiver wants nothing more.
    Gone {
        status: u16,
    },
    Failed {
        /// None where nothing was answered.
        status: Option<u16>,
        problem: &'static str,
        /// What the receiver asks for, in seconds.
        retry_after_s: Option<u64>,
    },
}

/// What became of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Done,
    Again,
    /// That was the last attempt.
    GivenUp,
    /// The receiver is gone, and this was the first that is known of it.
    SwitchedOff,
}

/// What is due now, as much as may be under way at once, in turns of the tenants. What would be due later than after the longest
/// pause, or than now where it was never tried, was written by a clock that has been set back since, and is due now.
pub(crate) fn pick(store: &Store, now: UnixMillis, slots: &Slots) -> Result<Vec<Delivery>, Error> {
    let latest = Latest {
        first: now.plus_seconds(FIRST_MAX_S),
        again: now.plus_seconds(PAUSE_MAX_S),
    };
    if store.read(|tx| webhooks::is_ahead(tx, latest))? {
        store.write(move |tx| webhooks::bring_forward(tx, now, latest))?;
    }
    slots.fill(store, now)
}

/// What is to be sent for a delivery that was picked; `None` where that has changed since.
pub(crate) fn errand(tx: &Tx<'_>, delivery: &Delivery) -> Result<Option<Errand>, Error> {
    let Some(url) = webhooks::url(tx, delivery)? else {
        return Ok(None);
    };
    let told = events::find(tx, &delivery.tenant_id, &delivery.event_id)?;
    Ok(told.map(|told| Errand { url, told }))
}

/// When a delivery is due again after one more attempt has failed, at `now`; `None` after the last one.
pub(crate) fn next_at(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    delivery: &Delivery,
    outcome: &Outcome,
) -> Option<UnixMillis> {
    let attempts = usize::try_from(delivery.attempts).ok()?;
    let pause_s = *PAUSES_S.get(attempts)?;
    let asked_s = match outcome {
        Outcome::Failed {
            retry_after_s: Some(asked_s),
            ..
        } => i64::try_from(*asked_s).unwrap_or(i64::MAX),
        Outcome::Failed { .. } | Outcome::Delivered { .. } | Outcome::Gone { .. } => 0,
    };
    let pause_s = pause_s.max(asked_s.min(RETRY_AFTER_MAX_S));
    let percent = rng.next_u64() % (JITTER_PERCENT + 1);
    let jitter_ms = pause_s * 10 * i64::try_from(percent).unwrap_or(0);
    let next = now.plus_seconds(pause_s);
    Some(UnixMillis::from_ms(next.ms().saturating_add(jitter_ms)))
}

/// Writes down what an attempt has come to; `next_at` is when the delivery is due again if it has failed. Where the tenant
/// has set another URL meanwhile, a failure says nothing of that one: the delivery goes there now, with as many attempts as before.
pub(crate) fn settle(
    tx: &Tx<'_>,
    now: UnixMillis,
    delivery: &Delivery,
    sent: &Sent,
    outcome: &Outcome,
    next_at: Option<UnixMillis>,
) -> Result<Next, Error> {
    let took_long = now.ms().saturating_sub(sent.at.ms()) > SWIFT_MS;
    let (status, problem) = match outcome {
        Outcome::Delivered { status } => {
            webhooks::set_delivered(tx, delivery, &attempted(now, Some(*status), None))?;
            agents::set_webhook_degraded(tx, &delivery.tenant_id, took_long)?;
            return Ok(Next::Done);
        }
        Outcome::Gone { status } => (Some(*status), "the receiver is gone"),
        Outcome::Failed {
            status, problem, ..
        } => (*status, *problem),
    };
    let attempted = attempted(now, status, Some(problem));
    if (webhooks::url(tx, delivery)?).is_some_and(|in_force| in_force != sent.url) {
        webhooks::set_diverted(tx, delivery, &attempted)?;
        return Ok(Next::Again);
    }
    agents::set_webhook_degraded(tx, &delivery.tenant_id, true)?;
    if matches!(outcome, Outcome::Gone { .. })
        && agents::set_webhook_gone(tx, now, &delivery.tenant_id, &sent.url)?
    {
        webhooks::set_failed(tx, delivery, &attempted, None)?;
        webhooks::cancel(tx, &delivery.tenant_id)?;
        return Ok(Next::SwitchedOff);
    }
    webhooks::set_failed(tx, delivery, &attempted, next_at)?;
    Ok(match next_at {
        Some(_) => Next::Again,
        None => Next::GivenUp,
    })
}

fn attempted(at: UnixMillis, status: Option<u16>, problem: Option<&str>) -> Attempted<'_> {
    Attempted {
        at,
        status: status.map(i64::from),
        problem,
    }
}

/// Cancels what waits for a tenant.
pub(super) fn cancel(tx: &Tx<'_>, tenant_id: &str) -> Result<(), Error> {
    Ok(webhooks::cancel(tx, tenant_id)?)
}

/// What setting the URL of an agent means: a receiver that was gone is asked again, and what waits goes to the new one or, where
/// there is none, nowhere.
pub(super) fn url_was_set(tx: &Tx<'_>, agent: &mut Agent) -> Result<(), Error> {
    agent.webhook_gone_at = None;
    match agent.webhook_url {
        Some(_) => Ok(()),
        None => cancel(tx, &agent.tenant_id),
    }
}

/// The calling agent, with where its events go.
///
/// # Errors
/// `NotFound` for a tenant of people; `Forbidden` for a user who does not manage the tenant.
pub(crate) fn receiver(tx: &Tx<'_>, member: &Member) -> Result<Agent, Error> {
    accounts::managed(tx, member)
}

/// A delivery, and what it tells.
pub(crate) struct Logged {
    pub(crate) delivery: Delivery,
    pub(crate) told: ToldEvent,
}

/// The tenant's deliveries, newest first.
pub(crate) fn list(tx: &Tx<'_>, member: &Member, page: &Page) -> Result<Paged<Logged>, Error> {
    member.require_manager()?;
    let before = page.before.as_deref();
    let items = logged(tx, &member.tenant_id, before, page.probe())?;
    Ok(Paged::new(items, page, |item| &item.delivery.event_id))
}

/// Some deliveries of a tenant, newest first, older than the one of that event.
pub(super) fn logged(
    tx: &Tx<'_>,
    tenant_id: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Logged>, Error> {
    let rows = webhooks::list(tx, tenant_id, before, limit)?;
    let with_event = |delivery: Delivery| {
        let told = events::find(tx, tenant_id, &delivery.event_id)?.ok_or_else(|| {
            Error::Fault(format!("a delivery of no event: {}", delivery.event_id))
        })?;
        Ok(Logged { delivery, told })
    };
    rows.into_iter().map(with_event).collect()
}

/// Has an event delivered once more, now and as often as a new one, whatever became of it before.
///
/// # Errors
/// `NotFound`; `Conflict` where nothing is delivered to the tenant.
pub(crate) fn resend(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    event_id: &str,
) -> Result<(), Error> {
    let member = origin.principal.member()?;
    member.require_manager()?;
    if !webhooks::resend(tx, now, &member.tenant_id, event_id)? {
        return Err(Error::NotFound { noun: NOUN });
    }
    match agents::find(tx, &member.tenant_id)? {
        Some(agent) if agent.webhook_url.is_some() && agent.webhook_gone_at.is_none() => Ok(()),
        Some(_) | None => Err(Error::Conflict {
            rule: "There is no webhook_url, or its receiver has answered 410; set webhook_url first",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    const NOW: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

    fn delivery(attempts: i64) -> Delivery {
        Delivery {
            event_seq: 1,
            event_id: String::new(),
            tenant_id: String::new(),
            state: "waiting".to_owned(),
            round: 1,
            attempts,
            due_at: NOW,
            tried_at: None,
            status: None,
            problem: None,
            delivered_at: None,
        }
    }

    fn pause_ms(rng: &mut SeededRng, attempts: i64, retry_after_s: Option<u64>) -> Option<i64> {
        let outcome = Outcome::Failed {
            status: Some(503),
            problem: "",
            retry_after_s,
        };
        let next = next_at(NOW, rng, &delivery(attempts), &outcome);
        next.map(|next| next.ms() - NOW.ms())
    }

    #[test]
    fn pauses_grow_and_end_after_a_day_and_no_receiver_makes_them_endless() {
        let mut rng = SeededRng::new(1);
        let mut shortest_s = 0;
        for (attempts, pause_s) in PAUSES_S.into_iter().enumerate() {
            let attempts = i64::try_from(attempts).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..200 {
                let pause = pause_ms(&mut rng, attempts, None).unwrap();
                assert!(
                    (pause_s * 1000..=pause_s * 1200).contains(&pause),
                    "{attempts}: {pause}"
                );
                seen.insert(pause);
            }
            assert!(seen.len() > 10, "{attempts}: no jitter");
            shortest_s += pause_s;
        }
        assert!((24 * 3600..30 * 3600).contains(&shortest_s));
        assert_eq!(pause_ms(&mut rng, 7, None), None);
        assert_eq!(pause_ms(&mut rng, 7, Some(1)), None);
        let day_ms = RETRY_AFTER_MAX_S * 1000;
        for (asked_s, least_ms) in [(0, 5_000), (60, 60_000), (u64::MAX, day_ms)] {
            let pause = pause_ms(&mut rng, 0, Some(asked_s)).unwrap();
            assert!(
                (least_ms..=least_ms * 12 / 10).contains(&pause),
                "{asked_s}: {pause}"
            );
        }
    }
}
