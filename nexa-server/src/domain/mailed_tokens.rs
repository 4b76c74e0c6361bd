//! Tokens that are mailed: each kind's newest works, once, for a while.

use nexa_core::{KeyDigest, KeyFormat, PlainKey};
use rand_core::CryptoRng;

use super::error::Error;
use crate::store::{Store, Tx, mailed_tokens};
use crate::time::UnixMillis;

/// `nxm_` and 32 characters.
const FORMAT: KeyFormat = match KeyFormat::new("nxm_", 26) {
    Ok(format) => format,
    Err(_) => panic!("a prefix and a length within their bounds"),
};

/// How long the token of a verification lasts.
pub(crate) const VERIFICATION_HOURS: u32 = 24;
/// How long the token of a reset lasts.
pub(crate) const RESET_MINUTES: u32 = 30;
/// How long an invitation stands, and its token with it.
pub(crate) const INVITE_DAYS: u32 = 7;

/// What a mailed token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    VerifyEmail,
    ResetPassword,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// How long a token lasts, in seconds.
    const fn ttl_s(self) -> i64 {
        match self {
            Self::VerifyEmail => VERIFICATION_HOURS as i64 * 3600,
            Self::ResetPassword => RESET_MINUTES as i64 * 60,
        }
    }
}

/// Draws a token that nothing knows yet.
pub(crate) fn new(rng: &mut dyn CryptoRng) -> PlainKey {
    FORMAT.generate(rng)
}

/// The digest of a token as somebody sent it.
pub(crate) fn presented(token: &str) -> KeyDigest {
    KeyDigest::of(token.as_bytes())
}

/// Makes the token the user's only one of that purpose.
pub(super) fn keep(
    tx: &Tx<'_>,
    now: UnixMillis,
    purpose: Purpose,
    user_id: &str,
    digest: &KeyDigest,
) -> Result<(), Error> {
    let expires_at = now.plus_seconds(purpose.ttl_s());
    Ok(mailed_tokens::replace(
        tx,
        &digest.to_bytes(),
        purpose.as_str(),
        user_id,
        expires_at,
    )?)
}

/// The user that a token was mailed to, which goes on working.
///
/// # Errors
/// `MailedTokenInvalid` for a token that is unknown, used, replaced or too old, or was mailed for something else.
pub(super) fn user_of(
    tx: &Tx<'_>,
    now: UnixMillis,
    purpose: Purpose,
    presented: &KeyDigest,
) -> Result<String, Error> {
    mailed_tokens::user_of(tx, now, &presented.to_bytes(), purpose.as_str())?
        .ok_or(Error::MailedTokenInvalid)
}

/// As [`user_of`], and the token is used up.
pub(super) fn redeem(
    tx: &Tx<'_>,
    now: UnixMillis,
    purpose: Purpose,
    presented: &KeyDigest,
) -> Result<String, Error> {
    let user_id = user_of(tx, now, purpose, presented)?;
    mailed_tokens::delete(tx, &user_id, purpose.as_str())?;
    Ok(user_id)
}

/// Ends every token that was mailed to the user.
pub(super) fn forget(tx: &Tx<'_>, user_id: &str) -> Result<(), Error> {
    Ok(mailed_tokens::delete_of_user(tx, user_id)?)
}

/// Ends every token that was mailed to a user of the tenant.
pub(super) fn forget_tenant(tx: &Tx<'_>, tenant_id: &str) -> Result<(), Error> {
    Ok(mailed_tokens::delete_of_tenant(tx, tenant_id)?)
}

/// Removes tokens that have run out, a bounded number of them.
pub(crate) fn sweep(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const PART: u32 = 500;
    store.write(move |tx| Ok(mailed_tokens::delete_expired(tx, now, PART).map(drop)?))
}
