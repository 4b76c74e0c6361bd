//! What writes announce: heard once they are on the disk, before their callers have their answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

/// That something has changed; what it is now, the listener reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// A tenant has an event more.
    Event { tenant_id: String },
    /// Credentials of a tenant, or of any if it names none, may have weakened.
    Weakened { tenant_id: Option<String> },
}

type Listener = Box<dyn Fn(&[Announcement]) + Send>;

/// Who listens to the commits of a store.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<Listener>>);

impl Listeners {
    pub(super) fn add(&self, listener: Listener) {
        self.lock().push(listener);
    }

    pub(super) fn tell(&self, announced: &[Announcement]) {
        if announced.is_empty() {
            return;
        }
        for listener in &*self.lock() {
            // The writer has to go on, whatever a listener does.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(announced)));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Listener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
