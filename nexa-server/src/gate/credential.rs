//! The credential of a request: one secret, from one of its carriers.

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use crate::domain::Error;
use crate::domain::keys::Presented;
use crate::http::pick;

/// What the caller presented. Nothing about it has been checked.
pub(crate) enum Credential<'h> {
    /// An API key or an operator key.
    Key(Presented<'h>),
    /// What looks like a JWS: an access token or a licence token.
    Token(Zeroizing<String>),
}

/// Takes the credential from `X-API-Key` or `Authorization: Bearer`.
///
/// Other authorization schemes count as no credential.
///
/// # Errors
/// `TwoCredentials` when a carrier stands twice or two carriers disagree; `KeyInvalid` for what cannot be a credential.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Error> {
    let [header_key, authorization] =
        pick(headers, ["x-api-key", "authorization"]).map_err(|_| Error::TwoCredentials)?;
    let header_key = header_key.map(visible).transpose()?;
    let bearer = authorization
        .map(visible)
        .transpose()?
        .map(bearer_token)
        .transpose()?
        .flatten();
    let secret = match (header_key, bearer) {
        (Some(key), Some(bearer)) if key != bearer => return Err(Error::TwoCredentials),
        (Some(secret), _) | (None, Some(secret)) if secret.is_empty() => {
            return Err(Error::KeyInvalid);
        }
        (Some(secret), _) | (None, Some(secret)) => secret,
        (None, None) => return Ok(None),
    };
    if is_token_shaped(secret) {
        return Ok(Some(Credential::Token(Zeroizing::new(secret.to_owned()))));
    }
    const KEY_MAX: usize = 256;
    if secret.len() > KEY_MAX || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::KeyInvalid);
    }
    Ok(Some(Credential::Key(Presented::new(secret))))
}

/// Bytes outside visible ASCII cannot be a credential.
fn visible(value: &HeaderValue) -> Result<&str, Error> {
    value.to_str().map_err(|_| Error::KeyInvalid)
}

/// RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1).
fn bearer_token(authorization: &str) -> Result<Option<&str>, Error> {
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            let token = token.trim_start_matches(' ');
            if token.is_empty() {
                Err(Error::KeyInvalid)
            } else {
                Ok(Some(token))
            }
        }
        _ => Ok(None),
    }
}

/// Whether it looks like a JWS: keys of ours hold no dots.
pub(crate) fn is_token_shaped(secret: &str) -> bool {
    secret.starts_with("eyJ") && secret.bytes().filter(|b| *b == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use nexa_core::KeyDigest;

    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<String>, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Ok(presented(&headers)?.map(|credential| match credential {
            Credential::Key(key) => {
                assert_eq!(*key.digest(), KeyDigest::of(b"nex_abc"));
                "key nex_abc".to_owned()
            }
            Credential::Token(token) => format!("token {}", token.as_str()),
        }))
    }

    #[test]
    fn one_secret_from_either_carrier() -> Result<(), Error> {
        let key = Some("key nex_abc".to_owned());
        assert_eq!(read(&[("x-api-key", "nex_abc")])?, key);
        assert_eq!(read(&[("authorization", "Bearer nex_abc")])?, key);
        assert_eq!(read(&[("authorization", "bearer nex_abc")])?, key);
        assert_eq!(
            read(&[
                ("x-api-key", "nex_abc"),
                ("authorization", "Bearer nex_abc")
            ])?,
            key
        );
        assert_eq!(
            read(&[("x-api-key", "nex_abc"), ("authorization", "Basic eDp5")])?,
            key
        );
        assert_eq!(
            read(&[("authorization", "Bearer eyJ.a.b")])?,
            Some("token eyJ.a.b".to_owned())
        );
        assert_eq!(read(&[("x_api_key", "nex_abc")])?, None);
        assert_eq!(read(&[])?, None);
        Ok(())
    }

    #[test]
    fn two_secrets_are_one_too_many() {
        for pairs in [
            [("x-api-key", "nex_a"), ("x-api-key", "nex_a")],
            [("x-api-key", "nex_a"), ("authorization", "Bearer nex_b")],
            [
                ("authorization", "Bearer nex_a"),
                ("authorization", "Bearer nex_a"),
            ],
        ] {
            assert!(
                matches!(read(&pairs), Err(Error::TwoCredentials)),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_credential_is_refused() {
        for pairs in [
            [("authorization", "Bearer  ")],
            [("x-api-key", "")],
            [("x-api-key", "nex_a b")],
        ] {
            assert!(matches!(read(&pairs), Err(Error::KeyInvalid)), "{pairs:?}");
        }
    }
}
