//! What a request has begun and may take long: revoking many licences, erasing a tenant.

use crate::api::Services;
use crate::domain::{erasure, licenses};
use crate::time::UnixMillis;

/// Goes on with what a crash, a reader or the size of the file has left unfinished. It may take long, so nothing that has to
/// be in time waits for it.
pub(crate) fn go_on(services: &Services, now: UnixMillis) {
    if let Err(error) = licenses::finish_revoking(&services.store, now) {
        tracing::warn!(%error, "licences of a disabled tenant are not all revoked; it goes on in the next round");
    }
    if let Err(error) = erasure::finish_all(&services.store, now) {
        tracing::warn!(%error, "an erasure is not finished; it goes on in the next round");
    }
}
