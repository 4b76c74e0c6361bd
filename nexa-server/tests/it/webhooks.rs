//! Webhooks of the real binary, to a receiver that outlives it: nothing is lost when the server is killed in the middle.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Server;

const CONFIG: &str = "[webhooks]\nallowed_hosts = [\"127.0.0.1\"]\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes events, or holds their posts without an answer.
#[derive(Clone)]
struct Endpoint {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How many more are answered; the others are held.
    answers: usize,
    taken: BTreeSet<String>,
    held: Vec<TcpStream>,
}

impl Endpoint {
    fn start(answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            answers,
            ..State::default()
        }));
        let endpoint = Self { url, state };
        let receiving = endpoint.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let receiving = receiving.clone();
                std::thread::spawn(move || receiving.receive(stream.unwrap()));
            }
        });
        endpoint
    }

    /// Answers what is whole. A server that was killed has sent a part only.
    fn receive(&self, mut stream: TcpStream) {
        let Some(id) = post(&stream) else { return };
        let mut state = self.state.lock().unwrap();
        if state.answers == 0 {
            state.held.push(stream);
            return;
        }
        state.answers -= 1;
        state.taken.insert(id);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }

    fn taken(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().taken.clone()
    }

    fn held(&self) -> usize {
        self.state.lock().unwrap().held.len()
    }

    fn answer(&self, answers: usize) {
        let mut state = self.state.lock().unwrap();
        state.answers = answers;
        state.held.clear();
    }
}

/// The id of a whole post, whose body has to be the event of that id.
fn post(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => id = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    assert_eq!(body["id"].as_str(), id.as_deref());
    id
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn register(server: &Server, url: &str) -> String {
    let body = json!({ "name": "Agent", "webhook_url": url }).to_string();
    let agent = server.post("/v1/account/register", &body).send();
    assert_eq!(agent.status, 201, "{}", agent.text);
    agent.json["api_key"].as_str().unwrap().to_owned()
}

fn make_keys(server: &Server, key: &str, count: usize) {
    for _ in 0..count {
        let body = json!({ "name": "k", "scopes": ["full_access"] }).to_string();
        let made = server.post("/api/v1/api-keys", &body).bearer(key).send();
        assert_eq!(made.status, 201, "{}", made.text);
    }
}

fn log(server: &Server, key: &str) -> Vec<Value> {
    let path = "/v1/account/webhooks/deliveries?limit=1000";
    let answer = server.get(path).bearer(key).send();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json.as_array().unwrap().clone()
}

#[test]
fn no_event_is_lost_when_the_server_is_killed_while_it_delivers() {
    let mut server = Server::configured(CONFIG);
    let config = server.folder.path().join("nexa.toml");
    let endpoint = Endpoint::start(1);
    let key = register(&server, &endpoint.url);
    let mut told = 1;
    for round in 1..=3 {
        make_keys(&server, &key, 5);
        told += 5;
        wait_until("a delivery is under way", || endpoint.held() > 0);
        server.stop("-KILL");
        endpoint.answer(3);
        // The file goes with its folder, to where it was.
        let config = config.to_str().unwrap();
        server = server.restart_with(&["--config", config]);
        wait_until("some come through", || {
            endpoint.held() > 0 || endpoint.taken().len() == told
        });
        assert!(endpoint.taken().len() >= round, "round {round}");
    }
    endpoint.answer(usize::MAX);
    // What was held when it was let go has failed once, and waits.
    wait_until("everything comes through", || {
        endpoint.taken().len() == told
    });
    wait_until("everything is written down", || {
        let log = log(&server, &key);
        log.iter().all(|logged| logged["state"] == "delivered")
    });
    let logged: BTreeSet<String> = log(&server, &key)
        .iter()
        .map(|logged| logged["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(logged, endpoint.taken());
}

/// A receiver that hangs keeps neither those of others waiting nor the server from stopping.
#[test]
fn a_receiver_that_hangs_holds_up_nobody() {
    let mut server = Server::configured(CONFIG);
    let (hanging, quick) = (Endpoint::start(0), Endpoint::start(usize::MAX));
    let stuck = register(&server, &hanging.url);
    make_keys(&server, &stuck, 10);
    wait_until("one hangs", || hanging.held() == 1);
    let key = register(&server, &quick.url);
    make_keys(&server, &key, 10);
    wait_until("all of the other come through", || {
        quick.taken().len() == 11
    });
    assert_eq!(hanging.held(), 1, "one at once of one tenant");
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
fn the_keys_of_webhooks_are_files_of_their_own_and_the_one_before_signs_too() {
    let mut server = Server::start();
    let keys = |server: &Server| {
        let answer = server.get("/.well-known/webhook-keys.json").send();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json["standard_webhooks"].as_array().unwrap().clone()
    };
    let first = keys(&server);
    assert_eq!(first.len(), 1);
    server.stop("-TERM");
    let data = server.data();
    std::fs::rename(
        data.join("webhook-key.pem"),
        data.join("previous-webhook-key.pem"),
    )
    .unwrap();
    let mut server = server.restart_with(&[]);
    let both = keys(&server);
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    assert_ne!(both[0], first[0]);
    server.stop("-TERM");
    std::fs::remove_file(data.join("previous-webhook-key.pem")).unwrap();
    let mut server = server.restart_with(&[]);
    assert_eq!(keys(&server), both[..1]);
    server.stop("-TERM");
    std::fs::copy(data.join("status-key.pem"), data.join("webhook-key.pem")).unwrap();
    let refused = crate::harness::nexa()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{words}");
    assert!(
        words.contains("webhook key: must be another key than the status key"),
        "{words}"
    );
}
