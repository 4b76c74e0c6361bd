//! `Idempotency-Key` on `/api/licenses/issue` and `…/renew`

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::{Answer, Server};

const ISSUE: &str = "/api/licenses/issue";
const BODY: &str = r#"{"appId":"agentyk-engine","device":{"fingerprint":"f","platform":"linux"}}"#;

fn issue(server: &Server, credential: &str, key: &str) -> Answer {
    let request = server.post(ISSUE, BODY).bearer(credential);
    request.header("Idempotency-Key", key).send()
}

fn count(server: &Server, credential: &str) -> usize {
    let path = "/api/licenses?limit=1000";
    let listed = server.get(path).bearer(credential).send();
    assert_eq!(listed.header("link"), None, "all of them on one page");
    listed.json.as_array().unwrap().len()
}

#[test]
fn sixty_four_calls_at_once_with_one_key_issue_one_licence() {
    let server = Server::start();
    let token = server.sign_up("race@example.com");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..64)
            .map(|_| scope.spawn(|| issue(&server, &token, "one-and-only")))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let first = answers
        .iter()
        .find(|answer| answer.status == 201 && answer.header("idempotency-replayed").is_none())
        .unwrap();
    let mut firsts = 0;
    for answer in &answers {
        match answer.status {
            201 => {
                assert_eq!(answer.text, first.text, "every answer is the same");
                firsts += usize::from(answer.header("idempotency-replayed").is_none());
            }
            status => {
                assert_eq!(
                    (status, &answer.json["code"]),
                    (409, &json!("idempotency_key_in_use"))
                );
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
        }
    }
    assert_eq!(firsts, 1);
    assert_eq!(count(&server, &token), 1);
    let again = issue(&server, &token, "one-and-only");
    assert_eq!((again.status, again.text), (201, first.text.clone()));
    assert_eq!(
        again
            .headers
            .iter()
            .find(|(name, _)| name == "idempotency-replayed")
            .unwrap()
            .1,
        "true"
    );
}

/// Issues with one key after the other until the server is gone; answers each key with what came back.
fn issue_until_it_dies(
    url: &str,
    credential: &str,
    name: &str,
    answered: &AtomicUsize,
) -> Vec<(String, Option<String>)> {
    let mut calls = Vec::new();
    loop {
        let key = format!("{name}-{}", calls.len());
        let answer = ureq::post(url)
            .header("Content-Type", "application/json")
            .header("X-API-Key", credential)
            .header("Idempotency-Key", &key)
            .send(BODY);
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        calls.push((key, text.ok()));
        if calls.last().is_some_and(|(_, text)| text.is_none()) {
            return calls;
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_server_that_dies_in_between_has_one_effect_and_one_answer() {
    const ROUNDS_MAX: usize = 12;
    let url = ["--public-url", "https://auth.example.com"];
    let mut server = Server::start_with(&url);
    let token = server.sign_up("kill@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let (mut attempts, mut kept_unanswered, mut lost) = (0, 0, 0);
    for round in 0..ROUNDS_MAX {
        let answered = AtomicUsize::new(0);
        let issue_url = format!("{}{ISSUE}", server.url);
        let calls: Vec<(String, Option<String>)> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|client| {
                    let (issue_url, key, answered) = (&issue_url, &key, &answered);
                    let name = format!("attempt-{round}-{client}");
                    scope.spawn(move || issue_until_it_dies(issue_url, key, &name, answered))
                })
                .collect();
            while answered.load(Ordering::Relaxed) < 20 + round {
                std::thread::yield_now();
            }
            server.stop("-KILL");
            let calls = clients.into_iter().map(|client| client.join().unwrap());
            calls.flatten().collect()
        });
        let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
        server = Server::start_on(folder, &url);
        for (attempt, before) in &calls {
            let retried = issue(&server, &key, attempt);
            assert_eq!(retried.status, 201, "{}", retried.text);
            let is_replay = retried.header("idempotency-replayed").is_some();
            match before {
                Some(before) => assert_eq!((is_replay, &retried.text), (true, before), "{attempt}"),
                None if is_replay => kept_unanswered += 1,
                None => lost += 1,
            }
            assert_eq!(
                issue(&server, &key, attempt).text,
                retried.text,
                "{attempt}"
            );
        }
        attempts += calls.len();
        assert_eq!(
            count(&server, &key),
            attempts,
            "each of them has one effect"
        );
        if kept_unanswered > 0 && lost > 0 && round > 1 {
            return;
        }
    }
    panic!(
        "{kept_unanswered} effects were never answered, {lost} calls had none: no kill was in between"
    );
}

#[test]
fn keys_are_a_tenants_and_a_routes_own() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let first = issue(&server, &a, "the-same-key");
    let other = issue(&server, &b, "the-same-key");
    assert_eq!((first.status, other.status), (201, 201));
    assert!(other.header("idempotency-replayed").is_none());
    assert_ne!(first.text, other.text);
    let jti = server.get("/api/licenses").bearer(&a).send().json[0]["jti"].clone();
    let renew = server
        .post(
            &format!("/api/licenses/{}/renew", jti.as_str().unwrap()),
            r#"{"device":{"fingerprint":"f"}}"#,
        )
        .bearer(&a)
        .header("Idempotency-Key", "the-same-key")
        .send();
    assert_eq!(
        (renew.status, renew.header("idempotency-replayed")),
        (201, None)
    );
    assert_eq!(count(&server, &a), 2);
    // Without a key every call is another one, and a route that takes none does not look.
    for _ in 0..2 {
        assert_eq!(server.post(ISSUE, BODY).bearer(&a).send().status, 201);
    }
    assert_eq!(count(&server, &a), 4);
    let list = server
        .get("/api/licenses")
        .bearer(&a)
        .header("Idempotency-Key", "x")
        .send();
    assert_eq!(list.status, 200);
}

#[test]
fn a_bad_header_is_named_and_nothing_happens() {
    let server = Server::start();
    let token = server.sign_up("bad@example.com");
    let rule =
        "Idempotency-Key: must be 8 to 200 visible ASCII characters, as they are or in quotes";
    for key in [
        "short",
        "\"short\"",
        &"k".repeat(201),
        "with a blank",
        "\"not-closed",
    ] {
        let refused = issue(&server, &token, key);
        assert_eq!(refused.refusal(), (400, rule), "{key}");
    }
    let twice = server
        .post(ISSUE, BODY)
        .bearer(&token)
        .header("Idempotency-Key", "12345678")
        .header("Idempotency-Key", "12345678")
        .send();
    assert_eq!(twice.refusal(), (400, "Idempotency-Key: must be sent once"));
    let unknown = server
        .post(ISSUE, BODY)
        .header("Idempotency-Key", "short")
        .send();
    assert_eq!(unknown.status, 401, "who calls is asked first");
    assert_eq!(count(&server, &token), 0);
    let raw = issue(&server, &token, "12345678");
    let quoted = issue(&server, &token, "\"12345678\"");
    assert_eq!((quoted.status, &quoted.text), (201, &raw.text));
    let other = BODY.replace("linux", "macos");
    let reused = server
        .post(ISSUE, &other)
        .bearer(&token)
        .header("Idempotency-Key", "12345678")
        .send();
    let sentence = "This Idempotency-Key was sent with another request within the last 24 hours";
    assert_eq!(reused.refusal(), (422, sentence));
    assert_eq!(count(&server, &token), 1);
}
