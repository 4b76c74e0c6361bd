//! Checked keys in memory: a bounded cache that never outlives a revocation, and what is counted of them.

use std::any::Any;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use nexa_core::{KeyDigest, ScopeSet};
use quick_cache::sync::Cache;

use super::key_usage::{RateLimit, RateState, Usage};
use super::keys::{Environment, KeyRefusal, Tally};
use super::principal::{KeyPower, Role};
use crate::store::api_keys::Use;
use crate::sync::{Mutex, lock};
use crate::time::UnixMillis;

/// One value of a key as it was found, with its owner's standing at that moment.
pub(crate) struct CheckedKey {
    pub(crate) digest: [u8; 32],
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) user_id: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whether the key itself has `full_access`, however little its owner may do.
    pub(crate) has_full_access: bool,
    /// The key's scopes within what its owner may do.
    pub(crate) scopes: ScopeSet,
    /// The scopes as a header shows them.
    pub(crate) scopes_text: String,
    pub(crate) environment: Environment,
    pub(crate) created_at: UnixMillis,
    /// How far this value of the key may manage keys.
    pub(crate) power: KeyPower,
    /// When the key, or this value of it, stops passing.
    pub(crate) expires_at: Option<UnixMillis>,
    /// Why it does not pass although it is known: it is disabled, or its owner is.
    pub(crate) refusal: Option<KeyRefusal>,
    pub(crate) rate_limit: Option<RateLimit>,
    /// Whether its uses are numbered: each must then be taken from the store.
    pub(crate) is_numbered: bool,
    /// The uses that were left when it was read: older than the store's.
    pub(crate) remaining: Option<u64>,
    /// Empty for any address.
    pub(crate) allowed_ips: Box<[IpNet]>,
    /// A JSON object, encoded.
    pub(crate) metadata: Option<Box<str>>,
    pub(crate) usage: Arc<Usage>,
    /// What a caller has worked out from this key and wants again; see [`CheckedKey::derived`].
    pub(crate) derived: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// See [`KeyCache::look_ups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LookUps {
    pub(crate) keys: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

/// What has lost some of its power, and must not pass from memory any more.
#[must_use]
#[derive(Clone, Debug)]
pub(crate) enum Weakened {
    /// Values of keys.
    Values(Vec<[u8; 32]>),
    /// All keys of a user.
    User(String),
    /// All keys of a tenant.
    Tenant(String),
    /// An operator key.
    Operator,
}

/// Shares of the digests; two are enough for a model.
const EPOCHS: usize = if cfg!(shuttle) { 2 } else { 64 };

/// Answers repeated checks without the store.
///
/// After a revocation has answered, no later check passes: a check reads the epoch, then the store,
/// and is remembered only if the epoch is unchanged; whatever weakens a key raises the epoch and
/// drops the entry after its COMMIT and before its answer. To remember is to compare and to insert under the
/// epoch's lock, so that a slow reader cannot put back what has just been dropped.
pub(crate) struct KeyCache {
    entries: Cache<[u8; 32], Arc<CheckedKey>>,
    operators: Cache<[u8; 32], Arc<str>>,
    /// One for each share of the digests, so that a stream of revocations leaves the other keys in memory.
    epochs: [Mutex<u64>; EPOCHS],
    /// What is counted, by key id: two entries of one key share it.
    usages: Mutex<HashMap<String, Arc<Usage>>>,
    unwritten: Mutex<Vec<Arc<Usage>>>,
    checks: Tally,
}

