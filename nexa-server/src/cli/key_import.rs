//! `nexa key import`: keys that another program has issued, into a running server.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nexa_core::KeyDigest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::input::each_line_of;
use super::output::{print_json, print_line, remark};
use super::running_server::RunningServer;
use crate::domain::keys::HashForm;

/// Lines in one request, which is one transaction of the server.
const LINES: usize = 1_000;
/// Bytes after which a request takes no more lines: half of what the server takes.
const BYTES: usize = 512 << 10;
/// A line with all that a key can carry is shorter.
const LINE_MAX: usize = 16 << 10;
/// Lines that are brought into the order of the server's table, or those of so many bytes: a transaction then writes a few of its
/// pages instead of nearly as many as it has keys.
const WINDOW_LINES: usize = 50_000;
const WINDOW_BYTES: usize = 16 << 20;
/// Requests under way: while the server writes the keys of one, it reads those of the other.
const WORKERS: usize = 2;

#[derive(Args)]
pub(super) struct KeyImport {
    /// A file of one JSON object a line, with hash, owner, name and scopes, or of one hash a line; - for standard input.
    file: PathBuf,
    /// What the hashes are, where a line does not say it.
    #[arg(long, value_enum, value_name = "ALGORITHM")]
    algorithm: Option<Algorithm>,
    /// Whose keys they are, where a line is a hash alone: the id of a user, or a verified address.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// What the key of a line that is a hash alone may do; can be given several times.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// What the key of a line that is a hash alone is called.
    #[arg(long, default_value = "imported")]
    name: String,
    /// What the key of a line that is a hash alone begins with.
    #[arg(long)]
    prefix: Option<String>,
    /// Only say what would happen; keys that stand in several requests are counted each time.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object: imported, known, refused.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: RunningServer,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Algorithm {
    Sha256Hex,
    Sha256Base64,
    Sha512Hex,
    Sha512Base64,
}

/// A line on its way.
struct Line {
    /// Where its key stands in the server's table; `None` where the server is to say what is wrong with the line.
    place: Option<[u8; 32]>,
    /// Where it stands in the file, and its length there.
    number: u64,
    length: u64,
    object: Vec<u8>,
}

/// Lines that go in one request.
#[derive(Default)]
struct Batch {
    body: Vec<u8>,
    /// Where they stand in the file.
    numbers: Vec<u64>,
    /// Their length there.
    length: u64,
}

/// What has become of the lines so far.
#[derive(Default)]
struct Tally {
    imported: u64,
    known: u64,
    refused: u64,
    failure: Option<Failure>,
}

