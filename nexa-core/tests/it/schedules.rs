//! Schedules of clocks, drawn by chance from a seed: what they do to trusted time. A bench runs a million of each.
use nexa_core::{TrustedClock, UnixSeconds};
use rand_core::Rng;

use super::seeded::Seeded;

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;
/// When the licence of every schedule was issued.
const ISSUED_AT: u64 = 1_795_230_000;
/// How far an honest wall clock is off without being wrong: time zones of two systems on one machine.
const ZONES_S: u64 = 14 * HOUR_S;
/// How far the floor runs ahead on a wrong clock's word.
const AHEAD_S: u64 = 48 * HOUR_S;

struct Machine {
    rng: Seeded,
    clock: TrustedClock,
    /// This run's monotonic clock, where the program has one.
    monotonic_s: Option<u64>,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let mut machine = Self {
            rng: Seeded::new(seed),
            clock: TrustedClock::new(),
            monotonic_s: None,
        };
        machine.start();
        machine
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn is_one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// The program starts: it has what it kept, and perhaps a monotonic clock that begins anywhere.
    fn start(&mut self) {
        let kept = self.clock.to_bytes();
        self.clock = TrustedClock::from_bytes(&kept).expect("what was written");
        self.monotonic_s = match self.is_one_in(4) {
            true => None,
            false => Some(self.below(DAY_S)),
        };
    }

    fn pass(&mut self, seconds: u64) {
        self.monotonic_s = self.monotonic_s.map(|now| now + seconds);
    }

    /// Looks at the clocks, as a check of the licence does, and answers the trusted time.
    fn check(&mut self, wall: u64) -> u64 {
        let reading = self.clock.observe(seconds(wall), self.monotonic_s);
        self.clock.learn(seconds(ISSUED_AT));
        assert_eq!(reading.stepped_back_s, reading.trusted.get() - wall);
        reading.trusted.get()
    }

    /// The wall clock is wrong for one look, and then right again.
    fn look_at_a_wrong_clock(&mut self, right: u64) {
        let wrong = match self.below(6) {
            0 => self.below(3),
            1 => 946_684_800 + self.below(DAY_S),
            2 => right + 10 * 365 * DAY_S,
            3 => right + AHEAD_S + self.below(40 * DAY_S),
            4 => right - self.below(60 * DAY_S),
            _ => right + self.below(AHEAD_S),
        };
        self.check(wrong);
        if self.is_one_in(2) {
            self.start();
        }
    }
}

fn seconds(value: u64) -> UnixSeconds {
    UnixSeconds::new(value).expect("in range")
}

/// A program that is used at least every 47 hours until its licence has expired, with looks at wrong clocks in between; then
/// everything that its user can do to clocks. Whether the licence was ever valid again.
pub(crate) fn is_revived(seed: u64) -> bool {
    let mut machine = Machine::new(seed);
    let expires_at = ISSUED_AT + DAY_S + machine.below(60 * DAY_S);
    let mut wall = ISSUED_AT + machine.below(47 * HOUR_S);
    if machine.is_one_in(4) {
        machine.look_at_a_wrong_clock(wall);
    }
    // Until the right clock shows it: on a wrong one's word alone it expires for a while at most.
    loop {
        machine.check(wall);
        if wall >= expires_at {
            break;
        }
        for _ in 0..machine.below(3) {
            machine.look_at_a_wrong_clock(wall);
        }
        let passed = machine.below(12 * HOUR_S);
        machine.pass(passed);
        wall += passed;
        match machine.below(8) {
            // Off for a while.
            0..=3 => {
                wall += machine.below(47 * HOUR_S - passed);
                machine.start();
            }
            4 => machine.start(),
            5 | 6 => wall += machine.below(47 * HOUR_S - passed),
            _ => {}
        }
    }
    for _ in 0..40 {
        wall = match machine.below(4) {
            0 => ISSUED_AT - DAY_S + machine.below(expires_at - ISSUED_AT),
            1 => wall.saturating_sub(machine.below(400 * DAY_S)).max(1),
            2 => wall + machine.below(400 * DAY_S),
            _ => wall + machine.below(HOUR_S),
        };
        match machine.below(3) {
            0 => machine.start(),
            // A monotonic clock that is none.
            1 => machine.monotonic_s = Some(machine.rng.next_u64() >> 20),
            _ => {}
        }
        if machine.is_one_in(5) {
            let old = ISSUED_AT + machine.below(expires_at - ISSUED_AT);
            machine.clock.learn(seconds(old));
        }
        if machine.check(wall) < expires_at {
            return true;
        }
    }
    false
}

