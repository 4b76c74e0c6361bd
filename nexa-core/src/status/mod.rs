//! Status shards: which of the licences that share one are revoked, signed, in few bytes.
mod delta;
mod error;
mod rice;
mod shard;

pub use error::ShardError;
pub use shard::StatusShard;

#[cfg(feature = "issue")]
pub(crate) use delta::DELTA_MAGIC;
#[cfg(feature = "issue")]
pub(crate) use rice::{MAX_BYTES as MAX_CODE_BYTES, encode};
#[cfg(feature = "issue")]
pub(crate) use shard::{Header, SHARD_MAGIC};
