//! Checked keys in memory: a bounded cache that never outlives a revocation, and uses not yet written.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use nexa_core::{KeyDigest, ScopeSet};
use quick_cache::sync::Cache;

use super::principal::Role;
use crate::time::UnixMillis;

/// A key that was found, with its owner's standing at that moment.
pub(crate) struct CheckedKey {
    digest: [u8; 32],
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) user_id: String,
    pub(crate) role: Role,
    pub(crate) scopes: ScopeSet,
    /// The scopes as a header shows them.
    pub(crate) scopes_text: String,
    expires_at: Option<UnixMillis>,
    /// What a caller has worked out from this key and wants again; see [`CheckedKey::derived`].
    derived: OnceLock<Box<dyn Any + Send + Sync>>,
    last_used_ms: AtomicI64,
    /// Whether the use stands in `unwritten`.
    is_pending: AtomicBool,
}

/// Answers repeated checks without the store.
///
/// After a revocation has answered, no later check passes: a check reads the epoch, then the store,
/// and is remembered only if the epoch is unchanged; whatever weakens a key raises the epoch and
/// drops the entry after its COMMIT and before its answer. Both happen under one lock, so that a
/// slow reader cannot put back what has just been dropped.
pub(crate) struct KeyCache {
    entries: Cache<[u8; 32], Arc<CheckedKey>>,
    epoch: Mutex<u64>,
    unwritten: Mutex<HashMap<String, Arc<CheckedKey>>>,
}

impl CheckedKey {
    pub(crate) fn new(
        digest: [u8; 32],
        id: String,
        tenant_id: String,
        user_id: String,
        role: Role,
        scopes: ScopeSet,
        expires_at: Option<UnixMillis>,
    ) -> Self {
        Self {
            digest,
            id,
            tenant_id,
            user_id,
            role,
            scopes_text: scopes.to_strings().join(" "),
            scopes,
            expires_at,
            derived: OnceLock::new(),
            last_used_ms: AtomicI64::new(0),
            is_pending: AtomicBool::new(false),
        }
    }

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

    fn has_expired(&self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl KeyCache {
    /// A cache of at most `capacity` keys.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Cache::new(capacity),
            epoch: Mutex::new(0),
            unwritten: Mutex::new(HashMap::new()),
        }
    }

    /// The key of that digest if it is here and has not expired. Counts as a use.
    pub(crate) fn find(&self, now: UnixMillis, presented: &KeyDigest) -> Option<Arc<CheckedKey>> {
        let key = self.entries.get(&presented.to_bytes())?;
        if key.has_expired(now) {
            return None;
        }
        self.note_use(now, &key);
        Some(key)
    }

    /// To be read before the store is.
    pub(crate) fn epoch(&self) -> u64 {
        *lock(&self.epoch)
    }

    /// Keeps a key that was read from the store after `epoch` was; `None` if it has expired.
    pub(crate) fn remember(
        &self,
        epoch: u64,
        now: UnixMillis,
        key: CheckedKey,
    ) -> Option<Arc<CheckedKey>> {
        if key.has_expired(now) {
            return None;
        }
        let key = Arc::new(key);
        self.note_use(now, &key);
        let current = lock(&self.epoch);
        if *current == epoch {
            self.entries.insert(key.digest, Arc::clone(&key));
        }
        Some(key)
    }

    /// Drops keys that have been weakened: after the COMMIT, before the answer.
    pub(crate) fn forget(&self, digests: &[[u8; 32]]) {
        let mut epoch = lock(&self.epoch);
        *epoch += 1;
        for digest in digests {
            self.entries.remove(digest);
        }
    }

    /// A use of the key that the store does not know yet.
    pub(crate) fn pending_use(&self, id: &str) -> Option<UnixMillis> {
        lock(&self.unwritten).get(id).map(|key| key.last_used())
    }

    /// All uses that the store does not know yet.
    pub(crate) fn pending_uses(&self) -> Vec<(Arc<CheckedKey>, UnixMillis)> {
        lock(&self.unwritten)
            .values()
            .map(|key| (Arc::clone(key), key.last_used()))
            .collect()
    }

