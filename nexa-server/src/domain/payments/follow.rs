//! What is to be done at the provider next. Each step is noted as tried before it is, so that a crash in between is known of.

use super::super::error::Error;
use super::super::mails::pause_s;
use super::super::recharges;
use super::{call_off, learn};
use crate::store::payment_customers::{self, Customer, Farewell};
use crate::store::payments::{self, Kind, Payment, State};
use crate::store::subscriptions::{self, Errand, Subscription};
use crate::store::{Tx, tenants, users};
use crate::time::UnixMillis;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// Have the provider make the payment.
    Open(Payment),
    /// Ask the provider what has become of it.
    Look(Payment),
    /// Nobody has come back for it.
    Abandon(Payment),
    /// It is a charge that nobody wants any more.
    CallOff(Payment),
    /// Have the provider make the subscription.
    Subscribe(Subscription),
    /// Have the provider cancel it.
    Unsubscribe(Subscription),
    /// Ask the provider for its charges.
    Ask(Subscription),
    /// Have the provider remove a customer.
    Forget(Farewell),
}

impl Step {
    /// Of what it is about.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Open(payment)
            | Self::Look(payment)
            | Self::Abandon(payment)
            | Self::CallOff(payment) => &payment.id,
            Self::Subscribe(subscription)
            | Self::Unsubscribe(subscription)
            | Self::Ask(subscription) => &subscription.id,
            Self::Forget(farewell) => &farewell.customer_id,
        }
    }
}

/// What has been due longest, of whatever kind: a great many of one do not keep the others waiting for ever.
pub(crate) fn next_step(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Step>, Error> {
    let mut steps = Vec::new();
    if let Some(payment) = payments::due(tx, now)? {
        steps.push((payment.due_at, step_of(tx, now, payment)?));
    }
    if let Some(subscription) = subscriptions::due(tx, now)? {
        let due_at = subscription.due_at;
        let step = match subscription.errand {
            Some(Errand::Create) => Step::Subscribe(subscription),
            Some(Errand::Cancel) | None => Step::Unsubscribe(subscription),
        };
        steps.push((due_at, step));
    }
    if let Some(subscription) = subscriptions::to_ask(tx, now)? {
        steps.push((subscription.ask_at, Step::Ask(subscription)));
    }
    if let Some(farewell) = payment_customers::due_farewell(tx, now)? {
        steps.push((Some(farewell.due_at), Step::Forget(farewell)));
    }
    let longest = steps.into_iter().min_by_key(|(due_at, _)| *due_at);
    Ok(longest.map(|(_, step)| step))
}

fn step_of(tx: &Tx<'_>, now: UnixMillis, payment: Payment) -> Result<Step, Error> {
    Ok(match (payment.state, payment.kind) {
        (State::New, Kind::Recharge) => match recharges::is_wanted(tx, now, &payment)? {
            true => Step::Open(payment),
            false => Step::CallOff(payment),
        },
        (State::New, _) => Step::Abandon(payment),
        (State::Open | State::Paid | State::Failed, _) => Step::Look(payment),
    })
}

/// A payment as it is now.
pub(crate) fn current(tx: &Tx<'_>, id: &str) -> Result<Option<Payment>, Error> {
    Ok(payments::find(tx, id)?)
}

/// Notes that the provider is about to be asked for a payment, or about it, and when to try again; false when it has gone
/// on by now, or is over.
pub(crate) fn trying(tx: &Tx<'_>, now: UnixMillis, payment: &Payment) -> Result<bool, Error> {
    let Some(mut current) = payments::find(tx, &payment.id)? else {
        return Ok(false);
    };
    if current.state != payment.state || current.due_at.is_none() {
        return Ok(false);
    }
    let again_at = now.plus_seconds(pause_s(current.attempts));
    current.tried_at = current.tried_at.or(Some(now));
    current.attempts += 1;
    current.due_at = current.due_at.max(Some(again_at));
    payments::update(tx, &current)?;
    Ok(true)
}

/// The provider will never make the payment, or nobody has come back for it.
pub(crate) fn refused(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), Error> {
    match payments::find(tx, id)? {
        Some(payment) if matches!(payment.state, State::New | State::Open) => {
            learn::fail(tx, now, payment)
        }
        Some(_) | None => Ok(()),
    }
}

/// The provider has not made a charge that nobody wants any more.
pub(crate) fn called_off(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    match payments::find(tx, id)? {
        Some(payment) if payment.state == State::New => call_off(tx, payment),
        Some(_) | None => Ok(()),
    }
}

/// A tenant as the provider is to know it.
pub(crate) struct CustomerCard {
    pub(crate) customer: Customer,
    pub(crate) name: String,
    /// Of the owner that it has had longest.
    pub(crate) email: Option<String>,
}

/// The provider will not have that customer, or does not know it any more: the next payment begins with another one, with an
/// id of its own, since the provider may have kept its answer. `provider_id` is what the customer was when it was asked for.
pub(crate) fn customer_refused(
    tx: &Tx<'_>,
    tenant_id: &str,
    provider_id: Option<&str>,
) -> Result<(), Error> {
    let customer = payment_customers::find(tx, tenant_id)?;
    match customer.filter(|customer| customer.provider_id.as_deref() == provider_id) {
        Some(_) => Ok(payment_customers::delete(tx, tenant_id)?),
        None => Ok(()),
    }
}

/// Whom to ask for a payment; none once the tenant has ended.
pub(crate) fn customer_for(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<CustomerCard>, Error> {
    let Some(customer) = payment_customers::find(tx, tenant_id)? else {
        return Ok(None);
    };
    let tenant = tenants::find(tx, tenant_id)?;
    let owner = users::oldest_active_owner(tx, tenant_id)?;
    Ok(Some(CustomerCard {
        customer,
        name: tenant.map(|tenant| tenant.name).unwrap_or_default(),
        email: owner.and_then(|owner| owner.email_given),
    }))
}

/// Notes that the provider is about to be asked for a customer.
pub(crate) fn trying_customer(tx: &Tx<'_>, now: UnixMillis, id: &str) -> Result<(), Error> {
    Ok(payment_customers::set_tried(tx, now, id)?)
}

/// Notes what the provider calls a customer. If the tenant has ended meanwhile, the provider is to forget it again.
pub(crate) fn customer_created(
    tx: &Tx<'_>,
    now: UnixMillis,
    id: &str,
    provider_id: &str,
) -> Result<bool, Error> {
    let stands = payment_customers::set_provider_id(tx, id, provider_id)?;
    if !stands {
        payment_customers::bid_farewell(tx, now, provider_id, false)?;
    }
    Ok(stands)
}

/// Notes that the provider is about to be asked to remove a customer.
pub(crate) fn saying_farewell(
    tx: &Tx<'_>,
    now: UnixMillis,
    farewell: &Farewell,
) -> Result<(), Error> {
    let again_at = now.plus_seconds(pause_s(farewell.attempts));
    Ok(payment_customers::put_off_farewell(
        tx,
        &farewell.customer_id,
        again_at,
    )?)
}

/// Whether the end of the payment that the provider calls so is known.
pub(crate) fn is_settled(tx: &Tx<'_>, provider_id: &str) -> Result<bool, Error> {
    let payment = payments::find_provided(tx, provider_id)?;
    Ok(payment.is_some_and(|payment| matches!(payment.state, State::Paid | State::Failed)))
}

/// The provider has removed the customer.
pub(crate) fn farewell_said(tx: &Tx<'_>, customer_id: &str) -> Result<(), Error> {
    Ok(payment_customers::end_farewell(tx, customer_id)?)
}
