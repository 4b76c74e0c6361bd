//! One harness for all benches: every figure is a ratio to a named baseline of the same run.
//!
//! A shared machine is noisy, and its noise comes in waves. So a subject and its baseline are timed in
//! turns of about a millisecond, A B B A A B …; each pair of neighbours gives one ratio, and the median
//! of 301 ratios is what is reported, with the quartiles that say how far to trust it. The tables are
//! Markdown, made to be pasted into `RESULTS.md`.
//!
//! ```sh
//! cargo bench -p nexa-benches --bench keys         # an API key's check against a bare hash
//! cargo bench -p nexa-benches --bench license      # a licence's check against a bare signature check
//! cargo bench -p nexa-benches --bench license --features aws-lc   # the same with jsonwebtoken on AWS-LC
//! cargo bench -p nexa-benches --bench allocations  # what one check takes from the heap
//! cargo bench -p nexa-benches --bench languages    # sizes of WASM modules and libraries; a check in Node and Python
//! cargo bench -p nexa-benches --bench authorize    # forward authorization against a bare server
//! cargo bench -p nexa-benches --bench checks       # checks with limits; growth, memory, cold start
//! cargo bench -p nexa-benches --bench revocation   # ten million rotations raced by checks
//! cargo bench -p nexa-benches --bench shards       # status shards: bytes against entropy, downloads, look-ups
//! cargo bench -p nexa-benches --bench clock        # a million schedules of clocks, honest ones and others
//! cargo bench -p nexa-benches --bench enumeration  # whether times tell known e-mail addresses from unknown ones
//! cargo bench -p nexa-benches --bench storm        # other routes while everybody logs in
//! cargo bench -p nexa-benches --bench import       # a million foreign hashes against bare inserts
//! cargo bench -p nexa-benches --bench usage        # durable usage reports; exact sums; what SIGKILL leaves
//! ```

pub mod client;
mod compare;
pub mod pairs;
mod samples;
pub mod seed;
pub mod server;

// The public interface is:
pub use compare::{Aim, Comparison, compare, is_bench_run};
pub use pairs::Pairs;
pub use samples::{LicenseSample, now};

/// Why a bench cannot go on.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs a bench in a folder that is gone afterwards.
///
/// # Errors
/// The bench's own.
pub fn in_scratch(bench: impl FnOnce(&std::path::Path) -> Result<()>) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("nexa-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = bench(&folder);
    std::fs::remove_dir_all(&folder)?;
    result
}
