//! Ten million checks of keys beside rotations, each racing the one that ends the value it presents.
//!
//! ```text
//! cargo bench -p nexa-benches --bench revocation [-- PAIRS]
//! ```
//!
//! The server is a process of its own behind real sockets. A key is rotated over one connection while another one
//! asks `/api/authorize?scope=signals` with the old value, again and again: each such check and its rotation are a
//! racing pair. Checks beside the rotation may pass or not, but never pass again once one of them was refused. After the rotation's answer has arrived, the old
//! value must answer 401 and the new one 200. Anything else ends the run, with a status that is not zero.
//!
//! Enough keys are under way at once to fill the groups that the store commits. Memory holds only part of their
//! values, so that the checks come upon values in memory and upon values that must be read while they end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nexa_benches::client::{Connection, make_key, now, request, sign_up, text};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Result, in_scratch, is_bench_run, pairs};

const PAIRS: u64 = 10_000_000;
/// Keys under way at once.
const KEYS: u64 = 128;
/// Fewer than there are keys.
const CACHED_KEYS: u64 = 96;
const PROGRESS: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    if let Some(served) = serve_if_asked() {
        return served;
    }
    if !is_bench_run() {
        return Ok(());
    }
    let asked = std::env::args()
        .skip(1)
        .find(|argument| argument != "--bench");
    let pairs = asked.map_or(Ok(PAIRS), |number| number.replace('_', "").parse())?;
    in_scratch(|scratch| race(scratch, pairs))
}

/// What has been counted.
#[derive(Default)]
struct Tally {
    rotations: AtomicU64,
    /// Checks that were under way while their rotation was.
    pairs: AtomicU64,
    /// Those of them that passed.
    passed: AtomicU64,
    violations: AtomicU64,
    is_over: AtomicBool,
}

fn race(scratch: &Path, pairs: u64) -> Result<()> {
    let nexa = Process::nexa(&scratch.join("nexa"), CACHED_KEYS)?;
    let address = nexa.address();
    let token = sign_up(address)?;
    let fields = |scope: &str| serde_json::json!({ "name": "bench", "scopes": [scope] });
    // An access token would not last long enough.
    let (_, manager) = make_key(address, &token, &fields("full_access"))?;
    let keys = (0..KEYS)
        .map(|_| make_key(address, &token, &fields("signals")))
        .collect::<Result<Vec<_>>>()?;
    let tally = Arc::new(Tally::default());
    let started = now();
    let outcome = pairs::runtime()?.block_on(async {
        let progress = tokio::spawn(report(Arc::clone(&tally), pairs));
        let mut lanes = tokio::task::JoinSet::new();
        for (id, value) in keys {
            let lane = Lane {
                address: address.to_owned(),
                rotation: rotation(address, &id, &manager),
                value,
                changer: Connection::open(address).await?,
                checker: Connection::open(address).await?,
            };
            lanes.spawn(lane.run(pairs, Arc::clone(&tally)));
        }
        let mut outcome = Ok(());
        while let Some(finished) = lanes.join_next().await {
            let result = finished.map_err(Into::into).and_then(|result| result);
            if result.is_err() {
                tally.is_over.store(true, Ordering::Relaxed);
                outcome = outcome.and(result);
            }
        }
        progress.abort();
        outcome
    });
    let elapsed_s = started.elapsed().as_secs_f64();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "| pairs: checks beside a rotation | of which passed | rotations | violations | seconds | rotations a second |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {} | {} | {} | {} | {elapsed_s:.0} | {:.0} |",
        count(&tally.pairs),
        count(&tally.passed),
        count(&tally.rotations),
        count(&tally.violations),
        count(&tally.rotations) as f64 / elapsed_s
    );
    outcome
}

/// One key and its two connections.
struct Lane {
    address: String,
    rotation: String,
    value: String,
    changer: Connection,
    checker: Connection,
}

impl Lane {
    /// Takes part until there have been enough pairs.
    async fn run(mut self, pairs: u64, tally: Arc<Tally>) -> Result<()> {
        while tally.pairs.load(Ordering::Relaxed) < pairs && !tally.is_over.load(Ordering::Relaxed)
        {
            self.rotate(&tally).await?;
            tally.rotations.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn rotate(&mut self, tally: &Tally) -> Result<()> {
        let old = check(&self.address, &self.value);
        let is_answered = AtomicBool::new(false);
        let (changer, checker) = (&mut self.changer, &mut self.checker);
        let rotate = async {
            let answer = changer.ask(self.rotation.as_bytes()).await?;
            is_answered.store(true, Ordering::Relaxed);
            if answer.status != 200 {
                return Err(String::from_utf8_lossy(answer.bytes).into());
            }
            text(&serde_json::from_slice(answer.body)?, "key")
        };
        let check_again_and_again = async {
            let mut has_ended = false;
            while !is_answered.load(Ordering::Relaxed) {
                let status = checker.ask(old.as_bytes()).await?.status;
                tally.pairs.fetch_add(1, Ordering::Relaxed);
                match status {
                    200 if has_ended => {
                        return Err(violation(tally, "a value came back that had ended"));
                    }
                    200 => _ = tally.passed.fetch_add(1, Ordering::Relaxed),
                    401 => has_ended = true,
                    _ => return Err(format!("a check was answered {status}").into()),
                }
            }
            Ok(())
        };
        // The first one's request is on its way before the second one's first.
        let (new, ()) = tokio::try_join!(rotate, check_again_and_again)?;
        let new_check = check(&self.address, &new);
        let (old_status, new_status) = tokio::try_join!(
            async { Result::Ok(checker.ask(old.as_bytes()).await?.status) },
            async { Ok(changer.ask(new_check.as_bytes()).await?.status) },
        )?;
        self.value = new;
        match (old_status, new_status) {
            (401, 200) => Ok(()),
            (401, _) => Err(violation(tally, "a new value did not pass")),
            _ => Err(violation(
                tally,
                "an old value passed after its end had been answered",
            )),
        }
    }
}

fn violation(tally: &Tally, what: &str) -> Box<dyn std::error::Error + Send + Sync> {
    tally.violations.fetch_add(1, Ordering::Relaxed);
    what.into()
}

fn check(address: &str, key: &str) -> String {
    let line = "GET /api/authorize?scope=signals";
    request(address, line, &[("X-API-Key", key)], "")
}

fn rotation(address: &str, id: &str, manager: &str) -> String {
    let line = format!("POST /api/v1/api-keys/{id}/rotate");
    let bearer = format!("Bearer {manager}");
    request(address, &line, &[("Authorization", &bearer)], "{}")
}

/// Says on stderr how far it is.
async fn report(tally: Arc<Tally>, pairs: u64) {
    let started = now();
    loop {
        tokio::time::sleep(PROGRESS).await;
        let (done, elapsed_s) = (
            tally.pairs.load(Ordering::Relaxed),
            started.elapsed().as_secs_f64(),
        );
        let rate = done as f64 / elapsed_s;
        let left_s = pairs.saturating_sub(done) as f64 / rate;
        eprintln!("{done} of {pairs} pairs, {rate:.0} a second, {left_s:.0} s to go");
    }
}
