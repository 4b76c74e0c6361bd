//! `/api/operator/tenants/{id}/credits`: what a tenant may spend, and what the operator adds to it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::super::amounts::Money;
use super::super::super::credits::{EntriesQuery, ListedEntry, ShownBalance, settled};
use super::super::super::route::Cx;
use super::super::super::wire::PageOf;
use super::super::HolderPath;
use crate::domain::credits::{self, NewGrant};
use crate::domain::{Error, subscriptions, tenants};
use crate::http::extract::{Body, Path, Query};
use crate::http::reply::{Ok200, Put, Uncached};

/// What a tenant may spend.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TenantCredits {
    /// ISO 4217.
    currency: String,
    /// The plan that the tenant has, paid for or not; `null` for none.
    plan: Option<String>,
    #[serde(flatten)]
    balance: ShownBalance,
}

pub(crate) fn get(
    cx: &mut Cx<'_>,
    Path(HolderPath { id }): Path<HolderPath>,
) -> Result<Uncached<Ok200<TenantCredits>>, Error> {
    let tariff = &cx.services.tariff;
    let own = cx.read(|tx| {
        tenants::require(tx, &id)?;
        subscriptions::own(tx, tariff, &id)
    })?;
    Ok(Uncached(Ok200(TenantCredits {
        currency: tariff.currency.clone(),
        plan: own.plan_id,
        balance: settled(cx, id)?.into(),
    })))
}

pub(crate) fn transactions(
    cx: &mut Cx<'_>,
    (Path(HolderPath { id }), Query(query)): (Path<HolderPath>, Query<EntriesQuery>),
) -> Result<Uncached<PageOf<ListedEntry>>, Error> {
    cx.read(|tx| tenants::require(tx, &id))?;
    settled(cx, id.clone())?;
    let page = query.page();
    let paged = cx.read(|tx| credits::entries(tx, &id, &page))?;
    Ok(Uncached(PageOf::of(cx, paged, ListedEntry::from)))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Grant {
    /// In the currency, more than nothing. It stays until it is spent.
    amount: Money,
    /// 1 to 100 characters, such as the number of an invoice: it is granted once, and whoever asks again learns that it was.
    /// The tenant sees it in its audit trail. Without one, every call grants.
    #[serde(default)]
    reference: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Granted {
    /// `false` when it was granted before, under the same reference: nothing is added then.
    granted: bool,
    amount: Money,
    /// The one that was sent, or one made for this grant.
    reference: String,
    /// ISO 4217.
    currency: String,
    /// What the tenant may spend now.
    balance: ShownBalance,
}

pub(crate) fn grant(
    cx: &mut Cx<'_>,
    (Path(HolderPath { id }), Body(body)): (Path<HolderPath>, Body<Grant>),
) -> Result<Uncached<Put<Granted>>, Error> {
    let new = NewGrant::new(cx.now, cx.rng, body.amount.0, body.reference.as_deref())?;
    let tariff = Arc::clone(&cx.services.tariff);
    let granted =
        cx.write(move |tx, now, origin| credits::grant(tx, now, origin, &tariff, &id, new))?;
    Ok(Uncached(Put {
        is_new: granted.is_new,
        value: Granted {
            granted: granted.is_new,
            amount: body.amount,
            reference: granted.reference,
            currency: cx.services.tariff.currency.clone(),
            balance: granted.balance.into(),
        },
    }))
}
