//! Rows of usage reports, and their sums by day.

use std::collections::BTreeMap;

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

/// One report.
pub(crate) struct Report<'a> {
    pub(crate) id: &'a str,
    pub(crate) tenant_id: &'a str,
    /// Of the licence, if it is anybody's.
    pub(crate) user_id: Option<&'a str>,
    /// Of the licence.
    pub(crate) jti: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) model_id: Option<&'a str>,
    pub(crate) input_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) metrics: &'a BTreeMap<String, i64>,
    pub(crate) cost_mc: i64,
    pub(crate) at: UnixMillis,
    /// Since 1970-01-01 in UTC.
    pub(crate) day: i64,
}

/// What stands in a sum for no user and for no model.
const NONE: &str = "";

/// Adds a report, also to the sums of its day.
pub(crate) fn add(tx: &Tx<'_>, report: &Report<'_>) -> Result<(), StoreError> {
    let counts = [
        report.input_tokens.into(),
        report.cached_input_tokens.into(),
        report.output_tokens.into(),
        report.cost_mc.into(),
    ];
    let [input, cached_input, output, cost] = counts;
    tx.execute(
        "INSERT INTO usage_reports (id, tenant_id, user_id, jti, app_id, model_id, input_tokens, cached_input_tokens,
             output_tokens, cost_mc, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            report.id.into(),
            report.tenant_id.into(),
            report.user_id.into(),
            report.jti.into(),
            report.app_id.into(),
            report.model_id.into(),
            input,
            cached_input,
            output,
            cost,
            report.at.ms().into(),
        ],
    )?;
    let place = [
        report.tenant_id.into(),
        report.day.into(),
        report.user_id.unwrap_or(NONE).into(),
        report.app_id.into(),
        report.model_id.unwrap_or(NONE).into(),
    ];
    let [tenant_id, day, user_id, app_id, model_id] = place;
    tx.execute(
        "INSERT INTO usage_days (tenant_id, day, user_id, app_id, model_id, reports, input_tokens, cached_input_tokens,
             output_tokens, cost_mc)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)
         ON CONFLICT (tenant_id, day, user_id, app_id, model_id) DO UPDATE SET reports = usage_days.reports + 1,
             input_tokens = usage_days.input_tokens + excluded.input_tokens,
             cached_input_tokens = usage_days.cached_input_tokens + excluded.cached_input_tokens,
             output_tokens = usage_days.output_tokens + excluded.output_tokens,
             cost_mc = usage_days.cost_mc + excluded.cost_mc",
        &[
            tenant_id, day, user_id, app_id, model_id, input, cached_input, output, cost,
        ],
    )?;
    for (metric, amount) in report.metrics {
        tx.execute(
            "INSERT INTO usage_report_metrics (tenant_id, report_id, metric, amount) VALUES (?1, ?2, ?3, ?4)",
            &[tenant_id, report.id.into(), metric.into(), (*amount).into()],
        )?;
        tx.execute(
            "INSERT INTO usage_day_metrics (tenant_id, day, user_id, app_id, model_id, metric, amount)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (tenant_id, day, user_id, app_id, model_id, metric)
                 DO UPDATE SET amount = usage_day_metrics.amount + excluded.amount",
            &[
                tenant_id,
                day,
                user_id,
                app_id,
                model_id,
                metric.into(),
                (*amount).into(),
            ],
        )?;
    }
    Ok(())
}

/// What sums are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Day,
    App,
    /// Each model of each app.
    Model,
}

/// Whose sums, and of which days, both ends included.
pub(crate) struct Span<'a> {
    pub(crate) tenant_id: &'a str,
    /// One user's alone.
    pub(crate) user_id: Option<&'a str>,
    pub(crate) from_day: i64,
    pub(crate) to_day: i64,
}

/// The sum of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) group: Group,
    pub(crate) reports: i64,
    pub(crate) input_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cost_mc: i64,
}

/// What the reports of a sum have in common; what is not asked for is the same in all groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) day: i64,
    pub(crate) app_id: String,
    pub(crate) model_id: Option<String>,
}

macro_rules! grouped {
    ($sums:literal, $table:literal, $rest:literal) => {
        concat!(
            "SELECT CASE WHEN ?5 = 'day' THEN day ELSE 0 END, CASE WHEN ?5 = 'day' THEN '' ELSE app_id END,
                 CASE WHEN ?5 = 'model' THEN model_id ELSE '' END, ",
            $sums,
            " FROM ",
            $table,
            " WHERE tenant_id = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR user_id = ?4) ",
            $rest
        )
    };
}

/// The sums of all groups that have reports.
pub(crate) fn sums(tx: &Tx<'_>, span: &Span<'_>, by: By) -> Result<Vec<Sum>, StoreError> {
    tx.all(
        grouped!(
            "sum(reports), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens), sum(cost_mc)",
            "usage_days",
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ),
        &span.values(by),
        |row| {
            Ok(Sum {
                group: read_group(row)?,
                reports: row.int(3)?,
                input_tokens: row.int(4)?,
                cached_input_tokens: row.int(5)?,
                output_tokens: row.int(6)?,
                cost_mc: row.int(7)?,
            })
        },
    )
}

/// The sums of metrics, each with its group and name, in the order of [`sums`].
pub(crate) fn metric_sums(
    tx: &Tx<'_>,
    span: &Span<'_>,
    by: By,
) -> Result<Vec<(Group, String, i64)>, StoreError> {
    tx.all(
        grouped!(
            "metric, sum(amount)",
            "usage_day_metrics",
            "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        ),
        &span.values(by),
        |row| Ok((read_group(row)?, row.text(3)?, row.int(4)?)),
    )
}

impl Span<'_> {
    fn values(&self, by: By) -> [super::tx::Value<'_>; 5] {
        let by = match by {
            By::Day => "day",
            By::App => "app",
            By::Model => "model",
        };
        [
            self.tenant_id.into(),
            self.from_day.into(),
            self.to_day.into(),
            self.user_id.into(),
            by.into(),
        ]
    }
}

fn read_group(row: &Row<'_>) -> Result<Group, StoreError> {
    Ok(Group {
        day: row.int(0)?,
        app_id: row.text(1)?,
        model_id: Some(row.text(2)?).filter(|model_id| model_id != NONE),
    })
}
