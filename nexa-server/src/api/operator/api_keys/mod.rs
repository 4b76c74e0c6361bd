//! `/api/operator/api-keys/*`: keys of all tenants by their hashes, in and out.

pub(crate) mod export;
pub(crate) mod import;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::keys::HashForm;

/// What a hash is one of, and how it is written down.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HashAlgorithm {
    Sha256Hex,
    Sha256Base64,
    Sha512Hex,
    Sha512Base64,
}

impl From<HashAlgorithm> for HashForm {
    fn from(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256Hex => Self::Sha256Hex,
            HashAlgorithm::Sha256Base64 => Self::Sha256Base64,
            HashAlgorithm::Sha512Hex => Self::Sha512Hex,
            HashAlgorithm::Sha512Base64 => Self::Sha512Base64,
        }
    }
}
