//! Access tokens: how they are signed for a session, and what they must still be backed by.

use nexa_core::{NewAccess, Scope, Scratch, UnixSeconds, check_access, uuid_v7};
use rand_core::CryptoRng;

use super::agent_tokens;
use super::error::Error;
use super::exchange;
use super::principal::{Member, Via};
use super::server_keys::Issuing;
use super::standing;
use crate::store::Tx;
use crate::store::users::User;
use crate::time::UnixMillis;

/// How long an access token lasts, in seconds.
pub(crate) const ACCESS_TTL_S: u64 = 30 * 60;

/// A signed access token.
pub(crate) struct Access {
    pub(crate) token: String,
    pub(crate) expires_at: UnixMillis,
}

/// Signs an access token for a session of the user.
pub(super) fn for_session(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    issuing: &Issuing,
    user: &User,
    session_id: &str,
) -> Result<Access, Error> {
    let request = NewAccess {
        jti: &uuid_v7(now.unsigned_ms(), rng),
        subject: &user.id,
        tenant: &user.tenant_id,
        session: session_id,
        session_version: u64::try_from(user.session_version).unwrap_or(0),
        role: Some(&user.role),
        scope: None,
        ttl_s: ACCESS_TTL_S,
    };
    let access = issuing
        .access
        .issue(now.seconds(), &request)
        .map_err(|error| Error::Fault(format!("access token: {error}")))?;
    Ok(Access {
        token: access.token,
        expires_at: access.expires_at.into(),
    })
}

/// An access token that holds, and what it says.
pub(crate) struct OpenToken {
    pub(crate) member: Member,
    /// What it was narrowed to.
    pub(crate) scope: Option<String>,
    pub(crate) jti: String,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
}

/// The member behind an access token, if the token stands for its user in everything, and until when it does.
///
/// # Errors
/// As [`open_token`]; `ScopeMissing` for a token whose scope is too narrow.
pub(crate) fn member(
    tx: &Tx<'_>,
    now: UnixMillis,
    issuing: &Issuing,
    token: &str,
) -> Result<(Member, UnixMillis), Error> {
    let open = open_token(tx, now, issuing, token)?;
    require_full_access(open.scope.as_deref())?;
    Ok((open.member, open.expires_at.into()))
}

/// Reads an access token: the signature and the claims hold, and so does all that the token hangs on (session, secret or
/// trusted issuer, version, user, tenant).
///
/// # Errors
/// `TokenInvalid` with the reason for the log.
pub(crate) fn open_token(
    tx: &Tx<'_>,
    now: UnixMillis,
    issuing: &Issuing,
    token: &str,
) -> Result<OpenToken, Error> {
    let mut scratch = Scratch::new();
    let claims = check_access(
        &issuing.keys,
        &issuing.issuer,
        now.seconds(),
        token.as_bytes(),
        &mut scratch,
    )
    .map_err(|refusal| Error::TokenInvalid {
        reason: refusal.code().to_owned(),
    })?;
    let claims = claims.claims();
    let (tenant_id, user_id) = (claims.tenant().to_owned(), claims.subject().to_owned());
    let version = i64::try_from(claims.session_version()).unwrap_or(i64::MAX);
    let (session, scope) = (claims.session(), claims.scope());
    let via = match agent_tokens::via(session, version)? {
        Some(via) => Some(via),
        None => exchange::via(&issuing.trusted, session, version, &tenant_id, scope)?,
    };
    let via = via.unwrap_or_else(|| Via::Session {
        id: session.to_owned(),
        version,
    });
    let role = standing::role(tx, now, &tenant_id, &user_id, &via)?;
    Ok(OpenToken {
        member: Member {
            tenant_id,
            user_id,
            role,
            via,
        },
        scope: claims.scope().map(str::to_owned),
        jti: claims.jti().to_owned(),
        issued_at: claims.issued_at(),
        expires_at: claims.expires_at(),
    })
}

/// A token that was narrowed to some scopes stands for its user no more than a key with those scopes does.
fn require_full_access(scope: Option<&str>) -> Result<(), Error> {
    let full_access = Scope::full_access();
    match scope {
        Some(scope) if !scope.split(' ').any(|held| held == full_access.as_str()) => {
            Err(Error::ScopeMissing { scope: full_access })
        }
        Some(_) | None => Ok(()),
    }
}
