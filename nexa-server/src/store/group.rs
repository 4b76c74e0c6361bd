//! One group of writes: closures in one transaction, each of which can fail alone, and one COMMIT.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use rusqlite::{Connection, ErrorCode};

use super::{
    announce::Announcement,
    error::{Severity, StoreError, severity},
    tx::Tx,
};

/// Runs the commands in one transaction, a savepoint each, and commits it. `Ok` means that what is kept is on the disk, and
/// answers what it announces.
///
/// # Errors
/// [`Refused`]: nothing of the group was kept (if it is fatal: nobody knows).
pub(super) fn run_group(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
) -> Result<Vec<Announcement>, Refused> {
    run(connection, "BEGIN IMMEDIATE").map_err(|error| refuse(connection, error))?;
    let mut announced = Vec::new();
    for command in group {
        announced.append(&mut run_command(connection, command.as_mut())?);
    }
    let committed = run(connection, "COMMIT").map_err(|error| {
        // These leave nothing in the log. After any other error part of the group may come back at the next start,
        // and after a failed fsync nobody can tell.
        let is_harmless = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ConstraintViolation)
        );
        let refused = refuse(connection, error);
        Refused {
            is_fatal: refused.is_fatal || !is_harmless,
            ..refused
        }
    });
    committed.map(|()| announced)
}

/// Why a whole group was refused.
pub(super) struct Refused {
    /// The answer to every caller.
    pub(super) error: StoreError,
    /// Whether the store must stop.
    pub(super) is_fatal: bool,
}

/// A closure in the queue, its types hidden.
pub(super) trait Command: Send {
    /// Runs the closure; whether what it wrote is to be kept. Never unwinds.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Sends the closure's result, or the reason why its whole group was refused.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

/// What a caller waits for: the result of its closure, or why there is none.
pub(super) type Answer<T, E> = Result<Result<T, E>, StoreError>;

/// Wraps a closure for the queue; its answer comes out of the receiver.
pub(super) fn command<F, T, E>(closure: F) -> (Box<dyn Command>, Receiver<Answer<T, E>>)
where
    F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let (reply, answer) = sync_channel(1);
    let closure = Some(closure);
    (
        Box::new(Pending {
            closure,
            result: None,
            reply,
        }),
        answer,
    )
}

/// A closure, its result once it has run, and the way back to its caller.
struct Pending<F, T, E> {
    closure: Option<F>,
    result: Option<Answer<T, E>>,
    reply: SyncSender<Answer<T, E>>,
}

impl<F, T, E> Command for Pending<F, T, E>
where
    F: FnOnce(&Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let Some(closure) = self.closure.take() else {
            return false;
        };
        let result = catch_unwind(AssertUnwindSafe(|| closure(tx)));
        let is_kept = matches!(result, Ok(Ok(_)));
        self.result = Some(result.map_err(|_panic| StoreError::Panicked));
        is_kept
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let result = match group {
            Ok(()) => self.result.unwrap_or(Err(StoreError::Unavailable)),
            Err(error) => Err(error),
        };
        // A caller that has gone away does not matter: the write is done or undone all the same.
        let _ = self.reply.send(result);
    }
}

fn run_command(
    connection: &Connection,
    command: &mut dyn Command,
) -> Result<Vec<Announcement>, Refused> {
    run(connection, "SAVEPOINT command").map_err(|error| refuse(connection, error))?;
    let tx = Tx::new(connection);
    let is_kept = command.run(&tx);
    let (worst, mut announced) = tx.into_parts();
    if let Some((Severity::Fatal, error)) = worst {
        return Err(Refused {
            error,
            is_fatal: true,
        });
    }
    // On a full disk, for one, SQLite rolls the whole transaction back and whatever comes next would be committed
    // by itself: the neighbours' writes are gone, so nobody may be told otherwise.
    if connection.is_autocommit() {
        let error = worst.map_or_else(
            || StoreError::Misuse {
                message: "a closure ended the transaction".to_owned(),
            },
            |(_, error)| error,
        );
        return Err(Refused {
            error,
            is_fatal: false,
        });
    }
    let undo = if is_kept {
        Ok(())
    } else {
        announced.clear();
        run(connection, "ROLLBACK TO command")
    };
    undo.and_then(|()| run(connection, "RELEASE command"))
        .map(|()| announced)
        .map_err(|error| refuse(connection, error))
}

fn refuse(connection: &Connection, error: rusqlite::Error) -> Refused {
    let is_undone = connection.is_autocommit() || run(connection, "ROLLBACK").is_ok();
    Refused {
        is_fatal: severity(&error) == Severity::Fatal || !is_undone,
        error: error.into(),
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
