//! A copy of the store in one file, made beside a running server and checked before it is trusted.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{self, Path, PathBuf},
    process,
};

use rusqlite::Connection;

use super::{
    connection::{APPLICATION_ID, DATABASE_FILE, open_reader, open_source},
    error::StoreError,
    lock::{create_new_private_file, sync_folder_of},
    migrate::{application_id, schema_version},
};

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupReport {
    /// The copy, as an absolute path.
    pub(crate) destination: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its schema version, that of the original.
    pub(crate) version: u32,
}

/// Why there is no backup. No file stays behind under the destination's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The data folder holds no store of ours.
    #[error("there is no Nexa store in {}", folder.display())]
    NoStore {
        /// The folder.
        folder: PathBuf,
    },
    /// The destination exists; it is never overwritten.
    #[error("{} exists already", destination.display())]
    Exists {
        /// The destination.
        destination: PathBuf,
    },
    /// The copy was made and is not sound.
    #[error("the copy is not sound: {finding}")]
    Unsound {
        /// What the check found first.
        finding: String,
    },
    /// A file could not be made, synced or renamed.
    #[error("cannot write {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot copy the store")]
    Store(#[from] StoreError),
}

/// Copies the store in `data_folder` to the new file `destination` (mode 0600): one moment of it, while a server may
/// go on writing. The copy is on the disk, complete and checked when this returns.
///
/// # Errors
/// [`BackupError`]
///
/// # Security
/// The copy holds what the store holds: hashes and personal data, no key that could be used. Signing keys are files
/// of their own and are not in it.
pub(crate) fn backup(data_folder: &Path, destination: &Path) -> Result<BackupReport, BackupError> {
    // Absolute, since SQLite takes a path that starts with "file:" for a URI.
    let destination = path::absolute(destination).map_err(at(destination))?;
    let database = path::absolute(data_folder)
        .map_err(at(data_folder))?
        .join(DATABASE_FILE);
    let no_store = || BackupError::NoStore {
        folder: data_folder.to_owned(),
    };
    if !database.is_file() {
        return Err(no_store());
    }
    let source = open_source(&database)?;
    if application_id(&source)? != APPLICATION_ID {
        return Err(no_store());
    }
    refuse_existing(&destination)?;

    let partial = Partial::create(&destination)?;
    copy(&source, &partial.path)?;
    File::open(&partial.path)
        .and_then(|file| file.sync_all())
        .map_err(at(&partial.path))?;
    partial.publish(&destination)?;
    sync_folder_of(&destination).map_err(at(&destination))?;

    let report = check(&source, &destination);
    if report.is_err() {
        // A copy that fails its check must not lie around looking like a backup.
        let _ = fs::remove_file(&destination);
    }
    report
}

/// The unfinished copy; removed when dropped before it is published.
struct Partial {
    path: PathBuf,
}

