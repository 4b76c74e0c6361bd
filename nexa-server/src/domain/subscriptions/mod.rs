//! Subscriptions: a plan that is paid for month by month, and what a tenant has for it.

mod errands;

use std::sync::Arc;

use super::audit::{self, Act, Origin};
use super::credits;
use super::error::Error;
use super::notices::{self, Notice};
use super::payments::Learned;
use super::principal::Principal;
use super::tariff::{Plan, Tariff};
use crate::store::payments::{self, Payment};
use crate::store::subscriptions::{self, Errand, Subscription};
use crate::store::{Store, Tx, payment_customers, tenants};
use crate::time::UnixMillis;

pub(crate) use errands::{asked, asking, cancelled, created, is_searched_for, trying};

/// How long a plan goes on while the payment of another month has not arrived, in seconds: a direct debit takes days.
const GRACE_S: i64 = 7 * 24 * 3600;

/// How a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Active,
    /// The payment of another month has not arrived.
    PastDue,
    /// It goes on to the end of what is paid.
    Canceled,
}

impl Subscription {
    pub(crate) fn standing(&self, now: UnixMillis) -> Standing {
        match self.canceled_at {
            Some(_) => Standing::Canceled,
            None if self.paid_until <= now => Standing::PastDue,
            None => Standing::Active,
        }
    }
}

/// Says in the log which plans tenants pay for that are not in the configuration: they are charged and get nothing for it.
pub(crate) fn warn_of_unknown_plans(store: &Store, tariff: &Tariff) -> Result<(), Error> {
    for (plan_id, tenants) in store.read(subscriptions::live_plans)? {
        if tariff.plan(&plan_id).is_none() {
            tracing::error!(
                plan_id,
                tenants,
                "tenants pay for a plan that is not in [[plans]]: they get no credits for it"
            );
        }
    }
    Ok(())
}

/// What a tenant is subscribed to.
pub(crate) struct Own {
    /// What it has, paid for or not.
    pub(crate) plan_id: Option<String>,
    pub(crate) subscription: Option<Subscription>,
}

/// What a tenant has.
pub(crate) fn own(tx: &Tx<'_>, tariff: &Tariff, tenant_id: &str) -> Result<Own, Error> {
    let is_agent = tenants::find(tx, tenant_id)?.is_some_and(|tenant| tenant.kind == "agent");
    let stored = tenants::plan(tx, tenant_id)?;
    let plan = tariff.plan_of(stored.as_deref(), is_agent);
    Ok(Own {
        plan_id: plan.map(|plan| plan.id.clone()).or(stored),
        subscription: subscriptions::live(tx, tenant_id)?,
    })
}

/// What the first month of a plan costs a tenant.
///
/// # Errors
/// `Invalid` for `plan_id`; `Conflict` when the tenant pays for that plan.
pub(super) fn price_cents(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    tenant_id: &str,
    plan_id: &str,
) -> Result<i64, Error> {
    let refused = |rule: &str| Err(Error::invalid("plan_id", rule));
    let price_cents = match tariff.plan(plan_id) {
        None => return refused("must be the id of a plan"),
        Some(Plan { price_cents: 0, .. }) => {
            return refused("costs nothing: whoever has no other plan has it");
        }
        Some(plan) => plan.price_cents,
    };
    let live = subscriptions::live(tx, tenant_id)?;
    let pays =
        |live: Subscription| live.plan_id == plan_id && live.standing(now) == Standing::Active;
    match live.is_some_and(pays) {
        true => Err(Error::Conflict {
            rule: "The tenant is subscribed to this plan",
        }),
        false => Ok(price_cents),
    }
}

