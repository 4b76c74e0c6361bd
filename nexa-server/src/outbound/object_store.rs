//! The object store that downloads come from: URLs that open one object for a while (S3, AWS Signature Version 4).
//!
//! Nothing is asked of the store: a URL is a computation over its key.

use std::time::Duration;

use jiff::Timestamp;
use rusty_s3::actions::GetObject;
use rusty_s3::{Bucket, BucketError, Credentials, S3Action, UrlStyle};

use crate::domain::Error;
use crate::time::UnixMillis;

/// How long a URL opens its object, in seconds: a download that has begun goes on beyond that.
pub(crate) const URL_LIFETIME_S: u64 = 15 * 60;

/// One bucket, and the key that signs for it. The secret is never shown: [`Credentials`] leaves it out.
#[derive(Clone, Debug)]
pub(crate) struct ObjectStore {
    bucket: Bucket,
    credentials: Credentials,
}

/// Where the name of the bucket stands in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// First in the path.
    Path,
    /// Before the host.
    VirtualHost,
}

impl ObjectStore {
    /// # Errors
    /// The name of the setting and its rule; never the secret.
    pub(crate) fn new(
        endpoint: &str,
        bucket: &str,
        region: &str,
        credentials: (&str, &str),
        style: Style,
    ) -> Result<Self, String> {
        let (access_key_id, secret_access_key) = credentials;
        check_endpoint(endpoint)?;
        let rules: [(&str, &str, bool, &str); 3] = [
            (
                "bucket",
                bucket,
                (3..=63).contains(&bucket.len()) && bucket.bytes().all(is_name_byte),
                "must be 3 to 63 letters, digits, dots, hyphens or underscores",
            ),
            (
                "region",
                region,
                (1..=64).contains(&region.len()) && region.bytes().all(is_name_byte),
                "must be 1 to 64 letters, digits, dots, hyphens or underscores, such as us-east-1",
            ),
            // It is one part of several between slashes.
            (
                "access_key_id",
                access_key_id,
                is_visible(access_key_id) && !access_key_id.contains('/'),
                "must be 1 to 256 visible ASCII characters without a slash",
            ),
        ];
        for (name, value, holds, rule) in rules {
            if !holds {
                return Err(format!("{name}: {value:?} {rule}"));
            }
        }
        if !is_visible(secret_access_key) {
            return Err("secret_access_key: must be 1 to 256 visible ASCII characters".to_owned());
        }
        let style = match style {
            Style::Path => UrlStyle::Path,
            Style::VirtualHost => UrlStyle::VirtualHost,
        };
        let parsed = endpoint.parse().map_err(|_| endpoint_rule(endpoint))?;
        let bucket =
            Bucket::new(parsed, style, bucket.to_owned(), region.to_owned()).map_err(|error| {
                match error {
                    BucketError::UnsupportedScheme | BucketError::MissingHost => {
                        endpoint_rule(endpoint)
                    }
                    BucketError::ParseError(_) => {
                        format!("bucket: {bucket:?} cannot stand before the host of {endpoint}")
                    }
                }
            })?;
        Ok(Self {
            bucket,
            credentials: Credentials::new(access_key_id, secret_access_key),
        })
    }

    /// A URL by which anybody may GET that object for [`URL_LIFETIME_S`] seconds.
    ///
    /// # Errors
    /// `Fault` for a time that no signature can carry.
    pub(crate) fn download_url(&self, now: UnixMillis, key: &str) -> Result<String, Error> {
        let signed_at = Timestamp::from_millisecond(now.ms())
            .map_err(|error| Error::Fault(format!("time of a signature: {error}")))?;
        let action = GetObject::new(&self.bucket, Some(&self.credentials), key);
        let lifetime = Duration::from_secs(URL_LIFETIME_S);
        Ok(action.sign_with_time(lifetime, &signed_at).into())
    }
}

/// Whether a URL can name that object and no other one: parts such as `..` would be resolved, and nothing names the bucket.
///
/// # Errors
/// The rule.
pub(crate) fn check_key(key: &str) -> Result<(), &'static str> {
    const KEY_MAX: usize = 1_024;
    let is_named = key.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match (1..=KEY_MAX).contains(&key.len()) && !key.chars().any(char::is_control) && is_named {
        true => Ok(()),
        false => Err(
            "must be 1 to 1024 bytes without control characters, and no part of it between slashes may be empty, . or ..",
        ),
    }
}

/// What the signing would leave out is refused instead: user, password, query, fragment.
fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let rest = endpoint
        .strip_prefix("https://")
        .or_else(|| endpoint.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty() && is_visible(rest) && !rest.contains(['@', '?', '#', '\\']) =>
        {
            Ok(())
        }
        Some(_) | None => Err(endpoint_rule(endpoint)),
    }
}

/// Without the endpoint where a password may stand in it.
fn endpoint_rule(endpoint: &str) -> String {
    let rule = "must be an http or https URL, without user, query and fragment, such as https://s3.eu-central-1.amazonaws.com";
    match endpoint.contains('@') {
        true => format!("endpoint: {rule}"),
        false => format!("endpoint: {endpoint:?} {rule}"),
    }
}

fn is_visible(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The access key and the bucket of AWS's published example.
    const KEYS: (&str, &str) = (
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );

    #[test]
    fn a_url_names_the_object_the_time_and_the_end() {
        let store = |style| {
            let endpoint = "https://s3.amazonaws.com";
            ObjectStore::new(endpoint, "examplebucket", "us-east-1", KEYS, style).unwrap()
        };
        // Friday, 24 May 2013, as in AWS's example; its milliseconds do not count.
        let now = UnixMillis::from_ms(1_369_353_600_999);
        for (style, start) in [
            (
                Style::Path,
                "https://s3.amazonaws.com/examplebucket/models/a%20b.gguf?",
            ),
            (
                Style::VirtualHost,
                "https://examplebucket.s3.amazonaws.com/models/a%20b.gguf?",
            ),
        ] {
            let url = store(style).download_url(now, "models/a b.gguf").unwrap();
            let (signed, signature) = url.split_once("&X-Amz-Signature=").unwrap();
            let expected = format!(
                "{start}X-Amz-Algorithm=AWS4-HMAC-SHA256\
                 &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                 &X-Amz-Date=20130524T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
            );
            assert_eq!((signed, signature.len()), (expected.as_str(), 64));
        }
    }

    #[test]
    fn a_time_beyond_all_calendars_is_a_fault_and_no_panic() {
        let store =
            ObjectStore::new("http://127.0.0.1:9000", "bucket", "r", KEYS, Style::Path).unwrap();
        for ms in [i64::MIN, i64::MAX] {
            let refused = store.download_url(UnixMillis::from_ms(ms), "k");
            assert!(matches!(refused, Err(Error::Fault(_))), "{ms}: {refused:?}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let store =
            ObjectStore::new("http://127.0.0.1:9000", "bucket", "r", KEYS, Style::Path).unwrap();
        let shown = format!("{store:?}");
        assert!(
            shown.contains(KEYS.0) && !shown.contains("wJalr"),
            "{shown}"
        );
    }
}
