//! `/api/subscriptions/*`: plans, and what a tenant pays for them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amounts::Money;
use super::payments::provider;
use super::route::Cx;
use crate::domain::Error;
use crate::domain::money::Cents;
use crate::domain::payments::{NewPayment, Wanted};
use crate::domain::subscriptions::{self, Own, Standing};
use crate::domain::tariff::{Plan, Tariff};
use crate::http::extract::Body;
use crate::http::reply::{Cacheable, Created, Ok200, Repeatable, Secret, Uncached};
use crate::time::UnixMillis;

/// How long anyone may keep the plans, in seconds.
const MAX_AGE_S: u32 = 300;

/// A plan, month by month.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownPlan {
    id: String,
    name: String,
    description: Option<String>,
    /// ISO 4217.
    currency: String,
    price_per_month: Money,
    /// Granted at the beginning of each month, and gone at its end; 100000 are 1.00 of the currency.
    monthly_millicents: i64,
    /// How far below nothing a balance may go.
    overdraft_millicents: i64,
}

impl ShownPlan {
    fn of(tariff: &Tariff, plan: &Plan) -> Self {
        Self {
            id: plan.id.clone(),
            name: plan.name.clone(),
            description: plan.description.clone(),
            currency: tariff.currency.clone(),
            price_per_month: Money(Cents::of(plan.price_cents)),
            monthly_millicents: plan.credits_mc,
            overdraft_millicents: plan.overdraft_mc,
        }
    }
}

pub(crate) fn plans(cx: &mut Cx<'_>, (): ()) -> Result<Cacheable<Ok200<Vec<ShownPlan>>>, Error> {
    let tariff = &cx.services.tariff;
    let plans = tariff.plans.iter();
    Ok(Cacheable {
        reply: Ok200(plans.map(|plan| ShownPlan::of(tariff, plan)).collect()),
        max_age_s: MAX_AGE_S,
    })
}

/// What a tenant has.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnSubscription {
    /// The plan that the tenant has, paid for or not.
    plan_id: Option<String>,
    status: Status,
    /// The price that was agreed; `null` without a subscription, as all that follows.
    price_per_month: Option<Money>,
    started_at: Option<UnixMillis>,
    /// The end of what is paid. A canceled subscription ends then, another one is charged again.
    paid_until: Option<UnixMillis>,
    canceled_at: Option<UnixMillis>,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Nothing is paid for.
    None,
    Active,
    /// The payment of another month has not arrived; after seven days the subscription ends.
    PastDue,
    /// It goes on to the end of what is paid.
    Canceled,
}

impl OwnSubscription {
    pub(super) fn of(now: UnixMillis, own: Own) -> Self {
        let subscription = own.subscription.as_ref();
        let standing = subscription.map(|subscription| subscription.standing(now));
        Self {
            plan_id: own.plan_id,
            status: match standing {
                None => Status::None,
                Some(Standing::Active) => Status::Active,
                Some(Standing::PastDue) => Status::PastDue,
                Some(Standing::Canceled) => Status::Canceled,
            },
            price_per_month: subscription.map(|paid| Money(Cents::of(paid.price_cents))),
            started_at: subscription.map(|paid| paid.started_at),
            paid_until: subscription.map(|paid| paid.paid_until),
            canceled_at: subscription.and_then(|paid| paid.canceled_at),
        }
    }
}

pub(crate) fn own(cx: &mut Cx<'_>, (): ()) -> Result<Uncached<Ok200<OwnSubscription>>, Error> {
    let (member, tariff) = (cx.member()?, &cx.services.tariff);
    let own = cx.read(|tx| subscriptions::own(tx, tariff, &member.tenant_id))?;
    Ok(Uncached(Ok200(OwnSubscription::of(cx.now, own))))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checkout {
    /// One that costs something.
    plan_id: String,
    /// Where the payer goes afterwards.
    redirect_url: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckedOut {
    /// Where the payer pays the first month.
    checkout_url: String,
    mollie_payment_id: String,
}

pub(crate) fn checkout(
    cx: &mut Cx<'_>,
    Body(body): Body<Checkout>,
) -> Result<Secret<Repeatable<Created<CheckedOut>>>, Error> {
    let new = NewPayment::new(cx.now, cx.rng, body.redirect_url)?;
    let opened = provider::pay(cx, new, Wanted::Plan(body.plan_id))?;
    Ok(Secret(Repeatable {
        reply: Created(CheckedOut {
            checkout_url: opened.checkout_url,
            mollie_payment_id: opened.provider_id,
        }),
        replayed: opened.replayed,
    }))
}

pub(crate) fn cancel(cx: &mut Cx<'_>, (): ()) -> Result<Uncached<Ok200<OwnSubscription>>, Error> {
    provider::require(cx.services)?;
    let tariff = Arc::clone(&cx.services.tariff);
    let own = cx.write(move |tx, now, origin| {
        let tenant_id = subscriptions::cancel(tx, now, origin)?.tenant_id;
        subscriptions::own(tx, &tariff, &tenant_id)
    })?;
    cx.wake_payments();
    Ok(Uncached(Ok200(OwnSubscription::of(cx.now, own))))
}
