//! `/.well-known/*`.

use hyper::body::Bytes;
use nexa_core::{FULL_ACCESS, public_jwks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::Cx;
use crate::domain::{Error, webhooks};
use crate::http::document::{Document, MediaType};
use crate::http::reply::{Cacheable, Ok200, RawJson};

/// How long anyone may keep these documents, in seconds.
const MAX_AGE_S: u32 = 300;

/// `/.well-known/jwks.json` (RFC 7517 §5).
pub(crate) fn jwks(cx: &mut Cx<'_>, (): ()) -> Result<RawJson, Error> {
    Ok(RawJson::cacheable(
        Bytes::copy_from_slice(cx.services.ring.issuing().jwks.as_bytes()),
        MAX_AGE_S,
    ))
}

/// The keys of webhooks, the newest first; receivers take what any of them has signed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WebhookKeySet {
    /// As libraries of Standard Webhooks take them: `whpk_` and base64.
    standard_webhooks: Vec<String>,
    /// The same as JWKs (RFC 8037 §2).
    keys: Vec<serde_json::Value>,
}

/// `/.well-known/webhook-keys.json`
pub(crate) fn webhook_keys(
    cx: &mut Cx<'_>,
    (): (),
) -> Result<Cacheable<Ok200<WebhookKeySet>>, Error> {
    let keys: Vec<_> = cx.services.webhook_keys.public().collect();
    let jwks: JwkSet = serde_json::from_str(&public_jwks(&keys))
        .map_err(|error| Error::Fault(format!("webhook keys: {error}")))?;
    let reply = Ok200(WebhookKeySet {
        standard_webhooks: keys.iter().map(webhooks::written).collect(),
        keys: jwks.keys,
    });
    Ok(Cacheable {
        reply,
        max_age_s: MAX_AGE_S,
    })
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// A signed key set.
pub(crate) struct KeySetBytes;

impl MediaType for KeySetBytes {
    const NAME: &'static str = "application/vnd.nexa.key-set";
}

/// `/.well-known/nexa-keyset`: which keys are for what, as the root key signed it.
pub(crate) fn key_set(cx: &mut Cx<'_>, (): ()) -> Result<Document<KeySetBytes>, Error> {
    let issuing = cx.services.ring.issuing();
    let published = &issuing.key_set;
    Ok(Document::new(cx.head, published.seq, MAX_AGE_S, || {
        Bytes::copy_from_slice(&published.signed)
    }))
}

/// RFC 8414 §2.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OauthServer {
    issuer: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<String>,
    /// None: there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
}

/// `/.well-known/oauth-authorization-server` (RFC 8414 §3).
pub(crate) fn oauth_server(
    cx: &mut Cx<'_>,
    (): (),
) -> Result<Cacheable<Ok200<OauthServer>>, Error> {
    let issuer = cx.services.ring.issuer().to_owned();
    let at = |path: &str| format!("{issuer}{path}");
    let scopes = std::iter::once(FULL_ACCESS.to_owned());
    let reply = Ok200(OauthServer {
        token_endpoint: at("/v1/account/token"),
        introspection_endpoint: at("/api/oauth/introspect"),
        revocation_endpoint: at("/api/oauth/revoke"),
        jwks_uri: at("/.well-known/jwks.json"),
        scopes_supported: scopes
            .chain(cx.services.key_policy.known.to_strings())
            .collect(),
        response_types_supported: [],
        grant_types_supported: [
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        token_endpoint_auth_methods_supported: [
            "client_secret_basic",
            "client_secret_post",
            "none",
        ],
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "Bearer"],
        revocation_endpoint_auth_methods_supported: ["client_secret_basic"],
        issuer,
    });
    Ok(Cacheable {
        reply,
        max_age_s: MAX_AGE_S,
    })
}
