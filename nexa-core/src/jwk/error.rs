//! Why a key, a key set or a signature was refused.
use core::fmt;

use crate::json::JsonFault;

/// Why a key or a key set was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// The position in the set, counted from zero, where the problem is about one key of a set.
    pub index: Option<usize>,
    /// The problem.
    pub problem: KeyProblem,
}

/// What is wrong with a key or a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// The document has more than 8,192 bytes.
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// The document is not strict JSON.
    Json(JsonFault),
    /// This is neither a JWK nor a JWK set.
    NotAJwk,
    /// The document has both `keys` and `kty`: two readers could take two different keys from it.
    SetAndKey,
    /// A member of a JWK is missing, mistyped, or has a value that does not fit a key for verification.
    Member {
        /// The member's name.
        name: &'static str,
    },
    /// A JWK, of whatever type, holds a private or shared secret (`d` or `k`), which has no business with a verifier.
    PrivateKey,
    /// The bytes are not a point of the curve.
    NotAPoint,
    /// The key has small order: anybody can make signatures for it.
    Weak,
    /// The bytes are a second spelling of another key.
    NotCanonical,
    /// The JWK's `kid` is not the key's RFC 7638 thumbprint.
    KidMismatch,
    /// The key is in the set already.
    Duplicate,
    /// The set has more than sixteen keys.
    TooMany,
    /// The set holds no Ed25519 key.
    Empty,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index {
            write!(f, "key {index} of the set: ")?;
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(f, "the document has {bytes} bytes; at most 8192 are read")
            }
            Self::Json(fault) => write!(f, "the document is not strict JSON: {fault}"),
            Self::NotAJwk => f.write_str("neither a JWK nor a JWK set"),
            Self::SetAndKey => f.write_str("members keys and kty: a JWK set and a JWK at once"),
            Self::Member { name } => write!(
                f,
                "member {name} is missing or not what an Ed25519 verification key has there"
            ),
            Self::PrivateKey => f.write_str("member d or k: this is a secret key"),
            Self::NotAPoint => f.write_str("the key is not a point of the curve"),
            Self::Weak => f.write_str("the key is weak: anybody can sign for it"),
            Self::NotCanonical => f.write_str("the key is not in its canonical encoding"),
            Self::KidMismatch => f.write_str("member kid is not the key's thumbprint"),
            Self::Duplicate => f.write_str("the key is in the set twice"),
            Self::TooMany => f.write_str("a set has at most 16 keys"),
            Self::Empty => f.write_str("the set holds no Ed25519 key"),
        }
    }
}

impl core::error::Error for KeyError {}

/// Why a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// It does not have 64 bytes.
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// Its scalar S is not below the group order.
    ScalarRange,
    /// Its point R has small order.
    SmallOrder,
    /// It does not fit the key and the message.
    Mismatch,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => write!(f, "the signature has {bytes} bytes instead of 64"),
            Self::ScalarRange => f.write_str("the scalar S is not below the group order"),
            Self::SmallOrder => f.write_str("the point R has small order"),
            Self::Mismatch => f.write_str("the signature does not fit the key and the message"),
        }
    }
}

impl core::error::Error for SignatureError {}
