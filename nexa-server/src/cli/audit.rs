//! `nexa audit checkpoint|verify|key`: the subcommands, and all but `verify`.

use std::path::Path;

use clap::{Args, Subcommand};
use nexa_core::{SigningKey, public_jwks};
use serde_json::Value;
use ureq::http::Method;

use super::audit_verify;
use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::output::print_line;
use super::running_server::RunningServer;
use crate::api::SignedCheckpoint;
use crate::domain::audit::checkpoint::Checkpoint;
use crate::serve::{causes, keys, now};
use crate::store::key_file::KeyFile;
use crate::store::{DATABASE_FILE, MIGRATIONS, ReadOnly};

#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Print a signed checkpoint of the newest event, to be kept where nobody who can write the data folder can.
    Checkpoint {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        server: RunningServer,
    },
    /// Prove that nothing up to a checkpoint was changed, removed or reordered, offline.
    Verify(audit_verify::Verify),
    /// Print the public audit key as a JWK set, to be kept for --audit-key.
    Key {
        #[command(flatten)]
        data: DataFolder,
    },
}

impl Audit {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            AuditCommand::Checkpoint { data, server } => {
                let path = "/api/operator/audit/checkpoint";
                let checkpoint = match server.ask(Method::GET, path, read)? {
                    Some(checkpoint) => checkpoint,
                    None => sign(&data.with_store()?)?,
                };
                print_line(&json(&checkpoint)?)?;
                Ok(Exit::Success)
            }
            AuditCommand::Verify(verify) => verify.run(),
            AuditCommand::Key { data } => {
                let key = audit_key(&data.path()?)?;
                print_line(&public_jwks(&[key.verification_key()]))?;
                Ok(Exit::Success)
            }
        }
    }
}

fn read(body: &Value) -> Option<SignedCheckpoint> {
    let signed: SignedCheckpoint = serde_json::from_value(body.clone()).ok()?;
    Checkpoint::try_from(&signed).ok().map(|_| signed)
}

/// A checkpoint from the folder itself, also beside the server that runs on it.
fn sign(data: &Path) -> Result<SignedCheckpoint, Failure> {
    let key = audit_key(data)?;
    let file = open(&data.join(DATABASE_FILE))?;
    let checkpoint = file
        .read(|tx| Checkpoint::sign(tx, now(), &key))
        .map_err(Failure::failed)?;
    Ok((&checkpoint).into())
}

fn json(checkpoint: &SignedCheckpoint) -> Result<String, Failure> {
    serde_json::to_string(checkpoint).map_err(Failure::failed)
}

/// The audit key of the environment or of the folder.
pub(super) fn audit_key(data: &Path) -> Result<SigningKey, Failure> {
    keys::key(KeyFile::Audit, data)
        .map_err(Failure::usage)?
        .ok_or_else(|| {
            let path = KeyFile::Audit.path(data);
            Failure::Usage(format!("{} is missing", path.display()))
        })
}

/// Opens a database to read it.
pub(super) fn open(database: &Path) -> Result<ReadOnly, Failure> {
    ReadOnly::open(database, MIGRATIONS)
        .map_err(|error| Failure::Usage(format!("{}: {}", database.display(), causes(&error))))
}
