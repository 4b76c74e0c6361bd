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
use hyper::header::{AUTHORIZATION, HeaderMap};
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

    /// The documented three refusals, or nothing.
    fn refusal(
        &self,
        headers: &HeaderMap,
        requirement: &Requirement,
    ) -> Option<(StatusCode, String)> {
        let Some(presented) = presented(headers) else {
            return Some((StatusCode::UNAUTHORIZED, "API key required".to_owned()));
        };
        let known = PlainKey::from_presented(presented)
            .and_then(|key| self.0.get(&key.digest().to_bytes()));
        // Found by a hash map, compared in constant time: the map's own comparison must not decide.
        match known.filter(|(digest, _)| digest.verify(presented.as_bytes())) {
            None => Some((StatusCode::UNAUTHORIZED, "Invalid API key".to_owned())),
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

fn presented(headers: &HeaderMap) -> Option<&str> {
    match headers.get("x-api-key") {
        Some(value) => value.to_str().ok(),
        None => headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer "),
    }
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
