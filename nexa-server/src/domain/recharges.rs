//! Balances that are topped up by themselves: when, by how much, and how long it is tried.

use super::audit::{self, Act, Origin};
use super::credits::Account;
use super::error::Error;
use super::money::MILLICENTS_A_CENT;
use super::payments::{call_off, top_up};
use crate::store::Tx;
use crate::store::auto_recharges::{self, AutoRecharge};
use crate::store::credits::Recharge;
use crate::store::payments::{self, Kind, Payment, State};
use crate::time::UnixMillis;

/// Failures, one after the other, after which nothing is charged until somebody enables it again.
const FAILURES_MAX: i64 = 3;
/// Between a failure and the next charge, in seconds.
const PAUSE_S: i64 = 3600;
/// Charges of one tenant in a day: whoever has got hold of a licence is not to empty an account with it.
const A_DAY_MAX: i64 = 10;
const SECONDS_A_DAY: i64 = 24 * 3600;

/// How a tenant's recharge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The payment that sets it up has not arrived.
    Pending,
    Active,
    Disabled,
    /// It has failed too often.
    Paused,
}

impl AutoRecharge {
    pub(crate) const fn standing(&self) -> Standing {
        match self {
            Self {
                is_enabled: false, ..
            } => Standing::Disabled,
            Self {
                paused_at: Some(_), ..
            } => Standing::Paused,
            Self {
                is_ready: false, ..
            } => Standing::Pending,
            Self { .. } => Standing::Active,
        }
    }
}

/// What is to change; a member that is not there stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    pub(crate) is_enabled: Option<bool>,
    pub(crate) threshold_mc: Option<i64>,
    pub(crate) cents: Option<i64>,
}

/// The calling tenant's recharge, if it has one.
pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<AutoRecharge>, Error> {
    Ok(auto_recharges::find(tx, tenant_id)?)
}

/// Writes down what is to be recharged; it begins when the payment that sets it up has arrived. One that is there already
/// goes on with the new terms.
///
/// # Errors
/// `Invalid` for `threshold_eur`.
pub(super) fn set_up(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    threshold_mc: i64,
    cents: i64,
) -> Result<(), Error> {
    let tenant_id = &origin.principal.member()?.tenant_id;
    let is_ready = auto_recharges::find(tx, tenant_id)?.is_some_and(|earlier| earlier.is_ready);
    let recharge = AutoRecharge {
        tenant_id: tenant_id.clone(),
        is_enabled: true,
        is_ready,
        threshold_mc,
        amount_cents: cents,
        failures: 0,
        retry_at: None,
        paused_at: None,
    };
    put(tx, now, origin, &recharge)
}

/// Changes the calling tenant's recharge; enabling it ends a pause.
///
/// # Errors
/// `NotFound`; `Invalid` naming the field.
pub(crate) fn change(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    change: Change,
) -> Result<AutoRecharge, Error> {
    let member = origin.principal.member()?;
    let mut recharge = auto_recharges::find(tx, &member.tenant_id)?.ok_or(NOT_FOUND)?;
    if let Some(is_enabled) = change.is_enabled {
        recharge.is_enabled = is_enabled;
        (recharge.failures, recharge.retry_at, recharge.paused_at) = (0, None, None);
        if !is_enabled {
            call_off_untried(tx, &member.tenant_id)?;
        }
    }
    if let Some(threshold_mc) = change.threshold_mc {
        recharge.threshold_mc = threshold_mc;
    }
    if let Some(cents) = change.cents {
        recharge.amount_cents = top_up(cents)?;
    }
    put(tx, now, origin, &recharge)?;
    Ok(recharge)
}

