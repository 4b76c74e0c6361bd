//! Periods: when a monthly balance begins, and when it lapses.

use std::sync::Arc;

use nexa_core::uuid_v7_from;

use super::super::error::Error;
use super::super::tariff::Tariff;
use super::{Account, Cause, TRIAL_PERIOD};
use crate::store::credits::{self, Amounts, Period};
use crate::store::{Store, Tx, subscriptions, users};
use crate::time::UnixMillis;

/// The kind of the periods in which a plan grants.
const PLAN_PERIOD: &str = "plan";

/// What an agent starts with.
pub(crate) struct Trial {
    /// Of its period.
    pub(crate) period_id: String,
    /// Not negative.
    pub(crate) amount_mc: i64,
    pub(crate) ends_at: UnixMillis,
}

/// Opens a new tenant's first period with a grant that lapses at its end.
///
/// # Errors
/// `Store` when the tenant has had a trial, or has a period.
pub(crate) fn grant_trial(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    tenant_id: &str,
    trial: &Trial,
) -> Result<(), Error> {
    let mut account = Account::open(tx, now, tariff, tenant_id)?;
    let period = Period {
        id: trial.period_id.clone(),
        kind: TRIAL_PERIOD.to_owned(),
        plan_id: None,
        started_at: now,
        ends_at: trial.ends_at,
    };
    account.begin(tx, period, trial.amount_mc, Cause::Trial)
}

/// Goes on with the plan that a tenant has got or lost just now: what another plan has granted lapses.
pub(crate) fn plan_changed(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    tenant_id: &str,
) -> Result<(), Error> {
    let mut account = Account::open(tx, now, tariff, tenant_id)?;
    let plan_id = account.plan().map(|plan| &plan.id);
    match &account.row.period {
        Some(period) if period.plan_id.as_ref() != plan_id => account.follow(tx, now, now),
        Some(_) | None => Ok(()),
    }
}

/// Writes the end of periods that are over into the ledger, a bounded number of them; what is left over waits for the next
/// call. Each tenant has a write of its own, so that none stands in the way of the others; answers the tenants whose end
/// could not be written, and why.
///
/// # Errors
/// `Store` when the store takes nothing at present.
pub(crate) fn expire(
    store: &Store,
    now: UnixMillis,
    tariff: &Arc<Tariff>,
) -> Result<Vec<(String, Error)>, Error> {
    const CHUNK: u32 = 100;
    const CHUNKS: usize = 10;
    let mut failed = Vec::new();
    let mut after = None;
    for _ in 0..CHUNKS {
        let ended = store.read(|tx| credits::ended(tx, now, after.as_ref(), CHUNK))?;
        for (_, tenant_id) in &ended {
            let (tenant, tariff) = (tenant_id.clone(), Arc::clone(tariff));
            match store.write(move |tx| Account::open(tx, now, &tariff, &tenant).map(drop)) {
                Ok(()) => {}
                Err(Error::Store(error)) if error.is_temporary() => return Err(error.into()),
                Err(error) => failed.push((tenant_id.clone(), error)),
            }
        }
        match ended.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(failed)
}

impl Account<'_> {
    /// Writes down what has happened by `now`: the end of a period, the beginning of the next one.
    pub(super) fn settle(&mut self, tx: &Tx<'_>, now: UnixMillis) -> Result<(), Error> {
        match &self.row.period {
            Some(period) if period.ends_at > now => Ok(()),
            Some(period) => self.follow(tx, now, period.ends_at),
            None => match self.next_period(tx, now)? {
                Some((next, amount_mc)) => self.begin(tx, next, amount_mc, Cause::Grant),
                None => Ok(()),
            },
        }
    }

    /// Ends the period that is running, as of `ended_at`, and begins the one that follows.
    fn follow(&mut self, tx: &Tx<'_>, now: UnixMillis, ended_at: UnixMillis) -> Result<(), Error> {
        let next = self.next_period(tx, now)?;
        let Some(ended) = self.row.period.take() else {
            return Ok(());
        };
        let left = Amounts {
            monthly_mc: -self.amounts().monthly_mc,
            topup_mc: 0,
        };
        let cause = match next {
            Some(_) => Cause::Reset,
            None => Cause::Expiry,
        };
        if left != Amounts::default() {
            self.enter(tx, ended_at, left, cause, &ended.id)?;
        }
        credits::end_period(tx, self.tenant_id)?;
        match next {
            Some((next, amount_mc)) => self.begin(tx, next, amount_mc, Cause::Grant),
            None => Ok(()),
        }
    }

    fn begin(
        &mut self,
        tx: &Tx<'_>,
        period: Period,
        amount_mc: i64,
        cause: Cause,
    ) -> Result<(), Error> {
        credits::start_period(tx, self.tenant_id, &period)?;
        if amount_mc > 0 {
            // What an earlier month has lent is paid off first: otherwise it would be owed again each month.
            let owed_mc = amount_mc.min(-self.amounts().topup_mc).max(0);
            let change = Amounts {
                monthly_mc: amount_mc - owed_mc,
                topup_mc: owed_mc,
            };
            self.enter(tx, period.started_at, change, cause, &period.id)?;
        }
        self.row.period = Some(period);
        Ok(())
    }

    /// The period that the plan of the tenant grants now, and how much. One that is paid for lasts to the next monthly step
    /// from the beginning of the subscription, and there is none beyond what is paid; others go on where the last one ended.
    pub(super) fn next_period(
        &self,
        tx: &Tx<'_>,
        now: UnixMillis,
    ) -> Result<Option<(Period, i64)>, Error> {
        let plan = self.plan().filter(|plan| plan.credits_mc > 0);
        let Some(plan) = plan.filter(|_| self.row.is_active) else {
            return Ok(None);
        };
        // Anybody can register: what is given to everybody goes to those who have shown who they are.
        let is_for_everybody = self.row.plan_id.is_none();
        if is_for_everybody && !users::has_verified_owner(tx, self.tenant_id)? {
            return Ok(None);
        }
        let paid = subscriptions::live(tx, self.tenant_id)?;
        let (started_at, ends_at) = match paid.filter(|paid| paid.plan_id == plan.id) {
            Some(paid) if paid.paid_until <= now => return Ok(None),
            Some(paid) => (now, next_step(paid.started_at, now)),
            None => {
                let last = self.row.period.as_ref().map(|period| period.ends_at);
                let goes_on = last.filter(|at| *at <= now && at.plus_months(1) > now);
                let started_at = goes_on.unwrap_or(now);
                (started_at, started_at.plus_months(1))
            }
        };
        let period = Period {
            id: uuid_v7_from(now.unsigned_ms(), tx.salt()?),
            kind: PLAN_PERIOD.to_owned(),
            plan_id: Some(plan.id.clone()),
            started_at,
            ends_at,
        };
        Ok(Some((period, plan.credits_mc)))
    }
}

/// The first time after `now` that is a whole number of months after `start`.
fn next_step(start: UnixMillis, now: UnixMillis) -> UnixMillis {
    let mut months = 1;
    while start.plus_months(months) <= now && months < u32::MAX {
        months += 1;
    }
    start.plus_months(months)
}
