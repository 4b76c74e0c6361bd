//! What signs shards, when something in them changed and by the clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use nexa_core::{KeyUse, NewShard, SigningKey, UnixSeconds};

use super::super::error::Error;
use super::super::server_keys::KeyRing;
use crate::store::status_shards::{self, Place, Shard};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// The status key, and how often shards are signed anew.
pub(crate) struct Signer {
    ring: Arc<KeyRing>,
    refresh_s: u64,
}

impl Signer {
    pub(crate) const fn new(ring: Arc<KeyRing>, refresh_s: u64) -> Self {
        Self { ring, refresh_s }
    }

    /// The status key, as the transaction sees it.
    pub(crate) fn key(&self, tx: &Tx<'_>) -> Result<SigningKey, Error> {
        self.ring.signing_key(tx, KeyUse::Status)
    }

    /// The public URL that is signed along.
    pub(crate) fn issuer(&self) -> &str {
        self.ring.issuer()
    }

    /// What a licence names as the place of its status.
    pub(crate) fn uri(&self, shard: u32) -> String {
        format!("{}/api/licenses/status/{shard}", self.issuer())
    }

    /// When there will be a newer version of what is signed now, at the latest.
    pub(crate) fn next_update(&self, this_update: UnixSeconds) -> UnixSeconds {
        this_update
            .plus(2 * self.refresh_s)
            .unwrap_or(UnixSeconds::MAX)
    }

    /// Signs a shard as the rows of licences have it now, and notes what changed. Neither its version nor its time ever
    /// goes back, whatever the clock does and whichever backup was restored.
    pub(super) fn sign(
        &self,
        tx: &Tx<'_>,
        now: UnixMillis,
        number: u32,
        changes: &[(u16, bool)],
    ) -> Result<(), Error> {
        let (now_s, now_ms) = (now.seconds().get(), now.unsigned_ms());
        let last = status_shards::find(tx, number)?;
        let (seq, this_update_s) = match &last {
            Some(last) => (now_ms.max(last.seq + 1), now_s.max(last.this_update_s)),
            None => (now_ms, now_s),
        };
        for (position, is_revoked) in changes {
            let place = Place {
                shard: number,
                position: *position,
            };
            status_shards::note_change(tx, place, seq, *is_revoked)?;
        }
        let this_update = UnixSeconds::new(this_update_s).unwrap_or(UnixSeconds::MAX);
        let key = self.key(tx)?;
        let signed = NewShard {
            number,
            seq,
            this_update,
            next_update: self.next_update(this_update),
            revoked: &status_shards::revoked_positions(tx, number)?,
        }
        .sign(&key, self.issuer())
        .map_err(|error| Error::Fault(format!("status shard {number}: {error}")))?;
        let shard = Shard {
            number,
            taken: 0,
            seq,
            changes_since: seq,
            this_update_s,
            kid: key.kid().to_owned(),
            signed,
        };
        Ok(status_shards::keep(tx, &shard)?)
    }
}

/// Signs each shard in which a place was revoked, once.
pub(crate) fn revoked(
    tx: &Tx<'_>,
    now: UnixMillis,
    signer: &Signer,
    places: &[Place],
) -> Result<(), Error> {
    changed(tx, now, signer, places, true)
}

pub(super) fn changed(
    tx: &Tx<'_>,
    now: UnixMillis,
    signer: &Signer,
    places: &[Place],
    is_revoked: bool,
) -> Result<(), Error> {
    let mut by_shard: BTreeMap<u32, Vec<(u16, bool)>> = BTreeMap::new();
    for place in places {
        let changes = by_shard.entry(place.shard).or_default();
        changes.push((place.position, is_revoked));
    }
    for (number, changes) in by_shard {
        signer.sign(tx, now, number, &changes)?;
    }
    Ok(())
}

/// Signs anew what was signed long ago, by another key or by an earlier process, and forgets old changes, in turns of the writer
/// that keep nobody waiting for long.
///
/// # Errors
/// `Store`; what is left is signed by the next call.
pub(crate) fn refresh(store: &Store, now: UnixMillis, signer: &Arc<Signer>) -> Result<(), Error> {
    const PART: u32 = 50;
    const CHANGES_KEPT_S: u64 = 90 * 24 * 3600;
    let now_s = now.seconds().get();
    // What an earlier process has signed may be from a backup, and older than what clients have seen.
    let opened_s = signer.ring.opened_at().seconds().get();
    let until_s =
        (now_s.saturating_sub(signer.refresh_s)).max(opened_s.min(now_s).saturating_sub(1));
    loop {
        let found = store.read(|tx| -> Result<_, Error> {
            let key = signer.key(tx)?;
            Ok(status_shards::to_sign(tx, until_s, key.kid(), PART)?)
        })?;
        if found.is_empty() {
            return Ok(());
        }
        let signer = Arc::clone(signer);
        store.write(move |tx| -> Result<(), Error> {
            for number in found {
                signer.sign(tx, now, number, &[])?;
                let old = now.unsigned_ms().saturating_sub(CHANGES_KEPT_S * 1000);
                status_shards::forget_changes(tx, number, old)?;
            }
            Ok(())
        })?;
    }
}
