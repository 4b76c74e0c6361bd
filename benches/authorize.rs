//! `/api/authorize` on a warm key against a bare hyper server that sends the same bytes.
//!
//! ```text
//! cargo bench -p nexa-benches --bench authorize
//! ```
//!
//! Both servers run as processes of their own on the same runtime, one after the other in turn, under
//! the same load over loopback; what is printed are ratios pair by pair: requests a second, and
//! processor time a request of the server's process (Linux: /proc/PID/stat).

use std::path::Path;
use std::time::Duration;

use nexa_benches::client::{always, authorize, make_key, sign_up};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Pairs, Result, in_scratch, is_bench_run, pairs};

const CONNECTIONS: u64 = 32;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);

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
    let nexa = Process::nexa(&scratch.join("nexa"), 100_000)?;
    let token = sign_up(nexa.address())?;
    let fields = serde_json::json!({ "name": "bench", "scopes": ["signals"] });
    let (_, key) = make_key(nexa.address(), &token, &fields)?;
    let request = authorize(nexa.address(), &key);
    let measured = pairs::against_bare(
        scratch,
        &nexa,
        CONNECTIONS,
        (ROUNDS, ROUND),
        &always(&request),
    )?;
    println!(
        "| authorize on a warm key, {CONNECTIONS} connections | nexa / bare hyper, median of {ROUNDS} pairs | range |"
    );
    println!("|---|---|---|");
    println!(
        "| requests a second | {} |",
        Pairs::range(&measured.requests)
    );
    println!(
        "| processor time a request | {} |",
        Pairs::range(&measured.processor)
    );
    println!(
        "\n(nexa {:.0}, bare {:.0} requests a second in this run)",
        measured.subject_per_s, measured.baseline_per_s
    );
    Ok(())
}
