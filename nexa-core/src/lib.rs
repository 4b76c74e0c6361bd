//! API keys, scopes and strict Ed25519 licence and access tokens, without IO.
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "issue")]
mod issue;
#[cfg(feature = "keys")]
mod keys;
#[cfg(feature = "keys")]
mod scopes;
#[cfg(all(test, any(feature = "keys", feature = "issue")))]
mod seeded;

#[cfg(feature = "issue")]
pub use issue::{RefreshToken, uuid_v7};
#[cfg(feature = "keys")]
pub use keys::{DigestParseError, KeyDigest, KeyFormat, KeyFormatError, KeyShape, PlainKey};
#[cfg(feature = "keys")]
pub use scopes::{FULL_ACCESS, Requirement, Scope, ScopeError, ScopeSet};
