//! Checks access tokens (`at+jwt`, RFC 9068): short-lived, for Nexa's own API.
use core::fmt;

use crate::claims::{
    Verified, check_lifetime, exact, optional, optional_nonempty_text, required, seconds, text,
};
use crate::json::{Object, Value};
use crate::jwk::KeySet;
use crate::jws::{self, Scratch};
use crate::refusal::{Claim, Refusal};
use crate::time::UnixSeconds;

/// The header's `typ` of an access token.
pub(crate) const ACCESS_TYP: &str = "at+jwt";
/// The audience of every access token.
pub(crate) const ACCESS_AUDIENCE: &str = "api";
/// The value of `type`.
pub(crate) const ACCESS_TYPE: &str = "access";
/// The longest lifetime of an access token: 24 h.
pub(crate) const MAX_ACCESS_LIFETIME_S: u64 = 24 * 3_600;

/// Checks an access token: signature, kind, issuer, audience, times.
///
/// Whether its session still lives (`sid`, `sv`) is for the caller to look up.
///
/// # Errors
///
/// The first rule that is broken, in the order stated at [`Refusal`]. An unknown key, a time that has not come
/// or has passed are refusals here.
pub fn check_access<'b>(
    keys: &KeySet,
    issuer: &str,
    now: UnixSeconds,
    token: &[u8],
    scratch: &'b mut Scratch,
) -> Result<Verified<AccessClaims<'b>>, Refusal> {
    let opened = jws::open(keys, ACCESS_TYP, token, scratch)?;
    let claims = read_claims(&opened.claims, issuer, now)?;
    match opened.trusted.is_in_force(claims.issued_at, now) {
        true => Ok(Verified::new(claims)),
        false => Err(Refusal::KidNotInForce),
    }
}

/// What an access token says.
#[derive(Clone, Copy)]
pub struct AccessClaims<'b> {
    subject: &'b str,
    tenant: &'b str,
    session: &'b str,
    session_version: u64,
    role: Option<&'b str>,
    scope: Option<&'b str>,
    jti: &'b str,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
}

impl<'b> AccessClaims<'b> {
    /// `sub`: the user's id.
    #[must_use]
    pub const fn subject(&self) -> &'b str {
        self.subject
    }

    /// `tenant`: the id of the tenant the user is in.
    #[must_use]
    pub const fn tenant(&self) -> &'b str {
        self.tenant
    }

    /// `sid`: the session or the secret the token came from.
    #[must_use]
    pub const fn session(&self) -> &'b str {
        self.session
    }

    /// `sv`: the version of that session or secret when the token was issued.
    #[must_use]
    pub const fn session_version(&self) -> u64 {
        self.session_version
    }

    /// `role`: the user's role in the tenant, not empty. A token has a role, a scope, or both.
    #[must_use]
    pub const fn role(&self) -> Option<&'b str> {
        self.role
    }

    /// `scope`: what the token is limited to, separated by spaces (RFC 6749 §3.3), not empty.
    #[must_use]
    pub const fn scope(&self) -> Option<&'b str> {
        self.scope
    }

    /// `jti`: the token's own id.
    #[must_use]
    pub const fn jti(&self) -> &'b str {
        self.jti
    }

    /// `iat`: when the token was issued.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        self.issued_at
    }

    /// `exp`: the first second at which the token is no longer valid.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }
}

impl fmt::Debug for AccessClaims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessClaims")
            .field("subject", &self.subject)
            .field("tenant", &self.tenant)
            .field("session", &self.session)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The claims' rules, in this order: issuer, audience, type, the strings, the times.
pub(crate) fn read_claims<'b>(
    object: &Object<'b>,
    issuer: &str,
    now: UnixSeconds,
) -> Result<AccessClaims<'b>, Refusal> {
    exact(object, "iss", Claim::Iss, issuer)?;
    let subject = text(object, "sub", Claim::Sub)?;
    exact(object, "aud", Claim::Aud, ACCESS_AUDIENCE)?;
    exact(object, "type", Claim::Type, ACCESS_TYPE)?;
    let claims = AccessClaims {
        subject,
        tenant: text(object, "tenant", Claim::Tenant)?,
        session: text(object, "sid", Claim::Sid)?,
        session_version: required(object, "sv", Claim::Sv)?
            .as_integer()
            .ok_or(Refusal::ClaimType(Claim::Sv))?,
        role: optional_nonempty_text(object, "role", Claim::Role)?,
        scope: optional_nonempty_text(object, "scope", Claim::Scope)?,
        jti: text(object, "jti", Claim::Jti)?,
        issued_at: seconds(object, "iat", Claim::Iat)?,
        expires_at: seconds(object, "exp", Claim::Exp)?,
    };
    if claims.role.is_none() && claims.scope.is_none() {
        return Err(Refusal::RoleAndScopeMissing);
    }
    // Not a claim of ours, but RFC 7519 §4.1.5 gives it a meaning, so it is not ignored.
    let not_before = optional(object, "nbf", Claim::Nbf, |value: &Value<'b>| {
        value.as_integer().and_then(UnixSeconds::new)
    })?;
    check_lifetime(
        now,
        claims.issued_at,
        claims.expires_at,
        MAX_ACCESS_LIFETIME_S,
    )?;
    if let Some(starts_in_s) = not_before.and_then(|start| start.since(now)) {
        if starts_in_s > 0 {
            return Err(Refusal::NotYetValid { starts_in_s });
        }
    }
    match now.since(claims.expires_at) {
        Some(since_s) => Err(Refusal::Expired { since_s }),
        None => Ok(claims),
    }
}
