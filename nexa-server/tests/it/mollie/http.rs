//! HTTP/1.1 as far as the imitation needs it: one call a connection, and calls of webhooks.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::Seen;

/// A request, read whole.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    target: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A status and a JSON body.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Null` for none.
    pub(super) json: Value,
    /// Whether the same call was answered so before.
    pub(super) is_replayed: bool,
}

impl Call {
    /// `None` where the client says nothing.
    pub(super) fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let [method, target, "HTTP/1.1"] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line:?} is no request line");
        };
        let (method, target) = (method.to_owned(), target.to_owned());
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut call = Self {
            method,
            path: path.to_owned(),
            query: query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            target: target.clone(),
            headers,
            body: Vec::new(),
        };
        let length = call.header("content-length").map(|text| text.parse());
        let length: usize = length.unwrap_or(Ok(0)).unwrap();
        assert!(call.header("transfer-encoding").is_none(), "{target}");
        call.body.resize(length, 0);
        reader.read_exact(&mut call.body)?;
        Ok(Some(call))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn idempotency_key(&self) -> Option<&str> {
        self.header("idempotency-key")
            .filter(|_| self.method == "POST")
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            method: self.method.clone(),
            path: self.target.clone(),
            idempotency_key: self.header("idempotency-key").map(str::to_owned),
            body: serde_json::from_slice(&self.body).unwrap_or(Value::Null),
        }
    }
}

impl Answer {
    pub(super) fn new(status: u16, json: Value) -> Self {
        Self {
            status,
            json,
            is_replayed: false,
        }
    }

    /// An error object.
    pub(super) fn error(status: u16, title: &str, detail: &str, field: Option<&str>) -> Self {
        let mut error = json!({
            "status": status,
            "title": title,
            "detail": detail,
            "_links": {
                "documentation": {
                    "href": "https://docs.mollie.com/overview/handling-errors",
                    "type": "text/html",
                },
            },
        });
        if let Some(field) = field {
            error["field"] = field.into();
        }
        Self::new(status, error)
    }

    pub(super) fn trouble(status: u16) -> Self {
        Self::error(status, "Trouble", "A test wants this answer", None)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = match &self.json {
            Value::Null => String::new(),
            json => json.to_string(),
        };
        let replayed = match self.is_replayed {
            true => "Idempotent-Replayed: true\r\n",
            false => "",
        };
        let (status, length) = (self.status, body.len());
        let head = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: application/hal+json\r\nContent-Length: {length}\r\n\
             {replayed}Connection: close\r\n\r\n"
        );
        (head + &body).into_bytes()
    }
}

pub(super) fn wait_for_end(stream: &mut TcpStream) {
    let mut rest = [0; 1_024];
    while matches!(stream.read(&mut rest), Ok(1..)) {}
}

/// A form with the id alone; the status that comes back. Mollie waits 15 seconds.
pub(super) fn call_webhook(url: &str, payment_id: &str) -> u16 {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(15)))
        .build();
    let answer = ureq::Agent::new_with_config(config)
        .post(url)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .send(format!("id={payment_id}"));
    let answer = answer.unwrap_or_else(|error| panic!("webhook {url}: {error}"));
    answer.status().as_u16()
}