/// The first month of a plan is paid: the tenant has it from now on. Whoever had canceled the same plan goes on with it; any
/// other one ends.
pub(super) fn begin(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    payment: &Payment,
    customer_id: Option<&str>,
) -> Result<Learned, Error> {
    let tenant_id = &payment.tenant_id;
    let Some(plan_id) = &payment.plan_id else {
        return Err(Error::Fault(format!("payment {} has no plan", payment.id)));
    };
    if tenants::is_active(tx, tenant_id)? != Some(true) {
        return Ok(Learned::Strange("its tenant is not active any more"));
    }
    let (mut started_at, mut months) = (now, 1);
    if let Some(mut before) = subscriptions::live(tx, tenant_id)? {
        if before.plan_id == *plan_id && before.paid_until > now {
            (started_at, months) = (before.started_at, before.months.saturating_add(1));
        }
        before.finish(now);
        before.leave(now);
        subscriptions::update(tx, &before)?;
    }
    let customer = payment_customers::find(tx, tenant_id)?;
    // Without a customer there nothing can be charged again: it is as good as canceled.
    let is_customer = customer.is_some_and(|customer| {
        customer.provider_id.is_some() && customer.provider_id.as_deref() == customer_id
    });
    let subscription = Subscription {
        id: payment.id.clone(),
        tenant_id: tenant_id.clone(),
        plan_id: plan_id.clone(),
        price_cents: payment.amount_cents,
        currency: payment.currency.clone(),
        customer_id: customer_id.unwrap_or_default().to_owned(),
        provider_id: None,
        started_at,
        months,
        paid_until: started_at.plus_months(months),
        canceled_at: (!is_customer).then_some(now),
        ended_at: None,
        ask_at: Some(started_at.plus_months(months)),
        asked_at: None,
        errand: is_customer.then_some(Errand::Create),
        tried_at: None,
        due_at: is_customer.then_some(now),
        attempts: 0,
    };
    subscriptions::insert(tx, &subscription)?;
    let payment = Payment {
        subscription_id: Some(subscription.id.clone()),
        ..payment.clone()
    };
    payments::update(tx, &payment)?;
    tenants::set_plan(tx, tenant_id, Some(plan_id))?;
    credits::plan_changed(tx, now, tariff, tenant_id)?;
    record(tx, now, &machine(), Act::SubscriptionBegun, &subscription)?;
    Ok(Learned::Done)
}

/// Another month is paid, maybe late: whoever has subscribed to the same plan anew meanwhile has that month there, and whoever
/// has no plan any more has it once more. False when there is nothing that it could count for.
pub(super) fn renew(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    payment: &Payment,
    provider_id: Option<&str>,
) -> Result<bool, Error> {
    let found = match &payment.subscription_id {
        Some(id) => subscriptions::find(tx, id)?,
        None => None,
    };
    let Some(mut subscription) = found else {
        return Ok(false);
    };
    if subscription.provider_id.is_none() {
        subscription.provider_id = provider_id.map(str::to_owned);
    }
    if subscription.canceled_at.is_some() || subscription.ended_at.is_some() {
        // Whatever was to cancel it may not have come through.
        (subscription.errand, subscription.due_at) = (Some(Errand::Cancel), Some(now));
        subscription.attempts = 0;
    }
    subscriptions::update(tx, &subscription)?;
    let Some(mut subscription) = renewable(tx, now, subscription)? else {
        return Ok(false);
    };
    subscription.months = subscription.months.saturating_add(1);
    subscription.paid_until = subscription.started_at.plus_months(subscription.months);
    subscription.ask_at = Some(subscription.paid_until);
    subscriptions::update(tx, &subscription)?;
    let Subscription {
        tenant_id, plan_id, ..
    } = &subscription;
    tenants::set_plan(tx, tenant_id, Some(plan_id))?;
    credits::plan_changed(tx, now, tariff, tenant_id)?;
    record(tx, now, &machine(), Act::SubscriptionRenewed, &subscription)?;
    Ok(true)
}

/// The subscription that another month of this one counts for.
fn renewable(
    tx: &Tx<'_>,
    now: UnixMillis,
    mut subscription: Subscription,
) -> Result<Option<Subscription>, Error> {
    if subscription.ended_at.is_none() {
        return Ok(Some(subscription));
    }
    let tenant_id = &subscription.tenant_id;
    if let Some(live) = subscriptions::live(tx, tenant_id)? {
        return Ok((live.plan_id == subscription.plan_id).then_some(live));
    }
    let is_active = tenants::is_active(tx, tenant_id)? == Some(true);
    if !is_active || tenants::plan(tx, tenant_id)?.is_some() {
        return Ok(None);
    }
    subscription.canceled_at = subscription.canceled_at.or(Some(now));
    subscription.ended_at = None;
    Ok(Some(subscription))
}

