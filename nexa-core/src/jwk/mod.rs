//! Public keys: one Ed25519 key, checked when it is loaded, and a set of up to sixteen of them.
mod error;
mod key;
mod set;

pub use error::{KeyError, KeyProblem, SignatureError};
pub use key::VerificationKey;
pub use set::KeySet;

pub(crate) use set::TrustedKey;
