//! Amounts of money, counts of what is used, and days on the wire.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::money::Cents;
use crate::domain::rates::Counts;
use crate::time::UnixMillis;

/// An amount of the currency with at most two decimals, as a JSON number or as decimal text; it is written as a number.
#[derive(Clone, Copy)]
pub(super) struct Money(pub(super) Cents);

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl de::Visitor<'_> for Reader {
            type Value = Money;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(RULE)
            }

            fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Money, E> {
                self.visit_str(&whole.to_string())
            }

            // The shortest text of a double is what it was read from, up to 15 digits; ours have eight. Nothing is computed.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Money, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
                let amount = Cents::parse(text).map(Money);
                amount.ok_or_else(|| E::custom(format!("must be {RULE}")))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

const RULE: &str = "an amount below 1000000 with at most two decimals";

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As above: its shortest text is this one.
        let number = self.0.to_text().parse::<f64>();
        serializer.serialize_f64(number.map_err(serde::ser::Error::custom)?)
    }
}

impl JsonSchema for Money {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"], "minimum": 0, "pattern": "^[0-9]{1,6}(\\.[0-9]{1,2})?$" })
    }
}

/// How much of something was used in one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) i64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl de::Visitor<'_> for Reader {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from 0 to {}", Counts::MAX)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Count, E> {
                match i64::try_from(number) {
                    Ok(count @ ..=Counts::MAX) => Ok(Count(count)),
                    Ok(_) | Err(_) => {
                        Err(E::invalid_value(de::Unexpected::Unsigned(number), &self))
                    }
                }
            }
        }

        deserializer.deserialize_u64(Reader)
    }
}

impl JsonSchema for Count {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": Counts::MAX })
    }
}

/// A day of UTC, `2026-01-31`; a timestamp stands for the day in which it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day(pub(super) i64);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const DATE_LEN: usize = 10;
        let text = Cow::<str>::deserialize(deserializer)?;
        let instant = match text.len() {
            DATE_LEN => format!("{text}T00:00:00Z").parse::<UnixMillis>().ok(),
            _ => text.parse().ok(),
        };
        match instant {
            Some(instant) => Ok(Self(instant.day())),
            None => Err(de::Error::custom("must be a day, such as 2026-01-31")),
        }
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = UnixMillis::of_day(self.0).to_rfc3339();
        serializer.serialize_str(instant.split('T').next().unwrap_or_default())
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_written_to_the_cent() {
        for (json, cents, written) in [
            ("25", 2_500, "25.0"),
            ("19.99", 1_999, "19.99"),
            ("0.1", 10, "0.1"),
            ("\"4.35\"", 435, "4.35"),
            ("999999.99", 99_999_999, "999999.99"),
            ("0", 0, "0.0"),
        ] {
            let money: Money = serde_json::from_str(json).unwrap();
            assert_eq!(money.0.units(), cents, "{json}");
            assert_eq!(serde_json::to_string(&money).unwrap(), written);
        }
        for json in [
            "-1",
            "1.999",
            "0.30000000000000004",
            "1e6",
            "1e400",
            "null",
            "true",
            "\"1,5\"",
            "\"\"",
            "[1]",
            "1000000",
        ] {
            assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
        }
        // Every cent there is, near the ends and in the middle.
        for cents in (0..100_000).chain(99_900_000..=99_999_999) {
            let text = Cents::of(cents).to_text();
            let money: Money = serde_json::from_str(&text).unwrap();
            assert_eq!(money.0.units(), cents, "{text}");
        }
    }

    #[test]
    fn counts_are_whole_and_of_one_report() {
        for (json, count) in [("0", 0), ("7", 7), ("1000000000", 1_000_000_000)] {
            assert_eq!(serde_json::from_str::<Count>(json).unwrap(), Count(count));
        }
        for json in [
            "-1",
            "-0",
            "1.5",
            "1.0",
            "1e3",
            "1000000001",
            "9223372036854775808",
            "18446744073709551616",
            "\"1\"",
            "true",
            "[1]",
            "{}",
        ] {
            let refused = serde_json::from_str::<Count>(json).unwrap_err().to_string();
            let rule = "expected a whole number from 0 to 1000000000";
            assert!(refused.contains(rule), "{json}: {refused}");
        }
    }

    #[test]
    fn a_day_is_a_date_or_lies_around_a_timestamp() {
        for (json, day) in [
            ("\"1970-01-01\"", 0),
            ("\"2026-11-26\"", 20_783),
            ("\"2026-11-26T23:59:59.999Z\"", 20_783),
            ("\"2026-11-26T23:59:59-01:00\"", 20_784),
        ] {
            assert_eq!(serde_json::from_str::<Day>(json).unwrap(), Day(day));
        }
        assert_eq!(
            serde_json::to_string(&Day(20_783)).unwrap(),
            "\"2026-11-26\""
        );
        for json in [
            "\"2026-02-30\"",
            "\"26-11-2026\"",
            "\"today\"",
            "20783",
            "\"\"",
            "\"2026-11-2é\"",
        ] {
            assert!(serde_json::from_str::<Day>(json).is_err(), "{json}");
        }
    }
}
