//! What every contract's routes for keys do alike, beneath their own shapes.

use nexa_core::PlainKey;

use super::route::Cx;
use crate::domain::Error;
use crate::domain::keys::{self, KeyFields, NewKey, NewValue, Whose};
use crate::http::reply::{Ok200, Success};
use crate::store::api_keys::ApiKey;

/// Makes a key for the caller; its value is shown once.
pub(crate) fn create(cx: &mut Cx<'_>, fields: KeyFields<'_>) -> Result<(ApiKey, PlainKey), Error> {
    let owner = cx.origin.principal.member()?;
    let NewKey { plain, row } =
        NewKey::new(cx.now, cx.rng, owner, &cx.services.key_policy, fields)?;
    let digest = plain.digest();
    let row = cx
        .write(move |tx, now, origin| keys::create(tx, now, origin, &row, &digest).map(|()| row))?;
    Ok((row, plain))
}

/// Gives a key another value, in the format it has.
pub(crate) fn rotate(
    cx: &mut Cx<'_>,
    whose: Whose,
    id: String,
    grace_s: Option<u32>,
) -> Result<(ApiKey, PlainKey), Error> {
    let member = cx.origin.principal.member()?;
    let key = cx.read(|tx| keys::find(tx, &cx.services.cache, member, whose, &id))?;
    let NewValue { plain, replacement } = NewValue::draw(cx.rng, &key, grace_s)?;
    let rotated =
        cx.weaken(move |tx, now, origin| keys::rotate(tx, now, origin, whose, &id, &replacement))?;
    // Uses that are not yet written stand in what was found.
    let last_used_at = rotated.last_used_at.max(key.last_used_at);
    let rotated = ApiKey {
        last_used_at,
        ..rotated
    };
    Ok((rotated, plain))
}

/// Deletes a key.
pub(crate) fn delete(cx: &Cx<'_>, whose: Whose, id: String) -> Result<Ok200<Success>, Error> {
    cx.weaken(move |tx, now, origin| keys::delete(tx, now, origin, whose, &id))?;
    Ok(Ok200(Success))
}
