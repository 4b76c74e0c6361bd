//! What has run out is removed, and was dead before.

use super::error::Error;
use crate::store::{Store, sweep};
use crate::time::UnixMillis;

/// Removes sessions, mailed tokens, invitations and idempotency records that have run out, a bounded number of them.
pub(crate) fn expired(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const PART: u32 = 500;
    if store.read(|tx| sweep::has_expired(tx, now))? {
        store.write(move |tx| sweep::delete_expired(tx, now, PART))?;
    }
    Ok(())
}
