//! `nexa backup`.

use std::path::PathBuf;

use clap::Args;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::output::{print_line, remark};
use crate::store::key_file::KeyFile;
use crate::store::{self, BackupError};

#[derive(Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist yet.
    destination: PathBuf,
    #[command(flatten)]
    data: DataFolder,
}

impl Backup {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let data = self.data.path()?;
        let report = store::backup(&data, &self.destination).map_err(|error| match error {
            BackupError::NoStore { .. } | BackupError::Exists { .. } => Failure::usage(error),
            BackupError::Unsound { .. } | BackupError::Io { .. } | BackupError::Store(_) => {
                Failure::failed(error)
            }
        })?;
        print_line(&format!(
            "{}: {} bytes, checked",
            self.destination.display(),
            report.bytes
        ))?;
        remark(&format!(
            "nexa: the keys are not in the copy; keep {}, {}, {}, {}, {} and the folder keys beside them safe too",
            KeyFile::Signing.path(&data).display(),
            KeyFile::Audit.path(&data).display(),
            KeyFile::Status.path(&data).display(),
            KeyFile::Root.path(&data).display(),
            KeyFile::Webhook.path(&data).display()
        ));
        Ok(Exit::Success)
    }
}
