//! Checkpoints: a signed word on how far the trail has come, so that nothing before it can be changed unnoticed.

use nexa_core::{AuditCheckpoint, KeySet, SigningKey, VerificationKey};

use super::super::error::Error;
use crate::store::audit::{self, Head};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// How old the newest kept checkpoint may be when there are new events.
const DUE_S: i64 = 3_600;

/// The key that signs checkpoints, and nothing else.
pub(crate) struct AuditKey(SigningKey);

impl AuditKey {
    pub(crate) const fn new(key: SigningKey) -> Self {
        Self(key)
    }

    pub(crate) fn verification_key(&self) -> VerificationKey {
        self.0.verification_key()
    }
}

/// A checkpoint and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) point: AuditCheckpoint,
    pub(crate) kid: String,
    pub(crate) signature: [u8; 64],
}

/// Why a checkpoint proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckpointProblem {
    #[error("it is signed by key {kid}, which was not given")]
    Foreign { kid: String },
    #[error("its signature does not hold under key {kid}")]
    Forged { kid: String },
}

impl Checkpoint {
    /// Of the newest event.
    ///
    /// # Errors
    /// `NotFound` while there is none.
    pub(crate) fn sign(tx: &Tx<'_>, now: UnixMillis, key: &SigningKey) -> Result<Self, Error> {
        let Head { seq, hash } = audit::head(tx)?.ok_or(Error::NotFound {
            noun: "Audit event",
        })?;
        let point = AuditCheckpoint {
            seq: u64::try_from(seq).map_err(|_| Error::Fault(format!("audit event {seq}")))?,
            hash: hash.ok_or_else(super::unchained)?,
            at_ms: now.ms(),
        };
        Ok(Self {
            signature: point.sign(key),
            kid: key.kid().to_owned(),
            point,
        })
    }

    pub(crate) fn at(&self) -> UnixMillis {
        UnixMillis::from_ms(self.point.at_ms)
    }

    /// # Errors
    /// `Foreign` when none of the keys is named, `Forged` when the named one did not sign it.
    pub(crate) fn check(&self, keys: &[KeySet]) -> Result<(), CheckpointProblem> {
        let kid = || self.kid.clone();
        let key = keys
            .iter()
            .find_map(|set| set.find(&self.kid))
            .ok_or_else(|| CheckpointProblem::Foreign { kid: kid() })?;
        self.point
            .verify(key, &self.signature)
            .map_err(|_| CheckpointProblem::Forged { kid: kid() })
    }
}

/// A checkpoint of the newest event, which is not kept here: whoever asked keeps it elsewhere.
pub(crate) fn current(tx: &Tx<'_>, now: UnixMillis, key: &AuditKey) -> Result<Checkpoint, Error> {
    Checkpoint::sign(tx, now, &key.0)
}

/// Who signed the newest checkpoint that is kept.
pub(crate) fn newest_kid(tx: &Tx<'_>) -> Result<Option<String>, Error> {
    Ok(audit::newest_checkpoint(tx)?.map(|(_, _, kid)| kid))
}

/// Keeps a checkpoint when there are new events and the newest one is an hour old: also where none is ever exported,
/// only what is younger than that can be changed by somebody who lacks the key.
pub(crate) fn keep_when_due(store: &Store, now: UnixMillis, key: &AuditKey) -> Result<(), Error> {
    keep(store, now, key, |made_at| {
        // After a step back of the clock too.
        now < made_at || now >= made_at.plus_seconds(DUE_S)
    })
}

/// Keeps a checkpoint when there are new events.
pub(crate) fn keep_last(store: &Store, now: UnixMillis, key: &AuditKey) -> Result<(), Error> {
    keep(store, now, key, |_| true)
}

fn keep(
    store: &Store,
    now: UnixMillis,
    key: &AuditKey,
    is_due: impl FnOnce(UnixMillis) -> bool,
) -> Result<(), Error> {
    let checkpoint = store.read(|tx| -> Result<_, Error> {
        let Some(head) = audit::head(tx)? else {
            return Ok(None);
        };
        match audit::newest_checkpoint(tx)? {
            Some((seq, made_at, _)) if seq >= head.seq || !is_due(made_at) => Ok(None),
            Some(_) | None => current(tx, now, key).map(Some),
        }
    })?;
    let Some(checkpoint) = checkpoint else {
        return Ok(());
    };
    let row = audit::Checkpoint {
        seq: i64::try_from(checkpoint.point.seq)
            .map_err(|_| Error::Fault(format!("audit event {}", checkpoint.point.seq)))?,
        hash: checkpoint.point.hash.to_vec(),
        at: now,
        kid: checkpoint.kid,
        signature: checkpoint.signature.to_vec(),
    };
    Ok(store.write(move |tx| audit::keep_checkpoint(tx, &row))?)
}
