//! Ten thousand WebSockets that hear nothing: what each takes of the server's memory, beside as many idle HTTP connections;
//! then how long one event takes to reach all of them, and one deletion to close them.
//!
//! ```text
//! cargo bench -p nexa-benches --bench websockets
//! ```
//!
//! Two servers, one after the other, each in a process of its own, since freed memory stays with a process. It needs 10,300 file
//! handles for itself and as many for the server (`ulimit -n`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nexa_benches::client::{Connection, make_key, now, request, sign_up};
use nexa_benches::server::{Process, serve_if_asked};
use nexa_benches::{Result, in_scratch, is_bench_run, pairs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 10_000;
/// As it stands in a closing frame.
const CLOSED_4401: [u8; 2] = 4401_u16.to_be_bytes();
/// What one idle WebSocket may take of the server's memory.
const AIM_BYTES: u64 = 8 * 1024;

fn main() -> Result<()> {
    if let Some(served) = serve_if_asked() {
        return served;
    }
    if !is_bench_run() {
        return Ok(());
    }
    in_scratch(|scratch| pairs::runtime()?.block_on(compare(scratch)))
}

async fn compare(scratch: &Path) -> Result<()> {
    let room = [
        ("log = \"info\"", "log = \"error\""),
        ("connections = 10000", "connections = 64"),
        ("websockets = 10000", "websockets = 10050"),
        (
            "websockets_per_tenant = 100",
            "websockets_per_tenant = 10050",
        ),
    ];
    let nexa = Process::nexa_with(&scratch.join("websockets"), &room)?;
    let address = nexa.address().to_owned();
    let (session, key_id, key) = tokio::task::spawn_blocking({
        let address = address.clone();
        move || {
            let session = sign_up(&address)?;
            let fields = serde_json::json!({ "name": "theirs", "scopes": ["full_access"] });
            let (id, key) = make_key(&address, &session, &fields)?;
            Result::Ok((session, id, key))
        }
    })
    .await??;
    let handshake = format!(
        "GET /api/ws/1?token={key} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    // One comes and goes, so that what is allocated once is not counted.
    drop(open_all(&address, &handshake, "\"hello\"", 1).await?);
    let before = nexa.memory_bytes()?;
    let sockets = open_all(&address, &handshake, "\"hello\"", CONNECTIONS).await?;
    let by_websocket = nexa.memory_bytes()?.saturating_sub(before) / CONNECTIONS as u64;

    let bearer = format!("Bearer {session}");
    let headers = [("Authorization", bearer.as_str())];
    let fields = serde_json::json!({ "name": "told", "scopes": ["signals"] }).to_string();
    let mut asking = Connection::open(&address).await?;
    let started = now();
    let create = request(&address, "POST /api/v1/api-keys", &headers, &fields);
    expect(asking.ask(create.as_bytes()).await?.status, 201)?;
    let sockets = hear_all(sockets, b"\"told\"").await?;
    let told = started.elapsed();
    let started = now();
    let end = format!("DELETE /api/v1/api-keys/{key_id}");
    let end = request(&address, &end, &headers, "");
    expect(asking.ask(end.as_bytes()).await?.status, 200)?;
    drop(hear_all(sockets, &CLOSED_4401).await?);
    let closed = started.elapsed();
    drop(nexa);

    let room = [
        ("log = \"info\"", "log = \"error\""),
        ("connections = 10000", "connections = 10050"),
        ("websockets = 10000", "websockets = 1"),
    ];
    let nexa = Process::nexa_with(&scratch.join("http"), &room)?;
    let address = nexa.address();
    let question = request(address, "GET /.well-known/jwks.json", &[], "");
    drop(open_all(address, &question, "\"keys\"", 1).await?);
    let before = nexa.memory_bytes()?;
    let idle = open_all(address, &question, "\"keys\"", CONNECTIONS).await?;
    let by_http = nexa.memory_bytes()?.saturating_sub(before) / CONNECTIONS as u64;
    drop(idle);

    println!(
        "Baseline: as many idle HTTP/1.1 connections that have been answered once, on the same server.\n"
    );
    println!("| {CONNECTIONS} idle | bytes each | ratio | aim |");
    println!("|---|---:|---:|---|");
    println!("| HTTP connections | {by_http} | 1.00 | – |");
    let met = if by_websocket <= AIM_BYTES {
        "met"
    } else {
        "**missed**"
    };
    println!(
        "| WebSockets | {by_websocket} | **{:.2}** | ≤ {AIM_BYTES} bytes: {met} |",
        by_websocket as f64 / by_http.max(1) as f64
    );
    println!();
    println!(
        "| from the request until all {CONNECTIONS} WebSockets of a tenant have it | seconds |"
    );
    println!("|---|---:|");
    println!("| an event | {:.2} |", told.as_secs_f64());
    println!(
        "| 4401, after their key's deletion | {:.2} |",
        closed.as_secs_f64()
    );
    Ok(())
}

/// Opens connections, says `request` on each, and reads until `end` has come.
async fn open_all(address: &str, request: &str, end: &str, all: usize) -> Result<Vec<TcpStream>> {
    let at_once = Arc::new(Semaphore::new(64));
    let mut opening = JoinSet::new();
    for _ in 0..all {
        let turn = Arc::clone(&at_once).acquire_owned().await?;
        let (address, request, end) = (address.to_owned(), request.to_owned(), end.to_owned());
        opening.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(request.as_bytes()).await?;
            let stream = hear(stream, end.as_bytes()).await?;
            drop(turn);
            Result::Ok(stream)
        });
    }
    finish(opening).await
}

/// Reads on each until `wanted` has come.
async fn hear_all(streams: Vec<TcpStream>, wanted: &'static [u8]) -> Result<Vec<TcpStream>> {
    let mut hearing = JoinSet::new();
    for stream in streams {
        hearing.spawn(hear(stream, wanted));
    }
    finish(hearing).await
}

async fn finish(mut work: JoinSet<Result<TcpStream>>) -> Result<Vec<TcpStream>> {
    let mut done = Vec::new();
    while let Some(finished) = work.join_next().await {
        done.push(finished??);
    }
    Ok(done)
}

async fn hear(mut stream: TcpStream, wanted: impl AsRef<[u8]>) -> Result<TcpStream> {
    let wanted = wanted.as_ref();
    let mut heard = Vec::new();
    let hearing = async {
        while !heard.windows(wanted.len()).any(|bytes| bytes == wanted) {
            if stream.read_buf(&mut heard).await? == 0 {
                return Err(String::from_utf8_lossy(&heard).into());
            }
        }
        Result::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(120), hearing).await??;
    Ok(stream)
}

fn expect(status: u16, wanted: u16) -> Result<()> {
    match status == wanted {
        true => Ok(()),
        false => Err(format!("{status}, not {wanted}").into()),
    }
}
