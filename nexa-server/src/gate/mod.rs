//! May this request pass: credential, principal, limits.

pub(crate) mod access;
pub(crate) mod address;
pub(crate) mod client;
pub(crate) mod cors;
pub(crate) mod credential;
pub(crate) mod idempotency;
pub(crate) mod identity_token;
mod license_token;
pub(crate) mod limit;
mod oauth_client;
pub(crate) mod permits;
pub(crate) mod places;
