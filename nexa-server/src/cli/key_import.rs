//! `nexa key import`: keys that another program has issued, into a running server.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::import_lines::{Algorithm, Batch, LANES, Line, share_out};
use super::input::each_line_of;
use super::output::{print_json, print_line, remark};
use super::running_server::RunningServer;

/// A line with all that a key can carry is shorter.
const LINE_MAX: usize = 16 << 10;
/// Lines that are brought into the order in which they go, or those of so many bytes.
const WINDOW_LINES: usize = 50_000;
const WINDOW_BYTES: usize = 16 << 20;
/// What Windows puts before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
            let (lanes, workers): (Vec<_>, Vec<_>) = (0..LANES)
                .map(|_| {
                    let (lane, queue) = sync_channel(1);
                    let worker = || self.work(&name, queue, &tally, &bar);
                    (lane, scope.spawn(worker))
                })
                .unzip();
            let read = self.read(BufReader::new(input), &name, &lanes, &tally, &bar);
            drop(lanes);
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
        lanes: &[SyncSender<Batch>],
        tally: &Mutex<Tally>,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let hand_on = |lane: usize, batch| {
            let sent = lanes.get(lane).map(|lane| lane.send(batch));
            match sent {
                Some(Ok(())) => Ok(()),
                Some(Err(_)) | None => Err(Failure::failed("not all lines were sent")),
            }
        };
        let (mut number, mut bytes, mut lines) = (0, 0, Vec::new());
        each_line_of(input, name, LINE_MAX, |line| {
            number += 1;
            let text = match number {
                1 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
                _ => line,
            };
            match self.as_object(text.trim_ascii()) {
                Ok(object) if object.is_empty() => {}
                Ok(object) => {
                    bytes += object.len();
                    let length = line.len() as u64 + 1;
                    lines.push(Line::new(self.algorithm, number, length, object));
                }
                Err(problem) => lock(tally).refuse(bar, name, number, problem),
            }
            if lines.len() < WINDOW_LINES && bytes < WINDOW_BYTES {
                return Ok(());
            }
            bytes = 0;
            share_out(std::mem::take(&mut lines), hand_on)
        })?;
        share_out(lines, hand_on)
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
    fn work(&self, name: &str, queue: Receiver<Batch>, tally: &Mutex<Tally>, bar: &ProgressBar) {
        for batch in queue {
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

impl Tally {
    fn refuse(&mut self, bar: &ProgressBar, file: &str, line: u64, problem: &str) {
        self.refused += 1;
        bar.suspend(|| remark(&format!("{file}:{line}: {problem}")));
    }
}

/// What is counted stays whole, whoever panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
