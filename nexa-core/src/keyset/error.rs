//! Why a key set was refused.
use core::fmt;

use crate::jwk::{KeyProblem, SignatureError};

/// Why a key set was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySetError {
    /// It does not have as many bytes as its header says, or more than any key set.
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// It does not begin as a key set does (`NXK1`).
    Magic,
    /// Another root key than the one at hand signed it.
    OtherRoot,
    /// The signature does not hold, for these bytes and this issuer.
    Signature(SignatureError),
    /// A key is for something that this reader does not know.
    Use {
        /// The key's position, counted from zero.
        index: u8,
        /// What stands there.
        found: u8,
    },
    /// A key is malformed, weak or there twice.
    Key {
        /// The key's position, counted from zero.
        index: u8,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// A time is 2^53 or more, or a key's end is not later than its beginning.
    Times,
    /// It lists a key both as trusted and as revoked, or one revoked key twice.
    Revoked {
        /// The revoked key's position, counted from zero.
        index: u8,
    },
}

impl KeySetError {
    /// The stable name of the rule, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "key_set_length",
            Self::Magic => "key_set_magic",
            Self::OtherRoot => "key_set_other_root",
            Self::Signature(_) => "key_set_signature",
            Self::Use { .. } => "key_set_use",
            Self::Key { .. } => "key_set_key",
            Self::Times => "key_set_times",
            Self::Revoked { .. } => "key_set_revoked",
        }
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => write!(f, "no key set like this has {bytes} bytes"),
            Self::Magic => f.write_str("not a key set"),
            Self::OtherRoot => f.write_str("another root key signed it"),
            Self::Signature(error) => error.fmt(f),
            Self::Use { index, found } => {
                write!(f, "key {index} is for use {found}, which is not known")
            }
            Self::Key { index, problem } => write!(f, "key {index}: {problem}"),
            Self::Times => f.write_str("a time is out of range, or a key ends before it begins"),
            Self::Revoked { index } => write!(
                f,
                "revoked key {index} is listed twice or is trusted at the same time"
            ),
        }
    }
}

impl core::error::Error for KeySetError {}
