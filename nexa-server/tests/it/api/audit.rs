//! `/api/audit/events` and `/api/operator/audit/checkpoint`

use serde_json::{Value, json};

use crate::harness::{Server, members};

fn events(server: &Server, token: &str, query: &str) -> Vec<Value> {
    let answer = server
        .get(&format!("/api/audit/events{query}"))
        .bearer(token)
        .send();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json.as_array().unwrap().clone()
}

fn acts(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["act"].as_str().unwrap())
        .collect()
}

#[test]
fn a_tenant_reads_what_has_happened_to_it_newest_first() {
    let server = Server::start();
    let (token, other) = (
        server.sign_up("one@example.com"),
        server.sign_up("two@example.com"),
    );
    let (id, key) = server.make_key(&token, &["full_access"]);
    server.make_key(&other, &["full_access"]);
    let (by_key, _) = server.make_key(&key, &["signals"]);
    let tried = json!({ "email": "one@example.com", "password": "wrong horse" });
    server.post("/api/auth/login", &tried.to_string()).send();

    let seen = events(&server, &token, "");
    assert_eq!(
        acts(&seen),
        [
            "login.failed",
            "key.created",
            "key.created",
            "session.opened",
            "account.registered"
        ]
    );
    for event in &seen {
        let expected = ["act", "actor", "address", "at", "id", "subjectId"];
        assert_eq!(members(event), expected);
        assert_eq!(members(&event["actor"]), ["id", "kind"]);
        assert_eq!(event["address"], "127.0.0.1");
    }
    let me = server.get("/api/auth/me").bearer(&token).send().json;
    assert_eq!(seen[0]["actor"], json!({ "kind": "anyone", "id": null }));
    assert_eq!(seen[0]["subjectId"], me["user"]["id"]);
    assert_eq!(seen[1]["actor"], json!({ "kind": "key", "id": id }));
    assert_eq!(seen[1]["subjectId"], json!(by_key));
    assert_eq!(
        seen[2]["actor"],
        json!({ "kind": "user", "id": me["user"]["id"] })
    );

    // The operator is seen to have acted, and no more of it.
    let path = format!("/api/operator/users/{}", me["user"]["id"].as_str().unwrap());
    let switched = server
        .request("PATCH", &path)
        .header("Content-Type", "application/json")
        .body(r#"{"enabled":true}"#)
        .key(&server.operator_key())
        .send();
    assert_eq!(switched.status, 200, "{}", switched.text);
    let newest = &events(&server, &key, "?limit=1")[0];
    assert_eq!(
        (&newest["act"], &newest["actor"], &newest["address"]),
        (
            &json!("user.enabled"),
            &json!({ "kind": "operator", "id": null }),
            &Value::Null
        )
    );
}

#[test]
fn pages_follow_one_another_by_link_and_by_time() {
    let server = Server::start();
    let token = server.sign_up("one@example.com");
    for _ in 0..8 {
        server.make_key(&token, &["signals"]);
    }
    let all = events(&server, &token, "");
    assert_eq!(all.len(), 10);
    let (mut walked, mut path) = (Vec::new(), "/api/audit/events?limit=3".to_owned());
    loop {
        let page = server.get(&path).bearer(&token).send();
        assert_eq!(page.status, 200, "{}", page.text);
        walked.extend(page.json.as_array().unwrap().clone());
        let Some(link) = page.header("link") else {
            break;
        };
        let target = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""))
            .unwrap();
        path = target.strip_prefix(&server.url).unwrap().to_owned();
    }
    assert_eq!(walked, all);

    let at = all[4]["at"].as_str().unwrap();
    let earlier: Vec<Value> = all
        .iter()
        .filter(|event| event["at"].as_str().unwrap() < at)
        .cloned()
        .collect();
    assert_eq!(events(&server, &token, &format!("?before={at}")), earlier);
    assert!(events(&server, &token, "?before=2020-01-01T00:00:00Z").is_empty());
    assert_eq!(
        events(&server, &token, "?before=2099-01-01T00:00:00%2B02:00"),
        all
    );
}

#[test]
fn a_bad_parameter_is_named() {
    let server = Server::start();
    let token = server.sign_up("one@example.com");
    let other = server.sign_up("two@example.com");
    let foreign = events(&server, &other, "?limit=1")[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = "must be an RFC 3339 timestamp or an id from the list";
    for (query, field, rule) in [
        ("limit=0", "limit", "must be from 1 to 1000"),
        ("limit=1001", "limit", "must be from 1 to 1000"),
        ("limit=-1", "limit", ""),
        ("limit=ten", "limit", ""),
        ("limit=", "limit", ""),
        ("limit=1&limit=2", "limit", ""),
        ("before=", "before", before),
        ("before=yesterday", "before", before),
        ("before=17", "before", before),
        ("before=1'%20OR%201=1", "before", before),
        ("before=2024-01-15", "before", before),
        ("before=2024-01-15T10:30:00+01:00", "before", "%2B"),
        (
            "before=018F0000-0000-7000-8000-000000000000",
            "before",
            before,
        ),
        (
            "before=018f0000-0000-7000-8000-000000000000",
            "before",
            "must be the id of an event from the list",
        ),
        (
            &format!("before={foreign}"),
            "before",
            "must be the id of an event from the list",
        ),
    ] {
        let answer = server
            .get(&format!("/api/audit/events?{query}"))
            .bearer(&token)
            .send();
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
        assert!(
            answer.text.contains(field) && answer.text.contains(rule),
            "{query}: {}",
            answer.text
        );
    }
}

#[test]
fn the_operator_gets_a_signed_checkpoint_of_the_newest_event() {
    let server = Server::start();
    let token = server.sign_up("one@example.com");
    let ask = || server.get("/api/operator/audit/checkpoint");
    let first = ask().key(&server.operator_key()).send();
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.members(), ["at", "hash", "kid", "seq", "signature"]);
    // The operator key of the first start, the registration, the log-in.
    assert_eq!(first.json["seq"], 3);
    let jwks = server.get("/.well-known/jwks.json").send();
    assert!(!jwks.text.contains(first.json["kid"].as_str().unwrap()));

    server.make_key(&token, &["signals"]);
    let second = ask().key(&server.operator_key()).send();
    assert_eq!(second.json["seq"], 4);
    assert_ne!(second.json["hash"], first.json["hash"]);
    assert_eq!(ask().bearer(&token).send().status, 403);
    assert_eq!(ask().send().status, 401);
}
