//! Places in shards: drawn by chance among the free ones, given back when nobody asks any more.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::error::Error;
use super::signer::{Signer, changed};
use crate::store::status_shards::{self, Place};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// A place that is free, for the licence that is being issued.
pub(crate) struct NewPlace {
    pub(crate) place: Place,
    /// What the licence names it by.
    pub(crate) uri: String,
}

/// Finds a free place. `seed` is what chance has given this licence: its place tells nothing of how many there are, nor of
/// their order.
pub(crate) fn choose(
    tx: &Tx<'_>,
    now: UnixMillis,
    signer: &Signer,
    seed: &[u8; 16],
) -> Result<NewPlace, Error> {
    let shard = match status_shards::with_room(tx)? {
        Some(shard) => shard,
        None => {
            let shard = status_shards::next_number(tx)?;
            signer.sign(tx, now, shard, &[])?;
            shard
        }
    };
    // The chance that none of so many is free is below 2^-64 in a full shard.
    const DRAWS: u32 = 1_024;
    for draw in 0..DRAWS {
        let place = Place {
            shard,
            position: drawn(seed, draw),
        };
        if !status_shards::is_taken(tx, place)? {
            let uri = signer.uri(shard);
            return Ok(NewPlace { place, uri });
        }
    }
    Err(Error::Fault(format!(
        "status shard {shard}: no free place was found"
    )))
}

/// Gives the licence its place until `until`: as long as anybody may ask for it.
pub(crate) fn take(tx: &Tx<'_>, jti: &str, new: &NewPlace, until: UnixMillis) -> Result<(), Error> {
    Ok(status_shards::take(tx, jti, new.place, until)?)
}

/// Takes places back whose licences are long over, a bounded number of them.
pub(crate) fn take_back(store: &Store, now: UnixMillis, signer: &Arc<Signer>) -> Result<(), Error> {
    const PART: u32 = 500;
    if !store.read(|tx| status_shards::has_over(tx, now))? {
        return Ok(());
    }
    let signer = Arc::clone(signer);
    store.write(move |tx| {
        let (revoked, _) = status_shards::take_back(tx, now, PART)?;
        changed(tx, now, &signer, &revoked, false)
    })
}

fn drawn(seed: &[u8; 16], draw: u32) -> u16 {
    let hash = Sha256::new()
        .chain_update(b"nexa status place v1\0")
        .chain_update(seed)
        .chain_update(draw.to_be_bytes())
        .finalize();
    let [high, low, ..] = <[u8; 32]>::from(hash);
    u16::from_be_bytes([high, low])
}