/// Ends the calling tenant's recharge. A charge that the provider may know of is not called off.
///
/// # Errors
/// `NotFound`.
pub(crate) fn remove(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<(), Error> {
    let tenant_id = &origin.principal.member()?.tenant_id;
    match auto_recharges::delete(tx, tenant_id)? {
        true => {
            call_off_untried(tx, tenant_id)?;
            record(tx, now, origin, tenant_id)
        }
        false => Err(NOT_FOUND),
    }
}

/// Nobody who has said that no more is to be charged is charged after that, as far as it can be helped.
fn call_off_untried(tx: &Tx<'_>, tenant_id: &str) -> Result<(), Error> {
    let charge = payments::recharge_on_its_way(tx, tenant_id)?;
    match charge.filter(|charge| charge.tried_at.is_none()) {
        Some(charge) => call_off(tx, charge),
        None => Ok(()),
    }
}

/// Writes down a charge if the balance is below the threshold, or would be by a use that it does not cover and that it would
/// cover after the charge. Not while a charge is on its way, nor more than [`A_DAY_MAX`] of them in a day. Whether it did.
pub(super) fn begin_if_due(
    tx: &Tx<'_>,
    now: UnixMillis,
    account: &Account<'_>,
    uncovered_mc: i64,
    payment_id: &str,
) -> Result<bool, Error> {
    let total_mc = account.balance().total_mc();
    let is_due = |terms: &&Recharge| {
        let amount_mc = terms.amount_cents.saturating_mul(MILLICENTS_A_CENT);
        total_mc.saturating_sub(uncovered_mc) < terms.threshold_mc
            && uncovered_mc
                <= total_mc
                    .saturating_add(account.lent_mc())
                    .saturating_add(amount_mc)
    };
    let Some(terms) = account.recharge().filter(is_due) else {
        return Ok(false);
    };
    let tenant_id = account.tenant_id();
    let is_too_soon = auto_recharges::find(tx, tenant_id)?
        .is_none_or(|recharge| recharge.retry_at.is_some_and(|retry_at| retry_at > now));
    let a_day_ago = now.plus_seconds(-SECONDS_A_DAY);
    if is_too_soon
        || payments::recharge_on_its_way(tx, tenant_id)?.is_some()
        || payments::recharges_since(tx, tenant_id, a_day_ago)? >= A_DAY_MAX
    {
        return Ok(false);
    }
    let payment = Payment {
        id: payment_id.to_owned(),
        tenant_id: tenant_id.to_owned(),
        kind: Kind::Recharge,
        plan_id: None,
        subscription_id: None,
        amount_cents: terms.amount_cents,
        currency: account.currency().to_owned(),
        state: State::New,
        provider_id: None,
        redirect_url: None,
        checkout_url: None,
        created_at: now,
        tried_at: None,
        due_at: Some(now),
        attempts: 0,
    };
    payments::insert(tx, &payment)?;
    Ok(true)
}

/// Whether a charge that is written down is still to be made: not after somebody has said that no more is to be charged, nor
/// a day later without anybody having been asked for it.
pub(super) fn is_wanted(tx: &Tx<'_>, now: UnixMillis, charge: &Payment) -> Result<bool, Error> {
    let recharge = auto_recharges::find(tx, &charge.tenant_id)?;
    let is_on = recharge.is_some_and(|recharge| recharge.standing() == Standing::Active);
    let is_recent = charge.created_at.plus_seconds(SECONDS_A_DAY) > now;
    Ok(is_on && (is_recent || charge.tried_at.is_some()))
}

/// A top-up has arrived: the recharge that it sets up begins, and one that has failed before has not.
pub(super) fn paid(tx: &Tx<'_>, payment: &Payment) -> Result<(), Error> {
    let is_of_recharge = match payment.kind {
        Kind::RechargeSetup | Kind::Recharge => true,
        Kind::Topup | Kind::Subscription | Kind::Renewal => false,
    };
    if is_of_recharge && let Some(mut recharge) = auto_recharges::find(tx, &payment.tenant_id)? {
        recharge.is_ready = true;
        (recharge.failures, recharge.retry_at) = (0, None);
        auto_recharges::put(tx, &recharge)?;
    }
    Ok(())
}

/// A charge has failed: it is tried again later, and not for ever.
pub(super) fn failed(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    if let Some(mut recharge) = auto_recharges::find(tx, tenant_id)? {
        recharge.failures += 1;
        recharge.retry_at = Some(now.plus_seconds(PAUSE_S));
        if recharge.failures >= FAILURES_MAX {
            recharge.paused_at = Some(now);
        }
        auto_recharges::put(tx, &recharge)?;
    }
    Ok(())
}

/// Charges nothing more until somebody enables it again.
pub(super) fn pause(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    if let Some(mut recharge) = auto_recharges::find(tx, tenant_id)? {
        recharge.paused_at = recharge.paused_at.or(Some(now));
        auto_recharges::put(tx, &recharge)?;
    }
    Ok(())
}

/// Ends the recharge of a tenant that ends.
pub(super) fn delete(tx: &Tx<'_>, tenant_id: &str) -> Result<(), Error> {
    auto_recharges::delete(tx, tenant_id)?;
    Ok(())
}

const NOT_FOUND: Error = Error::NotFound {
    noun: "Auto-recharge",
};

fn put(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    recharge: &AutoRecharge,
) -> Result<(), Error> {
    // One charge is to bring the balance above the threshold; otherwise each report would make another one.
    if recharge.threshold_mc > recharge.amount_cents.saturating_mul(MILLICENTS_A_CENT) {
        let rule = "must not be more than amountEur";
        return Err(Error::invalid("threshold_eur", rule));
    }
    auto_recharges::put(tx, recharge)?;
    record(tx, now, origin, &recharge.tenant_id)
}

fn record(tx: &Tx<'_>, now: UnixMillis, origin: &Origin, tenant_id: &str) -> Result<(), Error> {
    let (tenant_id, subject) = (Some(tenant_id), Some(tenant_id));
    audit::record(
        tx,
        now,
        origin,
        Act::AutoRechargeChanged,
        tenant_id,
        subject,
    )
}
