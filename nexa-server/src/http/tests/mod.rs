//! The layer over real sockets: a small app, a server per test, a client that speaks bytes.

mod bodies;
mod connections;
mod documents;
mod ends;
mod inputs;
mod routes;
mod streams;
mod websockets;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::streams::Pulls;
use self::websockets::Stage;
use super::router::{Found, Router};
use super::{Arrival, BodyProblem, Limits, Outcome, Plan, Run, Serve, Shared, listen};

const BODY_LIMIT: usize = 1_000;
const HUGE: usize = 64 << 20;

/// An app with one route per behaviour.
struct Sample {
    router: Router,
    doors: Arc<Doors>,
    pulls: Arc<Pulls>,
    stage: Arc<Stage>,
}

const ROWS: [(Option<Method>, &str, Run); 10] = [
    (Some(Method::GET), "/hello", Run::Inline),
    (Some(Method::PUT), "/hello", Run::Inline),
    (Some(Method::POST), "/echo", Run::Inline),
    (None, "/panic/{lane}", Run::Blocking),
    (Some(Method::GET), "/panic", Run::Inline),
    (Some(Method::GET), "/miss", Run::Inline),
    (Some(Method::GET), "/wait", Run::Blocking),
    (Some(Method::GET), "/huge", Run::Inline),
    (Some(Method::GET), "/stream/{kind}", Run::Inline),
    (Some(Method::GET), "/live", Run::Inline),
];

impl Serve for Sample {
    fn plan(&self, head: &Parts) -> Plan {
        assert_ne!(head.uri.path(), "/plan-panic", "the plan panics on purpose");
        let run = match self.router.find(&head.method, head.uri.path()) {
            Found::Row { index, .. } => ROWS[index].2,
            Found::WrongMethod { .. } | Found::Missing => Run::Inline,
        };
        Plan {
            run,
            body_limit: BODY_LIMIT,
        }
    }

    fn handle(&self, _: Arrival, head: &Parts, body: &Bytes, may_block: bool) -> Outcome {
        let index = match self.router.find(&head.method, head.uri.path()) {
            Found::Row { index, .. } => index,
            Found::WrongMethod { allow } => {
                let mut response = text(405, "no");
                response.headers_mut().insert("allow", allow);
                return Outcome::Reply(response);
            }
            Found::Missing => return Outcome::Reply(text(404, "nothing")),
        };
        if ROWS[index].2 == Run::Blocking && !may_block {
            return Outcome::Miss;
        }
        Outcome::Reply(match ROWS[index].1 {
            "/hello" => text(200, "hello"),
            "/echo" => text(200, body.clone()),
            "/miss" if may_block => text(200, "waited"),
            "/miss" => return Outcome::Miss,
            "/wait" => {
                self.doors.pass();
                text(200, "passed")
            }
            "/huge" => text(200, vec![b'x'; HUGE]),
            "/stream/{kind}" => {
                let kind = head.uri.path().trim_start_matches("/stream/");
                let chunks = streams::chunks(kind, &self.doors, &self.pulls);
                return Outcome::Stream(Response::new(chunks));
            }
            "/live" => return self.stage.open(head, body),
            path => panic!("{path} panics on purpose"),
        })
    }

    fn now_ms(&self) -> i64 {
        0
    }

    fn refuse(&self, _: Arrival, _: Option<&Parts>, problem: BodyProblem) -> Response<Bytes> {
        let status = match problem {
            BodyProblem::TooLarge { limit } => {
                assert_eq!(limit, BODY_LIMIT);
                413
            }
            BodyProblem::Timeout => 408,
            BodyProblem::Host | BodyProblem::Broken => 400,
            BodyProblem::Overloaded => 503,
            BodyProblem::Panicked => 500,
        };
        text(status, format!("{problem:?}"))
    }
}

fn text(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// Two doors in a row: a handler says that it is in, and waits to be let out.
#[derive(Default)]
struct Doors {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Doors {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(
            self.changed
                .wait_while(state, |(_, is_open)| !*is_open)
                .unwrap(),
        );
    }

    fn wait_for(&self, inside: usize) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |(entered, _)| *entered < inside)
                .unwrap(),
        );
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// A running server; the runtime ends with it.
struct Server {
    address: SocketAddr,
    doors: Arc<Doors>,
    pulls: Arc<Pulls>,
    stage: Arc<Stage>,
    shared: Arc<Shared<Sample>>,
    stop: Option<oneshot::Sender<()>>,
    done: Option<JoinHandle<std::io::Result<()>>>,
    runtime: Runtime,
}

impl Server {
    fn start(limits: Limits) -> Self {
        Self::try_start(limits).unwrap()
    }

    fn try_start(limits: Limits) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let doors = Arc::new(Doors::default());
        let pulls = Arc::new(Pulls::default());
        let stage = Arc::new(Stage::default());
        let router = Router::new(ROWS.iter().map(|row| (row.0.clone(), row.1))).unwrap();
        let sample = Arc::new(Sample {
            router,
            doors: Arc::clone(&doors),
            pulls: Arc::clone(&pulls),
            stage: Arc::clone(&stage),
        });
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::new(Shared::new(sample, limits)?);
        let listening = Arc::clone(&shared);
        let done = runtime.spawn(listen(listener, listening, async { drop(stopped.await) }));
        Ok(Self {
            address,
            doors,
            pulls,
            stage,
            shared,
            stop: Some(stop),
            done: Some(done),
            runtime,
        })
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        // So that a failure is a failed test and not a hanging one.
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client {
            stream,
            read: Vec::new(),
        }
    }

    fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect();
        client.send(request);
        client.answer()
    }

    fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    fn wait_for_end(&mut self) {
        let done = self.done.take().unwrap();
        self.runtime.block_on(done).unwrap().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Lets waiting handlers go: the runtime waits for its blocking threads.
        self.doors.open();
    }
}

struct Client {
    stream: TcpStream,
    /// Received, and not yet part of an answer.
    read: Vec<u8>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }
}

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The next answer; for one to HEAD use [`Client::answer_head`].
    fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head();
        let length = answer
            .header("content-length")
            .map_or(0, |value| value.parse().unwrap());
        while self.read.len() < length {
            self.more();
        }
        answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        answer
    }

    fn answer_head(&mut self) -> Answer {
        let end = loop {
            match self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                Some(end) => break end + 4,
                None => self.more(),
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head,
            body: String::new(),
        }
    }

    /// Whether the server has closed, or does so before it sends anything else.
    fn is_cut(&mut self) -> bool {
        self.read.is_empty()
            && self
                .stream
                .read(&mut [0])
                .map_or_else(is_reset, |count| count == 0)
    }

    fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    fn more(&mut self) {
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk).unwrap();
        assert_ne!(
            count,
            0,
            "closed after {:?}",
            String::from_utf8_lossy(&self.read)
        );
        self.read.extend_from_slice(&chunk[..count]);
    }
}

fn is_reset(error: std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ConnectionReset
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

const SHORT: Duration = Duration::from_millis(50);

/// Longer than any test waits: what has to happen must not happen by a timeout.
const LONG: Duration = Duration::from_secs(3_600);
