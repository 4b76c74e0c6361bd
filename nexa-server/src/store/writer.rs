//! The one writer: a thread that commits many closures in one transaction and answers after the commit is durable.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle, ThreadId},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    announce::Listeners,
    checkpoint::{self, Checkpointer},
    error::{OpenError, StoreError},
    group::{Command, Refused, command, run_group},
    health::{Health, log},
    lock::{FolderLock, at},
    tx::Tx,
};

/// Commands in one transaction: enough to share one fsync among many, few enough that nobody waits long.
const GROUP_MAX: usize = 256;
/// Commands that may wait. Each one holds a thread of the caller; beyond this the answer is Busy.
const QUEUE_MAX: usize = 1024;
/// With nothing to write for this long, what the log holds is moved to the database file.
const IDLE: Duration = Duration::from_secs(1);

/// When to checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckpointPolicy {
    /// Groups between two nudges of the background checkpoint.
    pub(super) groups: u64,
    /// Size of the log at which the writer empties it between two groups.
    pub(super) log_bytes: u64,
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        CheckpointPolicy {
            groups: 64,
            log_bytes: 64 * 1024 * 1024,
        }
    }
}

/// What the thread works with.
pub(super) struct Resources {
    pub(super) connection: Connection,
    pub(super) checkpointer: Checkpointer,
    pub(super) policy: CheckpointPolicy,
    pub(super) health: Arc<Health>,
    pub(super) listeners: Arc<Listeners>,
    /// Path of SQLite's log.
    pub(super) log: PathBuf,
    /// Whether the log still holds what an earlier process wrote. A process that stopped after a failed fsync left a
    /// log that the kernel shows us but the disk may not have; a commit chained to it could be lost with it. So there
    /// is none before all of it went through the database file and its fsync.
    pub(super) is_log_old: bool,
    /// Let go last, after the connection.
    pub(super) lock: Arc<FolderLock>,
}

/// The callers' end of the thread.
pub(super) struct Writer {
    /// `None` once stopped.
    queue: RwLock<Option<SyncSender<Box<dyn Command>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    commits: AtomicU64,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`OpenError::Io`] if there is no thread to be had.
    pub(super) fn start(resources: Resources) -> Result<Writer, OpenError> {
        let (queue, commands) = mpsc::sync_channel(QUEUE_MAX);
        let counts = Arc::new(Counts::default());
        let log = resources.log.clone();
        let truncate_at_bytes = resources.policy.log_bytes;
        let worker = Worker {
            resources,
            commands,
            counts: Arc::clone(&counts),
            groups: 0,
            truncate_at_bytes,
        };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || worker.run())
            .map_err(at(&log))?;
        let thread_id = thread.thread().id();
        Ok(Writer {
            queue: RwLock::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            thread_id,
            counts,
        })
    }

    /// Runs `closure` on the writer thread; returns when what it wrote is durable, or was undone.
    ///
    /// # Errors
    /// What the closure answers, or a [`StoreError`].
    pub(super) fn write<T, E>(
        &self,
        closure: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (command, answer) = command(closure);
        self.submit(command)?;
        match answer.recv() {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(error.into()),
            // The thread stopped with the command in its queue.
            Err(mpsc::RecvError) => Err(StoreError::Unavailable.into()),
        }
    }

    /// Commands that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.counts.waiting.load(Ordering::Acquire)
    }

    /// Groups committed since the start.
    pub(super) fn commits(&self) -> u64 {
        self.counts.commits.load(Ordering::Acquire)
    }

    /// Takes no more commands, lets the thread finish those it has, and waits for it.
    pub(super) fn stop(&self) {
        self.queue
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A closure may hold the last handle of the store: the thread cannot wait for itself, and ends anyway.
        if let Some(thread) = thread
            && !self.is_current_thread()
        {
            let _ = thread.join();
        }
    }

    fn submit(&self, command: Box<dyn Command>) -> Result<(), StoreError> {
        if self.is_current_thread() {
            return Err(StoreError::Misuse {
                message: "a write inside a write would wait for itself".to_owned(),
            });
        }
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(StoreError::Unavailable)?;
        self.counts.waiting.fetch_add(1, Ordering::AcqRel);
        queue.try_send(command).map_err(|refused| {
            self.counts.waiting.fetch_sub(1, Ordering::AcqRel);
            match refused {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => StoreError::Unavailable,
            }
        })
    }

    fn is_current_thread(&self) -> bool {
        thread::current().id() == self.thread_id
    }
}

struct Worker {
    resources: Resources,
    commands: Receiver<Box<dyn Command>>,
    counts: Arc<Counts>,
    /// Groups since the last nudge of the checkpointer.
    groups: u64,
    truncate_at_bytes: u64,
}

