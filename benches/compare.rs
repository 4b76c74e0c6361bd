//! Times two routines in turns and reports the ratio.
use std::fmt;
use std::time::{Duration, Instant};

/// Pairs of samples per comparison; odd, so that the median is one of them.
const PAIRS: usize = 301;
/// How long one sample runs: long against the clock's resolution, short against the machine's moods.
const SAMPLE: Duration = Duration::from_millis(1);

/// Times `subject` against `baseline` in interleaved pairs.
pub fn compare(mut baseline: impl FnMut(), mut subject: impl FnMut()) -> Comparison {
    let baseline_runs = runs_per_sample(&mut baseline);
    let subject_runs = runs_per_sample(&mut subject);
    let (mut baselines, mut subjects, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        // Each order equally often: whoever comes second finds warmer caches and a more tired turbo.
        let (b, s) = if pair % 2 == 0 {
            let b = sample_ns(&mut baseline, baseline_runs);
            (b, sample_ns(&mut subject, subject_runs))
        } else {
            let s = sample_ns(&mut subject, subject_runs);
            (sample_ns(&mut baseline, baseline_runs), s)
        };
        baselines.push(b);
        subjects.push(s);
        ratios.push(s / b);
    }
    Comparison {
        baseline_ns: quantile(&mut baselines, 0.5),
        subject_ns: quantile(&mut subjects, 0.5),
        ratio: quantile(&mut ratios, 0.5),
        ratio_quartiles: (quantile(&mut ratios, 0.25), quantile(&mut ratios, 0.75)),
    }
}

/// What became of one comparison. Times are medians per run; the ratio is the median over pairs, which is
/// steadier than the ratio of the medians.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// One run of the baseline, in nanoseconds.
    pub baseline_ns: f64,
    /// One run of the subject, in nanoseconds.
    pub subject_ns: f64,
    /// Subject over baseline.
    pub ratio: f64,
    /// Between these lies the middle half of the ratios.
    pub ratio_quartiles: (f64, f64),
}

impl Comparison {
    /// The head of the table that [`row`](Self::row) fills.
    pub const HEAD: &str =
        "| what | one run | baseline | ratio | middle half | aim |\n|---|---:|---:|---:|---:|---|";

    /// One row of a Markdown table.
    #[must_use]
    pub fn row(&self, name: &str, aim: Aim) -> String {
        let (low, high) = self.ratio_quartiles;
        format!(
            "| {name} | {} | {} | **{:.3}** | {low:.3}–{high:.3} | {} |",
            time(self.subject_ns),
            time(self.baseline_ns),
            self.ratio,
            aim.judge(self)
        )
    }
}

/// What a comparison should come to.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// Nothing was promised.
    None,
    /// A ratio of at most this.
    Ratio(f64),
    /// At most this time for one run, in nanoseconds.
    TimeNs(f64),
}

impl Aim {
    fn judge(self, comparison: &Comparison) -> String {
        let (text, is_met) = match self {
            Self::None => return "–".to_owned(),
            Self::Ratio(most) => (format!("≤ {most}×"), comparison.ratio <= most),
            Self::TimeNs(most) => (format!("≤ {}", time(most)), comparison.subject_ns <= most),
        };
        format!("{text}: {}", if is_met { "met" } else { "**missed**" })
    }
}

/// Whether this process was started to measure: cargo says `--bench`. Started as a test, a bench has
/// nothing to do.
#[must_use]
pub fn is_bench_run() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Doubles the runs until a sample is long enough; this also warms up.
fn runs_per_sample(routine: &mut impl FnMut()) -> u32 {
    let mut runs = 1_u32;
    while sample_ns(routine, runs) * f64::from(runs) < SAMPLE.as_nanos() as f64 {
        runs = runs.saturating_mul(2);
    }
    runs
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what a bench is for"
)]
fn sample_ns(routine: &mut impl FnMut(), runs: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        routine();
    }
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let index = (last as f64 * part).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds as people read them.
fn time(ns: f64) -> impl fmt::Display {
    if ns < 1_000.0 {
        format!("{ns:.0} ns")
    } else {
        format!("{:.2} µs", ns / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_members_of_the_sample() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 0.25), 2.0);
        assert_eq!(quantile(&mut values, 0.75), 4.0);
        assert!(quantile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn aims_are_upper_bounds() {
        let found = Comparison {
            baseline_ns: 100.0,
            subject_ns: 150.0,
            ratio: 1.5,
            ratio_quartiles: (1.4, 1.6),
        };
        assert_eq!(Aim::Ratio(1.5).judge(&found), "≤ 1.5×: met");
        assert_eq!(Aim::Ratio(1.49).judge(&found), "≤ 1.49×: **missed**");
        assert_eq!(Aim::TimeNs(1_000.0).judge(&found), "≤ 1.00 µs: met");
        assert_eq!(Aim::TimeNs(149.0).judge(&found), "≤ 149 ns: **missed**");
        assert_eq!(
            found.row("x", Aim::None),
            "| x | 150 ns | 100 ns | **1.500** | 1.400–1.600 | – |"
        );
    }

    #[test]
    fn a_sample_counts_every_run() {
        let mut calls = 0;
        sample_ns(&mut || calls += 1, 12);
        assert_eq!(calls, 12);
    }
}
