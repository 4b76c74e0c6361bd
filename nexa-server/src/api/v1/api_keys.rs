//! `/api/v1/api-keys`: scoped keys.

use nexa_core::KeyFormat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::keys::{self, KeyFields, NewKey};
use crate::http::extract::{Body, Path};
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::store::api_keys::ApiKey;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyCreation {
    name: String,
    /// At least one; `full_access` covers all.
    scopes: Vec<String>,
    /// Without it, the key lasts until it is deleted.
    #[serde(default)]
    expires_at: Option<UnixMillis>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedKey {
    id: String,
    name: String,
    /// The key itself: shown this once.
    key: String,
    /// The first 8 characters.
    prefix: String,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
    created_at: UnixMillis,
}

pub(crate) fn create(
    cx: &mut Cx<'_>,
    Body(body): Body<KeyCreation>,
) -> Result<Secret<Created<CreatedKey>>, Error> {
    let owner = cx.origin.principal.member()?;
    let fields = KeyFields {
        format: &KeyFormat::NEXA,
        name: &body.name,
        scopes: &body.scopes,
        expires_at: body.expires_at,
    };
    let NewKey { plain, row } = NewKey::new(cx.now, cx.rng, owner, &cx.services.scopes, fields)?;
    let digest = plain.digest();
    let row = cx
        .write(move |tx, now, origin| keys::create(tx, now, origin, &row, &digest).map(|()| row))?;
    Ok(Secret(Created(CreatedKey {
        scopes: scopes(&row),
        id: row.id,
        name: row.name,
        key: plain.expose().to_owned(),
        prefix: row.prefix,
        expires_at: row.expires_at,
        created_at: row.created_at,
    })))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedKey {
    id: String,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    last_used_at: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
    created_at: UnixMillis,
}

pub(crate) fn list(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Vec<ListedKey>>, Error> {
    let member = cx.member()?;
    let keys = cx.read(|tx| keys::list(tx, &cx.services.cache, member))?;
    let shown = keys.into_iter().map(|key| ListedKey {
        scopes: scopes(&key),
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        last_used_at: key.last_used_at,
        expires_at: key.expires_at,
        created_at: key.created_at,
    });
    Ok(Ok200(shown.collect()))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct KeyPath {
    id: String,
}

pub(crate) fn delete(cx: &mut Cx<'_>, Path(path): Path<KeyPath>) -> Result<Ok200<Success>, Error> {
    let digests = cx.write(move |tx, now, origin| keys::delete(tx, now, origin, &path.id))?;
    cx.services.cache.forget(&digests);
    Ok(Ok200(Success))
}

fn scopes(key: &ApiKey) -> Vec<String> {
    key.scopes.split_whitespace().map(str::to_owned).collect()
}