/// Cancels the calling tenant's subscription: it goes on to the end of what is paid. Doing it again changes nothing.
///
/// # Errors
/// `NotFound`.
pub(crate) fn cancel(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<Subscription, Error> {
    let member = origin.principal.member()?;
    let found = subscriptions::live(tx, &member.tenant_id)?;
    let mut subscription = found.ok_or(Error::NotFound {
        noun: "Subscription",
    })?;
    if subscription.canceled_at.is_none() {
        subscription.leave(now);
        subscription.canceled_at = Some(now);
        subscriptions::update(tx, &subscription)?;
        record(tx, now, origin, Act::SubscriptionCanceled, &subscription)?;
    }
    Ok(subscription)
}

/// Ends subscriptions that are not paid any more, a bounded number of them; answers those that could not be ended, and why.
/// Where there is a provider, it `must_ask` first: the news of a payment may have been lost.
///
/// # Errors
/// `Store` when the store takes nothing at present.
pub(crate) fn end_unpaid(
    store: &Store,
    now: UnixMillis,
    tariff: &Arc<Tariff>,
    must_ask: bool,
) -> Result<Vec<(String, Error)>, Error> {
    const CHUNK: u32 = 100;
    const CHUNKS: usize = 10;
    let (mut failed, mut after) = (Vec::new(), None);
    for _ in 0..CHUNKS {
        let unpaid = store.read(|tx| {
            subscriptions::unpaid(tx, now, GRACE_S * 1000, must_ask, after.as_ref(), CHUNK)
        })?;
        let Some(last) = unpaid.last() else {
            break;
        };
        after = Some((last.paid_until, last.id.clone()));
        for unpaid in unpaid {
            let (id, tariff) = (unpaid.id.clone(), Arc::clone(tariff));
            let subscription_id = id.clone();
            let ended = store.write(move |tx| match subscriptions::find(tx, &id)? {
                // Paid meanwhile, or ended.
                Some(current) if current != unpaid => Ok(()),
                Some(current) => end(tx, now, &tariff, current),
                None => Ok(()),
            });
            match ended {
                Ok(()) => {}
                Err(Error::Store(error)) if error.is_temporary() => return Err(error.into()),
                Err(error) => failed.push((subscription_id, error)),
            }
        }
    }
    Ok(failed)
}

/// A month was charged back: the subscription ends at once.
pub(super) fn charged_back(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    payment: &Payment,
) -> Result<(), Error> {
    let paid_for = match &payment.subscription_id {
        Some(id) => subscriptions::find(tx, id)?,
        None => None,
    };
    let live = subscriptions::live(tx, &payment.tenant_id)?;
    match (live, paid_for) {
        // Also one that goes on with the months of an earlier one.
        (Some(live), Some(paid_for))
            if (&live.plan_id, live.started_at) == (&paid_for.plan_id, paid_for.started_at) =>
        {
            end(tx, now, tariff, live)
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// Ends the subscription of a tenant that ends. Its customer is removed at the provider, and the subscription with it.
pub(super) fn end_with_tenant(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    let Some(mut subscription) = subscriptions::live(tx, tenant_id)? else {
        return Ok(());
    };
    subscription.ended_at = Some(now);
    subscription.ask_at = None;
    (subscription.errand, subscription.due_at) = (None, None);
    subscriptions::update(tx, &subscription)?;
    take_plan(tx, &subscription)?;
    record(tx, now, &machine(), Act::SubscriptionEnded, &subscription)
}

fn end(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    mut subscription: Subscription,
) -> Result<(), Error> {
    subscription.finish(now);
    subscription.leave(now);
    subscriptions::update(tx, &subscription)?;
    take_plan(tx, &subscription)?;
    credits::plan_changed(tx, now, tariff, &subscription.tenant_id)?;
    record(tx, now, &machine(), Act::SubscriptionEnded, &subscription)?;
    let plan = tariff.plan(&subscription.plan_id);
    let notice = Notice::SubscriptionEnded {
        plan_name: plan.map_or_else(|| subscription.plan_id.clone(), |plan| plan.name.clone()),
    };
    let Subscription { tenant_id, id, .. } = &subscription;
    notices::tell(tx, now, tenant_id, id, &notice)
}

/// The tenant has its plan no more, unless it was given another one meanwhile.
fn take_plan(tx: &Tx<'_>, subscription: &Subscription) -> Result<(), Error> {
    let plan_id = tenants::plan(tx, &subscription.tenant_id)?;
    if plan_id.as_ref() == Some(&subscription.plan_id) {
        tenants::set_plan(tx, &subscription.tenant_id, None)?;
    }
    Ok(())
}

fn machine() -> Origin {
    Origin {
        principal: Principal::Machine,
        address: None,
    }
}

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    subscription: &Subscription,
) -> Result<(), Error> {
    let Subscription { tenant_id, id, .. } = subscription;
    audit::record(tx, now, origin, act, Some(tenant_id), Some(id))
}
