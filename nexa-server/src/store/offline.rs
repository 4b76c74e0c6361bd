//! A store's file that is only read: a data folder's, whether a server runs on it or not, or a backup.

use std::path::{self, Path};

use rusqlite::Connection;

use super::{
    connection::open_reader,
    error::{OpenError, StoreError},
    lock::at,
    migrate::{Migration, check},
    tx::Tx,
};

/// A file that cannot be written through this, and whose owner is not disturbed.
pub(crate) struct ReadOnly {
    connection: Connection,
}

impl ReadOnly {
    /// # Errors
    /// [`OpenError::Foreign`], [`OpenError::Newer`], [`OpenError::Older`]: the file is read as it is, so its schema has
    /// to be the newest of `migrations`.
    pub(crate) fn open(database: &Path, migrations: &[Migration]) -> Result<ReadOnly, OpenError> {
        // Absolute, since SQLite takes a path that starts with "file:" for a URI.
        let database = path::absolute(database).map_err(at(database))?;
        let connection = open_reader(&database)?;
        let found = check(&connection, &database, migrations)?;
        match migrations.last() {
            Some(newest) if newest.version > found => Err(OpenError::Older {
                found,
                known: newest.version,
            }),
            Some(_) | None => Ok(ReadOnly { connection }),
        }
    }

    /// Runs `closure`. Each statement sees what is committed when it runs, so that no snapshot is held for longer: it
    /// would keep a running server from emptying its log.
    ///
    /// # Errors
    /// What the closure answers.
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        closure: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        closure(&Tx::new(&self.connection))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{DATABASE_FILE, MIGRATIONS, Store},
        *,
    };

    fn version(database: &Path, known: usize) -> Result<i64, OpenError> {
        let file = ReadOnly::open(database, &MIGRATIONS[..known])?;
        Ok(file.read(|tx| tx.one("PRAGMA user_version", &[], |row| row.int(0)))?)
    }

    #[test]
    fn a_file_is_read_beside_its_owner_and_not_written() {
        let scratch = tempfile::tempdir().unwrap();
        let database = scratch.path().join(DATABASE_FILE);
        let newest = MIGRATIONS.len();
        assert!(version(&database, newest).is_err(), "there is none yet");
        assert!(!database.exists());
        let store = Store::open(scratch.path(), MIGRATIONS).unwrap();
        assert_eq!(version(&database, newest).unwrap(), newest as i64);
        let file = ReadOnly::open(&database, MIGRATIONS).unwrap();
        let refused = file.read(|tx| tx.execute("DELETE FROM health_probe", &[]));
        assert!(refused.is_err(), "{refused:?}");
        store.close();
        assert_eq!(version(&database, newest).unwrap(), newest as i64);
        assert!(matches!(
            version(&database, newest - 1),
            Err(OpenError::Newer { .. })
        ));
    }

    #[test]
    fn a_file_of_an_older_version_is_named_and_left_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        drop(Store::open(scratch.path(), &MIGRATIONS[..3]).unwrap());
        let found = version(&scratch.path().join(DATABASE_FILE), MIGRATIONS.len());
        assert!(
            matches!(found, Err(OpenError::Older { found: 3, .. })),
            "{found:?}"
        );
    }
}
