//! Sessions: log-in, refresh, the end.

use std::net::IpAddr;

use nexa_core::{KeyDigest, RefreshToken, uuid_v7};
use rand_core::CryptoRng;

use super::access_tokens::{self, Access};
use super::audit::{self, Act, Origin};
use super::email::EmailAddress;
use super::error::Error;
use super::paging::{Page, Paged};
use super::password;
use super::principal::{Member, Via};
use super::server_keys::Issuing;
use crate::store::Tx;
use crate::store::sessions::{self, Previous, Session};
use crate::store::users::{self, User};
use crate::time::UnixMillis;

/// How long a refresh token lasts, in seconds.
const REFRESH_TTL_S: i64 = 30 * 24 * 3600;
/// What is kept of a client's name for itself, in characters.
const USER_AGENT_MAX: usize = 200;
const NOUN: &str = "Session";

/// What a log-in or a refresh hands out.
pub(crate) struct Opened {
    pub(crate) access: Access,
    pub(crate) refresh_token: RefreshToken,
    pub(crate) refresh_expires_at: UnixMillis,
}

/// The program that a person uses a session with, as its user is to recognise it in a list.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    address: Option<String>,
    user_agent: Option<String>,
}

impl Device {
    pub(crate) fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let shown = |name: &str| name.chars().take(USER_AGENT_MAX).collect();
        Self {
            address: address.map(|address| address.to_string()),
            user_agent: user_agent.map(shown),
        }
    }
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

/// A session with its tokens, which [`open`] makes count.
pub(crate) struct Draft {
    pub(crate) opened: Opened,
    session: Session,
    session_version: i64,
}

