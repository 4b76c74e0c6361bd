//! WebSockets over real sockets: handshakes, frames byte by byte, silent and slow peers, places, the end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{oneshot, watch};

use super::*;
use crate::http::extract::{Extract, Input};
use crate::http::reply::Respond;
use crate::http::router::Params;
use crate::http::websocket::{Closing, Feed, Handshake, Place, Said, Then};

/// What the app of these tests says on its WebSockets, each line once.
pub(super) struct Stage {
    wake: watch::Sender<()>,
    lines: Mutex<VecDeque<Line>>,
    /// Hears when a feed is dropped.
    gone: Mutex<Option<mpsc::Sender<()>>>,
    /// Of the next one.
    place: Mutex<Option<Place>>,
    /// Bytes that the answers to handshakes have beside what they must have.
    surplus: AtomicUsize,
}

enum Line {
    Says(Vec<String>),
    /// One megabyte, again and again.
    Floods,
    Closes(u16),
    Panics,
    /// Says that it has begun, and ends when it may.
    Waits(mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            wake: watch::channel(()).0,
            lines: Mutex::default(),
            gone: Mutex::default(),
            place: Mutex::default(),
            surplus: AtomicUsize::new(0),
        }
    }
}

struct Leaving(Option<mpsc::Sender<()>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(gone) = &self.0 {
            let _ = gone.send(());
        }
    }
}

impl Stage {
    pub(super) fn open(self: &Arc<Self>, head: &Parts, body: &Bytes) -> Outcome {
        let params = Params::default();
        let params = &params;
        let handshake = match Handshake::extract(&Input { head, body, params }) {
            Ok(handshake) => handshake,
            Err(bad) => return Outcome::Reply(text(bad.status().as_u16(), bad.sentence())),
        };
        let (stage, leaving) = (Arc::clone(self), Leaving(self.gone.lock().unwrap().clone()));
        let feed = Feed {
            woken: self.wake.subscribe(),
            ask: Box::new(move |_| {
                let _ = &leaving;
                stage.say()
            }),
            place: self.place.lock().unwrap().take(),
        };
        let mut response = handshake.switch(feed).respond();
        let surplus = self.surplus.load(Ordering::Relaxed);
        if surplus > 0 {
            let surplus = "x".repeat(surplus).parse().unwrap();
            response.headers_mut().insert("x-surplus", surplus);
        }
        Outcome::from(response)
    }

    fn say(&self) -> Said {
        let rest = Then::Rest(Duration::from_secs(3_600));
        let mut lines = self.lines.lock().unwrap();
        let (texts, then) = match lines.pop_front() {
            None => (Vec::new(), rest),
            Some(Line::Says(texts)) => (texts, Then::GoOn),
            Some(Line::Floods) => {
                lines.push_front(Line::Floods);
                (vec!["x".repeat(1 << 20)], Then::GoOn)
            }
            Some(Line::Closes(code)) => {
                let reason = "because";
                (Vec::new(), Then::Close(Closing { code, reason }))
            }
            Some(Line::Waits(begun, may_end)) => {
                drop(lines);
                begun.send(()).unwrap();
                may_end.recv().unwrap();
                (Vec::new(), rest)
            }
            Some(Line::Panics) => {
                drop(lines);
                panic!("the feed panics on purpose");
            }
        };
        Said { texts, then }
    }

    fn is_to(&self, line: Line) {
        self.lines.lock().unwrap().push_back(line);
        self.wake.send_replace(());
    }

    /// Hears of each feed that is dropped from now on.
    fn farewells(&self) -> mpsc::Receiver<()> {
        let (gone, hears) = mpsc::channel();
        *self.gone.lock().unwrap() = Some(gone);
        hears
    }
}

const HANDSHAKE: &str = "GET /live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;

impl Server {
    fn websocket(&self) -> Client {
        let mut client = self.connect();
        client.send(HANDSHAKE);
        assert_eq!(client.head().0, 101);
        client
    }
}

