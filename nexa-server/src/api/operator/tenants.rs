//! `/api/operator/tenants`: the operator's hold on its customers.

pub(crate) mod credits;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::subscriptions::OwnSubscription;
use super::super::wire::{ListedId, PageLimit, PageOf, page, present};
use super::HolderPath;
use crate::domain::Error;
use crate::domain::audit::Origin;
use crate::domain::email::EmailAddress;
use crate::domain::{accounts, erasure, tenants};
use crate::http::extract::{Body, Path, Query};
use crate::http::reply::{Completion, Ok200};
use crate::store::Tx;
use crate::store::tenants::SeenTenant;
use crate::store::users::User;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct TenantsQuery {
    /// Only the tenant whose user has this address.
    #[serde(default)]
    email: Option<String>,
    /// Items on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    limit: Option<PageLimit>,
    /// Only items older than the one of this id; `Link` names the next page.
    #[serde(default)]
    before: Option<ListedId>,
}

/// A tenant that is neither erased nor about to be.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedTenant {
    id: String,
    name: String,
    /// `workspace` or `agent`.
    kind: String,
    enabled: bool,
    plan: Option<String>,
    created_at: UnixMillis,
}

impl From<SeenTenant> for ListedTenant {
    fn from(tenant: SeenTenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name,
            kind: tenant.kind,
            enabled: tenant.is_active,
            plan: tenant.plan,
            created_at: tenant.created_at,
        }
    }
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<TenantsQuery>,
) -> Result<PageOf<ListedTenant>, Error> {
    let email = query
        .email
        .as_deref()
        .map(EmailAddress::parse)
        .transpose()?;
    let page = page(query.limit, query.before);
    let tenants = cx.read(|tx| tenants::list(tx, email.as_ref(), &page))?;
    Ok(PageOf::of(cx, tenants, ListedTenant::from))
}

/// A tenant, and whom to talk to about it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownTenant {
    #[serde(flatten)]
    tenant: ListedTenant,
    /// How many users it has.
    users: i64,
    /// The longest-standing first, a hundred at most.
    owners: Vec<ShownOwner>,
    /// As the tenant sees it itself: the plan that it has, whether it pays for it or not, and what it pays.
    subscription: OwnSubscription,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownOwner {
    id: String,
    /// Null for the backend user of an agent, and for one whose address went to somebody else.
    email: Option<String>,
    /// Whether somebody has followed the link in a mail to the address.
    email_verified: bool,
    /// Whether neither the owner nor the tenant is disabled.
    enabled: bool,
}

impl From<User> for ShownOwner {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email_given,
            email_verified: user.email_verified_at.is_some(),
            enabled: user.is_active,
        }
    }
}

pub(crate) fn get(
    cx: &mut Cx<'_>,
    Path(HolderPath { id }): Path<HolderPath>,
) -> Result<Ok200<ShownTenant>, Error> {
    let found = cx.read(|tx| tenants::find(tx, &cx.services.tariff, &id))?;
    Ok(Ok200(ShownTenant {
        subscription: OwnSubscription::of(cx.now, found.own),
        tenant: found.seen.into(),
        users: found.users,
        owners: found.owners.into_iter().map(ShownOwner::from).collect(),
    }))
}

/// What is to change; a member that is not there stays as it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TenantChange {
    /// `false` ends every session and token at once, revokes the licences, ends the subscription, also what is paid of it, and
    /// auto-recharge, and has the payment provider forget the tenant: for good. Its keys stop until it is `true` again.
    #[serde(default, deserialize_with = "present")]
    enabled: Option<bool>,
    /// 1 to 64 characters; `null` for none. It decides the terms of the tenant's next licences and, where the configuration
    /// has a plan of that name, grants its credits now and each month, and lends its overdraft; what another plan has granted
    /// lapses. 409 while the tenant is subscribed.
    #[serde(default, deserialize_with = "present")]
    plan: Option<Option<String>>,
}

/// What a tenant has become.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangedTenant {
    id: String,
    enabled: bool,
    plan: Option<String>,
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    (Path(HolderPath { id }), Body(TenantChange { enabled, plan })): (
        Path<HolderPath>,
        Body<TenantChange>,
    ),
) -> Result<Ok200<ChangedTenant>, Error> {
    if enabled.is_none() && plan.is_none() {
        return Err(Error::invalid("enabled", "required, unless there is plan"));
    }
    let tenant_id = id.clone();
    let tariff = Arc::clone(&cx.services.tariff);
    let set_plan = move |tx: &Tx<'_>, now, origin: &Origin| match &plan {
        Some(plan) => accounts::set_plan(tx, now, origin, &tariff, &tenant_id, plan.as_deref()),
        None => Ok(()),
    };
    let tenant_id = id.clone();
    let tariff = Arc::clone(&cx.services.tariff);
    match enabled {
        Some(enabled) => {
            cx.weaken(move |tx, now, origin| {
                // What is disabled has no subscription that would be in the way of a plan.
                let done = accounts::enable_tenant(tx, now, origin, &tariff, &tenant_id, enabled)?;
                set_plan(tx, now, origin)?;
                Ok(done)
            })?;
            cx.finish_revoking()?;
            cx.wake_payments();
        }
        None => cx.write(set_plan)?,
    }
    let (enabled, plan) = cx.read(|tx| accounts::standing(tx, &id))?;
    Ok(Ok200(ChangedTenant { id, enabled, plan }))
}

/// Erases what a tenant has, whether its owner can still ask for that or not.
pub(crate) fn erase(
    cx: &mut Cx<'_>,
    Path(HolderPath { id }): Path<HolderPath>,
) -> Result<Completion, Error> {
    let tenant_id = id.clone();
    let tariff = Arc::clone(&cx.services.tariff);
    cx.weaken(move |tx, now, origin| erasure::begin(tx, now, origin, &tariff, &tenant_id))?;
    cx.wake_payments();
    Ok(cx.finish_erasure(&id))
}
