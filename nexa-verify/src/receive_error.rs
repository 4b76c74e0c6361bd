//! Why a client takes nothing of what was fetched.

use core::fmt;

use nexa_core::{KeySetError, ShardError};

/// Why something fetched was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Nothing of the kind was asked for: there is no root key, no status key, or nothing that a delta leads on from.
    NotAsked,
    /// It is no good key set.
    KeySet(KeySetError),
    /// It is no good shard, or a delta that does not fit.
    Shard(ShardError),
    /// It is the shard of another number.
    OtherShard {
        /// Its number.
        number: u32,
        /// The one that was asked for.
        wanted: u32,
    },
    /// It is older than one that was here before: an old copy, or somebody who hides what came after.
    Older {
        /// Its version.
        seq: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// It is another document of the version that is here; the issuer has signed two.
    Twice {
        /// The version.
        seq: u64,
    },
}

impl ReceiveError {
    /// The stable name of the rule, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::KeySet(error) => error.code(),
            Self::Shard(error) => error.code(),
            Self::OtherShard { .. } => "other_shard",
            Self::Older { .. } => "older_version",
            Self::Twice { .. } => "version_twice",
        }
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("nothing of the kind was asked for"),
            Self::KeySet(error) => error.fmt(f),
            Self::Shard(error) => error.fmt(f),
            Self::OtherShard { number, wanted } => {
                write!(f, "this is shard {number}, not {wanted}")
            }
            Self::Older { seq, seen } => {
                write!(
                    f,
                    "version {seq} is older than {seen}, which was seen before"
                )
            }
            Self::Twice { seq } => {
                write!(f, "there are two documents of version {seq}")
            }
        }
    }
}

impl core::error::Error for ReceiveError {}
