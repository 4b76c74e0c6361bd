//! Usage: what apps report, what it costs, and its sums.

use std::collections::BTreeMap;

use nexa_core::uuid_v7;
use rand_core::CryptoRng;

use super::credits::{Account, Balance};
use super::error::Error;
use super::principal::{LicenseHolder, Member};
use super::rates::{self, Counts};
use super::tariff::Tariff;
use crate::store::Tx;
use crate::store::usage::{self, By, Group, Report, Span, Sum};
use crate::time::UnixMillis;

/// A report whose fields hold, and its cost.
pub(crate) struct NewReport {
    id: String,
    app_id: String,
    model_id: Option<String>,
    counts: Counts,
    metrics_text: Option<String>,
    cost_mc: i64,
    recharge_id: String,
}

/// A report that is recorded and paid for.
pub(crate) struct Charged {
    pub(crate) cost_mc: i64,
    pub(crate) balance: Balance,
}

impl NewReport {
    /// Checks what a licence's holder reports, and looks up what it costs.
    ///
    /// # Errors
    /// `Invalid` for `app_id` that is not the licence's, for `model_id` and metrics that the card does not know.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        tariff: &Tariff,
        holder: &LicenseHolder,
        app_id: String,
        model_id: Option<String>,
        counts: Counts,
    ) -> Result<Self, Error> {
        if app_id != holder.app_id {
            return Err(Error::invalid("app_id", "must be the app of the licence"));
        }
        let rate = rates::rate(&tariff.rates, &app_id, model_id.as_deref())?;
        let metrics_text = match counts.metrics.is_empty() {
            true => None,
            false => Some(
                serde_json::to_string(&counts.metrics)
                    .map_err(|error| Error::Fault(format!("metrics: {error}")))?,
            ),
        };
        Ok(Self {
            id: uuid_v7(now.unsigned_ms(), rng),
            cost_mc: rate.cost_mc(&counts)?,
            recharge_id: uuid_v7(now.unsigned_ms(), rng),
            app_id,
            model_id,
            counts,
            metrics_text,
        })
    }

    /// What it costs, in millicents.
    pub(crate) const fn cost_mc(&self) -> i64 {
        self.cost_mc
    }
}

/// Records a report and spends what it costs, both or neither.
///
/// # Errors
/// `CreditsTooLow`, with nothing recorded.
pub(crate) fn report(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    holder: &LicenseHolder,
    new: &NewReport,
) -> Result<Charged, Error> {
    let mut account = Account::open(tx, now, tariff, &holder.tenant_id)?;
    account.spend(tx, now, new.cost_mc, &new.id)?;
    let row = Report {
        id: &new.id,
        tenant_id: &holder.tenant_id,
        user_id: holder.user_id.as_deref(),
        jti: &holder.jti,
        app_id: &new.app_id,
        model_id: new.model_id.as_deref(),
        input_tokens: new.counts.input,
        cached_input_tokens: new.counts.cached_input,
        output_tokens: new.counts.output,
        metrics: &new.counts.metrics,
        metrics_text: new.metrics_text.as_deref(),
        cost_mc: new.cost_mc,
        at: now,
        day: now.day(),
    };
    usage::add(tx, &row)?;
    Ok(Charged {
        cost_mc: new.cost_mc,
        balance: account.balance(),
    })
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

/// What was used, by group and in all.
pub(crate) struct Summary {
    /// In the order of their groups.
    pub(crate) groups: Vec<(Sum, BTreeMap<String, i64>)>,
}

/// The sums of what the member sees: a tenant's, or of its own licences.
pub(crate) fn summary(tx: &Tx<'_>, member: &Member, days: Days, by: By) -> Result<Summary, Error> {
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
        let of_group = metrics.remove(&sum.group).unwrap_or_default();
        (sum, of_group)
    });
    Ok(Summary {
        groups: groups.collect(),
    })
}
