//! Large data folders, made fast.
//!
//! The server makes the schema, one account and one key with limits; then it is stopped, and the rows of that key
//! are copied into the file directly, in one transaction: a million keys in seconds instead of a million requests.
//! Every hundredth key begins a tenant of its own. A key's value follows from its number, so that a client can
//! present any of them.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::client::{make_key, sign_up};
use crate::server::Process;
use crate::{Result, client};

const KEYS_OF_A_TENANT: u64 = 100;

/// The value of the key with that number.
pub fn value(number: u64) -> String {
    format!("nex_{number:032}")
}

/// What each key carries: a rate limit too wide to be reached.
pub fn fields() -> serde_json::Value {
    let rate = serde_json::json!({ "limit": 1_000_000_000, "windowSeconds": 3600 });
    serde_json::json!({ "name": "bench", "scopes": ["signals"], "rateLimit": rate })
}

/// Makes a data folder with so many keys; answers its operator key.
///
/// # Errors
/// When the server does not come up or the rows do not fit its schema.
pub fn folder(folder: &Path, keys: u64) -> Result<String> {
    let mut nexa = Process::nexa(folder, 100_000)?;
    let operator_key = nexa.operator_key()?;
    let token = sign_up(nexa.address())?;
    let (template, _) = make_key(nexa.address(), &token, &fields())?;
    drop(nexa);

    let started = client::now();
    let mut database = Connection::open(folder.join("nexa.db"))?;
    database.pragma_update(None, "cache_size", -1_000_000)?;
    let tx = database.transaction()?;
    let (tenant, user): (String, String) = tx.query_row(
        "SELECT tenant_id, user_id FROM api_keys WHERE id = ?1",
        [&template],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    {
        let mut tenants = Copies::of(&tx, "tenants", &tenant, &["id"])?;
        let mut users = Copies::of(
            &tx,
            "users",
            &user,
            &["id", "tenant_id", "email", "email_given"],
        )?;
        for number in 0..keys.div_ceil(KEYS_OF_A_TENANT) {
            let id = id("tenant", number);
            tenants.add(&[id.clone().into()])?;
            let email = format!("{number}@example.com");
            users.add(&[
                self::id("user", number).into(),
                id.into(),
                email.clone().into(),
                email.into(),
            ])?;
        }
        let mut rows = Copies::of(&tx, "api_keys", &template, &["id", "tenant_id", "user_id"])?;
        for number in 0..keys {
            let owner = number / KEYS_OF_A_TENANT;
            rows.add(&[
                id("key", number).into(),
                id("tenant", owner).into(),
                id("user", owner).into(),
            ])?;
        }
        // In the order of the table: at the end of it instead of all over it.
        let mut digests: Vec<([u8; 32], u64)> = (0..keys)
            .map(|number| (Sha256::digest(value(number)).into(), number))
            .collect();
        digests.sort_unstable_by_key(|(digest, _)| {
            let (head, tail) = columns(digest);
            (head, tail)
        });
        let mut insert =
            tx.prepare("INSERT INTO api_key_digests (head, tail, key_id) VALUES (?1, ?2, ?3)")?;
        for (digest, number) in digests {
            let (head, tail) = columns(&digest);
            insert.execute(params![head, tail, id("key", number)])?;
        }
    }
    tx.commit()?;
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    eprintln!(
        "{keys} keys made in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(operator_key)
}

/// An identifier in the form that the server gives its own, in the order of their numbers.
fn id(kind: &str, number: u64) -> String {
    let kind = kind.len();
    format!("01990000-0000-7000-8{kind:03x}-{number:012x}")
}

/// As the server keeps a digest: the head as a number, the tail as bytes.
fn columns(digest: &[u8; 32]) -> (i64, Vec<u8>) {
    let (head, tail) = digest.split_at(8);
    let head = head
        .iter()
        .fold(0_u64, |head, byte| (head << 8) | u64::from(*byte));
    (i64::from_ne_bytes(head.to_ne_bytes()), tail.to_vec())
}

/// Adds copies of one row that differ in some columns.
struct Copies<'tx> {
    insert: rusqlite::Statement<'tx>,
    template: String,
}

impl<'tx> Copies<'tx> {
    fn of(
        tx: &'tx rusqlite::Transaction<'_>,
        table: &str,
        template: &str,
        changed: &[&str],
    ) -> Result<Self> {
        let columns = tx
            .prepare("SELECT name FROM pragma_table_info(?1)")?
            .query_map([table], |row| row.get::<_, String>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let source: Vec<String> = columns
            .iter()
            .map(
                |column| match changed.iter().position(|name| name == column) {
                    Some(place) => format!("?{}", place + 2),
                    None => column.clone(),
                },
            )
            .collect();
        let exists = tx
            .query_row(
                &format!("SELECT 1 FROM {table} WHERE id = ?1"),
                [template],
                |_| Ok(()),
            )
            .optional()?;
        exists.ok_or("no row to copy")?;
        let (columns, source) = (columns.join(", "), source.join(", "));
        let sql =
            format!("INSERT INTO {table} ({columns}) SELECT {source} FROM {table} WHERE id = ?1");
        Ok(Self {
            insert: tx.prepare(&sql)?,
            template: template.to_owned(),
        })
    }

    fn add(&mut self, changed: &[Value]) -> Result<()> {
        let template = Value::from(self.template.clone());
        let values = std::iter::once(&template).chain(changed);
        self.insert.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }
}
