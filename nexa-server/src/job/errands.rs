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
    match erasure::finish_all(&services.store, &services.erasing, now) {
        Ok(failed) => {
            for (tenant_id, error) in failed {
                tracing::error!(tenant_id, %error, "a tenant that is being erased could not be removed; the next round tries again");
            }
        }
        Err(error) => {
            tracing::warn!(%error, "erasures have left traces in the file; it is rewritten in a minute");
        }
    }
}
