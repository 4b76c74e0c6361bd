//! Answers that are made while they are sent: their order, their pace and their ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::http::stream::Chunks;

const CHUNK: usize = 64 << 10;

/// 100 MiB.
const BIG: usize = 1_600;

/// What becomes of the streams of a server.
#[derive(Default)]
pub(super) struct Pulls {
    /// Chunks that were made.
    made: AtomicUsize,
    /// Chunks that are in memory now, and the most there were.
    held: AtomicUsize,
    held_most: AtomicUsize,
    /// Streams that were dropped.
    dropped: Mutex<usize>,
    changed: Condvar,
}

impl Pulls {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn wait_for_drop(&self) {
        let dropped = self.dropped.lock().unwrap();
        drop(self.changed.wait_while(dropped, |dropped| *dropped == 0));
    }
}

/// A chunk that is counted as long as it is in memory.
struct Held {
    bytes: Vec<u8>,
    pulls: Arc<Pulls>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pulls.held.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Says when the stream that owns it is dropped.
struct Told(Arc<Pulls>);

impl Drop for Told {
    fn drop(&mut self) {
        *self.0.dropped.lock().unwrap() += 1;
        self.0.changed.notify_all();
    }
}

/// The stream of a kind.
pub(super) fn chunks(kind: &str, doors: &Arc<Doors>, pulls: &Arc<Pulls>) -> Chunks {
    let (doors, told, kind) = (Arc::clone(doors), Told(Arc::clone(pulls)), kind.to_owned());
    let mut index = 0;
    Chunks::new(std::iter::from_fn(move || {
        let pulls = &told.0;
        index += 1;
        let bytes = match (kind.as_str(), index) {
            ("letters", 1) => b"ab".to_vec(),
            ("letters", 2) => Vec::new(),
            ("letters", 3) => b"cde".to_vec(),
            ("wait", 1) => b"first".to_vec(),
            // So much that the head goes out before the failure.
            ("error" | "panic", 1) => vec![letter(index); CHUNK],
            ("error", _) => return Some(Err("it fails on purpose")),
            ("panic", _) => panic!("the pull panics on purpose"),
            ("wait", 2) => {
                doors.pass();
                b"last".to_vec()
            }
            ("big", 1..=BIG) | ("endless", _) => vec![letter(index); CHUNK],
            ("letters" | "empty" | "big" | "wait", _) => return None,
            (kind, _) => panic!("{kind}"),
        };
        pulls.made.fetch_add(1, Ordering::SeqCst);
        let held = pulls.held.fetch_add(1, Ordering::SeqCst) + 1;
        pulls.held_most.fetch_max(held, Ordering::SeqCst);
        let pulls = Arc::clone(pulls);
        Some(Ok(Bytes::from_owner(Held { bytes, pulls })))
    }))
}

/// What the chunk of that number, counted from 1, is full of.
fn letter(index: usize) -> u8 {
    b'a' + u8::try_from(index % 23).unwrap()
}

impl Client {
    /// The next chunk of an answer, empty at its end; `None` when the server has cut it.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.taken(|read| read.windows(2).position(|pair| pair == b"\r\n"))?;
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap(), 16).unwrap();
        let chunk = self.taken(|read| (read.len() >= length + 2).then_some(length))?;
        assert_eq!(chunk.len(), length);
        Some(chunk)
    }

    /// What stands before the place that `end` finds, which is followed by a line's end.
    fn taken(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = end(&self.read) {
                let taken = self.read.drain(..end).collect();
                assert_eq!(self.read.drain(..2).as_slice(), b"\r\n");
                return Some(taken);
            }
            let mut bytes = vec![0; 1 << 20];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(error) => {
                    assert!(is_reset(error));
                    return None;
                }
            }
        }
    }

    /// A whole streamed body, or `None` when it was cut.
    fn streamed(&mut self) -> Option<String> {
        let mut whole = Vec::new();
        loop {
            match self.chunk()? {
                chunk if chunk.is_empty() => return Some(String::from_utf8(whole).unwrap()),
                chunk => whole.extend(chunk),
            }
        }
    }
}

/// A client that has the head of a stream.
fn begun(server: &Server, kind: &str) -> Client {
    let mut client = server.connect();
    client.send(get(&format!("/stream/{kind}")));
    let head = client.answer_head();
    assert_eq!(
        (head.status, head.header("transfer-encoding")),
        (200, Some("chunked"))
    );
    assert_eq!(head.header("content-length"), None);
    client
}

#[test]
fn chunks_come_in_order_and_the_connection_goes_on() {
    let server = Server::start(Limits::default());
    for (kind, body) in [("letters", "abcde"), ("empty", "")] {
        let mut client = begun(&server, kind);
        assert_eq!(client.streamed().as_deref(), Some(body));
        client.send(get("/hello"));
        assert_eq!(client.answer().body, "hello");
    }
}

