//! `/api/account/export`: the caller's data, to take along.

mod money;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::super::audit::ListedEvent;
use super::super::base_v1::account::webhooks::ShownDelivery;
use super::super::credits::ListedEntry;
use super::super::credits::auto_recharge::ShownRecharge;
use super::super::events;
use super::super::licenses::ListedLicense;
use super::super::route::Cx;
use super::super::team::invites::ListedInvite;
use super::super::team::members::TeamMember;
use super::super::v1::api_keys::KeyDetails;
use money::{ExportedPayment, ExportedReport, ExportedSubscription, ExportedUsage};

use crate::domain::Error;
use crate::domain::export::{self, Export};
use crate::http::json_stream::JsonStream;
use crate::http::reply::Secret;
use crate::store::agents::Agent;
use crate::store::devices::Device;
use crate::store::licenses::License;
use crate::store::notices::NoticeRow;
use crate::store::sessions::Session;
use crate::store::tenants::Tenant;
use crate::time::UnixMillis;

/// Everything of the tenant for owners and admins, one's own for members; no secret and no hash of one. It comes as it is
/// read, and shows changes that are made meanwhile.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes what is streamed")]
pub(crate) struct AccountExport {
    exported_at: UnixMillis,
    tenant: ExportedTenant,
    users: Vec<TeamMember>,
    sessions: Vec<ExportedSession>,
    invites: Vec<ListedInvite>,
    api_keys: Vec<KeyDetails>,
    licenses: Vec<ExportedLicense>,
    devices: Vec<ExportedDevice>,
    credit_entries: Vec<ListedEntry>,
    subscriptions: Vec<ExportedSubscription>,
    payments: Vec<ExportedPayment>,
    auto_recharge: ShownRecharge,
    usage: Vec<ExportedUsage>,
    usage_reports: Vec<ExportedReport>,
    notices: Vec<ExportedNotice>,
    /// What programs were told in the last 30 days, as webhooks carry it.
    events: Vec<Value>,
    webhook_deliveries: Vec<ShownDelivery>,
    audit_events: Vec<ListedEvent>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedTenant {
    id: String,
    name: String,
    /// `workspace` or `agent`.
    kind: String,
    created_at: UnixMillis,
    /// What an agent says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<ExportedAgent>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedAgent {
    contact_email: Option<String>,
    webhook_url: Option<String>,
    description: Option<String>,
    referral_code: Option<String>,
    referral_agent: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedSession {
    id: String,
    user_id: String,
    address: Option<String>,
    user_agent: Option<String>,
    created_at: UnixMillis,
    refreshed_at: UnixMillis,
    expires_at: UnixMillis,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedLicense {
    #[serde(flatten)]
    license: ListedLicense,
    /// Who issued it; null once they have left.
    user_id: Option<String>,
    revoked_reason: Option<String>,
}

/// With a seat or without.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedDevice {
    id: String,
    app_id: String,
    platform: String,
    name: Option<String>,
    /// Whose it is; null once they have left.
    user_id: Option<String>,
    first_issued_at: UnixMillis,
    last_issued_at: UnixMillis,
}

/// What the owners are told, once each.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExportedNotice {
    id: String,
    /// `credits_low`, `payment_failed`, `subscription_ended`, `trial_ending` or `key_leaked`.
    kind: String,
    /// Which report, payment, subscription, app, period or key it is about.
    subject: String,
    /// Of credits that are low, in millicents.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_millicents: Option<i64>,
    /// Of a payment that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_cents: Option<i64>,
    /// What that was for: `subscription`, `topup` or `auto_recharge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_for: Option<String>,
    /// Of a subscription that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// Of a trial, unless it is that of the credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
    /// Of a trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<UnixMillis>,
    /// Of a key that leaked: who is told of it, unless the owners are.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix: Option<String>,
    /// Where that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    found_at_url: Option<String>,
    /// When there was something to tell.
    told_at: UnixMillis,
    /// When it is to be carried.
    due_at: UnixMillis,
    /// Null until it is handed to mail.
    carried_at: Option<UnixMillis>,
}

pub(crate) fn export(cx: &mut Cx<'_>, (): ()) -> Result<Secret<JsonStream<AccountExport>>, Error> {
    let export = Export::new(&cx.services.store, cx.member()?);
    let (tenant, agent) = export.tenant()?;
    let recharge = ShownRecharge::from(export.auto_recharge()?);
    cx.write(export::record)?;
    let stream = JsonStream::new()
        .member("exportedAt", &cx.now)
        .member("tenant", &ExportedTenant::new(tenant, agent))
        .list("users", shown(export.users(), TeamMember::from))
        .list("sessions", shown(export.sessions(), ExportedSession::from))
        .list("invites", shown(export.invites(cx.now), ListedInvite::from))
        .list("apiKeys", shown(export.keys(), KeyDetails::from))
        .list("licenses", shown(export.licenses(), ExportedLicense::from))
        .list("devices", shown(export.devices(), ExportedDevice::from))
        .list("creditEntries", shown(export.credits(), ListedEntry::from))
        .list(
            "subscriptions",
            shown(export.subscriptions(), ExportedSubscription::from),
        )
        .list("payments", shown(export.payments(), ExportedPayment::from))
        .member("autoRecharge", &recharge)
        .list("usage", shown(export.usage(), ExportedUsage::from))
        .list(
            "usageReports",
            shown(export.reports(), ExportedReport::from),
        )
        .list("notices", shown(export.notices(), ExportedNotice::from))
        .list("events", tried(export.told(), |told| events::value(&told)))
        .list(
            "webhookDeliveries",
            tried(export.deliveries(), ShownDelivery::new),
        )
        .list("auditEvents", shown(export.events(), ListedEvent::from));
    Ok(Secret(stream))
}

/// Pages of rows as pages of what is shown of them.
fn shown<R: 'static, T: 'static, E>(
    pages: impl Iterator<Item = Result<Vec<R>, E>> + Send + 'static,
    show: fn(R) -> T,
) -> impl Iterator<Item = Result<Vec<T>, E>> + Send + 'static {
    pages.map(move |page| page.map(|rows| rows.into_iter().map(show).collect()))
}

