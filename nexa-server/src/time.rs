//! The server's one notion of an instant: Unix milliseconds, RFC 3339 on the wire.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Span};
use nexa_core::UnixSeconds;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// The wire shows milliseconds and cursors (`before`, `since`) need them; tokens carry whole
/// seconds, see [`UnixMillis::seconds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UnixMillis(i64);

impl UnixMillis {
    /// Takes milliseconds since the epoch as they are.
    pub(crate) const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    pub(crate) const fn ms(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, for ids; instants before it count as zero.
    pub(crate) fn unsigned_ms(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// Whole seconds since the epoch, rounded down: what tokens carry.
    pub(crate) fn seconds(self) -> UnixSeconds {
        let seconds = u64::try_from(self.0.div_euclid(1000)).unwrap_or(0);
        UnixSeconds::new(seconds).unwrap_or(UnixSeconds::MAX)
    }

    /// The instant `seconds` later, saturating at the ends of time.
    pub(crate) const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The day of UTC that it lies in, counted from 1970-01-01.
    pub(crate) const fn day(self) -> i64 {
        self.0.div_euclid(MS_A_DAY)
    }

    /// The beginning of a day of UTC that is counted from 1970-01-01.
    pub(crate) const fn of_day(day: i64) -> Self {
        Self(day.saturating_mul(MS_A_DAY))
    }

    /// The same time of day so many months later, on the last day of a month that has no such day.
    pub(crate) fn plus_months(self, months: u32) -> Self {
        let since_epoch = SignedDuration::from_millis(self.0.clamp(EARLIEST_MS, LATEST_MS));
        let later = EPOCH.checked_add(since_epoch).and_then(|then| {
            let months = Span::new().try_months(months)?;
            then.checked_add(months)
        });
        later.map_or(Self(LATEST_MS), |later| {
            let since_epoch = later.duration_since(EPOCH).as_millis();
            Self(i64::try_from(since_epoch).unwrap_or(LATEST_MS))
        })
    }

    /// RFC 3339 in UTC with milliseconds: `2024-01-15T10:30:00.000Z`; instants beyond what that can say count as
    /// its first or last one.
    pub(crate) fn to_rfc3339(self) -> String {
        let since_epoch = SignedDuration::from_millis(self.0.clamp(EARLIEST_MS, LATEST_MS));
        let shown = EPOCH
            .checked_add(since_epoch)
            .expect("both ends and all between are in range");
        format!("{shown:.3}Z")
    }
}

const MS_A_DAY: i64 = 86_400_000;
impl UnixMillis {
    /// As people read it in a letter, to the minute: `2024-01-15 10:30 UTC`.
    pub(crate) fn to_minute(self) -> String {
        let text = self.to_rfc3339();
        let minute = text.get(..16).unwrap_or(&text);
        format!("{} UTC", minute.replace('T', " "))
    }
}

/// The start of year 0, the first instant that RFC 3339 can write in UTC.
const EARLIEST_MS: i64 = -62_167_219_200_000;
/// The end of year 9999, the last one.
const LATEST_MS: i64 = 253_402_300_799_999;

/// Why a text is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeProblem {
    /// Not a date-time of RFC 3339.
    #[error("must be an RFC 3339 timestamp")]
    NotRfc3339,
    /// A blank where the sign of the offset belongs: a plus sign that a query string has turned into one.
    #[error("must be an RFC 3339 timestamp; in a URL the + of its offset is written %2B")]
    UnescapedPlus,
    /// An instant that its zone puts before or behind all that can be written in UTC.
    #[error("must lie in the years 0000 to 9999 of UTC")]
    OutOfRange,
}

/// RFC 3339 §5.6, the whole of it and nothing else: `2024-01-15T11:30:00.5+01:00`.
///
/// `t` and a blank stand for `T`, `z` for `Z`; what is finer than milliseconds is cut; a leap second counts as the
/// second before it. What no text in UTC can say is refused, since it could not be shown again.
impl FromStr for UnixMillis {
    type Err = TimeProblem;

