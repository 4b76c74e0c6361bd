//! What may take long: revoking many licences, erasing a tenant, signing all status shards anew.

use crate::api::Services;
use crate::domain::{erasure, licenses, status};
use crate::time::UnixMillis;

/// Goes on with what a crash, a reader or the size of the file has left unfinished. It may take long, so nothing that has to
/// be in time waits for it.
pub(crate) fn go_on(services: &Services, now: UnixMillis) {
    let signer = &services.status;
    if let Err(error) = status::refresh(&services.store, now, signer) {
        tracing::warn!(%error, "status shards are not all signed anew; it goes on in the next round");
    }
    if let Err(error) = status::take_back(&services.store, now, signer) {
        tracing::warn!(%error, "places of licences that are over could not be taken back; the next round tries again");
    }
    if let Err(error) = licenses::finish_revoking(&services.store, now, signer) {
        tracing::warn!(%error, "licences of a disabled tenant are not all revoked; it goes on in the next round");
    }
    match erasure::finish_all(&services.store, &services.erasing, now, signer) {
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
