//! `nexa audit verify`: the trail against its checkpoints, offline.

use std::path::{Path, PathBuf};

use clap::Args;
use nexa_core::KeySet;
use serde_json::{Value, json};

use super::audit::{audit_key, open};
use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::input::read_file;
use super::output::{print_line, remark};
use crate::api::SignedCheckpoint;
use crate::domain::audit::checkpoint::{Checkpoint, CheckpointProblem};
use crate::domain::audit::verify::{Fault, Problem, Verification, verify};
use crate::store::DATABASE_FILE;

#[derive(Args)]
pub(super) struct Verify {
    #[command(flatten)]
    data: DataFolder,
    /// A database to read instead of a data folder's: a backup. One of another version is refused: verify it with that
    /// version's binary.
    #[arg(long, value_name = "FILE", requires = "audit_key")]
    database: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere; may be given more than once.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The public audit key, as a JWK set or one JWK that was kept elsewhere; more than once when keys were replaced.
    /// Without it: the key of the data folder.
    #[arg(long, value_name = "FILE")]
    audit_key: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let exported: Vec<Checkpoint> = self
            .checkpoint
            .iter()
            .map(|file| read_checkpoint(file))
            .collect::<Result<_, _>>()?;
        let keys = self.keys()?;
        let database = match self.database {
            Some(file) => file,
            None => self.data.with_store()?.join(DATABASE_FILE),
        };
        let found = verify(&open(&database)?, &keys, &exported)
            .map_err(|error| Failure::Usage(format!("{}: {error}", database.display())))?;
        if self.json {
            print_line(&as_json(&found).to_string())?;
        } else {
            as_text(&found)?;
        }
        if exported.is_empty() {
            remark(
                "nexa: no --checkpoint was given: whoever can write the data folder could have removed the end of the \
                 trail, or put an older copy in its place",
            );
        }
        Ok(match found.fault {
            None => Exit::Success,
            Some(_) => Exit::NotValid,
        })
    }

    fn keys(&self) -> Result<Vec<KeySet>, Failure> {
        if self.audit_key.is_empty() {
            let key = audit_key(&self.data.path()?)?;
            remark(
                "nexa: no --audit-key was given: whoever can write the data folder could have replaced the key in it",
            );
            let set = KeySet::from_keys(&[key.verification_key()]).map_err(Failure::failed)?;
            return Ok(vec![set]);
        }
        let sets = self.audit_key.iter().map(|file| {
            KeySet::from_jwks(&read_file(file)?)
                .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
        });
        sets.collect()
    }
}

fn read_checkpoint(file: &Path) -> Result<Checkpoint, Failure> {
    let refused = |problem: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: no checkpoint: {problem}", file.display()))
    };
    let signed: SignedCheckpoint =
        serde_json::from_slice(&read_file(file)?).map_err(|error| refused(&error))?;
    (&signed).try_into().map_err(|error| refused(&error))
}

fn as_text(found: &Verification) -> Result<(), Failure> {
    let Verification {
        events,
        erased,
        exported,
        stored,
        fault,
    } = found;
    match fault {
        None => print_line(&format!(
            "holds: one chain of {events} events, {erased} of them erased"
        ))?,
        Some(fault) => print_line(&format!("does not hold: {fault}"))?,
    }
    match exported {
        Some(checkpoint) => print_line(&format!(
            "proven up to event {} by the checkpoint of {} that was given: nothing was changed, removed or reordered",
            checkpoint.point.seq,
            checkpoint.at().to_rfc3339()
        ))?,
        None => print_line("proven up to no checkpoint that was given")?,
    }
    if let Some(checkpoint) = stored {
        print_line(&format!(
            "the newest checkpoint in the file that holds is of event {}, of {}",
            checkpoint.point.seq,
            checkpoint.at().to_rfc3339()
        ))?;
    }
    Ok(())
}

fn as_json(found: &Verification) -> Value {
    let checkpoint = |checkpoint: &Option<Checkpoint>| {
        checkpoint
            .as_ref()
            .map(|checkpoint| json!(SignedCheckpoint::from(checkpoint)))
    };
    json!({
        "holds": found.fault.is_none(),
        "events": found.events,
        "erased": found.erased,
        "provenUpTo": found.exported.as_ref().map(|checkpoint| checkpoint.point.seq),
        "checkpoint": checkpoint(&found.exported),
        "storedCheckpoint": checkpoint(&found.stored),
        "fault": found.fault.as_ref().map(|fault| json!({
            "seq": fault.seq,
            "code": code(fault),
            "detail": fault.problem.to_string(),
        })),
    })
}

const fn code(fault: &Fault) -> &'static str {
    match &fault.problem {
        Problem::Changed => "changed",
        Problem::Moved { .. } => "reordered",
        Problem::Removed => "removed",
        Problem::PersonalChanged => "personal_changed",
        Problem::HalfErased => "half_erased",
        Problem::ErasedWithoutErasure => "erased_without_erasure",
        Problem::Malformed => "malformed",
        Problem::NotChained => "not_chained",
        Problem::Rewritten { .. } => "rewritten",
        Problem::Truncated { .. } => "truncated",
        Problem::CheckpointOfNothing => "checkpoint_of_nothing",
        Problem::Checkpoint(CheckpointProblem::Foreign { .. }) => "checkpoint_foreign",
        Problem::Checkpoint(CheckpointProblem::Forged { .. }) => "checkpoint_forged",
        Problem::CheckpointMalformed => "checkpoint_malformed",
    }
}
