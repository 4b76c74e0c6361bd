//! `/v1/account/token`: access tokens, by one grant or another (RFC 6749 §3.2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::super::route::Cx;
use super::exchange::{self, Exchange};
use crate::domain::principal::Principal;
use crate::domain::{Error, access_tokens, agent_tokens};
use crate::gate::{client, credential};
use crate::http::extract::FormOrBody;
use crate::http::reply::{Ok200, Uncached};

/// An agent authenticates by HTTP Basic, or by `client_id` and `client_secret` here. Who has an identity token of a trusted
/// issuer needs no client.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TokenRequest {
    /// `client_credentials`, or `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: Option<String>,
    /// The agent's `api_key`.
    client_id: Option<String>,
    /// The agent's `api_secret`.
    client_secret: Option<String>,
    /// Scopes separated by spaces; without it the token may do what the key, or the subject of the identity token, may.
    scope: Option<String>,
    /// To be exchanged: an identity token that a trusted issuer has signed.
    subject_token: Option<String>,
    /// `urn:ietf:params:oauth:token-type:jwt` or `urn:ietf:params:oauth:token-type:id_token`.
    subject_token_type: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token` at most.
    requested_token_type: Option<String>,
    /// This server at most.
    resource: Option<String>,
    /// This server at most.
    audience: Option<String>,
    /// Not taken: who acts is the subject.
    actor_token: Option<String>,
    /// Not taken.
    actor_token_type: Option<String>,
}

/// RFC 6749 §5.1, RFC 8693 §2.2.1.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccessToken {
    pub(super) access_token: String,
    /// `urn:ietf:params:oauth:token-type:access_token`, after an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issued_token_type: Option<&'static str>,
    /// Always `Bearer` (RFC 6750).
    pub(super) token_type: &'static str,
    /// Seconds the token lasts.
    pub(super) expires_in: u64,
    /// What it is limited to: always after an exchange, else if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
}

pub(crate) fn token(
    cx: &mut Cx<'_>,
    FormOrBody(body): FormOrBody<TokenRequest>,
) -> Result<Uncached<Ok200<AccessToken>>, Error> {
    // RFC 6749 §3.2: a parameter without a value counts as left out, in JSON too.
    let given = |parameter: Option<String>| parameter.filter(|value| !value.is_empty());
    let scope = given(body.scope);
    let token = match given(body.grant_type).as_deref() {
        Some("client_credentials") => {
            by_client(cx, given(body.client_id), given(body.client_secret), scope)
        }
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => {
            let request = Exchange {
                client_secret: given(body.client_secret),
                scope,
                subject_token: given(body.subject_token),
                subject_token_type: given(body.subject_token_type),
                requested_token_type: given(body.requested_token_type),
                resource: given(body.resource),
                audience: given(body.audience),
                actor_token: given(body.actor_token).or(given(body.actor_token_type)),
            };
            exchange::by_identity(cx, request)
        }
        Some(_) => Err(Error::GrantUnsupported),
        None => Err(Error::invalid("grant_type", "required")),
    };
    token.map(|token| Uncached(Ok200(token)))
}

/// RFC 6749 §4.4.
fn by_client(
    cx: &mut Cx<'_>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
) -> Result<AccessToken, Error> {
    let headers = &cx.head.headers;
    let client = client::presented(headers, client_id, client_secret)?;
    let client = client.ok_or(Error::CredentialMissing)?;
    if !matches!(credential::presented(headers), Ok(None)) {
        return Err(Error::TwoCredentials);
    }
    let agent = cx.authority().agent(cx.now, &cx.origin, &client)?;
    let services = cx.services;
    let issued = agent_tokens::issue(
        cx.now,
        cx.rng,
        &services.ring.issuing(),
        &services.key_policy.known,
        &agent,
        scope.as_deref(),
    )?;
    // A key that carries no limit has nothing else to count.
    services.cache.note_use(cx.now, &agent.key);
    // From here on the agent is the caller: the write asks whether its key and its secret still stand.
    cx.origin.principal = Principal::Member(agent.member);
    match cx.write(agent_tokens::record_issue) {
        Err(Error::TokenInvalid { .. }) => Err(Error::ClientInvalid),
        written => written,
    }?;
    Ok(AccessToken {
        access_token: issued.token,
        issued_token_type: None,
        token_type: "Bearer",
        expires_in: access_tokens::ACCESS_TTL_S,
        scope: issued.scope,
    })
}
