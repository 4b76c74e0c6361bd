//! Rate limits by client address or by account.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::domain::Error;
use crate::time::UnixMillis;

/// A limit that a route names, or that a handler applies to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    LoginPerAddress,
    LoginPerAccount,
    RegisterPerAddress,
}

/// How many calls an hour each limit allows; the whole allowance may come as one burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowances {
    pub(crate) login_per_address: NonZeroU32,
    pub(crate) login_per_account: NonZeroU32,
    pub(crate) register_per_address: NonZeroU32,
}

/// Counts calls. It cannot be flooded: a table has at most [`BUCKETS`] entries, because keys are
/// folded onto buckets by a hash whose seed nobody knows, so nobody can aim at another's bucket.
pub(crate) struct Limiter {
    seed: RandomState,
    clock: CallClock,
    login_per_address: Table,
    login_per_account: Table,
    register_per_address: Table,
}

type Table = RateLimiter<u32, DashMapStateStore<u32>, CallClock, NoOpMiddleware<Duration>>;

/// Two callers share a bucket with a chance of one in a million.
const BUCKETS: u64 = 1 << 20;

impl Limiter {
    pub(crate) fn new(allowances: &Allowances) -> Self {
        let clock = CallClock::default();
        let table =
            |an_hour| RateLimiter::dashmap_with_clock(Quota::per_hour(an_hour), clock.clone());
        Self {
            seed: RandomState::new(),
            login_per_address: table(allowances.login_per_address),
            login_per_account: table(allowances.login_per_account),
            register_per_address: table(allowances.register_per_address),
            clock,
        }
    }

    /// Counts one call against `key`.
    ///
    /// # Errors
    /// `Limited` with the whole seconds until the next call may pass.
    pub(crate) fn check(
        &self,
        now: UnixMillis,
        limit: Limit,
        key: &impl Hash,
    ) -> Result<(), Error> {
        self.clock.move_to(now);
        let bucket = u32::try_from(self.seed.hash_one(key) % BUCKETS).unwrap_or(0);
        self.table(limit).check_key(&bucket).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            Error::Limited {
                retry_after_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            }
        })
    }

    /// Drops callers whose allowance is whole again.
    pub(crate) fn sweep(&self, now: UnixMillis) {
        self.clock.move_to(now);
        for limit in [
            Limit::LoginPerAddress,
            Limit::LoginPerAccount,
            Limit::RegisterPerAddress,
        ] {
            self.table(limit).retain_recent();
        }
    }

    fn table(&self, limit: Limit) -> &Table {
        match limit {
            Limit::LoginPerAddress => &self.login_per_address,
            Limit::LoginPerAccount => &self.login_per_account,
            Limit::RegisterPerAddress => &self.register_per_address,
        }
    }
}

/// The newest `now` that a call brought: time is an argument here too.
#[derive(Clone, Debug, Default)]
struct CallClock(Arc<AtomicU64>);

impl CallClock {
    /// Forward only: a wall clock that steps back must not hand out a new allowance.
    fn move_to(&self, now: UnixMillis) {
        self.0.fetch_max(now.unsigned_ms(), Ordering::Relaxed);
    }
}

impl Clock for CallClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(an_hour: u32) -> Limiter {
        let an_hour = NonZeroU32::new(an_hour).unwrap();
        Limiter::new(&Allowances {
            login_per_address: an_hour,
            login_per_account: an_hour,
            register_per_address: an_hour,
        })
    }

    const START: UnixMillis = UnixMillis::from_ms(1_700_000_000_000);

    #[test]
    fn the_allowance_comes_as_one_burst_and_then_drips() {
        let limiter = limiter(30);
        for call in 0..30 {
            assert!(
                limiter.check(START, Limit::LoginPerAddress, &"a").is_ok(),
                "call {call}"
            );
        }
        let refused = limiter.check(START, Limit::LoginPerAddress, &"a");
        assert!(
            matches!(refused, Err(Error::Limited { retry_after_s: 120 })),
            "{refused:?}"
        );
        assert!(
            limiter
                .check(START.plus_seconds(119), Limit::LoginPerAddress, &"a")
                .is_err()
        );
        assert!(
            limiter
                .check(START.plus_seconds(120), Limit::LoginPerAddress, &"a")
                .is_ok()
        );
        assert!(
            limiter.check(START, Limit::LoginPerAddress, &"b").is_ok(),
            "another caller has its own"
        );
        assert!(
            limiter
                .check(START, Limit::RegisterPerAddress, &"a")
                .is_ok(),
            "another limit has its own"
        );
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let limiter = limiter(1);
        assert!(limiter.check(START, Limit::LoginPerAccount, &1).is_ok());
        assert!(
            limiter
                .check(START.plus_seconds(-7200), Limit::LoginPerAccount, &1)
                .is_err()
        );
    }

    #[test]
    fn a_parallel_burst_gets_the_allowance_and_no_more() {
        let limiter = limiter(30);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..100)
                            .filter(|_| limiter.check(START, Limit::LoginPerAddress, &"a").is_ok())
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(passed, 30);
    }

    #[test]
    fn a_flood_of_callers_takes_bounded_memory_and_is_swept() {
        let limiter = limiter(5);
        for caller in 0..100_000 {
            let _ = limiter.check(START, Limit::LoginPerAddress, &caller);
        }
        assert!(limiter.login_per_address.len() as u64 <= BUCKETS);
        limiter.sweep(START.plus_seconds(3600));
        assert_eq!(limiter.login_per_address.len(), 0);
    }
}
