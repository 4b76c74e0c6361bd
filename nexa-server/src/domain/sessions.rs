//! Sessions: log-in, and what an access token must still be backed by.

use nexa_core::{NewAccess, RefreshToken, Scope, Scratch, UnixSeconds, check_access, uuid_v7};
use rand_core::CryptoRng;

use super::agent_tokens;
use super::audit::{self, Act, Origin};
use super::email::EmailAddress;
use super::error::Error;
use super::issuing::Issuing;
use super::password;
use super::principal::{Member, Via};
use super::standing;
use crate::store::Tx;
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User};
use crate::time::UnixMillis;

/// How long an access token lasts, in seconds.
pub(crate) const ACCESS_TTL_S: u64 = 30 * 60;
/// How long a refresh token lasts, in seconds.
const REFRESH_TTL_S: i64 = 30 * 24 * 3600;

/// What a log-in hands out.
pub(crate) struct Opened {
    pub(crate) access_token: String,
    pub(crate) access_expires_at: UnixMillis,
    pub(crate) refresh_token: RefreshToken,
    pub(crate) refresh_expires_at: UnixMillis,
    session: Session,
    session_version: i64,
}

/// Finds the user behind an address.
pub(crate) fn candidate(tx: &Tx<'_>, email: &EmailAddress) -> Result<Option<User>, Error> {
    Ok(users::find_by_email(tx, &email.normal)?)
}

/// Compares the password: the slow part, the same for known and unknown addresses.
///
/// # Errors
/// `LoginFailed` for an unknown address, a wrong password, a disabled user or tenant alike.
pub(crate) fn check_password(user: Option<User>, presented: &str) -> Result<User, Error> {
    let is_match = password::verify(
        presented,
        user.as_ref().and_then(|user| user.password_hash.as_deref()),
    )?;
    user.filter(|user| is_match && user.is_active)
        .ok_or(Error::LoginFailed)
}

/// Makes the tokens of a new session; [`open`] makes them count.
pub(crate) fn draft(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    issuing: &Issuing,
    user: &User,
) -> Result<Opened, Error> {
    let id = uuid_v7(now.unsigned_ms(), rng);
    let refresh_token = RefreshToken::generate(rng);
    let access = issuing
        .access
        .issue(
            now.seconds(),
            &NewAccess {
                jti: &uuid_v7(now.unsigned_ms(), rng),
                subject: &user.id,
                tenant: &user.tenant_id,
                session: &id,
                session_version: u64::try_from(user.session_version).unwrap_or(0),
                role: Some(&user.role),
                scope: None,
                ttl_s: ACCESS_TTL_S,
            },
        )
        .map_err(|error| Error::Fault(format!("access token: {error}")))?;
    let refresh_expires_at = now.plus_seconds(REFRESH_TTL_S);
    Ok(Opened {
        access_token: access.token,
        access_expires_at: access.expires_at.into(),
        session: Session {
            id,
            user_id: user.id.clone(),
            refresh_digest: refresh_token.digest(),
            created_at: now,
            expires_at: refresh_expires_at,
        },
        refresh_token,
        refresh_expires_at,
        session_version: user.session_version,
    })
}

/// Records the session, unless the user has been disabled or its sessions ended since the password was compared.
///
/// # Errors
/// `LoginFailed`.
pub(crate) fn open(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    opened: &Opened,
) -> Result<(), Error> {
    let user = users::find(tx, &opened.session.user_id)?
        .filter(|user| user.is_active && user.session_version == opened.session_version)
        .ok_or(Error::LoginFailed)?;
    sessions::insert(tx, &opened.session)?;
    audit::record(
        tx,
        now,
        origin,
        Act::SessionOpened,
        Some(&user.tenant_id),
        Some(&user.id),
    )
}

/// Records a failed log-in against the account that was tried.
pub(crate) fn record_failure(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    email: &EmailAddress,
) -> Result<(), Error> {
    let user = users::find_by_email(tx, &email.normal)?;
    let (tenant_id, user_id) = user
        .as_ref()
        .map(|user| (user.tenant_id.as_str(), user.id.as_str()))
        .unzip();
    audit::record(tx, now, origin, Act::LoginFailed, tenant_id, user_id)
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

/// The member behind an access token, if the token stands for its user in everything.
///
/// # Errors
/// As [`open_token`]; `ScopeMissing` for a token whose scope is too narrow.
pub(crate) fn member(
    tx: &Tx<'_>,
    now: UnixMillis,
    issuing: &Issuing,
    token: &str,
) -> Result<Member, Error> {
    let open = open_token(tx, now, issuing, token)?;
    require_full_access(open.scope.as_deref())?;
    Ok(open.member)
}

/// Reads an access token: the signature and the claims hold, and so does all that the token hangs on (session or secret and
/// its version, user, tenant).
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
    let via = agent_tokens::via(claims.session(), version)?.unwrap_or_else(|| Via::Session {
        id: claims.session().to_owned(),
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

/// A session by one of its tokens.
pub(crate) struct TokenSession {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
}

/// The session of a refresh token, if it is one.
pub(crate) fn of_refresh_token(tx: &Tx<'_>, token: &str) -> Result<Option<TokenSession>, Error> {
    let Some(token) = RefreshToken::from_presented(token) else {
        return Ok(None);
    };
    let found = sessions::find_by_refresh(tx, &token.digest())?;
    Ok(found.map(|(id, user_id, tenant_id)| TokenSession {
        id,
        user_id,
        tenant_id,
    }))
}

/// Ends a session of the calling user, and with it its access tokens and its refresh token; one that has ended already
/// leaves nothing to do.
///
/// # Errors
/// `CredentialMissing` when the caller is no member.
pub(crate) fn end(tx: &Tx<'_>, now: UnixMillis, origin: &Origin, id: &str) -> Result<(), Error> {
    let member = origin.principal.member()?;
    match member.via {
        Via::Session { .. } => {}
        Via::Key { .. } | Via::Secret { .. } => {
            return Err(Error::Forbidden {
                rule: "This needs a session, not an API key",
            });
        }
    }
    if !sessions::delete(tx, id, &member.user_id)? {
        return Ok(());
    }
    let tenant_id = Some(member.tenant_id.as_str());
    audit::record(tx, now, origin, Act::SessionEnded, tenant_id, Some(id))
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
