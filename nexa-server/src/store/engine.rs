//! The handle of an open store.

use std::{
    ffi::OsString,
    fs,
    path::{self, Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use rusqlite::{Connection, ffi};

use super::{
    announce::{Announcement, Listeners},
    checkpoint::{self, Checkpointer},
    connection::{DATABASE_FILE, open_reader, open_writer},
    error::{OpenError, StoreError},
    health::Health,
    lock::{FolderLock, at, create_private_file, sync_folder_of},
    migrate::{Migration, check, migrate},
    pool::Pool,
    tx::Tx,
    writer::{CheckpointPolicy, Resources, Writer},
};

/// An open data folder. Clones are handles of the same store; dropping the last one closes it, which waits for the
/// writes under way and for a checkpoint.
#[derive(Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: PathBuf,
    pool: Pool,
    writer: Writer,
    health: Arc<Health>,
    listeners: Arc<Listeners>,
}

/// How large the files of a store are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) database_bytes: u64,
    pub(crate) log_bytes: u64,
}

impl Sizes {
    pub(crate) const fn total_bytes(self) -> u64 {
        self.database_bytes + self.log_bytes
    }
}

impl Store {
    /// The data folder.
    #[cfg(test)]
    pub(crate) fn folder(&self) -> &Path {
        self.inner.database.parent().unwrap_or(Path::new(""))
    }

    /// Opens the store in `folder`, making folder (0700) and file (0600) where they are missing, and brings the
    /// schema to the newest of `migrations`.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if the folder has an owner, [`OpenError::Newer`] if the file comes from a newer version.
    pub(crate) fn open(folder: &Path, migrations: &[Migration]) -> Result<Store, OpenError> {
        Store::open_with(folder, migrations, CheckpointPolicy::default())
    }

    pub(super) fn open_with(
        folder: &Path,
        migrations: &[Migration],
        policy: CheckpointPolicy,
    ) -> Result<Store, OpenError> {
        // Absolute, since SQLite takes a path that starts with "file:" for a URI.
        let folder = path::absolute(folder).map_err(at(folder))?;
        let lock = Arc::new(FolderLock::take(&folder)?);
        let database = folder.join(DATABASE_FILE);
        create_private_file(&database).map_err(at(&database))?;
        // Before anything that writes: a file that is not ours, or too new, stays as it is.
        let found = check(&open_reader(&database)?, &database, migrations)?;
        let is_current = migrations
            .last()
            .is_none_or(|newest| newest.version == found);
        let connection = open_writer(&database)?;
        seed(&connection)?;
        let is_log_old = match checkpoint::truncate(&connection) {
            Ok(is_emptied) => !is_emptied,
            Err(error) if checkpoint::is_fatal(&error) => {
                return Err(StoreError::from(error).into());
            }
            // Keys can be checked on a full disk too: reads work, and writes are refused until there is room.
            Err(error) => {
                tracing::warn!(%error, "the log cannot be emptied yet; writes are refused until it is");
                true
            }
        };
        if is_log_old && !is_current {
            return Err(StoreError::Busy.into());
        }
        migrate(&connection, &database, migrations)?;
        // The name of the log has to survive as well, and SQLite ignores the error of its own sync of the folder.
        sync_folder_of(&database).map_err(at(&database))?;

        let health = Arc::new(Health::default());
        let listeners = Arc::new(Listeners::default());
        let checkpointer = Checkpointer::start(&database, Arc::clone(&health))?;
        let mut log = OsString::from(&database);
        log.push("-wal");
        let writer = Writer::start(Resources {
            connection,
            checkpointer,
            policy,
            health: Arc::clone(&health),
            listeners: Arc::clone(&listeners),
            log: log.into(),
            is_log_old,
            lock: Arc::clone(&lock),
        })?;
        let pool = Pool::open(database.clone(), lock)?;
        Ok(Store {
            inner: Arc::new(Inner {
                database,
                pool,
                writer,
                health,
                listeners,
            }),
        })
    }

