//! `/api/users/me/api-keys`: the calling user's own keys, whatever its role.

use nexa_core::{KeyFormat, PlainKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::super::keys as shared;
use super::super::super::route::Cx;
use super::super::super::wire::{PageOf, PageQuery, page};
use crate::domain::Error;
use crate::domain::keys::{self, Expiry, KeyFields, KeyFilter, KeyTerms, Whose};
use crate::http::extract::{Body, OptionalBody, Path, Query};
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::store::api_keys::ApiKey;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OwnKeyCreation {
    name: String,
    /// Without it, the key lasts until it is deleted.
    #[serde(default)]
    expires_at: Option<UnixMillis>,
}

/// A key with its value, which is shown this once.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OwnKey {
    id: String,
    name: String,
    /// The key itself.
    key: String,
    created_at: UnixMillis,
    last_used_at: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
}

/// Makes a key that may do all that its owner may.
pub(crate) fn create(
    cx: &mut Cx<'_>,
    Body(body): Body<OwnKeyCreation>,
) -> Result<Secret<Created<OwnKey>>, Error> {
    let fields = KeyFields {
        format: KeyFormat::NEXORA,
        name: &body.name,
        scopes: None,
        expiry: body.expires_at.map_or(Expiry::Never, Expiry::At),
        terms: KeyTerms::default(),
    };
    let (key, plain) = shared::create(cx, fields)?;
    Ok(Secret(Created(OwnKey::new(key, &plain))))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ListedOwnKey {
    id: String,
    name: String,
    created_at: UnixMillis,
    last_used_at: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<ListedOwnKey>, Error> {
    let page = page(query.limit, query.before);
    let (member, cache) = (cx.member()?, &cx.services.cache);
    let filter = KeyFilter::default();
    let keys = cx.read(|tx| keys::list(tx, cache, member, Whose::Own, &filter, &page))?;
    Ok(PageOf::of(cx, keys, ListedOwnKey::from))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OwnKeyPath {
    key_id: String,
}

#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct OwnKeyRotation {
    /// For how long the old value passes beside the new one; 0 without it.
    #[serde(default)]
    grace_seconds: Option<u32>,
}

pub(crate) fn rotate(
    cx: &mut Cx<'_>,
    (Path(path), OptionalBody(body)): (Path<OwnKeyPath>, OptionalBody<OwnKeyRotation>),
) -> Result<Secret<Ok200<OwnKey>>, Error> {
    let grace_s = body.unwrap_or_default().grace_seconds;
    let (key, plain) = shared::rotate(cx, Whose::Own, path.key_id, grace_s)?;
    Ok(Secret(Ok200(OwnKey::new(key, &plain))))
}

pub(crate) fn delete(
    cx: &mut Cx<'_>,
    Path(path): Path<OwnKeyPath>,
) -> Result<Ok200<Success>, Error> {
    shared::delete(cx, Whose::Own, path.key_id)
}

impl OwnKey {
    fn new(key: ApiKey, plain: &PlainKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            key: plain.expose().to_owned(),
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
        }
    }
}

impl From<ApiKey> for ListedOwnKey {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
        }
    }
}
