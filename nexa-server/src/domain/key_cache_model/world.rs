//! What the model's scenarios happen in: the cache, a locked value for the store, and the faults that can be put in.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use nexa_core::{KeyDigest, ScopeSet};

use super::super::key_cache::{CheckedKey, KeyCache, Weakened};
use super::super::key_usage::Usage;
use super::super::keys::Environment;
use super::super::principal::{KeyPower, Role};
use super::{ID, NEW, NOW, OLD, PASSED_AFTER, RATE};
use crate::store::api_keys::StoredWindow;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::time::UnixMillis;

/// What the cache stands in front of.
pub(super) struct World {
    pub(super) cache: KeyCache,
    pub(super) store: Mutex<Stored>,
    /// Changes that have been begun, and those that have been answered.
    pub(super) begun: AtomicU64,
    pub(super) answered: AtomicU64,
}

/// The one key in the store.
pub(super) struct Stored {
    /// The values in force.
    pub(super) values: Vec<[u8; 32]>,
    pub(super) uses: u64,
    pub(super) last_used_at: UnixMillis,
    pub(super) window: StoredWindow,
}

/// Where a fault sits, if any.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    None,
    /// The epoch is read after the store: a key is remembered whatever has happened meanwhile.
    EpochReadLate,
    /// The cache forgets before the store does.
    ForgottenBeforeCommit,
    /// The caller is answered before the cache forgets.
    AnsweredBeforeForgotten,
    /// Two readers of one key each begin counts of their own.
    UsagesNotShared,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            cache: KeyCache::new(4),
            store: Mutex::new(Stored {
                values: vec![OLD],
                uses: 0,
                last_used_at: UnixMillis::from_ms(0),
                window: StoredWindow::default(),
            }),
            begun: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        })
    }

    /// A key that passes, from memory or from the store.
    pub(super) fn check(&self, fault: Fault, digest: [u8; 32]) -> Option<Arc<CheckedKey>> {
        let known = self.cache.find(&KeyDigest::from_bytes(digest));
        known.or_else(|| self.read(fault, digest))
    }

    pub(super) fn read(&self, fault: Fault, digest: [u8; 32]) -> Option<Arc<CheckedKey>> {
        let presented = KeyDigest::from_bytes(digest);
        let read = || {
            let window = {
                let stored = lock(&self.store);
                stored.values.contains(&digest).then_some(stored.window)
            };
            window.map(|window| {
                let make = || Usage::new(ID, None, window);
                let usage = match fault {
                    Fault::UsagesNotShared => Arc::new(make()),
                    _ => self.cache.usage(ID, make),
                };
                Arc::new(key(digest, usage))
            })
        };
        match fault {
            Fault::EpochReadLate => {
                let key = read()?;
                let epoch = self.cache.epoch(&presented);
                self.cache.remember(epoch, &key);
                Some(key)
            }
            _ => {
                let read = || Ok::<_, Infallible>(read());
                let Ok(key) = self.cache.read_through(&presented, read);
                key
            }
        }
    }

    /// A check, told what had been answered before it began. Meanwhile a change may be under way.
    pub(super) fn check_beside(
        &self,
        fault: Fault,
        digest: [u8; 32],
        passes: impl Fn(u64) -> bool,
    ) {
        let answered = self.answered.load(Ordering::SeqCst);
        let passed = self.check(fault, digest).is_some();
        let begun = self.begun.load(Ordering::SeqCst);
        if answered == begun {
            assert!(!passed || passes(answered), "{PASSED_AFTER}");
            assert!(passed || !passes(answered), "a key in force was refused");
        }
    }

    /// Puts other values in force, as a revocation or a rotation does, and answers.
    pub(super) fn weaken(&self, fault: Fault, values: &[[u8; 32]]) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let commit = || {
            let mut stored = lock(&self.store);
            let old = std::mem::replace(&mut stored.values, values.to_vec());
            Weakened::Values(old)
        };
        let answer = || self.answered.fetch_add(1, Ordering::SeqCst);
        match fault {
            Fault::ForgottenBeforeCommit => {
                self.cache.forget(&Weakened::Values(vec![OLD, NEW]));
                let _forgotten = commit();
                answer();
            }
            Fault::AnsweredBeforeForgotten => {
                let weakened = commit();
                answer();
                self.cache.forget(&weakened);
            }
            Fault::None | Fault::EpochReadLate | Fault::UsagesNotShared => {
                let weakened = commit();
                self.cache.forget(&weakened);
                answer();
            }
        }
    }

    /// Writes what has been used, as the job does; the writing may fail.
    pub(super) fn flush(&self, is_written: bool) {
        let uses = self.cache.take_uses();
        if !is_written {
            self.cache.put_back(&uses);
            return;
        }
        let mut stored = lock(&self.store);
        for collected in uses {
            stored.uses += collected.uses;
            stored.last_used_at = stored.last_used_at.max(collected.last_used_at);
            let newer = |window: &StoredWindow| (window.started_at, window.count);
            stored.window = std::cmp::max_by_key(stored.window, collected.window, newer);
        }
    }
}

fn key(digest: [u8; 32], usage: Arc<Usage>) -> CheckedKey {
    CheckedKey {
        digest,
        id: ID.to_owned(),
        tenant_id: "tenant".to_owned(),
        user_id: "user".to_owned(),
        name: "name".to_owned(),
        role: Role::Owner,
        has_full_access: true,
        scopes: ScopeSet::full_access(),
        scopes_text: "full_access".to_owned(),
        environment: Environment::Live,
        created_at: NOW,
        power: KeyPower::Whole,
        expires_at: None,
        refusal: None,
        rate_limit: Some(RATE),
        is_numbered: false,
        remaining: None,
        allowed_ips: Box::new([]),
        metadata: None,
        usage,
        derived: OnceLock::new(),
    }
}
