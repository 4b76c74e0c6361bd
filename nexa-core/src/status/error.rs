//! Why a status shard or a delta was refused.
use core::fmt;

use super::rice::Fault;
use crate::jwk::SignatureError;

/// Why a status shard or a delta was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardError {
    /// It has fewer bytes than a header and a signature, or more than any shard.
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// It does not begin as a shard (`NXS1`) or a delta (`NXD1`) does.
    Magic,
    /// No status key at hand signed it: a newer key set may hold the key.
    UnknownKey,
    /// The signature does not hold, for these bytes and this issuer.
    Signature(SignatureError),
    /// Its time is before the `not_before` of the key that signed it, or not before its `not_after`.
    KeyNotInForce,
    /// A time is 2^53 or more, or `next_update` is not later than `this_update`.
    Times,
    /// It names more positions than there are.
    Count {
        /// How many it names.
        count: u32,
    },
    /// The Rice parameter is not the one that follows from the number of positions.
    Parameter {
        /// The one it states.
        found: u8,
        /// The one that follows.
        expected: u8,
    },
    /// The code of the positions ends too early.
    Truncated,
    /// A position is 65,536 or more.
    OutOfRange,
    /// There are bits or bytes after the last position.
    Rest,
    /// A delta that leads on from another version than the one at hand.
    Base {
        /// The version it leads on from.
        base_seq: u64,
        /// The version at hand.
        seq: u64,
    },
    /// A delta of another shard.
    Number {
        /// The shard it is of.
        delta: u32,
        /// The one at hand.
        shard: u32,
    },
    /// A delta that adds what is there, or removes what is not.
    Changes,
}

impl ShardError {
    /// The stable name of the rule, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "shard_length",
            Self::Magic => "shard_magic",
            Self::UnknownKey => "shard_unknown_key",
            Self::Signature(_) => "shard_signature",
            Self::KeyNotInForce => "shard_key_not_in_force",
            Self::Times => "shard_times",
            Self::Count { .. } => "shard_count",
            Self::Parameter { .. } => "shard_parameter",
            Self::Truncated => "shard_truncated",
            Self::OutOfRange => "shard_out_of_range",
            Self::Rest => "shard_rest",
            Self::Base { .. } => "delta_base",
            Self::Number { .. } => "delta_number",
            Self::Changes => "delta_changes",
        }
    }
}

impl From<Fault> for ShardError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Truncated => Self::Truncated,
            Fault::OutOfRange => Self::OutOfRange,
            Fault::Rest => Self::Rest,
        }
    }
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => write!(f, "no status shard has {bytes} bytes"),
            Self::Magic => f.write_str("neither a status shard nor a delta"),
            Self::UnknownKey => f.write_str("no status key at hand signed it"),
            Self::Signature(error) => error.fmt(f),
            Self::KeyNotInForce => {
                f.write_str("the key that signed it was not in use yet, or its time is over")
            }
            Self::Times => f.write_str(
                "its times are out of range, or the next update is not later than this one",
            ),
            Self::Count { count } => {
                write!(f, "it names {count} positions; a shard has 65536")
            }
            Self::Parameter { found, expected } => {
                write!(f, "the Rice parameter is {found} where {expected} follows")
            }
            Self::Truncated => f.write_str("the code of its positions ends too early"),
            Self::OutOfRange => f.write_str("a position is 65536 or more"),
            Self::Rest => f.write_str("there is something after its last position"),
            Self::Base { base_seq, seq } => write!(
                f,
                "the delta leads on from version {base_seq}; at hand is {seq}"
            ),
            Self::Number { delta, shard } => {
                write!(f, "the delta is of shard {delta}; at hand is {shard}")
            }
            Self::Changes => f.write_str("the delta adds what is there or removes what is not"),
        }
    }
}

impl core::error::Error for ShardError {}
