//! Payments: a row is there before the provider hears of it, and what the provider says has its effect once.

mod begin;
mod follow;
mod learn;

use super::credits;
use super::error::Error;
use super::recharges;
use super::subscriptions;
use super::tariff::Tariff;
use crate::store::payments::{self, Payment, State};
use crate::store::{Tx, payment_customers};
use crate::time::UnixMillis;

pub(super) use begin::top_up;
pub(crate) use begin::{NewPayment, Wanted, begin};
pub(crate) use follow::{
    CustomerCard, Step, called_off, current, customer_created, customer_for, customer_refused,
    farewell_said, is_settled, next_step, refused, saying_farewell, trying, trying_customer,
};
pub(crate) use learn::{Learned, learn};

/// A payment as the provider describes it.
pub(crate) struct Told {
    pub(crate) provider_id: String,
    /// Which of ours it is, as it was told.
    pub(crate) reference: Option<String>,
    pub(crate) customer_id: Option<String>,
    /// The provider's subscription that it is a charge of.
    pub(crate) subscription_id: Option<String>,
    /// Which of ours that is, as it was told.
    pub(crate) subscription_reference: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) cents: i64,
    pub(crate) currency: String,
    /// Where the payer pays, while that is possible.
    pub(crate) checkout_url: Option<String>,
    pub(crate) refunds: Vec<Reversed>,
    pub(crate) chargebacks: Vec<Reversed>,
}

/// What has become of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Waiting,
    Paid,
    Failed,
}

/// Money that goes back.
pub(crate) struct Reversed {
    pub(crate) id: String,
    pub(crate) cents: i64,
    /// Whether it is gone, or on its way; otherwise it was called off for good.
    pub(crate) stands: bool,
}

/// Has a payment not made that the provider was not asked for, or not successfully.
pub(super) fn call_off(tx: &Tx<'_>, mut payment: Payment) -> Result<(), Error> {
    (payment.state, payment.due_at) = (State::Failed, None);
    Ok(payments::update(tx, &payment)?)
}

/// Ends what a tenant has with the provider: its subscription, its recharges, its customer. What it has paid for stays in the
/// ledger.
pub(super) fn end_tenant(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    tenant_id: &str,
) -> Result<(), Error> {
    recharges::delete(tx, tenant_id)?;
    // If the provider has made it all the same, it counts when it is paid.
    if let Some(recharge) = payments::recharge_on_its_way(tx, tenant_id)?
        && recharge.state == State::New
    {
        call_off(tx, recharge)?;
    }
    subscriptions::end_with_tenant(tx, now, tenant_id)?;
    if let Some(customer) = payment_customers::find(tx, tenant_id)? {
        match (customer.provider_id, customer.tried_at) {
            (Some(id), _) => payment_customers::bid_farewell(tx, now, &id, false)?,
            (None, Some(_)) => payment_customers::bid_farewell(tx, now, &customer.id, true)?,
            (None, None) => {}
        }
        payment_customers::delete(tx, tenant_id)?;
    }
    credits::plan_changed(tx, now, tariff, tenant_id)
}
