//! A million foreign hashes through `nexa key import`, beside bare inserts of the same rows into the same tables.
//!
//! ```text
//! cargo bench -p nexa-benches --bench import
//! ```
//!
//! Both write to the same disk, durably after each thousand keys; the bare inserts in the order of the file, the import in
//! that of the hashes, 50,000 at a time. What the import does beyond the rows: it reads JSON, checks
//! every field, looks up owners and other keys of that hash, chains an audit event for each request, and answers over HTTP.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nexa_benches::client::{Connection, authorize, now, sign_up, text};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Result, in_scratch, is_bench_run};
use rusqlite::params;
use sha2::{Digest, Sha256};

const KEYS: u64 = 1_000_000;
/// In one transaction, as the import has it.
const CHUNK: u64 = 1_000;

fn main() -> Result<()> {
    if let Some(served) = serve_if_asked() {
        return served;
    }
    if std::env::args().nth(1).as_deref() == Some("key") {
        let code = nexa_server::run_command_line();
        return match code == std::process::ExitCode::SUCCESS {
            true => Ok(()),
            false => Err("the import failed".into()),
        };
    }
    if !is_bench_run() {
        return Ok(());
    }
    in_scratch(compare)
}

fn compare(scratch: &Path) -> Result<()> {
    let (folder, file) = (scratch.join("nexa"), scratch.join("hashes"));
    let mut nexa = Process::nexa(&folder, 100_000)?;
    let operator_key = nexa.operator_key()?;
    let token = sign_up(nexa.address())?;
    let me = ureq::get(format!("http://{}/api/auth/me", nexa.address()))
        .header("Authorization", format!("Bearer {token}"))
        .call()?
        .body_mut()
        .read_to_string()?;
    let me: serde_json::Value = serde_json::from_str(&me)?;
    let user = me
        .get("user")
        .map(|user| text(user, "id"))
        .ok_or("no user")??;
    let mut hashes = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for number in 0..KEYS {
        writeln!(hashes, "{}", hex(&digest(number)))?;
    }
    hashes.into_inner()?.sync_all()?;

    let baseline = scratch.join("bare.db");
    let database = rusqlite::Connection::open(folder.join("nexa.db"))?;
    database.execute("VACUUM INTO ?1", [baseline.to_str().ok_or("a path")?])?;
    drop(database);
    let bare = insert(&baseline, &user)?;

    let started = now();
    let imported = Command::new(std::env::current_exe()?)
        .args(["key", "import"])
        .arg(&file)
        .args([
            "--algorithm",
            "sha256-hex",
            "--owner",
            &user,
            "--scope",
            "full_access",
        ])
        .args([
            "--prefix",
            "acme_",
            "--server",
            &format!("http://{}", nexa.address()),
        ])
        .env("NEXA_OPERATOR_KEY", operator_key)
        .output()?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&imported.stdout);
    if said.trim() != format!("imported {KEYS}, known before 0, refused 0") {
        return Err(format!("{said}{}", String::from_utf8_lossy(&imported.stderr)).into());
    }
    verify(nexa.address())?;
    println!("| what | keys | seconds | keys a second | to bare inserts | server's memory |");
    println!("|---|---:|---:|---:|---:|---:|");
    print_row("bare inserts of the same rows", bare, bare, "–");
    let memory = format!("{} MiB", nexa.memory_bytes()? >> 20);
    print_row("`nexa key import`", took, bare, &memory);
    Ok(())
}

fn print_row(what: &str, took: Duration, bare: Duration, memory: &str) {
    let seconds = took.as_secs_f64();
    let ratio = seconds / bare.as_secs_f64();
    let rate = KEYS as f64 / seconds;
    println!("| {what} | {KEYS} | {seconds:.1} | {rate:.0} | **{ratio:.2}** | {memory} |");
}

fn value(number: u64) -> String {
    format!("acme_{number:032}")
}

fn digest(number: u64) -> [u8; 32] {
    Sha256::digest(value(number)).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The rows of the import, without anything else.
fn insert(file: &Path, user: &str) -> Result<Duration> {
    let mut database = rusqlite::Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "foreign_keys", "ON")?;
    let tenant: String =
        database.query_row("SELECT tenant_id FROM users WHERE id = ?1", [user], |row| {
            row.get(0)
        })?;
    let started = now();
    for chunk in 0..KEYS / CHUNK {
        let tx = database.transaction()?;
        {
            let mut key = tx.prepare_cached(
                "INSERT INTO api_keys (id, tenant_id, user_id, name, prefix, scopes, created_at_ms)
                 VALUES (?1, ?2, ?3, 'imported', 'acme_', 'full_access', 1)",
            )?;
            let mut value = tx.prepare_cached(
                "INSERT INTO api_key_digests (head, tail, key_id) VALUES (?1, ?2, ?3)",
            )?;
            for number in chunk * CHUNK..(chunk + 1) * CHUNK {
                let id = format!("0190a1b2-0000-7000-8000-{number:012}");
                key.execute(params![id, tenant, user])?;
                let digest = digest(number);
                let (head, tail) = digest.split_at(8);
                value.execute(params![i64::from_be_bytes(head.try_into()?), tail, id])?;
            }
        }
        tx.commit()?;
    }
    Ok(started.elapsed())
}

/// That keys of the whole file pass.
fn verify(address: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        for number in (0..KEYS).step_by(9_973) {
            let request = authorize(address, &value(number));
            let answer = connection.ask(request.as_bytes()).await?;
            if answer.status != 200 {
                return Err(format!("key {number}: {}", answer.status).into());
            }
        }
        Ok(())
    })
}
