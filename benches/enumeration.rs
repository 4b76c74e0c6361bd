//! Whether the time of an answer tells who has an account: log-in, forgotten passwords and registration, known against
//! unknown addresses.
//!
//! ```text
//! cargo bench -p nexa-benches --bench enumeration [-- SAMPLES]
//! ```
//!
//! Known and unknown addresses are asked about in random order over one connection, and Welch's t-test compares their
//! times: |t| above 4.5 would be a difference (the threshold of leakage assessments, as in dudect). What another client
//! can see is compared too: how long a question takes that is sent right after the answer, while the server may still be
//! busy with a mail. Times beyond the 95th percentile are cut off, as noise of the machine; the whole is shown beside it.
//!
//! Mails go to the log, which is off, so that no mail server's time is part of it.

use std::path::Path;
use std::time::Duration;

use nexa_benches::client::{Connection, Random, now, register, request};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Result, in_scratch, is_bench_run, pairs};

const SAMPLES: usize = 4_000;
const ADDRESSES: u64 = 20;
const AIM: f64 = 4.5;

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
    let samples = asked.map_or(Ok(SAMPLES), |number| number.replace('_', "").parse())?;
    in_scratch(|scratch| compare(scratch, samples))
}

/// What is asked about an address.
#[derive(Clone, Copy)]
enum Question {
    LogIn,
    Forgot,
    Register,
}

fn compare(scratch: &Path, samples: usize) -> Result<()> {
    let many = u32::MAX;
    let limit = |name: &str| format!("{name} = {many}");
    let nexa = Process::nexa_with(
        &scratch.join("nexa"),
        &[
            ("log = \"info\"", "log = \"error\""),
            (
                "login_per_address_an_hour = 30",
                &limit("login_per_address_an_hour"),
            ),
            (
                "login_per_account_an_hour = 10",
                &limit("login_per_account_an_hour"),
            ),
            (
                "register_per_address_an_hour = 20",
                &limit("register_per_address_an_hour"),
            ),
            (
                "mail_per_address_an_hour = 30",
                &limit("mail_per_address_an_hour"),
            ),
            (
                "mail_per_account_an_hour = 5",
                &limit("mail_per_account_an_hour"),
            ),
        ],
    )?;
    for number in 0..ADDRESSES {
        let account = serde_json::json!({
            "email": email(true, number), "password": "correct horse", "tenantName": "T",
        });
        register(nexa.address(), &account)?;
    }
    println!("| what | samples | known, median | unknown, median | t, cut | t, whole | aim |");
    println!("|---|---:|---:|---:|---:|---:|---|");
    for (name, question) in [
        ("log-in with a wrong password", Question::LogIn),
        ("forgotten password", Question::Forgot),
        ("registration", Question::Register),
    ] {
        let measured = pairs::runtime()?.block_on(measure(nexa.address(), question, samples))?;
        row(name, &measured.answer);
        row(
            &format!("{name}: what is asked right after it"),
            &measured.after,
        );
    }
    Ok(())
}

/// Seconds, for known and for unknown addresses.
#[derive(Default)]
struct Times {
    known: Vec<f64>,
    unknown: Vec<f64>,
}

#[derive(Default)]
struct Measured {
    answer: Times,
    after: Times,
}

async fn measure(address: &str, question: Question, samples: usize) -> Result<Measured> {
    let mut connection = Connection::open(address).await?;
    let health = request(address, "GET /healthz", &[], "");
    let mut random = Random::new(1);
    let mut measured = Measured::default();
    for sample in 0..samples + samples / 10 {
        let is_known = random.draw().is_multiple_of(2);
        let number = match question {
            // What has been registered is not unknown any more.
            Question::Register if !is_known => ADDRESSES + u64::try_from(sample)?,
            Question::LogIn | Question::Forgot | Question::Register => random.draw() % ADDRESSES,
        };
        let asked = ask(address, question, &email(is_known, number));
        let started = now();
        let status = connection.ask(asked.as_bytes()).await?.status;
        let answered = now();
        connection.ask(health.as_bytes()).await?;
        let after = answered.elapsed().as_secs_f64();
        let expected = match question {
            Question::LogIn => 401,
            Question::Forgot => 200,
            Question::Register => 201,
        };
        if status != expected {
            return Err(format!("answered {status}").into());
        }
        // The first ones warm up; a pause ends what the answer has left to do.
        if sample >= samples / 10 {
            measured
                .answer
                .add(is_known, (answered - started).as_secs_f64());
            measured.after.add(is_known, after);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(measured)
}

/// As long as each other, so that only who has them tells them apart.
fn email(is_known: bool, number: u64) -> String {
    let name = if is_known { "known" } else { "alien" };
    format!("{name}{number:06}@example.com")
}

fn ask(address: &str, question: Question, email: &str) -> String {
    let (line, body) = match question {
        Question::LogIn => (
            "POST /api/auth/login",
            serde_json::json!({ "email": email, "password": "wrong horse" }),
        ),
        Question::Forgot => (
            "POST /api/auth/forgot",
            serde_json::json!({ "email": email }),
        ),
        Question::Register => (
            "POST /api/auth/register",
            serde_json::json!({ "email": email, "password": "correct horse", "tenantName": "T" }),
        ),
    };
    request(address, line, &[], &body.to_string())
}

impl Times {
    fn add(&mut self, is_known: bool, seconds: f64) {
        match is_known {
            true => self.known.push(seconds),
            false => self.unknown.push(seconds),
        }
    }

    /// Without what took longer than 95 of 100 did.
    fn cut(&self) -> Self {
        let mut all: Vec<f64> = self.known.iter().chain(&self.unknown).copied().collect();
        all.sort_by(f64::total_cmp);
        let most = all
            .get(all.len() * 95 / 100)
            .copied()
            .unwrap_or(f64::INFINITY);
        let below = |times: &[f64]| times.iter().copied().filter(|time| *time <= most).collect();
        Self {
            known: below(&self.known),
            unknown: below(&self.unknown),
        }
    }

    /// Welch's t.
    fn t(&self) -> f64 {
        let (known, unknown) = (Moments::of(&self.known), Moments::of(&self.unknown));
        (known.mean - unknown.mean) / (known.error_squared + unknown.error_squared).sqrt()
    }
}

struct Moments {
    mean: f64,
    /// The variance of the mean.
    error_squared: f64,
}

impl Moments {
    fn of(times: &[f64]) -> Self {
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let squares = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
        Self {
            mean,
            error_squared: squares / (count - 1.0) / count,
        }
    }
}

fn row(name: &str, times: &Times) {
    let median = |times: &[f64]| {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        pairs::middle(&sorted) * 1e3
    };
    let t = times.cut().t();
    let verdict = if t.abs() < AIM { "met" } else { "**missed**" };
    println!(
        "| {name} | {} | {:.3} ms | {:.3} ms | **{t:.2}** | {:.2} | \\|t\\| < {AIM}: {verdict} |",
        times.known.len() + times.unknown.len(),
        median(&times.known),
        median(&times.unknown),
        times.t(),
    );
}
