//! `/api/ws/{chat_id}`: live events over a real socket, and the end of whoever's credential ends.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nexa_server::{Config, NewKey, Nexa, Overrides};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::Server;
use crate::websocket::{Heard, WebSocket};

fn make_named(server: &Server, session: &str, name: &str) -> Value {
    let body = json!({ "name": name, "scopes": ["full_access"] }).to_string();
    let made = server
        .post("/api/v1/api-keys", &body)
        .bearer(session)
        .send();
    assert_eq!(made.status, 201, "{}", made.text);
    made.json
}

fn created(name: &str) -> (String, String) {
    ("key.created".to_owned(), name.to_owned())
}

#[test]
fn every_carrier_opens_one_and_no_log_shows_it() {
    let server = Server::start_in(&[("NEXA_LOG", "trace")], &[]);
    let session = server.sign_up("a@example.com");
    let key = make_named(&server, &session, "mine")["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let in_query = |credential: &str| format!("/api/ws/a%2Fb?token={credential}");
    let bearer = format!("Bearer {key}");
    let me = server.get("/api/auth/me").bearer(&session).send().json;
    for (target, headers) in [
        (in_query(&session), vec![]),
        (in_query(&key), vec![]),
        (
            "/api/ws/a%2Fb".to_owned(),
            vec![("X-API-Key", key.as_str())],
        ),
        (
            "/api/ws/a%2Fb".to_owned(),
            vec![("Authorization", bearer.as_str())],
        ),
        (in_query(&key), vec![("X-API-Key", key.as_str())]),
        (in_query(&key), vec![("Origin", server.url.as_str())]),
    ] {
        let (mut socket, hello) = WebSocket::open(&server.url, &target, &headers);
        assert_eq!(hello["type"], "hello");
        assert_eq!(hello["chat_id"], "a/b");
        assert_eq!(hello["tenant_id"], me["tenant"]["id"]);
        make_named(&server, &session, &target[..8]);
        assert_eq!(socket.event(), created(&target[..8]));
    }
    for (target, headers, status) in [
        (in_query("nex_unknown"), vec![], 401),
        ("/api/ws/1".to_owned(), vec![], 401),
        (in_query(&server.operator_key()), vec![], 403),
        (in_query(&key), vec![("X-API-Key", session.as_str())], 400),
        (format!("/api/ws/1?token={key}&token={key}"), vec![], 400),
        (
            in_query(&key),
            vec![("Origin", "https://evil.example")],
            403,
        ),
        (in_query(&key), vec![("Origin", "null")], 403),
        (in_query(&key), vec![("Sec-WebSocket-Version", "8")], 426),
        (
            format!("/api/ws/{}?token={key}", "x".repeat(129)),
            vec![],
            422,
        ),
        (format!("/api/ws/?token={key}"), vec![], 404),
        (format!("/api/auth/me?token={key}"), vec![], 401),
    ] {
        let refused = WebSocket::try_open(&server.url, &target, &headers);
        let (found, answer) = refused.err().unwrap();
        assert_eq!(found, status, "{target} {headers:?}: {answer}");
    }
    // Without an upgrade, the query is no credential, and there is nothing to get with one.
    let plain = server.get(&in_query(&key)).send();
    assert_eq!(plain.status, 401, "{}", plain.text);
    let plain = server.get("/api/ws/1").key(&key).send();
    assert_eq!(
        (plain.status, plain.header("upgrade")),
        (426, Some("websocket"))
    );
    assert_eq!(plain.header("sec-websocket-version"), Some("13"));
    let logged = server.stderr();
    assert!(
        logged.contains("TRACE") || logged.contains("DEBUG"),
        "{logged}"
    );
    for secret in [&key, &session] {
        assert!(
            !logged.contains(secret.as_str()),
            "a credential is in the log"
        );
    }
}

#[test]
fn sixty_four_sockets_close_the_moment_their_key_dies_and_hear_nothing_after_it() {
    let server = Server::start();
    let session = server.sign_up("a@example.com");
    let made = make_named(&server, &session, "theirs");
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let target = format!("/api/ws/1?token={key}");
    let sockets: Vec<WebSocket> = (0..64)
        .map(|_| WebSocket::open(&server.url, &target, &[]).0)
        .collect();
    let is_dead = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let readers: Vec<_> = sockets
            .into_iter()
            .map(|mut socket| {
                scope.spawn(move || {
                    let mut names = Vec::new();
                    loop {
                        match socket.heard() {
                            Heard::Text(told) => names.push(told["event"]["data"]["name"].clone()),
                            Heard::Closed(code) => return (names, code),
                        }
                    }
                })
            })
            .collect();
        // Events before, around and after the end.
        let storm = scope.spawn(|| {
            let mut number = 0;
            let mut name = |prefix: &str| {
                number += 1;
                make_named(&server, &session, &format!("{prefix}{number}"));
            };
            while !is_dead.load(Ordering::SeqCst) {
                name("around ");
            }
            (0..10).for_each(|_| name("after "));
        });
        make_named(&server, &session, "before");
        let path = format!("/api/v1/api-keys/{id}");
        let deleted = server.delete(&path).bearer(&session).send();
        assert_eq!(deleted.status, 200, "{}", deleted.text);
        is_dead.store(true, Ordering::SeqCst);
        storm.join().unwrap();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect::<Vec<_>>()
    });
    for (names, code) in &told {
        assert_eq!(*code, 4401);
        let is_late = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("after "));
        assert!(!names.iter().any(is_late), "{names:?}");
        assert!(
            !names.contains(&json!("theirs")),
            "its own end, or its beginning: {names:?}"
        );
    }
}

