//! `nexa backup`.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::input::print_line;
use crate::store;

#[derive(Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist yet.
    destination: PathBuf,
    /// The data folder to copy from.
    #[arg(
        long,
        env = "NEXA_DATA",
        value_name = "FOLDER",
        default_value = "./nexa-data"
    )]
    data: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let report = store::backup(&self.data, &self.destination).map_err(Failure::failed)?;
        print_line(&format!(
            "{}: {} bytes, checked",
            self.destination.display(),
            report.bytes
        ))?;
        eprintln!(
            "nexa: the signing key is not in the copy; keep {} safe too",
            store::signing_key::path(&self.data).display()
        );
        Ok(Exit::Success)
    }
}
