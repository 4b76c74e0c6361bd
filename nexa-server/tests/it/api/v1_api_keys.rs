//! `/api/v1/api-keys`

use serde_json::json;

use crate::harness::Server;

#[test]
fn bad_keys_name_the_field_and_the_rule() {
    let server = Server::start();
    let token = server.sign_up("keys@example.com");
    for (body, sentence) in [
        (json!({ "scopes": ["signals"] }), "name: required"),
        (json!({ "name": "k" }), "scopes: required"),
        (
            json!({ "name": "k", "scopes": [] }),
            "scopes: must not be empty; full_access covers all",
        ),
        (
            json!({ "name": "", "scopes": ["signals"] }),
            "name: must not be empty",
        ),
        (
            json!({ "name": null, "scopes": ["signals"] }),
            "name: must be a string",
        ),
        (
            json!({ "name": "k", "scopes": "signals" }),
            "scopes: must be an array",
        ),
        (
            json!({ "name": "k", "scopes": [1] }),
            "scopes[0]: must be a string",
        ),
        (
            json!({ "name": "k", "scopes": ["signals"], "expiresAt": "2020-01-01T00:00:00Z" }),
            "expiresAt: must lie in the future",
        ),
        (
            json!({ "name": "k", "scopes": ["signals"], "expiresAt": "soon" }),
            "expiresAt: must be an RFC 3339 timestamp",
        ),
    ] {
        let answer = server
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(&token)
            .send();
        assert_eq!(answer.refusal(), (400, sentence));
    }
    let answer = server
        .post(
            "/api/v1/api-keys",
            r#"{"name":"k","scopes":["signals","admin"]}"#,
        )
        .bearer(&token)
        .send();
    assert_eq!(answer.status, 400);
    assert!(
        answer.json["error"]
            .as_str()
            .unwrap()
            .starts_with("scopes: unknown scope admin"),
        "{}",
        answer.text
    );
}

#[test]
fn ids_of_others_in_the_body_change_nothing() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let me = server.get("/api/auth/me").bearer(&b).send();
    let body = json!({ "name": "k", "scopes": ["signals"], "tenantId": me.json["tenant"]["id"], "userId": me.json["user"]["id"], "tenant_id": me.json["tenant"]["id"] });
    let made = server
        .post("/api/v1/api-keys?tenantId=x&userId=y", &body.to_string())
        .bearer(&a)
        .header("X-Tenant-Id", "z")
        .send();
    assert_eq!(made.status, 201);
    assert_eq!(
        server.get("/api/v1/api-keys").bearer(&b).send().json,
        json!([])
    );
    assert_eq!(
        server.get("/api/v1/api-keys").bearer(&a).send().json[0]["id"],
        made.json["id"]
    );
}

#[test]
fn another_tenants_key_answers_as_a_missing_one() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let (id, key) = server.make_key(&a, &["signals"]);
    let foreign = server
        .delete(&format!("/api/v1/api-keys/{id}"))
        .bearer(&b)
        .send();
    let missing = server
        .delete("/api/v1/api-keys/018f0000-0000-7000-8000-000000000000")
        .bearer(&b)
        .send();
    assert_eq!((foreign.status, &foreign.text), (404, &missing.text));
    let alive = server.get("/api/authorize?scope=signals").key(&key).send();
    assert_eq!(alive.status, 200);
}

#[test]
fn a_key_manages_keys_only_with_full_access() {
    let server = Server::start();
    let token = server.sign_up("full@example.com");
    let (_, signals) = server.make_key(&token, &["signals"]);
    let (_, full) = server.make_key(&token, &["full_access"]);
    for request in [
        server.get("/api/v1/api-keys"),
        server.post("/api/v1/api-keys", r#"{"name":"x","scopes":["signals"]}"#),
    ] {
        assert_eq!(
            request.key(&signals).send().refusal(),
            (403, "API key missing required scope: full_access")
        );
    }
    let made = server
        .post(
            "/api/v1/api-keys",
            r#"{"name":"by key","scopes":["signals"]}"#,
        )
        .bearer(&full)
        .send();
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(
        server
            .get("/api/v1/api-keys")
            .key(&full)
            .send()
            .json
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_missing_or_wrong_credential_is_401_on_every_carrier() {
    let server = Server::start();
    let token = server.sign_up("carriers@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let list = || server.get("/api/v1/api-keys");
    assert_eq!(list().send().refusal(), (401, "API key required"));
    assert_eq!(
        list()
            .header("Authorization", "Basic eDp5")
            .send()
            .refusal(),
        (401, "API key required")
    );
    assert_eq!(
        list().header("X_API_Key", &key).send().refusal(),
        (401, "API key required")
    );
    assert_eq!(
        server
            .get(&format!("/api/v1/api-keys?token={key}&api_key={key}"))
            .send()
            .refusal(),
        (401, "API key required")
    );
    let (swapped, tail) = (key.to_uppercase(), &key[..key.len() - 1]);
    for variant in [
        &swapped,
        tail,
        &format!("{key}A"),
        &format!("{key}="),
        "nex_",
    ] {
        assert_eq!(
            list().key(variant).send().refusal(),
            (401, "Invalid API key"),
            "{variant}"
        );
        assert_eq!(
            list().bearer(variant).send().refusal(),
            (401, "Invalid API key"),
            "{variant}"
        );
    }
    let two = list().key(&key).bearer(&token).send();
    assert_eq!(two.status, 400);
    assert_eq!(two.json["code"], "two_credentials");
    assert_eq!(
        list().key(&key).bearer(&key).send().status,
        200,
        "the same credential twice is one"
    );
    let last = if token.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    assert_eq!(
        list().bearer(&forged).send().refusal(),
        (401, "Invalid or expired access token")
    );
}

#[test]
fn a_key_expires_when_it_said_it_would() {
    let server = Server::start();
    let token = server.sign_up("expiry@example.com");
    let now = jiff::Timestamp::now();
    let soon = now + jiff::SignedDuration::from_millis(1500);
    let body = json!({ "name": "short", "scopes": ["signals"], "expiresAt": soon.to_string() });
    let made = server
        .post("/api/v1/api-keys", &body.to_string())
        .bearer(&token)
        .send();
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.json["key"].as_str().unwrap();
    let check = || {
        server
            .get("/api/authorize?scope=signals")
            .key(key)
            .send()
            .status
    };
    let mut last = check();
    while last == 200 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        last = check();
    }
    assert_eq!(last, 401, "warm in the cache, and expired all the same");
    assert!(jiff::Timestamp::now() >= soon, "not before its time");
}
