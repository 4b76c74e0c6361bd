//! Trusted time: the best that a program without a network knows of the time.
//!
//! Three things bound the time from below: the wall clock, the newest signed time that was ever verified, and the *floor*, a
//! local time that is kept. The floor is what setting the clock back has to overcome, and what must never lock an honest user
//! out. So it follows the wall clock only as far as that is plausible. Part of it may be on credit, up to 48 hours; the rest is
//! the *base*, and everything is plausible by its distance from that:
//!
//! - Both begin with the first signed time: at the furthest that the wall clock has shown, if that is up to 48 hours later,
//!   else at the signed time, and the floor 48 hours after it. No newer signed time leaves either behind it.
//! - While a program runs, both run along with its monotonic clock.
//! - A wall clock that is up to 48 hours ahead of the base is plausible, whatever it has shown in between: the machine was
//!   off, or asleep. The base comes up to it, and the credit that this covers is free again.
//! - One that is further ahead, and went on by up to 48 hours since it was looked at last, moves both on by as much. Progress
//!   counts from the furthest that the wall clock has shown, until it goes back by more than 48 hours.
//! - One that is further ahead, and went on by more, may be wrong. The floor goes up to 48 hours ahead of the base, and no
//!   further. So a clock that was ahead by years, however often, leaves the floor ahead by 48 hours at most, and by the
//!   difference of two time zones for each time that they change meanwhile.
//! - A newer signed time with which the wall clock agrees (it is up to 48 hours later) shows that the wall clock is right: what
//!   the floor had on credit is taken back.
//!
//! What this cannot tell apart: somebody who did not use the program for a month and then sets the clock back over that month,
//! from somebody whose clock was wrong by a month for an hour. The first regains the days that were not used, less 48 hours; all
//! of them with a newer signed document that was held back. A machine that is off for more than 48 hours again and again, and
//! learns no newer signed time, adds such days up: switched off for 62 hours each weekend, it is 32 days behind after 90.
//!
//! A signature is evidence of time by design: what an issuer signs while its own clock is ahead takes its clients there, until
//! that time has come. No newer document lowers it.
use crate::time::UnixSeconds;

/// How far the wall clock may go on between two looks at it, and how far the floor may run ahead on the wall clock's word
/// alone; in seconds.
const PLAUSIBLE_S: u64 = 48 * 3_600;

/// The time, as far as it can be known without asking anybody.
///
/// Ask it with every look at the clock, tell it every signed time that was verified, and keep it: without being kept it
/// forgets, and a clock that was set back goes unnoticed.
///
/// ```
/// use nexa_core::{TrustedClock, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let noon = UnixSeconds::parse_rfc3339("2026-11-21T12:00:00Z").ok_or("not a time")?;
/// let mut clock = TrustedClock::new();
/// clock.observe(noon, None);
/// clock.learn(noon); // a licence that was signed just now
///
/// // The next morning the wall clock shows noon of the day before.
/// let mut clock = TrustedClock::from_bytes(&clock.to_bytes()).ok_or("not a clock")?;
/// let day_before = UnixSeconds::parse_rfc3339("2026-11-20T12:00:00Z").ok_or("not a time")?;
/// let reading = clock.observe(day_before, None);
/// assert_eq!(reading.trusted, noon);
/// assert_eq!(reading.stepped_back_s, 86_400);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedClock {
    /// The newest local time that is certain enough: the base, and what is on credit.
    floor: u64,
    /// The furthest that the wall clock has shown since it last went back by more than 48 hours.
    furthest: u64,
    /// The newest signed time.
    signed: u64,
    /// What is left of the 48 hours by which the floor may be ahead of the base.
    credit_s: u64,
    /// The monotonic clock when it was looked at last, in this run of the program.
    monotonic_s: Option<u64>,
}

/// What one look at the clocks said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The time to check licences at.
    pub trusted: UnixSeconds,
    /// How far the wall clock is behind that, in seconds; 0 where it is not.
    pub stepped_back_s: u64,
    /// How far the wall clock is ahead of everything else that is known, in seconds; 0 where it is not. Above 48 hours it may
    /// be wrong, or the program was not used for that long.
    pub ahead_s: u64,
}

impl TrustedClock {
    /// The bytes of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = 4 * 8;

