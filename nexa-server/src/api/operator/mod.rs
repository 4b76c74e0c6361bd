//! `/api/operator/*`: for whoever runs this server.

pub(super) mod api_keys;
pub(super) mod apps;
pub(super) mod audit;
pub(super) mod keys;
pub(super) mod keyset;
pub(super) mod status;
pub(super) mod tenants;
pub(super) mod users;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct HolderPath {
    id: String,
}

/// How a user is switched off and on.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct HolderChange {
    /// `false` ends every session and token at once, and stops every key until it is `true` again.
    enabled: bool,
}

/// What a user has become.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangedHolder {
    id: String,
    enabled: bool,
}