/// A program that was not used for so long, and whose licence expired meanwhile; then its clock is set back. By how much
/// more than the unused time, less 48 hours, the licence was valid again, in seconds: 0 is the promise.
pub(crate) fn regained_too_much_s(seed: u64) -> u64 {
    let mut machine = Machine::new(seed);
    let first = ISSUED_AT + machine.below(47 * HOUR_S);
    machine.check(first);
    let unused_s = AHEAD_S + 1 + machine.below(300 * DAY_S);
    machine.start();
    let after = first + unused_s;
    machine.check(after);
    let expires_at = first + 1 + machine.below(unused_s);
    machine.start();
    let set_back = ISSUED_AT + machine.below(after - ISSUED_AT);
    let trusted = machine.check(set_back);
    let regained_s = expires_at.saturating_sub(trusted);
    regained_s.saturating_sub(unused_s - AHEAD_S)
}

/// An honest machine: small corrections, daylight saving, two systems with different zones, sleep that stops the monotonic
/// clock or not, weeks without power, newer signed times, and up to three times a clock that is ahead by days to years, in many
/// runs of the program. By how much, in seconds, trusted time was ever further ahead of the truth than the promise allows while
/// the wall clock was right: 0 is the promise.
pub(crate) fn locked_out_s(seed: u64) -> u64 {
    let mut machine = Machine::new(seed);
    let zone_s = machine.below(2 * ZONES_S + 1);
    let (mut truth, mut offset_s) = (ISSUED_AT + machine.below(20 * DAY_S), ZONES_S);
    let mut far_s = 2 * DAY_S + machine.below(20 * 365 * DAY_S);
    let (mut jump_at, mut runs_ahead) = (machine.below(60), 1 + machine.below(12));
    let (mut jumps, mut worst_s) = (0, 0);
    for step in 0..80 {
        match machine.below(6) {
            0 => {
                let asleep = machine.below(3 * DAY_S);
                truth += asleep;
                if machine.is_one_in(2) {
                    machine.pass(asleep);
                }
            }
            1 => {
                truth += machine.below(30 * DAY_S);
                machine.start();
            }
            2 => machine.start(),
            3 => offset_s = if offset_s == ZONES_S { zone_s } else { ZONES_S },
            _ => {}
        }
        let passed = machine.below(3 * HOUR_S);
        machine.pass(passed);
        truth += passed;
        // Corrections of the network's time.
        let wobble = machine.below(5);
        let wall = truth + offset_s + wobble - ZONES_S - 2;
        if step >= jump_at && jumps < 3 {
            machine.check(wall + far_s);
            runs_ahead -= 1;
            if runs_ahead == 0 {
                jumps += 1;
                jump_at = step + 1 + machine.below(20);
                runs_ahead = 1 + machine.below(12);
                far_s = 2 * DAY_S + machine.below(20 * 365 * DAY_S);
            }
            if machine.is_one_in(2) {
                machine.start();
            }
        } else {
            let ahead_s = machine.check(wall).saturating_sub(truth);
            if machine.is_one_in(4) {
                machine.clock.learn(seconds(truth));
            }
            let allowed_s = match jumps {
                0 => ZONES_S,
                // The zone may have changed once each time that the clock was ahead.
                jumps => ZONES_S + AHEAD_S + 2 * ZONES_S * jumps,
            };
            worst_s = worst_s.max(ahead_s.saturating_sub(allowed_s + 2));
        }
    }
    worst_s
}