    /// A clock that has seen nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            floor: 0,
            furthest: 0,
            signed: 0,
            credit_s: PLAUSIBLE_S,
            monotonic_s: None,
        }
    }

    /// Takes a look: at the wall clock, and at a clock that only goes forward and began anywhere (`Instant` in Rust), if
    /// there is one.
    pub fn observe(&mut self, wall: UnixSeconds, monotonic_s: Option<u64>) -> ClockReading {
        let wall = wall.get();
        let before = self.evidence();
        let ran_s = match (self.monotonic_s, monotonic_s) {
            (Some(last), Some(now)) => now.saturating_sub(last),
            (None, _) | (_, None) => 0,
        };
        self.monotonic_s = monotonic_s.or(self.monotonic_s);
        // Until something signed is known there is nothing to measure the wall clock by.
        if self.signed > 0 {
            self.follow(wall, ran_s);
        }
        if wall >= self.furthest || self.furthest - wall > PLAUSIBLE_S {
            self.furthest = wall;
        }
        let trusted = self.evidence().max(wall);
        ClockReading {
            trusted: bounded(trusted),
            stepped_back_s: trusted - wall,
            ahead_s: match before {
                0 => 0,
                before => wall.saturating_sub(before.saturating_add(ran_s)),
            },
        }
    }

    /// Learns a signed time that was verified: when a licence, a key set or a status shard was signed. What was signed at a
    /// time shows that it has come.
    pub fn learn(&mut self, signed: UnixSeconds) {
        let signed = signed.get();
        if signed > self.signed {
            self.signed = signed;
            let plausible = signed.saturating_add(PLAUSIBLE_S);
            let is_plausible = self.furthest <= plausible;
            let shown = if is_plausible { self.furthest } else { 0 };
            let base = self.base().max(signed).max(shown);
            let floor = if !is_plausible {
                self.floor.max(plausible)
            } else if self.furthest >= signed {
                base
            } else {
                self.floor
            };
            self.set(base, floor);
        }
    }

    /// The newest signed time that was learnt; the epoch if none was.
    #[must_use]
    pub const fn newest_signed(&self) -> UnixSeconds {
        bounded(self.signed)
    }

    /// What is to be kept, big-endian: floor, furthest wall clock, newest signed time, credit.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [self.floor, self.furthest, self.signed, self.credit_s];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    /// Reads what was kept; `None` for what no clock has written. The monotonic clock begins anew.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut fields = bytes
            .chunks_exact(8)
            .filter_map(|field| <[u8; 8]>::try_from(field).ok())
            .map(u64::from_be_bytes);
        let mut time = || fields.next().filter(|time| *time <= UnixSeconds::MAX.get());
        let (floor, furthest, signed, credit_s) = (time()?, time()?, time()?, time()?);
        (credit_s <= PLAUSIBLE_S).then_some(Self {
            floor,
            furthest,
            signed,
            credit_s,
            monotonic_s: None,
        })
    }

    /// Moves the floor: the wall clock shows `wall`, and `ran_s` have passed for certain.
    fn follow(&mut self, wall: u64, ran_s: u64) {
        let progress_s = wall.saturating_sub(self.furthest);
        let base = self.base().saturating_add(ran_s);
        let floor = self.floor.saturating_add(ran_s);
        let plausible = base.saturating_add(PLAUSIBLE_S);
        if wall <= plausible {
            self.set(base.max(wall), floor);
        } else if progress_s <= PLAUSIBLE_S.saturating_add(ran_s) {
            let more_s = progress_s.saturating_sub(ran_s).min(wall - plausible);
            self.set(base.saturating_add(more_s), floor.saturating_add(more_s));
        } else {
            self.set(base, plausible);
        }
    }

    /// The floor without what is on credit.
    const fn base(&self) -> u64 {
        self.floor.saturating_sub(PLAUSIBLE_S - self.credit_s)
    }

    /// Sets both; a floor behind the base comes up to it.
    fn set(&mut self, base: u64, floor: u64) {
        let base = bounded(base).get();
        self.floor = bounded(floor).get().max(base);
        self.credit_s = PLAUSIBLE_S.saturating_sub(self.floor - base);
    }

    /// The time that has come for certain enough, whatever the wall clock shows.
    fn evidence(&self) -> u64 {
        self.floor.max(self.signed)
    }
}

impl Default for TrustedClock {
    fn default() -> Self {
        Self::new()
    }
}

const fn bounded(seconds: u64) -> UnixSeconds {
    match UnixSeconds::new(seconds) {
        Some(seconds) => seconds,
        None => UnixSeconds::MAX,
    }
}
