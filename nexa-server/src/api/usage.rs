//! `/api/usage/*`: what apps use, what that costs, and its sums.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amounts::{Count, Day};
use super::route::Cx;
use crate::domain::Error;
use crate::domain::rates::Counts;
use crate::domain::usage::{self, Days, NewReport, Used};
use crate::http::extract::{Body, Query};
use crate::http::reply::{Ok200, Repeatable, Uncached};
use crate::store::usage::By;

/// What was used since the last report; what is left out is 0.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    /// The app of the licence.
    app_id: String,
    /// One that is on the rate card.
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    input_tokens: Option<Count>,
    #[serde(default)]
    output_tokens: Option<Count>,
    /// Those that were in a cache; they are not in `inputTokens`.
    #[serde(default)]
    cached_input_tokens: Option<Count>,
    /// By their names on the rate card.
    #[serde(default)]
    metrics: Option<BTreeMap<String, Count>>,
}

/// In millicents: 100000 are 1.00 of the currency.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Charged {
    /// True.
    ok: bool,
    /// Rounded up once, to a whole millicent.
    cost_millicents: i64,
    balance: Left,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Left {
    monthly_mc: i64,
    topup_mc: i64,
    total_mc: i64,
}

pub(crate) fn report(
    cx: &mut Cx<'_>,
    Body(body): Body<Usage>,
) -> Result<Uncached<Repeatable<Ok200<Charged>>>, Error> {
    let holder = cx.origin.principal.license()?.clone();
    let counts = Counts {
        input: number(body.input_tokens),
        cached_input: number(body.cached_input_tokens),
        output: number(body.output_tokens),
        metrics: (body.metrics.into_iter().flatten())
            .map(|(name, Count(amount))| (name, amount))
            .collect(),
    };
    let tariff = Arc::clone(&cx.services.tariff);
    let (app_id, model_id) = (body.app_id, body.model_id);
    let new = NewReport::new(cx.now, cx.rng, &holder, app_id, model_id, counts)?;
    let attempt = cx.attempt.clone();
    let reported = cx.write(move |tx, now, _| {
        usage::report(tx, now, &tariff, &holder, attempt.as_ref(), &new)
    })?;
    if reported.is_recharge_due {
        cx.wake_payments();
    }
    let charged = reported.outcome?;
    Ok(Uncached(Repeatable {
        reply: Ok200(Charged {
            ok: true,
            cost_millicents: charged.cost_mc,
            balance: Left {
                monthly_mc: charged.monthly_mc,
                topup_mc: charged.topup_mc,
                total_mc: charged.monthly_mc.saturating_add(charged.topup_mc),
            },
        }),
        replayed: charged.replayed,
    }))
}

fn number(count: Option<Count>) -> i64 {
    count.map_or(0, |Count(number)| number)
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SummaryQuery {
    /// The first day, in UTC; without it 30 days up to `to`.
    #[serde(default)]
    from: Option<Day>,
    /// The last day, which counts; today without it. At most 366 days.
    #[serde(default)]
    to: Option<Day>,
    #[serde(default)]
    group_by: GroupBy,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum GroupBy {
    #[default]
    Day,
    App,
    /// Each model of each app.
    Model,
}

/// Of the whole tenant for owners and admins, of their own licences for members.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    from: Day,
    to: Day,
    group_by: GroupBy,
    /// In the order of their names or days; without those in which nothing was used.
    groups: Vec<Group>,
    total: Sums,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
    /// `null` for uses that named no model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<Option<String>>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Sums {
    reports: i64,
    input_tokens: i64,
    cached_input_tokens: i64,
    output_tokens: i64,
    metrics: BTreeMap<String, i64>,
    cost_millicents: i64,
}

pub(crate) fn summary(
    cx: &mut Cx<'_>,
    Query(query): Query<SummaryQuery>,
) -> Result<Uncached<Ok200<Summary>>, Error> {
    let member = cx.member()?;
    let number = |day: Option<Day>| day.map(|Day(day)| day);
    let days = Days::new(cx.now, number(query.from), number(query.to))?;
    let by = match query.group_by {
        GroupBy::Day => By::Day,
        GroupBy::App => By::App,
        GroupBy::Model => By::Model,
    };
    let found = cx.read(|tx| usage::summary(tx, member, days, by))?;
    let mut total = Sums::default();
    let groups = found.into_iter().map(|used| {
        total.add(&used);
        Group::of(used, by)
    });
    let groups = groups.collect();
    Ok(Uncached(Ok200(Summary {
        from: Day(days.from),
        to: Day(days.to),
        group_by: query.group_by,
        groups,
        total,
    })))
}

impl Group {
    fn of(used: Used, by: By) -> Self {
        let mut sums = Sums::default();
        sums.add(&used);
        let group = used.sum.group;
        let (day, app_id, model_id) = match by {
            By::Day => (Some(Day(group.day)), None, None),
            By::App => (None, Some(group.app_id), None),
            By::Model => (None, Some(group.app_id), Some(group.model_id)),
        };
        Self {
            day,
            app_id,
            model_id,
            sums,
        }
    }
}

impl Sums {
    fn add(&mut self, Used { sum, metrics }: &Used) {
        let add = |to: &mut i64, amount: i64| *to = to.saturating_add(amount);
        add(&mut self.reports, sum.reports);
        add(&mut self.input_tokens, sum.input_tokens);
        add(&mut self.cached_input_tokens, sum.cached_input_tokens);
        add(&mut self.output_tokens, sum.output_tokens);
        add(&mut self.cost_millicents, sum.cost_mc);
        for (name, amount) in metrics {
            add(self.metrics.entry(name.clone()).or_default(), *amount);
        }
    }
}
