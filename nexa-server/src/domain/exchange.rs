//! Identity tokens of others for access tokens of ours (RFC 8693): who such a token stands for, and for how long.

use nexa_core::{NewAccess, Scope, ScopeSet, uuid_v7};
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::error::Error;
use super::identity::Identity;
use super::principal::{Member, Role, Via};
use super::server_keys::Issuing;
use super::trust::{SubjectRule, TrustedIssuers};
use crate::store::Tx;
use crate::store::users::{self, User};
use crate::time::UnixMillis;

/// How long a token lasts at most, in seconds, whatever the identity token says.
const TTL_MAX_S: u64 = 15 * 60;

/// What the `sid` of such a token begins with. No session's id begins so.
const ISSUER_SESSION: &str = "issuer.";

/// A token that [`record_issue`] has yet to record.
pub(crate) struct Exchanged {
    pub(crate) member: Member,
    pub(crate) token: String,
    pub(crate) scope: String,
    pub(crate) ttl_s: u64,
}

/// Whom the subject of an identity token acts for: of the owners that its tenant has and that are active, the one who has
/// been there longest.
/// None where there is no such tenant, or a disabled one.
pub(crate) fn owner(tx: &Tx<'_>, rule: &SubjectRule) -> Result<Option<User>, Error> {
    Ok(users::oldest_active_owner(tx, &rule.tenant_id)?)
}

/// Signs an access token for the subject, limited to the scopes that were asked for, or to all that it may have.
///
/// # Errors
/// `ScopeRefused` for scopes that are unknown or not the subject's.
pub(crate) fn issue(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    issuing: &Issuing,
    known_scopes: &ScopeSet,
    identity: &Identity<'_>,
    owner: &User,
    scope: Option<&str>,
) -> Result<Exchanged, Error> {
    let rule = identity.rule();
    let scopes = match scope {
        Some(scope) => asked(known_scopes, rule, scope)?,
        None => rule.scopes.clone(),
    };
    let is_whole = scopes.contains(&Scope::full_access());
    let scope = scopes.to_strings().join(" ");
    let left_s = identity.ends_at_s().saturating_sub(now.seconds().get());
    let ttl_s = left_s.min(TTL_MAX_S);
    let session = format!(
        "{ISSUER_SESSION}{}.{}",
        identity.issuer().mark(),
        identity.subject()
    );
    let request = NewAccess {
        jti: &uuid_v7(now.unsigned_ms(), rng),
        subject: &owner.id,
        tenant: &owner.tenant_id,
        session: &session,
        session_version: u64::try_from(owner.session_version).unwrap_or(0),
        role: is_whole.then_some(owner.role.as_str()),
        scope: Some(&scope),
        ttl_s,
    };
    let access = issuing
        .access
        .issue(now.seconds(), &request)
        .map_err(|error| Error::Fault(format!("access token: {error}")))?;
    Ok(Exchanged {
        member: Member {
            tenant_id: owner.tenant_id.clone(),
            user_id: owner.id.clone(),
            role: Role::parse(&owner.role)?,
            via: Via::Issuer {
                identity: named(&identity.issuer().issuer, identity.subject()),
                version: owner.session_version,
            },
        },
        token: access.token,
        scope,
        ttl_s,
    })
}

/// Records the token against the calling subject.
pub(crate) fn record_issue(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let (tenant_id, user_id) = (&member.tenant_id, &member.user_id);
    let act = Act::IdentityExchanged;
    audit::record(tx, now, origin, act, Some(tenant_id), Some(user_id))
}

/// Reads the `sid` that [`issue`] wrote; `None` for any other session. What is no longer trusted, or no longer with these
/// scopes, stands for nobody.
///
/// # Errors
/// `TokenInvalid`.
pub(super) fn via(
    trusted: &TrustedIssuers,
    session: &str,
    version: i64,
    tenant_id: &str,
    scope: Option<&str>,
) -> Result<Option<Via>, Error> {
    let Some(rest) = session.strip_prefix(ISSUER_SESSION) else {
        return Ok(None);
    };
    let refused = |reason: &str| Error::TokenInvalid {
        reason: reason.to_owned(),
    };
    let (mark, subject) = rest
        .split_once('.')
        .ok_or_else(|| refused("names no subject"))?;
    let issuer = trusted
        .by_mark(mark)
        .ok_or_else(|| refused("its issuer is no longer trusted"))?;
    let rule = issuer
        .rule(subject)
        .filter(|rule| rule.tenant_id == tenant_id)
        .ok_or_else(|| refused("its subject is no longer trusted"))?;
    let scopes = ScopeSet::parse(scope.unwrap_or_default().split(' '))
        .map_err(|_| refused("has no scope"))?;
    if !scopes.iter().all(|scope| rule.grants(scope)) {
        return Err(refused("its subject may no longer have its scope"));
    }
    Ok(Some(Via::Issuer {
        identity: named(&issuer.issuer, subject),
        version,
    }))
}

/// Both parts are bounded where they come in.
fn named(issuer: &str, subject: &str) -> String {
    format!("{issuer} {subject}")
}

/// The scopes of RFC 6749 §3.3: known ones that the subject may have.
fn asked(known_scopes: &ScopeSet, rule: &SubjectRule, text: &str) -> Result<ScopeSet, Error> {
    let refused = |problem: String| Error::ScopeRefused { problem };
    let scopes =
        ScopeSet::parse(text.split(' ')).map_err(|error| refused(format!("scope: {error}")))?;
    if scopes.len() > SubjectRule::SCOPES_MAX {
        let most = SubjectRule::SCOPES_MAX;
        return Err(refused(format!("scope: at most {most} scopes")));
    }
    for scope in scopes.iter() {
        if !scope.is_full_access() && !known_scopes.contains(scope) {
            return Err(refused(format!("scope: unknown scope {scope}")));
        }
        if !rule.grants(scope) {
            return Err(refused(format!("scope: the subject may not have {scope}")));
        }
    }
    Ok(scopes)
}
