//! Answers that are given again: one call, one effect, however often it is sent.

use super::error::Error;
use crate::store::Tx;
use crate::store::idempotency::{self, Record};
use crate::time::UnixMillis;

/// How long a key stands for its first call, in seconds.
pub(crate) const KEPT_S: i64 = 24 * 3600;

/// One call that says which of its repeats are the same.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Keys of one route are none of another's.
    pub(crate) route: &'static str,
    pub(crate) key: String,
    /// The digest of who calls and of what is sent.
    pub(crate) payload: [u8; 32],
    /// What a first call answers that has an effect.
    pub(crate) status: u16,
}

/// What the first call has answered.
pub(crate) struct Answered {
    /// In the terms of the protocol that brought the call.
    pub(crate) status: u16,
    /// Of the key that signed it; empty where nothing was signed.
    pub(crate) kid: String,
    /// What it is made of once more: the claims that were signed, or what its route has written down.
    pub(crate) answer: String,
}

/// What the first call with this key has answered, if it had an effect within the last 24 hours.
///
/// # Errors
/// `IdempotencyKeyReused` when that call was another one.
pub(crate) fn earlier(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    attempt: &Attempt,
) -> Result<Option<Answered>, Error> {
    let found = idempotency::find(tx, now, tenant_id, attempt.route, &attempt.key)?;
    let Some(found) = found else {
        return Ok(None);
    };
    if found.payload != attempt.payload {
        return Err(Error::IdempotencyKeyReused);
    }
    let status = u16::try_from(found.status)
        .map_err(|_| Error::Fault("a status that was never answered".to_owned()))?;
    Ok(Some(Answered {
        status,
        kid: found.kid,
        answer: found.answer,
    }))
}

/// Keeps what a call is about to answer, in the transaction of its effect.
pub(crate) fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    attempt: &Attempt,
    answered: &Answered,
) -> Result<(), Error> {
    let record = Record {
        tenant_id,
        route: attempt.route,
        key: &attempt.key,
        payload: &attempt.payload,
        status: answered.status,
        kid: &answered.kid,
        answer: &answered.answer,
        created_at: now,
        expires_at: now.plus_seconds(KEPT_S),
    };
    Ok(idempotency::put(tx, &record)?)
}
