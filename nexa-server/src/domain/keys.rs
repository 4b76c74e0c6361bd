//! API keys: made by a user, owned by a tenant, found by their digest.

use nexa_core::{KeyDigest, KeyFormat, PlainKey, Scope, ScopeSet, uuid_v7};
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::error::Error;
use super::fields;
use super::key_cache::{CheckedKey, KeyCache};
use super::principal::{Member, Role};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

const NOUN: &str = "API key";

/// A key whose fields hold and whose value has been drawn.
pub(crate) struct NewKey {
    pub(crate) plain: PlainKey,
    pub(crate) row: ApiKey,
}

impl NewKey {
    /// # Errors
    /// `Invalid` for `name`, `scopes` (unknown ones too) or `expires_at` (in the past).
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        owner: &Member,
        known_scopes: &ScopeSet,
        fields: KeyFields<'_>,
    ) -> Result<Self, Error> {
        let name = fields::name("name", fields.name)?;
        let scopes = known(known_scopes, fields.scopes)?;
        if fields.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid("expires_at", "must lie in the future"));
        }
        let plain = fields.format.generate(rng);
        let row = ApiKey {
            id: uuid_v7(now.unsigned_ms(), rng),
            tenant_id: owner.tenant_id.clone(),
            user_id: owner.user_id.clone(),
            name,
            prefix: plain.prefix().to_owned(),
            scopes: scopes.to_strings().join(" "),
            expires_at: fields.expires_at,
            last_used_at: None,
            created_at: now,
        };
        Ok(Self { plain, row })
    }
}

/// What the maker of a key may choose.
pub(crate) struct KeyFields<'a> {
    pub(crate) format: &'a KeyFormat,
    pub(crate) name: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) expires_at: Option<UnixMillis>,
}

/// Adds the key.
pub(crate) fn create(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    key: &ApiKey,
    digest: &KeyDigest,
) -> Result<(), Error> {
    api_keys::insert(tx, key, &digest.to_bytes())?;
    audit::record(
        tx,
        now,
        origin,
        Act::KeyCreated,
        Some(&key.tenant_id),
        Some(&key.id),
    )
}

/// The keys the member sees, oldest first, with uses that are not yet written.
pub(crate) fn list(tx: &Tx<'_>, cache: &KeyCache, member: &Member) -> Result<Vec<ApiKey>, Error> {
    let mut keys = api_keys::list(tx, &member.tenant_id, member.sees_only())?;
    for key in &mut keys {
        key.last_used_at = key.last_used_at.max(cache.pending_use(&key.id));
    }
    Ok(keys)
}

/// Deletes a key; answers the digests that the cache must forget before the caller is told.
///
/// # Errors
/// `NotFound`, also for another tenant's key and for one the member does not manage.
pub(crate) fn delete(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
) -> Result<Vec<[u8; 32]>, Error> {
    let member = origin.principal.member()?;
    let key = api_keys::find(tx, &member.tenant_id, id)?
        .filter(|key| member.manages(&key.user_id))
        .ok_or(Error::NotFound { noun: NOUN })?;
    let digests = api_keys::digests(tx, &key.id)?;
    api_keys::delete(tx, &key.id)?;
    audit::record(
        tx,
        now,
        origin,
        Act::KeyDeleted,
        Some(&key.tenant_id),
        Some(&key.id),
    )?;
    Ok(digests)
}

/// Checks a presented key against the store and remembers it in the cache.
///
/// # Errors
/// `KeyInvalid` when it is unknown, expired, or its owner is not active.
pub(crate) fn check(
    store: &Store,
    cache: &KeyCache,
    now: UnixMillis,
    presented: &KeyDigest,
) -> Result<std::sync::Arc<CheckedKey>, Error> {
    let epoch = cache.epoch();
    let candidates = store.read(|tx| api_keys::candidates(tx, &presented.to_bytes()))?;
    let found = candidates
        .into_iter()
        .find(|candidate| KeyDigest::from_bytes(candidate.digest).matches(presented))
        .filter(|candidate| candidate.owner_is_active)
        .ok_or(Error::KeyInvalid)?;
    let scopes = ScopeSet::parse(found.key.scopes.split_whitespace())
        .map_err(|error| Error::Fault(format!("stored scopes of key {}: {error}", found.key.id)))?;
    let checked = CheckedKey::new(
        found.digest,
        found.key.id,
        found.key.tenant_id,
        found.key.user_id,
        Role::parse(&found.owner_role)?,
        scopes,
        found.key.expires_at,
    );
    cache.remember(epoch, now, checked).ok_or(Error::KeyInvalid)
}

/// Writes the uses that the cache has collected, in turns of the writer that keep nobody waiting for long.
pub(crate) fn flush_uses(store: &Store, cache: &KeyCache) -> Result<(), Error> {
    /// Rows in one turn.
    const CHUNK: usize = 500;
    for uses in cache.pending_uses().chunks(CHUNK) {
        let rows: Vec<(String, UnixMillis)> =
            uses.iter().map(|(key, at)| (key.id.clone(), *at)).collect();
        store.write(move |tx| -> Result<(), Error> {
            for (id, at) in &rows {
                api_keys::touch(tx, id, *at)?;
            }
            Ok(())
        })?;
        cache.uses_written(uses);
    }
    Ok(())
}

/// The scopes asked for: at least one, all of them known. Nobody gets full access by forgetting to ask for less.
fn known(known_scopes: &ScopeSet, asked: &[String]) -> Result<ScopeSet, Error> {
    if asked.is_empty() {
        return Err(Error::invalid(
            "scopes",
            "must not be empty; full_access covers all",
        ));
    }
    let asked = ScopeSet::parse(asked.iter().map(String::as_str))
        .map_err(|error| Error::invalid("scopes", error.to_string()))?;
    let unknown: Option<&Scope> = asked
        .iter()
        .find(|scope| !scope.is_full_access() && !known_scopes.contains(scope));
    match unknown {
        Some(scope) => Err(Error::invalid(
            "scopes",
            format!(
                "unknown scope {scope}; known are full_access {}",
                known_scopes.to_strings().join(" ")
            ),
        )),
        None => Ok(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;

    #[test]
    fn many_uses_are_written_in_several_turns() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let cache = KeyCache::new(2_000);
        let now = UnixMillis::from_ms(1);
        for number in 0_u64..1_001 {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            let key = CheckedKey::new(
                digest,
                number.to_string(),
                "tenant".to_owned(),
                "user".to_owned(),
                Role::Owner,
                ScopeSet::full_access(),
                None,
            );
            assert!(cache.remember(cache.epoch(), now, key).is_some());
        }
        let before = store.commits();
        flush_uses(&store, &cache).unwrap();
        assert_eq!(store.commits() - before, 3);
        assert!(cache.pending_uses().is_empty());
        flush_uses(&store, &cache).unwrap();
        assert_eq!(store.commits() - before, 3);
    }
}
