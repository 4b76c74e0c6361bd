//! Two servers under the same load in turns, and the ratios pair by pair.

use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::client::{Connection, Requests, Round, load};
use crate::server::Process;

/// What the pairs measured: ratios of subject to baseline, sorted.
pub struct Pairs {
    /// Of requests a second.
    pub requests: Vec<f64>,
    /// Of the server's processor time a request.
    pub processor: Vec<f64>,
    /// Requests a second of the subject, the median.
    pub subject_per_s: f64,
    /// Requests a second of the baseline, the median.
    pub baseline_per_s: f64,
    /// Processor time a request of the subject, in seconds, the median.
    pub subject_processor_s: f64,
}

/// A server and what it is asked.
pub type Side<'a> = (&'a Process, &'a Requests);

/// Loads a server and a bare one that answers the same bytes.
///
/// # Errors
/// Any answer but 200, or a bare server that sends other bytes.
pub fn against_bare(
    scratch: &Path,
    nexa: &Process,
    connections: u64,
    rounds: (usize, Duration),
    requests: &Requests,
) -> Result<Pairs> {
    let client = runtime()?;
    let answer = client.block_on(one_answer(nexa, requests))?;
    let bare = Process::bare(&scratch.join("bare"), &answer)?;
    let same = client.block_on(one_answer(&bare, requests))?;
    if same.len() != answer.len() {
        return Err(format!(
            "the bare server sends other bytes:\n{}\nagainst\n{}",
            String::from_utf8_lossy(&same),
            String::from_utf8_lossy(&answer)
        )
        .into());
    }
    compare(connections, rounds, (nexa, requests), (&bare, requests))
}

/// Loads two servers in turns: so many pairs of rounds of that length, after one that warms up.
///
/// # Errors
/// Any answer but 200.
pub fn compare(
    connections: u64,
    (rounds, length): (usize, Duration),
    subject: Side<'_>,
    baseline: Side<'_>,
) -> Result<Pairs> {
    let client = runtime()?;
    let run = |side: Side<'_>| client.block_on(load(side.0, connections, length, side.1));
    let mut measured: Vec<(Round, Round)> = Vec::new();
    for round in 0..=rounds {
        // Each order equally often.
        let pair = if round % 2 == 0 {
            let theirs = run(baseline)?;
            (run(subject)?, theirs)
        } else {
            (run(subject)?, run(baseline)?)
        };
        if round > 0 {
            measured.push(pair);
        }
    }
    let sorted = |value: fn(&(Round, Round)) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    Ok(Pairs {
        requests: sorted(|(ours, theirs)| ours.requests_per_s / theirs.requests_per_s),
        processor: sorted(|(ours, theirs)| ours.processor_s / theirs.processor_s),
        subject_per_s: middle(&sorted(|(ours, _)| ours.requests_per_s)),
        baseline_per_s: middle(&sorted(|(_, theirs)| theirs.requests_per_s)),
        subject_processor_s: middle(&sorted(|(ours, _)| ours.processor_s)),
    })
}

impl Pairs {
    /// Median and range, as two cells of a table.
    pub fn range(sorted: &[f64]) -> String {
        let ends = sorted.first().zip(sorted.last());
        let (least, most) = ends.unwrap_or((&f64::NAN, &f64::NAN));
        format!("{:.3} | {least:.3} to {most:.3}", middle(sorted))
    }
}

/// The middle one of sorted values.
pub fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The client's runtime: one thread, so that it takes no more than one processor from the servers.
///
/// # Errors
/// When the system has no room for one.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

async fn one_answer(process: &Process, requests: &Requests) -> Result<Vec<u8>> {
    let mut request = Vec::new();
    requests(0, &mut request);
    let mut connection = Connection::open(process.address()).await?;
    let answer = connection.ask(&request).await?;
    match answer.status {
        200 => Ok(answer.bytes.to_vec()),
        _ => Err(String::from_utf8_lossy(answer.bytes).into()),
    }
}
