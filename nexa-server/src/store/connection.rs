//! How a connection is opened: the settings that durability and privacy rest on.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::error::StoreError;

/// Name of the database inside the data folder.
pub(crate) const DATABASE_FILE: &str = "nexa.db";
/// Marks a file as ours (`PRAGMA application_id`): the letters "NEXA".
pub(super) const APPLICATION_ID: i64 = 0x4E45_5841;
/// How long a statement waits for a lock that another process (a backup, a shell) holds for a moment.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Distinct statements of the whole server, so that none is parsed twice.
const CACHED_STATEMENTS: usize = 256;

/// The writer's connection.
///
/// - WAL and `synchronous=FULL`: each COMMIT syncs the log before it returns.
/// - `wal_autocheckpoint=0`: checkpoints happen where their errors are seen, not inside a COMMIT.
/// - `secure_delete=ON`: what is deleted is overwritten with zeros, freed pages too (`FAST` would leave those), so
///   that an erased person is not found in the file; deletes are rare here, so the extra writes do not matter.
/// - `temp_store=MEMORY`: nothing of ours in the system's folder for temporary files.
///
/// # Errors
/// [`StoreError`]
pub(super) fn open_writer(database: &Path) -> Result<Connection, StoreError> {
    let connection = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Misuse {
            message: format!("the file system gives journal mode {mode}, not wal"),
        });
    }
    connection.execute_batch(
        "PRAGMA synchronous=FULL;
         PRAGMA secure_delete=ON;
         PRAGMA wal_autocheckpoint=0;
         PRAGMA journal_size_limit=16777216;",
    )?;
    Ok(connection)
}

/// A connection that cannot write.
///
/// # Errors
/// [`StoreError`]
pub(super) fn open_reader(database: &Path) -> Result<Connection, StoreError> {
    let connection = open_source(database)?;
    connection.execute_batch("PRAGMA query_only=ON;")?;
    Ok(connection)
}

/// A connection that cannot write to `database`, but can copy it to another file (which `query_only` forbids).
///
/// # Errors
/// [`StoreError`]
pub(super) fn open_source(database: &Path) -> Result<Connection, StoreError> {
    open(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(database: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(database, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // A file that somebody tampered with must not run code through its schema.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // "text" in double quotes is a column or an error, never silently a string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Otherwise a statement is parsed again whenever it is bound to another value, to plan it anew for that one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Closing would checkpoint, and after an IO error that is the second fsync that must not happen.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(
        "PRAGMA foreign_keys=ON;
         PRAGMA trusted_schema=OFF;
         PRAGMA cell_size_check=ON;
         PRAGMA temp_store=MEMORY;",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::{MIGRATIONS, Store};

    fn setting(connection: &Connection, name: &str) -> String {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                    other => other.as_str()?.to_owned(),
                })
            })
            .unwrap()
    }

    #[test]
    fn other_values_do_not_make_a_statement_be_parsed_again() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let reader = open_reader(&scratch.path().join(DATABASE_FILE)).unwrap();
        let mut statement = reader
            .prepare("SELECT tail, key_id FROM api_key_digests JOIN api_keys ON id = key_id WHERE head = ?1")
            .unwrap();
        for head in 0..3 {
            assert!(!statement.exists([head]).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        drop(store);
    }

    #[test]
    fn the_settings_are_in_force() {
        let scratch = tempfile::tempdir().unwrap();
        let database = scratch.path().join(DATABASE_FILE);
        std::fs::write(&database, b"").unwrap();
        let writer = open_writer(&database).unwrap();
        for (name, expected) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("secure_delete", "1"),
            ("wal_autocheckpoint", "0"),
            ("journal_size_limit", "16777216"),
            ("trusted_schema", "0"),
            ("busy_timeout", "5000"),
            ("temp_store", "2"),
        ] {
            assert_eq!(setting(&writer, name), expected, "{name}");
        }
        writer
            .execute_batch("CREATE TABLE thing (id INTEGER) STRICT;")
            .unwrap();
        let reader = open_reader(&database).unwrap();
        for (name, expected) in [
            ("query_only", "1"),
            ("trusted_schema", "0"),
            ("foreign_keys", "1"),
        ] {
            assert_eq!(setting(&reader, name), expected, "{name}");
        }
        assert!(reader.execute("INSERT INTO thing VALUES (1)", []).is_err());
        assert!(writer.prepare("SELECT \"text\"").is_err());
    }
}