    /// Runs `closure` in a read transaction: one snapshot of what is committed, ended whatever happens. Keep it short,
    /// and do nothing in it but read: as long as it runs, the log cannot be emptied.
    ///
    /// # Errors
    /// What the closure answers, or a [`StoreError`]: `Busy` if all connections are lent for five seconds, `Panicked`,
    /// `Unavailable` after [`Store::close`].
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        closure: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inner.pool.read(closure)
    }

    /// Runs `closure` on the writer thread and returns when its effect is on the disk. If it answers an error or
    /// panics, all it wrote is undone. Others' closures share the transaction, so it makes no call that waits (network,
    /// password hash) and does not write through the store again.
    ///
    /// # Errors
    /// What the closure answers, or a [`StoreError`]: `Busy` if too many wait (nothing was done), `Full` if the disk
    /// is full (nothing is kept), `Panicked`, `Unavailable` if the store has stopped: what was under way at
    /// that moment may or may not be there at the next start.
    pub(crate) fn write<T, E>(
        &self,
        closure: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // What it logs on the writer's thread is of the same request.
        let span = tracing::Span::current();
        self.inner
            .writer
            .write(move |tx| span.in_scope(|| closure(tx)))
    }

    /// Size of the database, and of the log that has to go into it.
    ///
    /// # Errors
    /// When the files cannot be asked.
    pub(crate) fn sizes(&self) -> Result<Sizes, StoreError> {
        let mut log = OsString::from(&self.inner.database);
        log.push("-wal");
        let database = fs::metadata(&self.inner.database).map_err(|_| StoreError::Unavailable)?;
        Ok(Sizes {
            database_bytes: database.len(),
            log_bytes: fs::metadata(log).map_or(0, |log| log.len()),
        })
    }

    /// Writes the whole file anew and empties the log, so that nothing of what was deleted is left in either:
    /// `secure_delete` does not reach what a page keeps beside its rows when they move to another page. Writes wait
    /// meanwhile, and are told to come back later if it takes longer than five seconds. It takes as much room on the disk
    /// again as the file has, and in memory or, beyond 256 MB, in the system's folder for temporary files.
    ///
    /// # Errors
    /// `Busy` when others write all the time, or somebody (a backup) reads the log for longer than a moment; what else is in
    /// the way, such as too little room. The file is then as it was.
    pub(crate) fn scrub(&self) -> Result<(), StoreError> {
        /// Above it the copy that SQLite makes goes to a nameless file instead of memory.
        const IN_MEMORY_BYTES: u64 = 256 << 20;
        let connection = open_writer(&self.inner.database)?;
        // First, since whoever reads the log keeps it from being emptied, and then every rewriting would add to it.
        self.empty_log(&connection)?;
        if self.sizes()?.total_bytes() > IN_MEMORY_BYTES {
            connection.execute_batch("PRAGMA temp_store=FILE")?;
        }
        self.noted(connection.execute_batch("VACUUM"))?;
        self.empty_log(&connection)
    }

    fn empty_log(&self, connection: &Connection) -> Result<(), StoreError> {
        const TRIES: u32 = 10;
        const PAUSE: Duration = Duration::from_millis(50);
        for _ in 0..TRIES {
            if self.noted(checkpoint::truncate(connection))? {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        Err(StoreError::Busy)
    }

    /// After a sync that failed nothing is written any more. Other errors undo what was begun, and the writer meets them
    /// itself if they are its own: a full or missing folder for temporary files is none of its business.
    fn noted<T>(&self, outcome: rusqlite::Result<T>) -> Result<T, StoreError> {
        outcome.map_err(|error| {
            if is_failed_sync(&error) {
                self.inner.health.fail(&format!("rewriting: {error}"));
            }
            error.into()
        })
    }

    /// Whether an IO error has ended all writing. The process should stop with a non-zero exit code.
    pub(crate) fn failed(&self) -> bool {
        self.inner.health.has_failed()
    }

    /// Calls `listener`, from a thread of the store, when [`Store::failed`] becomes true; at once if it is.
    pub(crate) fn on_failure(&self, listener: impl FnOnce() + Send + 'static) {
        self.inner.health.on_failure(Box::new(listener));
    }

    /// Calls `listener` from the writer's thread with what a group of writes has announced: after their COMMIT, before
    /// their callers have their answers. All writes wait for it, so it only notes and wakes; it must not write.
    pub(crate) fn on_commit(&self, listener: impl Fn(&[Announcement]) + Send + 'static) {
        self.inner.listeners.add(Box::new(listener));
    }

    /// Writes that wait for their turn.
    pub(crate) fn waiting_writes(&self) -> usize {
        self.inner.writer.waiting()
    }

    /// Transactions committed since the store was opened; fewer than writes, as many writes share one.
    pub(crate) fn commits(&self) -> u64 {
        self.inner.writer.commits()
    }

    /// Ends the store for every handle: writes that were accepted are finished, later ones are refused, the log is
    /// moved to the database file, the folder is free again (when the last read under way ends).
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "the server drops its handles, which does the same"
        )
    )]
    pub(crate) fn close(self) {
        self.inner.close();
    }
}

/// Seeds SQLite's generator, which [`Tx::salt`] draws from, while there surely are file handles. It does not tell where
/// its seed comes from, and takes the clock where it cannot have better.
fn seed(connection: &Connection) -> Result<(), OpenError> {
    #[cfg(unix)]
    {
        let source = Path::new("/dev/urandom");
        std::fs::File::open(source).map_err(at(source))?;
    }
    Tx::new(connection).salt()?;
    Ok(())
}

fn is_failed_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

impl Inner {
    fn close(&self) {
        self.writer.stop();
        self.pool.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
pub(super) mod tests;
