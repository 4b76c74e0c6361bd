//! Changes keys: what they carry, their value, their end.

use nexa_core::{KeyDigest, KeyFormat, PlainKey};
use rand_core::CryptoRng;

use super::super::audit::{Act, Origin};
use super::super::error::Error;
use super::super::key_cache::{KeyCache, Weakened};
use super::super::principal::{Member, Via};
use super::listing::{self, KeyFilter, Whose};
use super::terms::{KeyChanges, KeyPolicy};
use super::{flush_uses, record};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// In seconds: 30 days.
const GRACE_MAX_S: u32 = 30 * 24 * 3600;

/// The value that a rotation gives a key.
pub(crate) struct NewValue {
    pub(crate) plain: PlainKey,
    pub(crate) replacement: Replacement,
}

/// What [`rotate`] records of it.
#[derive(Clone)]
pub(crate) struct Replacement {
    digest: KeyDigest,
    prefix: String,
    grace_s: u32,
}

impl NewValue {
    /// Draws a value in the key's own format; the old one passes for another `grace_s` seconds.
    ///
    /// # Errors
    /// `Invalid` for `grace_seconds`.
    pub(crate) fn draw(
        rng: &mut dyn CryptoRng,
        key: &ApiKey,
        grace_s: Option<u32>,
    ) -> Result<Self, Error> {
        let grace_s = grace_s.unwrap_or(0);
        if grace_s > GRACE_MAX_S {
            return Err(Error::invalid(
                "grace_seconds",
                format!("at most {GRACE_MAX_S} (30 days)"),
            ));
        }
        let formats = [KeyFormat::NEXORA, KeyFormat::DIALNEXA];
        let format = formats
            .into_iter()
            .find(|format| key.prefix.starts_with(format.prefix()))
            .unwrap_or(KeyFormat::NEXA);
        let plain = format.generate(rng);
        let replacement = Replacement {
            digest: plain.digest(),
            prefix: plain.prefix().to_owned(),
            grace_s,
        };
        Ok(Self { plain, replacement })
    }
}

/// Changes what a key carries.
///
/// # Errors
/// `NotFound`; `Invalid` naming the field.
pub(crate) fn update(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    policy: &KeyPolicy,
    id: &str,
    changes: KeyChanges,
) -> Result<(ApiKey, Weakened), Error> {
    let member = origin.principal.member()?;
    let mut key = listing::find_stored(tx, member, Whose::Managed, id)?;
    changes.apply(now, member.role, policy, &mut key)?;
    api_keys::update(tx, &key)?;
    record(tx, now, origin, Act::KeyChanged, &key)?;
    let values = api_keys::digests(tx, &key.id)?;
    Ok((key, Weakened::Values(values)))
}

/// Gives a key another value; its id stays.
///
/// # Errors
/// `NotFound`.
pub(crate) fn rotate(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    whose: Whose,
    id: &str,
    new: &Replacement,
) -> Result<(ApiKey, Weakened), Error> {
    let member = origin.principal.member()?;
    let mut key = listing::find_stored(tx, member, whose, id)?;
    let old_values = api_keys::digests(tx, &key.id)?;
    let old_until = (new.grace_s > 0).then(|| now.plus_seconds(i64::from(new.grace_s)));
    api_keys::replace_value(tx, &key.id, &new.prefix, &new.digest.to_bytes(), old_until)?;
    new.prefix.clone_into(&mut key.prefix);
    record(tx, now, origin, Act::KeyRotated, &key)?;
    Ok((key, Weakened::Values(old_values)))
}

/// Deletes a key.
///
/// # Errors
/// `NotFound`, also for another tenant's key and for one the member does not manage.
pub(crate) fn delete(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    whose: Whose,
    id: &str,
) -> Result<((), Weakened), Error> {
    remove(tx, now, origin, whose, id).map(|values| ((), Weakened::Values(values)))
}

/// Deletes a key; answers the digests of its values.
fn remove(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    whose: Whose,
    id: &str,
) -> Result<Vec<[u8; 32]>, Error> {
    let key = listing::find_stored(tx, origin.principal.member()?, whose, id)?;
    let values = api_keys::digests(tx, &key.id)?;
    api_keys::delete(tx, &key.id)?;
    record(tx, now, origin, Act::KeyDeleted, &key)?;
    Ok(values)
}

/// Keys that are to be deleted, in parts that keep the writer free for others.
pub(crate) struct Revocation {
    pub(crate) parts: Vec<Vec<String>>,
}

/// The keys that a filter means, the calling key last, because what calls with it ends there.
pub(crate) fn select(
    store: &Store,
    cache: &KeyCache,
    member: &Member,
    filter: &KeyFilter,
) -> Result<Revocation, Error> {
    /// Keys in one turn of the writer.
    const PART: usize = 200;
    if filter.unused_since.is_some() {
        flush_uses(store, cache)?;
    }
    let mut ids = store.read(|tx| {
        listing::select(member, Whose::Managed, filter, None, |selection| {
            Ok(api_keys::ids(tx, &selection, u32::MAX)?)
        })
    })?;
    if let Via::Key { id, .. } = &member.via {
        ids.sort_by_key(|candidate| candidate == id);
    }
    Ok(Revocation {
        parts: ids.chunks(PART).map(<[_]>::to_vec).collect(),
    })
}

/// Deletes keys that [`select`] chose; one that is gone meanwhile is not counted.
pub(crate) fn delete_all(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    ids: &[String],
) -> Result<(u64, Weakened), Error> {
    let (mut deleted, mut values) = (0, Vec::new());
    for id in ids {
        match remove(tx, now, origin, Whose::Managed, id) {
            Ok(of_key) => {
                deleted += 1;
                values.extend(of_key);
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((deleted, Weakened::Values(values)))
}
