//! The store and nothing around it, for whoever measures what the rest costs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::store::{Migration, Store, StoreError};

/// About what a usage report takes in its tables.
const ROW_BYTES: usize = 200;

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE appended (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;",
}];

/// A store with one table.
pub struct BareStore(Store);

impl BareStore {
    /// Opens a new data folder.
    ///
    /// # Errors
    /// When there can be none.
    pub fn open(folder: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        std::fs::create_dir_all(folder)?;
        Ok(Self(Store::open(folder, SCHEMA)?))
    }

    /// Has so many threads append for a while, each again as soon as its row is durable; how many rows that made.
    ///
    /// # Errors
    /// What the store says.
    pub fn append(
        &self,
        threads: u64,
        length: Duration,
    ) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let (is_over, rows) = (AtomicBool::new(false), AtomicU64::new(0));
        let append = || {
            while !is_over.load(Ordering::Relaxed) {
                self.0.write(|tx| -> Result<(), StoreError> {
                    let body = [0x5A_u8; ROW_BYTES];
                    tx.execute("INSERT INTO appended (body) VALUES (?1)", &[(&body).into()])?;
                    Ok(())
                })?;
                rows.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), StoreError>(())
        };
        std::thread::scope(|scope| {
            let appending: Vec<_> = (0..threads).map(|_| scope.spawn(append)).collect();
            std::thread::sleep(length);
            is_over.store(true, Ordering::Relaxed);
            let joined = appending.into_iter().map(|thread| thread.join());
            joined.into_iter().try_for_each(|ended| match ended {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(rows.load(Ordering::Relaxed))
    }
}
