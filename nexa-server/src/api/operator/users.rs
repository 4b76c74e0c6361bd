//! `/api/operator/users`: the operator's hold on the people of its customers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::accounts;
use crate::http::extract::{Body, Path};
use crate::http::reply::Ok200;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct UserPath {
    id: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct UserChange {
    /// `false` ends every credential of the user at once, until it is `true` again.
    enabled: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangedUser {
    id: String,
    enabled: bool,
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    (Path(path), Body(body)): (Path<UserPath>, Body<UserChange>),
) -> Result<Ok200<ChangedUser>, Error> {
    let (id, enabled) = (path.id.clone(), body.enabled);
    cx.weaken(move |tx, now, origin| accounts::enable_user(tx, now, origin, &id, enabled))?;
    Ok(Ok200(ChangedUser {
        id: path.id,
        enabled,
    }))
}
