//! What an export says of money: nothing that the payment provider alone has to know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::super::amounts::{Day, Money};
use crate::domain::money::Cents;
use crate::store::payments::{Payment, StoredReversal};
use crate::store::subscriptions::Subscription;
use crate::store::usage::{DayRow, StoredReport};
use crate::time::UnixMillis;

/// A time for which the tenant was subscribed to a plan, or is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportedSubscription {
    id: String,
    plan_id: String,
    price_per_month: Money,
    /// ISO 4217.
    currency: String,
    started_at: UnixMillis,
    paid_until: UnixMillis,
    canceled_at: Option<UnixMillis>,
    ended_at: Option<UnixMillis>,
}

impl From<Subscription> for ExportedSubscription {
    fn from(subscription: Subscription) -> Self {
        Self {
            id: subscription.id,
            plan_id: subscription.plan_id,
            price_per_month: Money(Cents::of(subscription.price_cents)),
            currency: subscription.currency,
            started_at: subscription.started_at,
            paid_until: subscription.paid_until,
            canceled_at: subscription.canceled_at,
            ended_at: subscription.ended_at,
        }
    }
}

/// A payment, whatever has become of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportedPayment {
    id: String,
    /// `subscription`, `renewal`, `topup`, `recharge_setup` or `recharge`.
    kind: String,
    /// That a subscription begins with.
    plan_id: Option<String>,
    /// That it has begun or renewed.
    subscription_id: Option<String>,
    amount: Money,
    /// ISO 4217.
    currency: String,
    /// `new`, `open`, `paid` or `failed`.
    state: String,
    /// What the payer's own papers call it; `null` when the provider never heard of it.
    mollie_payment_id: Option<String>,
    created_at: UnixMillis,
    reversals: Vec<ExportedReversal>,
}

/// What went back of a payment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedReversal {
    /// `refund` or `chargeback`.
    kind: String,
    amount: Money,
    /// From the credits.
    taken_millicents: i64,
    /// Whether it was called off, and what it took given back.
    called_off: bool,
}

impl From<(Payment, Vec<StoredReversal>)> for ExportedPayment {
    fn from((payment, reversals): (Payment, Vec<StoredReversal>)) -> Self {
        let reversals = reversals.into_iter().map(|reversal| ExportedReversal {
            kind: reversal.kind,
            amount: Money(Cents::of(reversal.amount_cents)),
            taken_millicents: reversal.taken_mc,
            called_off: reversal.is_given_back,
        });
        Self {
            reversals: reversals.collect(),
            id: payment.id,
            kind: payment.kind.name().to_owned(),
            plan_id: payment.plan_id,
            subscription_id: payment.subscription_id,
            amount: Money(Cents::of(payment.amount_cents)),
            currency: payment.currency,
            state: payment.state.name().to_owned(),
            mollie_payment_id: payment.provider_id,
            created_at: payment.created_at,
        }
    }
}

/// What was used on one day of one app and one model: by the tenant for whoever manages it, else by the member's own licences.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportedUsage {
    day: Day,
    app_id: String,
    model_id: Option<String>,
    reports: i64,
    input_tokens: i64,
    cached_input_tokens: i64,
    output_tokens: i64,
    metrics: BTreeMap<String, i64>,
    cost_millicents: i64,
}

impl From<DayRow> for ExportedUsage {
    fn from(row: DayRow) -> Self {
        Self {
            day: Day(row.day),
            app_id: row.app_id,
            model_id: row.model_id,
            reports: row.reports,
            input_tokens: row.input_tokens,
            cached_input_tokens: row.cached_input_tokens,
            output_tokens: row.output_tokens,
            metrics: row.metrics,
            cost_millicents: row.cost_mc,
        }
    }
}

/// One report: what the `causeId` of a ledger's entry of cause `usage` names.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportedReport {
    id: String,
    at: UnixMillis,
    /// Of the licence.
    jti: String,
    app_id: String,
    model_id: Option<String>,
    input_tokens: i64,
    cached_input_tokens: i64,
    output_tokens: i64,
    metrics: BTreeMap<String, i64>,
    cost_millicents: i64,
}

impl From<StoredReport> for ExportedReport {
    fn from(report: StoredReport) -> Self {
        Self {
            id: report.id,
            at: report.at,
            jti: report.jti,
            app_id: report.app_id,
            model_id: report.model_id,
            input_tokens: report.input_tokens,
            cached_input_tokens: report.cached_input_tokens,
            output_tokens: report.output_tokens,
            metrics: report.metrics,
            cost_millicents: report.cost_mc,
        }
    }
}