/// Makes the tokens of a new session.
pub(crate) fn draft(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    issuing: &Issuing,
    user: &User,
    device: Device,
) -> Result<Draft, Error> {
    let id = uuid_v7(now.unsigned_ms(), rng);
    let refresh_token = RefreshToken::generate(rng);
    let access = access_tokens::for_session(now, rng, issuing, user, &id)?;
    let refresh_expires_at = now.plus_seconds(REFRESH_TTL_S);
    Ok(Draft {
        session: Session {
            id,
            user_id: user.id.clone(),
            family_digest: refresh_token.family_digest(),
            refresh_digest: refresh_token.digest(),
            previous: None,
            address: device.address,
            user_agent: device.user_agent,
            created_at: now,
            refreshed_at: now,
            expires_at: refresh_expires_at,
        },
        session_version: user.session_version,
        opened: Opened {
            access,
            refresh_token,
            refresh_expires_at,
        },
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
    draft: &Draft,
) -> Result<(), Error> {
    let session = &draft.session;
    let user = users::find(tx, &session.user_id)?
        .filter(|user| user.is_active && user.session_version == draft.session_version)
        .ok_or(Error::LoginFailed)?;
    sessions::insert(tx, session)?;
    record(tx, now, origin, Act::SessionOpened, &user, &user.id)
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

/// A refresh token that came back.
pub(crate) struct Presented {
    token: RefreshToken,
    /// What follows if the token is current.
    successor: RefreshToken,
    device: Device,
}

impl Presented {
    /// # Errors
    /// `RefreshInvalid` for what cannot be a refresh token.
    pub(crate) fn new(rng: &mut dyn CryptoRng, token: &str, device: Device) -> Result<Self, Error> {
        let token = RefreshToken::from_presented(token).ok_or(Error::RefreshInvalid)?;
        Ok(Self {
            successor: token.successor(rng),
            token,
            device,
        })
    }

    /// Whether it belongs, or belonged, to a session: asked before anything is written, so that guesses cost no write.
    ///
    /// # Errors
    /// `RefreshInvalid`.
    pub(crate) fn require_session(&self, tx: &Tx<'_>) -> Result<(), Error> {
        sessions::find_by_family(tx, &self.token.family_digest())?
            .map(drop)
            .ok_or(Error::RefreshInvalid)
    }
}

/// A session that goes on.
pub(crate) struct Refreshed {
    user: User,
    session_id: String,
    token: RefreshToken,
    expires_at: UnixMillis,
}

/// Puts the successor in the place of the current token. The one before it may come again until its successor is used,
/// since an answer can get lost and two windows can ask at once: every time it gets the same successor. Anything older ends
/// the session (RFC 9700 §4.14.2): somebody has a copy.
///
/// `None` where the token does not hold; what that has ended stays ended.
pub(crate) fn refresh(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    presented: Presented,
) -> Result<Option<Refreshed>, Error> {
    let Presented {
        token,
        successor,
        device,
    } = presented;
    let Some(mut session) = sessions::find_by_family(tx, &token.family_digest())? else {
        return Ok(None);
    };
    let user = users::find(tx, &session.user_id)?.filter(|user| user.is_active);
    let Some(user) = user.filter(|_| now < session.expires_at) else {
        return Ok(None);
    };
    let is_digest_of = |digest: &[u8; 32]| {
        KeyDigest::from_bytes(*digest).matches(&KeyDigest::from_bytes(token.digest()))
    };
    let masked = match &session.previous {
        _ if is_digest_of(&session.refresh_digest) => None,
        Some(previous) if is_digest_of(&previous.digest) => Some(previous.masked_successor),
        Some(_) | None => {
            sessions::delete(tx, &session.id, &user.id)?;
            record(tx, now, origin, Act::SessionReused, &user, &session.id)?;
            return Ok(None);
        }
    };
    let token = match masked {
        Some(masked) => token.unmask_successor(&masked),
        None => {
            session.previous = Some(Previous {
                digest: token.digest(),
                masked_successor: token.mask_successor(&successor),
            });
            session.refresh_digest = successor.digest();
            session.refreshed_at = now;
            session.expires_at = now.plus_seconds(REFRESH_TTL_S);
            successor
        }
    };
    session.address = device.address;
    session.user_agent = device.user_agent;
    sessions::update(tx, &session)?;
    Ok(Some(Refreshed {
        user,
        expires_at: session.expires_at,
        session_id: session.id,
        token,
    }))
}

impl Refreshed {
    /// With an access token for the session as it is now.
    pub(crate) fn open(
        self,
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        issuing: &Issuing,
    ) -> Result<Opened, Error> {
        Ok(Opened {
            access: access_tokens::for_session(now, rng, issuing, &self.user, &self.session_id)?,
            refresh_token: self.token,
            refresh_expires_at: self.expires_at,
        })
    }
}

/// A session by one of its tokens.
pub(crate) struct TokenSession {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
}

/// The session that a refresh token belongs to, or once belonged to.
pub(crate) fn of_refresh_token(tx: &Tx<'_>, token: &str) -> Result<Option<TokenSession>, Error> {
    let Some(token) = RefreshToken::from_presented(token) else {
        return Ok(None);
    };
    let Some(session) = sessions::find_by_family(tx, &token.family_digest())? else {
        return Ok(None);
    };
    let user = users::find(tx, &session.user_id)?;
    Ok(user.map(|user| TokenSession {
        id: session.id,
        user_id: user.id,
        tenant_id: user.tenant_id,
    }))
}

/// Ends the session of a refresh token, whoever brings it; nothing is left to do when there is none.
pub(crate) fn log_out(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    token: &str,
) -> Result<(), Error> {
    let Some(session) = of_refresh_token(tx, token)? else {
        return Ok(());
    };
    sessions::delete(tx, &session.id, &session.user_id)?;
    let tenant_id = Some(session.tenant_id.as_str());
    audit::record(
        tx,
        now,
        origin,
        Act::SessionEnded,
        tenant_id,
        Some(&session.id),
    )
}

/// One page of the caller's sessions, newest first.
pub(crate) fn list(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
    page: &Page,
) -> Result<Paged<Session>, Error> {
    let before = page.before.as_deref();
    let found = sessions::list(tx, now, &member.user_id, before, page.probe())?;
    Ok(Paged::new(found, page, |session| &session.id))
}

/// Ends a session of the calling user, and with it its access tokens and its refresh token.
///
/// # Errors
/// `NotFound` when the user has no such session; `Forbidden` when the caller is not there in person.
pub(crate) fn end(tx: &Tx<'_>, now: UnixMillis, origin: &Origin, id: &str) -> Result<(), Error> {
    let member = in_person(origin)?;
    if !sessions::delete(tx, id, &member.user_id)? {
        return Err(Error::NotFound { noun: NOUN });
    }
    let tenant_id = Some(member.tenant_id.as_str());
    audit::record(tx, now, origin, Act::SessionEnded, tenant_id, Some(id))
}

/// Ends every session of the calling user but the one that calls; answers how many there were.
///
/// # Errors
/// `Forbidden` when the caller is not there in person.
pub(crate) fn end_others(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<usize, Error> {
    let member = in_person(origin)?;
    let spared = match &member.via {
        Via::Session { id, .. } => Some(id.as_str()),
        Via::Key { .. } | Via::Secret { .. } | Via::Issuer { .. } | Via::Program => None,
    };
    let ended = sessions::delete_of_user(tx, &member.user_id, spared)?;
    let (tenant_id, user_id) = (member.tenant_id.as_str(), member.user_id.as_str());
    audit::record(
        tx,
        now,
        origin,
        Act::SessionsEnded,
        Some(tenant_id),
        Some(user_id),
    )?;
    Ok(ended)
}

/// Ends every session of a user, and every access token that is on its way.
pub(super) fn end_all(tx: &Tx<'_>, user_id: &str) -> Result<(), Error> {
    users::raise_session_version(tx, user_id)?;
    sessions::delete_of_user(tx, user_id, None)?;
    Ok(())
}

/// The member who called, by a session.
///
/// # Errors
/// `CredentialMissing`, `Forbidden`.
fn in_person(origin: &Origin) -> Result<&Member, Error> {
    let member = origin.principal.member()?;
    member.require_person()?;
    Ok(member)
}

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    user: &User,
    subject_id: &str,
) -> Result<(), Error> {
    let tenant_id = Some(user.tenant_id.as_str());
    audit::record(tx, now, origin, act, tenant_id, Some(subject_id))
}
