//! The client of an OAuth endpoint: an id and a secret, by HTTP Basic or in the body (RFC 6749 §2.3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use crate::domain::Error;
use crate::http::{form_decode, pick};

/// What a client presented. Nothing about it has been checked.
pub(crate) struct Client {
    /// As it was sent: a key, or the id of one.
    pub(crate) id: Zeroizing<String>,
    /// As it was sent.
    pub(crate) secret: Zeroizing<String>,
}

/// Takes the client from HTTP Basic or from the members of the body.
///
/// # Errors
/// `Invalid` for `client_secret` or `client_id` when both ways are taken, or a secret in the body is nobody's;
/// `TwoCredentials` for two `Authorization` fields; `ClientInvalid` for what cannot be a client or has no secret.
pub(crate) fn presented(
    headers: &HeaderMap,
    body_id: Option<String>,
    body_secret: Option<String>,
) -> Result<Option<Client>, Error> {
    let (body_id, body_secret) = (body_id.map(Zeroizing::new), body_secret.map(Zeroizing::new));
    match (basic(headers)?, body_id, body_secret) {
        (Some(_), _, Some(_)) => Err(Error::invalid(
            "client_secret",
            "must come once: in Authorization or in the body",
        )),
        // Naming oneself again is no second authentication.
        (Some(client), Some(id), None) if *id != *client.id => Err(Error::invalid(
            "client_id",
            "must be the one in Authorization",
        )),
        (Some(client), _, None) => Ok(Some(client)),
        (None, Some(id), Some(secret)) => Ok(Some(Client { id, secret })),
        // A client that says who it is and proves nothing.
        (None, Some(_), None) => Err(Error::ClientInvalid),
        (None, None, Some(_)) => Err(Error::invalid("client_id", "required")),
        (None, None, None) => Ok(None),
    }
}

/// The client in `Authorization: Basic`; other schemes count as none.
///
/// # Errors
/// `TwoCredentials` for two fields; `ClientInvalid` for what cannot be a client.
pub(super) fn basic(headers: &HeaderMap) -> Result<Option<Client>, Error> {
    let [authorization] = pick(headers, ["authorization"]).map_err(|_| Error::TwoCredentials)?;
    let Some(encoded) = authorization.and_then(basic_credentials) else {
        return Ok(None);
    };
    let pair = STANDARD
        .decode(encoded)
        .map(Zeroizing::new)
        .map_err(|_| Error::ClientInvalid)?;
    let pair = std::str::from_utf8(&pair).map_err(|_| Error::ClientInvalid)?;
    let (id, secret) = pair.split_once(':').ok_or(Error::ClientInvalid)?;
    let [id, secret] = [id, secret]
        .map(|part| form_decode(part).map(|decoded| Zeroizing::new(decoded.into_owned())));
    Ok(Some(Client {
        id: id.ok_or(Error::ClientInvalid)?,
        secret: secret.ok_or(Error::ClientInvalid)?,
    }))
}

fn basic_credentials(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, credentials) = authorization.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| credentials.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        authorization: &[&str],
        id: Option<&str>,
        secret: Option<&str>,
    ) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append("authorization", HeaderValue::from_str(value).unwrap());
        }
        presented(&headers, id.map(str::to_owned), secret.map(str::to_owned))
            .map(|client| {
                client.map(|client| {
                    assert_eq!(*client.secret, "a secret");
                    client.id.to_string()
                })
            })
            .map_err(|error| error.to_string())
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn one_client_from_either_place() {
        let id = Ok(Some("id".to_owned()));
        assert_eq!(read(&[], Some("id"), Some("a secret")), id);
        for pair in ["id:a secret", "id:a+secret", "%69d:a%20secret"] {
            assert_eq!(read(&[&basic_of(pair)], None, None), id, "{pair}");
            assert_eq!(read(&[&basic_of(pair)], Some("id"), None), id, "{pair}");
        }
        let lower = basic_of("id:a secret").replace("Basic", "bAsIc ");
        assert_eq!(read(&[&lower], None, None), id);
        assert_eq!(read(&["Bearer x"], None, None), Ok(None));
        assert_eq!(read(&[], None, None), Ok(None));
    }

    #[test]
    fn two_ways_or_half_a_client_are_refused() {
        let basic = basic_of("id:a secret");
        for (authorization, id, secret, problem) in [
            (
                &[basic.as_str()][..],
                None,
                Some("a secret"),
                "client_secret: must come once: in Authorization or in the body",
            ),
            (
                &[&basic],
                Some("other"),
                None,
                "client_id: must be the one in Authorization",
            ),
            (&[&basic, &basic], None, None, "two different credentials"),
            (&[], Some("id"), None, "client refused"),
            (&[], None, Some("a secret"), "client_id: required"),
        ] {
            assert_eq!(read(authorization, id, secret), Err(problem.to_owned()));
        }
        for broken in ["Basic !", "Basic aWQ", "Basic /w==", "Basic"] {
            let expected = match broken {
                "Basic" => Ok(None),
                _ => Err("client refused".to_owned()),
            };
            assert_eq!(read(&[broken], None, None), expected, "{broken}");
        }
        let escape = basic_of("id:%2");
        assert_eq!(
            read(&[&escape], None, None),
            Err("client refused".to_owned())
        );
    }
}
