//! A service of one's own that checks API keys and scopes in process, without a Nexa server.
//!
//! ```text
//! cargo run -p nexa-examples --example protect_a_server
//! ```
//!
//! It prints a key and a curl line. Only the SHA-256 of the key stays in the service.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use getrandom::SysRng;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use nexa_core::{KeyDigest, KeyFormat, PlainKey, Requirement, Scope, ScopeSet};
use rand_core::UnwrapErr;
use tokio::net::TcpListener;

/// What the service keeps of its keys: found by digest, never the key itself.
struct Keys(HashMap<[u8; 32], (KeyDigest, ScopeSet)>);

impl Keys {
    /// Makes a key; only its maker ever sees it.
    fn issue(&mut self, scopes: ScopeSet) -> PlainKey {
        let key = KeyFormat::NEXA.generate(&mut UnwrapErr(SysRng));
        self.0
            .insert(key.digest().to_bytes(), (key.digest(), scopes));
        key
    }

    /// The documented refusals, or nothing.
    fn refusal(
        &self,
        headers: &HeaderMap,
        requirement: &Requirement,
    ) -> Option<(StatusCode, String)> {
        let refuse = |status, text: &str| Some((status, text.to_owned()));
        let presented = match presented(headers) {
            Ok(Some(presented)) => presented,
            Ok(None) => return refuse(StatusCode::UNAUTHORIZED, "API key required"),
            Err(TwoCredentials) => {
                return refuse(
                    StatusCode::BAD_REQUEST,
                    "Send one credential, once: in X-API-Key or in Authorization",
                );
            }
        };
        let known = std::str::from_utf8(presented)
            .ok()
            .and_then(PlainKey::from_presented)
            .and_then(|key| self.0.get(&key.digest().to_bytes()));
        // Found by a hash map, compared in constant time: the map's own comparison must not decide.
        match known.filter(|(digest, _)| digest.verify(presented)) {
            None => refuse(StatusCode::UNAUTHORIZED, "Invalid API key"),
            Some((_, scopes)) => {
                let missing = scopes.missing(requirement)?;
                Some((
                    StatusCode::FORBIDDEN,
                    format!("API key missing required scope: {missing}"),
                ))
            }
        }
    }
}

/// A header field that stands twice, or two that disagree: something on the way may have read the other one.
#[derive(Debug, PartialEq, Eq)]
struct TwoCredentials;

/// The one credential of a request, in bytes: a key that is no text is a wrong key, not none.
fn presented(headers: &HeaderMap) -> Result<Option<&[u8]>, TwoCredentials> {
    let key = only(headers, "x-api-key")?;
    let bearer = only(headers, "authorization")?.and_then(bearer_token);
    match (key, bearer) {
        (Some(key), Some(bearer)) if key != bearer => Err(TwoCredentials),
        (key, bearer) => Ok(key.or(bearer)),
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, TwoCredentials> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::as_bytes);
    match values.next() {
        Some(_) => Err(TwoCredentials),
        None => Ok(first),
    }
}

/// RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1). Other schemes are not for this service.
fn bearer_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii_start())
}

fn answer(
    keys: &Keys,
    signals: &Requirement,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/signals") => match keys.refusal(request.headers(), signals) {
            None => (StatusCode::OK, "[]".to_owned()),
            Some(refusal) => refusal,
        },
        _ => (
            StatusCode::NOT_FOUND,
            "There is nothing at this path".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut keys = Keys(HashMap::new());
    let key = keys.issue(ScopeSet::parse(["signals"])?);
    let other = keys.issue(ScopeSet::parse(["agents"])?);
    let signals = Requirement::Scope(Scope::parse("signals")?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/signals", listener.local_addr()?);
    println!("passes:  curl -H 'X-API-Key: {}' {url}", key.expose());
    println!("refused: curl -H 'X-API-Key: {}' {url}", other.expose());
    let service = Arc::new((keys, signals));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let handle = service_fn(|request| {
                let (keys, signals) = &*service;
                let response = answer(keys, signals, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), handle);
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_credential_passes_and_all_else_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let mut keys = Keys(HashMap::new());
        let key = keys.issue(ScopeSet::parse(["signals"])?);
        let other = keys.issue(ScopeSet::parse(["agents"])?);
        let (key, other) = (key.expose(), other.expose());
        let signals = Requirement::Scope(Scope::parse("signals")?);
        let bearer = |scheme: &str| format!("{scheme} {key}");
        for (headers, status) in [
            (vec![("x-api-key", key.to_owned())], None),
            (vec![("authorization", bearer("Bearer"))], None),
            (vec![("authorization", bearer("bearer"))], None),
            (vec![("authorization", bearer("BEARER "))], None),
            (
                vec![
                    ("x-api-key", key.to_owned()),
                    ("authorization", bearer("Bearer")),
                ],
                None,
            ),
            (
                vec![
                    ("x-api-key", key.to_owned()),
                    ("authorization", "Basic eDp5".to_owned()),
                ],
                None,
            ),
            (vec![], Some(401)),
            (vec![("authorization", "Basic eDp5".to_owned())], Some(401)),
            (vec![("authorization", "Bearer".to_owned())], Some(401)),
            (vec![("authorization", "Bearerish x".to_owned())], Some(401)),
            (vec![("x_api_key", key.to_owned())], Some(401)),
            (vec![("x-api-key", String::new())], Some(401)),
            (vec![("x-api-key", format!("{key}x"))], Some(401)),
            (vec![("x-api-key", key.to_lowercase())], Some(401)),
            (vec![("x-api-key", other.to_owned())], Some(403)),
            (
                vec![
                    ("x-api-key", other.to_owned()),
                    ("authorization", bearer("Bearer")),
                ],
                Some(400),
            ),
            (
                vec![("x-api-key", key.to_owned()), ("x-api-key", key.to_owned())],
                Some(400),
            ),
            (
                vec![
                    ("authorization", bearer("Bearer")),
                    ("authorization", "Basic eDp5".to_owned()),
                ],
                Some(400),
            ),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(*name, HeaderValue::from_str(value)?);
            }
            let refusal = keys.refusal(&map, &signals);
            assert_eq!(
                refusal.map(|(status, _)| status.as_u16()),
                status,
                "{headers:?}"
            );
        }
        for bytes in ["nex_é".as_bytes(), b"nex_\xff"] {
            let mut map = HeaderMap::new();
            map.append("x-api-key", HeaderValue::from_bytes(bytes)?);
            assert_eq!(
                keys.refusal(&map, &signals),
                Some((StatusCode::UNAUTHORIZED, "Invalid API key".to_owned()))
            );
        }
        Ok(())
    }
}
