//! What every question about somebody else's key may say of how it was used.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::Error;
use crate::domain::keys::Environments;

/// Which keys are wanted.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum WantedEnvironment {
    Live,
    Test,
    Any,
}

impl WantedEnvironment {
    /// `live` where nothing is said.
    pub(super) const fn environments(wanted: Option<Self>) -> Environments {
        match wanted {
            None | Some(Self::Live) => Environments::Live,
            Some(Self::Test) => Environments::Test,
            Some(Self::Any) => Environments::Any,
        }
    }
}

/// The address that a key was used from.
///
/// # Errors
/// `Invalid` for `address`.
pub(super) fn address(text: Option<&str>) -> Result<Option<IpAddr>, Error> {
    text.map(|text| {
        text.parse()
            .map_err(|_| Error::invalid("address", "must be an IP address"))
    })
    .transpose()
}
