//! `/api/authorize` on a warm key against a bare hyper server that sends the same bytes.
//!
//! ```text
//! cargo bench -p nexa-benches --bench authorize
//! ```
//!
//! Both servers run as processes of their own on the same runtime, one after the other in turn, under
//! the same load over loopback; what is printed are ratios pair by pair: requests a second, and
//! processor time a request of the server's process (Linux: /proc/PID/stat).

use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, http};
use hyper_util::rt::{TokioIo, TokioTimer};
use nexa_server::{Config, Overrides, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--nexa", folder] => runtime()?.block_on(nexa(folder)),
        ["--bare", head] => runtime()?.block_on(bare(head)),
        // Cargo adds --bench.
        _ => compare(),
    }
}

/// The runtime that `nexa serve` uses.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

/// Serves as `nexa serve` does.
async fn nexa(folder: &str) -> Result<()> {
    let overrides = Overrides {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data: Some(folder.into()),
        ..Overrides::default()
    };
    let server = Server::open(Config::load(None, overrides)?).await?;
    println!("{}", server.address());
    server.run(std::future::pending()).await?;
    Ok(())
}

/// Serves one answer, given as header lines, whatever is asked.
async fn bare(head: &str) -> Result<()> {
    let mut answer = http::response::Builder::new();
    for line in head.lines() {
        let (name, value) = line
            .split_once(": ")
            .ok_or("a header line without a colon")?;
        answer = answer.header(name, value);
    }
    let (parts, ()) = answer.body(())?.into_parts();
    let headers = Arc::new(parts.headers);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let headers = Arc::clone(&headers);
        tokio::spawn(async move {
            let service = service_fn(|_request| {
                let mut response = Response::new(Full::new(Bytes::new()));
                *response.headers_mut() = http::HeaderMap::clone(&headers);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // The load ends by closing its connections.
            let _ = connection.await;
        });
    }
}

/// A server process and its address.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut address = String::new();
        let output = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self {
            child,
            address: address.trim_end().to_owned(),
        })
    }

    /// Ticks of processor time so far: user and system.
    fn ticks(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat
            .rsplit_once(") ")
            .ok_or("an unknown form of /proc/PID/stat")?;
        let mut fields = fields.split(' ').skip(11).map(str::parse::<u64>);
        let (user, system) = (
            fields.next().ok_or("no utime")??,
            fields.next().ok_or("no stime")??,
        );
        Ok(user + system)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one round of load measured.
struct Round {
    requests_per_s: f64,
    cpu_per_request: f64,
}

fn compare() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("nexa-bench-{}", std::process::id()));
    let result = compare_in(&folder);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn compare_in(folder: &std::path::Path) -> Result<()> {
    let nexa = Process::start(&[
        "--nexa",
        folder.to_str().ok_or("a folder name that is not UTF-8")?,
    ])?;
    let key = make_key(&nexa.address)?;
    let request = format!(
        "GET /api/authorize HTTP/1.1\r\nHost: {}\r\nX-API-Key: {key}\r\nX-Original-Method: GET\r\nX-Original-URI: /api/v1/trading-signals?limit=5\r\n\r\n",
        nexa.address
    );
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = client.block_on(first_answer(&nexa.address, &request))?;
    let head: Vec<&str> = answer
        .lines()
        .skip(1)
        .filter(|line| {
            !line.is_empty() && !line.starts_with("date:") && !line.starts_with("content-length:")
        })
        .collect();
    let bare = Process::start(&["--bare", &head.join("\n")])?;
    let same = client.block_on(first_answer(&bare.address, &request))?;
    if same.len() != answer.len() {
        return Err(
            format!("the bare server sends other bytes:\n{same}\nagainst\n{answer}").into(),
        );
    }
    let mut ratios = (Vec::new(), Vec::new());
    let mut rates = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let ours = client.block_on(load(&nexa, &request, answer.len()))?;
        let theirs = client.block_on(load(&bare, &request, answer.len()))?;
        // The first pair warms caches up.
        if round > 0 {
            ratios.0.push(ours.requests_per_s / theirs.requests_per_s);
            ratios.1.push(ours.cpu_per_request / theirs.cpu_per_request);
            rates.0.push(ours.requests_per_s);
            rates.1.push(theirs.requests_per_s);
        }
    }
    println!(
        "| authorize on a warm key, {CONNECTIONS} connections | nexa / bare hyper, median of {ROUNDS} pairs | range |"
    );
    println!("|---|---|---|");
    println!("| requests a second | {} |", summary(&mut ratios.0));
    println!("| processor time a request | {} |", summary(&mut ratios.1));
    println!(
        "\n(nexa {:.0}, bare {:.0} requests a second in this run)",
        median(&mut rates.0),
        median(&mut rates.1)
    );
    Ok(())
}