impl Worker {
    fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.serve())).is_err() {
            self.resources.health.fail("the writer thread panicked");
        }
        // What is still queued after a failure is answered now, not after the clean-up.
        drop(self.commands);
        let Resources {
            connection,
            checkpointer,
            health,
            lock,
            ..
        } = self.resources;
        checkpointer.stop();
        if !health.has_failed()
            && let Err(error) = checkpoint::truncate(&connection)
        {
            log(|| tracing::warn!(%error, "the last checkpoint failed; its log keeps everything"));
        }
        drop(connection);
        drop(lock);
    }

    fn serve(&mut self) {
        while let Some(mut group) = self.next_group() {
            // The checkpointer may have failed meanwhile. Dropping the group tells its callers.
            if self.resources.health.has_failed() {
                return;
            }
            let outcome = self
                .renew_log()
                .and_then(|()| run_group(&self.resources.connection, &mut group));
            let answer = match outcome {
                Ok(announced) => {
                    self.counts.commits.fetch_add(1, Ordering::AcqRel);
                    self.resources.listeners.tell(&announced);
                    Ok(())
                }
                Err(Refused {
                    error,
                    is_fatal: true,
                }) => {
                    self.resources.health.fail(&error.to_string());
                    Err(StoreError::Unavailable)
                }
                Err(Refused {
                    error,
                    is_fatal: false,
                }) => {
                    let commands = group.len();
                    log(|| tracing::warn!(%error, commands, "a group of writes was rolled back"));
                    Err(error)
                }
            };
            for command in group {
                command.answer(answer.clone());
            }
            if self.resources.health.has_failed() {
                return;
            }
            self.checkpoint();
        }
    }

    /// The next commands in the order they came; `None` when the store is closed and the queue is empty.
    fn next_group(&mut self) -> Option<Vec<Box<dyn Command>>> {
        let first = loop {
            if self.groups == 0 {
                break self.commands.recv().ok()?;
            }
            match self.commands.recv_timeout(IDLE) {
                Ok(command) => break command,
                Err(RecvTimeoutError::Timeout) => self.nudge(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        };
        let mut group = vec![first];
        group.extend(self.commands.try_iter().take(GROUP_MAX - 1));
        self.counts.waiting.fetch_sub(group.len(), Ordering::AcqRel);
        Some(group)
    }

    fn renew_log(&mut self) -> Result<(), Refused> {
        if self.resources.is_log_old {
            match checkpoint::truncate(&self.resources.connection) {
                Ok(true) => self.resources.is_log_old = false,
                Ok(false) => {
                    return Err(Refused {
                        error: StoreError::Busy,
                        is_fatal: false,
                    });
                }
                Err(error) => {
                    return Err(Refused {
                        is_fatal: checkpoint::is_fatal(&error),
                        error: error.into(),
                    });
                }
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) {
        self.groups += 1;
        if self.groups >= self.resources.policy.groups {
            self.nudge();
        }
        let log_bytes = fs::metadata(&self.resources.log).map_or(0, |log| log.len());
        if log_bytes >= self.truncate_at_bytes {
            self.truncate(log_bytes);
        }
    }

    fn nudge(&mut self) {
        self.groups = 0;
        self.resources.checkpointer.nudge();
    }

    fn truncate(&mut self, log_bytes: u64) {
        let outcome = checkpoint::truncate(&self.resources.connection);
        let limit_bytes = self.resources.policy.log_bytes;
        // If somebody was in the way, not again after every single group.
        let later_bytes = log_bytes.saturating_add(limit_bytes / 4);
        self.truncate_at_bytes = match outcome {
            Ok(true) => limit_bytes,
            Ok(false) => later_bytes,
            Err(error) => {
                if checkpoint::is_fatal(&error) {
                    self.resources.health.fail(&format!("checkpoint: {error}"));
                }
                later_bytes
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        connection::{DATABASE_FILE, open_writer},
        health::tests::DeadLog,
    };

    #[test]
    fn writes_go_on_though_the_log_is_dead() {
        let scratch = tempfile::tempdir().unwrap();
        let database = scratch.path().join(DATABASE_FILE);
        std::fs::write(&database, b"").unwrap();
        let health = Arc::new(Health::default());
        let (queue, commands) = mpsc::sync_channel(QUEUE_MAX);
        let worker = Worker {
            resources: Resources {
                connection: open_writer(&database).unwrap(),
                checkpointer: Checkpointer::start(&database, Arc::clone(&health)).unwrap(),
                policy: CheckpointPolicy::default(),
                health: Arc::clone(&health),
                listeners: Arc::default(),
                log: scratch.path().join("nexa.db-wal"),
                is_log_old: false,
                lock: Arc::new(FolderLock::take(scratch.path()).unwrap()),
            },
            commands,
            counts: Arc::default(),
            groups: 0,
            truncate_at_bytes: u64::MAX,
        };
        worker.counts.waiting.store(2, Ordering::Release);
        let caller = thread::spawn(move || {
            ["ROLLBACK", "CREATE TABLE thing (id INTEGER) STRICT"].map(|sql| {
                let (command, answer) = command(move |tx: &Tx<'_>| tx.execute(sql, &[]).map(drop));
                queue.send(command).unwrap();
                answer.recv().unwrap()
            })
        });
        tracing::subscriber::with_default(DeadLog, || worker.run());
        let [rolled_back, kept] = caller.join().unwrap();
        assert!(rolled_back.is_err(), "{rolled_back:?}");
        assert_eq!(kept, Ok(Ok(())));
        assert!(!health.has_failed());
    }
}
