//! `nexa key export`: the keys of a running server by their hashes.

use std::io;

use clap::Args;

use super::exit::{Exit, Failure};
use super::running_server::RunningServer;
use super::tenants::escaped;

#[derive(Args)]
pub(super) struct KeyExport {
    /// Only the keys of this tenant.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    #[command(flatten)]
    server: RunningServer,
}

impl KeyExport {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let tenant = self.tenant.as_deref().map(escaped);
        let query = tenant.map_or(String::new(), |id| format!("?tenant={id}"));
        let path = format!("/api/operator/api-keys/export{query}");
        self.server.download(&path, &mut io::stdout().lock())?;
        Ok(Exit::Success)
    }
}
