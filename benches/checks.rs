//! What checks cost with limits, last use and counters on; how the cost grows with the keys; memory and cold start.
//!
//! ```text
//! cargo bench -p nexa-benches --bench checks [-- KEYS]
//! ```
//!
//! Every server is a process of its own, and each figure is a ratio to another server that is loaded in turn with it:
//! a bare hyper server that sends the same bytes, or Nexa with a thousand keys. With `KEYS` the growth goes up to
//! 10000000 keys, or stops early; without it, at a million.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nexa_benches::client::{
    Connection, Requests, always, authorize, make_key, now, request, sign_up,
};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Pairs, Result, in_scratch, is_bench_run, pairs, seed};

const CONNECTIONS: u64 = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
const KEYS: u64 = 1_000_000;
/// The default of the configuration.
const CACHED_KEYS: u64 = 100_000;
/// What the configuration takes at most.
const CACHED_KEYS_MAX: u64 = 10_000_000;

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
    let most = asked.map_or(Ok(KEYS), |number| number.replace('_', "").parse())?;
    in_scratch(|scratch| {
        against_a_bare_server(scratch)?;
        growth(scratch, most)
    })
}

fn against_a_bare_server(scratch: &Path) -> Result<()> {
    let mut nexa = Process::nexa(&scratch.join("limited"), CACHED_KEYS)?;
    let operator_key = nexa.operator_key()?;
    let address = nexa.address();
    let token = sign_up(address)?;
    let make = |fields| make_key(address, &token, &fields).map(|(_, key)| key);
    let key = make(seed::fields())?;
    let mut numbered = seed::fields();
    if let Some(fields) = numbered.as_object_mut() {
        fields.insert("remaining".to_owned(), 1_000_000_000.into());
    }
    let numbered = make(numbered)?;
    let mut many = vec![key.clone()];
    while many.len() < 100 {
        many.push(make(seed::fields())?);
    }
    let bearer = format!("Bearer {operator_key}");
    let verify = |body: &serde_json::Value| {
        let headers = [("Authorization", bearer.as_str())];
        let line = "POST /api/v1/api-keys/verify";
        request(address, line, &headers, &body.to_string())
    };
    let question = |key: &String| serde_json::json!({ "key": key });
    let hundred = serde_json::Value::Array(many.iter().map(question).collect());

    println!("### Checks with limits\n");
    println!(
        "Baseline: a bare hyper server that reads the same request and sends the same bytes; {CONNECTIONS} connections, \
         medians and ranges of {ROUNDS} pairs. The key carries a rate limit; its uses are counted and its last use is \
         kept.\n"
    );
    println!(
        "| what | requests a second, ratio | range | processor time, ratio | range | nexa, requests a second | nexa, processor time |"
    );
    println!("|---|---:|---|---:|---|---:|---:|");
    for (name, text) in [
        ("`/api/authorize`", authorize(address, &key)),
        ("verify, one key", verify(&question(&key))),
        ("verify, 100 keys", verify(&hundred)),
        (
            "`/api/authorize`, uses numbered (one durable write each)",
            authorize(address, &numbered),
        ),
        (
            "verify, one key, uses numbered",
            verify(&question(&numbered)),
        ),
    ] {
        let rounds = (ROUNDS, ROUND);
        let measured = pairs::against_bare(scratch, &nexa, CONNECTIONS, rounds, &always(&text))?;
        println!(
            "| {name} | {} | {} | {:.0} | {:.1} µs |",
            Pairs::range(&measured.requests),
            Pairs::range(&measured.processor),
            measured.subject_per_s,
            measured.subject_processor_s * 1e6
        );
    }
    Ok(())
}

/// A data folder with so many keys.
struct Seeded {
    keys: u64,
    folder: PathBuf,
}

impl Seeded {
    fn new(folder: PathBuf, keys: u64) -> Result<Self> {
        seed::folder(&folder, keys)?;
        Ok(Self { keys, folder })
    }

    /// Requests that present keys uniformly at random.
    fn any_key(&self, nexa: &Process) -> Requests {
        let (address, keys) = (nexa.address().to_owned(), self.keys);
        Arc::new(move |random, out| {
            let key = seed::value(random % keys);
            out.extend_from_slice(authorize(&address, &key).as_bytes());
        })
    }
}

