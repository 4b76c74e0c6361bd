//! A small API behind the gateway: Nexgent's endpoints and a few more; it remembers every byte that reached it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    /// In their order, as they were written.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    /// All values of a header.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

pub(super) struct Upstream {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, noted) = (stream.unwrap(), Arc::clone(&noted));
                // A gateway may close a connection in the middle: no fault of the API.
                std::thread::spawn(move || serve(stream, &noted));
            }
        });
        Self { port, seen }
    }

    /// What has arrived since it was asked last.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn serve(stream: TcpStream, noted: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let Some(seen) = read(&mut reader)? else {
        return Ok(());
    };
    noted.lock().unwrap().push(seen.clone());
    if seen.all("upgrade").contains(&"websocket") {
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )?;
        io::copy(&mut reader, &mut stream)?;
        return Ok(());
    }
    let path = seen.target.split('?').next().unwrap_or_default();
    let (status, extra) = match (seen.method.as_str(), path.strip_prefix("/own/")) {
        ("OPTIONS", _) => (
            "204",
            "Access-Control-Allow-Origin: https://app.example.com\r\n",
        ),
        (_, Some(own)) => (own, "WWW-Authenticate: Own\r\n"),
        _ => ("200", ""),
    };
    let body = json!({ "served": format!("{} {}", seen.method, seen.target) }).to_string();
    let content = match (status, seen.method.as_str()) {
        ("204", _) => String::new(),
        (_, "HEAD") => format!("Content-Length: {}\r\n\r\n", body.len()),
        _ => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
    };
    let end = if content.is_empty() { "\r\n" } else { "" };
    write!(
        stream,
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nConnection: close\r\n{extra}{end}{content}"
    )
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut seen = Seen {
        method,
        target,
        headers: read_fields(reader)?,
        body: Vec::new(),
    };
    if seen.all("transfer-encoding").contains(&"chunked") {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            // What breaks off is no request.
            let Ok(length) = u64::from_str_radix(line.trim(), 16) else {
                return Ok(None);
            };
            if length == 0 {
                break;
            }
            reader.by_ref().take(length).read_to_end(&mut seen.body)?;
            line.clear();
            reader.read_line(&mut line)?;
        }
        // Trailers: an API may take them for headers.
        seen.headers.extend(read_fields(reader)?);
    } else if let [length] = seen.all("content-length")[..] {
        let length = length.parse().unwrap();
        reader.by_ref().take(length).read_to_end(&mut seen.body)?;
    }
    Ok(Some(seen))
}

fn read_fields(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        fields.push((name.to_owned(), value.trim().to_owned()));
        line.clear();
    }
    Ok(fields)
}