impl CheckedKey {
    /// Something that depends on nothing but this key, worked out once for as long as the key stays in memory.
    /// One type only: with a second one the value is worked out anew each time.
    pub(crate) fn derived<T: Clone + Send + Sync + 'static>(
        &self,
        work_out: impl Fn(&Self) -> T,
    ) -> T {
        let kept = self.derived.get_or_init(|| Box::new(work_out(self)));
        kept.downcast_ref()
            .cloned()
            .unwrap_or_else(|| work_out(self))
    }

    /// Whether it passes at all now.
    ///
    /// # Errors
    /// `Expired`, `Disabled` or `OwnerDisabled`.
    pub(crate) fn stands(&self, now: UnixMillis) -> Result<(), KeyRefusal> {
        match &self.refusal {
            Some(refusal) => Err(refusal.clone()),
            None if self.expires_at.is_some_and(|at| at <= now) => Err(KeyRefusal::Expired),
            None => Ok(()),
        }
    }

    /// Whether it may come from that address.
    pub(crate) fn allows(&self, address: Option<IpAddr>) -> bool {
        is_within(&self.allowed_ips, address)
    }

    /// Whether a use changes more than memory may: its rate, or its number in the store.
    pub(crate) const fn is_limited(&self) -> bool {
        self.rate_limit.is_some() || self.is_numbered
    }

    /// Counts one call against its rate limit, if it has one.
    ///
    /// # Errors
    /// `Limited`.
    pub(crate) fn count(&self, now: UnixMillis) -> Result<Option<RateState>, KeyRefusal> {
        let counted = self.rate_limit.map(|rate| self.usage.count(now, rate));
        counted.transpose().map_err(KeyRefusal::Limited)
    }

    /// Takes back what [`CheckedKey::count`] counted.
    pub(crate) fn give_back(&self, counted: Option<&RateState>) {
        if let Some(state) = counted {
            self.usage.give_back(state);
        }
    }
}

/// Whether an address lies in one of the blocks; without blocks, any does, and an unknown one too.
fn is_within(blocks: &[IpNet], address: Option<IpAddr>) -> bool {
    blocks.is_empty()
        || address.is_some_and(|address| {
            let address = address.to_canonical();
            blocks.iter().any(|block| block.contains(&address))
        })
}

impl KeyCache {
    /// A cache of at most `capacity` keys.
    pub(crate) fn new(capacity: usize) -> Self {
        /// An operator has a few; the rest is asked of the store each time.
        const OPERATORS: usize = 64;
        Self {
            entries: Cache::new(capacity),
            operators: Cache::new(OPERATORS),
            epochs: std::array::from_fn(|_| Mutex::new(0)),
            usages: Mutex::new(HashMap::new()),
            unwritten: Mutex::new(Vec::new()),
            checks: Tally::default(),
        }
    }

    /// The key of that digest, if it is here.
    pub(crate) fn find(&self, presented: &KeyDigest) -> Option<Arc<CheckedKey>> {
        self.entries.get(&presented.to_bytes())
    }

    /// The id of the operator key of that digest, if it is here.
    pub(crate) fn find_operator(&self, presented: &KeyDigest) -> Option<Arc<str>> {
        self.operators.get(&presented.to_bytes())
    }

    /// Reads a key past the cache and keeps it, if it has not been weakened since this began and passes at all.
    pub(crate) fn read_through<E>(
        &self,
        presented: &KeyDigest,
        read: impl FnOnce() -> Result<Option<Arc<CheckedKey>>, E>,
    ) -> Result<Option<Arc<CheckedKey>>, E> {
        let epoch = self.epoch(presented);
        let key = read()?;
        // What is disabled is rare, and dearer to forget in time when it is enabled again than to read.
        if let Some(key) = key.as_ref().filter(|key| key.refusal.is_none()) {
            self.remember(epoch, key);
        }
        Ok(key)
    }

    /// To be read before the store is.
    pub(crate) fn epoch(&self, presented: &KeyDigest) -> u64 {
        *lock(self.epoch_of(&presented.to_bytes()))
    }

    fn epoch_of(&self, digest: &[u8; 32]) -> &Mutex<u64> {
        let [first, ..] = digest;
        let share = self.epochs.get(usize::from(*first) % EPOCHS);
        share.expect("a remainder is less than what it was divided by")
    }

    /// Keeps a key that was read from the store after `epoch` was, if it has not been weakened since.
    pub(super) fn remember(&self, epoch: u64, key: &Arc<CheckedKey>) {
        let current = lock(self.epoch_of(&key.digest));
        if *current == epoch {
            self.entries.insert(key.digest, Arc::clone(key));
        }
    }

