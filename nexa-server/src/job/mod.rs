//! What happens by the clock instead of by a request.

pub(crate) mod errands;
pub(crate) mod mail;
pub(crate) mod payments;
pub(crate) mod webhooks;

use crate::api::Services;
use crate::domain::audit::checkpoint;
use crate::domain::{credits, keys, notices, subscriptions, sweep};
use crate::time::UnixMillis;

/// How often [`tick`] and the other jobs are due, in seconds: also the bound on how late `last_used_at` reaches the store.
pub(crate) const TICK_S: u64 = 5;

/// One round: writes collected uses of keys and ends of credit periods, carries notices, removes what has run out, and lets go
/// of limits that are whole again. Keys of the server take over.
pub(crate) fn tick(services: &Services, now: UnixMillis) {
    if let Err(error) = keys::flush_uses(&services.store, &services.cache) {
        tracing::warn!(%error, "uses of keys could not be written; they are kept for the next round");
    }
    if let Err(error) = keys::sweep_values(&services.store, now) {
        tracing::warn!(%error, "replaced values of keys could not be removed; they have expired all the same");
    }
    match credits::expire(&services.store, now, &services.tariff) {
        Ok(failed) => {
            for (tenant_id, error) in failed {
                tracing::error!(tenant_id, %error, "the end of a credit period could not be written; it counts all the same");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "ends of credit periods could not be written; they count all the same");
        }
    }
    let must_ask = services.payments.is_some();
    match subscriptions::end_unpaid(&services.store, now, &services.tariff, must_ask) {
        Ok(failed) => {
            for (subscription, error) in failed {
                tracing::error!(subscription, %error, "a subscription that is not paid could not be ended; the next round tries again");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "subscriptions that are not paid could not be ended; the next round tries again");
        }
    }
    carry_notices(services, now);
    if let Err(error) = sweep::expired(&services.store, now) {
        tracing::warn!(%error, "what has run out could not be removed; it is dead all the same");
    }
    if let Err(error) = checkpoint::keep_when_due(&services.store, now, &services.audit_key) {
        tracing::warn!(%error, "no checkpoint of the audit trail could be kept; the next round tries again");
    }
    if let Err(error) = services.ring.go_on(&services.store, now) {
        tracing::warn!(%error, "what is due of the server's keys could not be done; the next round tries again");
    }
    services.cache.sweep(now);
    services.limiter.sweep(now);
}

fn carry_notices(services: &Services, now: UnixMillis) {
    match notices::carry_due(&services.store, now) {
        Ok(carried) => {
            if carried.mails > 0 {
                services.mail_due.notify_one();
            }
            for (notice, error) in carried.failed {
                tracing::error!(notice, %error, "a notice could not be carried; the next round tries again");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "notices could not be carried; the next round tries again");
        }
    }
}

/// The round after the last request: as [`tick`], and a checkpoint of all that was recorded.
pub(crate) fn last_tick(services: &Services, now: UnixMillis) {
    tick(services, now);
    if let Err(error) = checkpoint::keep_last(&services.store, now, &services.audit_key) {
        tracing::warn!(%error, "no checkpoint of the end of the audit trail could be kept");
    }
}