#[test]
fn a_client_of_http_1_0_reads_to_the_end_of_the_connection() {
    let server = Server::start(Limits::default());
    let ask = |kind: &str| {
        let mut client = server.connect();
        client.send(format!("GET /stream/{kind} HTTP/1.0\r\n\r\n"));
        let mut answer = Vec::new();
        let end = client.stream.read_to_end(&mut answer);
        end.map(|_| String::from_utf8(answer).unwrap())
    };
    assert!(ask("letters").unwrap().ends_with("\r\n\r\nabcde"));
    // An orderly end would be the end of the body.
    for kind in ["error", "panic"] {
        assert!(is_reset(ask(kind).unwrap_err()), "{kind}");
    }
}

#[test]
fn a_hundred_mebibytes_are_never_in_memory_at_once() {
    let server = Server::start(Limits::default());
    let mut client = begun(&server, "big");
    for index in 1..=BIG {
        let chunk = client.chunk().unwrap();
        assert!(chunk.len() == CHUNK && chunk.iter().all(|byte| *byte == letter(index)));
    }
    assert_eq!(client.chunk(), Some(Vec::new()));
    let pulls = &server.pulls;
    assert_eq!(pulls.made(), BIG);
    // One that is made while the last of the one before goes out.
    assert!(pulls.held_most.load(Ordering::SeqCst) <= 2);
}

/// The number of chunks that were made once no more are, because the peer takes none.
fn made_in_vain(server: &Server) -> usize {
    let mut made = 0;
    loop {
        std::thread::sleep(SHORT * 2);
        match server.pulls.made() {
            same if same == made && same > 0 => return made,
            more => made = more,
        }
    }
}

#[test]
fn a_slow_reader_holds_no_thread() {
    let server = Server::start(Limits {
        blocking_max: 1,
        waiting_max: 0,
        write_stall_timeout: LONG,
        ..Limits::default()
    });
    let mut slow = begun(&server, "endless");
    let made = made_in_vain(&server);
    assert_eq!(server.ask(&get("/miss")).body, "waited");
    assert_eq!(server.pulls.made(), made);
    for _ in 0..made + 10 {
        assert_eq!(slow.chunk().unwrap().len(), CHUNK);
    }
    drop(slow);
    server.pulls.wait_for_drop();
}

#[test]
fn a_pull_is_one_of_the_requests_that_run() {
    let server = Server::start(Limits {
        blocking_max: 1,
        ..Limits::default()
    });
    let mut streaming = begun(&server, "wait");
    server.doors.wait_for(1);
    let mut waiting = server.connect();
    waiting.send(get("/miss"));
    let quick = Some(SHORT * 2);
    waiting.stream.set_read_timeout(quick).unwrap();
    assert!(waiting.stream.read(&mut [0]).is_err());
    waiting.stream.set_read_timeout(None).unwrap();
    server.doors.open();
    assert_eq!(waiting.answer().body, "waited");
    assert_eq!(streaming.streamed().as_deref(), Some("firstlast"));
}

#[test]
fn what_fails_in_the_middle_never_looks_whole() {
    let server = Server::start(Limits::default());
    for kind in ["error", "panic"] {
        let mut client = begun(&server, kind);
        assert_eq!(client.streamed(), None, "{kind}");
        assert_eq!(server.ask(&get("/hello")).status, 200);
    }
    assert_eq!(*server.pulls.dropped.lock().unwrap(), 2);
}

#[test]
fn who_leaves_early_ends_the_stream() {
    let server = Server::start(Limits::default());
    let mut gone = begun(&server, "endless");
    assert!(gone.chunk().is_some());
    drop(gone);
    server.pulls.wait_for_drop();

    let server = Server::start(Limits {
        write_stall_timeout: SHORT,
        ..Limits::default()
    });
    let _stalled = begun(&server, "endless");
    server.pulls.wait_for_drop();
}

#[test]
fn head_pulls_nothing() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    client.send("HEAD /stream/letters HTTP/1.1\r\nHost: test\r\n\r\n");
    let head = client.answer_head();
    assert_eq!((head.status, head.header("content-length")), (200, None));
    server.pulls.wait_for_drop();
    assert_eq!(server.pulls.made(), 0);
    client.send(get("/hello"));
    assert_eq!(client.answer().body, "hello");
}

#[test]
fn a_stream_is_not_idle_between_two_chunks() {
    let server = Server::start(Limits {
        connections: 1,
        idle_timeout: SHORT,
        ..Limits::default()
    });
    let mut streaming = begun(&server, "wait");
    server.doors.wait_for(1);
    let mut next = server.connect();
    next.send(get("/hello"));
    std::thread::sleep(SHORT * 2);
    server.doors.open();
    assert_eq!(streaming.streamed().as_deref(), Some("firstlast"));
    assert_eq!(next.answer().body, "hello");
}

#[test]
fn a_stop_lets_a_stream_finish_or_cuts_it() {
    let mut server = Server::start(Limits::default());
    let mut streaming = begun(&server, "wait");
    server.doors.wait_for(1);
    server.begin_stop();
    server.doors.open();
    assert_eq!(streaming.streamed().as_deref(), Some("firstlast"));
    assert!(streaming.is_cut());
    server.wait_for_end();

    let mut server = Server::start(Limits {
        drain_timeout: SHORT,
        ..Limits::default()
    });
    let mut stuck = begun(&server, "wait");
    server.doors.wait_for(1);
    server.begin_stop();
    server.wait_for_end();
    assert_eq!(stuck.streamed(), None);
}