impl KeyImport {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let name = self.file.display().to_string();
        let (input, bar): (Box<dyn io::Read>, ProgressBar) = match name.as_str() {
            "-" => (Box::new(io::stdin()), ProgressBar::new_spinner()),
            _ => {
                let unreadable = |error| Failure::Usage(format!("{name}: {error}"));
                let file = File::open(&self.file).map_err(unreadable)?;
                let bytes = file.metadata().map_err(unreadable)?.len();
                let style = ProgressStyle::with_template("{bar:40} {percent}% {msg} {eta}");
                let bar = ProgressBar::new(bytes);
                (
                    Box::new(file),
                    style.map_or(bar.clone(), |style| bar.with_style(style)),
                )
            }
        };
        let tally = Mutex::new(Tally::default());
        let read = thread::scope(|scope| {
            let (batches, queue) = sync_channel(WORKERS);
            let queue = Arc::new(Mutex::new(queue));
            let workers = (0..WORKERS).map(|_| {
                let queue = Arc::clone(&queue);
                scope.spawn(|| self.work(&name, queue, &tally, &bar))
            });
            let workers: Vec<_> = workers.collect();
            drop(queue);
            let read = self.read(BufReader::new(input), &name, &batches, &tally, &bar);
            drop(batches);
            for worker in workers {
                // A panic has told of itself.
                let _ = worker.join();
            }
            read
        });
        bar.finish_and_clear();
        let mut tally = lock(&tally);
        let failure = tally.failure.take().or(read.err());
        self.tell(&tally, failure.is_some())?;
        match (failure, tally.refused) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(Exit::Success),
            (None, _) => Ok(Exit::NotValid),
        }
    }

    /// Reads lines and hands them on, until nobody takes them any more.
    fn read(
        &self,
        input: impl io::BufRead,
        name: &str,
        batches: &SyncSender<Batch>,
        tally: &Mutex<Tally>,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let (mut number, mut bytes, mut lines) = (0, 0, Vec::new());
        each_line_of(input, name, LINE_MAX, |line| {
            number += 1;
            match self.as_object(line.trim_ascii()) {
                Ok(object) if object.is_empty() => {}
                Ok(object) => {
                    bytes += object.len();
                    lines.push(Line::new(
                        self.algorithm,
                        number,
                        line.len() as u64 + 1,
                        object,
                    ));
                }
                Err(problem) => lock(tally).refuse(bar, name, number, problem),
            }
            if lines.len() < WINDOW_LINES && bytes < WINDOW_BYTES {
                return Ok(());
            }
            bytes = 0;
            hand_on(std::mem::take(&mut lines), batches)
        })?;
        hand_on(lines, batches)
    }

    /// A line as the server reads it.
    fn as_object(&self, line: &[u8]) -> Result<Vec<u8>, &'static str> {
        if line.len() > LINE_MAX {
            return Err("line: at most 16384 bytes");
        }
        if line.is_empty() || line.starts_with(b"{") {
            return Ok(line.to_vec());
        }
        let hash = std::str::from_utf8(line).map_err(|_| "line: not UTF-8")?;
        let owner = self
            .owner
            .as_deref()
            .ok_or("owner: required; give --owner for a line that is a hash alone")?;
        if self.scope.is_empty() {
            return Err("scopes: required; give --scope for a line that is a hash alone");
        }
        let key = json!({ "hash": hash, "owner": owner, "name": self.name, "scopes": self.scope, "prefix": self.prefix });
        Ok(key.to_string().into_bytes())
    }

    /// Sends requests until there are no more, or one has failed.
    fn work(
        &self,
        name: &str,
        queue: Arc<Mutex<Receiver<Batch>>>,
        tally: &Mutex<Tally>,
        bar: &ProgressBar,
    ) {
        loop {
            let next = lock(&queue).recv();
            let Ok(batch) = next else { return };
            if lock(tally).failure.is_some() {
                return;
            }
            let numbers = batch.numbers;
            let sent = self.server.post_lines(&self.path(), batch.body, |report| {
                Report::read(report, &numbers)
            });
            let mut tally = lock(tally);
            match sent {
                Ok(report) => {
                    tally.imported += report.imported;
                    tally.known += report.known;
                    for (number, problem) in report.refused {
                        tally.refuse(bar, name, number, &problem);
                    }
                    bar.inc(batch.length);
                    bar.set_message(format!("{} keys", tally.imported + tally.known));
                }
                Err(failure) => {
                    tally.failure.get_or_insert(failure);
                    return;
                }
            }
        }
    }

    fn path(&self) -> String {
        let mut path = format!("/api/operator/api-keys/import?dryRun={}", self.dry_run);
        if let Some(algorithm) = self.algorithm {
            path.push_str("&algorithm=");
            path.push_str(algorithm.as_str());
        }
        path
    }

    fn tell(&self, tally: &Tally, is_cut_short: bool) -> Result<(), Failure> {
        let Tally {
            imported,
            known,
            refused,
            ..
        } = tally;
        if self.json {
            return print_json(
                &json!({ "imported": imported, "known": known, "refused": refused }),
            );
        }
        let would = if self.dry_run { "would be " } else { "" };
        print_line(&format!(
            "{would}imported {imported}, known before {known}, refused {refused}"
        ))?;
        if is_cut_short {
            remark("nexa: stopped before the end; run it again, what is there stays");
        }
        Ok(())
    }
}

/// What the server says of a request.
struct Report {
    imported: u64,
    known: u64,
    /// By the lines of the file.
    refused: Vec<(u64, String)>,
}

