//! Identity tokens as they are presented: read strictly, before anything in them is believed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::domain::identity::Claimed;
use crate::domain::trust::{Algorithm, Claims, Refused, TrustedIssuers};
use crate::http::read_json;
use crate::time::UnixMillis;

/// A token whose claims hold, and the id of the key that is to have signed it.
pub(crate) struct Presented<'a> {
    pub(crate) claimed: Claimed<'a>,
    pub(crate) key_id: String,
}

/// Reads a token and holds it against what is trusted: everything but its signature, which costs a key.
///
/// # Errors
/// [`Refused`].
///
/// # Security
/// The size is bounded before anything is decoded. Neither header nor claims may have a member twice. What would change how
/// the token is read, or bring a key of its own along, is refused and not followed.
pub(crate) fn read<'a>(
    now: UnixMillis,
    trusted: &'a TrustedIssuers,
    token: &'a str,
) -> Result<Presented<'a>, Refused> {
    const BYTES_MAX: usize = 16 * 1024;
    if token.len() > BYTES_MAX {
        return Err(plain(format!("at most {BYTES_MAX} bytes")));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(plain("must be a JWT of three parts"));
    };
    let header: Header = part("header", header)?;
    let payload: Payload = part("payload", payload)?;
    let (algorithm, key_id) = header.checked()?;
    let claims = Claims {
        issuer: payload.iss,
        subject: payload.sub,
        audience: payload.aud.0,
        issued_at: payload.iat,
        not_before: payload.nbf,
        expires_at: payload.exp,
    };
    let claimed = trusted.claimed(now, token, algorithm, claims)?;
    Ok(Presented { claimed, key_id })
}

fn plain(problem: impl Into<String>) -> Refused {
    Refused::Plain(problem.into())
}

fn part<T: DeserializeOwned>(name: &str, encoded: &str) -> Result<T, Refused> {
    let bytes = URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| plain(format!("its {name} is not base64url")))?;
    read_json(&bytes).map_err(|bad| plain(format!("its {name}: {}", bad.sentence())))
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: Option<String>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
    #[serde(default, deserialize_with = "is_there")]
    b64: bool,
    #[serde(default, deserialize_with = "is_there")]
    zip: bool,
    #[serde(default, deserialize_with = "is_there")]
    enc: bool,
    #[serde(default, deserialize_with = "is_there")]
    jwk: bool,
    #[serde(default, deserialize_with = "is_there")]
    jku: bool,
    #[serde(default, deserialize_with = "is_there")]
    x5u: bool,
    #[serde(default, deserialize_with = "is_there")]
    x5c: bool,
}

impl Header {
    fn checked(self) -> Result<(Algorithm, String), Refused> {
        const KEY_ID_BYTES_MAX: usize = 256;
        for (name, is_there) in [
            ("crit", self.crit),
            ("b64", self.b64),
            ("zip", self.zip),
            ("enc", self.enc),
            ("jwk", self.jwk),
            ("jku", self.jku),
            ("x5u", self.x5u),
            ("x5c", self.x5c),
        ] {
            if is_there {
                return Err(plain(format!("its header: {name}: not taken")));
            }
        }
        let is_jwt = |typ: &str| typ.eq_ignore_ascii_case("JWT");
        if !self.typ.as_deref().is_none_or(is_jwt) {
            return Err(plain("its header: typ: must be JWT"));
        }
        if self.kid.is_empty() || self.kid.len() > KEY_ID_BYTES_MAX {
            let rule = format!("its header: kid: must be 1 to {KEY_ID_BYTES_MAX} bytes");
            return Err(plain(rule));
        }
        let algorithm = Algorithm::parse(&self.alg)
            .ok_or_else(|| plain("its header: alg: must be RS256 or ES256"))?;
        Ok((algorithm, self.kid))
    }
}

/// Whole seconds only: what is no number is no time.
#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    iat: u64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<u64>,
}

/// One audience, alone or as an array of one: a token that is for others too could come from them.
struct Audience(String);

/// Whether the member is there, whatever it holds.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Null is no time, and not the same as none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one audience")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
                Ok(Audience(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Audience, A::Error> {
                match (names.next_element()?, names.next_element::<IgnoredAny>()?) {
                    (Some(name), None) => Ok(Audience(name)),
                    (None | Some(_), _) => Err(de::Error::custom("must be one audience")),
                }
            }
        }
        deserializer.deserialize_any(One)
    }
}
