//! The races of the key cache, under a scheduler that decides after every lock and every atomic who goes on.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test -p nexa-server --lib key_cache_model
//! ```
//!
//! The cache is the real one: its locks, its atomics and those of quick_cache are the scheduler's. The store is a
//! locked value. Each scenario runs through thousands of schedules: drawn at random, drawn with few and well placed
//! changes of thread (PCT), and for the smallest one all there are. Memory orders weaker than `SeqCst` are not
//! modelled; the cache uses none.
//!
//! A model that cannot fail proves nothing: the same scenarios run with a fault put in, and must find it.

mod world;

use std::sync::Arc;

use nexa_core::KeyDigest;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, thread};

use super::key_cache::Weakened;
use super::key_usage::RateLimit;
use crate::sync::{Ordering, lock};
use crate::time::UnixMillis;
use world::{Fault, World};

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];
const ID: &str = "key";
const NOW: UnixMillis = UnixMillis::from_ms(1_000);
const RATE: RateLimit = RateLimit {
    limit: 3,
    window_s: 60,
};
const PASSED_AFTER: &str = "a check passed after the revocation had been answered";
/// At random; PCT adds as many.
const SCHEDULES: usize = 3_000;

/// Runs a scenario under one scheduler; answers how many schedules there were.
fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 1 << 17;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(scenario)
}

/// Runs a scenario under random schedules and under PCT's.
fn run_many(scenario: impl Fn() + Send + Sync + Clone + 'static) {
    run(RandomScheduler::new(SCHEDULES), scenario.clone());
    for depth in 2..=4 {
        run(PctScheduler::new(depth, SCHEDULES / 3), scenario.clone());
    }
}

/// Starts a thread of the scenario.
fn start<T: Send + 'static>(
    world: &Arc<World>,
    part: impl FnOnce(&World) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let world = Arc::clone(world);
    thread::spawn(move || part(&world))
}

/// Two callers check a key again and again while it is revoked.
fn a_revocation(fault: Fault) {
    let world = World::new();
    let caller = move |world: &World| {
        for _ in 0..3 {
            world.check_beside(fault, OLD, |answered| answered == 0);
        }
    };
    let callers = [start(&world, caller), start(&world, caller)];
    world.weaken(fault, &[]);
    assert!(world.check(fault, OLD).is_none(), "{PASSED_AFTER}");
    for caller in callers {
        caller.join().unwrap();
    }
    assert!(world.check(fault, OLD).is_none(), "{PASSED_AFTER}");
}

#[test]
fn no_check_passes_once_a_revocation_has_answered() {
    run_many(|| a_revocation(Fault::None));
}

/// One check that asks the store, beside one revocation: small enough for every schedule there is.
#[test]
fn one_reading_beside_a_revocation_in_every_schedule() {
    let schedules = run(DfsScheduler::new(None, false), || {
        let world = World::new();
        let reader = start(&world, |world| world.read(Fault::None, OLD).is_some());
        lock(&world.store).values.clear();
        world.cache.forget(&Weakened::Values(vec![OLD]));
        reader.join().unwrap();
        let left = world.cache.find(&KeyDigest::from_bytes(OLD));
        assert!(left.is_none(), "{PASSED_AFTER}");
    });
    assert!(schedules > 1_000, "only {schedules}");
}

#[test]
fn a_rotation_ends_the_old_value_and_the_new_one_passes() {
    run_many(|| {
        let world = World::new();
        let callers = [OLD, NEW].map(|digest| {
            start(&world, move |world| {
                for _ in 0..3 {
                    let is_in_force = |answered| (answered == 0) == (digest == OLD);
                    world.check_beside(Fault::None, digest, is_in_force);
                }
            })
        });
        world.weaken(Fault::None, &[NEW]);
        assert!(world.check(Fault::None, OLD).is_none(), "{PASSED_AFTER}");
        assert!(world.check(Fault::None, NEW).is_some());
        for caller in callers {
            caller.join().unwrap();
        }
    });
}

/// A value goes out of force, comes back and goes again, as when a key is disabled and enabled.
#[test]
fn a_value_that_comes_back_passes_while_it_stands_and_no_longer() {
    run_many(|| {
        let world = World::new();
        let caller = |world: &World| {
            for _ in 0..4 {
                world.check_beside(Fault::None, OLD, |answered| answered % 2 == 0);
            }
        };
        let callers = [start(&world, caller), start(&world, caller)];
        for values in [&[][..], &[OLD], &[]] {
            world.weaken(Fault::None, values);
        }
        for caller in callers {
            caller.join().unwrap();
        }
        assert!(world.check(Fault::None, OLD).is_none(), "{PASSED_AFTER}");
    });
}

