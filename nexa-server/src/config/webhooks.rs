//! The table `[webhooks]` of the configuration file.

use serde::Deserialize;

use crate::outbound::webhooks::AllowedHosts;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileWebhooks {
    allowed_hosts: Vec<String>,
}

impl FileWebhooks {
    pub(super) fn checked(self) -> Result<AllowedHosts, String> {
        AllowedHosts::new(&self.allowed_hosts)
            .map_err(|problem| format!("webhooks: allowed_hosts: {problem}"))
    }
}
