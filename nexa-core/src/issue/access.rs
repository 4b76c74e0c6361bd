//! Issues access tokens: every one passes the check it is issued for.
use alloc::string::{String, ToString};

use super::error::{IssueError, check_issuer, check_length};
use super::json::ObjectWriter;
use super::signing_key::SigningKey;
use crate::access::{ACCESS_AUDIENCE, ACCESS_TYP, ACCESS_TYPE, MAX_ACCESS_LIFETIME_S, read_claims};
use crate::jwk::VerificationKey;
use crate::jws::{self, MAX_TOKEN_BYTES, Scratch};
use crate::time::UnixSeconds;

/// Issues access tokens for one issuer with one key.
///
/// ```
/// use nexa_core::{AccessIssuer, KeySet, NewAccess, Scratch, SigningKey, UnixSeconds, check_access};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// let issuer = AccessIssuer::new(SigningKey::generate(&mut rng), "https://nexa.example")?;
/// let issued = issuer.issue(now, &NewAccess {
///     jti: "token-1",
///     subject: "user-1",
///     tenant: "tenant-1",
///     session: "session-1",
///     session_version: 1,
///     role: Some("owner"),
///     scope: None,
///     ttl_s: 1_800,
/// })?;
///
/// let keys = KeySet::from_keys(&[issuer.verification_key()])?;
/// let mut scratch = Scratch::new();
/// let access = check_access(&keys, "https://nexa.example", now, issued.token.as_bytes(), &mut scratch)?;
/// assert_eq!(access.claims().tenant(), "tenant-1");
/// assert!(check_access(&keys, "https://other.example", now, issued.token.as_bytes(), &mut scratch).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AccessIssuer {
    key: SigningKey,
    issuer: String,
}

impl AccessIssuer {
    /// An issuer known by its public URL, as [`check_issuer`] wants it.
    ///
    /// # Errors
    ///
    /// The URL breaks that rule.
    pub fn new(key: SigningKey, issuer: &str) -> Result<Self, IssueError> {
        check_issuer(issuer)?;
        Ok(Self {
            key,
            issuer: issuer.to_string(),
        })
    }

    /// The issuer's public URL, the claim `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that checks what this issuer signs.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        self.key.verification_key()
    }

    /// Issues an access token, valid from `now` until `now` + `ttl_s`.
    ///
    /// # Errors
    ///
    /// A field of the request breaks its rule, or the token would be longer than 4,096 bytes.
    pub fn issue(
        &self,
        now: UnixSeconds,
        request: &NewAccess<'_>,
    ) -> Result<IssuedAccess, IssueError> {
        let expires_at = check_request(now, request)?;
        let mut payload = String::with_capacity(384);
        let mut claims = ObjectWriter::open(&mut payload);
        claims.string("iss", &self.issuer);
        claims.string("sub", request.subject);
        claims.string("aud", ACCESS_AUDIENCE);
        claims.string("type", ACCESS_TYPE);
        claims.string("tenant", request.tenant);
        claims.string("sid", request.session);
        claims.integer("sv", request.session_version);
        if let Some(role) = request.role {
            claims.string("role", role);
        }
        if let Some(scope) = request.scope {
            claims.string("scope", scope);
        }
        claims.string("jti", request.jti);
        claims.integer("iat", now.get());
        claims.integer("exp", expires_at.get());
        claims.close();

        // Read by the checker's own reader, so that nothing is signed which it would refuse.
        let mut scratch = Scratch::new();
        jws::read_unsigned_payload(payload.as_bytes(), &mut scratch)
            .and_then(|claims| read_claims(&claims, &self.issuer, now).map(|_| ()))
            .map_err(IssueError::from)?;
        let token = self.key.sign_compact(ACCESS_TYP, &payload);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IssueError::TooLong { bytes: token.len() });
        }
        Ok(IssuedAccess { token, expires_at })
    }
}

/// The access token that is wanted. Ids are 1 to 256 bytes.
#[derive(Clone, Copy, Debug)]
pub struct NewAccess<'a> {
    /// The token's own id.
    pub jti: &'a str,
    /// The user's id.
    pub subject: &'a str,
    /// The id of the tenant the user is in.
    pub tenant: &'a str,
    /// The session or the secret the token comes from.
    pub session: &'a str,
    /// The version of that session or secret, below 2^53.
    pub session_version: u64,
    /// The user's role in the tenant, not empty. One of `role` and `scope` has to be there.
    pub role: Option<&'a str>,
    /// What the token is limited to, separated by spaces, not empty.
    pub scope: Option<&'a str>,
    /// How long it is valid, in seconds: 1 s to 24 h.
    pub ttl_s: u64,
}

/// An access token that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedAccess {
    /// The token, at most 4,096 bytes.
    pub token: String,
    /// The first second at which it is no longer valid.
    pub expires_at: UnixSeconds,
}

/// Checks what has a name of its own in an error, and says when the token ends.
fn check_request(now: UnixSeconds, request: &NewAccess<'_>) -> Result<UnixSeconds, IssueError> {
    check_length("jti", request.jti, 256)?;
    check_length("subject", request.subject, 256)?;
    check_length("tenant", request.tenant, 256)?;
    check_length("session", request.session, 256)?;
    for (field, text) in [("role", request.role), ("scope", request.scope)] {
        if text == Some("") {
            return Err(IssueError::Value {
                field,
                rule: "absent or not empty",
            });
        }
    }
    if request.role.is_none() && request.scope.is_none() {
        return Err(IssueError::Value {
            field: "role",
            rule: "there if scope is not",
        });
    }
    const TTL: IssueError = IssueError::Value {
        field: "ttl_s",
        rule: "1 s to 24 h",
    };
    match (1..=MAX_ACCESS_LIFETIME_S).contains(&request.ttl_s) {
        true => now.plus(request.ttl_s).ok_or(TTL),
        false => Err(TTL),
    }
}
