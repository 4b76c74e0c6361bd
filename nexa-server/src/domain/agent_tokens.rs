//! Access tokens that an agent gets for its key and its secret (RFC 6749 §4.4).

use std::sync::Arc;

use nexa_core::{KeyDigest, NewAccess, Requirement, Scope, ScopeSet, uuid_v7};
use rand_core::CryptoRng;

use super::access_tokens::ACCESS_TTL_S;
use super::audit::{self, Act, Origin};
use super::error::Error;
use super::key_cache::CheckedKey;
use super::principal::{KeyPower, Member, Via};
use super::server_keys::Issuing;

use crate::store::Tx;
use crate::store::agents;
use crate::time::UnixMillis;

/// What the `sid` of such a token begins with. No session's id begins so.
const SECRET_SESSION: &str = "secret.";

/// An agent whose key and secret belong together.
pub(crate) struct AgentClient {
    pub(crate) member: Member,
    pub(crate) key: Arc<CheckedKey>,
    secret_version: i64,
}

/// The agent behind a key that has been checked and a secret that has not.
///
/// # Errors
/// `ClientInvalid` when the key is no agent's or the secret is not its agent's; the answer does not say which.
///
/// # Security
/// Digests are compared in constant time, so that no secret is learned by steps. How long an answer takes may tell whether
/// there is such a key, which is itself too long to be guessed.
pub(crate) fn client(
    tx: &Tx<'_>,
    key: &Arc<CheckedKey>,
    secret: &KeyDigest,
) -> Result<AgentClient, Error> {
    let agent = agents::find(tx, &key.tenant_id)?
        .filter(|agent| KeyDigest::from_bytes(agent.secret_digest).matches(secret))
        .ok_or(Error::ClientInvalid)?;
    Ok(AgentClient {
        member: Member {
            tenant_id: key.tenant_id.clone(),
            user_id: key.user_id.clone(),
            role: key.role,
            via: Via::Secret {
                key_id: key.id.clone(),
                value: value_head(key),
                version: agent.secret_version,
            },
        },
        key: Arc::clone(key),
        secret_version: agent.secret_version,
    })
}

/// Records that the key of an agent came with a wrong secret; nothing for a key of people, who have no secret.
pub(crate) fn record_refusal(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    key: &CheckedKey,
) -> Result<(), Error> {
    if agents::find(tx, &key.tenant_id)?.is_none() {
        return Ok(());
    }
    audit::record(
        tx,
        now,
        origin,
        Act::AgentSecretRefused,
        Some(&key.tenant_id),
        Some(&key.id),
    )
}

/// A token that [`record_issue`] has yet to record.
pub(crate) struct IssuedToken {
    pub(crate) token: String,
    /// What it is limited to, if the client asked for less than everything.
    pub(crate) scope: Option<String>,
}

/// Signs an access token for the agent, limited to the scopes that were asked for, if any.
///
/// # Errors
/// `ClientForbidden` for a key without `full_access`, since a token stands for its user and so must its key, and for a key
/// that carries a limit, which its tokens would not. `ScopeRefused` for scopes that are unknown or not the key's.
pub(crate) fn issue(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    issuing: &Issuing,
    known_scopes: &ScopeSet,
    client: &AgentClient,
    scope: Option<&str>,
) -> Result<IssuedToken, Error> {
    if !client.key.has_full_access {
        return Err(Error::ClientForbidden {
            rule: "Tokens are for API keys with full_access",
        });
    }
    match client.key.power {
        KeyPower::Whole => {}
        // A replaced value is limited by its grace.
        KeyPower::Limited | KeyPower::Replaced => {
            return Err(Error::ClientForbidden {
                rule: "Tokens are for API keys that carry no limit",
            });
        }
    }
    let scopes = scope
        .map(|scope| asked(known_scopes, &client.key, scope))
        .transpose()?;
    let is_whole = scopes
        .as_ref()
        .is_none_or(|scopes| scopes.contains(&Scope::full_access()));
    let scope = scopes.map(|scopes| scopes.to_strings().join(" "));
    let request = NewAccess {
        jti: &uuid_v7(now.unsigned_ms(), rng),
        subject: &client.member.user_id,
        tenant: &client.member.tenant_id,
        session: &session_of(&client.key),
        session_version: u64::try_from(client.secret_version).unwrap_or(0),
        role: is_whole.then_some(client.member.role.as_str()),
        scope: scope.as_deref(),
        ttl_s: ACCESS_TTL_S,
    };
    let access = issuing
        .access
        .issue(now.seconds(), &request)
        .map_err(|error| Error::Fault(format!("access token: {error}")))?;
    Ok(IssuedToken {
        token: access.token,
        scope,
    })
}

/// Records the token against the calling agent.
pub(crate) fn record_issue(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<(), Error> {
    let member = origin.principal.member()?;
    audit::record(
        tx,
        now,
        origin,
        Act::AgentTokenIssued,
        Some(&member.tenant_id),
        Some(&member.user_id),
    )
}

/// The `sid` of a token: the key it was got for, and the head of the digest of the value that the key had then.
fn session_of(key: &CheckedKey) -> String {
    format!("{SECRET_SESSION}{}.{:016x}", key.id, value_head(key))
}

/// Reads what [`session_of`] wrote; `None` for a session of a person.
///
/// # Errors
/// `TokenInvalid` for what was not written so.
pub(super) fn via(session: &str, version: i64) -> Result<Option<Via>, Error> {
    let Some(rest) = session.strip_prefix(SECRET_SESSION) else {
        return Ok(None);
    };
    let parts = rest.split_once('.');
    let (key_id, value) = parts
        .and_then(|(key_id, head)| Some((key_id, u64::from_str_radix(head, 16).ok()?)))
        .ok_or_else(|| Error::TokenInvalid {
            reason: "names no value of its key".to_owned(),
        })?;
    Ok(Some(Via::Secret {
        key_id: key_id.to_owned(),
        value,
        version,
    }))
}

fn value_head(key: &CheckedKey) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = key.digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The scopes of RFC 6749 §3.3: known ones that the key has. They are few and short, so that a token stays one.
fn asked(known_scopes: &ScopeSet, key: &CheckedKey, text: &str) -> Result<ScopeSet, Error> {
    const SCOPES_MAX: usize = 32;
    let refused = |problem: String| Error::ScopeRefused { problem };
    let scopes =
        ScopeSet::parse(text.split(' ')).map_err(|error| refused(format!("scope: {error}")))?;
    if scopes.len() > SCOPES_MAX {
        return Err(refused(format!("scope: at most {SCOPES_MAX} scopes")));
    }
    let full_access = Scope::full_access();
    for scope in scopes.iter().filter(|scope| **scope != full_access) {
        if !known_scopes.contains(scope) {
            return Err(refused(format!("scope: unknown scope {scope}")));
        }
        if key
            .scopes
            .missing(&Requirement::Scope(scope.clone()))
            .is_some()
        {
            return Err(refused(format!("scope: the key does not have {scope}")));
        }
    }
    Ok(scopes)
}
