//! The rate card: what uses of apps cost.

use std::collections::BTreeMap;

/// What uses of an app cost, of one of its models or whatever the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) app_id: String,
    /// `None` for what has no model.
    pub(crate) model_id: Option<String>,
    /// For a million tokens.
    pub(crate) input: Option<TokenPrice>,
    /// For a million tokens that were in a cache.
    pub(crate) cached_input: Option<TokenPrice>,
    /// For a million tokens.
    pub(crate) output: Option<TokenPrice>,
    /// For one of each.
    pub(crate) metrics: BTreeMap<String, MetricPrice>,
}

/// For a million tokens, in millicents: five decimals of the currency.
pub(crate) type TokenPrice = Price<5>;

/// For one unit, in millionths of a millicent: eleven decimals of the currency.
pub(crate) type MetricPrice = Price<11>;

/// An amount of the currency with so many decimals, below 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price<const DECIMALS: usize>(u64);

impl<const DECIMALS: usize> Price<DECIMALS> {
    const WHOLE_DIGITS_MAX: usize = 6;

    /// Reads decimal text such as `0.25`; `None` for anything else: a sign, an exponent, more decimals, nothing beside the
    /// point.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain = whole == "0" || !whole.starts_with('0');
        if !(1..=Self::WHOLE_DIGITS_MAX).contains(&whole.len())
            || decimals.len() > DECIMALS
            || !is_number(whole)
            || !is_number(decimals)
            || !is_plain
        {
            return None;
        }
        format!("{whole}{decimals:0<DECIMALS$}")
            .parse()
            .ok()
            .map(Self)
    }

    /// The same as text, without zeros at its end.
    pub(crate) fn to_text(self) -> String {
        let digits = format!("{:0>width$}", self.0, width = DECIMALS + 1);
        let (whole, decimals) = digits.split_at(digits.len() - DECIMALS);
        match decimals.trim_end_matches('0') {
            "" => whole.to_owned(),
            decimals => format!("{whole}.{decimals}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_and_written_to_the_last_decimal() {
        for (text, mc) in [
            ("0", 0),
            ("0.00001", 1),
            ("0.2", 20_000),
            ("12.34567", 1_234_567),
            ("999999.99999", 99_999_999_999),
        ] {
            let price = TokenPrice::parse(text).unwrap();
            assert_eq!((price.0, price.to_text().as_str()), (mc, text));
        }
        assert_eq!(TokenPrice::parse("7.50").unwrap().to_text(), "7.5");
        assert_eq!(MetricPrice::parse("0.00000000001").unwrap(), Price(1));
        let largest = MetricPrice::parse("999999.99999999999").unwrap();
        assert_eq!(largest.to_text(), "999999.99999999999");
    }

    #[test]
    fn nothing_else_is_a_price() {
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "01", "00", "1.000001",
            "1000000", "0x1", "1.2.3", "٣",
        ] {
            assert_eq!(TokenPrice::parse(text), None, "{text:?}");
        }
        assert_eq!(MetricPrice::parse("0.000000000001"), None);
    }
}
