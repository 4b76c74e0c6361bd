//! Typed claims: a missing, mistyped or wrong one is a refusal that names it, never "absent".
use crate::json::{Object, Value};
use crate::refusal::{Claim, Refusal};
use crate::time::UnixSeconds;

/// How far `iat` may lie ahead of now, and how far issuers set `nbf` before `iat`: for clocks that go wrong.
pub(crate) const CLOCK_SKEW_S: u64 = 300;

/// Claims whose token was signed by a trusted key and broke no rule. Only this crate can make one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<T> {
    // Private: the type is the proof that the check was made.
    claims: T,
}

impl<T> Verified<T> {
    pub(crate) const fn new(claims: T) -> Self {
        Self { claims }
    }

    /// What the token says.
    #[must_use]
    pub const fn claims(&self) -> &T {
        &self.claims
    }
}

/// The value of a member that has to be there.
pub(crate) fn required<'b>(
    object: &Object<'b>,
    name: &str,
    claim: Claim,
) -> Result<Value<'b>, Refusal> {
    object.get(name).ok_or(Refusal::ClaimMissing(claim))
}

/// The claim `name`: a string that is not empty.
pub(crate) fn text<'b>(object: &Object<'b>, name: &str, claim: Claim) -> Result<&'b str, Refusal> {
    let text = required(object, name, claim)?
        .as_str()
        .ok_or(Refusal::ClaimType(claim))?;
    match text.is_empty() {
        true => Err(Refusal::ClaimWrong(claim)),
        false => Ok(text),
    }
}

/// The claim `name`: exactly this string.
pub(crate) fn exact<'b>(
    object: &Object<'b>,
    name: &str,
    claim: Claim,
    expected: &str,
) -> Result<&'b str, Refusal> {
    let found = text(object, name, claim)?;
    match found == expected {
        true => Ok(found),
        false => Err(Refusal::ClaimWrong(claim)),
    }
}

/// The claim `name`: a string that is not empty, if it is there.
pub(crate) fn optional_nonempty_text<'b>(
    object: &Object<'b>,
    name: &str,
    claim: Claim,
) -> Result<Option<&'b str>, Refusal> {
    match optional_text(object, name, claim)? {
        Some("") => Err(Refusal::ClaimWrong(claim)),
        text => Ok(text),
    }
}

/// The claim `name`: a string, if it is there.
pub(crate) fn optional_text<'b>(
    object: &Object<'b>,
    name: &str,
    claim: Claim,
) -> Result<Option<&'b str>, Refusal> {
    optional(object, name, claim, Value::as_str)
}

/// The claim `name`: whole, not negative and below 2^53, if it is there.
pub(crate) fn optional_integer(
    object: &Object<'_>,
    name: &str,
    claim: Claim,
) -> Result<Option<u64>, Refusal> {
    optional(object, name, claim, Value::as_integer)
}

/// The claim `name`, if it is there, as `read` sees it.
pub(crate) fn optional<'b, T>(
    object: &Object<'b>,
    name: &str,
    claim: Claim,
    read: impl FnOnce(&Value<'b>) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    match object.get(name) {
        Some(value) => match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(Refusal::ClaimType(claim)),
        },
        None => Ok(None),
    }
}

/// The claim `name`: a point in time.
pub(crate) fn seconds(
    object: &Object<'_>,
    name: &str,
    claim: Claim,
) -> Result<UnixSeconds, Refusal> {
    required(object, name, claim)?
        .as_integer()
        .and_then(UnixSeconds::new)
        .ok_or(Refusal::ClaimType(claim))
}

/// `exp` lies after `iat` and only so far, and `iat` may be a little ahead of now.
pub(crate) fn check_lifetime(
    now: UnixSeconds,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
    max_s: u64,
) -> Result<(), Refusal> {
    let lifetime_s = expires_at
        .since(issued_at)
        .filter(|lifetime_s| *lifetime_s > 0)
        .ok_or(Refusal::ExpNotAfterIat)?;
    if lifetime_s > max_s {
        return Err(Refusal::LifetimeTooLong { lifetime_s, max_s });
    }
    match issued_at.since(now) {
        Some(ahead_s) if ahead_s > CLOCK_SKEW_S => Err(Refusal::IssuedInFuture { ahead_s }),
        Some(_) | None => Ok(()),
    }
}
