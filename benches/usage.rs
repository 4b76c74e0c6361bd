//! Usage reports: how many are durable a second, whether their sum is exact, and what SIGKILL leaves of them.
//!
//! ```text
//! cargo bench -p nexa-benches --bench usage                  # speed: 64 clients, against bare grouped appends
//! cargo bench -p nexa-benches --bench usage -- exact [N]     # 64 clients, N reports each (10,000)
//! cargo bench -p nexa-benches --bench usage -- kills [N]     # N times SIGKILL amid 16 clients (200)
//! ```
//!
//! The server is a process of its own behind real sockets; a report is answered when it, its cost and the balance are on the
//! disk. The baseline is SQLite with the same settings: one row a command, as many commands in a transaction as wait, from
//! as many threads, without a server around it.
//!
//! Sums are compared with what the clients have computed for themselves, in the ledger, the reports and their daily sums.
//! After a kill the clients send what was not answered once more, with the same `Idempotency-Key`.

mod kills;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nexa_benches::client::{Connection, Random, issue_license, now, request, set_plan, sign_up};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Result, in_scratch, is_bench_run, pairs};
use nexa_server::BareStore;
use rusqlite::Connection as Database;
use tokio::task::JoinSet;

const CLIENTS: u64 = 64;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(4);
/// What the tenant has to spend, in millicents: the plan's credits below.
const FUNDS_MC: i64 = 99_999_900_000;

fn main() -> Result<()> {
    if let Some(served) = serve_if_asked() {
        return served;
    }
    if !is_bench_run() {
        return Ok(());
    }
    let mut asked = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let (mode, number) = (asked.next(), asked.next());
    let number = |usual: u64| match &number {
        Some(number) => number.replace('_', "").parse(),
        None => Ok(usual),
    };
    match mode.as_deref() {
        None => in_scratch(speed),
        Some("exact") => {
            let each = number(10_000)?;
            in_scratch(|scratch| exact(scratch, each))
        }
        Some("kills") => {
            let kills = number(200)?;
            in_scratch(|scratch| kills::again_and_again(scratch, kills))
        }
        Some(other) => Err(format!("no such mode: {other}").into()),
    }
}

fn serve(scratch: &Path) -> Result<Process> {
    let unlimited = format!("usage_report_per_address_a_minute = {}", u32::MAX);
    Process::nexa_with(
        &scratch.join("nexa"),
        &[
            ("log = \"info\"", "log = \"error\""),
            ("usage_report_per_address_a_minute = 600", &unlimited),
            ("credits = \"25.00\"", "credits = \"999999.00\""),
        ],
    )
}

/// A server whose one tenant has a plan, and a licence of that tenant.
fn set_up(scratch: &Path) -> Result<(Process, String)> {
    let mut nexa = serve(scratch)?;
    let operator_key = nexa.operator_key()?;
    let token = sign_up(nexa.address())?;
    set_plan(nexa.address(), &token, &operator_key, "pro")?;
    let license = issue_license(nexa.address(), &token, "agentyk-engine")?;
    Ok((nexa, license))
}

/// What one report says, and what it costs by the sample's rate card, in millicents.
struct Report {
    input: u64,
    cached: u64,
    output: u64,
    cost_mc: i64,
}

impl Report {
    fn draw(random: &mut Random) -> Self {
        let mut below = |most: u64| random.draw() % most;
        let (input, cached, output) = (below(400), below(2_000), below(60));
        // In two hundredths of a millicent: 0.20 for a million is four a token, 0.05 is one, 0.60 is twelve.
        let parts = 4 * input + cached + 12 * output;
        Self {
            input,
            cached,
            output,
            cost_mc: i64::try_from(parts.div_ceil(200)).unwrap_or(i64::MAX),
        }
    }

    fn request(&self, address: &str, license: &str, key: Option<&str>) -> String {
        let bearer = format!("Bearer {license}");
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("Idempotency-Key", key)));
        let body = serde_json::json!({
            "appId": "agentyk-engine",
            "modelId": "llama-3-8b",
            "inputTokens": self.input,
            "cachedInputTokens": self.cached,
            "outputTokens": self.output,
        });
        request(
            address,
            "POST /api/usage/report",
            &headers,
            &body.to_string(),
        )
    }
}

/// What one round of load measured.
struct Round {
    reports_per_s: f64,
    /// Milliseconds, sorted.
    times: Vec<f64>,
}