    /// As [`KeyCache::remember`], for the id of an operator key.
    pub(crate) fn remember_operator(&self, epoch: u64, presented: &KeyDigest, id: &str) {
        let current = lock(self.epoch_of(&presented.to_bytes()));
        if *current == epoch {
            self.operators.insert(presented.to_bytes(), id.into());
        }
    }

    /// Drops what has been weakened: after the COMMIT, before the answer.
    pub(crate) fn forget(&self, weakened: &Weakened) {
        let raise_all = || {
            for epoch in &self.epochs {
                *lock(epoch) += 1;
            }
        };
        // What was remembered before its epoch rose is dropped below; what comes after it is not remembered.
        match weakened {
            Weakened::Values(digests) => {
                for digest in digests {
                    *lock(self.epoch_of(digest)) += 1;
                    self.entries.remove(digest);
                }
            }
            Weakened::User(id) => {
                raise_all();
                self.entries.retain(|_, key| key.user_id != *id);
            }
            Weakened::Tenant(id) => {
                raise_all();
                self.entries.retain(|_, key| key.tenant_id != *id);
            }
            Weakened::Operator => {
                raise_all();
                self.operators.clear();
            }
        }
    }

    /// What is counted of a key; `make` begins it where the store has left it.
    pub(crate) fn usage(&self, id: &str, make: impl FnOnce() -> Usage) -> Arc<Usage> {
        let mut usages = lock(&self.usages);
        match usages.get(id) {
            Some(known) => Arc::clone(known),
            None => {
                let usage = Arc::new(make());
                usages.insert(id.to_owned(), Arc::clone(&usage));
                usage
            }
        }
    }

    /// Notes that the key has been used.
    pub(crate) fn note_use(&self, now: UnixMillis, key: &CheckedKey) {
        self.checks.valid();
        if key.usage.note(now) {
            lock(&self.unwritten).push(Arc::clone(&key.usage));
        }
    }

    /// How checks of keys have ended.
    pub(crate) fn checks(&self) -> &Tally {
        &self.checks
    }

    /// Keys that are here, and look-ups that have and have not found theirs; one call may look more than once.
    pub(crate) fn look_ups(&self) -> LookUps {
        LookUps {
            keys: self.entries.len(),
            hits: self.entries.hits(),
            misses: self.entries.misses(),
        }
    }

    /// The newest use of a key that is known here.
    pub(crate) fn last_use(&self, id: &str) -> Option<UnixMillis> {
        lock(&self.usages).get(id)?.last_used_at()
    }

    /// Takes all uses that the store does not know yet; [`KeyCache::put_back`] what cannot be written.
    pub(crate) fn take_uses(&self) -> Vec<Use> {
        let unwritten = std::mem::take(&mut *lock(&self.unwritten));
        unwritten.iter().map(|usage| usage.take()).collect()
    }

    /// Takes uses back that could not be written.
    pub(crate) fn put_back(&self, unwritten: &[Use]) {
        for collected in unwritten {
            let usage = self.usage(&collected.key_id, || {
                Usage::new(
                    &collected.key_id,
                    Some(collected.last_used_at),
                    collected.window,
                )
            });
            if usage.put_back(collected.uses) {
                lock(&self.unwritten).push(usage);
            }
        }
    }

