//! The server's one notion of an instant: Unix milliseconds, RFC 3339 on the wire.

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

    /// RFC 3339 in UTC with milliseconds: `2024-01-15T10:30:00.000Z`.
    pub(crate) fn to_rfc3339(self) -> String {
        let beyond = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        let timestamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(beyond);
        format!("{timestamp:.3}")
    }

    /// Reads any RFC 3339 instant; finer fractions are cut to milliseconds.
    pub(crate) fn parse_rfc3339(text: &str) -> Option<Self> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        Some(Self(timestamp.as_millisecond()))
    }
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
            assert_eq!(
                UnixMillis::parse_rfc3339(text),
                Some(UnixMillis::from_ms(ms))
            );
        }
        assert_eq!(
            UnixMillis::parse_rfc3339("2024-01-15T11:30:00+01:00"),
            Some(UnixMillis::from_ms(1_705_314_600_000))
        );
        assert_eq!(UnixMillis::parse_rfc3339("yesterday"), None);
        for ms in [i64::MIN, i64::MAX] {
            let text = UnixMillis::from_ms(ms).to_rfc3339();
            assert!(UnixMillis::parse_rfc3339(&text).is_some(), "{text}");
            assert_ne!(text, "1970-01-01T00:00:00.000Z");
        }
    }
}
