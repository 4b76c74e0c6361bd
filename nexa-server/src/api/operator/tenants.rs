//! `/api/operator/tenants`: the operator's hold on its customers.

use super::super::route::Cx;
use super::{ChangedHolder, HolderChange, HolderPath};
use crate::domain::Error;
use crate::domain::{accounts, erasure};
use crate::http::extract::{Body, Path};
use crate::http::reply::{Ok200, Success};

pub(crate) fn update(
    cx: &mut Cx<'_>,
    (Path(HolderPath { id }), Body(HolderChange { enabled })): (
        Path<HolderPath>,
        Body<HolderChange>,
    ),
) -> Result<Ok200<ChangedHolder>, Error> {
    let tenant_id = id.clone();
    cx.weaken(move |tx, now, origin| {
        accounts::enable_tenant(tx, now, origin, &tenant_id, enabled)
    })?;
    Ok(Ok200(ChangedHolder { id, enabled }))
}

/// Erases what a tenant has, whether its owner can still ask for that or not.
pub(crate) fn erase(
    cx: &mut Cx<'_>,
    Path(HolderPath { id }): Path<HolderPath>,
) -> Result<Ok200<Success>, Error> {
    let tenant_id = id.clone();
    cx.weaken(move |tx, now, origin| erasure::begin(tx, now, origin, &tenant_id))?;
    cx.finish_erasure(&id);
    Ok(Ok200(Success))
}
