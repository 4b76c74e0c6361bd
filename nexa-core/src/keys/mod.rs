//! API keys: how they are made, held, shown in part, and compared.

mod digest;
mod format;
mod plain;

pub use digest::{DigestParseError, KeyDigest};
pub use format::{KeyFormat, KeyFormatError, KeyShape};
pub use plain::PlainKey;
