//! Status shards: the place of a licence, what is signed about it, and what changed.
//!
//! The rows of licences say which places are revoked; a shard is what was signed of them last. Whatever revokes a licence
//! or takes its place back signs the shard anew in the same transaction, so that no version lacks what was answered.

mod deltas;
mod places;
mod signer;

use super::error::Error;
use crate::store::Tx;
use crate::store::status_shards::{self, Shard};

pub(crate) use deltas::since;
pub(crate) use places::{choose, take, take_back};
pub(crate) use signer::{Signer, refresh, revoked};

/// A shard as it was signed last.
///
/// # Errors
/// `NotFound` when there is no such shard.
pub(crate) fn find(tx: &Tx<'_>, number: u32) -> Result<Shard, Error> {
    status_shards::find(tx, number)?.ok_or(Error::NotFound {
        noun: "Status shard",
    })
}

/// The positions of a shard that are revoked, rising.
pub(crate) fn revoked_positions(tx: &Tx<'_>, number: u32) -> Result<Vec<u16>, Error> {
    Ok(status_shards::revoked_positions(tx, number)?)
}
