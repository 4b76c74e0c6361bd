//! `/api/v1/api-keys`: rotation, lists in pages, and the end of many keys at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Server;

fn check(server: &Server, key: &str) -> u16 {
    server
        .get("/api/authorize?scope=signals")
        .key(key)
        .send()
        .status
}

fn rotate(server: &Server, token: &str, id: &str, body: &str) -> (Value, String) {
    let path = format!("/api/v1/api-keys/{id}/rotate");
    let rotated = server.post(&path, body).bearer(token).send();
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    let key = rotated.json["key"].as_str().unwrap().to_owned();
    (rotated.json, key)
}

#[test]
fn a_rotation_kills_the_old_value_at_once_and_keeps_the_id() {
    let server = Server::start();
    let token = server.sign_up("rotate@example.com");
    let (id, old) = server.make_key(&token, &["signals"]);
    assert_eq!(check(&server, &old), 200);
    let (shown, new) = rotate(&server, &token, &id, "{}");
    assert_eq!(
        (shown["id"].as_str(), &new[..8]),
        (Some(id.as_str()), shown["prefix"].as_str().unwrap())
    );
    assert_eq!((check(&server, &old), check(&server, &new)), (401, 200));
    let bare = server
        .request("POST", &format!("/api/v1/api-keys/{id}/rotate"))
        .bearer(&token)
        .send();
    assert_eq!(bare.status, 200, "the body may be left out");
    assert_eq!(check(&server, &new), 401);
    let refused = server
        .post(
            &format!("/api/v1/api-keys/{id}/rotate"),
            r#"{"graceSeconds":2592001}"#,
        )
        .bearer(&token)
        .send();
    assert_eq!(
        refused.refusal(),
        (400, "graceSeconds: at most 2592000 (30 days)")
    );
}