    /// Lets go of counts that nobody needs.
    pub(crate) fn sweep(&self, now: UnixMillis) {
        lock(&self.usages).retain(|_, usage| !usage.is_idle(now));
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;
    use crate::store::api_keys::StoredWindow;

    fn key(cache: &KeyCache, id: &str, digest: [u8; 32]) -> Arc<CheckedKey> {
        Arc::new(CheckedKey {
            digest,
            id: id.to_owned(),
            tenant_id: "tenant".to_owned(),
            user_id: format!("user of {id}"),
            name: "key".to_owned(),
            role: Role::Owner,
            has_full_access: true,
            scopes: ScopeSet::full_access(),
            scopes_text: "full_access".to_owned(),
            environment: Environment::Live,
            created_at: at(0),
            power: KeyPower::Whole,
            expires_at: None,
            refusal: None,
            rate_limit: None,
            is_numbered: false,
            remaining: None,
            allowed_ips: Box::new([]),
            metadata: None,
            usage: cache.usage(id, || Usage::new(id, None, StoredWindow::default())),
            derived: OnceLock::new(),
        })
    }

    fn at(ms: i64) -> UnixMillis {
        UnixMillis::from_ms(ms)
    }

    fn epoch(cache: &KeyCache, digest: [u8; 32]) -> u64 {
        cache.epoch(&KeyDigest::from_bytes(digest))
    }

    fn knows(cache: &KeyCache, digest: [u8; 32]) -> bool {
        cache.find(&KeyDigest::from_bytes(digest)).is_some()
    }

    #[test]
    fn a_reader_that_was_overtaken_by_a_revocation_leaves_nothing_behind() {
        let cache = KeyCache::new(8);
        let before = epoch(&cache, [7; 32]);
        cache.forget(&Weakened::Values(vec![[7; 32]]));
        cache.remember(before, &key(&cache, "a", [7; 32]));
        assert!(!knows(&cache, [7; 32]));

        cache.remember(epoch(&cache, [7; 32]), &key(&cache, "a", [7; 32]));
        assert!(knows(&cache, [7; 32]));
        cache.forget(&Weakened::Values(vec![[7; 32]]));
        assert!(!knows(&cache, [7; 32]));
    }

    #[test]
    fn what_is_weakened_takes_all_its_keys_along() {
        let cache = KeyCache::new(8);
        let fill = || {
            for (id, digest) in [("a", [1; 32]), ("b", [2; 32])] {
                cache.remember(epoch(&cache, digest), &key(&cache, id, digest));
            }
            let operator = KeyDigest::from_bytes([3; 32]);
            cache.remember_operator(cache.epoch(&operator), &operator, "operator");
        };
        for (weakened, left) in [
            (Weakened::Values(vec![[1; 32]]), [false, true, true]),
            (Weakened::User("user of a".to_owned()), [false, true, true]),
            (Weakened::User("another".to_owned()), [true, true, true]),
            (Weakened::Tenant("tenant".to_owned()), [false, false, true]),
            (Weakened::Operator, [true, true, false]),
        ] {
            fill();
            cache.forget(&weakened);
            let operator = cache.find_operator(&KeyDigest::from_bytes([3; 32]));
            let found = [
                knows(&cache, [1; 32]),
                knows(&cache, [2; 32]),
                operator.is_some(),
            ];
            assert_eq!(found, left, "{weakened:?}");
        }
    }

    #[test]
    fn two_entries_of_one_key_count_together() {
        let cache = KeyCache::new(8);
        let (old, new) = (key(&cache, "a", [1; 32]), key(&cache, "a", [2; 32]));
        cache.note_use(at(1), &old);
        cache.note_use(at(2), &new);
        assert_eq!(cache.last_use("a"), Some(at(2)));
        let uses = cache.take_uses();
        assert_eq!(
            uses.iter()
                .map(|collected| collected.uses)
                .collect::<Vec<_>>(),
            [2]
        );
        cache.put_back(&uses);
        assert_eq!(cache.take_uses().len(), 1);
        cache.sweep(at(500_000));
        assert_eq!(cache.last_use("a"), Some(at(2)), "entries still hold it");
        drop((old, new));
        cache.sweep(at(500_000));
        assert_eq!(cache.last_use("a"), None);
    }

    #[test]
    fn many_uses_are_written_in_several_turns() {
        let scratch = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(scratch.path(), crate::store::MIGRATIONS).unwrap();
        let cache = KeyCache::new(2_000);
        for number in 0..1_001 {
            let key = key(&cache, &number.to_string(), [0; 32]);
            cache.note_use(at(1), &key);
        }
        let before = store.commits();
        crate::domain::keys::flush_uses(&store, &cache).unwrap();
        assert_eq!(store.commits() - before, 3);
        crate::domain::keys::flush_uses(&store, &cache).unwrap();
        assert_eq!(store.commits() - before, 3, "nothing is left to write");
    }
}
