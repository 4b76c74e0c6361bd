//! `/api/operator/keyset`: which keys sign for this server, and which ones will.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexa_core::{UnixSeconds, VerificationKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::{Cx, Services};
use crate::domain::Error;
use crate::domain::audit::Origin;
use crate::domain::server_keys::{self, Rotation, Standing, key_set};
use crate::domain::status;
use crate::http::extract::Body;
use crate::http::reply::{Created, Ok200, Secret};
use crate::store::server_keys::ServerKey;
use crate::store::{Announcement, Tx};
use crate::time::UnixMillis;

/// The keys, and the key set that says so.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownKeySet {
    /// The version that is published.
    seq: u64,
    /// Whether it says what is so; if not, the root key has to sign `draft`.
    is_current: bool,
    /// The next key set without its signature, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<String>,
    keys: Vec<ShownServerKey>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownServerKey {
    /// Its RFC 7638 thumbprint.
    kid: String,
    /// `license` (access tokens too), `status` or `audit`.
    r#use: String,
    /// `waiting`, `signing`, `verifying`, `over` or `revoked`.
    state: &'static str,
    /// Since when a signed key set holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<UnixMillis>,
    /// Of one that waits: when it will sign, if it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    signs_from: Option<UnixMillis>,
    /// Of one that verifies: until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    verifies_until: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<UnixMillis>,
}

impl ShownServerKey {
    fn new(key: ServerKey, now: UnixMillis) -> Self {
        let time =
            |seconds| UnixMillis::from(UnixSeconds::new(seconds).unwrap_or(UnixSeconds::MAX));
        let standing = server_keys::standing(&key, now);
        let signs_from = (key.published_at_s)
            .filter(|_| standing == Standing::Waiting)
            .map(|published_at_s| time(published_at_s.saturating_add(key.lead_s)));
        Self {
            state: match standing {
                Standing::Waiting => "waiting",
                Standing::Signing => "signing",
                Standing::Verifying => "verifying",
                Standing::Over => "over",
                Standing::Revoked => "revoked",
            },
            published_at: key.published_at_s.map(time),
            signs_from,
            verifies_until: (standing == Standing::Verifying).then(|| time(key.needed_until_s)),
            revoked_at: key.revoked_at_s.map(time),
            kid: key.kid,
            r#use: key.key_use,
        }
    }
}

pub(crate) fn show(cx: &mut Cx<'_>, (): ()) -> Result<Secret<Ok200<ShownKeySet>>, Error> {
    let (now, issuer) = (cx.now, cx.services.ring.issuer());
    // No secret, but an old answer would be signed in vain.
    Ok(Secret(Ok200(cx.read(|tx| shown(tx, now, issuer))?)))
}

fn shown(tx: &Tx<'_>, now: UnixMillis, issuer: &str) -> Result<ShownKeySet, Error> {
    let published = key_set::published(tx, now, issuer)?;
    let draft = key_set::draft(tx, now, issuer)?;
    let keys = server_keys::list(tx)?.into_iter();
    Ok(ShownKeySet {
        seq: published.seq,
        is_current: published.is_current,
        draft: draft.map(|draft| URL_SAFE_NO_PAD.encode(draft)),
        keys: keys.map(|key| ShownServerKey::new(key, now)).collect(),
    })
}

/// Which key is to be replaced, and when.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rotate {
    /// `license` (access tokens too) or `status`.
    r#use: String,
    /// How long the new key is published before it signs, 0 to 8760; 24 without it.
    #[serde(default = "a_day")]
    in_hours: u32,
    /// For how many days from then on the key before it verifies at least, 0 to 800: for licences that were issued with it
    /// elsewhere. What this server has issued is known.
    #[serde(default)]
    keep_days: u32,
}

const fn a_day() -> u32 {
    24
}

pub(crate) fn rotate(
    cx: &mut Cx<'_>,
    Body(body): Body<Rotate>,
) -> Result<Created<ShownServerKey>, Error> {
    let rotation = Rotation::new(&body.r#use, body.in_hours, body.keep_days)?;
    let kid = change(cx, move |tx, now, origin, new| {
        server_keys::rotate(tx, now, origin, &rotation, new)?;
        Ok((new.kid().to_owned(), true))
    })?;
    let row = cx.read(|tx| server_keys::find(tx, &kid))?;
    Ok(Created(ShownServerKey::new(row, cx.now)))
}

/// A change for which a new key is drawn; it answers whether it has made use of it. The key set follows in the same
/// transaction.
fn change<T: Send + 'static>(
    cx: &mut Cx<'_>,
    change: impl FnOnce(&Tx<'_>, UnixMillis, &Origin, &VerificationKey) -> Result<(T, bool), Error>
    + Send
    + 'static,
) -> Result<T, Error> {
    let Services { store, ring, .. } = &**cx.services;
    let new = ring.draw(cx.rng)?;
    let (within, drawn) = (Arc::clone(ring), new.clone());
    let done = cx.write(move |tx, now, origin| {
        let done = change(tx, now, origin, &drawn)?;
        within.publish(tx, now)?;
        Ok(done)
    });
    let settled = ring.settle(store, cx.now, &new, done);
    have_asked_again(cx);
    settled
}

/// Who listens by a token asks once more whether it holds: what was announced with the COMMIT may have been asked of what
/// memory trusted until now.
fn have_asked_again(cx: &Cx<'_>) {
    let everybody = Announcement::Weakened { tenant_id: None };
    cx.services.hub.hear(&[everybody]);
}

/// A key that is not to be trusted any more.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Revoke {
    /// Its id, as the list shows it.
    kid: String,
}

/// The state after a change.
pub(crate) fn revoke(
    cx: &mut Cx<'_>,
    Body(body): Body<Revoke>,
) -> Result<Ok200<ShownKeySet>, Error> {
    let within = Arc::clone(&cx.services.ring);
    change(cx, move |tx, now, origin, spare| {
        let is_here = |kid: &str| within.is_here(kid);
        let is_used = server_keys::revoke(tx, now, origin, &body.kid, spare, is_here)?;
        Ok(((), is_used))
    })?;
    let Services {
        store,
        status,
        ring,
        ..
    } = &**cx.services;
    let now = cx.now;
    // Shards by a status key that is not trusted any more are not to be served any longer.
    status::refresh(store, now, status)?;
    Ok(Ok200(cx.read(|tx| shown(tx, now, ring.issuer()))?))
}

/// A key set that the root key has signed elsewhere.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Signed {
    /// The bytes that `nexa keyset sign` writes, base64url.
    key_set: String,
}

pub(crate) fn import(
    cx: &mut Cx<'_>,
    Body(body): Body<Signed>,
) -> Result<Ok200<ShownKeySet>, Error> {
    let signed = URL_SAFE_NO_PAD
        .decode(&body.key_set)
        .map_err(|_| Error::invalid("key_set", "must be base64url without padding"))?;
    let Services { store, ring, .. } = &**cx.services;
    let within = Arc::clone(ring);
    ring.will_change();
    cx.write(move |tx, now, origin| key_set::import(tx, now, origin, within.issuer(), &signed))?;
    ring.reload(store, cx.now)?;
    have_asked_again(cx);
    Ok(Ok200(cx.read(|tx| shown(tx, cx.now, ring.issuer()))?))
}
