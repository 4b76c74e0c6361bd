//! The tables `[[rates]]` of the configuration file.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::money::Amount;
use crate::domain::rates::{MetricPrice, Rate};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRate {
    app: String,
    model: Option<String>,
    input: Option<String>,
    cached_input: Option<String>,
    output: Option<String>,
    #[serde(default)]
    metrics: BTreeMap<String, String>,
}

/// The rates, one for each app and model.
pub(super) fn rates(entries: Vec<FileRate>) -> Result<Vec<Rate>, String> {
    let mut rates: Vec<Rate> = Vec::new();
    for entry in entries {
        let place = match &entry.model {
            Some(model) => format!("rates: {:?}, model {model:?}", entry.app),
            None => format!("rates: {:?}", entry.app),
        };
        let rate = entry
            .checked()
            .map_err(|problem| format!("{place}: {problem}"))?;
        let is_same =
            |other: &Rate| (&other.app_id, &other.model_id) == (&rate.app_id, &rate.model_id);
        if rates.iter().any(is_same) {
            return Err(format!("{place}: stands twice"));
        }
        rates.push(rate);
    }
    Ok(rates)
}

impl FileRate {
    fn checked(self) -> Result<Rate, String> {
        named("app", &self.app)?;
        if let Some(model) = &self.model {
            named("model", model)?;
        }
        for name in self.metrics.keys() {
            named("metrics", name)?;
        }
        let is_empty = self.metrics.is_empty()
            && [&self.input, &self.cached_input, &self.output]
                .iter()
                .all(|price| price.is_none());
        if is_empty {
            return Err("has no price".to_owned());
        }
        let metrics = self.metrics.iter();
        let metrics = metrics.map(|(name, text)| {
            let price: MetricPrice = amount(&format!("metrics.{name}"), text)?;
            Ok((name.clone(), price))
        });
        Ok(Rate {
            input: optional("input", self.input.as_deref())?,
            cached_input: optional("cached_input", self.cached_input.as_deref())?,
            output: optional("output", self.output.as_deref())?,
            metrics: metrics.collect::<Result<_, String>>()?,
            app_id: self.app,
            model_id: self.model,
        })
    }
}

pub(super) fn optional<const DECIMALS: usize>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<Amount<DECIMALS>>, String> {
    text.map(|text| amount(field, text)).transpose()
}

pub(super) fn amount<const DECIMALS: usize>(
    field: &str,
    text: &str,
) -> Result<Amount<DECIMALS>, String> {
    Amount::parse(text).ok_or_else(|| {
        format!(
            "{field} {text:?} must be a decimal below 1000000, with at most {DECIMALS} decimals, such as \"0.25\""
        )
    })
}

pub(super) fn named(field: &str, name: &str) -> Result<(), String> {
    match (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(format!(
            "{field} {name:?} must be 1 to 100 visible ASCII characters"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Rate>, String> {
        #[derive(Deserialize)]
        struct File {
            rates: Vec<FileRate>,
        }
        rates(toml::from_str::<File>(text).unwrap().rates)
    }

    #[test]
    fn what_cannot_be_a_rate_is_named() {
        for (text, problem) in [
            (
                "[[rates]]\napp = 'a'\ninput = '0.2.'",
                "rates: \"a\": input \"0.2.\" must be a decimal below 1000000, with at most 5 decimals, such as \"0.25\"",
            ),
            (
                "[[rates]]\napp = 'a'\nmodel = 'm'\nmetrics = { images = '-1' }",
                "rates: \"a\", model \"m\": metrics.images \"-1\" must be a decimal below 1000000, with at most 11 decimals, such \
                 as \"0.25\"",
            ),
            (
                "[[rates]]\napp = 'a'\nmodel = 'm'",
                "rates: \"a\", model \"m\": has no price",
            ),
            (
                "[[rates]]\napp = 'a b'\noutput = '1'",
                "rates: \"a b\": app \"a b\" must be 1 to 100 visible ASCII characters",
            ),
            (
                "[[rates]]\napp = 'a'\noutput = '1'\n[[rates]]\napp = 'a'\nmodel = 'm'\noutput = '1'\n[[rates]]\napp = 'a'\n\
                 input = '2'",
                "rates: \"a\": stands twice",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), problem);
        }
    }
}
