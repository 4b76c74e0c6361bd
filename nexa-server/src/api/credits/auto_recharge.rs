//! `/api/credits/auto-recharge`: balances that are topped up by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::amounts::Money;
use super::super::payments::provider;
use super::super::route::Cx;
use super::topup::{ToPay, to_pay};
use crate::domain::Error;
use crate::domain::money::{Cents, MILLICENTS_A_CENT};
use crate::domain::payments::{NewPayment, Wanted};
use crate::domain::recharges::{self, Change, Standing};
use crate::http::extract::Body;
use crate::http::reply::{Created, Ok200, Repeatable, Secret, Success, Uncached};
use crate::store::auto_recharges::AutoRecharge;

/// When a balance is topped up, and by how much.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownRecharge {
    status: Status,
    enabled: bool,
    /// Below which it is topped up; `null` where nothing is set up.
    threshold_eur: Option<Money>,
    amount_eur: Option<Money>,
    /// Charges that failed, one after the other.
    failures: i64,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Nothing is set up.
    None,
    /// The payment that sets it up has not arrived.
    Pending,
    Active,
    Disabled,
    /// Three charges have failed, or one was charged back; `enabled: true` makes it go on.
    Paused,
}

impl From<Option<AutoRecharge>> for ShownRecharge {
    fn from(recharge: Option<AutoRecharge>) -> Self {
        let recharge = recharge.as_ref();
        Self {
            status: match recharge.map(AutoRecharge::standing) {
                None => Status::None,
                Some(Standing::Pending) => Status::Pending,
                Some(Standing::Active) => Status::Active,
                Some(Standing::Disabled) => Status::Disabled,
                Some(Standing::Paused) => Status::Paused,
            },
            enabled: recharge.is_some_and(|recharge| recharge.is_enabled),
            threshold_eur: recharge
                .map(|recharge| Money(Cents::of(recharge.threshold_mc / MILLICENTS_A_CENT))),
            amount_eur: recharge.map(|recharge| Money(Cents::of(recharge.amount_cents))),
            failures: recharge.map_or(0, |recharge| recharge.failures),
        }
    }
}

pub(crate) fn get(cx: &mut Cx<'_>, (): ()) -> Result<Uncached<Ok200<ShownRecharge>>, Error> {
    let member = cx.member()?;
    let recharge = cx.read(|tx| recharges::find(tx, &member.tenant_id))?;
    Ok(Uncached(Ok200(recharge.into())))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Setup {
    /// Below which the balance is topped up; at most `amountEur`.
    threshold_eur: Money,
    /// By how much, from 1 to 10000. The first time it is paid now, which allows the others.
    amount_eur: Money,
    /// Where the payer goes afterwards.
    redirect_url: String,
}

pub(crate) fn setup(
    cx: &mut Cx<'_>,
    Body(body): Body<Setup>,
) -> Result<Secret<Repeatable<Created<ToPay>>>, Error> {
    let new = NewPayment::new(cx.now, cx.rng, body.redirect_url)?;
    let wanted = Wanted::RechargeSetup {
        threshold_mc: millicents(body.threshold_eur),
        cents: body.amount_eur.0.units(),
    };
    to_pay(cx, new, wanted)
}

/// What is to change; a member that is not there stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RechargeChange {
    /// `true` also ends a pause.
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    threshold_eur: Option<Money>,
    #[serde(default)]
    amount_eur: Option<Money>,
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    Body(body): Body<RechargeChange>,
) -> Result<Uncached<Ok200<ShownRecharge>>, Error> {
    provider::require(cx.services)?;
    let change = Change {
        is_enabled: body.enabled,
        threshold_mc: body.threshold_eur.map(millicents),
        cents: body.amount_eur.map(|amount| amount.0.units()),
    };
    let recharge = cx.write(move |tx, now, origin| recharges::change(tx, now, origin, change))?;
    Ok(Uncached(Ok200(Some(recharge).into())))
}

pub(crate) fn remove(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Success>, Error> {
    provider::require(cx.services)?;
    cx.write(recharges::remove)?;
    Ok(Ok200(Success))
}

fn millicents(money: Money) -> i64 {
    money.0.units().saturating_mul(MILLICENTS_A_CENT)
}
