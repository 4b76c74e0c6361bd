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

pub(crate) mod agents;
mod announce;
pub(crate) mod api_keys;
pub(crate) mod apps;
pub(crate) mod audit;
pub(crate) mod auto_recharges;
pub(crate) mod backlog;
mod backup;
mod checkpoint;
mod connection;
pub(crate) mod credits;
pub(crate) mod devices;
mod digest;
mod engine;
pub(crate) mod erasure;
mod error;
pub(crate) mod events;
mod group;
mod health;
pub(crate) mod health_probe;
pub(crate) mod idempotency;
pub(crate) mod invites;
pub(crate) mod key_file;
pub(crate) mod key_sets;
pub(crate) mod leaked_values;
pub(crate) mod licenses;
mod lock;
pub(crate) mod mailed_tokens;
pub(crate) mod mails;
mod migrate;
pub(crate) mod notices;
mod offline;
pub(crate) mod operator_keys;
pub(crate) mod payment_customers;
pub(crate) mod payments;
mod pool;
pub(crate) mod server_keys;
pub(crate) mod sessions;
pub(crate) mod status_shards;
pub(crate) mod subscriptions;
pub(crate) mod sweep;
pub(crate) mod tenants;
mod tx;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod webhooks;
mod writer;

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod kill_tests;

pub(crate) use announce::Announcement;
pub(crate) use backup::{BackupError, backup};
pub(crate) use connection::DATABASE_FILE;
pub(crate) use engine::Store;
pub(crate) use error::StoreError;
pub(crate) use migrate::Migration;
pub(crate) use offline::ReadOnly;
pub(crate) use tx::{Row, Tx};

/// The schema, step by step.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("sql/0001_init.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("sql/0002_keys.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("sql/0003_agents.sql"),
    },
    Migration {
        version: 4,
        sql: include_str!("sql/0004_audit.sql"),
    },
    Migration {
        version: 5,
        sql: include_str!("sql/0005_people.sql"),
    },
    Migration {
        version: 6,
        sql: include_str!("sql/0006_licensing.sql"),
    },
    Migration {
        version: 7,
        sql: include_str!("sql/0007_shards.sql"),
    },
    Migration {
        version: 8,
        sql: include_str!("sql/0008_keys.sql"),
    },
    Migration {
        version: 9,
        sql: include_str!("sql/0009_server_keys.sql"),
    },
    Migration {
        version: 10,
        sql: include_str!("sql/0010_device_components.sql"),
    },
    Migration {
        version: 11,
        sql: include_str!("sql/0011_money.sql"),
    },
    Migration {
        version: 12,
        sql: include_str!("sql/0012_notices.sql"),
    },
    Migration {
        version: 13,
        sql: include_str!("sql/0013_events.sql"),
    },
    Migration {
        version: 14,
        sql: include_str!("sql/0014_imported_and_leaked_keys.sql"),
    },
    Migration {
        version: 15,
        sql: include_str!("sql/0015_webhooks.sql"),
    },
    Migration {
        version: 16,
        sql: include_str!("sql/0016_due_webhooks.sql"),
    },
    Migration {
        version: 17,
        sql: include_str!("sql/0017_contact_letters.sql"),
    },
];
