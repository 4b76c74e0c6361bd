//! The table `[object_store]` of the configuration file, and what the environment says of it.

use std::fmt;

use serde::Deserialize;

use crate::outbound::object_store::{ObjectStore, Style};

/// Where downloads lie, as it is written: all of it but the style, or nothing.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectStoreSettings {
    /// The URL of an S3 service.
    pub endpoint: Option<String>,
    /// The bucket's name.
    pub bucket: Option<String>,
    /// The region that signatures name.
    pub region: Option<String>,
    /// Who signs.
    pub access_key_id: Option<String>,
    /// The secret that signs.
    pub secret_access_key: Option<String>,
    /// Where a URL names the bucket: `path` (the default) or `virtual-host`.
    pub url_style: Option<String>,
}

/// Without the secret.
impl fmt::Debug for ObjectStoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStoreSettings")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("url_style", &self.url_style)
            .finish_non_exhaustive()
    }
}

impl ObjectStoreSettings {
    /// The object store, with these overrides before the file's; `None` when neither says anything of it.
    pub(super) fn checked(self, overrides: Self) -> Result<Option<ObjectStore>, String> {
        let settings = Self {
            endpoint: overrides.endpoint.or(self.endpoint),
            bucket: overrides.bucket.or(self.bucket),
            region: overrides.region.or(self.region),
            access_key_id: overrides.access_key_id.or(self.access_key_id),
            secret_access_key: overrides.secret_access_key.or(self.secret_access_key),
            url_style: overrides.url_style.or(self.url_style),
        };
        let style = match settings.url_style.as_deref() {
            None | Some("path") => Style::Path,
            Some("virtual-host") => Style::VirtualHost,
            Some(other) => {
                return Err(format!(
                    "object_store.url_style: {other:?} is neither path nor virtual-host"
                ));
            }
        };
        let needed = [
            ("endpoint", "NEXA_S3_ENDPOINT", &settings.endpoint),
            ("bucket", "NEXA_S3_BUCKET", &settings.bucket),
            ("region", "NEXA_S3_REGION", &settings.region),
            (
                "access_key_id",
                "NEXA_S3_ACCESS_KEY_ID",
                &settings.access_key_id,
            ),
            (
                "secret_access_key",
                "NEXA_S3_SECRET_ACCESS_KEY",
                &settings.secret_access_key,
            ),
        ];
        let [
            Some(endpoint),
            Some(bucket),
            Some(region),
            Some(access_key_id),
            Some(secret_access_key),
        ] = needed.map(|(_, _, value)| value.as_deref())
        else {
            let missing = needed.iter().filter(|(_, _, value)| value.is_none());
            let named: Vec<String> = missing
                .map(|(name, variable, _)| format!("{name} ({variable})"))
                .collect();
            return match named.len() == needed.len() && settings.url_style.is_none() {
                true => Ok(None),
                false => Err(format!("object_store: {} missing", named.join(", "))),
            };
        };
        let keys = (access_key_id, secret_access_key);
        ObjectStore::new(endpoint, bucket, region, keys, style)
            .map(Some)
            .map_err(|problem| format!("object_store.{problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "endpoint = 'http://127.0.0.1:9000'\nbucket = 'models'\nregion = 'local'\n\
                         access_key_id = 'key'\nsecret_access_key = 'hidden'\n";

    fn file(text: &str) -> ObjectStoreSettings {
        toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn read(text: &str) -> Result<Option<ObjectStore>, String> {
        file(text).checked(ObjectStoreSettings::default())
    }

    #[test]
    fn it_is_said_whole_or_not_at_all() {
        assert!(read("").unwrap().is_none());
        assert!(read(WHOLE).unwrap().is_some());
        for (text, problem) in [
            (
                "bucket = 'models'\nregion = 'local'\nsecret_access_key = 'hidden'",
                "object_store: endpoint (NEXA_S3_ENDPOINT), access_key_id (NEXA_S3_ACCESS_KEY_ID) missing",
            ),
            (
                "endpoint = 'http://x'\nbucket = 'models'\nregion = 'local'\naccess_key_id = 'key'",
                "object_store: secret_access_key (NEXA_S3_SECRET_ACCESS_KEY) missing",
            ),
            (
                "url_style = 'path'",
                "object_store: endpoint (NEXA_S3_ENDPOINT), bucket (NEXA_S3_BUCKET), region (NEXA_S3_REGION), access_key_id \
                 (NEXA_S3_ACCESS_KEY_ID), secret_access_key (NEXA_S3_SECRET_ACCESS_KEY) missing",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), problem);
        }
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let overrides = ObjectStoreSettings {
            bucket: Some("others".to_owned()),
            ..ObjectStoreSettings::default()
        };
        let store = file(WHOLE).checked(overrides).unwrap().unwrap();
        let now = crate::time::UnixMillis::from_ms(0);
        let url = store.download_url(now, "k").unwrap();
        assert!(url.starts_with("http://127.0.0.1:9000/others/k?"), "{url}");
        let empty = ObjectStoreSettings {
            secret_access_key: Some(String::new()),
            ..ObjectStoreSettings::default()
        };
        assert_eq!(
            file(WHOLE).checked(empty).unwrap_err(),
            "object_store.secret_access_key: must be 1 to 256 visible ASCII characters",
            "an empty variable is no default"
        );
    }

    #[test]
    fn what_cannot_be_an_object_store_is_named_and_no_secret_is() {
        let endpoint_rule = "must be an http or https URL, without user, query and fragment, such as \
                             https://s3.eu-central-1.amazonaws.com";
        for (from, to, problem) in [
            (
                "http://127.0.0.1:9000",
                "s3.example.com",
                format!("endpoint: \"s3.example.com\" {endpoint_rule}"),
            ),
            (
                "http://127.0.0.1:9000",
                "ftp://s3.example.com",
                format!("endpoint: \"ftp://s3.example.com\" {endpoint_rule}"),
            ),
            (
                "http://127.0.0.1:9000",
                "https://s3.example.com:x",
                format!("endpoint: \"https://s3.example.com:x\" {endpoint_rule}"),
            ),
            (
                "http://127.0.0.1:9000",
                "https://",
                format!("endpoint: \"https://\" {endpoint_rule}"),
            ),
            (
                "http://127.0.0.1:9000",
                "https://me:hidden@s3.example.com",
                format!("endpoint: {endpoint_rule}"),
            ),
            (
                "http://127.0.0.1:9000",
                "https://s3.example.com?x=1",
                format!("endpoint: \"https://s3.example.com?x=1\" {endpoint_rule}"),
            ),
            (
                "'models'",
                "'a/b'",
                "bucket: \"a/b\" must be 3 to 63 letters, digits, dots, hyphens or underscores".to_owned(),
            ),
            (
                "'local'",
                "''",
                "region: \"\" must be 1 to 64 letters, digits, dots, hyphens or underscores, such as us-east-1".to_owned(),
            ),
            (
                "'key'",
                "'a/b'",
                "access_key_id: \"a/b\" must be 1 to 256 visible ASCII characters without a slash".to_owned(),
            ),
            (
                "'hidden'",
                "'hid den'",
                "secret_access_key: must be 1 to 256 visible ASCII characters".to_owned(),
            ),
            (
                "'models'",
                "'models'\nurl_style = 'host'",
                "url_style: \"host\" is neither path nor virtual-host".to_owned(),
            ),
            (
                "'models'",
                "'models'\nurl_style = 'virtual-host'",
                "bucket: \"models\" cannot stand before the host of http://127.0.0.1:9000".to_owned(),
            ),
        ] {
            let refused = read(&WHOLE.replace(from, to)).unwrap_err();
            assert_eq!(refused, format!("object_store.{problem}"));
            assert!(!refused.contains("hid"), "{refused}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", file(WHOLE));
        assert!(
            shown.contains("models") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
