//! `/v1/account/token`: access tokens, by one grant or another (RFC 6749 §3.2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::super::route::Cx;
use crate::domain::principal::Principal;
use crate::domain::{Error, access_tokens, agent_tokens};
use crate::gate::{client, credential};
use crate::http::extract::FormOrBody;
use crate::http::reply::{Ok200, Uncached};

/// The client authenticates by HTTP Basic, or by `client_id` and `client_secret` here.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TokenRequest {
    /// `client_credentials`.
    grant_type: Option<String>,
    /// The agent's `api_key`.
    client_id: Option<String>,
    /// The agent's `api_secret`.
    client_secret: Option<String>,
    /// Scopes of the key, separated by spaces; without it the token may do what the key may.
    scope: Option<String>,
}

/// RFC 6749 §5.1.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccessToken {
    access_token: String,
    /// Always `Bearer` (RFC 6750).
    token_type: &'static str,
    /// Seconds the token lasts.
    expires_in: u64,
    /// What it is limited to, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

pub(crate) fn token(
    cx: &mut Cx<'_>,
    FormOrBody(body): FormOrBody<TokenRequest>,
) -> Result<Uncached<Ok200<AccessToken>>, Error> {
    let TokenRequest {
        grant_type,
        client_id,
        client_secret,
        scope,
    } = body;
    // RFC 6749 §3.2: a parameter without a value counts as left out, in JSON too.
    let [grant_type, client_id, client_secret, scope] =
        [grant_type, client_id, client_secret, scope]
            .map(|parameter| parameter.filter(|value| !value.is_empty()));
    match grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(Error::GrantUnsupported),
        None => return Err(Error::invalid("grant_type", "required")),
    }
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
        &services.issuing,
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
    Ok(Uncached(Ok200(AccessToken {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in: access_tokens::ACCESS_TTL_S,
        scope: issued.scope,
    })))
}
