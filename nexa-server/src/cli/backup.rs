//! `nexa backup`.

use std::path::PathBuf;

use clap::Args;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::output::{print_line, remark};
use crate::store;

#[derive(Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist yet.
    destination: PathBuf,
    #[command(flatten)]
    data: DataFolder,
}

impl Backup {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let data = self.data.with_store()?;
        if self.destination.symlink_metadata().is_ok() {
            return Err(Failure::Usage(format!(
                "{} exists already",
                self.destination.display()
            )));
        }
        let report = store::backup(&data, &self.destination).map_err(Failure::failed)?;
        print_line(&format!(
            "{}: {} bytes, checked",
            self.destination.display(),
            report.bytes
        ))?;
        remark(&format!(
            "nexa: the signing key is not in the copy; keep {} safe too",
            store::signing_key::path(&data).display()
        ));
        Ok(Exit::Success)
    }
}
