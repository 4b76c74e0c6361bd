//! A million schedules of clocks of each kind: whether setting the clock back ever revives an expired licence, and whether an
//! honest clock ever locks anybody out.
//!
//! ```text
//! cargo bench -p nexa-benches --bench clock [-- SCHEDULES]
//! ```
//!
//! The schedules are those of nexa-core's own tests, which run some thousands of them.
use nexa_benches::{Result, is_bench_run};

#[path = "../nexa-core/tests/it/schedules.rs"]
mod schedules;
#[path = "../nexa-core/src/seeded.rs"]
mod seeded;

const SCHEDULES: u64 = 1_000_000;

/// What the schedules show, and whether one of them breaks it.
type Kind = (&'static str, fn(u64) -> bool);

fn main() -> Result<()> {
    if !is_bench_run() {
        return Ok(());
    }
    let asked = std::env::args()
        .skip(1)
        .find(|argument| argument != "--bench");
    let count = asked.map_or(Ok(SCHEDULES), |number| number.replace('_', "").parse())?;
    println!(
        "### Schedules of clocks\n\n| what | schedules | violations | aim |\n|---|---:|---:|---|"
    );
    let mut violations = 0;
    let kinds: [Kind; 3] = [
        (
            "used every 47 hours until it expired, then set back at will: revived",
            schedules::is_revived,
        ),
        (
            "not used for longer, then set back: more regained than the unused time less 48 hours",
            |seed| schedules::regained_too_much_s(seed) > 0,
        ),
        (
            "honest, with corrections, zones, sleep, weeks off and a clock ahead by up to 20 years: locked out",
            |seed| schedules::locked_out_s(seed) > 0,
        ),
    ];
    for (name, is_violated) in kinds {
        let found = (0..count).filter(|seed| is_violated(*seed)).count();
        let judged = if found == 0 { "met" } else { "**missed**" };
        println!("| {name} | {count} | **{found}** | 0: {judged} |");
        violations += found;
    }
    match violations {
        0 => Ok(()),
        _ => Err("some schedules break the promise".into()),
    }
}
