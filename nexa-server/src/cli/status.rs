//! `nexa status export`: key set, shards and revocation list in a folder, for a stick or a mirror.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::keyset::{newest, read_only};
use super::output::{remark, write_file};
use super::status_folder::{KEY_SET_FILE, LIST_FILE, shard_file};
use crate::serve::now;
use crate::store::{StoreError, licenses, status_shards};

#[derive(Args)]
pub(super) struct Status {
    #[command(subcommand)]
    command: StatusCommand,
}

#[derive(Subcommand)]
enum StatusCommand {
    /// Write the signed key set and all status shards of a data folder, also while a server runs on it.
    Export(Export),
}

#[derive(Args)]
struct Export {
    /// The folder to write to; what stands there of an earlier export is replaced, file by file.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    data: DataFolder,
}

impl Status {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            StatusCommand::Export(export) => export.run(),
        }
    }
}

impl Export {
    fn run(self) -> Result<Exit, Failure> {
        const PART: u32 = 100;
        let failed = |error: StoreError| Failure::failed(error);
        let store = read_only(&self.data.with_store()?)?;
        let key_set = newest(&store)?;
        let shards = self.out.join("shards");
        fs::create_dir_all(&shards)
            .map_err(|error| Failure::failed(format!("{}: {error}", shards.display())))?;
        write_file(Some(&self.out.join(KEY_SET_FILE)), &key_set.signed)?;
        let list = store
            .read(|tx| licenses::revocations(tx, now(), None))
            .map_err(failed)?;
        let list: Vec<_> = list
            .iter()
            .map(|revoked| json!({ "jti": revoked.jti, "revokedAt": revoked.revoked_at.to_rfc3339() }))
            .collect();
        let list = serde_json::to_vec(&list).map_err(Failure::failed)?;
        write_file(Some(&self.out.join(LIST_FILE)), &list)?;
        let (mut last, mut count) = (None, 0);
        loop {
            let part = store
                .read(|tx| status_shards::list(tx, last, PART))
                .map_err(failed)?;
            for shard in &part {
                write_file(Some(&shard_file(&self.out, shard.number)), &shard.signed)?;
            }
            count += part.len();
            match part.last() {
                Some(shard) => last = Some(shard.number),
                None => break,
            }
        }
        remark(&format!(
            "nexa: key set {} and {count} shards written",
            key_set.seq
        ));
        Ok(Exit::Success)
    }
}