#[test]
fn both_values_pass_during_the_grace_and_never_three() {
    let server = Server::start();
    let token = server.sign_up("grace@example.com");
    let (id, first) = server.make_key(&token, &["signals"]);
    let (_, second) = rotate(&server, &token, &id, r#"{"graceSeconds":3600}"#);
    assert_eq!(
        (check(&server, &first), check(&server, &second)),
        (200, 200)
    );
    let (_, third) = rotate(&server, &token, &id, r#"{"graceSeconds":1}"#);
    assert_eq!(
        [&first, &second, &third].map(|key| check(&server, key)),
        [401, 200, 200]
    );
    while check(&server, &second) == 200 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!([&second, &third].map(|key| check(&server, key)), [401, 200]);
    let deleted = server
        .delete(&format!("/api/v1/api-keys/{id}"))
        .bearer(&token)
        .send();
    assert_eq!((deleted.status, check(&server, &third)), (200, 401));
}

#[test]
fn a_key_rotates_itself_and_its_old_value_can_do_nothing_more() {
    let server = Server::start();
    let token = server.sign_up("self@example.com");
    let (id, old) = server.make_key(&token, &["full_access"]);
    let (_, new) = rotate(&server, &old, &id, "{}");
    let list = |key: &str| server.get("/api/v1/api-keys").key(key).send().status;
    assert_eq!((list(&old), list(&new)), (401, 200));
}

#[test]
fn lists_come_in_pages_and_can_be_searched() {
    let server = Server::start();
    let token = server.sign_up("pages@example.com");
    for name in ["ci alpha", "ci beta", "100%", "a_b", "aXb"] {
        let body = json!({ "name": name, "scopes": ["signals"] });
        assert_eq!(
            server
                .post("/api/v1/api-keys", &body.to_string())
                .bearer(&token)
                .send()
                .status,
            201
        );
    }
    let names = |json: &Value| -> Vec<String> {
        let keys = json.as_array().unwrap().iter();
        keys.map(|key| key["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let whole = server.get("/api/v1/api-keys").bearer(&token).send();
    assert_eq!(whole.header("link"), None);
    let (mut path, mut walked, mut pages) = (
        "/api/v1/api-keys?limit=2&enabled=true".to_owned(),
        Vec::new(),
        0,
    );
    loop {
        let page = server.get(&path).bearer(&token).send();
        assert_eq!(page.status, 200, "{}", page.text);
        walked.extend(names(&page.json));
        pages += 1;
        let Some(link) = page.header("link") else {
            break;
        };
        let target = link
            .strip_prefix('<')
            .unwrap()
            .strip_suffix(">; rel=\"next\"")
            .unwrap();
        target
            .strip_prefix(&server.url)
            .unwrap()
            .clone_into(&mut path);
    }
    assert_eq!((pages, &walked), (3, &names(&whole.json)));
    for (query, found) in [
        ("search=CI%20", 2),
        ("search=%25", 1),
        ("search=a_b", 1),
        ("search=nex_", 5),
        ("search=nothing", 0),
        ("environment=test", 0),
        ("enabled=false", 0),
        ("unusedSince=2099-01-01T00:00:00Z", 5),
        ("unusedSince=2020-01-01T00:00:00Z&search=ci%20", 2),
        ("ownerId=somebody", 0),
    ] {
        let answer = server
            .get(&format!("/api/v1/api-keys?{query}"))
            .bearer(&token)
            .send();
        assert_eq!(names(&answer.json).len(), found, "{query}: {}", answer.text);
    }
    for (query, sentence) in [
        ("limit=0", "limit: must be from 1 to 1000"),
        ("limit=1001", "limit: must be from 1 to 1000"),
        ("limit=2&limit=3", "limit: appears twice"),
        ("before=x'--", "before: must be an id from the list"),
    ] {
        let answer = server
            .get(&format!("/api/v1/api-keys?{query}"))
            .bearer(&token)
            .send();
        assert_eq!(answer.refusal(), (400, sentence), "{query}");
    }
}

#[test]
fn many_keys_end_at_once_by_a_filter() {
    let server = Server::start();
    let (token, stranger) = (
        server.sign_up("bulk@example.com"),
        server.sign_up("other@example.com"),
    );
    let (_, foreign) = server.make_key(&stranger, &["signals"]);
    let make = |name: &str, environment: &str| {
        let body = json!({ "name": name, "scopes": ["full_access"], "environment": environment });
        let made = server
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(&token)
            .send();
        made.json["key"].as_str().unwrap().to_owned()
    };
    let old: Vec<String> = (0..3).map(|_| make("old ci", "live")).collect();
    let (used, test) = (make("used", "live"), make("trial", "test"));
    assert_eq!(check(&server, &used), 200);
    let revoke = |credential: &str, body: &Value| {
        server
            .post("/api/v1/api-keys/revoke", &body.to_string())
            .bearer(credential)
            .send()
    };
    for nothing in [
        json!({}),
        json!({ "all": false }),
        json!({ "all": true, "search": "x" }),
    ] {
        assert_eq!(
            revoke(&token, &nothing).refusal(),
            (
                400,
                "all: say which keys, or all = true for every key, and not both"
            )
        );
    }
    assert_eq!(
        old.iter()
            .map(|key| check(&server, key))
            .collect::<Vec<_>>(),
        [200; 3],
        "warm"
    );
    assert_eq!(
        revoke(&token, &json!({ "search": "OLD" })).json,
        json!({ "revoked": 3 })
    );
    assert_eq!(
        old.iter()
            .map(|key| check(&server, key))
            .collect::<Vec<_>>(),
        [401; 3]
    );
    assert_eq!(
        revoke(&token, &json!({ "unusedSince": "2020-01-01T00:00:00Z" })).json,
        json!({ "revoked": 1 }),
        "a use counts that has not been written yet"
    );
    assert_eq!(check(&server, &test), 401);
    assert_eq!(check(&server, &used), 200);
    assert_eq!(
        revoke(&used, &json!({ "all": true })).json,
        json!({ "revoked": 1 }),
        "its own too"
    );
    assert_eq!(
        (check(&server, &used), check(&server, &foreign)),
        (401, 200)
    );
}

#[test]
fn a_search_for_nothing_is_refused_and_not_for_everything() {
    let server = Server::start();
    let token = server.sign_up("search@example.com");
    server.make_key(&token, &["signals"]);
    for text in ["", "  ", &"a".repeat(101), &"_".repeat(60_000)] {
        let refused = (400, "search: must have 1 to 100 characters");
        let body = json!({ "search": text }).to_string();
        let revoked = server
            .post("/api/v1/api-keys/revoke", &body)
            .bearer(&token)
            .send();
        assert_eq!(revoked.refusal(), refused);
        if text.len() < 1_000 {
            let path = format!("/api/v1/api-keys?search={}", text.replace(' ', "%20"));
            assert_eq!(server.get(&path).bearer(&token).send().refusal(), refused);
        }
    }
    let listed = server.get("/api/v1/api-keys").bearer(&token).send();
    assert_eq!(listed.json.as_array().unwrap().len(), 1);
}

#[test]
fn a_limited_key_neither_sheds_its_limits_nor_makes_keys_without_them() {
    let server = Server::start();
    let token = server.sign_up("limited@example.com");
    let (_, other) = server.make_key(&token, &["full_access"]);
    let other_id = server.get("/api/v1/api-keys").bearer(&token).send().json[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for limit in [
        json!({ "expiresAt": "2099-01-01T00:00:00Z" }),
        json!({ "remaining": 100 }),
        json!({ "rateLimit": { "limit": 100, "windowSeconds": 60 } }),
        json!({ "allowedIps": ["127.0.0.1"] }),
    ] {
        let mut body = json!({ "name": "limited", "scopes": ["full_access"] });
        body.as_object_mut()
            .unwrap()
            .extend(limit.as_object().unwrap().clone());
        let made = server
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(&token)
            .send();
        let (id, key) = (
            made.json["id"].as_str().unwrap(),
            made.json["key"].as_str().unwrap(),
        );
        let refused = (403, "A limited key makes and changes no keys");
        for (method, path, body) in [
            (
                "POST",
                "/api/v1/api-keys".to_owned(),
                json!({ "name": "k", "scopes": ["signals"] }),
            ),
            ("POST", "/v1/api-keys".to_owned(), json!({ "name": "k" })),
            (
                "PATCH",
                format!("/api/v1/api-keys/{id}"),
                json!({ "expiresAt": null, "remaining": null }),
            ),
            (
                "POST",
                format!("/api/v1/api-keys/{other_id}/rotate"),
                json!({}),
            ),
        ] {
            let request = server
                .request(method, &path)
                .header("Content-Type", "application/json");
            let answer = request.body(&body.to_string()).key(key).send();
            assert_eq!(answer.refusal(), refused, "{limit} {method} {path}");
        }
        let (_, rotated) = rotate(&server, key, id, "{}");
        let shown = server
            .get(&format!("/api/v1/api-keys/{id}"))
            .key(&rotated)
            .send();
        assert_eq!(
            shown.status, 200,
            "its own value it may change, and it stays as limited"
        );
        let name = limit.as_object().unwrap().keys().next().unwrap();
        assert!(!shown.json[name].is_null(), "{}", shown.text);
        let listed = server.get("/api/v1/api-keys").key(&rotated).send();
        assert_eq!(listed.status, 200);
    }
    assert_eq!(server.get("/api/auth/me").key(&other).send().status, 200);
}

#[test]
fn a_replaced_value_manages_no_keys_in_its_grace() {
    let server = Server::start();
    let token = server.sign_up("replaced@example.com");
    let (id, old) = server.make_key(&token, &["full_access"]);
    let (_, new) = rotate(&server, &token, &id, r#"{"graceSeconds":600}"#);
    let path = format!("/api/v1/api-keys/{id}");
    for (method, path, body) in [
        ("POST", format!("{path}/rotate"), "{}"),
        ("DELETE", path.clone(), ""),
        ("PATCH", path.clone(), r#"{"name":"mine"}"#),
        (
            "POST",
            "/api/v1/api-keys".to_owned(),
            r#"{"name":"k","scopes":["signals"]}"#,
        ),
        (
            "POST",
            "/api/v1/api-keys/revoke".to_owned(),
            r#"{"all":true}"#,
        ),
    ] {
        let request = server
            .request(method, &path)
            .header("Content-Type", "application/json");
        let answer = request.body(body).key(&old).send();
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
    }
    assert_eq!(
        server.get("/api/auth/me").key(&old).send().status,
        200,
        "it still passes"
    );
    assert_eq!(server.get("/api/auth/me").key(&new).send().status, 200);
}

#[test]
fn the_key_that_asks_for_unused_keys_to_end_is_in_use() {
    let server = Server::start();
    let token = server.sign_up("unused@example.com");
    let (_, asking) = server.make_key(&token, &["full_access"]);
    let (_, idle) = server.make_key(&token, &["signals"]);
    let body = r#"{"unusedSince":"2020-01-01T00:00:00Z"}"#;
    let revoked = server
        .post("/api/v1/api-keys/revoke", body)
        .key(&asking)
        .send();
    assert_eq!(
        (revoked.status, revoked.json),
        (200, json!({ "revoked": 1 }))
    );
    assert_eq!(check(&server, &idle), 401);
    assert_eq!(server.get("/api/auth/me").key(&asking).send().status, 200);
}