fn summary(ratios: &mut [f64]) -> String {
    let middle = median(ratios);
    let (least, most) = (
        ratios.first().copied().unwrap_or(f64::NAN),
        ratios.last().copied().unwrap_or(f64::NAN),
    );
    format!("{middle:.3} | {least:.3} to {most:.3}")
}

/// Sorts, and answers the middle one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Registers, logs in, makes a key with the scope that the sample rules want.
fn make_key(address: &str) -> Result<String> {
    let post = |path: &str, body: &str, bearer: Option<&str>| -> Result<serde_json::Value> {
        let mut request = ureq::post(format!("http://{address}{path}"))
            .header("Content-Type", "application/json");
        if let Some(token) = bearer {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        Ok(serde_json::from_str(
            &request.send(body)?.body_mut().read_to_string()?,
        )?)
    };
    let text = |value: &serde_json::Value, name: &str| -> Result<String> {
        Ok(value
            .get(name)
            .and_then(serde_json::Value::as_str)
            .ok_or("an answer without the member")?
            .to_owned())
    };
    post(
        "/api/auth/register",
        r#"{"email":"a@example.com","password":"correct horse","tenantName":"A"}"#,
        None,
    )?;
    let login = post(
        "/api/auth/login",
        r#"{"email":"a@example.com","password":"correct horse"}"#,
        None,
    )?;
    let token = text(&login, "accessToken")?;
    text(
        &post(
            "/api/v1/api-keys",
            r#"{"name":"bench","scopes":["signals"]}"#,
            Some(&token),
        )?,
        "key",
    )
}

async fn first_answer(address: &str, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 16 * 1024];
    let length = stream.read(&mut answer).await?;
    answer.truncate(length);
    let answer = String::from_utf8(answer)?;
    if answer.starts_with("HTTP/1.1 200 ") {
        Ok(answer)
    } else {
        Err(answer.into())
    }
}

/// One round: every connection asks again as soon as it is answered.
async fn load(process: &Process, request: &str, answer_len: usize) -> Result<Round> {
    let (answered, is_over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(&process.address).await?;
        stream.set_nodelay(true)?;
        let (answered, is_over, request) = (
            Arc::clone(&answered),
            Arc::clone(&is_over),
            request.to_owned(),
        );
        tasks.spawn(async move {
            let mut answer = vec![0; answer_len];
            while !is_over.load(Ordering::Relaxed) {
                stream.write_all(request.as_bytes()).await?;
                stream.read_exact(&mut answer).await?;
                if !answer.starts_with(b"HTTP/1.1 200 ") {
                    return Err(std::io::Error::other(
                        String::from_utf8_lossy(&answer).into_owned(),
                    ));
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "measuring time is what a bench is for"
    )]
    let (started, ticks) = (Instant::now(), process.ticks()?);
    tokio::time::sleep(ROUND).await;
    let (elapsed, ticks) = (started.elapsed(), process.ticks()? - ticks);
    let requests = answered.load(Ordering::Relaxed) as f64;
    is_over.store(true, Ordering::Relaxed);
    while let Some(finished) = tasks.join_next().await {
        finished??;
    }
    Ok(Round {
        requests_per_s: requests / elapsed.as_secs_f64(),
        cpu_per_request: ticks as f64 / requests,
    })
}
