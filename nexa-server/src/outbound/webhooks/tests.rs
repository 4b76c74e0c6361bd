//! Deliveries to real sockets, under every spelling of a host, and past resolvers that lie.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(15);
const ADDRESS: &str = "the host has an address that is not public";
const HTTP: &str = "http:// only goes to hosts that the operator of this server allows";

fn post(url: &str) -> Post<'_> {
    Post {
        url,
        id: "0197c0a4-5f3e-7a10-8d3c-2b1f0e9d8c7b",
        timestamp: 1_795_230_000,
        signature: "v1a,AAAA",
        body: "{\"type\":\"key.created\"}",
    }
}

fn allowing(hosts: &[&str]) -> AllowedHosts {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    AllowedHosts::new(&hosts).unwrap()
}

/// A listener on this machine that answers everything with `answer`; the channel tells what it was sent.
fn receiver(answer: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read_request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            if tell.send(request).is_err() {
                return;
            }
        }
    });
    (port, told)
}

fn read_request(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut seen, mut part) = (Vec::new(), [0; 1024]);
    while !seen.ends_with(b"}") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(count) => seen.extend_from_slice(&part[..count]),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// Answers one address after the other for whatever it is asked, the last one forever, and counts the questions.
#[derive(Clone, Debug)]
struct Rebinding {
    answers: Arc<Mutex<Vec<Vec<SocketAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Rebinding {
    fn new(answers: &[&[SocketAddr]]) -> Self {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Self {
            answers: Arc::new(Mutex::new(answers)),
            asked: Arc::default(),
        }
    }
}

impl Resolver for Rebinding {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.remove(0),
        };
        let mut found = self.empty();
        answer.into_iter().for_each(|address| found.push(address));
        Ok(found)
    }
}

/// However this machine, or one beside it, is written, no socket is opened. Whether the system reads a spelling as an address or
/// as a name that it does not know is its own business.
#[test]
fn no_spelling_of_an_address_gets_past_the_guard() {
    let sender = Sender::new(AllowedHosts::default());
    let (port, told) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "LocalHost.localdomain",
        "ip6-localhost",
        "127%2e0%2e0%2e1",
        "%31%32%37.0.0.1",
        "user@127.0.0.1",
        "1.1.1.1@127.0.0.1",
        "\u{2460}27.0.0.1",
        "127\u{3002}0\u{3002}0\u{3002}1",
    ] {
        let url = format!("https://{host}:{port}/");
        let refused = sender.send(&post(&url));
        let problem = refused.expect_err(host);
        assert!(
            [
                ADDRESS,
                "the host name is not known",
                "the URL has no plain host",
                "no connection"
            ]
            .contains(&problem),
            "{host}: {problem}"
        );
        let plain = sender.send(&post(&format!("http://{host}:{port}/")));
        assert!(plain.is_err(), "{host}");
    }
    assert!(told.try_recv().is_err(), "somebody came through");
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "localhost",
        "127.1",
    ] {
        let url = format!("https://{host}:{port}/");
        assert_eq!(sender.send(&post(&url)), Err(ADDRESS), "{host}");
        let url = format!("http://{host}:{port}/");
        assert_eq!(sender.send(&post(&url)), Err(HTTP), "{host}");
    }
}

#[test]
fn one_address_that_is_not_public_spoils_all_of_a_name() {
    let (port, told) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let public = SocketAddr::from(([1, 1, 1, 1], port));
    for answer in [vec![here], vec![public, here], vec![here, public]] {
        let resolver = Rebinding::new(&[&answer]);
        let sender = Sender::with_resolver(AllowedHosts::default(), resolver, PATIENCE);
        let refused = sender.send(&post("https://rebind.example/"));
        assert_eq!(refused, Err(ADDRESS), "{answer:?}");
    }
    assert!(told.try_recv().is_err(), "somebody came through");
}

/// The name is asked for once in an attempt, and the connection goes to what was checked: what the resolver says after that does
/// not matter, and is checked at the next attempt.
#[test]
fn a_name_that_changes_its_mind_leads_nowhere() {
    let (port, told) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    // A public address at which nothing ever answers: the connection is tried there, and nowhere else.
    let public = SocketAddr::from(([1, 0, 0, 0], 9));
    let resolver = Rebinding::new(&[&[public], &[here]]);
    let time = Duration::from_millis(300);
    let sender = Sender::with_resolver(AllowedHosts::default(), resolver.clone(), time);
    let first = sender.send(&post("https://rebind.example/"));
    assert!(
        matches!(first, Err("no answer in time" | "no connection")),
        "{first:?}"
    );
    assert_eq!(resolver.asked.load(Ordering::Relaxed), 1);
    assert_eq!(sender.send(&post("https://rebind.example/")), Err(ADDRESS));
    assert_eq!(resolver.asked.load(Ordering::Relaxed), 2);
    assert!(told.try_recv().is_err(), "somebody came through");
}

