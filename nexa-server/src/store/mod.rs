//! The store: one SQLite file behind a small facade; what was acknowledged survives a crash.
//!
//! A noun file takes `&Tx` first and holds nothing but SQL; a caller reads with [`Store::read`] and writes with
//! [`Store::write`]:
//!
//! ```text
//! store.write(move |tx| apps::insert(tx, now, &app))?;
//! let app = store.read(|tx| apps::find(tx, &id))?;
//! ```
//!
//! Invariants of the engine:
//! 1. A write is answered after the COMMIT that holds it is on the disk, never before.
//! 2. A write whose closure fails or panics leaves nothing behind and does not touch its neighbours.
//! 3. After an IO error nothing is written and no fsync is tried again: the process has to stop.
//! 4. One process owns a data folder.
//! 5. SQL is made of constants; values are bound, never pasted.

mod backup;
mod checkpoint;
mod connection;
mod engine;
mod error;
mod health;
mod lock;
mod migrate;
mod pool;
mod tx;
mod writer;

#[cfg(test)]
mod kill_tests;

pub(crate) use backup::{BackupError, BackupReport, backup};
pub(crate) use engine::Store;
pub(crate) use error::{OpenError, StoreError};
pub(crate) use migrate::Migration;
pub(crate) use tx::{Row, Tx, Value};