impl Client {
    /// Status and head of an answer without a body.
    fn head(&mut self) -> (u16, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1).expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap();
        (head[9..12].parse().unwrap(), head)
    }

    /// So many bytes; `None` at the end of the connection.
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let mut taken = vec![0; bytes];
        match self.stream.read_exact(&mut taken) {
            Ok(()) => Some(taken),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing has come")
            }
            Err(_) => None,
        }
    }

    /// The next frame: its opcode and its payload.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.take(2)?;
        assert_eq!(head[0] & 0xF0, FINAL, "whole, and without extensions");
        let bytes = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.take(2)?.try_into().unwrap())),
            127 => u64::from_be_bytes(self.take(8)?.try_into().unwrap()),
            bytes => {
                assert!(bytes < 126, "a server does not mask");
                u64::from(bytes)
            }
        };
        let payload = self.take(usize::try_from(bytes).unwrap())?;
        Some((head[0] & 0x0F, payload))
    }

    fn text(&mut self) -> String {
        match self.frame() {
            Some((TEXT, text)) => String::from_utf8(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The code of the closing frame that comes next, and the end behind it.
    fn closing(&mut self) -> u16 {
        let Some((CLOSE, payload)) = self.frame() else {
            panic!("no closing frame");
        };
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        self.send_frame(CLOSE | FINAL, &payload);
        assert_eq!(self.take(1), None, "the end");
        code
    }

    /// Sends a frame with a mask that changes nothing.
    fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            bytes @ 0..126 => frame.push(0x80 | u8::try_from(bytes).unwrap()),
            bytes => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(bytes).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).unwrap();
    }
}

#[test]
fn a_handshake_says_all_that_it_must() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    client.send(HANDSHAKE);
    let (status, head) = client.head();
    let head = head.to_ascii_lowercase();
    assert_eq!(status, 101);
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
    ] {
        assert!(head.contains(line), "{head}");
    }
    for extra in [
        "content-length",
        "transfer-encoding",
        "extensions",
        "protocol:",
    ] {
        assert!(!head.contains(extra), "{head}");
    }
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (part, other, status) in [
        (
            "Connection: Upgrade",
            "Connection: keep-alive, uPGRADE",
            101,
        ),
        ("Upgrade: websocket", "Upgrade: h2c, WebSocket", 101),
        ("Connection: Upgrade\r\n", "", 426),
        ("Connection: Upgrade", "Connection: close", 426),
        ("Upgrade: websocket\r\n", "", 426),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("HTTP/1.1", "HTTP/1.0", 426),
        ("GET ", "HEAD ", 426),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 13, 8", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        (
            "Sec-WebSocket-Version: 13\r\n",
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n",
            426,
        ),
        (key, "", 400),
        (key, &key.repeat(2), 400),
        ("jZQ==", "jZQ", 400),
        ("dGhl", "", 400),
        ("dGhl", "****", 400),
        ("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx", 400),
    ] {
        let request = HANDSHAKE.replacen(part, other, 1);
        let mut client = server.connect();
        client.send(&request);
        assert_eq!(client.head().0, status, "{request}");
    }
}