impl Report {
    fn read(report: &Value, numbers: &[u64]) -> Option<Self> {
        let refused = report.get("refused")?.as_array()?.iter().map(|refused| {
            let line = usize::try_from(refused.get("line")?.as_u64()?).ok()?;
            let number = numbers.get(line.checked_sub(1)?)?;
            Some((*number, refused.get("error")?.as_str()?.to_owned()))
        });
        let mut refused: Vec<_> = refused.collect::<Option<_>>()?;
        refused.sort_unstable();
        Some(Self {
            imported: report.get("imported")?.as_u64()?,
            known: report.get("known")?.as_u64()?,
            refused,
        })
    }
}

impl Line {
    /// `algorithm` is for lines that do not say it.
    fn new(algorithm: Option<Algorithm>, number: u64, length: u64, object: Vec<u8>) -> Self {
        #[derive(Deserialize)]
        struct Hashed {
            hash: String,
            algorithm: Option<Algorithm>,
        }
        let place = |object| {
            let hashed: Hashed = serde_json::from_slice(object).ok()?;
            let form = HashForm::from(hashed.algorithm.or(algorithm)?);
            form.digest(&hashed.hash).map(KeyDigest::to_bytes)
        };
        Self {
            place: place(&object),
            number,
            length,
            object,
        }
    }
}

/// Makes requests of lines, in the order of their places.
fn hand_on(mut lines: Vec<Line>, batches: &SyncSender<Batch>) -> Result<(), Failure> {
    let send = |batch: Batch| {
        let sent = batches.send(batch);
        sent.map_err(|_| Failure::failed("not all lines were sent"))
    };
    // Stable: of two lines with one hash the first comes first.
    lines.sort_by_key(|line| line.place);
    let mut batch = Batch::default();
    for line in lines {
        batch.body.extend_from_slice(&line.object);
        batch.body.push(b'\n');
        batch.numbers.push(line.number);
        batch.length += line.length;
        if batch.numbers.len() == LINES || batch.body.len() >= BYTES {
            send(std::mem::take(&mut batch))?;
        }
    }
    match batch.numbers.is_empty() {
        true => Ok(()),
        false => send(batch),
    }
}

impl Tally {
    fn refuse(&mut self, bar: &ProgressBar, file: &str, line: u64, problem: &str) {
        self.refused += 1;
        bar.suspend(|| remark(&format!("{file}:{line}: {problem}")));
    }
}

impl Algorithm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256Hex => "sha256-hex",
            Self::Sha256Base64 => "sha256-base64",
            Self::Sha512Hex => "sha512-hex",
            Self::Sha512Base64 => "sha512-base64",
        }
    }
}

impl From<Algorithm> for HashForm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256Hex => Self::Sha256Hex,
            Algorithm::Sha256Base64 => Self::Sha256Base64,
            Algorithm::Sha512Hex => Self::Sha512Hex,
            Algorithm::Sha512Base64 => Self::Sha512Base64,
        }
    }
}

/// What is counted stays whole, whoever panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256, Sha512};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The server finds keys of SHA-512 by a digest of that, which is in another order.
    #[test]
    fn requests_are_in_the_order_of_the_servers_table() {
        for algorithm in [Algorithm::Sha256Hex, Algorithm::Sha512Hex] {
            for says_it in [true, false] {
                let mut placed = Vec::new();
                let mut lines = Vec::new();
                for number in 1..=200_u64 {
                    let key = number.to_be_bytes();
                    let (digest, hash) = match algorithm {
                        Algorithm::Sha256Hex => (KeyDigest::of(&key), hex(&Sha256::digest(key))),
                        _ => (KeyDigest::of_by_sha512(&key), hex(&Sha512::digest(key))),
                    };
                    placed.push((digest.to_bytes(), number));
                    let mut line = json!({ "hash": hash });
                    if says_it {
                        line["algorithm"] = json!(algorithm.as_str());
                    }
                    let default = (!says_it).then_some(algorithm);
                    lines.push(Line::new(default, number, 1, line.to_string().into_bytes()));
                }
                placed.sort_unstable();
                let (batches, queue) = sync_channel(1);
                hand_on(lines, &batches).unwrap();
                let order: Vec<u64> = placed.into_iter().map(|(_, number)| number).collect();
                assert_eq!(queue.recv().unwrap().numbers, order, "{algorithm:?}");
            }
        }
    }
}
