//! `/api/operator/tenants`: the operator's hold on its customers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::present;
use super::HolderPath;
use crate::domain::Error;
use crate::domain::audit::Origin;
use crate::domain::{accounts, erasure};
use crate::http::extract::{Body, Path};
use crate::http::reply::{Completion, Ok200};
use crate::store::Tx;

/// What is to change; a member that is not there stays as it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TenantChange {
    /// `false` ends every session and token at once, revokes the licences, and stops every key until it is `true` again.
    #[serde(default, deserialize_with = "present")]
    enabled: Option<bool>,
    /// The terms of the tenant's next licences, 1 to 64 characters; `null` for none.
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
    let set_plan = move |tx: &Tx<'_>, now, origin: &Origin| match &plan {
        Some(plan) => accounts::set_plan(tx, now, origin, &tenant_id, plan.as_deref()),
        None => Ok(()),
    };
    let tenant_id = id.clone();
    match enabled {
        Some(enabled) => {
            cx.weaken(move |tx, now, origin| {
                set_plan(tx, now, origin)?;
                accounts::enable_tenant(tx, now, origin, &tenant_id, enabled)
            })?;
            cx.finish_revoking()?;
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
    cx.weaken(move |tx, now, origin| erasure::begin(tx, now, origin, &tenant_id))?;
    Ok(cx.finish_erasure(&id))
}
