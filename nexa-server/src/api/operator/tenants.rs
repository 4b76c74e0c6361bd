//! `/api/operator/tenants`: the operator's hold on its customers.

use super::super::route::Cx;
use super::{ChangedHolder, HolderChange, HolderPath};
use crate::domain::Error;
use crate::domain::accounts;
use crate::http::extract::{Body, Path};
use crate::http::reply::Ok200;

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
