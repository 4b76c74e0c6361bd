//! The verifier in other languages: how large it is, and how long a check takes, each against its floor in the same run.
//!
//! Packages are built as they are shipped and installed into a folder that is gone afterwards; `NEXA_DIST` names a folder that holds
//! them already; a relative one is below the project's.

mod sizes;
mod speeds;

use nexa_benches::{Result, in_scratch, is_bench_run};

fn main() -> Result<()> {
    if !is_bench_run() {
        return Ok(());
    }
    sizes::print()?;
    in_scratch(speeds::print)
}
