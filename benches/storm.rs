//! Other routes while everybody logs in: how long their answers take, beside the same routes on the same server at rest.
//!
//! ```text
//! cargo bench -p nexa-benches --bench storm
//! ```
//!
//! A log-in hashes a password for tens of milliseconds. The storm keeps 200 of them under way, more than may run or wait,
//! so that some are told to come back later. Meanwhile one client asks other routes, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nexa_benches::client::{Connection, authorize, make_key, now, request, sign_up};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Result, in_scratch, is_bench_run, pairs};
use tokio::task::JoinSet;

/// Log-ins under way at once.
const STORM: usize = 200;
/// Questions of each route, at rest and in the storm.
const QUESTIONS: usize = 1_000;

fn main() -> Result<()> {
    if let Some(served) = serve_if_asked() {
        return served;
    }
    if !is_bench_run() {
        return Ok(());
    }
    in_scratch(compare)
}

fn compare(scratch: &Path) -> Result<()> {
    let many = u32::MAX;
    let nexa = Process::nexa_with(
        &scratch.join("nexa"),
        &[
            ("log = \"info\"", "log = \"error\""),
            (
                "login_per_address_an_hour = 30",
                &format!("login_per_address_an_hour = {many}"),
            ),
            (
                "login_per_account_an_hour = 10",
                &format!("login_per_account_an_hour = {many}"),
            ),
        ],
    )?;
    let address = nexa.address();
    let token = sign_up(address)?;
    let fields = serde_json::json!({ "name": "bench", "scopes": ["signals"] });
    let (_, key) = make_key(address, &token, &fields)?;
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let create = request(
        address,
        "POST /api/v1/api-keys",
        &headers,
        &fields.to_string(),
    );
    let questions = [
        (
            "`GET /api/authorize`, from memory",
            authorize(address, &key),
        ),
        (
            "`GET /api/auth/me`, from the store",
            request(address, "GET /api/auth/me", &headers, ""),
        ),
        ("`POST /api/v1/api-keys`, a durable write", create),
    ];
    let (rest, storm, log_ins) = pairs::runtime()?.block_on(async {
        let rest = ask_all(address, &questions).await?;
        let counted = Arc::new(Counted::default());
        let mut lanes = JoinSet::new();
        for lane in 0..STORM {
            lanes.spawn(log_in_again_and_again(address.to_owned(), lane, Arc::clone(&counted)));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let started = now();
        let before = counted.served.load(Ordering::Relaxed);
        let storm = ask_all(address, &questions).await?;
        let served = counted.served.load(Ordering::Relaxed) - before;
        let log_ins = served as f64 / started.elapsed().as_secs_f64();
        counted.is_over.store(true, Ordering::Relaxed);
        while let Some(finished) = lanes.join_next().await {
            finished??;
        }
        println!(
            "{log_ins:.0} log-ins a second were answered, {} in all were told to come back later.\n",
            counted.refused.load(Ordering::Relaxed)
        );
        Result::Ok((rest, storm, log_ins))
    })?;
    if log_ins < 1.0 {
        return Err("there was no storm".into());
    }
    println!("Baseline: the same route on the same server at rest.\n");
    println!("| route | at rest: p50 | p99 | in the storm: p50 | p99 | p99, ratio |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (((name, _), rest), storm) in questions.iter().zip(rest).zip(storm) {
        let (rest_99, storm_99) = (percentile(&rest, 99), percentile(&storm, 99));
        println!(
            "| {name} | {:.2} ms | {rest_99:.2} ms | {:.2} ms | {storm_99:.2} ms | **{:.1}** |",
            percentile(&rest, 50),
            percentile(&storm, 50),
            storm_99 / rest_99
        );
    }
    Ok(())
}

#[derive(Default)]
struct Counted {
    served: AtomicU64,
    refused: AtomicU64,
    is_over: AtomicBool,
}

async fn log_in_again_and_again(address: String, lane: usize, counted: Arc<Counted>) -> Result<()> {
    let mut connection = Connection::open(&address).await?;
    let body =
        serde_json::json!({ "email": format!("{lane}@example.com"), "password": "wrong horse" });
    let log_in = request(&address, "POST /api/auth/login", &[], &body.to_string());
    while !counted.is_over.load(Ordering::Relaxed) {
        match connection.ask(log_in.as_bytes()).await?.status {
            401 => counted.served.fetch_add(1, Ordering::Relaxed),
            503 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                counted.refused.fetch_add(1, Ordering::Relaxed)
            }
            status => return Err(format!("a log-in was answered {status}").into()),
        };
    }
    Ok(())
}

/// Milliseconds of every question, route by route, sorted.
async fn ask_all(address: &str, questions: &[(&str, String)]) -> Result<Vec<Vec<f64>>> {
    let mut connection = Connection::open(address).await?;
    let mut routes = Vec::new();
    for (name, question) in questions {
        let mut times = Vec::new();
        for _ in 0..QUESTIONS {
            let started = now();
            let status = connection.ask(question.as_bytes()).await?.status;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            if !matches!(status, 200 | 201) {
                return Err(format!("{name} was answered {status}").into());
            }
        }
        times.sort_by(f64::total_cmp);
        routes.push(times);
    }
    Ok(routes)
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let place = sorted.len() * percent / 100;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
