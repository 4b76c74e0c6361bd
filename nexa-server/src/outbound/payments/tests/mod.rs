//! The client of Mollie's API against real sockets.

mod answers;
mod failures;
mod imitation;
#[allow(dead_code, reason = "the tests of the whole server use the rest")]
#[path = "../../../../tests/it/mollie/mod.rs"]
pub(crate) mod mollie;
mod requests;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{
    Amount, ApiKey, MollieSettings, NewCustomer, NewPayment, NewSubscription, Payments, Sequence,
};

const KEY: &str = mollie::Mollie::KEY;

fn client(url: &str) -> Arc<dyn Payments> {
    client_that_waits(url, Duration::from_secs(60))
}

fn client_that_waits(url: &str, timeout: Duration) -> Arc<dyn Payments> {
    let mut settings = MollieSettings::new(ApiKey::parse(KEY).unwrap(), url).unwrap();
    settings.timeout = timeout;
    settings.client()
}

fn customer() -> NewCustomer<'static> {
    NewCustomer {
        name: "Acme \"B.V.\"",
        email: Some("owner@acme.example"),
        tenant_id: "t1",
        reference: "c1",
    }
}

fn payment(sequence: Sequence) -> NewPayment<'static> {
    NewPayment {
        amount: Amount {
            cents: 1_000,
            currency: "EUR",
        },
        description: "Top-up",
        redirect_url: match sequence {
            Sequence::OneOff | Sequence::First => Some("https://acme.example/back"),
            Sequence::Recurring => None,
        },
        webhook_url: "https://auth.example.com/hook",
        reference: "p1",
        customer_id: Some("cst_8wmqcHMN4U"),
        sequence,
    }
}

fn subscription() -> NewSubscription<'static> {
    NewSubscription {
        customer_id: "cst_8wmqcHMN4U",
        amount: Amount {
            cents: 2_905,
            currency: "EUR",
        },
        description: "Plan pro",
        interval: "1 month",
        start_date: "2026-12-26",
        webhook_url: "https://auth.example.com/hook",
        reference: "s1",
    }
}

/// Answers one call after the other with these bytes, and notes what was asked.
struct Peer {
    url: String,
    heard: Receiver<String>,
}

impl Peer {
    fn answering(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, heard) = channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                sender.send(request(&stream)).unwrap();
                // Some clients have enough before the end.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, heard }
    }

    /// What was asked, a line each, with the headers sorted.
    fn heard(&self) -> Vec<String> {
        let request = self.heard.recv_timeout(Duration::from_secs(30)).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
        lines[1..].sort_unstable();
        lines.push(body.to_owned());
        lines
    }
}

fn request(stream: &std::net::TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/hal+json\r\nContent-Length: {length}\r\nConnection: \
         close\r\n\r\n{body}"
    )
}
