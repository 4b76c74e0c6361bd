//! Usage: what apps report, what it costs, and its sums.

use std::collections::BTreeMap;

use nexa_core::uuid_v7;
use rand_core::CryptoRng;

use super::credits::Account;
use super::error::Error;
use super::idempotency::{self, Answered, Attempt};
use super::license_tokens;
use super::principal::{LicenseHolder, Member};
use super::rates::{self, Counts};
use super::recharges;
use super::tariff::Tariff;
use crate::store::Tx;
use crate::store::usage::{self, By, Group, Report, Span, Sum};
use crate::time::UnixMillis;

/// What a licence's holder reports.
pub(crate) struct NewReport {
    id: String,
    app_id: String,
    model_id: Option<String>,
    counts: Counts,
    recharge_id: String,
}

/// A report that is recorded and paid for, and what was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charged {
    pub(crate) cost_mc: i64,
    pub(crate) monthly_mc: i64,
    pub(crate) topup_mc: i64,
    /// The status of the first answer, where this is that answer once more.
    pub(crate) replayed: Option<u16>,
}

/// What has become of a report.
pub(crate) struct Reported {
    /// `CreditsTooLow`, with nothing recorded, where the balance does not cover it.
    pub(crate) outcome: Result<Charged, Error>,
    /// A charge has been written down that the provider is to be asked for.
    pub(crate) is_recharge_due: bool,
}

impl NewReport {
    /// Takes what a licence's holder reports, for the app of the licence.
    ///
    /// # Errors
    /// `Invalid` for `app_id` that is not the licence's.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        holder: &LicenseHolder,
        app_id: String,
        model_id: Option<String>,
        counts: Counts,
    ) -> Result<Self, Error> {
        if app_id != holder.app_id {
            return Err(Error::invalid("app_id", "must be the app of the licence"));
        }
        Ok(Self {
            id: uuid_v7(now.unsigned_ms(), rng),
            recharge_id: uuid_v7(now.unsigned_ms(), rng),
            app_id,
            model_id,
            counts,
        })
    }
}

/// Records a report and spends what it costs, both or neither; or answers once more what the first call of this attempt has
/// answered, whatever has become of the rate card since.
///
/// # Errors
/// `Invalid` for `model_id` and metrics that the card does not know; `IdempotencyKeyReused`. That the balance is too low is no error
/// here: the charge that it may call for is to be kept.
pub(crate) fn report(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    holder: &LicenseHolder,
    attempt: Option<&Attempt>,
    new: &NewReport,
) -> Result<Reported, Error> {
    let tenant_id = &holder.tenant_id;
    if let Some(attempt) = attempt
        && let Some(answered) = idempotency::earlier(tx, now, tenant_id, attempt)?
    {
        return Ok(Reported {
            outcome: Ok(Charged::read(&answered)?),
            is_recharge_due: false,
        });
    }
    let rate = rates::rate(&tariff.rates, &new.app_id, new.model_id.as_deref())?;
    let cost_mc = rate.cost_mc(&new.counts)?;
    let mut account = Account::open(tx, now, tariff, tenant_id)?;
    match account.spend(tx, now, cost_mc, &new.id) {
        Ok(()) => {}
        Err(error @ Error::CreditsTooLow { .. }) => {
            let recharge_id = &new.recharge_id;
            return Ok(Reported {
                outcome: Err(error),
                is_recharge_due: recharges::begin_if_due(tx, now, &account, cost_mc, recharge_id)?,
            });
        }
        Err(error) => return Err(error),
    }
    // As it is now: who has left since the gate let the call pass is not to be named any more.
    let user_id = license_tokens::user_behind(tx, tenant_id, &holder.jti)?;
    usage::add(tx, &new.row(now, holder, user_id.as_deref(), cost_mc))?;
    let left = account.balance();
    let charged = Charged {
        cost_mc,
        monthly_mc: left.monthly_mc,
        topup_mc: left.topup_mc,
        replayed: None,
    };
    if let Some(attempt) = attempt {
        idempotency::record(
            tx,
            now,
            tenant_id,
            attempt,
            &charged.answered(attempt.status),
        )?;
    }
    Ok(Reported {
        outcome: Ok(charged),
        is_recharge_due: recharges::begin_if_due(tx, now, &account, 0, &new.recharge_id)?,
    })
}

