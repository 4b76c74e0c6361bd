//! Permits for slow work: a few at a time, a bounded queue, then 503.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::domain::Error;

/// Lets `running` callers work at once and `waiting` more queue, so that a storm of log-ins can
/// take neither all cores nor all memory.
pub(crate) struct Permits {
    state: Mutex<State>,
    freed: Condvar,
    running_max: usize,
    waiting_max: usize,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
}

/// The right to do slow work, until it is dropped.
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            freed: Condvar::new(),
            running_max,
            waiting_max,
        }
    }

    /// Waits for a permit. Blocks the thread: only for the blocking pool.
    ///
    /// # Errors
    /// `Busy` when the queue is full.
    pub(crate) fn enter(&self) -> Result<Permit<'_>, Error> {
        let mut state = self.lock();
        if state.running >= self.running_max {
            if state.waiting >= self.waiting_max {
                return Err(Error::Busy { retry_after_s: 1 });
            }
            state.waiting += 1;
            state = self
                .freed
                .wait_while(state, |state| state.running >= self.running_max)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.running += 1;
        Ok(Permit(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Two counters, changed together: a panic elsewhere cannot leave them half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn never_more_at_once_than_permitted_and_all_get_their_turn() {
        let permits = Permits::new(2, 100);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let _permit = permits.enter().unwrap();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(permits.lock().running, 0);
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let permits = Permits::new(1, 0);
        let held = permits.enter().unwrap();
        assert!(matches!(
            permits.enter(),
            Err(Error::Busy { retry_after_s: 1 })
        ));
        drop(held);
        assert!(permits.enter().is_ok());
    }
}
