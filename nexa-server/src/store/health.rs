//! Whether the store may still write, and who wants to know when it may not.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

type Listener = Box<dyn FnOnce() + Send>;

/// Shared by the threads of a store. It fails at most once and never recovers: after an IO error nobody knows what
/// the disk holds, and an fsync that "succeeds" when tried again has not written what the first one lost.
#[derive(Default)]
pub(super) struct Health {
    has_failed: AtomicBool,
    listeners: Mutex<Vec<Listener>>,
}

impl Health {
    /// Whether [`Health::fail`] was called.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Records a fatal error and tells every listener, once.
    pub(super) fn fail(&self, cause: &str) {
        let listeners = {
            let mut listeners = self
                .listeners
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if self.has_failed.swap(true, Ordering::AcqRel) {
                return;
            }
            mem::take(&mut *listeners)
        };
        tracing::error!(cause, "the store has failed and takes no more writes");
        for listener in listeners {
            // One bad listener must not keep the news from the others.
            let _ = catch_unwind(AssertUnwindSafe(listener));
        }
    }

    /// Calls `listener` when the store fails; at once if it has.
    pub(super) fn on_failure(&self, listener: Listener) {
        {
            let mut listeners = self
                .listeners
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !self.has_failed() {
                listeners.push(listener);
                return;
            }
        }
        listener();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use super::*;

    #[test]
    fn every_listener_hears_once() {
        let health = Health::default();
        let heard = Arc::new(AtomicU32::new(0));
        let listener = |step: u32| -> Listener {
            let heard = Arc::clone(&heard);
            Box::new(move || {
                heard.fetch_add(step, Ordering::Relaxed);
            })
        };
        health.on_failure(Box::new(|| panic!("a listener's bug")));
        health.on_failure(listener(1));
        assert!(!health.has_failed());
        assert_eq!(heard.load(Ordering::Relaxed), 0);
        health.fail("fsync");
        health.fail("fsync again");
        assert!(health.has_failed());
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        health.on_failure(listener(10));
        assert_eq!(heard.load(Ordering::Relaxed), 11);
    }
}