#[test]
fn a_host_that_the_operator_names_is_reached_and_no_other_that_looks_like_it() {
    let (port, told) = receiver("HTTP/1.1 204 No Content\r\n\r\n");
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let resolver = Rebinding::new(&[&[here]]);
    let allowed = allowing(&["receiver.internal"]);
    let sender = Sender::with_resolver(allowed, resolver, PATIENCE);
    for host in [
        "receiver.internal",
        "RECEIVER.Internal",
        "receiver.internal.",
    ] {
        let sent = sender.send(&post(&format!("http://{host}:{port}/hook?a=b")));
        assert_eq!(sent.map(|answer| answer.status), Ok(204), "{host}");
        let request = told.recv_timeout(PATIENCE).unwrap();
        let lower = request.to_ascii_lowercase();
        assert!(
            request.starts_with("POST /hook?a=b HTTP/1.1\r\n"),
            "{request}"
        );
        for header in [
            "content-type: application/json\r\n",
            "webhook-id: 0197c0a4-5f3e-7a10-8d3c-2b1f0e9d8c7b\r\n",
            "webhook-timestamp: 1795230000\r\n",
            "webhook-signature: v1a,aaaa\r\n",
            concat!(
                "user-agent: nexa-webhooks/",
                env!("CARGO_PKG_VERSION"),
                "\r\n"
            ),
        ] {
            assert!(lower.contains(header), "{header}: {request}");
        }
        assert!(
            request.ends_with("\r\n\r\n{\"type\":\"key.created\"}"),
            "{request}"
        );
    }
    for host in [
        "receiver.internal.example",
        "xreceiver.internal",
        "internal",
        "127.0.0.1",
    ] {
        assert_eq!(
            sender.send(&post(&format!("http://{host}:{port}/"))),
            Err(HTTP),
            "{host}"
        );
        assert_eq!(
            sender.send(&post(&format!("https://{host}:{port}/"))),
            Err(ADDRESS),
            "{host}"
        );
    }
}

#[test]
fn what_an_operator_may_name_is_a_host() {
    for host in [
        "a",
        "receiver.internal",
        "10.0.0.1",
        "[::1]",
        "A-b_c.example.",
    ] {
        assert!(AllowedHosts::new(&[host.to_owned()]).is_ok(), "{host}");
    }
    for host in [
        "",
        "a:80",
        "http://a",
        "a/",
        "a@b",
        "*.internal",
        "::1",
        "a b",
        "a%20",
    ] {
        assert!(AllowedHosts::new(&[host.to_owned()]).is_err(), "{host}");
    }
}

#[test]
fn no_redirect_is_followed_and_no_proxy_asked() {
    let (elsewhere, went_on) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let target = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{elsewhere}/\r\ncontent-length: 0\r\n\r\n"
    );
    let (port, told) = receiver(Box::leak(target.into_boxed_str()));
    let sender = Sender::new(allowing(&["127.0.0.1"]));
    assert!(sender.agent.config().proxy().is_none());
    let sent = sender.send(&post(&format!("http://127.0.0.1:{port}/")));
    assert_eq!(sent.map(|answer| answer.status), Ok(307));
    told.recv_timeout(PATIENCE).unwrap();
    assert!(went_on.try_recv().is_err(), "the redirect was followed");
}

/// Neither a body without end nor a head without end is read, and a receiver that hangs is left.
#[test]
fn a_receiver_that_goes_on_forever_is_left() {
    let endless = |head: &'static [u8], part: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&mut stream);
            let _ = stream.write_all(head);
            while !part.is_empty() && stream.write_all(part).is_ok() {}
            // Hangs until the other side has had enough.
            let _ = stream.read(&mut [0; 1]);
        });
        port
    };
    let time = Duration::from_secs(2);
    let sender = Sender::with_resolver(allowing(&["127.0.0.1"]), DefaultResolver::default(), time);
    for (head, part, expected) in [
        (
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            &b"aaaaaaaaaaaaaaaa"[..],
            Ok(200),
        ),
        (
            b"HTTP/1.1 200 OK\r\n",
            b"a: b\r\n",
            Err("no answer of HTTP/1.1"),
        ),
        (b"HTTP/1.1 200 OK\r\n", b"", Err("no answer in time")),
        (b"", b"", Err("no answer in time")),
        (b"hello\r\n\r\n", b"", Err("no answer of HTTP/1.1")),
    ] {
        let port = endless(head, part);
        let sent = sender.send(&post(&format!("http://127.0.0.1:{port}/")));
        assert_eq!(sent.map(|answer| answer.status), expected, "{head:?}");
    }
}

#[test]
fn what_a_receiver_asks_for_is_read_where_it_is_a_number() {
    for (value, expected) in [
        ("120", Some(120)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("-1", None),
    ] {
        let answer = format!(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n"
        );
        let (port, _told) = receiver(Box::leak(answer.into_boxed_str()));
        let sender = Sender::new(allowing(&["127.0.0.1"]));
        let sent = sender.send(&post(&format!("http://127.0.0.1:{port}/")));
        assert_eq!(
            sent,
            Ok(Answer {
                status: 429,
                retry_after_s: expected
            })
        );
    }
}
