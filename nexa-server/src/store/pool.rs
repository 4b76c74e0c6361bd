//! The read side: a few connections that cannot write, each lent to one closure at a time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::{
    connection::{LOCK_WAIT, open_reader},
    error::StoreError,
    lock::FolderLock,
    tx::Tx,
};

/// Connections are opened at the start: later there may be no file handle left. Each one costs memory and file
/// handles; more of them than cores only helps while some wait for the disk.
const READERS: usize = 8;

/// The pool.
pub(super) struct Pool {
    database: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    idle: Vec<Reader>,
    /// Idle and lent; at most [`READERS`].
    open: usize,
    /// `None` once the pool is closed.
    lock: Option<Arc<FolderLock>>,
}

/// A connection, and the folder's lock, so that nobody else owns the folder while a read is under way.
struct Reader {
    connection: Connection,
    _lock: Arc<FolderLock>,
}

impl Reader {
    fn open(database: &Path, lock: Arc<FolderLock>) -> Result<Reader, StoreError> {
        let connection = open_reader(database)?;
        // SQLite opens the log when it is first read.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Reader {
            connection,
            _lock: lock,
        })
    }
}

impl Pool {
    /// A pool for `database` with all its connections.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) fn open(database: PathBuf, lock: Arc<FolderLock>) -> Result<Pool, StoreError> {
        let idle = (0..READERS)
            .map(|_| Reader::open(&database, Arc::clone(&lock)))
            .collect::<Result<Vec<_>, _>>()?;
        let state = State {
            open: idle.len(),
            idle,
            lock: Some(lock),
        };
        Ok(Pool {
            database,
            state: Mutex::new(state),
            returned: Condvar::new(),
        })
    }

    /// Runs `closure` in a read transaction, which sees what was committed when its first statement ran.
    ///
    /// # Errors
    /// What the closure answers; [`StoreError::Busy`] if no connection came free in five seconds,
    /// [`StoreError::Panicked`], [`StoreError::Unavailable`] after [`Pool::close`].
    pub(super) fn read<T, E: From<StoreError>>(
        &self,
        closure: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut lease = self.lend()?;
        let reader = match lease.reader.take() {
            Some(reader) => reader,
            // The last one was no longer fit for use.
            None => Reader::open(&self.database, Arc::clone(&lease.lock))?,
        };
        run(&reader.connection, "BEGIN")?;
        let result = catch_unwind(AssertUnwindSafe(|| closure(&Tx::new(&reader.connection))));
        // A transaction that stays open would pin the log for good; a connection that cannot end one is dropped.
        if run(&reader.connection, "ROLLBACK").is_ok() && reader.connection.is_autocommit() {
            lease.reader = Some(reader);
        }
        result.unwrap_or_else(|_panic| Err(StoreError::Panicked.into()))
    }

    /// Closes the idle connections and refuses new reads; reads under way come to their end.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.lock = None;
        state.open -= state.idle.len();
        state.idle.clear();
        self.returned.notify_all();
    }

    fn lend(&self) -> Result<Lease<'_>, StoreError> {
        let must_wait = |state: &mut State| {
            state.lock.is_some() && state.idle.is_empty() && state.open >= READERS
        };
        let (mut state, _) = self
            .returned
            .wait_timeout_while(self.state(), LOCK_WAIT, must_wait)
            .unwrap_or_else(PoisonError::into_inner);
        let Some(lock) = state.lock.clone() else {
            return Err(StoreError::Unavailable);
        };
        let reader = state.idle.pop();
        if reader.is_none() {
            if state.open >= READERS {
                return Err(StoreError::Busy);
            }
            state.open += 1;
        }
        Ok(Lease {
            pool: self,
            reader,
            lock,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one connection; it goes back when dropped, however the read ended.
struct Lease<'a> {
    pool: &'a Pool,
    /// `None` when lent: open one. `None` when dropped: it is no longer fit for use.
    reader: Option<Reader>,
    lock: Arc<FolderLock>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        match self.reader.take() {
            Some(reader) if state.lock.is_some() => state.idle.push(reader),
            Some(_) | None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
