//! The rate card: what uses of apps cost.

use std::collections::BTreeMap;

use super::error::Error;
use super::money::Amount;

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
pub(crate) type TokenPrice = Amount<5>;

/// For one unit, in millionths of a millicent: eleven decimals of the currency.
pub(crate) type MetricPrice = Amount<11>;

/// What was used: counts that hold, each at most [`Counts::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tokens that were not in a cache.
    pub(crate) input: i64,
    /// Tokens that were in a cache, and are not in `input`.
    pub(crate) cached_input: i64,
    pub(crate) output: i64,
    /// By name.
    pub(crate) metrics: BTreeMap<String, i64>,
}

impl Counts {
    /// Of anything in one report: what is larger is a mistake or an attack, and sums of many stay far from overflow.
    pub(crate) const MAX: i64 = 1_000_000_000;
}

/// The rate of an app, for one of its models or for uses that name none.
///
/// # Errors
/// `Invalid` for `app_id` without rates; for `model_id`, also for one that is required.
pub(crate) fn rate<'a>(
    rates: &'a [Rate],
    app_id: &str,
    model_id: Option<&str>,
) -> Result<&'a Rate, Error> {
    let of_app = || rates.iter().filter(|rate| rate.app_id == app_id);
    if let Some(rate) = of_app().find(|rate| rate.model_id.as_deref() == model_id) {
        return Ok(rate);
    }
    let rule = match (of_app().next(), model_id) {
        (None, _) => return Err(Error::invalid("app_id", "this app has no rates")),
        (Some(_), None) => "required: this app has rates for its models only",
        (Some(_), Some(_)) => "must be a model of this app that is on the rate card",
    };
    Err(Error::invalid("model_id", rule))
}

impl Rate {
    /// What a report of these counts costs, in millicents. It is summed exactly and rounded up once, so that a report costs
    /// less than one millicent more than the card says. What has no price costs nothing.
    ///
    /// # Errors
    /// `Invalid` for a metric that the card does not know.
    pub(crate) fn cost_mc(&self, counts: &Counts) -> Result<i64, Error> {
        /// Prices of tokens are for so many, and those of metrics in so many parts of a millicent.
        const MILLION: i128 = 1_000_000;
        /// No metric of a card has a longer name.
        const NAME_SHOWN: usize = 100;
        let tokens = [
            (counts.input, self.input),
            (counts.cached_input, self.cached_input),
            (counts.output, self.output),
        ];
        let mut millionths: i128 = 0;
        for (count, price) in tokens {
            let price = price.map_or(0, TokenPrice::units);
            millionths += i128::from(count) * i128::from(price);
        }
        for (name, count) in &counts.metrics {
            let Some(price) = self.metrics.get(name) else {
                let name: String = name.chars().take(NAME_SHOWN).collect();
                let rule = format!("{name:?} must be a metric of the rate card");
                return Err(Error::invalid("metrics", rule));
            };
            millionths += i128::from(*count) * i128::from(price.units());
        }
        let mc = (millionths + MILLION - 1) / MILLION;
        Ok(i64::try_from(mc).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price<const DECIMALS: usize>(text: &str) -> Amount<DECIMALS> {
        Amount::parse(text).unwrap()
    }

    fn card() -> Rate {
        Rate {
            app_id: "a".to_owned(),
            model_id: Some("m".to_owned()),
            input: Some(price("0.20")),
            cached_input: Some(price("0.05")),
            output: None,
            metrics: BTreeMap::from([("images".to_owned(), price("0.002"))]),
        }
    }

    fn counts(input: i64, cached_input: i64, output: i64, images: i64) -> Counts {
        Counts {
            input,
            cached_input,
            output,
            metrics: BTreeMap::from([("images".to_owned(), images)]),
        }
    }

    #[test]
    fn a_report_is_rounded_up_once() {
        for (counts, mc) in [
            (counts(0, 0, 0, 0), 0),
            (counts(1, 0, 0, 0), 1),
            (counts(50, 0, 0, 0), 1),
            (counts(51, 0, 0, 0), 2),
            // 0.02 and 0.005 of a millicent are one millicent together.
            (counts(1, 1, 0, 0), 1),
            (counts(1_000_000, 1_000_000, 0, 0), 25_000),
            (counts(0, 0, 1_000_000, 0), 0),
            (counts(0, 0, 0, 3), 600),
            (counts(1, 0, 0, 3), 601),
        ] {
            assert_eq!(card().cost_mc(&counts).unwrap(), mc, "{counts:?}");
        }
    }

    #[test]
    fn the_dearest_report_is_a_number() {
        let metrics = (0..100).map(|n| (n.to_string(), price("999999.99999999999")));
        let rate = Rate {
            metrics: metrics.collect(),
            ..card()
        };
        let counts = Counts {
            metrics: (0..100).map(|n| (n.to_string(), Counts::MAX)).collect(),
            ..Counts::default()
        };
        assert_eq!(rate.cost_mc(&counts).unwrap(), i64::MAX);
    }

    #[test]
    fn what_is_not_on_the_card_is_named() {
        let other = Counts {
            metrics: BTreeMap::from([("video_seconds".to_owned(), 1)]),
            ..Counts::default()
        };
        let refused = card().cost_mc(&other).unwrap_err().to_string();
        assert_eq!(
            refused,
            "metrics: \"video_seconds\" must be a metric of the rate card"
        );
        let rates = [card()];
        assert!(rate(&rates, "a", Some("m")).is_ok());
        let refused = rate(&rates, "b", None).unwrap_err().to_string();
        assert_eq!(refused, "app_id: this app has no rates");
        for (app, model, rule) in [
            (
                "a",
                None,
                "required: this app has rates for its models only",
            ),
            (
                "a",
                Some("n"),
                "must be a model of this app that is on the rate card",
            ),
        ] {
            let refused = rate(&rates, app, model).unwrap_err().to_string();
            assert_eq!(refused, format!("model_id: {rule}"));
        }
    }

    proptest! {
        /// Against fractions of whole numbers, by another way of adding.
        #[test]
        fn no_report_costs_a_millicent_too_much_and_none_too_little(
            input in 0..=Counts::MAX, cached in 0..=Counts::MAX, images in 0..=Counts::MAX,
        ) {
            let mc = i128::from(card().cost_mc(&counts(input, cached, 0, images)).unwrap());
            // In two hundredths of a millicent: a token of input is four, a cached one is one, an image is 40,000.
            let exact = i128::from(input) * 4 + i128::from(cached) + i128::from(images) * 40_000;
            prop_assert!(mc * 200 >= exact);
            prop_assert!(mc * 200 < exact + 200);
        }
    }
}