/// As [`shown`], for what can fail.
fn tried<R: 'static, T: 'static>(
    pages: impl Iterator<Item = Result<Vec<R>, Error>> + Send + 'static,
    show: fn(R) -> Result<T, Error>,
) -> impl Iterator<Item = Result<Vec<T>, Error>> + Send + 'static {
    pages.map(move |page| page?.into_iter().map(show).collect())
}

impl ExportedTenant {
    fn new(tenant: Tenant, agent: Option<Agent>) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name,
            kind: tenant.kind,
            created_at: tenant.created_at,
            agent: agent.map(|agent| ExportedAgent {
                contact_email: agent.contact_email,
                webhook_url: agent.webhook_url,
                description: agent.description,
                referral_code: agent.referral_code,
                referral_agent: agent.referral_agent,
            }),
        }
    }
}

impl From<Session> for ExportedSession {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            user_id: session.user_id,
            address: session.address,
            user_agent: session.user_agent,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
        }
    }
}

impl From<License> for ExportedLicense {
    fn from(license: License) -> Self {
        Self {
            user_id: license.user_id.clone(),
            revoked_reason: license.revoked_reason.clone(),
            license: license.into(),
        }
    }
}

impl From<Device> for ExportedDevice {
    fn from(device: Device) -> Self {
        Self {
            id: device.id,
            app_id: device.app_id,
            platform: device.platform,
            name: device.name,
            user_id: device.user_id,
            first_issued_at: device.first_issued_at,
            last_issued_at: device.last_issued_at,
        }
    }
}

impl From<NoticeRow> for ExportedNotice {
    fn from(notice: NoticeRow) -> Self {
        Self {
            id: notice.id,
            kind: notice.kind,
            subject: notice.subject,
            left_millicents: notice.left_mc,
            amount_cents: notice.amount_cents,
            paid_for: notice.paid_for,
            plan: notice.plan,
            app_id: notice.app_id,
            ends_at: notice.ends_at,
            user_id: notice.user_id,
            key_name: notice.key_name,
            key_prefix: notice.key_prefix,
            found_at_url: notice.found_at_url,
            told_at: notice.told_at,
            due_at: notice.due_at,
            carried_at: notice.carried_at,
        }
    }
}
