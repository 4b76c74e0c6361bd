//! Trusted time: nothing is gained by setting the clock back, and nobody honest is locked out.
use nexa_core::{ClockReading, TrustedClock, UnixSeconds};

use serde_json::Value;

use crate::schedules;

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;
const START: u64 = 1_795_230_000;

/// How many schedules of each kind the suite runs; `cargo bench -p nexa-benches --bench clock` runs a million.
const SCHEDULES: u64 = 3_000;

fn at(seconds: u64) -> UnixSeconds {
    UnixSeconds::new(seconds).expect("in range")
}

/// A clock that has seen `START` and knows it to be true.
fn started() -> TrustedClock {
    let mut clock = TrustedClock::new();
    clock.observe(at(START), None);
    clock.learn(at(START));
    clock
}

fn trusted(clock: &mut TrustedClock, wall: u64, monotonic_s: Option<u64>) -> u64 {
    clock.observe(at(wall), monotonic_s).trusted.get() - START
}

/// Cases for readers in other languages; another implementation of the rule wrote what is expected.
#[test]
fn every_case_of_the_clock_vectors_agrees() {
    let file: Value = serde_json::from_str(include_str!("../clock-vectors.json")).expect("JSON");
    assert_eq!(file["format"], "nexa clock vectors 1");
    let cases = file["cases"].as_array().expect("a list");
    for case in cases {
        let mut clock = TrustedClock::new();
        for step in case["steps"].as_array().expect("a list") {
            if let Some(wall) = step["wall"].as_u64() {
                let reading = clock.observe(at(wall), step["monotonic"].as_u64());
                assert_eq!(
                    (reading.trusted.get(), reading.stepped_back_s),
                    (
                        step["trusted"].as_u64().expect("seconds"),
                        step["stepped_back"].as_u64().expect("seconds")
                    ),
                    "{case}"
                );
            } else if let Some(signed) = step["signed"].as_u64() {
                clock.learn(at(signed));
            } else {
                assert_eq!(step["restart"], true, "{case}");
                clock = TrustedClock::from_bytes(&clock.to_bytes()).expect("what was written");
            }
        }
        let kept: String = clock
            .to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(case["kept"], kept, "{case}");
    }
    assert_eq!(cases.len(), 28);
}

#[test]
fn a_clock_that_is_set_back_revives_nothing() {
    let revived: Vec<u64> = (0..SCHEDULES)
        .filter(|seed| schedules::is_revived(*seed))
        .collect();
    assert!(revived.is_empty(), "{revived:?}");
}

#[test]
fn unused_days_are_all_that_can_be_regained() {
    for seed in 0..SCHEDULES {
        assert_eq!(schedules::regained_too_much_s(seed), 0, "seed {seed}");
    }
}

#[test]
fn no_honest_clock_locks_anybody_out() {
    for seed in 0..SCHEDULES {
        assert_eq!(schedules::locked_out_s(seed), 0, "seed {seed}");
    }
}

#[test]
fn the_floor_runs_with_the_monotonic_clock() {
    let mut clock = started();
    trusted(&mut clock, START, Some(70));
    assert_eq!(trusted(&mut clock, START, Some(70 + 5 * DAY_S)), 5 * DAY_S);
    // Another run of the program, another monotonic clock.
    let mut clock = TrustedClock::from_bytes(&clock.to_bytes()).expect("what was written");
    assert_eq!(trusted(&mut clock, START, Some(9)), 5 * DAY_S);
    assert_eq!(trusted(&mut clock, START, Some(19)), 5 * DAY_S + 10);
    // It does not go back, whatever is said of it.
    assert_eq!(trusted(&mut clock, START, Some(3)), 5 * DAY_S + 10);
    assert_eq!(trusted(&mut clock, START, None), 5 * DAY_S + 10);
}

#[test]
fn a_clock_ahead_by_years_leaves_48_hours() {
    let mut clock = started();
    for run in 0..50 {
        let wall = START + 10 * 365 * DAY_S + run;
        assert_eq!(
            trusted(&mut clock, wall, None),
            wall - START,
            "while it is ahead"
        );
        clock = TrustedClock::from_bytes(&clock.to_bytes()).expect("what was written");
    }
    assert_eq!(trusted(&mut clock, START + 100, None), 48 * HOUR_S + 49);
    // Again: 48 hours from where it was right.
    trusted(&mut clock, START + 10 * 365 * DAY_S, None);
    assert_eq!(trusted(&mut clock, START + 200, None), 48 * HOUR_S + 100);
    clock.learn(at(START + 3 * DAY_S));
    trusted(&mut clock, START + 3 * DAY_S, None);
    trusted(&mut clock, START + 10 * 365 * DAY_S, None);
    let after = trusted(&mut clock, START + 3 * DAY_S, None);
    assert!(after <= 5 * DAY_S, "{after}");
}

