//! Credits: an append-only ledger of integer millicents, with a monthly part that lapses and a topped-up part that stays.

mod account;
mod grants;
mod periods;
#[cfg(test)]
mod tests;

use super::error::Error;
use super::paging::{Page, Paged};
use crate::store::Tx;
use crate::store::credits::{self, Amounts, Period, StoredEntry};
use crate::time::UnixMillis;

pub(crate) use account::Account;
pub(crate) use grants::{NewGrant, grant};
pub(super) use periods::plan_changed;
pub(crate) use periods::{Trial, expire, grant_trial};

/// The kind of the period that an agent starts with.
const TRIAL_PERIOD: &str = "trial";

/// What a tenant may spend at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Balance {
    /// In millicents, as the ledger has it: what has lapsed was taken away before this was read.
    pub(crate) monthly_mc: i64,
    /// In millicents; below nothing by what a plan has lent.
    pub(crate) topup_mc: i64,
    /// The period that is running.
    pub(crate) period: Option<Period>,
}

impl Balance {
    /// In millicents.
    pub(crate) const fn total_mc(&self) -> i64 {
        let amounts = Amounts {
            monthly_mc: self.monthly_mc,
            topup_mc: self.topup_mc,
        };
        amounts.total_mc()
    }

    /// Whether the period that is running is the one that the tenant started with.
    pub(crate) fn is_of_trial(&self) -> bool {
        self.period
            .as_ref()
            .is_some_and(|period| period.kind == TRIAL_PERIOD)
    }
}

/// Why an entry stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The first period of an agent.
    Trial,
    /// What a plan grants for a period, or the operator.
    Grant,
    /// The end of a period that another one follows.
    Reset,
    /// The end of a period that none follows.
    Expiry,
    /// A usage report.
    Usage,
    /// A payment that has arrived.
    Payment,
    /// A payment that has gone back, by the operator's will.
    Refund,
    /// A payment that has gone back, by the payer's.
    Chargeback,
    /// What a chargeback took, given back.
    Adjustment,
}

/// Whether a payment has become credits that stay.
pub(super) fn is_put_in(tx: &Tx<'_>, tenant_id: &str, payment_id: &str) -> Result<bool, Error> {
    Ok(credits::has(
        tx,
        tenant_id,
        Cause::Payment.name(),
        payment_id,
    )?)
}

/// One page of the ledger, newest first. A page goes on before an instant, so it never ends within one: entries of the same
/// millisecond stand on one page, also when that makes it longer than it should be.
pub(crate) fn entries(
    tx: &Tx<'_>,
    tenant_id: &str,
    page: &Page<UnixMillis>,
) -> Result<Paged<StoredEntry>, Error> {
    let mut items = credits::earlier(tx, tenant_id, page.before, page.probe())?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let (Some(first), Some(beyond)) = (items.first(), items.get(limit)) else {
        return Ok(Paged { items, next: None });
    };
    let (first_at, beyond_at) = (first.at, beyond.at);
    let has_more = match first_at == beyond_at {
        true => {
            items = credits::of_instant(tx, tenant_id, first_at)?;
            !credits::earlier(tx, tenant_id, Some(first_at), 1)?.is_empty()
        }
        false => {
            items.retain(|entry| entry.at > beyond_at);
            true
        }
    };
    let next = items.last().filter(|_| has_more);
    Ok(Paged {
        next: next.map(|entry| entry.at.to_rfc3339()),
        items,
    })
}

impl Cause {
    /// Whether owners are told when it leaves little: a grant follows a reset, and what expires does so with a plan or a trial.
    const fn is_a_loss(self) -> bool {
        match self {
            Self::Usage | Self::Refund | Self::Chargeback => true,
            Self::Trial
            | Self::Grant
            | Self::Reset
            | Self::Expiry
            | Self::Payment
            | Self::Adjustment => false,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Grant => "grant",
            Self::Reset => "reset",
            Self::Expiry => "expiry",
            Self::Usage => "usage",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
            Self::Adjustment => "adjustment",
        }
    }
}
