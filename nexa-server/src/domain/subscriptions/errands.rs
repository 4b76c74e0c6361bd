//! What is to be done and asked for at the payment provider for a subscription, noted before it is, so that a crash in between
//! is known of.

use super::super::error::Error;
use super::super::mails::pause_s;
use super::GRACE_S;
use crate::store::Tx;
use crate::store::subscriptions::{self, Errand, Subscription};
use crate::time::UnixMillis;

/// How often the provider is asked for charges of a subscription that is not paid, in seconds.
const ASK_EVERY_S: i64 = 24 * 3600;
/// When it is asked again after it has not answered, in seconds.
const ASK_AGAIN_S: i64 = 600;
/// How often something is searched for whose making was never answered, with growing pauses: most of an hour. A call that was
/// cut off may still be on its way.
const SEARCHES: i64 = 8;

impl Subscription {
    pub(super) fn finish(&mut self, now: UnixMillis) {
        self.ended_at = Some(now);
        self.ask_at = Some(now.plus_seconds(GRACE_S));
    }

    /// Has the provider cancel it, unless that is done or there is nothing to cancel.
    pub(super) fn leave(&mut self, now: UnixMillis) {
        let is_there = self.provider_id.is_some() || self.tried_at.is_some();
        if self.canceled_at.is_none() {
            self.errand = is_there.then_some(Errand::Cancel);
            self.due_at = is_there.then_some(now);
            self.attempts = 0;
        }
    }
}

/// Whether it makes sense to go on searching after so many searches.
pub(crate) const fn is_searched_for(attempts: i64) -> bool {
    attempts < SEARCHES
}

/// Notes that the provider is about to be asked to do a subscription's errand, and when to try again; false when there is
/// another one by now.
pub(crate) fn trying(
    tx: &Tx<'_>,
    now: UnixMillis,
    subscription: &Subscription,
) -> Result<bool, Error> {
    let found = subscriptions::find(tx, &subscription.id)?;
    let Some(mut current) = found.filter(|current| current.errand == subscription.errand) else {
        return Ok(false);
    };
    current.tried_at = current.tried_at.or(Some(now));
    current.due_at = Some(now.plus_seconds(pause_s(current.attempts)));
    current.attempts += 1;
    subscriptions::update(tx, &current)?;
    Ok(true)
}

/// The provider has made the subscription, and calls it so. If it was canceled meanwhile, it is to be canceled there too.
pub(crate) fn created(
    tx: &Tx<'_>,
    now: UnixMillis,
    id: &str,
    provider_id: &str,
) -> Result<(), Error> {
    let Some(mut current) = subscriptions::find(tx, id)? else {
        return Ok(());
    };
    current.provider_id = Some(provider_id.to_owned());
    let is_over = current.canceled_at.is_some() || current.ended_at.is_some();
    (current.errand, current.due_at) = match is_over {
        true => (Some(Errand::Cancel), Some(now)),
        false => (None, None),
    };
    Ok(subscriptions::update(tx, &current)?)
}

/// The provider has cancelled the subscription, or never had it.
pub(crate) fn cancelled(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    match subscriptions::find(tx, id)? {
        Some(mut current) if current.errand == Some(Errand::Cancel) => {
            (current.errand, current.due_at) = (None, None);
            Ok(subscriptions::update(tx, &current)?)
        }
        Some(_) | None => Ok(()),
    }
}

/// Notes that the provider is about to be asked for charges.
pub(crate) fn asking(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), Error> {
    let Some(mut current) = subscriptions::find(tx, id)? else {
        return Ok(());
    };
    current.ask_at = Some(now.plus_seconds(ASK_AGAIN_S));
    Ok(subscriptions::update(tx, &current)?)
}

/// The provider has told of all charges there were. It is asked again before the subscription ends, and once after that: a
/// charge may have been on its way.
pub(crate) fn asked(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), Error> {
    let Some(mut current) = subscriptions::find(tx, id)? else {
        return Ok(());
    };
    let tomorrow = now.plus_seconds(ASK_EVERY_S);
    let end = current.paid_until.plus_seconds(GRACE_S);
    let last = current.ended_at.map(|at| at.plus_seconds(GRACE_S));
    current.ask_at = match last {
        Some(last) => (last > now).then_some(last),
        None if current.paid_until > now => Some(current.paid_until),
        None if end > now => Some(tomorrow.min(end)),
        None => Some(tomorrow),
    };
    current.asked_at = Some(now);
    Ok(subscriptions::update(tx, &current)?)
}