/// A machine whose clock starts wrong every day and is right a minute later.
#[test]
fn wrong_looks_before_the_right_ones_do_not_hold_the_floor() {
    for wrong in [0, 946_684_800, START + 10 * 365 * DAY_S] {
        let mut clock = started();
        for day in 1..=30 {
            clock.observe(at(wrong), None);
            clock = TrustedClock::from_bytes(&clock.to_bytes()).expect("what was written");
            trusted(&mut clock, START + day * DAY_S, None);
        }
        assert!(trusted(&mut clock, START, None) >= 30 * DAY_S, "{wrong}");
    }
}

#[test]
fn newer_signed_times_take_back_what_a_clock_that_was_ahead_has_left() {
    let mut clock = started();
    trusted(&mut clock, START, Some(5));
    trusted(&mut clock, START + 10 * 365 * DAY_S, Some(5));
    let (wall, monotonic_s) = (START + HOUR_S, Some(5 + HOUR_S));
    assert_eq!(trusted(&mut clock, wall, monotonic_s), 49 * HOUR_S);
    // The wall clock agrees.
    clock.learn(at(wall));
    assert_eq!(trusted(&mut clock, wall, monotonic_s), HOUR_S);
    // While it does not, nothing is taken back.
    trusted(&mut clock, START + 10 * 365 * DAY_S, monotonic_s);
    clock.learn(at(wall + 60));
    let back = trusted(&mut clock, wall + 60, monotonic_s);
    assert_eq!(back, 49 * HOUR_S + 60);
}

/// The first run of all, on a machine whose clock is wrong.
#[test]
fn a_program_that_is_first_run_in_2036_is_usable_afterwards() {
    let mut clock = TrustedClock::new();
    clock.observe(at(START + 10 * 365 * DAY_S), None);
    clock.learn(at(START));
    assert_eq!(trusted(&mut clock, START + 60, None), 48 * HOUR_S);
}

#[test]
fn a_signed_time_is_the_least_there_is() {
    let mut clock = started();
    clock.learn(at(START + 9 * DAY_S));
    clock.learn(at(START + 8 * DAY_S));
    assert_eq!(clock.newest_signed(), at(START + 9 * DAY_S));
    assert_eq!(trusted(&mut clock, START + 60, None), 9 * DAY_S);
    let kept = TrustedClock::from_bytes(&clock.to_bytes()).expect("what was written");
    assert_eq!(kept.newest_signed(), at(START + 9 * DAY_S));
}

#[test]
fn a_reading_says_what_is_odd() {
    let mut clock = started();
    let reading = |clock: &mut TrustedClock, wall| {
        let ClockReading {
            stepped_back_s,
            ahead_s,
            ..
        } = clock.observe(at(wall), None);
        (stepped_back_s, ahead_s)
    };
    assert_eq!(reading(&mut clock, START + 60), (0, 60));
    assert_eq!(reading(&mut clock, START), (60, 0));
    assert_eq!(
        reading(&mut clock, START + 400 * DAY_S),
        (0, 400 * DAY_S - 60)
    );
    assert_eq!(reading(&mut TrustedClock::new(), START), (0, 0));
}

#[test]
fn what_no_clock_has_written_is_refused() {
    let bytes = started().to_bytes();
    assert_eq!(
        TrustedClock::from_bytes(&bytes).map(|clock| clock.to_bytes()),
        Some(bytes)
    );
    for (place, byte) in [(0, 0x20), (8, 0xff), (16, 0x40), (24, 1), (29, 3)] {
        let mut changed = bytes;
        changed[place] = byte;
        assert_eq!(TrustedClock::from_bytes(&changed), None, "{place}");
    }
}

/// The largest numbers overflow nowhere.
#[test]
fn the_end_of_time_is_reached_without_harm() {
    let mut clock = TrustedClock::new();
    for wall in [0, 1, UnixSeconds::MAX.get(), 0, UnixSeconds::MAX.get()] {
        for monotonic_s in [None, Some(0), Some(u64::MAX), Some(1)] {
            clock.observe(at(wall), monotonic_s);
            clock.learn(UnixSeconds::MAX);
        }
    }
    assert_eq!(clock.observe(at(0), None).trusted, UnixSeconds::MAX);
}
