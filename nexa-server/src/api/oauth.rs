//! `/api/oauth/*`: what standard clients ask about tokens and keys, and how they revoke them.

use std::net::IpAddr;

use nexa_core::{KeyDigest, ScopeSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key_questions::{self, WantedEnvironment};
use super::route::Cx;
use crate::domain::Error;
use crate::domain::access_tokens::{self, OpenToken};
use crate::domain::keys::{self, Ask, Environments, Presented};
use crate::domain::principal::{Member, Via};
use crate::domain::sessions;
use crate::gate::credential;
use crate::http::extract::Form;
use crate::http::reply::{Empty, Ok200, Uncached};

/// RFC 7662 §2.1.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Introspection {
    /// An API key or an access token.
    token: Option<String>,
    /// The address that it was used from: what is bound to addresses is active only with it.
    address: Option<String>,
    /// Which keys are wanted; `live` without it.
    environment: Option<WantedEnvironment>,
}

/// RFC 7662 §2.2. What is not active says nothing else.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct TokenState {
    active: bool,
    /// Within what its user may do now; separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The id of the key, or of the key that the token came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The id of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// Unix seconds; none for what does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
}

/// Counts as no use of the key that is asked about.
pub(crate) fn introspect(
    cx: &mut Cx<'_>,
    Form(body): Form<Introspection>,
) -> Result<Uncached<Ok200<TokenState>>, Error> {
    let token = required(body.token)?;
    let address = key_questions::address(body.address.as_deref())?;
    let environments = WantedEnvironment::environments(body.environment);
    let state = match credential::is_token_shaped(&token) {
        true => token_state(cx, &token)?,
        false => key_state(cx, &token, address, environments)?,
    };
    Ok(Uncached(Ok200(state.unwrap_or_default())))
}

/// RFC 7009 §2.1.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Revocation {
    /// An API key, or an access or refresh token of one's own session.
    token: Option<String>,
}

/// Deletes the key, ends a value of it that a rotation has replaced, or ends the session. What the caller cannot know of
/// answers as what is not there: with success.
pub(crate) fn revoke(
    cx: &mut Cx<'_>,
    Form(body): Form<Revocation>,
) -> Result<Uncached<Empty>, Error> {
    let token = required(body.token)?;
    if credential::is_token_shaped(&token) {
        if let Some(OpenToken { member, .. }) = open_token(cx, &token)? {
            match member.via {
                Via::Session { id, .. } => end_session(cx, id, &member.user_id)?,
                Via::Secret { .. } | Via::Issuer { .. } | Via::Key { .. } | Via::Program => {
                    return Err(Error::TokenTypeUnsupported);
                }
            }
        }
        return Ok(Uncached(Empty));
    }
    if let Some(session) = cx.read(|tx| sessions::of_refresh_token(tx, &token))? {
        let principal = &cx.origin.principal;
        if principal.knows_of(&session.tenant_id, &session.user_id) {
            end_session(cx, session.id, &session.user_id)?;
        }
        return Ok(Uncached(Empty));
    }
    let presented: Vec<KeyDigest> = Presented::new(&token).digests().collect();
    match cx.weaken(move |tx, now, origin| keys::revoke_presented(tx, now, origin, &presented)) {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(Uncached(Empty)),
        Err(error) => Err(error),
    }
}

/// One's own; those of others end otherwise.
fn end_session(cx: &Cx<'_>, id: String, user_id: &str) -> Result<(), Error> {
    if cx.member()?.user_id != user_id {
        return Err(Error::TokenTypeUnsupported);
    }
    match cx.write(move |tx, now, origin| sessions::end(tx, now, origin, &id)) {
        // It ended meanwhile.
        Err(Error::NotFound { .. }) => Ok(()),
        ended => ended,
    }
}

/// What neither request can do without.
fn required(token: Option<String>) -> Result<Zeroizing<String>, Error> {
    token
        .map(Zeroizing::new)
        .ok_or_else(|| Error::invalid("token", "required"))
}

fn key_state(
    cx: &Cx<'_>,
    presented: &str,
    address: Option<IpAddr>,
    environments: Environments,
) -> Result<Option<TokenState>, Error> {
    let services = cx.services;
    let presented = Presented::new(presented);
    let mut found = cx.authority().find(presented)?;
    // The uses that are left stand in the store alone.
    if found.as_ref().is_some_and(|key| key.is_numbered) {
        let (store, cache) = (&services.store, &services.cache);
        found = keys::find_presented(store, cache, &services.key_policy, presented)?;
    }
    let ask = Ask {
        address,
        environments,
        requirements: &[],
    };
    let active = found.filter(|key| {
        cx.origin.principal.knows_of(&key.tenant_id, &key.user_id)
            && keys::judge(cx.now, key, &ask).is_ok()
            && key.remaining != Some(0)
    });
    Ok(active.map(|key| TokenState {
        active: true,
        scope: Some(key.scopes_text.clone()),
        client_id: Some(key.id.clone()),
        sub: Some(key.user_id.clone()),
        token_type: Some("Bearer"),
        exp: key.expires_at.map(|at| at.seconds().get()),
        iat: Some(key.created_at.seconds().get()),
        iss: Some(services.ring.issuer().to_owned()),
        jti: None,
        tenant_id: Some(key.tenant_id.clone()),
    }))
}

fn token_state(cx: &Cx<'_>, token: &str) -> Result<Option<TokenState>, Error> {
    let Some(open) = open_token(cx, token)? else {
        return Ok(None);
    };
    let ceiling = cx.services.key_policy.ceiling(open.member.role);
    let scopes = match &open.scope {
        None => ceiling.clone(),
        Some(scope) => ScopeSet::parse(scope.split(' '))
            .map_err(|error| Error::Fault(format!("scope of a token: {error}")))?
            .intersection(ceiling),
    };
    Ok(Some(TokenState {
        active: true,
        scope: Some(scopes.to_strings().join(" ")),
        client_id: match open.member.via {
            Via::Secret { key_id, .. } => Some(key_id),
            Via::Session { .. } | Via::Issuer { .. } | Via::Key { .. } | Via::Program => None,
        },
        sub: Some(open.member.user_id),
        token_type: Some("Bearer"),
        exp: Some(open.expires_at.get()),
        iat: Some(open.issued_at.get()),
        iss: Some(cx.services.ring.issuer().to_owned()),
        jti: Some(open.jti),
        tenant_id: Some(open.member.tenant_id),
    }))
}

/// An access token that holds and that the caller may know of.
fn open_token(cx: &Cx<'_>, token: &str) -> Result<Option<OpenToken>, Error> {
    let opened =
        cx.read(|tx| access_tokens::open_token(tx, cx.now, &cx.services.ring.issuing(), token));
    match opened {
        Ok(open) => {
            let Member {
                tenant_id, user_id, ..
            } = &open.member;
            let is_known = cx.origin.principal.knows_of(tenant_id, user_id);
            Ok(is_known.then_some(open))
        }
        Err(Error::TokenInvalid { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
