//! Rows of usage reports, and their sums by day.

use std::collections::BTreeMap;

use super::{Row, StoreError, Tx};
use crate::time::UnixMillis;

/// One report.
pub(crate) struct Report<'a> {
    pub(crate) id: &'a str,
    pub(crate) tenant_id: &'a str,
    /// Whose the licence is now, if it is anybody's; it stands in the sums alone.
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

/// What stands in a sum for the whole tenant, and for no model.
const NONE: &str = "";

/// Adds a report, also to the sums of its day.
pub(crate) fn add(tx: &Tx<'_>, report: &Report<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO usage_reports (id, tenant_id, jti, app_id, model_id, input_tokens, cached_input_tokens, output_tokens,
             cost_mc, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        &[
            report.id.into(),
            report.tenant_id.into(),
            report.jti.into(),
            report.app_id.into(),
            report.model_id.into(),
            report.input_tokens.into(),
            report.cached_input_tokens.into(),
            report.output_tokens.into(),
            report.cost_mc.into(),
            report.at.ms().into(),
        ],
    )?;
    for (metric, amount) in report.metrics {
        tx.execute(
            "INSERT INTO usage_report_metrics (tenant_id, report_id, metric, amount) VALUES (?1, ?2, ?3, ?4)",
            &[
                report.tenant_id.into(),
                report.id.into(),
                metric.into(),
                (*amount).into(),
            ],
        )?;
    }
    add_to_day(tx, report, NONE)?;
    match report.user_id {
        Some(user_id) => add_to_day(tx, report, user_id),
        None => Ok(()),
    }
}

/// Adds a report to the sums of its day: those of the whole tenant, or of one user.
fn add_to_day(tx: &Tx<'_>, report: &Report<'_>, user_id: &str) -> Result<(), StoreError> {
    let place = [
        report.tenant_id.into(),
        user_id.into(),
        report.day.into(),
        report.app_id.into(),
        report.model_id.unwrap_or(NONE).into(),
    ];
    let [tenant_id, user_id, day, app_id, model_id] = place;
    tx.execute(
        "INSERT INTO usage_days (tenant_id, user_id, day, app_id, model_id, reports, input_tokens, cached_input_tokens,
             output_tokens, cost_mc)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)
         ON CONFLICT (tenant_id, user_id, day, app_id, model_id) DO UPDATE SET reports = usage_days.reports + 1,
             input_tokens = usage_days.input_tokens + excluded.input_tokens,
             cached_input_tokens = usage_days.cached_input_tokens + excluded.cached_input_tokens,
             output_tokens = usage_days.output_tokens + excluded.output_tokens,
             cost_mc = usage_days.cost_mc + excluded.cost_mc",
        &[
            tenant_id,
            user_id,
            day,
            app_id,
            model_id,
            report.input_tokens.into(),
            report.cached_input_tokens.into(),
            report.output_tokens.into(),
            report.cost_mc.into(),
        ],
    )?;
    for (metric, amount) in report.metrics {
        tx.execute(
            "INSERT INTO usage_day_metrics (tenant_id, user_id, day, app_id, model_id, metric, amount)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (tenant_id, user_id, day, app_id, model_id, metric)
                 DO UPDATE SET amount = usage_day_metrics.amount + excluded.amount",
            &[
                tenant_id,
                user_id,
                day,
                app_id,
                model_id,
                metric.into(),
                (*amount).into(),
            ],
        )?;
    }
    Ok(())
}

/// Removes the sums of a user who leaves; those of the tenant hold what they have used.
pub(crate) fn leave(tx: &Tx<'_>, tenant_id: &str, user_id: &str) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM usage_days WHERE tenant_id = ?1 AND user_id = ?2",
        "DELETE FROM usage_day_metrics WHERE tenant_id = ?1 AND user_id = ?2",
    ] {
        tx.execute(sql, &[tenant_id.into(), user_id.into()])?;
    }
    Ok(())
}

/// The sums of one day, app and model.
pub(crate) struct DayRow {
    pub(crate) day: i64,
    pub(crate) app_id: String,
    pub(crate) model_id: Option<String>,
    pub(crate) reports: i64,
    pub(crate) input_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cost_mc: i64,
    /// Sums by name.
    pub(crate) metrics: BTreeMap<String, i64>,
}

/// Which sums those are, in the order of [`days`].
#[derive(Clone, Debug)]
pub(crate) struct DayKey {
    day: i64,
    app_id: String,
    model_id: String,
}

