//! `/api/credits/*`: what uses cost, and what is left to spend.

pub(crate) mod auto_recharge;
pub(crate) mod topup;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::Cx;
use super::wire::{PageLimit, PageOf, page};
use crate::domain::Error;
use crate::domain::credits::{self, Account, Balance};
use crate::domain::paging::Page;
use crate::domain::rates::Rate;
use crate::http::extract::Query;
use crate::http::reply::{Cacheable, Ok200, Uncached};
use crate::store::credits::StoredEntry;
use crate::time::UnixMillis;

/// How long anyone may keep the rate card, in seconds.
const MAX_AGE_S: u32 = 300;

/// What uses of apps cost. Amounts are decimal text in the currency; what is left out is not charged for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RateCard {
    /// ISO 4217.
    currency: String,
    rates: Vec<ShownRate>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ShownRate {
    app_id: String,
    /// `null` for uses without a model.
    model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_per_million_tokens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input_per_million_tokens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_per_million_tokens: Option<String>,
    /// For one of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<String, String>,
}

impl From<&Rate> for ShownRate {
    fn from(rate: &Rate) -> Self {
        let metrics = rate.metrics.iter();
        Self {
            app_id: rate.app_id.clone(),
            model_id: rate.model_id.clone(),
            input_per_million_tokens: rate.input.map(|price| price.to_text()),
            cached_input_per_million_tokens: rate.cached_input.map(|price| price.to_text()),
            output_per_million_tokens: rate.output.map(|price| price.to_text()),
            metrics: metrics
                .map(|(name, price)| (name.clone(), price.to_text()))
                .collect(),
        }
    }
}

pub(crate) fn rates(cx: &mut Cx<'_>, (): ()) -> Result<Cacheable<Ok200<RateCard>>, Error> {
    Ok(Cacheable {
        reply: Ok200(RateCard {
            currency: cx.services.tariff.currency.clone(),
            rates: cx
                .services
                .tariff
                .rates
                .iter()
                .map(ShownRate::from)
                .collect(),
        }),
        max_age_s: MAX_AGE_S,
    })
}

/// In millicents: 100000 are 1.00 of the currency.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownBalance {
    /// What lapses at `monthlyResetsAt`; it is spent first.
    monthly_millicents: i64,
    topup_millicents: i64,
    total_millicents: i64,
    /// `null` without a period that is running.
    monthly_resets_at: Option<UnixMillis>,
}

impl From<Balance> for ShownBalance {
    fn from(balance: Balance) -> Self {
        Self {
            monthly_millicents: balance.monthly_mc,
            topup_millicents: balance.topup_mc,
            total_millicents: balance.total_mc(),
            monthly_resets_at: balance.period.map(|period| period.ends_at),
        }
    }
}

pub(crate) fn balance(cx: &mut Cx<'_>, (): ()) -> Result<Uncached<Ok200<ShownBalance>>, Error> {
    let tenant_id = cx.member()?.tenant_id.clone();
    Ok(Uncached(Ok200(settled(cx, tenant_id)?.into())))
}

/// The balance now. What has lapsed or is to be granted is in the ledger with this answer, so the two never differ.
pub(super) fn settled(cx: &Cx<'_>, tenant_id: String) -> Result<Balance, Error> {
    let tariff = Arc::clone(&cx.services.tariff);
    let read = cx.read(|tx| {
        let account = Account::open_settled(tx, cx.now, &tariff, &tenant_id)?;
        Ok(account.map(|account| account.balance()))
    })?;
    match read {
        Some(balance) => Ok(balance),
        None => {
            cx.write(move |tx, now, _| Ok(Account::open(tx, now, &tariff, &tenant_id)?.balance()))
        }
    }
}

/// An entry of the ledger. All amounts are millicents: 100000 are 1.00 of the currency.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedEntry {
    at: UnixMillis,
    /// What it changed.
    monthly_millicents: i64,
    topup_millicents: i64,
    /// The balances after it.
    monthly_after_millicents: i64,
    topup_after_millicents: i64,
    cause: String,
    cause_id: String,
}

impl From<StoredEntry> for ListedEntry {
    fn from(entry: StoredEntry) -> Self {
        Self {
            at: entry.at,
            monthly_millicents: entry.change.monthly_mc,
            topup_millicents: entry.change.topup_mc,
            monthly_after_millicents: entry.after.monthly_mc,
            topup_after_millicents: entry.after.topup_mc,
            cause: entry.cause,
            cause_id: entry.cause_id,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct EntriesQuery {
    /// Items on one page, 1 to 1000; 100 without it. What was written within one millisecond is not parted.
    #[serde(default)]
    limit: Option<PageLimit>,
    /// Only entries earlier than this time; `Link` names the next page.
    #[serde(default)]
    before: Option<UnixMillis>,
}

impl EntriesQuery {
    pub(super) fn page(self) -> Page<UnixMillis> {
        page(self.limit, self.before)
    }
}

pub(crate) fn transactions(
    cx: &mut Cx<'_>,
    Query(query): Query<EntriesQuery>,
) -> Result<Uncached<PageOf<ListedEntry>>, Error> {
    let (member, page) = (cx.member()?, query.page());
    settled(cx, member.tenant_id.clone())?;
    let paged = cx.read(|tx| credits::entries(tx, &member.tenant_id, &page))?;
    Ok(Uncached(PageOf::of(cx, paged, ListedEntry::from)))
}
