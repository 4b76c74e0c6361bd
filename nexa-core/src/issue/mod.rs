//! Making what the rest of the crate checks: signing keys, tokens and ids.

mod access;
mod error;
mod ids;
mod json;
mod key_set;
mod license;
mod lists;
mod new_license;
mod refresh;
mod signing_key;
mod status;
mod webhook;

pub use access::{AccessIssuer, IssuedAccess, NewAccess};
pub use error::{IssueError, check_issuer};
pub use ids::{uuid_v7, uuid_v7_from};
pub use key_set::{NewKeySet, sign_key_set};
pub use license::LicenseIssuer;
pub use lists::{NewRevocationList, NewStatusList};
pub use new_license::{IssuedLicense, NewDevice, NewLicense, NewTerms};
pub use refresh::RefreshToken;
pub(crate) use signing_key::Purpose;
pub use signing_key::{SigningKey, SigningKeyError, public_jwks};
pub use status::{NewShard, ShardChanges};
pub use webhook::NewWebhook;