impl DayRow {
    pub(crate) fn key(&self) -> DayKey {
        DayKey {
            day: self.day,
            app_id: self.app_id.clone(),
            model_id: self.model_id.clone().unwrap_or_default(),
        }
    }
}

/// The sums of a tenant, or of one user of it, after those, oldest first.
pub(crate) fn days(
    tx: &Tx<'_>,
    tenant_id: &str,
    user_id: Option<&str>,
    after: Option<&DayKey>,
    limit: u32,
) -> Result<Vec<DayRow>, StoreError> {
    let user_id = user_id.unwrap_or(NONE);
    let (day, app_id, model_id) = after.map_or((i64::MIN, "", ""), |key| {
        (key.day, key.app_id.as_str(), key.model_id.as_str())
    });
    let mut rows = tx.all(
        "SELECT day, app_id, model_id, reports, input_tokens, cached_input_tokens, output_tokens, cost_mc
         FROM usage_days WHERE tenant_id = ?1 AND user_id = ?2 AND (day, app_id, model_id) > (?3, ?4, ?5)
         ORDER BY day, app_id, model_id LIMIT ?6",
        &[
            tenant_id.into(),
            user_id.into(),
            day.into(),
            app_id.into(),
            model_id.into(),
            limit.into(),
        ],
        |row| {
            Ok(DayRow {
                day: row.int(0)?,
                app_id: row.text(1)?,
                model_id: Some(row.text(2)?).filter(|id| id != NONE),
                reports: row.int(3)?,
                input_tokens: row.int(4)?,
                cached_input_tokens: row.int(5)?,
                output_tokens: row.int(6)?,
                cost_mc: row.int(7)?,
                metrics: BTreeMap::new(),
            })
        },
    )?;
    for row in &mut rows {
        let metrics = tx.all(
            "SELECT metric, amount FROM usage_day_metrics
             WHERE tenant_id = ?1 AND user_id = ?2 AND day = ?3 AND app_id = ?4 AND model_id = ?5",
            &[
                tenant_id.into(),
                user_id.into(),
                row.day.into(),
                (&row.app_id).into(),
                row.model_id.as_deref().unwrap_or(NONE).into(),
            ],
            |metric| Ok((metric.text(0)?, metric.int(1)?)),
        )?;
        row.metrics.extend(metrics);
    }
    Ok(rows)
}

/// A report as it stands in the store.
pub(crate) struct StoredReport {
    pub(crate) id: String,
    /// Of the licence.
    pub(crate) jti: String,
    pub(crate) app_id: String,
    pub(crate) model_id: Option<String>,
    pub(crate) input_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cost_mc: i64,
    pub(crate) at: UnixMillis,
    /// By name.
    pub(crate) metrics: BTreeMap<String, i64>,
}

/// The reports of a tenant after the one of that id, oldest first.
pub(crate) fn reports(
    tx: &Tx<'_>,
    tenant_id: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredReport>, StoreError> {
    let mut reports = tx.all(
        "SELECT id, jti, app_id, model_id, input_tokens, cached_input_tokens, output_tokens, cost_mc, at_ms
         FROM usage_reports WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        &[
            tenant_id.into(),
            after.unwrap_or_default().into(),
            limit.into(),
        ],
        |row| {
            Ok(StoredReport {
                id: row.text(0)?,
                jti: row.text(1)?,
                app_id: row.text(2)?,
                model_id: row.optional_text(3)?,
                input_tokens: row.int(4)?,
                cached_input_tokens: row.int(5)?,
                output_tokens: row.int(6)?,
                cost_mc: row.int(7)?,
                at: UnixMillis::from_ms(row.int(8)?),
                metrics: BTreeMap::new(),
            })
        },
    )?;
    for report in &mut reports {
        let metrics = tx.all(
            "SELECT metric, amount FROM usage_report_metrics WHERE tenant_id = ?1 AND report_id = ?2",
            &[tenant_id.into(), (&report.id).into()],
            |metric| Ok((metric.text(0)?, metric.int(1)?)),
        )?;
        report.metrics.extend(metrics);
    }
    Ok(reports)
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
            " WHERE tenant_id = ?1 AND user_id = ?4 AND day BETWEEN ?2 AND ?3 ",
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
            self.user_id.unwrap_or(NONE).into(),
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
