//! `/api/operator/keys`: the operator's own keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::operators::{self, NewOperatorKey};
use crate::http::extract::Path;
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::time::UnixMillis;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedOperatorKey {
    id: String,
    /// The key itself: shown this once.
    key: String,
    prefix: String,
    created_at: UnixMillis,
}

pub(crate) fn create(
    cx: &mut Cx<'_>,
    (): (),
) -> Result<Secret<Created<CreatedOperatorKey>>, Error> {
    let NewOperatorKey { plain, row } = NewOperatorKey::new(cx.now, cx.rng);
    let digest = plain.digest();
    let row = cx.write(move |tx, now, origin| {
        operators::create(tx, now, origin, &row, &digest).map(|()| row)
    })?;
    Ok(Secret(Created(CreatedOperatorKey {
        id: row.id,
        key: plain.expose().to_owned(),
        prefix: row.prefix,
        created_at: row.created_at,
    })))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedOperatorKey {
    id: String,
    prefix: String,
    created_at: UnixMillis,
}

pub(crate) fn list(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Vec<ListedOperatorKey>>, Error> {
    let keys = cx.read(operators::list)?;
    let shown = keys.into_iter().map(|key| ListedOperatorKey {
        id: key.id,
        prefix: key.prefix,
        created_at: key.created_at,
    });
    Ok(Ok200(shown.collect()))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OperatorKeyPath {
    id: String,
}

pub(crate) fn delete(
    cx: &mut Cx<'_>,
    Path(path): Path<OperatorKeyPath>,
) -> Result<Ok200<Success>, Error> {
    cx.weaken(move |tx, now, origin| operators::delete(tx, now, origin, &path.id))?;
    Ok(Ok200(Success))
}
