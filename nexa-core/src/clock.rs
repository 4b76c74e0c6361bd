//! Trusted time: the best that a program without a network knows of the time.
//!
//! Three things bound the time from below: the wall clock, the newest signed time that was ever verified, and the *floor*, a
//! local time that is kept. The floor is what setting the clock back has to overcome, and what must never lock an honest user
//! out. So it follows the wall clock only as far as that is plausible:
//!
//! - It begins with the first signed time: at the wall clock, if that is up to 48 hours later, else 48 hours after it.
//! - While a program runs, the floor runs along with its monotonic clock.
//! - A wall clock that went on by up to 48 hours since it was looked at last is plausible: the machine was off, or asleep. The
//!   floor goes on by as much, but never past the wall clock. Progress counts from the furthest that the wall clock has shown,
//!   until it goes back by more than 48 hours: a clock that goes back and forth between two systems on one machine does not
//!   drive the floor.
//! - A wall clock that went on by more may be wrong. The floor follows by 48 hours in all, until a newer signed time is
//!   learnt; from there on it goes on with the wall clock's own progress. So a clock that was ahead by years for a while, in
//!   however many runs of the program, leaves the floor ahead by 48 hours at most, and by the difference of two time zones
//!   where they change meanwhile.
//!
//! What this cannot tell apart: somebody who did not use the program for a month and then sets the clock back over that month,
//! from somebody whose clock was wrong by a month for an hour. The first regains the days that were not used, less 48 hours.
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
    /// The newest local time that is certain enough.
    floor: u64,
    /// The furthest that the wall clock has shown since it last went back by more than 48 hours.
    furthest: u64,
    /// The newest signed time.
    signed: u64,
    /// How far the floor may still run ahead on the word of a wall clock that went on too far.
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
        // The first look of all says nothing yet: there is nothing to compare it with.
        if self.furthest > 0 {
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
            self.floor = self.floor.max(self.furthest.min(plausible));
            self.credit_s = match self.furthest <= plausible {
                true => PLAUSIBLE_S,
                false => 0,
            };
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
        let certain = bounded(self.floor.saturating_add(ran_s)).get();
        let plausible = if progress_s <= PLAUSIBLE_S.saturating_add(ran_s) {
            self.floor.saturating_add(progress_s)
        } else {
            let target = certain.saturating_add(self.credit_s).min(wall);
            self.credit_s -= target.saturating_sub(certain).min(self.credit_s);
            target
        };
        self.floor = certain.max(plausible.min(wall));
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
