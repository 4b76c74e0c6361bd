//! What the operator has laid down for Mollie: a key, and where its API is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Payments;
use super::mollie::Mollie;
use crate::outbound::url;

/// Checked, and ready for [`MollieSettings::client`].
#[derive(Clone, Debug)]
pub(crate) struct MollieSettings {
    pub(super) api_key: ApiKey,
    /// Without a slash at its end.
    pub(super) api_url: String,
    /// How long one call is waited for, from the first look at the name to the last byte.
    pub(super) timeout: Duration,
}

/// A key of Mollie's API. It is shown nowhere.
#[derive(Clone)]
pub(crate) struct ApiKey(Zeroizing<String>);

impl MollieSettings {
    pub(crate) const API_URL: &str = "https://api.mollie.com";
    const TIMEOUT: Duration = Duration::from_secs(10);

    /// # Errors
    /// The rule that the URL breaks.
    pub(crate) fn new(api_key: ApiKey, api_url: &str) -> Result<Self, &'static str> {
        url::check(api_url)?;
        if api_url.contains('?') {
            return Err("takes nothing after a ?");
        }
        Ok(Self {
            api_key,
            api_url: api_url.trim_end_matches('/').to_owned(),
            timeout: Self::TIMEOUT,
        })
    }

    /// That Mollie can call a server of this URL; another API than Mollie's own is not asked about that.
    ///
    /// # Errors
    /// The rule that the URL breaks.
    pub(crate) fn check_public_url(&self, public_url: &str) -> Result<(), &'static str> {
        let is_mollies_own = self.api_url == Self::API_URL;
        match is_mollies_own && !public_url.starts_with("https://") {
            true => Err(
                "must be an https:// URL that Mollie can reach, while there is a mollie.api_key",
            ),
            false => Ok(()),
        }
    }

    /// Whether payments succeed at the click of a button.
    pub(crate) fn takes_no_money(&self) -> bool {
        self.api_key.expose().starts_with("test_")
    }

    pub(crate) fn client(&self) -> Arc<dyn Payments> {
        Arc::new(Mollie::new(self))
    }
}

impl ApiKey {
    /// `live_` or `test_`, and at least 30 letters and digits.
    ///
    /// # Errors
    /// The rule; never the text itself.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let secret = text
            .strip_prefix("live_")
            .or_else(|| text.strip_prefix("test_"));
        let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match secret {
            Some(secret) if (30..=200).contains(&secret.len()) && secret.bytes().all(is_of_key) => {
                Ok(Self(Zeroizing::new(text.to_owned())))
            }
            Some(_) | None => {
                Err("must be live_ or test_ and at least 30 letters and digits, as Mollie shows it")
            }
        }
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM";

    #[test]
    fn a_key_has_the_shape_of_mollies_and_is_not_shown() {
        let long = |count: usize| format!("live_{}", "a".repeat(count));
        for (text, is_good) in [
            (KEY, true),
            (&long(30), true),
            (&long(200), true),
            (&long(29), false),
            (&long(201), false),
            ("access_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM", false),
            ("test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM\n", false),
            ("test_dHar4XY7LxsDOtmnkVtjNVWXLSlX-M", false),
            ("", false),
        ] {
            assert_eq!(ApiKey::parse(text).is_ok(), is_good, "{text:?}");
        }
        let key = ApiKey::parse(KEY).unwrap();
        assert_eq!(key.expose(), KEY);
        let settings = MollieSettings::new(key, MollieSettings::API_URL).unwrap();
        assert!(!format!("{settings:?}").contains("dHar"), "{settings:?}");
    }

    #[test]
    fn the_api_is_asked_where_nobody_listens_in() {
        for (text, url) in [
            ("https://api.mollie.com", Some("https://api.mollie.com")),
            ("https://pay.example/m/", Some("https://pay.example/m")),
            ("http://127.0.0.1:8081", Some("http://127.0.0.1:8081")),
            ("http://api.mollie.com", None),
            ("https://api.mollie.com/?a=b", None),
            ("api.mollie.com", None),
            ("", None),
        ] {
            let settings = MollieSettings::new(ApiKey::parse(KEY).unwrap(), text);
            let read = settings.as_ref().map(|settings| settings.api_url.as_str());
            assert_eq!(read.ok(), url, "{text}");
        }
    }
}