#[test]
fn texts_come_in_order_and_control_frames_are_answered() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    // What comes in the same packet as the handshake is heard too.
    client.stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    client.send_frame(PING | FINAL, b"early");
    assert_eq!(client.head().0, 101);
    assert_eq!(client.frame(), Some((PONG, b"early".to_vec())));
    let long = "é".repeat(40_000);
    server
        .stage
        .is_to(Line::Says(vec!["one".to_owned(), long.clone()]));
    server.stage.is_to(Line::Says(vec!["three".to_owned()]));
    let heard = [client.text(), client.text(), client.text()];
    assert_eq!(heard, ["one".to_owned(), long, "three".to_owned()]);
    // What clients say changes nothing.
    client.send_frame(TEXT | FINAL, b"hello?");
    client.send_frame(BINARY | FINAL, &[0; 4_096]);
    client.send_frame(TEXT, "é".as_bytes());
    client.send_frame(FINAL, b"!");
    client.send_frame(PING | FINAL, b"there");
    assert_eq!(client.frame(), Some((PONG, b"there".to_vec())));
    client.send_frame(CLOSE | FINAL, &1000_u16.to_be_bytes());
    assert_eq!(client.closing(), 1000);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_told_so() {
    let server = Server::start(Limits::default());
    for (first, payload, code) in [
        (TEXT | FINAL, vec![b'x'; 4_097], 1009),
        (BINARY | FINAL, vec![b'x'; 60_000], 1009),
        (TEXT | FINAL, vec![0xFF], 1007),
        (PING, vec![], 1002),
        (PING | FINAL, vec![0; 126], 1002),
        (FINAL, vec![], 1002),
        (3 | FINAL, vec![], 1002),
        (TEXT | FINAL | 0x40, vec![b'x'], 1002),
    ] {
        let mut client = server.websocket();
        client.send_frame(first, &payload);
        assert_eq!(client.closing(), code, "{first:x} {}", payload.len());
    }
    // In parts that are each short enough.
    let mut client = server.websocket();
    client.send_frame(TEXT, &[b'x'; 3_000]);
    client.send_frame(FINAL, &[b'x'; 3_000]);
    assert_eq!(client.closing(), 1009);
    let mut client = server.websocket();
    client.stream.write_all(&[TEXT | FINAL, 1, b'x']).unwrap();
    assert_eq!(client.closing(), 1002, "unmasked");
}

#[test]
fn the_app_ends_a_connection_with_its_own_code() {
    let server = Server::start(Limits::default());
    let mut client = server.websocket();
    server.stage.is_to(Line::Closes(4401));
    assert_eq!(client.closing(), 4401);
    let mut client = server.websocket();
    server.stage.is_to(Line::Panics);
    assert_eq!(client.closing(), 1011);
    assert_eq!(server.ask(&get("/hello")).status, 200);
}

#[test]
fn a_silent_peer_is_cut_and_one_that_answers_stays() {
    let server = Server::start(Limits {
        ping_every: Duration::from_millis(20),
        pong_timeout: Duration::from_millis(20),
        ..Limits::default()
    });
    let mut silent = server.websocket();
    assert_eq!(silent.frame(), Some((PING, vec![])));
    assert_eq!(silent.closing(), 4408);
    let server = Server::start(Limits {
        ping_every: Duration::from_millis(20),
        pong_timeout: Duration::from_secs(20),
        ..Limits::default()
    });
    let mut talking = server.websocket();
    for _ in 0..5 {
        assert_eq!(talking.frame(), Some((PING, vec![])));
        talking.send_frame(PONG | FINAL, b"");
    }
}

/// What it has sent in time counts, though the app had no time to look.
#[test]
fn a_peer_that_answers_while_the_app_is_busy_stays() {
    const PONG_TIMEOUT: Duration = Duration::from_millis(300);
    let server = Server::start(Limits {
        ping_every: Duration::from_millis(20),
        pong_timeout: PONG_TIMEOUT,
        ..Limits::default()
    });
    let mut peer = server.websocket();
    for _ in 0..6 {
        assert_eq!(peer.frame(), Some((PING, vec![])), "it was cut");
        let (begins, has_begun) = mpsc::channel();
        let (end, may_end) = mpsc::channel();
        server.stage.is_to(Line::Waits(begins, may_end));
        has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
        peer.send_frame(PONG | FINAL, b"");
        std::thread::sleep(PONG_TIMEOUT);
        end.send(()).unwrap();
    }
}