impl NewReport {
    fn row<'a>(
        &'a self,
        now: UnixMillis,
        holder: &'a LicenseHolder,
        user_id: Option<&'a str>,
        cost_mc: i64,
    ) -> Report<'a> {
        Report {
            id: &self.id,
            tenant_id: &holder.tenant_id,
            user_id,
            jti: &holder.jti,
            app_id: &self.app_id,
            model_id: self.model_id.as_deref(),
            input_tokens: self.counts.input,
            cached_input_tokens: self.counts.cached_input,
            output_tokens: self.counts.output,
            metrics: &self.counts.metrics,
            cost_mc,
            at: now,
            day: now.day(),
        }
    }
}

impl Charged {
    /// What is kept of it for repeats: its three amounts.
    fn answered(&self, status: u16) -> Answered {
        let Self {
            cost_mc,
            monthly_mc,
            topup_mc,
            ..
        } = self;
        Answered {
            status,
            kid: String::new(),
            answer: format!("{cost_mc} {monthly_mc} {topup_mc}"),
        }
    }

    fn read(answered: &Answered) -> Result<Self, Error> {
        let mut amounts = answered.answer.split(' ').map(str::parse);
        match (amounts.next(), amounts.next(), amounts.next()) {
            (Some(Ok(cost_mc)), Some(Ok(monthly_mc)), Some(Ok(topup_mc))) => Ok(Self {
                cost_mc,
                monthly_mc,
                topup_mc,
                replayed: Some(answered.status),
            }),
            _ => Err(Error::Fault("an answer that was never given".to_owned())),
        }
    }
}

/// The days of a summary, both ends included, since 1970-01-01 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Days {
    const MOST: i64 = 366;
    const WITHOUT: i64 = 30;

    /// The days that were asked for; without any, the last 30.
    ///
    /// # Errors
    /// `Invalid` for `from` when that is after `to`, or more than 366 days.
    pub(crate) fn new(now: UnixMillis, from: Option<i64>, to: Option<i64>) -> Result<Self, Error> {
        let to = to.unwrap_or_else(|| from.map_or(now.day(), |from| from.max(now.day())));
        let from = from.unwrap_or(to - Self::WITHOUT + 1);
        match to - from {
            ..0 => Err(Error::invalid("from", "must not be after to")),
            0..Self::MOST => Ok(Self { from, to }),
            Self::MOST.. => Err(Error::invalid(
                "from",
                format!("at most {} days at once", Self::MOST),
            )),
        }
    }
}

/// What was used of a group.
pub(crate) struct Used {
    pub(crate) sum: Sum,
    /// Sums by name.
    pub(crate) metrics: BTreeMap<String, i64>,
}

/// The sums of what the member sees, a tenant's or of its own licences, each with those of its metrics; in the order of their
/// groups.
pub(crate) fn summary(
    tx: &Tx<'_>,
    member: &Member,
    days: Days,
    by: By,
) -> Result<Vec<Used>, Error> {
    let span = Span {
        tenant_id: &member.tenant_id,
        user_id: member.sees_only(),
        from_day: days.from,
        to_day: days.to,
    };
    let mut metrics: BTreeMap<Group, BTreeMap<String, i64>> = BTreeMap::new();
    for (group, metric, amount) in usage::metric_sums(tx, &span, by)? {
        metrics.entry(group).or_default().insert(metric, amount);
    }
    let sums = usage::sums(tx, &span, by)?.into_iter();
    let groups = sums.map(|sum| {
        let metrics = metrics.remove(&sum.group).unwrap_or_default();
        Used { sum, metrics }
    });
    Ok(groups.collect())
}
