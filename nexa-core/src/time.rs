//! Points in time as whole seconds since 1970-01-01T00:00:00Z, always passed in, never read from a clock.

/// A point in time: whole seconds since the Unix epoch, below 2^53.
///
/// The bound is RFC 8259 §6's interoperable integer range, so every reader of a token sees the same
/// number. Around the year 285 million the range ends.
///
/// ```
/// use nexa_core::UnixSeconds;
///
/// # fn main() -> Result<(), &'static str> {
/// let start = UnixSeconds::parse_rfc3339("2026-11-21T03:00:00Z").ok_or("not a time")?;
/// let end = start.plus(3_600).ok_or("out of range")?;
/// assert_eq!(end.since(start), Some(3_600));
/// assert_eq!(start.since(end), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(u64);

impl UnixSeconds {
    /// The last representable second, 2^53 − 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Takes a number of seconds; `None` from 2^53 on.
    #[must_use]
    pub const fn new(seconds: u64) -> Option<Self> {
        if seconds <= Self::MAX.0 {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// The number of seconds since the Unix epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The point `seconds` later; `None` when that is out of range.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Option<Self> {
        match self.0.checked_add(seconds) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The seconds that passed since `earlier`; `None` when `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }

    /// Reads an RFC 3339 §5.6 timestamp (upper-case `T` and `Z`, or a numeric offset).
    ///
    /// A fraction of a second is checked and cut off. `None` for anything else: other separators, days that
    /// do not exist, leap seconds, times before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date_time, rest) = text.as_bytes().split_first_chunk::<19>()?;
        let [
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
        ] = *date_time
        else {
            return None;
        };
        let year = number([y1, y2])? * 100 + number([y3, y4])?;
        let (month, day) = (number([m1, m2])?, number([d1, d2])?);
        let (hour, minute, second) = (number([h1, h2])?, number([n1, n2])?, number([s1, s2])?);
        if day == 0 || day > days_in_month(year, month)? || hour > 23 || minute > 59 || second > 59
        {
            return None;
        }
        let local =
            days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Self::new(u64::try_from(local - offset_seconds(rest)?).ok()?)
    }
}

/// What follows the seconds: an optional fraction, then `Z` or `±hh:mm`, as seconds east of UTC.
fn offset_seconds(rest: &[u8]) -> Option<i64> {
    let zone = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            fraction.get(digits..)?
        }
        _ => rest,
    };
    match *zone {
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number([h1, h2])?, number([m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            Some(if sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn number(digits: [u8; 2]) -> Option<i64> {
    let [tens, units] = digits.map(|b| b.is_ascii_digit().then(|| i64::from(b - b'0')));
    Some(tens? * 10 + units?)
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days between 1970-01-01 and a date of the proleptic Gregorian calendar. Years are counted from March,
/// so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_to_year =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_to_month = (month * 153 + 2) / 5;
    days_to_year + days_to_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_closed() {
        assert_eq!(UnixSeconds::new(1 << 53), None);
        assert_eq!(UnixSeconds::new((1 << 53) - 1), Some(UnixSeconds::MAX));
        assert_eq!(UnixSeconds::MAX.plus(1), None);
        assert_eq!(UnixSeconds::MAX.plus(u64::MAX), None);
        assert_eq!(UnixSeconds::MAX.plus(0), Some(UnixSeconds::MAX));
    }

    #[test]
    fn timestamps_that_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.999999999999Z", 0),
            ("1970-03-01T00:00:00Z", 5_097_600),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-21T03:00:00.123Z", 1_795_230_000),
            ("2026-11-21T05:30:00+02:30", 1_795_230_000),
            ("2026-11-20T23:00:00-04:00", 1_795_230_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(
                UnixSeconds::parse_rfc3339(text).map(UnixSeconds::get),
                Some(seconds),
                "{text}"
            );
        }
    }

    #[test]
    fn timestamps_that_are_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T03:00:00",
            "2026-11-21t03:00:00Z",
            "2026-11-21 03:00:00Z",
            "2026-11-21T03:00:00z",
            "2026-11-21T03:00:00.Z",
            "2026-11-21T03:00:00Z ",
            " 2026-11-21T03:00:00Z",
            "2026-11-21T03:00:00,5Z",
            "2026-11-21T03:00:00+0200",
            "2026-11-21T03:00:00+24:00",
            "2026-11-21T24:00:00Z",
            "2026-11-21T03:60:00Z",
            "2026-06-30T23:59:60Z",
            "2026-00-21T03:00:00Z",
            "2026-13-21T03:00:00Z",
            "2026-11-00T03:00:00Z",
            "2026-11-31T03:00:00Z",
            "2026-02-29T03:00:00Z",
            "2100-02-29T03:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "+026-11-21T03:00:00Z",
            "2026-1١-21T03:00:00Z",
        ] {
            assert_eq!(UnixSeconds::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut expected = days_from_civil(1970, 1, 1);
        assert_eq!(expected, 0);
        for year in 1970..2500 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month).unwrap() {
                    assert_eq!(days_from_civil(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }
}
