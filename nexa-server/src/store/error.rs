//! What can go wrong in the store, and what SQLite's codes mean for us.

use std::{io, path::PathBuf};

use rusqlite::{ErrorCode, ffi};

/// Why a read or a write was refused. `Clone`, because a failed COMMIT is the answer to a whole group of callers.
///
/// None of the texts holds a bound value: they may be logged, but are not for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// A row with this key exists already; `columns` as SQLite lists them (`app.tenant_id, app.name`).
    #[error("a row with the same {columns} exists")]
    UniqueViolation {
        /// The columns of the violated key.
        columns: String,
    },
    /// A row points at nothing, or something still points at a row that was to be deleted.
    #[error("a foreign key does not hold")]
    ForeignKey,
    /// A CHECK, NOT NULL or column type does not hold: our bug, since the rules are the domain's.
    #[error("a constraint does not hold: {message}")]
    Constraint {
        /// SQLite's text, which names the constraint.
        message: String,
    },
    /// [`Tx::one`](super::Tx::one) found no row.
    #[error("no row where one was certain")]
    NoRow,
    /// A column is missing or is not of the type asked for: our bug, or a file that somebody edited.
    #[error("column {column} is missing or not of the type that was asked for")]
    Shape {
        /// Zero-based position in the row.
        column: usize,
    },
    /// The disk is full. Nothing of the write is kept; the store goes on and later writes may succeed.
    #[error("the disk is full")]
    Full,
    /// Too much is waiting already; trying again later is safe, since nothing was done.
    #[error("the store is busy")]
    Busy,
    /// A file of the store could not be opened: no file handle, as a rule.
    #[error("a file of the store could not be opened: {message}")]
    CannotOpen {
        /// SQLite's text.
        message: String,
    },
    /// The store has stopped: it was closed, or an IO error made it unsafe to go on.
    #[error("the store has stopped")]
    Unavailable,
    /// The caller's closure panicked; what it wrote is undone.
    #[error("a closure panicked inside the store")]
    Panicked,
    /// The facade was used wrongly: our bug.
    #[error("misuse of the store: {message}")]
    Misuse {
        /// What was wrong.
        message: String,
    },
    /// Any other refusal of SQLite.
    #[error("sqlite error {code}: {message}")]
    Sqlite {
        /// SQLite's extended result code.
        code: i32,
        /// SQLite's text.
        message: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later: the store is short of something, the call itself is well.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            StoreError::Full
            | StoreError::Busy
            | StoreError::CannotOpen { .. }
            | StoreError::Unavailable => true,
            StoreError::UniqueViolation { .. }
            | StoreError::ForeignKey
            | StoreError::Constraint { .. }
            | StoreError::NoRow
            | StoreError::Shape { .. }
            | StoreError::Panicked
            | StoreError::Misuse { .. }
            | StoreError::Sqlite { .. } => false,
        }
    }
}

/// Why a data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another process (or another handle in this one) owns the folder.
    #[error("the data folder {} is in use by another process", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error("the store has schema version {found}, but this program knows only up to {known}")]
    Newer {
        /// Version of the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// The file was written by an older version of this program, and is not to be changed.
    #[error(
        "the store has schema version {found}, and {known} is needed: a start of the server brings it there"
    )]
    Older {
        /// Version of the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// There is a database, but not one of ours.
    #[error("{} is not a Nexa store", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A migration failed; the file still has the version before it.
    #[error("migration {version} failed")]
    Migration {
        /// The migration.
        version: u32,
        /// Why.
        source: StoreError,
    },
    /// A file or folder could not be made or read.
    #[error("cannot open {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
}

/// What an error means beyond the statement that met it, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// The statement alone failed.
    Statement,
    /// The transaction may be gone, the file is well (disk full, out of memory).
    Transaction,
    /// What the disk holds is unknown, or nothing can be written any more.
    Fatal,
}