    fn from_str(text: &str) -> Result<Self, TimeProblem> {
        let (local, zone) = Local::read(text.as_bytes()).ok_or(TimeProblem::NotRfc3339)?;
        let offset_minutes = match zone {
            b"Z" | b"z" => Some(0),
            [b'+', offset @ ..] => minutes(offset),
            [b'-', offset @ ..] => minutes(offset).map(|minutes| -minutes),
            [b' ', offset @ ..] if minutes(offset).is_some() => {
                return Err(TimeProblem::UnescapedPlus);
            }
            _ => None,
        };
        let ms = local.ms - offset_minutes.ok_or(TimeProblem::NotRfc3339)? * 60_000;
        let is_last_of_day = ms.div_euclid(1000).rem_euclid(86_400) == 86_399;
        if local.is_leap_second && !is_last_of_day {
            return Err(TimeProblem::NotRfc3339);
        }
        match ms {
            EARLIEST_MS..=LATEST_MS => Ok(Self(ms)),
            _ => Err(TimeProblem::OutOfRange),
        }
    }
}

/// What stands before the zone.
struct Local {
    /// Milliseconds since 1970-01-01T00:00:00 of the same zone.
    ms: i64,
    is_leap_second: bool,
}

impl Local {
    /// The date and time, and the bytes that follow them.
    fn read(text: &[u8]) -> Option<(Self, &[u8])> {
        let (date_time, rest) = text.split_at_checked(19)?;
        #[rustfmt::skip]
        let &[
            y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T' | b't' | b' ',
            h1, h2, b':', m1, m2, b':', s1, s2,
        ] = date_time else {
            return None;
        };
        let (fraction_ms, zone) = match rest {
            [b'.', rest @ ..] => fraction_ms(rest)?,
            zone => (0, zone),
        };
        let second = number(&[s1, s2])?;
        let is_leap_second = second == 60;
        let whole = DateTime::new(
            number(&[y1, y2, y3, y4])?,
            i8::try_from(number(&[o1, o2])?).ok()?,
            i8::try_from(number(&[d1, d2])?).ok()?,
            i8::try_from(number(&[h1, h2])?).ok()?,
            i8::try_from(number(&[m1, m2])?).ok()?,
            i8::try_from(if is_leap_second { 59 } else { second }).ok()?,
            0,
        );
        let since_epoch = whole.ok()?.duration_since(EPOCH);
        let local = Self {
            ms: since_epoch.as_secs() * 1000 + i64::from(fraction_ms),
            is_leap_second,
        };
        Some((local, zone))
    }
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The first three of one or more digits, and the bytes that follow them all.
fn fraction_ms(text: &[u8]) -> Option<(i16, &[u8])> {
    let end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(end).filter(|_| end > 0)?;
    let padded: Vec<u8> = digits.iter().chain(b"00").copied().take(3).collect();
    Some((number(&padded)?, rest))
}

/// `hh:mm` as minutes, up to 23:59.
fn minutes(text: &[u8]) -> Option<i64> {
    let &[h1, h2, b':', m1, m2] = text else {
        return None;
    };
    let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
    (hours < 24 && minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))
}

/// Up to four decimal digits.
fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0, |number: i16, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number
            .checked_mul(10)?
            .checked_add(i16::try_from(digit).ok()?)
    })
}

impl From<UnixSeconds> for UnixMillis {
    fn from(seconds: UnixSeconds) -> Self {
        Self(
            i64::try_from(seconds.get())
                .unwrap_or(i64::MAX)
                .saturating_mul(1000),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_has_milliseconds_and_reads_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_705_314_600_000, "2024-01-15T10:30:00.000Z"),
            (1_705_314_600_007, "2024-01-15T10:30:00.007Z"),
        ] {
            assert_eq!(UnixMillis::from_ms(ms).to_rfc3339(), text);
            assert_eq!(text.parse(), Ok(UnixMillis::from_ms(ms)));
        }
        for (ms, text) in [
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
            (EARLIEST_MS, "0000-01-01T00:00:00.000Z"),
            (LATEST_MS, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(UnixMillis::from_ms(ms).to_rfc3339(), text);
            assert_eq!(
                text.parse(),
                Ok(UnixMillis::from_ms(ms.clamp(EARLIEST_MS, LATEST_MS)))
            );
        }
    }

