//! Making what the rest of the crate checks: signing keys, tokens and ids.

mod ids;
mod refresh;

pub use ids::uuid_v7;
pub use refresh::RefreshToken;