/// How far the damage of an error reaches.
pub(super) fn severity(error: &rusqlite::Error) -> Severity {
    let Some(failure) = error.sqlite_error() else {
        return Severity::Statement;
    };
    match failure.code {
        // Reported as an IO error, but only memory was short.
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_NOMEM => {
            Severity::Transaction
        }
        ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::InternalMalfunction => Severity::Fatal,
        ErrorCode::DiskFull
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::DatabaseBusy
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::CannotOpen => Severity::Transaction,
        // The rest, including codes that SQLite may add, fails one statement; whether the transaction lives on
        // is looked up after each command and not guessed from the code.
        _ => Severity::Statement,
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let Some(failure) = error.sqlite_error().copied() else {
            return match error {
                rusqlite::Error::QueryReturnedNoRows => StoreError::NoRow,
                rusqlite::Error::SqlInputError { msg, .. } => StoreError::Misuse { message: msg },
                // A wrong number of parameters, several statements in one text, rows nobody asked for.
                other => StoreError::Misuse {
                    message: other.to_string(),
                },
            };
        };
        let message = match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            _ => ffi::code_to_str(failure.extended_code).to_owned(),
        };
        match failure.code {
            ErrorCode::ConstraintViolation => constraint(failure.extended_code, message),
            ErrorCode::DiskFull => StoreError::Full,
            ErrorCode::CannotOpen => StoreError::CannotOpen { message },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            _ => StoreError::Sqlite {
                code: failure.extended_code,
                message,
            },
        }
    }
}

fn constraint(extended_code: i32, message: String) -> StoreError {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => {
            let columns = match message.split_once(": ") {
                Some((_, columns)) => columns.to_owned(),
                None => message,
            };
            StoreError::UniqueViolation { columns }
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::ForeignKey,
        _ => StoreError::Constraint { message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32, message: &str) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.to_owned()))
    }

    #[test]
    fn codes_become_our_errors() {
        for (code, message, expected) in [
            (
                ffi::SQLITE_CONSTRAINT_UNIQUE,
                "UNIQUE constraint failed: app.tenant_id, app.name",
                StoreError::UniqueViolation {
                    columns: "app.tenant_id, app.name".to_owned(),
                },
            ),
            (
                ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
                "UNIQUE constraint failed: app.id",
                StoreError::UniqueViolation {
                    columns: "app.id".to_owned(),
                },
            ),
            (
                ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
                "FOREIGN KEY constraint failed",
                StoreError::ForeignKey,
            ),
            (
                ffi::SQLITE_CONSTRAINT_CHECK,
                "CHECK constraint failed: n > 0",
                StoreError::Constraint {
                    message: "CHECK constraint failed: n > 0".to_owned(),
                },
            ),
            (
                ffi::SQLITE_FULL,
                "database or disk is full",
                StoreError::Full,
            ),
            (ffi::SQLITE_BUSY, "database is locked", StoreError::Busy),
            (
                ffi::SQLITE_CANTOPEN,
                "unable to open database file",
                StoreError::CannotOpen {
                    message: "unable to open database file".to_owned(),
                },
            ),
            (
                ffi::SQLITE_IOERR_FSYNC,
                "disk I/O error",
                StoreError::Sqlite {
                    code: ffi::SQLITE_IOERR_FSYNC,
                    message: "disk I/O error".to_owned(),
                },
            ),
        ] {
            assert_eq!(StoreError::from(failure(code, message)), expected);
        }
        assert_eq!(
            StoreError::from(rusqlite::Error::QueryReturnedNoRows),
            StoreError::NoRow
        );
    }

    #[test]
    fn what_is_short_may_be_there_later() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, true),
            (ffi::SQLITE_BUSY, true),
            (ffi::SQLITE_CANTOPEN, true),
            (ffi::SQLITE_CORRUPT, false),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, false),
        ] {
            let error = StoreError::from(failure(code, ""));
            assert_eq!(error.is_temporary(), expected, "code {code}");
        }
    }

    #[test]
    fn only_damage_to_the_file_is_fatal() {
        for (code, expected) in [
            (ffi::SQLITE_IOERR_FSYNC, Severity::Fatal),
            (ffi::SQLITE_IOERR_WRITE, Severity::Fatal),
            (ffi::SQLITE_IOERR_SHMSIZE, Severity::Fatal),
            (ffi::SQLITE_CORRUPT, Severity::Fatal),
            (ffi::SQLITE_NOTADB, Severity::Fatal),
            (ffi::SQLITE_IOERR_NOMEM, Severity::Transaction),
            (ffi::SQLITE_FULL, Severity::Transaction),
            (ffi::SQLITE_NOMEM, Severity::Transaction),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, Severity::Statement),
            (ffi::SQLITE_ERROR, Severity::Statement),
        ] {
            assert_eq!(severity(&failure(code, "")), expected, "code {code}");
        }
    }
}