#[test]
fn a_reader_that_takes_nothing_is_cut_and_keeps_nobody_waiting() {
    const STALL: Duration = Duration::from_millis(50);
    let server = Server::start(Limits {
        write_stall_timeout: STALL,
        ..Limits::default()
    });
    let farewells = server.stage.farewells();
    let mut slow = server.websocket();
    server.stage.is_to(Line::Floods);
    farewells.recv_timeout(Duration::from_secs(20)).unwrap();
    // It goes on after a while, and learns behind whatever was on its way why there is no more.
    std::thread::sleep(4 * STALL);
    let last = loop {
        match slow.frame() {
            Some((TEXT, text)) => assert_eq!(text.len(), 1 << 20, "each one whole"),
            other => break other,
        }
    };
    let (opcode, payload) = last.expect("a word at the end");
    assert_eq!(
        (opcode, &payload[..2]),
        (CLOSE, &4408_u16.to_be_bytes()[..])
    );
    slow.send_frame(CLOSE | FINAL, &payload);
    assert_eq!(slow.take(1), None, "the end");
    server.stage.lines.lock().unwrap().clear();
    let mut other = server.websocket();
    server
        .stage
        .is_to(Line::Says(vec!["still here".to_owned()]));
    assert_eq!(other.text(), "still here");
}

/// Nobody has to read, but whoever does not is heard no further either.
#[test]
fn a_peer_that_pings_and_never_reads_is_cut_before_much_has_gathered() {
    /// More than the system keeps for two sockets, in both directions.
    const BYTES: usize = 64 << 20;
    let server = Server::start(Limits {
        ping_every: LONG,
        pong_timeout: LONG,
        write_stall_timeout: Duration::from_millis(100),
        ..Limits::default()
    });
    let farewells = server.stage.farewells();
    let mut peer = server.websocket();
    let mut ping = vec![PING | FINAL, 0x80 | 125, 0, 0, 0, 0];
    ping.extend([b'p'; 125]);
    let pings = ping.repeat(1_000);
    (peer.stream.set_write_timeout(Some(Duration::from_secs(20)))).unwrap();
    let mut sent = 0;
    while sent < BYTES && peer.stream.write_all(&pings).is_ok() {
        sent += pings.len();
    }
    assert!(sent < BYTES, "all of it was heard");
    farewells.recv_timeout(Duration::from_secs(20)).unwrap();
    // One that reads may ping as much.
    let mut reader = server.websocket();
    for _ in 0..100 {
        reader.send(ping.repeat(100));
        for _ in 0..100 {
            assert_eq!(reader.frame(), Some((PONG, vec![b'p'; 125])));
        }
    }
}

#[test]
fn websockets_take_no_places_of_requests() {
    let server = Server::start(Limits {
        connections: 1,
        ..Limits::default()
    });
    let (mut first, _second) = (server.websocket(), server.websocket());
    assert_eq!(server.ask(&get("/hello")).status, 200);
    first.send_frame(PING | FINAL, b"");
    assert!(first.frame().is_some(), "it was never cut");
}

/// A place for the next one: what takes it away, and hears when it is free.
fn take_place(server: &Server) -> (oneshot::Sender<Closing>, mpsc::Receiver<()>) {
    let (tells, displaced) = oneshot::channel();
    let (held, hears) = mpsc::channel();
    let held = Box::new(Leaving(Some(held)));
    let place = Place { displaced, held };
    *server.stage.place.lock().unwrap() = Some(place);
    (tells, hears)
}

const LOST: Closing = Closing {
    code: 1013,
    reason: "because",
};

#[test]
fn whoever_loses_its_place_is_told_so_and_holds_it_until_its_socket_is_gone() {
    let server = Server::start(Limits {
        ping_every: LONG,
        write_stall_timeout: LONG,
        ..Limits::default()
    });
    let farewells = server.stage.farewells();
    let lose = |tells: oneshot::Sender<Closing>| {
        tells.send(LOST).unwrap();
        farewells.recv_timeout(Duration::from_secs(20)).unwrap();
    };
    let (tells, gone) = take_place(&server);
    let mut idle = server.websocket();
    server.stage.is_to(Line::Says(vec!["hello".to_owned()]));
    assert_eq!(idle.text(), "hello");
    lose(tells);
    assert!(gone.try_recv().is_err(), "it has not answered");
    assert_eq!(idle.closing(), 1013);
    gone.recv_timeout(Duration::from_secs(20)).unwrap();

    // It may be in the middle of being told something that it does not take.
    let (tells, gone) = take_place(&server);
    let slow = server.websocket();
    server.stage.is_to(Line::Floods);
    lose(tells);
    drop(slow);
    gone.recv_timeout(Duration::from_secs(20)).unwrap();
    server.stage.lines.lock().unwrap().clear();

    // Whoever gives places out may be gone before those who have them.
    let (tells, gone) = take_place(&server);
    let mut last = server.websocket();
    drop(tells);
    last.send_frame(PING | FINAL, b"");
    assert!(last.frame().is_some());
    drop(last);
    gone.recv_timeout(Duration::from_secs(20)).unwrap();
}

