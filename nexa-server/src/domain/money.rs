//! Amounts of the currency: decimal text outside, integers inside, never a float.

/// What 1.00 of the currency is.
pub(crate) const MILLICENTS_A_UNIT: i64 = 100_000;
/// What a hundredth of the currency is.
pub(crate) const MILLICENTS_A_CENT: i64 = 1_000;

/// What is paid: hundredths of the currency.
pub(crate) type Cents = Amount<2>;

/// What the ledger counts: hundred-thousandths of the currency.
pub(crate) type Millicents = Amount<5>;

/// An amount of the currency with so many decimals, not negative and below 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount<const DECIMALS: usize>(i64);

impl<const DECIMALS: usize> Amount<DECIMALS> {
    const WHOLE_DIGITS_MAX: usize = 6;

    /// An amount that is stored in units of the last decimal; what is owed counts as nothing.
    pub(crate) fn of(units: i64) -> Self {
        Self(units.max(0))
    }

    /// In units of the last decimal, not negative.
    pub(crate) const fn units(self) -> i64 {
        self.0
    }

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

/// `12.34 EUR` of cents, as people read it.
pub(crate) fn shown_cents(amount: i64, currency: &str) -> String {
    shown(amount, 2, currency)
}

/// `12.34 EUR` of millicents, with more decimals where the amount has them: `0.00012 EUR`.
pub(crate) fn shown_millicents(amount: i64, currency: &str) -> String {
    shown(amount, 5, currency)
}

/// An amount in units of which the currency has ten to the power of `decimals`, with two decimals at least.
fn shown(amount: i64, decimals: usize, currency: &str) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let part = part.trim_end_matches('0');
    format!("{sign}{whole}.{part:0<2} {currency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_however_small_or_large() {
        for (amount, shown) in [
            (0, "0.00 EUR"),
            (1, "0.01 EUR"),
            (10, "0.10 EUR"),
            (999, "9.99 EUR"),
            (-1_050, "-10.50 EUR"),
            (i64::MAX, "92233720368547758.07 EUR"),
            (i64::MIN, "-92233720368547758.08 EUR"),
        ] {
            assert_eq!(shown_cents(amount, "EUR"), shown);
        }
        for (amount, shown) in [
            (0, "0.00 EUR"),
            (1, "0.00001 EUR"),
            (120, "0.0012 EUR"),
            (10_000, "0.10 EUR"),
            (100_000, "1.00 EUR"),
            (1_234_567, "12.34567 EUR"),
            (-50_000, "-0.50 EUR"),
            (i64::MIN, "-92233720368547.75808 EUR"),
        ] {
            assert_eq!(shown_millicents(amount, "EUR"), shown);
        }
    }

    #[test]
    fn amounts_are_read_and_written_to_the_last_decimal() {
        for (text, mc) in [
            ("0", 0),
            ("0.00001", 1),
            ("0.2", 20_000),
            ("12.34567", 1_234_567),
            ("999999.99999", 99_999_999_999),
        ] {
            let amount = Millicents::parse(text).unwrap();
            assert_eq!((amount.0, amount.to_text().as_str()), (mc, text));
        }
        assert_eq!(Millicents::parse("7.50").unwrap().to_text(), "7.5");
        assert_eq!(Amount::<11>::parse("0.00000000001").unwrap(), Amount(1));
        let largest = Amount::<11>::parse("999999.99999999999").unwrap();
        assert_eq!(largest.to_text(), "999999.99999999999");
    }

    #[test]
    fn nothing_else_is_an_amount() {
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "01", "00", "1.000001",
            "1000000", "0x1", "1.2.3", "٣",
        ] {
            assert_eq!(Millicents::parse(text), None, "{text:?}");
        }
        assert_eq!(Amount::<11>::parse("0.000000000001"), None);
    }
}
