//! `nexa check-config`.

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::print_line;
use super::serve::Settings;

#[derive(Args)]
pub(super) struct CheckConfig {
    #[command(flatten)]
    settings: Settings,
}

impl CheckConfig {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let config = self.settings.load()?;
        print_line(&format!(
            "ok: listen {}, data {}, {} scopes, {} apps, {} rules",
            config.listen,
            config.data.display(),
            config.key_policy.known.iter().count(),
            config.apps.len(),
            config.rules.len()
        ))?;
        Ok(Exit::Success)
    }
}
