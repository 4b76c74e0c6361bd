//! `/api/operator/audit/*`: what proves the audit trail.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexa_core::AuditCheckpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::audit::checkpoint::{self, Checkpoint};
use crate::http::reply::{Ok200, Secret};
use crate::time::UnixMillis;

/// A checkpoint of the audit trail, to be kept where whoever can write this server's data cannot.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedCheckpoint {
    /// The number of the newest event.
    seq: u64,
    /// Its hash (SHA-256, base64url), which stands for every event up to it.
    hash: String,
    /// When the checkpoint was made.
    at: UnixMillis,
    /// The RFC 7638 thumbprint of the audit key.
    kid: String,
    /// Ed25519, base64url.
    signature: String,
}

pub(crate) fn checkpoint(
    cx: &mut Cx<'_>,
    (): (),
) -> Result<Secret<Ok200<SignedCheckpoint>>, Error> {
    let checkpoint = cx.read(|tx| checkpoint::current(tx, cx.now, &cx.services.audit_key))?;
    // No secret, but a copy from a cache would say that the trail ends earlier than it does.
    Ok(Secret(Ok200((&checkpoint).into())))
}

impl From<&Checkpoint> for SignedCheckpoint {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            seq: checkpoint.point.seq,
            hash: URL_SAFE_NO_PAD.encode(checkpoint.point.hash),
            at: checkpoint.at(),
            kid: checkpoint.kid.clone(),
            signature: URL_SAFE_NO_PAD.encode(checkpoint.signature),
        }
    }
}

/// What cannot be a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} must be {bytes} bytes in base64url")]
pub(crate) struct NotACheckpoint {
    member: &'static str,
    bytes: usize,
}

impl TryFrom<&SignedCheckpoint> for Checkpoint {
    type Error = NotACheckpoint;

    fn try_from(signed: &SignedCheckpoint) -> Result<Self, NotACheckpoint> {
        Ok(Self {
            point: AuditCheckpoint {
                seq: signed.seq,
                hash: exactly("hash", &signed.hash)?,
                at_ms: signed.at.ms(),
            },
            kid: signed.kid.clone(),
            signature: exactly("signature", &signed.signature)?,
        })
    }
}

fn exactly<const N: usize>(member: &'static str, text: &str) -> Result<[u8; N], NotACheckpoint> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(NotACheckpoint { member, bytes: N })
}
