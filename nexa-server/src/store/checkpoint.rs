//! Moves what the write-ahead log holds into the database file, beside the writer.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    connection::{LOCK_WAIT, open_writer},
    error::{OpenError, Severity, severity},
    health::{Health, log},
    lock::at,
};

/// How long emptying the log may hold up the writer.
const TRUNCATE_WAIT: Duration = Duration::from_millis(50);

/// A thread that checkpoints in SQLite's PASSIVE mode (it waits for nobody and nobody waits for it) when nudged.
pub(super) struct Checkpointer {
    nudges: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread on a connection of its own.
    ///
    /// # Errors
    /// [`OpenError::Store`], or [`OpenError::Io`] if there is no thread to be had.
    pub(super) fn start(database: &Path, health: Arc<Health>) -> Result<Checkpointer, OpenError> {
        let connection = open_writer(database)?;
        // Room for one: a nudge that comes while another waits says nothing new.
        let (nudges, nudged) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || serve(&connection, &nudged, &health))
            .map_err(at(database))?;
        Ok(Checkpointer { nudges, thread })
    }

    /// Asks for a checkpoint and returns at once.
    pub(super) fn nudge(&self) {
        let _ = self.nudges.try_send(());
    }

    /// Ends the thread after the checkpoint it may be in.
    pub(super) fn stop(self) {
        drop(self.nudges);
        let _ = self.thread.join();
    }
}

/// Moves everything and empties the log; `false` if a reader (a backup) is in the way, which is not waited for long.
///
/// # Errors
/// What SQLite answers; see [`is_fatal`].
pub(super) fn truncate(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(TRUNCATE_WAIT)?;
    let outcome = run(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    connection.busy_timeout(LOCK_WAIT)?;
    outcome
}

/// Whether a failed checkpoint must stop the store. A full disk need not: the log still holds everything. A failed
/// fsync must: SQLite would try it again at the next checkpoint, be told that all is well, and reuse the log.
pub(super) fn is_fatal(error: &rusqlite::Error) -> bool {
    severity(error) == Severity::Fatal
}

fn serve(connection: &Connection, nudged: &Receiver<()>, health: &Health) {
    while nudged.recv().is_ok() && !health.has_failed() {
        match run(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(_) => {}
            Err(error) if is_fatal(&error) => return health.fail(&format!("checkpoint: {error}")),
            Err(error) => {
                log(|| tracing::warn!(%error, "a checkpoint failed; the log keeps its content"));
            }
        }
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<bool> {
    let is_blocked: i64 = connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?;
    Ok(is_blocked == 0)
}
