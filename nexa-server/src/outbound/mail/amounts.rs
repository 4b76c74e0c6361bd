//! Amounts of money as people read them: decimal text, made of integers alone.

/// `12.34 EUR` of cents.
pub(super) fn cents(amount: i64, currency: &str) -> String {
    decimal(amount, 2, currency)
}

/// `12.34 EUR` of millicents, with more decimals where the amount has them: `0.00012 EUR`.
pub(super) fn millicents(amount: i64, currency: &str) -> String {
    decimal(amount, 5, currency)
}

/// An amount in units of which the currency has ten to the power of `decimals`, with two decimals at least.
fn decimal(amount: i64, decimals: usize, currency: &str) -> String {
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
            assert_eq!(cents(amount, "EUR"), shown);
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
            assert_eq!(millicents(amount, "EUR"), shown);
        }
    }
}
