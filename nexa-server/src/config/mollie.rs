//! The table `[mollie]` of the configuration file.

use std::fmt;

use serde::Deserialize;

use crate::outbound::payments::{ApiKey, MollieSettings, has_cents};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileMollie {
    api_key: Option<String>,
    api_url: Option<String>,
}

/// Without the key.
impl fmt::Debug for FileMollie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileMollie")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

impl FileMollie {
    /// The settings, with these before the file's; `None` where no key is given and so no money is taken.
    pub(super) fn checked(
        self,
        api_key: Option<String>,
        api_url: Option<String>,
        currency: &str,
    ) -> Result<Option<MollieSettings>, String> {
        let api_url = api_url.or(self.api_url);
        let api_url = api_url.as_deref().unwrap_or(MollieSettings::API_URL);
        let Some(api_key) = api_key.or(self.api_key) else {
            return Ok(None);
        };
        let api_key = ApiKey::parse(&api_key).map_err(|rule| format!("mollie.api_key: {rule}"))?;
        if !has_cents(currency) {
            return Err(format!(
                "credits: currency {currency:?} cannot be charged: its smallest part is no hundredth"
            ));
        }
        MollieSettings::new(api_key, api_url)
            .map(Some)
            .map_err(|rule| format!("mollie.api_url: {api_url:?} {rule}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM";

    fn mollie(text: &str, key: Option<&str>, url: Option<&str>) -> Result<bool, String> {
        let file: FileMollie = toml::from_str(text).unwrap();
        let settings = file.checked(key.map(str::to_owned), url.map(str::to_owned), "EUR")?;
        Ok(settings.is_some())
    }

    #[test]
    fn what_mollie_cannot_be_given_is_named_and_no_key_is() {
        let key_rule = "mollie.api_key: must be live_ or test_ and at least 30 letters and digits, as Mollie shows it";
        for (text, key, url, answer) in [
            ("", None, None, Ok(false)),
            ("", Some(KEY), None, Ok(true)),
            ("api_url = 'https://pay.example'", None, None, Ok(false)),
            ("api_url = 'https://pay.example'", Some(KEY), None, Ok(true)),
            ("api_key = 'test_secret'", None, None, Err(key_rule.to_owned())),
            ("api_key = 'test_secret'", Some(KEY), None, Ok(true)),
            // An empty variable is no default.
            ("", Some(""), None, Err(key_rule.to_owned())),
            (
                "",
                Some(KEY),
                Some("http://pay.example"),
                Err(
                    "mollie.api_url: \"http://pay.example\" must be an https:// URL without user name and fragment, or \
                     http:// to this machine"
                        .to_owned(),
                ),
            ),
        ] {
            assert_eq!(mollie(text, key, url), answer, "{text} {url:?}");
        }
        let file: FileMollie = toml::from_str(&format!("api_key = '{KEY}'")).unwrap();
        assert!(!format!("{file:?}").contains("dHar"), "{file:?}");
    }

    #[test]
    fn only_a_currency_with_cents_can_be_charged() {
        for (currency, is_good) in [("EUR", true), ("HUF", true), ("JPY", false), ("KWD", false)] {
            let settings = FileMollie::default().checked(Some(KEY.to_owned()), None, currency);
            assert_eq!(settings.is_ok(), is_good, "{currency}");
            assert!(FileMollie::default().checked(None, None, currency).is_ok());
        }
    }
}
