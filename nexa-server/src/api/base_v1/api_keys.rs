//! `/v1/api-keys`: keys of a workspace, which inherit what their maker may do.

use nexa_core::KeyFormat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::keys as shared;
use super::super::route::Cx;
use super::super::wire::{ListedId, PageLimit, PageOf, page};
use super::key_id;
use crate::domain::Error;
use crate::domain::keys::{self, Expiry, KeyFields, KeyFilter, KeyTerms, Whose};
use crate::domain::paging::Paged;
use crate::http::extract::{Body, Path, Query};
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::store::api_keys::ApiKey;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WorkspaceKeyCreation {
    name: String,
    /// `true` for a key that has already expired, to try out what happens then; not beside `expires_at`.
    #[serde(default)]
    expire_now: Option<bool>,
    /// Without it, the key lasts until it is deleted.
    #[serde(default)]
    expires_at: Option<UnixMillis>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CreatedWorkspaceKey {
    id: String,
    name: String,
    /// The key itself: shown this once.
    secret: String,
    created_at: UnixMillis,
}

pub(crate) fn create(
    cx: &mut Cx<'_>,
    Body(body): Body<WorkspaceKeyCreation>,
) -> Result<Secret<Created<CreatedWorkspaceKey>>, Error> {
    let expiry = match (body.expire_now, body.expires_at) {
        (Some(true), Some(_)) => {
            return Err(Error::invalid(
                "expire_now",
                "must not be true beside expires_at",
            ));
        }
        (Some(true), None) => Expiry::Now,
        (Some(false) | None, Some(at)) => Expiry::At(at),
        (Some(false) | None, None) => Expiry::Never,
    };
    let fields = KeyFields {
        format: KeyFormat::DIALNEXA,
        name: &body.name,
        scopes: None,
        expiry,
        terms: KeyTerms::default(),
    };
    let (key, plain) = shared::create(cx, fields)?;
    Ok(Secret(Created(CreatedWorkspaceKey {
        id: key_id::written(&key.id)?,
        name: key.name,
        secret: plain.expose().to_owned(),
        created_at: key.created_at,
    })))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ListedWorkspaceKey {
    id: String,
    name: String,
    created_at: UnixMillis,
    last_used_at: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WorkspaceKeyQuery {
    /// Keys on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    limit: Option<PageLimit>,
    /// Only keys older than the one of this id; `Link` names the next page.
    #[serde(default, deserialize_with = "key_id::listed")]
    #[schemars(with = "Option<String>")]
    before: Option<ListedId>,
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<WorkspaceKeyQuery>,
) -> Result<PageOf<ListedWorkspaceKey>, Error> {
    let page = page(query.limit, query.before);
    let (member, cache) = (cx.member()?, &cx.services.cache);
    let filter = KeyFilter::default();
    let Paged { items, next } =
        cx.read(|tx| keys::list(tx, cache, member, Whose::Managed, &filter, &page))?;
    let shown = Paged {
        items: items
            .into_iter()
            .map(ListedWorkspaceKey::of)
            .collect::<Result<Vec<_>, Error>>()?,
        next: next.map(|id| key_id::written(&id)).transpose()?,
    };
    Ok(PageOf::of(cx, shown, |key| key))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WorkspaceKeyPath {
    id: String,
}

pub(crate) fn delete(
    cx: &mut Cx<'_>,
    Path(path): Path<WorkspaceKeyPath>,
) -> Result<Ok200<Success>, Error> {
    let id = key_id::read(&path.id).ok_or(Error::NotFound { noun: "API key" })?;
    shared::delete(cx, Whose::Managed, id)
}

impl ListedWorkspaceKey {
    fn of(key: ApiKey) -> Result<Self, Error> {
        Ok(Self {
            id: key_id::written(&key.id)?,
            name: key.name,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
        })
    }
}
