//! Which data folder a subcommand works on.

use std::path::PathBuf;

use clap::Args;

use super::exit::Failure;
use crate::config::{Config, Overrides};
use crate::store::DATABASE_FILE;

/// Flag, environment, configuration file, default.
#[derive(Args)]
pub(super) struct DataFolder {
    /// The data folder [default: ./nexa-data].
    #[arg(long, env = "NEXA_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The configuration file that may name the data folder.
    #[arg(long, env = "NEXA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DataFolder {
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        let overrides = Overrides {
            data: self.data.clone(),
            ..Overrides::default()
        };
        Ok(Config::load(self.config.as_deref(), overrides)
            .map_err(Failure::usage)?
            .data)
    }

    /// The data folder of a server that has been started before: a mistyped folder must not become a new one.
    pub(super) fn with_store(&self) -> Result<PathBuf, Failure> {
        let data = self.path()?;
        if data.join(DATABASE_FILE).is_file() {
            Ok(data)
        } else {
            Err(Failure::Usage(format!(
                "there is no Nexa store in {}",
                data.display()
            )))
        }
    }
}
