//! SIGKILL again and again, while clients report what they have used.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexa_benches::client::{Connection, Random};
use nexa_benches::{Result, pairs};
use tokio::task::JoinSet;

use super::{Report, check, compare_sums, serve, set_up};

const CLIENTS: u64 = 16;

/// What the clients of the killed server know.
#[derive(Default)]
struct Known {
    acknowledged: AtomicU64,
    spent_mc: AtomicU64,
    /// Reports that were sent and not answered.
    open: Mutex<Vec<u64>>,
    again: AtomicU64,
    replayed: AtomicU64,
}

pub(super) fn again_and_again(scratch: &Path, kills: u64) -> Result<()> {
    let (nexa, license) = set_up(scratch)?;
    drop(nexa);
    let known = Arc::new(Known::default());
    let mut random = Random::new(0);
    let client = pairs::runtime()?;
    let mut next = 0;
    for _ in 0..kills {
        let nexa = serve(scratch)?;
        let address = nexa.address().to_owned();
        let life = Duration::from_micros(20_000 + random.draw() % 200_000);
        next = client.block_on(async {
            let mut lanes = JoinSet::new();
            let numbers = Arc::new(AtomicU64::new(next));
            for _ in 0..CLIENTS {
                let lane = send_until_killed(
                    address.clone(),
                    license.clone(),
                    Arc::clone(&numbers),
                    Arc::clone(&known),
                );
                lanes.spawn(lane);
            }
            tokio::time::sleep(life).await;
            drop(nexa);
            while let Some(finished) = lanes.join_next().await {
                finished??;
            }
            Result::Ok(numbers.load(Ordering::Relaxed))
        })?;
    }
    // What is open still is sent to a server that lives.
    let nexa = serve(scratch)?;
    client.block_on(async {
        let mut connection = Connection::open(nexa.address()).await?;
        while let Some(number) = take(&known) {
            send(&mut connection, nexa.address(), &license, number, &known).await?;
        }
        Result::Ok(())
    })?;
    drop(nexa);
    let reports = i64::try_from(known.acknowledged.load(Ordering::Relaxed))?;
    let spent_mc = i64::try_from(known.spent_mc.load(Ordering::Relaxed))?;
    if reports != i64::try_from(next)? {
        return Err(format!("{reports} of {next} reports were answered").into());
    }
    compare_sums(scratch, reports, spent_mc)?;
    println!(
        "{kills} times SIGKILL amid {CLIENTS} clients: {reports} reports answered, {} of them sent again after a kill and {} \
         of those charged before it; {spent_mc} mc, the same in the ledger, the reports and their daily sums. Lost: 0, doubled: 0.",
        known.again.load(Ordering::Relaxed),
        known.replayed.load(Ordering::Relaxed),
    );
    Ok(())
}

/// A report that was not answered, if there is one.
fn take(known: &Known) -> Option<u64> {
    known.open.lock().ok()?.pop()
}

async fn send_until_killed(
    address: String,
    license: String,
    numbers: Arc<AtomicU64>,
    known: Arc<Known>,
) -> Result<()> {
    let Ok(mut connection) = Connection::open(&address).await else {
        return Ok(());
    };
    loop {
        let number = take(&known).unwrap_or_else(|| numbers.fetch_add(1, Ordering::Relaxed));
        if let Err(error) = send(&mut connection, &address, &license, number, &known).await {
            if error.is::<Wrong>() {
                return Err(error);
            }
            known.again.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut open) = known.open.lock() {
                open.push(number);
            }
            return Ok(());
        }
    }
}

/// An answer that should not have been given.
#[derive(Debug)]
struct Wrong(String);

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// Sends the report of that number, always the same one and under its own key.
async fn send(
    connection: &mut Connection,
    address: &str,
    license: &str,
    number: u64,
    known: &Known,
) -> Result<()> {
    let report = Report::draw(&mut Random::new(number + 1));
    let key = format!("report-{number:012}");
    let request = report.request(address, license, Some(&key));
    let answer = connection.ask(request.as_bytes()).await?;
    check(&answer, &report).map_err(|error| Wrong(error.to_string()))?;
    let head = String::from_utf8_lossy(answer.bytes).to_ascii_lowercase();
    if head.contains("idempotency-replayed: true") {
        known.replayed.fetch_add(1, Ordering::Relaxed);
    }
    known.acknowledged.fetch_add(1, Ordering::Relaxed);
    known
        .spent_mc
        .fetch_add(u64::try_from(report.cost_mc)?, Ordering::Relaxed);
    Ok(())
}