#[test]
fn a_stop_closes_websockets_with_a_word() {
    let mut server = Server::start(Limits::default());
    let mut clients = [server.websocket(), server.websocket()];
    server.begin_stop();
    for client in &mut clients {
        assert_eq!(client.closing(), 1001);
    }
    server.wait_for_end();
}

impl Server {
    /// One whose answer is more than the system keeps for two sockets, and that takes only its beginning.
    fn untaken_handshake(&self) -> Client {
        self.stage.surplus.store(HUGE, Ordering::Relaxed);
        let mut client = self.connect();
        client.send(HANDSHAKE);
        assert!(client.take(1).is_some());
        client
    }
}

/// The last client is served only because the first is cut.
#[test]
fn who_does_not_take_its_handshake_is_cut() {
    let server = Server::start(Limits {
        connections: 1,
        write_stall_timeout: Duration::from_millis(50),
        goodbye_timeout: LONG,
        ..Limits::default()
    });
    let (_tells, gone) = take_place(&server);
    let _slow = server.untaken_handshake();
    gone.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(server.ask(&get("/hello")).status, 200);
}

#[test]
fn who_loses_its_place_before_its_handshake_is_taken_holds_it_until_its_socket_is_gone() {
    let limits = |goodbye_timeout| Limits {
        connections: 1,
        write_stall_timeout: LONG,
        goodbye_timeout,
        ..Limits::default()
    };
    let server = Server::start(limits(Duration::from_millis(200)));
    let (tells, gone) = take_place(&server);
    let mut slow = server.untaken_handshake();
    tells.send(LOST).unwrap();
    gone.recv_timeout(Duration::from_secs(20)).unwrap();
    let taken = std::iter::from_fn(|| slow.take(1 << 10)).count() << 10;
    assert!(taken < HUGE, "its connection was cut");
    assert_eq!(server.ask(&get("/hello")).status, 200);

    // If it takes its handshake after all, it learns why.
    let server = Server::start(limits(LONG));
    let (tells, gone) = take_place(&server);
    let mut late = server.untaken_handshake();
    tells.send(LOST).unwrap();
    assert!(gone.recv_timeout(Duration::from_millis(50)).is_err());
    late.take(HUGE);
    let mut end = Vec::new();
    while !end.ends_with(b"\r\n\r\n") {
        end.extend(late.take(1).expect("an answer"));
    }
    assert_eq!(late.closing(), 1013);
    gone.recv_timeout(Duration::from_secs(20)).unwrap();
}

/// Of a connection of a program that mounts this, which may have no limits of its own.
#[test]
fn a_stop_does_not_wait_for_a_handshake_that_is_not_taken() {
    let server = Server::start(Limits {
        goodbye_timeout: SHORT,
        ..Limits::default()
    });
    let farewells = server.stage.farewells();
    // Less than the answer.
    let (host, mut peer) = tokio::io::duplex(64);
    let (shared, address) = (Arc::clone(&server.shared), server.address);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(address, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(host), service);
    server.runtime.spawn(connection.with_upgrades());
    server.runtime.block_on(async {
        peer.write_all(HANDSHAKE.as_bytes()).await.unwrap();
        peer.read_u8().await.unwrap();
    });
    server.shared.stop_websockets();
    farewells.recv_timeout(Duration::from_secs(20)).unwrap();
}
