//! Key sets: which keys may sign what and until when, under the signature of a root key.
mod contents;
mod error;
mod signed;

pub use contents::{KeySetContents, KeySetEntry, KeyUse, RevokedKey};
pub use error::KeySetError;
pub use signed::SignedKeySet;

#[cfg(feature = "issue")]
pub(crate) use contents::{HEADER_BYTES, KEY_BYTES, KEY_SET_MAGIC, REVOKED_BYTES};