    #[test]
    fn letters_show_minutes() {
        for (ms, text) in [
            (1_705_314_659_999, "2024-01-15 10:30 UTC"),
            (i64::MIN, "0000-01-01 00:00 UTC"),
            (i64::MAX, "9999-12-31 23:59 UTC"),
        ] {
            assert_eq!(UnixMillis::from_ms(ms).to_minute(), text);
        }
    }

    #[test]
    fn every_form_of_rfc_3339_is_read() -> Result<(), TimeProblem> {
        const MORNING: i64 = 1_705_314_600_000;
        for (text, ms) in [
            ("2024-01-15T10:30:00Z", MORNING),
            ("2024-01-15t10:30:00z", MORNING),
            ("2024-01-15 10:30:00Z", MORNING),
            ("2024-01-15T11:30:00+01:00", MORNING),
            ("2024-01-15T10:15:00-00:15", MORNING),
            ("2024-01-15T10:30:00-00:00", MORNING),
            ("2024-01-16T10:29:00+23:59", MORNING),
            ("2024-01-15T10:30:00.5Z", MORNING + 500),
            ("2024-01-15T10:30:00.0079999999999Z", MORNING + 7),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("2017-01-01T00:59:60.25+01:00", 1_483_228_799_250),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("9999-12-31T23:59:59Z", LATEST_MS - 999),
            ("9999-12-31T23:59:59.9999+00:00", LATEST_MS),
            ("0000-01-01T23:59:00+23:59", EARLIEST_MS),
        ] {
            assert_eq!(text.parse::<UnixMillis>()?.ms(), ms, "{text}");
        }
        Ok(())
    }

    #[test]
    fn nothing_else_is_read() {
        for text in [
            "",
            "yesterday",
            "20990101T00Z",
            "20990101T000000Z",
            "2099-01-01",
            "2099-01-01T00Z",
            "2099-01-01T00:00Z",
            "2099-01-01T00:00:00",
            "2099-01-01T00:00:00Z[Europe/Berlin]",
            "2099-01-01T00:00:00+01:00[Europe/Berlin]",
            "2099-01-01T00:00:00 Z",
            "2099-01-01T00:00:00Z ",
            " 2099-01-01T00:00:00Z",
            "2099-01-01_00:00:00Z",
            "2099-01-01T00:00:00.Z",
            "2099-01-01T00:00:00.5",
            "2099-01-01T00:00:00,5Z",
            "2099-01-01T00:00:00+0100",
            "2099-01-01T00:00:00+01",
            "2099-01-01T00:00:00+01:00:00",
            "2099-01-01T00:00:00+24:00",
            "2099-01-01T00:00:00+00:60",
            "2099-01-01T00:00:00++1:00",
            "2099-01-01T00:00:00\u{2212}01:00",
            "2099-13-01T00:00:00Z",
            "2099-02-29T00:00:00Z",
            "2099-01-00T00:00:00Z",
            "2099-01-01T24:00:00Z",
            "2099-01-01T00:60:00Z",
            "2099-01-01T00:00:61Z",
            "2099-01-01T12:00:60Z",
            "+2099-01-01T00:00:00Z",
            "-009999-01-02T01:59:59Z",
            "209a-01-01T00:00:00Z",
            "2099-01-01T+1:00:00Z",
            "2099-01-01T00:00:00 1:00",
        ] {
            assert_eq!(
                text.parse::<UnixMillis>(),
                Err(TimeProblem::NotRfc3339),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_utc_cannot_write_is_refused() {
        for text in [
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T00:01:00-23:59",
            "0000-01-01T00:00:00+00:01",
        ] {
            let problem = text.parse::<UnixMillis>();
            assert_eq!(problem, Err(TimeProblem::OutOfRange), "{text}");
        }
    }

    #[test]
    fn a_plus_sign_that_became_a_blank_is_named() {
        for text in ["2024-01-15T11:30:00 01:00", "2024-01-15 11:30:00.5 01:00"] {
            let problem = text.parse::<UnixMillis>();
            assert_eq!(problem, Err(TimeProblem::UnescapedPlus), "{text}");
            assert!(TimeProblem::UnescapedPlus.to_string().contains("%2B"));
        }
    }
}
