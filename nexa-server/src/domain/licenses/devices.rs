//! The devices that licences are for.

use sha2::{Digest, Sha256};

/// Tells one tenant's devices apart without keeping what they are made of.
pub(super) fn device_digest(tenant_id: &str, fingerprint: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"nexa device row v1\0");
    hash.update(tenant_id.as_bytes());
    hash.update([0]);
    hash.update(fingerprint.as_bytes());
    hash.finalize().into()
}
