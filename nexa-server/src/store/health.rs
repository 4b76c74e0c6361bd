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
        for listener in listeners {
            // One bad listener must not keep the news from the others.
            let _ = catch_unwind(AssertUnwindSafe(listener));
        }
        log(|| tracing::error!(cause, "the store has failed and takes no more writes"));
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

/// Logs from a thread that the store cannot lose: the log may stand on the very disk that is full.
pub(super) fn log(event: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(event));
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use super::*;

    /// A log that panics at every event.
    pub(in crate::store) struct DeadLog;

    impl tracing::Subscriber for DeadLog {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn event(&self, _: &tracing::Event<'_>) {
            panic!("the log is dead")
        }

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn listeners_hear_though_the_log_is_dead() {
        let health = Health::default();
        let (heard, hears) = std::sync::mpsc::channel();
        health.on_failure(Box::new(move || heard.send(()).unwrap()));
        tracing::subscriber::with_default(DeadLog, || health.fail("fsync"));
        assert!(health.has_failed());
        hears.try_recv().unwrap();
    }

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
