//! A server in a process of its own: Nexa as `nexa serve` runs it, or a bare hyper server to compare it with.
//!
//! A bench's executable is started again with arguments that [`serve_if_asked`] understands.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, http};
use hyper_util::rt::{TokioIo, TokioTimer};
use nexa_server::{Config, Overrides, SAMPLE, Server};
use tokio::net::TcpListener;

use crate::Result;

/// A running server; it is killed when this is dropped.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Process {
    /// Nexa on a data folder, with the sample configuration but for how many checked keys it keeps in memory.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn nexa(folder: &Path, cached_keys: u64) -> Result<Self> {
        let cached_keys = format!("cached_keys = {cached_keys}");
        Self::nexa_with(folder, &[("cached_keys = 100000", &cached_keys)])
    }

    /// Nexa on a data folder, with the sample configuration but for lines that others take the place of.
    ///
    /// # Errors
    /// When it does not come up, or the sample has no such line.
    pub fn nexa_with(folder: &Path, changes: &[(&str, &str)]) -> Result<Self> {
        let config = folder.with_extension("toml");
        let mut text = SAMPLE.to_owned();
        for (line, other) in changes {
            if !text.contains(line) {
                return Err(format!("the sample configuration has no line {line}").into());
            }
            text = text.replace(line, other);
        }
        std::fs::write(&config, text)?;
        Self::start(["--nexa".as_ref(), folder, &config])
    }

    /// A bare hyper server on the same runtime. It reads each request to its end and answers `answer` (head and body
    /// as they stand on the wire), whatever is asked.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn bare(folder: &Path, answer: &[u8]) -> Result<Self> {
        let file = folder.with_extension("answer");
        std::fs::write(&file, answer)?;
        Self::start(["--bare".as_ref(), &file])
    }

    fn start<const N: usize>(arguments: [&Path; N]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut process = Self {
            child,
            output: BufReader::new(output),
            address: String::new(),
        };
        let line = process.line()?;
        line.strip_prefix("listening on http://")
            .ok_or("the server did not come up")?
            .clone_into(&mut process.address);
        Ok(process)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The operator key, if this was the first start on its folder.
    ///
    /// # Errors
    /// When the server has gone.
    pub fn operator_key(&mut self) -> Result<String> {
        self.line()
    }

    /// Processor time so far, user and system (Linux: /proc/PID/stat).
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat
            .rsplit_once(") ")
            .ok_or("an unknown form of /proc/PID/stat")?;
        let mut fields = fields.split(' ').skip(11).map(str::parse::<u64>);
        let user = fields.next().ok_or("no utime")??;
        let system = fields.next().ok_or("no stime")??;
        // USER_HZ is 100 wherever Linux runs.
        Ok(Duration::from_millis(10 * (user + system)))
    }

    /// Memory that is its own, in bytes: without mapped files (Linux: RssAnon in /proc/PID/status).
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn memory_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .ok_or("no RssAnon")?;
        Ok(1024 * kilobytes.trim().parse::<u64>()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves, if this process was started for that.
pub fn serve_if_asked() -> Option<Result<()>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--nexa", folder, config] => Some(serve(nexa(folder, config))),
        ["--bare", answer] => Some(serve(bare(answer))),
        _ => None,
    }
}

/// On the runtime that `nexa serve` uses.
fn serve(server: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(server)
}

async fn nexa(folder: &str, config: &str) -> Result<()> {
    let overrides = Overrides {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data: Some(folder.into()),
        ..Overrides::default()
    };
    let mut server = Server::open(Config::load(Some(config.as_ref()), overrides)?).await?;
    println!("listening on http://{}", server.address());
    let operator_key = server.take_first_operator_key();
    println!("{}", operator_key.as_ref().map_or("", |key| key.expose()));
    server.run(std::future::pending()).await?;
    Ok(())
}

async fn bare(answer: &str) -> Result<()> {
    let answer = String::from_utf8(std::fs::read(answer)?)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("an answer without a head")?;
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line
            .split_once(": ")
            .ok_or("a header line without a colon")?;
        // Hyper writes these itself.
        if !matches!(name, "date" | "content-length") {
            headers.append(
                http::HeaderName::from_bytes(name.as_bytes())?,
                value.parse()?,
            );
        }
    }
    let (headers, body) = (Arc::new(headers), Bytes::from(body.to_owned()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (headers, body) = (Arc::clone(&headers), body.clone());
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                let mut response = Response::new(Full::new(body.clone()));
                *response.headers_mut() = HeaderMap::clone(&headers);
                async move {
                    // What was sent must be read before the connection can go on.
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(response)
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // The load ends by closing its connections.
            let _ = connection.await;
        });
    }
}
