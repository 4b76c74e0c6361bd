//! Operator keys: for whoever runs this server.

use nexa_core::{KeyDigest, KeyFormat, PlainKey, uuid_v7};
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::error::Error;
use super::key_cache::Weakened;
use crate::store::Tx;
use crate::store::leaked_values;
use crate::store::operator_keys::{self, OperatorKey};
use crate::time::UnixMillis;

/// A key whose value has been drawn.
pub(crate) struct NewOperatorKey {
    pub(crate) plain: PlainKey,
    pub(crate) row: OperatorKey,
}

impl NewOperatorKey {
    pub(crate) fn new(now: UnixMillis, rng: &mut dyn CryptoRng) -> Self {
        let plain = KeyFormat::NEXA.generate(rng);
        let row = OperatorKey {
            id: uuid_v7(now.unsigned_ms(), rng),
            prefix: plain.prefix().to_owned(),
            created_at: now,
        };
        Self { plain, row }
    }
}

/// Adds the key.
pub(crate) fn create(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    key: &OperatorKey,
    digest: &KeyDigest,
) -> Result<(), Error> {
    operator_keys::insert(tx, key, &digest.to_bytes())?;
    audit::record(
        tx,
        now,
        origin,
        Act::OperatorKeyCreated,
        None,
        Some(&key.id),
    )
}

/// All operator keys, oldest first.
pub(crate) fn list(tx: &Tx<'_>) -> Result<Vec<OperatorKey>, Error> {
    Ok(operator_keys::list(tx)?)
}

/// Deletes a key.
///
/// # Errors
/// `NotFound`; `Forbidden` for the key that asks. So the last one cannot go: its own request could only be
/// for itself, and any other request needs a second key that still stands.
pub(crate) fn delete(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
) -> Result<((), Weakened), Error> {
    if matches!(&origin.principal, super::principal::Principal::Operator { key_id } if key_id == id)
    {
        return Err(Error::Forbidden {
            rule: "An operator key cannot delete itself",
        });
    }
    if !operator_keys::delete(tx, id)? {
        return Err(Error::NotFound {
            noun: "Operator key",
        });
    }
    audit::record(tx, now, origin, Act::OperatorKeyDeleted, None, Some(id))?;
    Ok(((), Weakened::Operator))
}

/// Ends a key that was found where others can read it, unless it is the only one: without any, nobody could run this
/// server. Answers whether it has ended; the trail notes it either way.
pub(crate) fn end_leaked(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
    digest: &KeyDigest,
) -> Result<(bool, Weakened), Error> {
    let is_only = operator_keys::list(tx)?.len() <= 1;
    let has_ended = !is_only && operator_keys::delete(tx, id)?;
    if has_ended {
        leaked_values::insert(tx, now, &digest.to_bytes())?;
    }
    audit::record(tx, now, origin, Act::OperatorKeyLeaked, None, Some(id))?;
    Ok((has_ended, Weakened::Operator))
}

/// The id of the operator key with that digest, if there is one.
pub(crate) fn find(tx: &Tx<'_>, presented: &KeyDigest) -> Result<Option<String>, Error> {
    Ok(operator_keys::candidates(tx, &presented.to_bytes())?
        .into_iter()
        .find(|(_, digest)| KeyDigest::from_bytes(*digest).matches(presented))
        .map(|(key, _)| key.id))
}
