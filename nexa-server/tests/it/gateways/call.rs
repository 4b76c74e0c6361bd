//! A caller of the gateway who writes every byte of a request, from an address of its choice.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A request, as it will be written.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    from: IpAddr,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) json: Value,
}

impl Call {
    /// From 127.0.0.2: the gateway itself has 127.0.0.1.
    pub(super) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            from: Ipv4Addr::new(127, 0, 0, 2).into(),
        }
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("X-API-Key", key)
    }

    pub(super) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        let length = body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// In chunks, with trailers.
    pub(super) fn chunked(mut self, chunks: &[&[u8]], trailers: &str) -> Self {
        for chunk in chunks {
            self.body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            self.body.extend_from_slice(chunk);
            self.body.extend_from_slice(b"\r\n");
        }
        self.body.extend(format!("0\r\n{trailers}\r\n").bytes());
        self.header("Transfer-Encoding", "chunked")
    }

    pub(super) fn from(mut self, address: [u8; 4]) -> Self {
        self.from = address.into();
        self
    }

    /// The first value of a header.
    pub(super) fn value_of(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(found, _)| found == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Opens a connection and writes the request.
    pub(super) fn write(&self, port: u16) -> TcpStream {
        let mut stream = connect(self.from, port);
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: api.example.com\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !head.to_ascii_lowercase().contains("\r\nconnection:") {
            head.push_str("Connection: close\r\n");
        }
        let bytes = [head.as_bytes(), b"\r\n", &self.body].concat();
        // Whoever refuses may close before it has read everything.
        let _ = stream.write_all(&bytes);
        stream
    }

    pub(super) fn send(&self, port: u16) -> Answer {
        let mut stream = self.write(port);
        let mut bytes = Vec::new();
        let is_head = self.method == "HEAD";
        while !Answer::is_whole(&bytes, is_head) {
            let mut piece = [0; 65_536];
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => bytes.extend_from_slice(&piece[..length]),
            }
        }
        Answer::parse(&bytes).unwrap_or_else(|| {
            panic!(
                "no answer to {self:?}: {:?}",
                String::from_utf8_lossy(&bytes)
            )
        })
    }
}

impl Answer {
    /// Whether nothing more is to come, as far as the head says so.
    fn is_whole(bytes: &[u8], is_head: bool) -> bool {
        let Some(answer) = Self::parse(bytes) else {
            return false;
        };
        match answer.header("content-length") {
            _ if is_head || matches!(answer.status, 101 | 204 | 304) => true,
            Some(length) => answer.text.len() >= length.parse::<usize>().unwrap(),
            None => false,
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            json: serde_json::from_str(body).unwrap_or(Value::Null),
            text: body.to_owned(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// Status and sentence.
    pub(super) fn refusal(&self) -> (u16, &str) {
        (
            self.status,
            self.json["error"].as_str().unwrap_or(&self.text),
        )
    }
}

/// A connection from an address of this machine.
fn connect(from: IpAddr, port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        let gateway = SocketAddr::from(([127, 0, 0, 1], port));
        socket.connect(gateway).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}
