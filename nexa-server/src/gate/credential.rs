//! The credential of a request: one secret, from one of its carriers.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use nexa_core::KeyDigest;
use zeroize::Zeroizing;

use crate::domain::Error;
use crate::domain::keys::Presented;
use crate::domain::principal::{Member, Via};
use crate::http::{form_decode, pick, websocket};

/// What the caller presented. Nothing about it has been checked.
pub(crate) enum Credential<'h> {
    /// An API key or an operator key.
    Key(Presented<'h>),
    /// What looks like a JWS: an access token or a licence token.
    Token(Zeroizing<String>),
}

/// A credential that was let in, for as long as its connection lasts: of a key no more than what it is known by.
pub(crate) enum Kept {
    Key(KeyDigest),
    Token(Zeroizing<String>),
}

impl Kept {
    /// What `member` came with on a request for a WebSocket.
    ///
    /// # Errors
    /// As [`presented`].
    pub(crate) fn of(member: &Member, head: &Parts) -> Result<Self, Error> {
        if let Via::Key { digest, .. } = &member.via {
            return Ok(Self::Key(KeyDigest::from_bytes(*digest)));
        }
        let token = websocket_token(head)?;
        match presented_beside(&head.headers, token.as_deref())? {
            Some(Credential::Token(token)) => Ok(Self::Token(token)),
            Some(Credential::Key(_)) | None => Err(Error::CredentialMissing),
        }
    }
}

/// Takes the credential from `X-API-Key` or `Authorization: Bearer`.
///
/// Other authorization schemes count as no credential.
///
/// # Errors
/// `TwoCredentials` when a carrier stands twice or two carriers disagree; `KeyInvalid` for what cannot be a credential.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Error> {
    presented_beside(headers, None)
}

/// The parameter `token` of the query, if the request asks for a WebSocket: the page that opens one can set no headers.
///
/// # Errors
/// `TwoCredentials` when it stands twice; `KeyInvalid` for what cannot be a credential.
///
/// # Security
/// URLs stand in logs and histories. No other request is let in by one.
pub(super) fn websocket_token(head: &Parts) -> Result<Option<Cow<'_, str>>, Error> {
    if !websocket::is_wanted(head) {
        return Ok(None);
    }
    let query = head.uri.query().unwrap_or_default();
    let mut tokens = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| form_decode(name).as_deref() == Some("token"));
    match (tokens.next(), tokens.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => form_decode(value).map(Some).ok_or(Error::KeyInvalid),
        (Some(_), Some(_)) => Err(Error::TwoCredentials),
    }
}

/// The one secret of the headers and of `token`.
///
/// # Errors
/// As [`presented`].
pub(super) fn presented_beside<'h>(
    headers: &'h HeaderMap,
    token: Option<&'h str>,
) -> Result<Option<Credential<'h>>, Error> {
    let [header_key, authorization] =
        pick(headers, ["x-api-key", "authorization"]).map_err(|_| Error::TwoCredentials)?;
    let header_key = header_key.map(visible).transpose()?;
    let bearer = authorization
        .map(visible)
        .transpose()?
        .map(bearer_token)
        .transpose()?
        .flatten();
    let mut secrets = [header_key, bearer, token].into_iter().flatten();
    let Some(secret) = secrets.next() else {
        return Ok(None);
    };
    if secrets.any(|other| other != secret) {
        return Err(Error::TwoCredentials);
    }
    if secret.is_empty() {
        return Err(Error::KeyInvalid);
    }
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
    fn the_query_carries_one_only_where_a_websocket_is_asked_for() {
        const KEY: &str = "nex_abc";
        let asked = |query: &str, upgrade: &str, pairs: &[(&'static str, &str)]| {
            let mut request = hyper::Request::get(format!("/api/ws/1?{query}"));
            for (name, value) in [("connection", "keep-alive, Upgrade"), ("upgrade", upgrade)] {
                request = request.header(name, value);
            }
            for (name, value) in pairs {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let token = websocket_token(&head).map_err(|error| error.to_string())?;
            let found = presented_beside(&head.headers, token.as_deref()).map(|found| {
                found.map(|credential| match credential {
                    Credential::Key(key) => *key.digest() == KeyDigest::of(KEY.as_bytes()),
                    Credential::Token(token) => token.as_str() == "eyJ.a.b",
                })
            });
            found.map_err(|error| error.to_string())
        };
        let two = || Err(Error::TwoCredentials.to_string());
        let invalid = || Err(Error::KeyInvalid.to_string());
        for (query, upgrade, pairs, expected) in [
            ("token=nex_abc", "websocket", &[][..], Ok(Some(true))),
            ("a=1&%74oken=nex%5Fabc&b", "WebSocket", &[], Ok(Some(true))),
            ("token=eyJ.a.b", "websocket", &[], Ok(Some(true))),
            (
                "token=nex_abc",
                "websocket",
                &[("x-api-key", KEY)],
                Ok(Some(true)),
            ),
            ("", "websocket", &[("x-api-key", KEY)], Ok(Some(true))),
            ("Token=nex_abc", "websocket", &[], Ok(None)),
            ("api_key=nex_abc", "websocket", &[], Ok(None)),
            ("token=nex_abc", "h2c", &[], Ok(None)),
            (
                "token=nex_other",
                "h2c",
                &[("x-api-key", KEY)],
                Ok(Some(true)),
            ),
            ("token=nex_other", "websocket", &[("x-api-key", KEY)], two()),
            (
                "token=nex_other",
                "websocket",
                &[("authorization", "Bearer nex_abc")],
                two(),
            ),
            ("token=nex_abc&token=nex_abc", "websocket", &[], two()),
            ("token=nex_abc&%74oken=", "websocket", &[], two()),
            ("token=", "websocket", &[], invalid()),
            ("token", "websocket", &[], invalid()),
            ("token=%zz", "websocket", &[], invalid()),
            ("token=nex%20abc", "websocket", &[], invalid()),
        ] {
            let found = asked(query, upgrade, pairs);
            assert_eq!(found, expected, "{query} {upgrade} {pairs:?}");
        }
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
