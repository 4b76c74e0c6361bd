//! `nexa keyset export`: the signed key set, and the root key that clients embed.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nexa_core::{VerificationKey, public_jwks};

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::output::write_file;
use crate::store::key_sets::{self, KeySetRow};
use crate::store::{DATABASE_FILE, MIGRATIONS, ReadOnly, StoreError};

#[derive(Args)]
pub(super) struct Keyset {
    #[command(subcommand)]
    command: KeysetCommand,
}

#[derive(Subcommand)]
enum KeysetCommand {
    /// Write the newest key set of a data folder, also while a server runs on it.
    Export(Export),
}

#[derive(Args)]
struct Export {
    /// The root key's public half instead, as a JWK set: what a client embeds.
    #[arg(long)]
    root: bool,
    /// Where to write; to standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
}

impl Keyset {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            KeysetCommand::Export(export) => export.run(),
        }
    }
}

impl Export {
    fn run(self) -> Result<Exit, Failure> {
        let row = newest(&read_only(&self.data.with_store()?)?)?;
        let written = match self.root {
            true => {
                let root = VerificationKey::from_bytes(&row.root)
                    .map_err(|error| Failure::failed(format!("recorded root key: {error}")))?;
                format!("{}\n", public_jwks(&[root])).into_bytes()
            }
            false => row.signed,
        };
        write_file(self.output.as_deref(), &written)?;
        Ok(Exit::Success)
    }
}

/// The store of a data folder, read beside whoever owns it.
pub(super) fn read_only(data: &Path) -> Result<ReadOnly, Failure> {
    ReadOnly::open(&data.join(DATABASE_FILE), MIGRATIONS)
        .map_err(|error| Failure::failed(format!("{}: {error}", data.display())))
}

/// The newest key set.
pub(super) fn newest(store: &ReadOnly) -> Result<KeySetRow, Failure> {
    store
        .read(key_sets::newest)
        .map_err(|error: StoreError| Failure::failed(error))?
        .ok_or_else(|| Failure::usage("there is no key set yet: start the server once"))
}
