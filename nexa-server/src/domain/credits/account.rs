//! One tenant's credits within a transaction: what has lapsed is taken away before anything else is done with them.

use super::super::error::Error;
use super::super::notices::{self, Notice};
use super::super::tariff::{Plan, Tariff};
use super::{Balance, Cause};
use crate::store::credits::{self, AccountRow, Amounts, Entry};
use crate::store::{StoreError, Tx};
use crate::time::UnixMillis;

/// The one way into the ledger.
pub(crate) struct Account<'a> {
    pub(super) tariff: &'a Tariff,
    pub(super) tenant_id: &'a str,
    pub(super) row: AccountRow,
}

impl<'a> Account<'a> {
    /// A tenant's credits as they stand now: the end of a period that is over, and the grant of the one that follows, are in
    /// the ledger when this returns.
    pub(crate) fn open(
        tx: &Tx<'_>,
        now: UnixMillis,
        tariff: &'a Tariff,
        tenant_id: &'a str,
    ) -> Result<Self, Error> {
        let mut account = Self::read(tx, tariff, tenant_id)?;
        account.settle(tx, now)?;
        Ok(account)
    }

    /// As [`Account::open`] where nothing can be written: `None` when something would have to be.
    pub(crate) fn open_settled(
        tx: &Tx<'_>,
        now: UnixMillis,
        tariff: &'a Tariff,
        tenant_id: &'a str,
    ) -> Result<Option<Self>, Error> {
        let account = Self::read(tx, tariff, tenant_id)?;
        let is_settled = match &account.row.period {
            Some(period) => period.ends_at > now,
            None => account.next_period(tx, now)?.is_none(),
        };
        Ok(is_settled.then_some(account))
    }

    fn read(tx: &Tx<'_>, tariff: &'a Tariff, tenant_id: &'a str) -> Result<Self, Error> {
        Ok(Self {
            tariff,
            tenant_id,
            row: credits::account(tx, tenant_id)?.ok_or(StoreError::NoRow)?,
        })
    }

    /// What the tenant may spend, but for what its plan would lend.
    pub(crate) fn balance(&self) -> Balance {
        let Amounts {
            monthly_mc,
            topup_mc,
        } = self.amounts();
        Balance {
            monthly_mc,
            topup_mc,
            period: self.row.period.clone(),
        }
    }

    pub(crate) const fn tenant_id(&self) -> &str {
        self.tenant_id
    }

    /// Of all amounts; ISO 4217.
    pub(crate) fn currency(&self) -> &str {
        &self.tariff.currency
    }

    /// How far below nothing the balance may go.
    pub(crate) fn lent_mc(&self) -> i64 {
        self.plan().map_or(0, |plan| plan.overdraft_mc)
    }

    /// When the balance is to be topped up by itself, and by how much.
    pub(crate) fn recharge(&self) -> Option<&credits::Recharge> {
        self.row.recharge.as_ref()
    }

    /// The plan that the tenant has now.
    pub(super) fn plan(&self) -> Option<&'a Plan> {
        let is_agent = self.row.is_agent;
        self.tariff.plan_of(self.row.plan_id.as_deref(), is_agent)
    }

    pub(super) fn amounts(&self) -> Amounts {
        self.row
            .newest
            .map_or_else(Amounts::default, |(_, after)| after)
    }

    /// Spends, first of the monthly part; a use that costs nothing leaves no entry.
    ///
    /// # Errors
    /// `CreditsTooLow` when that is more than there is, and than the plan lends.
    pub(crate) fn spend(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        cost_mc: i64,
        report_id: &str,
    ) -> Result<(), Error> {
        if cost_mc == 0 {
            return Ok(());
        }
        let total_mc = self.balance().total_mc();
        if cost_mc > total_mc.saturating_add(self.lent_mc()) {
            return Err(Error::CreditsTooLow { cost_mc, total_mc });
        }
        let of_month_mc = cost_mc.min(self.amounts().monthly_mc);
        let change = Amounts {
            monthly_mc: -of_month_mc,
            topup_mc: of_month_mc - cost_mc,
        };
        self.enter(tx, now, change, Cause::Usage, report_id)
    }

    /// Adds to the part that stays; false when that cause has had its effect.
    pub(crate) fn put_in(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        amount_mc: i64,
        cause: Cause,
        cause_id: &str,
    ) -> Result<bool, Error> {
        if credits::has(tx, self.tenant_id, cause.name(), cause_id)? {
            return Ok(false);
        }
        let change = Amounts {
            monthly_mc: 0,
            topup_mc: amount_mc,
        };
        self.enter(tx, now, change, cause, cause_id)?;
        Ok(true)
    }

    /// Takes back from the part that stays, but not what has been spent of it: nobody is brought below nothing by what a
    /// payment provider says later. Answers how much that was.
    pub(crate) fn take_back(
        &mut self,
        tx: &Tx<'_>,
        now: UnixMillis,
        amount_mc: i64,
        cause: Cause,
        cause_id: &str,
    ) -> Result<i64, Error> {
        let taken_mc = amount_mc.min(self.amounts().topup_mc).max(0);
        if taken_mc > 0 {
            let change = Amounts {
                monthly_mc: 0,
                topup_mc: -taken_mc,
            };
            self.enter(tx, now, change, cause, cause_id)?;
        }
        Ok(taken_mc)
    }

    /// Writes an entry: the balances after it are those before it and its changes, and its time is not before the newest
    /// one's, even when the clock has stepped back.
    ///
    /// Owners are told when this brings a balance that is not topped up by itself below what the operator calls low.
    pub(super) fn enter(
        &mut self,
        tx: &Tx<'_>,
        at: UnixMillis,
        change: Amounts,
        cause: Cause,
        cause_id: &str,
    ) -> Result<(), Error> {
        let tenant_id = self.tenant_id;
        let before = self.amounts();
        let sum = |before: i64, change: i64| {
            before
                .checked_add(change)
                .ok_or_else(|| Error::Fault(format!("credits of tenant {tenant_id} overflow")))
        };
        let after = Amounts {
            monthly_mc: sum(before.monthly_mc, change.monthly_mc)?,
            topup_mc: sum(before.topup_mc, change.topup_mc)?,
        };
        let at = self
            .row
            .newest
            .map_or(at, |(newest_at, _)| at.max(newest_at));
        let entry = Entry {
            tenant_id,
            at,
            change,
            after,
            cause: cause.name(),
            cause_id,
        };
        credits::append(tx, &entry)?;
        self.row.newest = Some((at, after));
        let left_mc = after.total_mc();
        let is_low = left_mc < self.tariff.low_mc && before.total_mc() >= self.tariff.low_mc;
        // What tops itself up tells of itself when it fails.
        match cause.is_a_loss() && is_low && self.row.recharge.is_none() {
            true => {
                let notice = Notice::CreditsLow { left_mc };
                notices::tell(tx, at, tenant_id, cause_id, &notice)
            }
            false => Ok(()),
        }
    }
}
