//! What a client gets that has a version already.

use std::collections::BTreeMap;

use nexa_core::{KeySet, ShardChanges, StatusShard};

use super::super::error::Error;
use super::signer::Signer;
use crate::store::Tx;
use crate::store::status_shards::{self, Change, Shard};

/// A shard, or the way to it from an earlier version.
pub(crate) struct Answer {
    pub(crate) shard: Shard,
    /// The delta, when the version was known and the delta is shorter.
    pub(crate) delta: Option<Vec<u8>>,
}

/// What leads from the version `since` to the newest one.
///
/// # Errors
/// `NotFound` when there is no such shard.
pub(crate) fn since(
    tx: &Tx<'_>,
    signer: &Signer,
    number: u32,
    since: Option<u64>,
) -> Result<Answer, Error> {
    let shard = super::find(tx, number)?;
    let base = since.filter(|since| (shard.changes_since..shard.seq).contains(since));
    let delta = match base {
        Some(base_seq) => {
            let changes = status_shards::changes(tx, number, base_seq)?;
            delta(tx, signer, &shard, base_seq, &changes)?
        }
        None => None,
    };
    Ok(Answer { shard, delta })
}

fn delta(
    tx: &Tx<'_>,
    signer: &Signer,
    shard: &Shard,
    base_seq: u64,
    changes: &[Change],
) -> Result<Option<Vec<u8>>, Error> {
    let keys = KeySet::from_keys(&[signer.key(tx)?.verification_key()])
        .map_err(|error| Error::Fault(format!("status key: {error}")))?;
    // Signed by an earlier key: the job is about to sign it anew.
    let Ok(new) = StatusShard::open(&shard.signed, &keys, signer.issuer()) else {
        return Ok(None);
    };
    let (added, removed) = net(changes);
    let changes = ShardChanges {
        base_seq,
        added: &added,
        removed: &removed,
    };
    let delta = changes.delta(&new);
    Ok(delta.filter(|delta| delta.len() < shard.signed.len()))
}

/// What is left of changes that may have undone one another: positions added and removed, rising.
fn net(changes: &[Change]) -> (Vec<u16>, Vec<u16>) {
    let mut first_and_last: BTreeMap<u16, (bool, bool)> = BTreeMap::new();
    for Change {
        position,
        is_revoked,
    } in changes
    {
        let (_, last) = first_and_last
            .entry(*position)
            .or_insert((*is_revoked, *is_revoked));
        *last = *is_revoked;
    }
    let mut net = (Vec::new(), Vec::new());
    for (position, (first, last)) in first_and_last {
        match (first, last) {
            (true, true) => net.0.push(position),
            (false, false) => net.1.push(position),
            // Back where it was.
            (true, false) | (false, true) => {}
        }
    }
    net
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_undo_one_another_leave_nothing() {
        let change = |position, is_revoked| Change {
            position,
            is_revoked,
        };
        let found = net(&[
            change(9, true),
            change(4, false),
            change(7, true),
            change(7, false),
            change(2, false),
            change(2, true),
            change(3, true),
            change(3, false),
            change(3, true),
        ]);
        assert_eq!(found, (vec![3, 9], vec![4]));
    }
}
