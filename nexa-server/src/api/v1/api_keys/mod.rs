//! `/api/v1/api-keys`: scoped keys, and all that a key can carry.

mod shapes;
pub(crate) mod verify;

use nexa_core::KeyFormat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::keys as shared;
use super::super::route::Cx;
use super::super::wire::{ListedId, PageLimit, PageOf, page};
use crate::domain::Error;
use crate::domain::keys::{self, Expiry, KeyChanges, KeyFields, KeyFilter, KeyTerms, Whose};
use crate::http::extract::{Body, OptionalBody, Path, Query};
use crate::http::reply::{Created, Ok200, Secret, Success};
use crate::time::UnixMillis;
pub(crate) use shapes::{Carried, EnvironmentName, KeyDetails, RateLimitShape, encoded, words};
use shapes::{CreatedKey, KeyChange, KeyCreation, ListedKey};

pub(crate) fn create(
    cx: &mut Cx<'_>,
    Body(body): Body<KeyCreation>,
) -> Result<Secret<Created<CreatedKey>>, Error> {
    let fields = KeyFields {
        format: KeyFormat::NEXA,
        name: &body.name,
        scopes: Some(&body.scopes),
        expiry: body.expires_at.map_or(Expiry::Never, Expiry::At),
        terms: KeyTerms {
            environment: body.environment.map_or_else(Default::default, Into::into),
            is_disabled: !body.enabled.unwrap_or(true),
            rate_limit: body.rate_limit.map(Into::into),
            remaining: body.remaining,
            allowed_ips: body.allowed_ips,
            metadata: body.metadata.as_ref().map(encoded),
        },
    };
    let (key, plain) = shared::create(cx, fields)?;
    Ok(Secret(Created(CreatedKey::new(key, &plain))))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyQuery {
    /// Keys on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    limit: Option<PageLimit>,
    /// Only keys older than the one of this id; `Link` names the next page.
    #[serde(default)]
    before: Option<ListedId>,
    /// Part of the name or of the prefix; upper and lower case of ASCII letters are alike.
    #[serde(default)]
    search: Option<String>,
    #[serde(default)]
    environment: Option<EnvironmentName>,
    #[serde(default)]
    enabled: Option<bool>,
    /// Keys of this user.
    #[serde(default)]
    owner_id: Option<String>,
    /// Keys not used since then, or never.
    #[serde(default)]
    unused_since: Option<UnixMillis>,
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<KeyQuery>,
) -> Result<PageOf<ListedKey>, Error> {
    let page = page(query.limit, query.before);
    let filter = KeyFilter {
        search: query.search,
        environment: query.environment.map(Into::into),
        is_enabled: query.enabled,
        owner_id: query.owner_id,
        unused_since: query.unused_since,
    }
    .checked()?;
    flush_for(cx, &filter)?;
    let (member, cache) = (cx.member()?, &cx.services.cache);
    let keys = cx.read(|tx| keys::list(tx, cache, member, Whose::Managed, &filter, &page))?;
    Ok(PageOf::of(cx, keys, ListedKey::from))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct KeyPath {
    id: String,
}

pub(crate) fn get(cx: &mut Cx<'_>, Path(path): Path<KeyPath>) -> Result<Ok200<KeyDetails>, Error> {
    let (member, cache) = (cx.member()?, &cx.services.cache);
    let key = cx.read(|tx| keys::find(tx, cache, member, Whose::Managed, &path.id))?;
    Ok(Ok200(key.into()))
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    (Path(path), Body(body)): (Path<KeyPath>, Body<KeyChange>),
) -> Result<Ok200<KeyDetails>, Error> {
    if body.environment.is_some() {
        return Err(Error::invalid(
            "environment",
            "is settled when the key is made",
        ));
    }
    let changes = KeyChanges {
        name: body.name,
        scopes: body.scopes,
        expires_at: body.expires_at,
        is_enabled: body.enabled,
        rate_limit: body.rate_limit.map(|rate| rate.map(Into::into)),
        remaining: body.remaining,
        allowed_ips: body.allowed_ips,
        metadata: body.metadata.map(|object| object.as_ref().map(encoded)),
    };
    let policy = cx.services.key_policy.clone();
    let key = cx
        .weaken(move |tx, now, origin| keys::update(tx, now, origin, &policy, &path.id, changes))?;
    Ok(Ok200(key.into()))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyRotation {
    /// For how long the old value passes beside the new one; 0 without it.
    #[serde(default)]
    grace_seconds: Option<u32>,
}

pub(crate) fn rotate(
    cx: &mut Cx<'_>,
    (Path(path), OptionalBody(body)): (Path<KeyPath>, OptionalBody<KeyRotation>),
) -> Result<Secret<Ok200<CreatedKey>>, Error> {
    let grace_s = body.unwrap_or_default().grace_seconds;
    let (key, plain) = shared::rotate(cx, Whose::Managed, path.id, grace_s)?;
    Ok(Secret(Ok200(CreatedKey::new(key, &plain))))
}

pub(crate) fn delete(cx: &mut Cx<'_>, Path(path): Path<KeyPath>) -> Result<Ok200<Success>, Error> {
    shared::delete(cx, Whose::Managed, path.id)
}

/// Which keys to revoke: those that meet all that is said. It must say something.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BulkRevocation {
    /// Part of the name or of the prefix; upper and lower case of ASCII letters are alike.
    #[serde(default)]
    search: Option<String>,
    #[serde(default)]
    environment: Option<EnvironmentName>,
    #[serde(default)]
    enabled: Option<bool>,
    /// Keys of this user.
    #[serde(default)]
    owner_id: Option<String>,
    /// Keys not used since then, or never; the calling key is in use.
    #[serde(default)]
    unused_since: Option<UnixMillis>,
    /// `true` for every key that the caller manages, its own last.
    #[serde(default)]
    all: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Revoked {
    /// How many keys were deleted.
    revoked: u64,
}

/// Each part is durable, and forgotten, before the next one begins: an error leaves the rest as it was.
pub(crate) fn revoke(
    cx: &mut Cx<'_>,
    Body(body): Body<BulkRevocation>,
) -> Result<Ok200<Revoked>, Error> {
    let filter = KeyFilter {
        search: body.search,
        environment: body.environment.map(Into::into),
        is_enabled: body.enabled,
        owner_id: body.owner_id,
        unused_since: body.unused_since,
    }
    .checked()?;
    if filter.is_empty() != (body.all == Some(true)) {
        return Err(Error::invalid(
            "all",
            "say which keys, or all = true for every key, and not both",
        ));
    }
    flush_for(cx, &filter)?;
    let (mut revoked, mut before) = (0, None);
    // The calling key last, because what calls with it ends there; by its use never, because it is in use.
    let may_end_caller = filter.unused_since.is_none();
    let mut includes_caller = false;
    loop {
        let filter = filter.clone();
        let part = cx.weaken(move |tx, now, origin| {
            let before: Option<String> = before;
            let before = before.as_deref();
            keys::delete_part(tx, now, origin, &filter, before, includes_caller)
        })?;
        revoked += part.deleted;
        let is_last = part.next.is_none();
        if includes_caller || (is_last && !may_end_caller) {
            return Ok(Ok200(Revoked { revoked }));
        }
        includes_caller = is_last;
        before = part.next;
    }
}

/// A filter by use wants all uses in the store.
fn flush_for(cx: &Cx<'_>, filter: &KeyFilter) -> Result<(), Error> {
    match filter.unused_since {
        Some(_) => keys::flush_uses(&cx.services.store, &cx.services.cache),
        None => Ok(()),
    }
}
