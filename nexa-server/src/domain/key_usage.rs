//! What is counted of a key: uses that are not yet written, and the window of its rate limit.

use std::sync::Arc;

use crate::store::api_keys::{StoredWindow, Use};
use crate::sync::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering, lock};
use crate::time::UnixMillis;

/// How many calls a key may make in a window, which begins with its first call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// At least 1.
    pub(crate) limit: u32,
    /// In seconds, at least 1.
    pub(crate) window_s: u32,
}

/// Where a key stands in its window after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateState {
    pub(crate) rate: RateLimit,
    /// Calls left in this window.
    pub(crate) remaining: u32,
    /// Whole seconds until the next window, rounded up.
    pub(crate) resets_in_s: u64,
    /// Which window the call was counted in.
    started_at: UnixMillis,
}

/// What is counted of one key, shared by everything in memory that stands for it.
pub(crate) struct Usage {
    key_id: Box<str>,
    last_used_ms: AtomicI64,
    /// Uses that have not been handed to a writer.
    uses: AtomicU64,
    /// Whether somebody has been told that there is something to write.
    is_pending: AtomicBool,
    window: Mutex<StoredWindow>,
}

impl Usage {
    pub(crate) fn new(
        key_id: &str,
        last_used_at: Option<UnixMillis>,
        window: StoredWindow,
    ) -> Self {
        Self {
            key_id: key_id.into(),
            last_used_ms: AtomicI64::new(last_used_at.map_or(i64::MIN, UnixMillis::ms)),
            uses: AtomicU64::new(0),
            is_pending: AtomicBool::new(false),
            window: Mutex::new(window),
        }
    }

    /// Counts one call against `rate`. However many threads call at once, no more than the limit pass in a window.
    ///
    /// A clock that steps back begins no new window: the one that runs is taken to have begun now, so that it still
    /// ends in time.
    ///
    /// # Errors
    /// The same state, with nothing left, when the window is full.
    pub(crate) fn count(&self, now: UnixMillis, rate: RateLimit) -> Result<RateState, RateState> {
        let mut window = lock(&self.window);
        let window_ms = i64::from(rate.window_s) * 1000;
        let started_at = window.started_at.map_or(now, |start| start.min(now));
        let passed_ms = now.ms().saturating_sub(started_at.ms());
        let (started_at, passed_ms) = if passed_ms < window_ms {
            (started_at, passed_ms)
        } else {
            window.count = 0;
            (now, 0)
        };
        window.started_at = Some(started_at);
        let has_room = window.count < rate.limit;
        if has_room {
            window.count += 1;
        }
        let state = RateState {
            rate,
            remaining: rate.limit.saturating_sub(window.count),
            resets_in_s: (window_ms - passed_ms).unsigned_abs().div_ceil(1000),
            started_at,
        };
        if has_room { Ok(state) } else { Err(state) }
    }