/// What is weakened by user or by tenant goes with all its keys, and an operator's key likewise.
#[test]
fn whole_tenants_users_and_operators_go_the_same_way() {
    for weakened in [
        Weakened::User("user".to_owned()),
        Weakened::Tenant("tenant".to_owned()),
        Weakened::Operator,
    ] {
        run_many(move || {
            let world = World::new();
            let is_operator = matches!(weakened, Weakened::Operator);
            let presented = KeyDigest::from_bytes(OLD);
            let check = move |world: &World| {
                if !is_operator {
                    return world.check(Fault::None, OLD).is_some();
                }
                if world.cache.find_operator(&presented).is_some() {
                    return true;
                }
                let epoch = world.cache.epoch(&presented);
                let is_in_force = lock(&world.store).values.contains(&OLD);
                if is_in_force {
                    world.cache.remember_operator(epoch, &presented, ID);
                }
                is_in_force
            };
            let caller = start(&world, move |world| {
                for _ in 0..3 {
                    let is_over = world.answered.load(Ordering::SeqCst) == 1;
                    assert!(!check(world) || !is_over, "{PASSED_AFTER}");
                }
            });
            lock(&world.store).values.clear();
            world.cache.forget(&weakened);
            world.answered.store(1, Ordering::SeqCst);
            assert!(!check(&world), "{PASSED_AFTER}");
            caller.join().unwrap();
            assert!(!check(&world), "{PASSED_AFTER}");
        });
    }
}

/// Two callers read one key at once and call it twice each, while it is dropped from memory: its limit is 3.
fn a_window(fault: Fault) {
    let world = World::new();
    let caller = move |world: &World| -> usize {
        let calls = (0..2).filter(|_| {
            let key = world.check(fault, OLD).unwrap();
            let is_counted = key.count(NOW).is_ok();
            world.cache.note_use(NOW, &key);
            is_counted
        });
        calls.count()
    };
    let callers = [start(&world, caller), start(&world, caller)];
    world.cache.forget(&Weakened::Values(vec![OLD]));
    world.flush(true);
    world.cache.sweep(NOW);
    let passed: usize = callers.map(|caller| caller.join().unwrap()).iter().sum();
    assert_eq!(passed, 3, "calls that passed within a limit of 3");
}

#[test]
fn entries_of_one_key_that_are_made_at_once_share_its_window() {
    run_many(|| a_window(Fault::None));
}

/// Uses are collected while others are written, while a writing fails, and while the key is read anew.
#[test]
fn no_use_is_lost_or_counted_twice_while_uses_are_written() {
    run_many(|| {
        let world = World::new();
        let callers = [[1, 4, 6], [2, 3, 5]].map(|times| {
            start(&world, move |world| {
                let wide = RateLimit { limit: 9, ..RATE };
                for ms in times {
                    let key = world.check(Fault::None, OLD).unwrap();
                    assert!(key.usage.count(NOW, wide).is_ok());
                    world.cache.note_use(UnixMillis::from_ms(ms), &key);
                }
            })
        });
        let flusher = start(&world, |world| {
            world.flush(false);
            world.flush(true);
        });
        world.cache.forget(&Weakened::Values(vec![OLD]));
        world.flush(true);
        for caller in callers {
            caller.join().unwrap();
        }
        flusher.join().unwrap();
        world.flush(true);
        assert!(world.cache.take_uses().is_empty());
        let stored = lock(&world.store);
        assert_eq!(stored.uses, 6);
        assert_eq!(stored.last_used_at, UnixMillis::from_ms(6));
        assert_eq!(stored.window.count, 6);
    });
}

#[test]
#[should_panic(expected = "a check passed after the revocation had been answered")]
fn the_model_sees_an_epoch_that_is_read_late() {
    run_many(|| a_revocation(Fault::EpochReadLate));
}

#[test]
#[should_panic(expected = "a check passed after the revocation had been answered")]
fn the_model_sees_a_cache_that_forgets_before_the_commit() {
    run_many(|| a_revocation(Fault::ForgottenBeforeCommit));
}

#[test]
#[should_panic(expected = "a check passed after the revocation had been answered")]
fn the_model_sees_an_answer_that_comes_too_early() {
    run_many(|| a_revocation(Fault::AnsweredBeforeForgotten));
}

#[test]
#[should_panic(expected = "calls that passed within a limit of 3")]
fn the_model_sees_counts_that_are_not_shared() {
    run_many(|| a_window(Fault::UsagesNotShared));
}
