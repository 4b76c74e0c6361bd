//! What has run out is removed, and was dead before.

use super::error::Error;
use super::events;
use crate::store::Store;
use crate::store::sweep::{self, Bounds};
use crate::time::UnixMillis;

/// How long a notice is kept after it was carried, in seconds. What would be told again after that is told again, so it is
/// longer than any payment is repeated for.
const NOTICES_KEPT_S: i64 = 90 * 24 * 3600;

/// How long a payment is kept that never got to the provider, in seconds: far longer than the provider keeps one open, in case
/// that it was only its answer that got lost.
const UNMADE_PAYMENTS_KEPT_S: i64 = 90 * 24 * 3600;

/// Removes sessions, mailed tokens, invitations, idempotency records, notices, letters that count no more, payments that never
/// were and events, all of which have run out, a bounded number of them.
pub(crate) fn expired(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const PART: u32 = 500;
    /// In turns of the writer that keep nobody waiting for long: as many as thousands of calls a second leave behind.
    const PARTS: usize = 100;
    let bounds = Bounds {
        expired: now,
        carried: now.plus_seconds(-NOTICES_KEPT_S),
        unmade: now.plus_seconds(-UNMADE_PAYMENTS_KEPT_S),
        told: now.plus_seconds(-events::KEPT_S),
    };
    for _ in 0..PARTS {
        if !store.read(|tx| sweep::has_expired(tx, bounds))? {
            break;
        }
        store.write(move |tx| sweep::delete_expired(tx, bounds, PART))?;
    }
    Ok(())
}