impl Partial {
    /// An empty file beside `destination`. Copies that died leave theirs behind, so the next free name is taken.
    fn create(destination: &Path) -> Result<Partial, BackupError> {
        let mut attempt = 0;
        loop {
            let mut path = OsString::from(destination);
            path.push(format!(".{}-{attempt}.partial", process::id()));
            let path = PathBuf::from(path);
            match create_new_private_file(&path) {
                Ok(_) => return Ok(Partial { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {
                    attempt += 1
                }
                Err(source) => return Err(BackupError::Io { path, source }),
            }
        }
    }

    /// Gives the file its name. A link refuses a name that was taken meanwhile, which a rename would overwrite;
    /// where the file system has no links, the rename follows a last look.
    fn publish(self, destination: &Path) -> Result<(), BackupError> {
        match fs::hard_link(&self.path, destination) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::Exists {
                    destination: destination.to_owned(),
                })
            }
            Err(_) => {
                refuse_existing(destination)?;
                fs::rename(&self.path, destination).map_err(at(destination))
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn refuse_existing(destination: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(destination) {
        Ok(_) => Err(BackupError::Exists {
            destination: destination.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(BackupError::Io {
            path: destination.to_owned(),
            source,
        }),
    }
}

fn copy(source: &Connection, partial: &Path) -> Result<(), BackupError> {
    let Some(name) = partial.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8");
        return Err(BackupError::Io {
            path: partial.to_owned(),
            source,
        });
    };
    source
        .execute("VACUUM INTO ?1", [name])
        .map_err(StoreError::from)?;
    Ok(())
}

fn check(source: &Connection, destination: &Path) -> Result<BackupReport, BackupError> {
    let copy = open_reader(destination)?;
    let first = |sql: &str| -> Result<Option<String>, BackupError> {
        let finding = copy
            .query_row(sql, [], |row| row.get(0))
            .map(Some)
            .or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(None),
                other => Err(StoreError::from(other)),
            })?;
        Ok(finding)
    };
    if let Some(finding) = first("PRAGMA integrity_check")?.filter(|finding| finding != "ok") {
        return Err(BackupError::Unsound { finding });
    }
    if let Some(finding) = first("SELECT \"table\" FROM pragma_foreign_key_check")? {
        return Err(BackupError::Unsound {
            finding: format!("a foreign key of {finding} does not hold"),
        });
    }
    let (version, original) = (schema_version(&copy)?, schema_version(source)?);
    if version != original || application_id(&copy)? != APPLICATION_ID {
        return Err(BackupError::Unsound {
            finding: format!("schema version {version} instead of {original}"),
        });
    }
    let bytes = fs::metadata(destination).map_err(at(destination))?.len();
    Ok(BackupReport {
        destination: destination.to_owned(),
        bytes,
        version,
    })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{
        super::{Migration, Store, StoreError},
        *,
    };

    const SCHEMA: &[Migration] = &[Migration {
        version: 1,
        sql: "CREATE TABLE thing (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES thing (id)) STRICT;",
    }];

    fn count(path: &Path) -> i64 {
        open_reader(path)
            .unwrap()
            .query_row("SELECT count(*) FROM thing", [], |row| row.get(0))
            .unwrap()
    }

    fn insert(store: &Store, ids: std::ops::RangeInclusive<i64>) {
        for id in ids {
            store
                .write(move |tx| {
                    tx.execute(
                        "INSERT INTO thing (id, parent_id) VALUES (?1, ?1)",
                        &[id.into()],
                    )
                })
                .unwrap();
        }
    }

    fn files(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    }

    #[test]
    fn a_running_store_is_copied_at_one_moment() {
        let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(data.path(), SCHEMA).unwrap();
        insert(&store, 1..=10);
        let destination = target.path().join("copy.db");
        let report = thread::scope(|scope| {
            let writing = scope.spawn(|| insert(&store, 11..=60));
            let report = backup(data.path(), &destination).unwrap();
            writing.join().unwrap();
            report
        });
        assert_eq!((report.version, &report.destination), (1, &destination));
        assert_eq!(report.bytes, fs::metadata(&destination).unwrap().len());
        assert!((10..=60).contains(&count(&destination)));
        assert_eq!(files(target.path()), ["copy.db"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&destination).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }

        // It is a store like any other.
        let restored = target.path().join("restored");
        fs::create_dir(&restored).unwrap();
        fs::rename(&destination, restored.join(DATABASE_FILE)).unwrap();
        let copied = count(&restored.join(DATABASE_FILE));
        let restored = Store::open(&restored, SCHEMA).unwrap();
        insert(&restored, 100..=100);
        let found = restored.read(|tx| tx.one("SELECT count(*) FROM thing", &[], |row| row.int(0)));
        assert_eq!(found, Ok::<_, StoreError>(copied + 1));
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(Store::open(data.path(), SCHEMA).unwrap());
        let destination = target.path().join("copy.db");
        fs::write(&destination, b"precious").unwrap();
        assert!(matches!(
            backup(data.path(), &destination),
            Err(BackupError::Exists { .. })
        ));
        // Taken while the copy was being made.
        let partial = Partial::create(&destination).unwrap();
        assert!(matches!(
            partial.publish(&destination),
            Err(BackupError::Exists { .. })
        ));
        assert_eq!(fs::read(&destination).unwrap(), b"precious");
        assert_eq!(files(target.path()), ["copy.db"]);
    }

    #[test]
    fn a_folder_without_a_store_is_named() {
        let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let destination = target.path().join("copy.db");
        assert!(matches!(
            backup(data.path(), &destination),
            Err(BackupError::NoStore { .. })
        ));
        Connection::open(data.path().join(DATABASE_FILE))
            .unwrap()
            .execute_batch("CREATE TABLE a (b)")
            .unwrap();
        assert!(matches!(
            backup(data.path(), &destination),
            Err(BackupError::NoStore { .. })
        ));
        assert!(files(target.path()).is_empty());
    }

    #[test]
    fn what_is_left_of_dead_copies_is_in_nobodys_way() {
        let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(Store::open(data.path(), SCHEMA).unwrap());
        let destination = target.path().join("copy.db");
        let dead = Partial::create(&destination).unwrap();
        backup(data.path(), &destination).unwrap();
        assert_eq!(count(&destination), 0);
        drop(dead);
        assert_eq!(files(target.path()), ["copy.db"]);
    }

    #[test]
    fn an_unsound_copy_is_not_left_behind() {
        let (data, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(Store::open(data.path(), SCHEMA).unwrap());
        let database = data.path().join(DATABASE_FILE);
        let connection = Connection::open(&database).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys=OFF; INSERT INTO thing VALUES (1, 99);")
            .unwrap();
        let result = backup(data.path(), &target.path().join("copy.db"));
        assert!(
            matches!(result, Err(BackupError::Unsound { .. })),
            "{result:?}"
        );
        assert!(files(target.path()).is_empty());
    }
}
