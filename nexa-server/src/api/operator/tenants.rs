//! `/api/operator/tenants`: the operator's hold on its customers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::accounts;
use crate::http::extract::{Body, Path};
use crate::http::reply::Ok200;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct TenantPath {
    id: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct TenantChange {
    /// `false` ends every credential of the tenant at once, until it is `true` again.
    enabled: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangedTenant {
    id: String,
    enabled: bool,
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    (Path(path), Body(body)): (Path<TenantPath>, Body<TenantChange>),
) -> Result<Ok200<ChangedTenant>, Error> {
    let (id, enabled) = (path.id.clone(), body.enabled);
    cx.weaken(move |tx, now, origin| accounts::enable_tenant(tx, now, origin, &id, enabled))?;
    Ok(Ok200(ChangedTenant {
        id: path.id,
        enabled,
    }))
}