fn growth(scratch: &Path, most: u64) -> Result<()> {
    let few = Seeded::new(scratch.join("few"), 1_000)?;
    let baseline = Process::nexa(&few.folder, CACHED_KEYS)?;
    let warm = |nexa: &Process| always(&authorize(nexa.address(), &seed::value(0)));
    let baseline_requests = warm(&baseline);
    let compare = |name: &str, nexa: &Process, requests: &Requests| -> Result<()> {
        let measured = pairs::compare(
            CONNECTIONS,
            (ROUNDS, ROUND),
            (nexa, requests),
            (&baseline, &baseline_requests),
        )?;
        println!(
            "| {name} | {} | {} |",
            Pairs::range(&measured.requests),
            Pairs::range(&measured.processor)
        );
        Ok(())
    };
    println!("\n### Growth\n");
    println!(
        "`/api/authorize`; baseline: one warm key among 1000. Keys are drawn uniformly where it says so; uses are \
         counted and written all the time.\n"
    );
    println!("| keys | requests a second, ratio | range | processor time, ratio | range |");
    println!("|---|---:|---|---:|---|");
    let mut memory = Vec::new();
    let mut starts = Vec::new();
    for keys in [1_000, 100_000, 1_000_000, 10_000_000] {
        if keys > most {
            continue;
        }
        let seeded = Seeded::new(scratch.join(format!("keys-{keys}")), keys)?;
        starts.push((keys, cold_start(&seeded)?));
        {
            let nexa = Process::nexa(&seeded.folder, CACHED_KEYS)?;
            compare(&format!("{keys}, one warm"), &nexa, &warm(&nexa))?;
            let any_key = seeded.any_key(&nexa);
            let name = format!("{keys}, any, {CACHED_KEYS} in memory");
            compare(&name, &nexa, &any_key)?;
        }
        let all = (keys + keys / 4).min(CACHED_KEYS_MAX);
        let nexa = Process::nexa(&seeded.folder, all)?;
        memory.push((keys, fill(&seeded, &nexa)?));
        let any_key = seeded.any_key(&nexa);
        compare(&format!("{keys}, any, all in memory"), &nexa, &any_key)?;
        drop(nexa);
        std::fs::remove_dir_all(&seeded.folder)?;
    }
    println!("\n### Memory\n");
    println!("| keys in memory | bytes a key |\n|---:|---:|");
    for (keys, bytes) in memory {
        println!("| {keys} | {:.0} |", bytes as f64 / keys as f64);
    }
    println!("\n### Cold start\n");
    println!("From the start of the process; the file is in the system's cache. Median of 5.\n");
    println!("| keys | `listening on` | first check answered |\n|---:|---:|---:|");
    for (keys, (listening, checked)) in starts {
        println!(
            "| {keys} | {:.0} ms | {:.0} ms |",
            listening * 1e3,
            checked * 1e3
        );
    }
    Ok(())
}

/// Presents every key once; answers the bytes of memory that this took.
fn fill(seeded: &Seeded, nexa: &Process) -> Result<u64> {
    /// Two rounds of the job that writes uses.
    const SETTLED: Duration = Duration::from_secs(11);
    let before = nexa.memory_bytes()?;
    pairs::runtime()?.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for first in 0..CONNECTIONS {
            let address = nexa.address().to_owned();
            let mut connection = Connection::open(&address).await?;
            let keys = seeded.keys;
            tasks.spawn(async move {
                for number in (first..keys).step_by(CONNECTIONS as usize) {
                    let request = authorize(&address, &seed::value(number));
                    let status = connection.ask(request.as_bytes()).await?.status;
                    if status != 200 {
                        return Err(format!("key {number} was answered {status}").into());
                    }
                }
                Result::Ok(())
            });
        }
        while let Some(finished) = tasks.join_next().await {
            finished??;
        }
        Result::Ok(())
    })?;
    std::thread::sleep(SETTLED);
    Ok(nexa.memory_bytes()?.saturating_sub(before))
}

/// Seconds from the start of a process until it listens, and until it has answered its first check.
fn cold_start(seeded: &Seeded) -> Result<(f64, f64)> {
    let (mut listening, mut checked) = (Vec::new(), Vec::new());
    let client = pairs::runtime()?;
    for run in 0..5 {
        let started = now();
        let nexa = Process::nexa(&seeded.folder, CACHED_KEYS)?;
        listening.push(started.elapsed().as_secs_f64());
        client.block_on(async {
            let request = authorize(nexa.address(), &seed::value(run % seeded.keys));
            let mut connection = Connection::open(nexa.address()).await?;
            match connection.ask(request.as_bytes()).await?.status {
                200 => Ok(()),
                status => Err(format!("the first check was answered {status}")),
            }
            .map_err(Into::<Box<dyn std::error::Error + Send + Sync>>::into)
        })?;
        checked.push(started.elapsed().as_secs_f64());
    }
    listening.sort_by(f64::total_cmp);
    checked.sort_by(f64::total_cmp);
    Ok((pairs::middle(&listening), pairs::middle(&checked)))
}
