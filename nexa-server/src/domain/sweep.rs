//! What has run out is removed, and was dead before.

use super::error::Error;
use crate::store::{Store, sweep};
use crate::time::UnixMillis;

/// How long a notice is kept after it was carried, in seconds. What would be told again after that is told again, so it is
/// longer than any payment is repeated for.
const NOTICES_KEPT_S: i64 = 90 * 24 * 3600;

/// Removes sessions, mailed tokens, invitations, idempotency records and notices that have run out, a bounded number of them.
pub(crate) fn expired(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const PART: u32 = 500;
    let carried_by = now.plus_seconds(-NOTICES_KEPT_S);
    if store.read(|tx| sweep::has_expired(tx, now, carried_by))? {
        store.write(move |tx| sweep::delete_expired(tx, now, carried_by, PART))?;
    }
    Ok(())
}