#[test]
fn a_server_that_stops_says_so_and_what_was_missed_is_told_later() {
    let mut server = Server::start();
    let session = server.sign_up("a@example.com");
    let key = make_named(&server, &session, "mine")["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let target = format!("/api/ws/1?token={key}");
    let (mut socket, _) = WebSocket::open(&server.url, &target, &[]);
    make_named(&server, &session, "seen");
    let Heard::Text(seen) = socket.heard() else {
        panic!("it is closed");
    };
    assert_eq!(server.stop("-TERM"), Some(0));
    assert_eq!(socket.heard(), Heard::Closed(1001));
    let server = server.restart_with(&[]);
    let session = {
        let body = json!({ "email": "a@example.com", "password": "correct horse" });
        let login = server.post("/api/auth/login", &body.to_string()).send();
        login.json["accessToken"].as_str().unwrap().to_owned()
    };
    make_named(&server, &session, "missed");
    let since = seen["event"]["id"].as_str().unwrap();
    let (mut socket, _) = WebSocket::open(&server.url, &format!("{target}&since={since}"), &[]);
    make_named(&server, &session, "live");
    assert_eq!(socket.event(), created("missed"));
    assert_eq!(socket.event(), created("live"));
}

#[test]
fn a_server_of_the_programs_own_upgrades_too_and_closing_the_folder_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let nexa = Nexa::open(
        Config::load(
            None,
            Overrides {
                data: Some(folder.path().join("data")),
                public_url: Some(url.clone()),
                ..Overrides::default()
            },
        )
        .unwrap(),
    )
    .unwrap();
    let mounted = nexa.clone();
    let serving = runtime.spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let nexa = mounted.clone();
            let service = service_fn(move |request| {
                let nexa = nexa.clone();
                async move { Ok::<_, Infallible>(nexa.handle(peer, request).await) }
            });
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    let agent = nexa.register_agent("Robot").unwrap();
    let key = agent.api_key.expose();
    let target = format!("/api/ws/1?token={key}");
    let (mut socket, hello) = WebSocket::open(&url, &target, &[]);
    assert_eq!(hello["tenant_id"], agent.tenant_id);
    let tenant = nexa.tenant(&agent.tenant_id);
    tenant.create_key(NewKey::new("live")).unwrap();
    assert_eq!(socket.event(), created("live"));
    // Called as a function, there is nothing to upgrade.
    let request = hyper::Request::get(&target)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("x-api-key", key)
        .body(Bytes::new())
        .unwrap();
    let called = nexa.call([127, 0, 0, 1].into(), request);
    assert_eq!(called.status(), 426);
    serving.abort();
    nexa.close().unwrap();
    assert_eq!(socket.heard(), Heard::Closed(1001));
}