    /// Takes a call back that was counted and then refused for another reason.
    pub(crate) fn give_back(&self, counted: &RateState) {
        let mut window = lock(&self.window);
        if window.started_at == Some(counted.started_at) {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// Notes a use; true when nobody has been told of unwritten uses yet.
    pub(crate) fn note(&self, now: UnixMillis) -> bool {
        self.last_used_ms.fetch_max(now.ms(), Ordering::SeqCst);
        self.uses.fetch_add(1, Ordering::SeqCst);
        !self.is_pending.load(Ordering::SeqCst) && !self.is_pending.swap(true, Ordering::SeqCst)
    }

    /// Takes what is to be written. What comes after it is announced anew.
    pub(crate) fn take(&self) -> Use {
        // The flag falls first: a use that still saw it set is in the count that is read next.
        self.is_pending.store(false, Ordering::SeqCst);
        let uses = self.uses.swap(0, Ordering::SeqCst);
        Use {
            key_id: self.key_id.to_string(),
            last_used_at: UnixMillis::from_ms(self.last_used_ms.load(Ordering::SeqCst)),
            uses,
            window: *lock(&self.window),
        }
    }

    /// Puts back what could not be written; true as for [`Usage::note`].
    pub(crate) fn put_back(&self, uses: u64) -> bool {
        self.uses.fetch_add(uses, Ordering::SeqCst);
        !self.is_pending.swap(true, Ordering::SeqCst)
    }

    /// The newest use that is known.
    pub(crate) fn last_used_at(&self) -> Option<UnixMillis> {
        let ms = self.last_used_ms.load(Ordering::SeqCst);
        (ms != i64::MIN).then(|| UnixMillis::from_ms(ms))
    }

    /// Whether it may be let go of: nothing is unwritten, and no reader of the store can still be on its way with
    /// counts from before they were written.
    pub(crate) fn is_idle(self: &Arc<Self>, now: UnixMillis) -> bool {
        const IDLE_S: i64 = 60;
        Arc::strong_count(self) == 1
            && !self.is_pending.load(Ordering::SeqCst)
            && self
                .last_used_at()
                .is_none_or(|at| at.plus_seconds(IDLE_S) < now)
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const RATE: RateLimit = RateLimit {
        limit: 3,
        window_s: 60,
    };

    fn usage() -> Usage {
        Usage::new("id", None, StoredWindow::default())
    }

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis::from_ms(1_800_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn a_window_fills_and_really_resets() {
        let usage = usage();
        let call = |s| {
            usage
                .count(at(s), RATE)
                .map(|state| (state.remaining, state.resets_in_s))
        };
        assert_eq!(call(0), Ok((2, 60)));
        assert_eq!(call(10), Ok((1, 50)));
        assert_eq!(call(59), Ok((0, 1)));
        let full = usage.count(at(59), RATE).unwrap_err();
        assert_eq!((full.remaining, full.resets_in_s), (0, 1));
        assert_eq!(call(60), Ok((2, 60)), "all of it is back at once");
        assert_eq!(
            call(500),
            Ok((2, 60)),
            "a window begins with its first call"
        );
    }

    #[test]
    fn a_clock_that_steps_back_begins_no_new_window() {
        let usage = usage();
        for _ in 0..3 {
            assert!(usage.count(at(0), RATE).is_ok());
        }
        let full = usage.count(at(-86_400), RATE).unwrap_err();
        assert_eq!(full.resets_in_s, 60);
        let full = usage.count(at(-86_341), RATE).unwrap_err();
        assert_eq!(full.resets_in_s, 1, "it ends in time all the same");
        assert!(usage.count(at(-86_340), RATE).is_ok());
    }

    #[test]
    fn a_call_that_is_given_back_leaves_room_in_its_own_window_alone() {
        let usage = usage();
        let counted = usage.count(at(0), RATE).unwrap();
        usage.give_back(&counted);
        assert_eq!(usage.count(at(1), RATE).map(|state| state.remaining), Ok(2));
        assert!(usage.count(at(61), RATE).is_ok(), "another window");
        usage.give_back(&counted);
        assert_eq!(
            usage.count(at(62), RATE).map(|state| state.remaining),
            Ok(1)
        );
    }

    #[test]
    fn sixty_four_threads_get_the_limit_and_no_more() {
        let usage = usage();
        let rate = RateLimit {
            limit: 10_000,
            window_s: 60,
        };
        for round in 0..3 {
            let passed: u32 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..64)
                    .map(|_| {
                        scope.spawn(|| {
                            let calls = 0..250;
                            calls
                                .filter(|_| usage.count(at(round * 60), rate).is_ok())
                                .count()
                        })
                    })
                    .collect();
                let counts = threads.into_iter().map(|thread| thread.join().unwrap());
                counts.map(|count| u32::try_from(count).unwrap()).sum()
            });
            assert_eq!(passed, 10_000, "round {round}");
        }
    }

    #[test]
    fn a_use_during_the_write_is_not_lost() {
        let usage = Arc::new(usage());
        assert!(usage.note(at(1)), "the first announces itself");
        assert!(!usage.note(at(2)), "the next has been announced");
        assert!(!usage.is_idle(at(500)));
        let taken = usage.take();
        assert_eq!((taken.uses, taken.last_used_at), (2, at(2)));
        assert!(usage.note(at(3)), "while the others are being written");
        assert!(!usage.put_back(taken.uses), "the write failed");
        assert_eq!(usage.take().uses, 3);
        assert!(!usage.is_idle(at(4)), "a reader may be on its way");
        assert!(usage.is_idle(at(64)));
    }

    #[test]
    fn a_window_goes_on_where_it_was_written() {
        let usage = usage();
        assert!(usage.count(at(0), RATE).is_ok());
        let again = Usage::new("id", None, usage.take().window);
        assert_eq!(again.count(at(1), RATE).map(|state| state.remaining), Ok(1));
    }
}