fn speed(scratch: &Path) -> Result<()> {
    let (nexa, license) = set_up(scratch)?;
    let bare = BareStore::open(&scratch.join("bare"))?;
    let client = pairs::runtime()?;
    let mut ratios = Vec::new();
    let (mut nexa_per_s, mut bare_per_s, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let ours = || client.block_on(load(nexa.address(), &license));
        let baseline = || {
            let started = now();
            let rows = bare.append(CLIENTS, ROUND)?;
            Result::Ok(rows as f64 / started.elapsed().as_secs_f64())
        };
        let (ours, baseline) = match round % 2 {
            0 => {
                let baseline = baseline()?;
                (ours()?, baseline)
            }
            _ => (ours()?, baseline()?),
        };
        // The first one warms up.
        if round > 0 {
            ratios.push(ours.reports_per_s / baseline);
            nexa_per_s.push(ours.reports_per_s);
            bare_per_s.push(baseline);
            times.extend(ours.times);
        }
    }
    for figures in [&mut ratios, &mut nexa_per_s, &mut bare_per_s, &mut times] {
        figures.sort_by(f64::total_cmp);
    }
    let ratio = at(&ratios, 50);
    println!(
        "Baseline: grouped appends of SQLite with the same settings, from {CLIENTS} threads.\n"
    );
    println!("| what | a second | baseline | ratio | middle half | p50 | p99 | aim |");
    println!("|---|---:|---:|---:|---:|---:|---:|---|");
    println!(
        "| durable usage reports, {CLIENTS} clients | {:.0} | {:.0} | **{ratio:.2}** | {:.2}–{:.2} | {:.1} ms | {:.1} ms | ≥ 0.50: {} |",
        at(&nexa_per_s, 50),
        at(&bare_per_s, 50),
        at(&ratios, 25),
        at(&ratios, 75),
        at(&times, 50),
        at(&times, 99),
        if ratio >= 0.5 { "met" } else { "**missed**" },
    );
    Ok(())
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    let place = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

async fn load(address: &str, license: &str) -> Result<Round> {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut lanes = JoinSet::new();
    let started = now();
    for number in 0..CLIENTS {
        let mut connection = Connection::open(address).await?;
        let (address, license) = (address.to_owned(), license.to_owned());
        let is_over = Arc::clone(&is_over);
        lanes.spawn(async move {
            let mut random = Random::new(number);
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let request = Report::draw(&mut random).request(&address, &license, None);
                let asked = now();
                let answer = connection.ask(request.as_bytes()).await?;
                if answer.status != 200 {
                    return Err(String::from_utf8_lossy(answer.bytes).into());
                }
                times.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            Result::Ok(times)
        });
    }
    tokio::time::sleep(ROUND).await;
    is_over.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    while let Some(finished) = lanes.join_next().await {
        times.extend(finished??);
    }
    Ok(Round {
        reports_per_s: times.len() as f64 / started.elapsed().as_secs_f64(),
        times,
    })
}

fn exact(scratch: &Path, each: u64) -> Result<()> {
    let (nexa, license) = set_up(scratch)?;
    let spent = Arc::new(AtomicU64::new(0));
    let started = now();
    pairs::runtime()?.block_on(async {
        let mut lanes = JoinSet::new();
        for number in 0..CLIENTS {
            let mut connection = Connection::open(nexa.address()).await?;
            let (address, license) = (nexa.address().to_owned(), license.clone());
            let spent = Arc::clone(&spent);
            lanes.spawn(async move {
                let mut random = Random::new(number + 1);
                for _ in 0..each {
                    let report = Report::draw(&mut random);
                    let request = report.request(&address, &license, None);
                    let answer = connection.ask(request.as_bytes()).await?;
                    check(&answer, &report)?;
                    spent.fetch_add(u64::try_from(report.cost_mc)?, Ordering::Relaxed);
                }
                Result::Ok(())
            });
        }
        while let Some(finished) = lanes.join_next().await {
            finished??;
        }
        Result::Ok(())
    })?;
    drop(nexa);
    let spent_mc = i64::try_from(spent.load(Ordering::Relaxed))?;
    let reports = i64::try_from(CLIENTS * each)?;
    compare_sums(scratch, reports, spent_mc)?;
    println!(
        "{CLIENTS} clients × {each} reports in {:.0} s: {spent_mc} mc, the same in the ledger, the reports and their daily sums.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn check(answer: &nexa_benches::client::Answer<'_>, report: &Report) -> Result<()> {
    let body: serde_json::Value = serde_json::from_slice(answer.body)?;
    let cost_mc = body
        .get("costMillicents")
        .and_then(serde_json::Value::as_i64);
    match (answer.status, cost_mc) {
        (200, Some(cost_mc)) if cost_mc == report.cost_mc => Ok(()),
        (status, cost) => Err(format!(
            "answered {status} and {cost:?}, not {}: {body}",
            report.cost_mc
        )
        .into()),
    }
}

/// That the file says what the clients have computed.
fn compare_sums(scratch: &Path, reports: i64, spent_mc: i64) -> Result<()> {
    let database = Database::open(scratch.join("nexa").join("nexa.db"))?;
    let pair = |sql: &str| -> Result<(i64, i64)> {
        Ok(database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    let expected = (reports, spent_mc);
    for (what, found) in [
        (
            "the ledger",
            pair(
                "SELECT count(*), -sum(monthly_mc + topup_mc) FROM credit_entries WHERE cause = 'usage'",
            )?,
        ),
        (
            "the reports",
            pair("SELECT count(*), sum(cost_mc) FROM usage_reports")?,
        ),
        (
            "their daily sums",
            pair("SELECT sum(reports), sum(cost_mc) FROM usage_days WHERE user_id = ''")?,
        ),
    ] {
        if found != expected {
            return Err(format!("{what}: {found:?}, not {expected:?}").into());
        }
    }
    let (balance_mc, _) = pair(
        "SELECT monthly_after_mc + topup_after_mc, seq FROM credit_entries ORDER BY at_ms DESC, seq DESC LIMIT 1",
    )?;
    match balance_mc == FUNDS_MC - spent_mc {
        true => Ok(()),
        false => Err(format!("the balance is {balance_mc}").into()),
    }
}
