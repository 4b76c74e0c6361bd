//! `/api/authorize`: forward authorization, for nginx, Caddy, Traefik and Envoy.
//!
//! A gateway asks here before it passes a request on. The scope rules of the configuration say what
//! the caller's key needs.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use nexa_core::{Requirement, Scope};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;

use super::route::Cx;
use crate::domain::Error;
use crate::domain::key_cache::CheckedKey;
use crate::domain::keys::{Admission, Ask, Environments};
use crate::domain::original::OriginalRequest;
use crate::domain::rules::Demand;
use crate::gate::credential::{self, Credential};
use crate::http::extract::Query;
use crate::http::openapi::Operation;
use crate::http::pick;
use crate::http::reply::{Content, Respond};

const PREFIX: &str = "/api/authorize";

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Asked {
    /// Scopes, separated by spaces, that the key needs beside what the configured rule demands.
    #[serde(default)]
    scope: Option<String>,
}

/// `/api/authorize`: the request stands in headers, and `?scope=` may demand more.
pub(crate) fn by_headers(cx: &mut Cx<'_>, Query(asked): Query<Asked>) -> Result<Allowed, Error> {
    let scopes = asked.scope.as_deref().unwrap_or("").split_whitespace();
    let scopes: Vec<Scope> = scopes
        .map(|scope| {
            Scope::parse(scope).map_err(|error| Error::invalid("scope", error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    let described = described(&cx.head.headers, None)?;
    decide(cx, described, scopes).map(Allowed::of)
}

/// `/api/authorize/{*rest}`: the request is the one that was sent, less the prefix. Its query is the
/// caller's own and says nothing here.
pub(crate) fn by_path(cx: &mut Cx<'_>, (): ()) -> Result<Allowed, Error> {
    let rest = cx.head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let sent = OriginalRequest::new(cx.head.method.as_str(), rest)?;
    let described = described(&cx.head.headers, Some(sent))?;
    decide(cx, described, Vec::new()).map(Allowed::of)
}

/// The request that is here itself: what stands in its headers about another one says nothing.
pub(crate) fn in_process(cx: &mut Cx<'_>) -> Result<Option<Passed>, Error> {
    let request = OriginalRequest::new(cx.head.method.as_str(), cx.head.uri.path())?;
    decide(cx, Some(request), Vec::new())
}

/// A key that passed, and what it has left.
pub(crate) type Passed = (Arc<CheckedKey>, Admission);

/// The request that all present sources agree on, of a caller who says nothing in Nexa's name.
fn described<'h>(
    headers: &'h HeaderMap,
    sent: Option<OriginalRequest<'h>>,
) -> Result<Option<OriginalRequest<'h>>, Error> {
    if let Some(name) = made_up(headers) {
        return Err(unclear(format!("{name} is a name that only Nexa may send")));
    }
    let [
        original_method,
        original_uri,
        forwarded_method,
        forwarded_uri,
    ] = pick(
        headers,
        [
            "x-original-method",
            "x-original-uri",
            "x-forwarded-method",
            "x-forwarded-uri",
        ],
    )
    .map_err(|name| unclear(format!("{name} came twice")))?;
    // Two families, each complete or absent.
    let mut agreed = sent;
    for (method, uri, family) in [
        (
            original_method,
            original_uri,
            "X-Original-Method and X-Original-URI",
        ),
        (
            forwarded_method,
            forwarded_uri,
            "X-Forwarded-Method and X-Forwarded-Uri",
        ),
    ] {
        let found = match (
            method.map(HeaderValue::to_str),
            uri.map(HeaderValue::to_str),
        ) {
            (None, None) => continue,
            (Some(Ok(method)), Some(Ok(target))) => OriginalRequest::new(method, target)?,
            (Some(Err(_)), _) | (_, Some(Err(_))) => {
                return Err(unclear(format!("{family}: not ASCII")));
            }
            (None, Some(_)) | (Some(_), None) => {
                return Err(unclear(format!("{family}: one came without the other")));
            }
        };
        match agreed {
            Some(other) if other != found => {
                return Err(unclear(format!("{family} disagree with another source")));
            }
            _ => agreed = Some(found),
        }
    }
    Ok(agreed)
}

fn unclear(problem: String) -> Error {
    Error::OriginalRequest { problem }
}

/// The key that the request passes with; `None` where anybody may pass.
fn decide(
    cx: &mut Cx<'_>,
    request: Option<OriginalRequest<'_>>,
    asked: Vec<Scope>,
) -> Result<Option<Passed>, Error> {
    let rules = &cx.services.rules;
    let demand = request.map(|request| rules.demand(&request));
    let presented = credential::presented(&cx.head.headers);
    if let (Some(Ok(Demand::Public)), true) = (&demand, asked.is_empty()) {
        // Whatever credential it carries is the upstream's business, unless it could be taken for two.
        return match presented {
            Err(Error::TwoCredentials) => Err(Error::TwoCredentials),
            Ok(_) | Err(_) => Ok(None),
        };
    }
    let presented = match presented? {
        None => return Err(Error::CredentialMissing),
        Some(Credential::Token(_)) => return Err(Error::KeyInvalid),
        Some(Credential::Key(key)) => key,
    };
    let authority = cx.authority();
    let key = authority.key(cx.now, presented)?;
    cx.asked = Some(Arc::clone(&key));
    // Only a caller with a valid key learns what the rules say.
    let (rule, environments) = match demand.transpose()? {
        Some(Demand::Key {
            requirement,
            environments,
        }) => (requirement, *environments),
        None if asked.is_empty() => {
            return Err(unclear("send X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri".to_owned()));
        }
        Some(Demand::Public) | None => (&Requirement::AnyKey, Environments::Live),
    };
    let asked = Requirement::All(asked.into_iter().map(Requirement::Scope).collect());
    let ask = Ask {
        address: cx.origin.address,
        environments,
        requirements: &[rule, &asked],
    };
    let admission = authority.admit(cx.now, &key, &ask, 1)??;
    cx.rate = admission.rate;
    Ok(Some((key, admission)))
}

/// What a 200 tells the upstream, each time, even when it is empty: one that the caller made up must never pass through
/// the gateway.
const IDENTITY: [&str; 6] = [
    "x-nexa-tenant",
    "x-nexa-user",
    "x-nexa-key",
    "x-nexa-scopes",
    "x-nexa-environment",
    "x-nexa-error",
];

/// A header of the caller's that an upstream could take for one of ours and that no answer replaces.
///
/// # Security
/// Many a gateway can replace only headers whose names it was told: what a later version of Nexa says would be the
/// caller's to say under an older configuration. CGI and its kin read `X_Nexa_Tenant` as `X-Nexa-Tenant`.
fn made_up(headers: &HeaderMap) -> Option<&HeaderName> {
    let is_like_ours = |name: &str| {
        const PREFIX: &str = "x-nexa-";
        let mut pairs = name.bytes().zip(PREFIX.bytes());
        name.len() >= PREFIX.len()
            && pairs.all(|(found, ours)| {
                found == ours || (ours == b'-' && !found.is_ascii_alphanumeric())
            })
    };
    headers
        .keys()
        .find(|name| is_like_ours(name.as_str()) && !IDENTITY.contains(&name.as_str()))
}

/// The request may pass; the headers say on whose behalf.
pub(crate) struct Allowed(HeaderMap);

impl Allowed {
    fn of(passed: Option<Passed>) -> Self {
        let Some((key, _)) = passed else {
            return Self(identity(["", "", "", "", ""]));
        };
        Self(key.derived(|key| {
            identity([
                &key.tenant_id,
                &key.user_id,
                &key.id,
                &key.scopes_text,
                key.environment.as_str(),
            ])
        }))
    }
}

fn identity([tenant, user, key, scopes, environment]: [&str; 5]) -> HeaderMap {
    let value = |text| HeaderValue::from_str(text).expect("ids and scopes are visible ASCII");
    IDENTITY
        .into_iter()
        .zip([tenant, user, key, scopes, environment, ""])
        .map(|(name, text)| (HeaderName::from_static(name), value(text)))
        .collect()
}

impl Respond for Allowed {
    fn respond(self) -> Response<Content> {
        let mut response = Response::new(Content::Whole(Bytes::new()));
        *response.headers_mut() = self.0;
        response
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(
            StatusCode::OK,
            "The request may pass. X-Nexa-Tenant, X-Nexa-User, X-Nexa-Key, X-Nexa-Scopes and X-Nexa-Environment say whose key it carries.",
            None,
        );
    }
}
