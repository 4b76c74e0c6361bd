//! API keys: made by a user, owned by a tenant, found by the digest of their value.

mod change;
mod check;
mod import;
mod listing;
mod presented;
mod tally;
mod terms;

pub(crate) use change::{
    NewValue, delete, delete_of_user, delete_part, delete_part_of_user, end_leaked,
    require_current, revoke_presented, rotate, update,
};
pub(crate) use check::{
    Admission, Ask, KeyRefusal, find_in_store, find_presented, is_limited, judge, matching, power,
    spend, stands, stands_for_its_owner,
};
pub(crate) use import::{
    ForeignFields, ForeignKey, HashForm, ImportMode, Imported, exported, import, record_export,
};
pub(crate) use listing::{KeyFilter, Whose, find, list};
pub(crate) use presented::Presented;
pub(crate) use tally::Tally;
pub(crate) use terms::{
    Environment, Environments, Expiry, KeyChanges, KeyPolicy, KeyTerms, canonical,
};

use nexa_core::{KeyDigest, KeyFormat, PlainKey, uuid_v7};
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::error::Error;
use super::events::{self, Event};
use super::fields;
use super::key_cache::KeyCache;
use super::principal::{Member, Principal};
use crate::store::api_keys::{self, ApiKey, StoredWindow};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

const NOUN: &str = "API key";

/// What the maker of a key may choose.
pub(crate) struct KeyFields<'a> {
    pub(crate) format: KeyFormat,
    pub(crate) name: &'a str,
    /// `None` for `full_access`.
    pub(crate) scopes: Option<&'a [String]>,
    pub(crate) expiry: Expiry,
    pub(crate) terms: KeyTerms,
}

/// A key whose fields hold and whose value has been drawn.
pub(crate) struct NewKey {
    pub(crate) plain: PlainKey,
    pub(crate) row: ApiKey,
}

impl NewKey {
    /// # Errors
    /// `Invalid` naming the field: `name`, `scopes`, `expires_at` or a part of the terms.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        owner: &Member,
        policy: &KeyPolicy,
        fields: KeyFields<'_>,
    ) -> Result<Self, Error> {
        let name = fields::name("name", fields.name)?;
        let scopes = policy.granted(owner.role, fields.scopes)?;
        let expires_at = fields.expiry.checked(now)?;
        let plain = fields.format.generate(rng);
        let mut row = ApiKey {
            tenant_id: owner.tenant_id.clone(),
            user_id: owner.user_id.clone(),
            scopes,
            expires_at,
            ..unlimited(now, rng, name, plain.prefix().to_owned())
        };
        fields.terms.apply(&mut row)?;
        Ok(Self { plain, row })
    }
}

/// A key that is nobody's and may do nothing yet, and that no term binds.
fn unlimited(now: UnixMillis, rng: &mut dyn CryptoRng, name: String, prefix: String) -> ApiKey {
    ApiKey {
        id: uuid_v7(now.unsigned_ms(), rng),
        tenant_id: String::new(),
        user_id: String::new(),
        name,
        prefix,
        scopes: String::new(),
        expires_at: None,
        last_used_at: None,
        created_at: now,
        is_enabled: true,
        environment: String::new(),
        rate_limit: None,
        remaining: None,
        allowed_ips: None,
        metadata: None,
        use_count: 0,
        window: StoredWindow::default(),
    }
}

/// Adds the key.
///
/// # Errors
/// `Forbidden` for a caller whose own key is limited.
pub(crate) fn create(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    key: &ApiKey,
    digest: &KeyDigest,
) -> Result<(), Error> {
    if let Principal::Member(member) = &origin.principal {
        change::require_whole(member)?;
    }
    api_keys::insert(tx, key, &digest.to_bytes())?;
    record(tx, now, origin, Act::KeyCreated, key)?;
    events::tell(tx, now, &key.tenant_id, &Event::KeyCreated(key.into()))
}

/// Writes the uses that the cache has collected, in turns of the writer that keep nobody waiting for long.
pub(crate) fn flush_uses(store: &Store, cache: &KeyCache) -> Result<(), Error> {
    /// Rows in one turn.
    const CHUNK: usize = 500;
    let uses = cache.take_uses();
    let mut chunks = uses.chunks(CHUNK);
    while let Some(chunk) = chunks.next() {
        let rows = chunk.to_vec();
        let written = store.write(move |tx| -> Result<(), Error> {
            for collected in &rows {
                api_keys::record_use(tx, collected)?;
            }
            Ok(())
        });
        if let Err(error) = written {
            cache.put_back(chunk);
            chunks.for_each(|rest| cache.put_back(rest));
            return Err(error);
        }
    }
    Ok(())
}

/// Removes values whose grace is over, a bounded number of them.
pub(crate) fn sweep_values(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const CHUNK: u32 = 500;
    if store.read(|tx| api_keys::has_expired_values(tx, now))? {
        store.write(move |tx| api_keys::delete_expired_values(tx, now, CHUNK))?;
    }
    Ok(())
}

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    key: &ApiKey,
) -> Result<(), Error> {
    audit::record(tx, now, origin, act, Some(&key.tenant_id), Some(&key.id))
}