    /// Strikes uses off that have been written; a key used again meanwhile stays.
    pub(crate) fn uses_written(&self, written: &[(Arc<CheckedKey>, UnixMillis)]) {
        let mut unwritten = lock(&self.unwritten);
        for (key, at) in written {
            if !unwritten
                .get(&key.id)
                .is_some_and(|kept| Arc::ptr_eq(kept, key))
            {
                continue;
            }
            // The flag falls first: a use that still saw it set has stored its time before this reads it.
            key.is_pending.store(false, Ordering::SeqCst);
            if key.last_used() == *at {
                unwritten.remove(&key.id);
            } else {
                key.is_pending.store(true, Ordering::SeqCst);
            }
        }
    }

    fn note_use(&self, now: UnixMillis, key: &Arc<CheckedKey>) {
        key.last_used_ms.fetch_max(now.ms(), Ordering::SeqCst);
        if !key.is_pending.load(Ordering::SeqCst) {
            let mut unwritten = lock(&self.unwritten);
            key.is_pending.store(true, Ordering::SeqCst);
            let displaced = unwritten.insert(key.id.clone(), Arc::clone(key));
            // The same key, read twice: what the other one collected is kept, and it may come back.
            if let Some(other) = displaced.filter(|other| !Arc::ptr_eq(other, key)) {
                other.is_pending.store(false, Ordering::SeqCst);
                key.last_used_ms
                    .fetch_max(other.last_used().ms(), Ordering::SeqCst);
            }
        }
    }
}

impl CheckedKey {
    fn last_used(&self) -> UnixMillis {
        UnixMillis::from_ms(self.last_used_ms.load(Ordering::SeqCst))
    }
}

/// The data under these locks is never half-written, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(expires_at: Option<i64>) -> CheckedKey {
        CheckedKey::new(
            [7; 32],
            "id".to_owned(),
            "tenant".to_owned(),
            "user".to_owned(),
            Role::Owner,
            ScopeSet::full_access(),
            expires_at.map(UnixMillis::from_ms),
        )
    }

    fn at(ms: i64) -> UnixMillis {
        UnixMillis::from_ms(ms)
    }

    #[test]
    fn a_reader_that_was_overtaken_by_a_revocation_leaves_nothing_behind() {
        let cache = KeyCache::new(8);
        let digest = KeyDigest::from_bytes([7; 32]);
        let epoch = cache.epoch();
        cache.forget(&[[7; 32]]);
        assert!(cache.remember(epoch, at(1), key(None)).is_some());
        assert!(cache.find(at(1), &digest).is_none());

        assert!(cache.remember(cache.epoch(), at(1), key(None)).is_some());
        assert!(cache.find(at(1), &digest).is_some());
        cache.forget(&[[7; 32]]);
        assert!(cache.find(at(1), &digest).is_none());
    }

    #[test]
    fn an_expired_key_does_not_pass_from_memory() {
        let cache = KeyCache::new(8);
        let digest = KeyDigest::from_bytes([7; 32]);
        assert!(
            cache
                .remember(cache.epoch(), at(1), key(Some(10)))
                .is_some()
        );
        assert!(cache.find(at(9), &digest).is_some());
        assert!(cache.find(at(10), &digest).is_none());
        assert!(
            cache
                .remember(cache.epoch(), at(10), key(Some(10)))
                .is_none()
        );
    }

    #[test]
    fn a_use_during_the_write_is_not_lost() {
        let cache = KeyCache::new(8);
        let digest = KeyDigest::from_bytes([7; 32]);
        assert!(cache.remember(cache.epoch(), at(1), key(None)).is_some());
        let written = cache.pending_uses();
        assert!(cache.find(at(5), &digest).is_some());
        cache.uses_written(&written);
        assert_eq!(cache.pending_use("id"), Some(at(5)));
        cache.uses_written(&cache.pending_uses());
        assert_eq!(cache.pending_use("id"), None);
        assert!(cache.find(at(6), &digest).is_some());
        assert_eq!(cache.pending_use("id"), Some(at(6)));
    }

    #[test]
    fn a_key_that_was_read_twice_at_once_keeps_its_uses() {
        let cache = KeyCache::new(8);
        let digest = KeyDigest::from_bytes([7; 32]);
        let overtaken = cache.epoch();
        cache.forget(&[[9; 32]]);
        assert!(cache.remember(cache.epoch(), at(3), key(None)).is_some());
        assert!(cache.remember(overtaken, at(2), key(None)).is_some());
        assert_eq!(cache.pending_use("id"), Some(at(3)), "the later of the two");
        cache.uses_written(&cache.pending_uses());
        assert_eq!(cache.pending_use("id"), None);
        assert!(cache.find(at(9), &digest).is_some());
        assert_eq!(cache.pending_use("id"), Some(at(9)));
    }
}
