//! `/api/v1/api-keys/verify`

use serde_json::{Value, json};

use crate::harness::{Answer, Server, members};

fn verify(server: &Server, credential: &str, body: &Value) -> Answer {
    let answer = server
        .post("/api/v1/api-keys/verify", &body.to_string())
        .bearer(credential)
        .send();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

fn make(server: &Server, token: &str, body: &Value) -> Value {
    let made = server
        .post("/api/v1/api-keys", &body.to_string())
        .bearer(token)
        .send();
    assert_eq!(made.status, 201, "{}", made.text);
    made.json
}

#[test]
fn a_verdict_has_every_member_and_one_of_the_codes() {
    let server = Server::start();
    let token = server.sign_up("verdict@example.com");
    let me = server.get("/api/auth/me").bearer(&token).send().json;
    let made = make(
        &server,
        &token,
        &json!({
            "name": "backend", "scopes": ["signals", "agents"], "remaining": 5,
            "rateLimit": { "limit": 3, "windowSeconds": 60 }, "expiresAt": "2099-01-01T00:00:00.000Z",
        }),
    );
    let verdict = verify(
        &server,
        &server.operator_key(),
        &json!({ "key": made["key"], "scopes": ["signals"], "cost": 2 }),
    );
    assert_eq!(verdict.header("cache-control"), Some("no-store"));
    let expected = json!({
        "valid": true, "code": "valid", "keyId": made["id"], "name": "backend", "tenantId": me["tenant"]["id"],
        "ownerId": me["user"]["id"], "scopes": ["agents", "signals"], "expiresAt": "2099-01-01T00:00:00.000Z", "remaining": 3,
        "rateLimit": { "limit": 3, "windowSeconds": 60, "remaining": 2, "resetSeconds": 60 },
    });
    assert_eq!(verdict.json, expected);

    let unknown = verify(&server, &token, &json!({ "key": "nex_unknown" })).json;
    assert_eq!(members(&unknown), members(&expected));
    assert_eq!(
        (unknown["valid"].as_bool(), unknown["code"].as_str()),
        (Some(false), Some("not_found"))
    );

    let code = |body: Value| {
        verify(&server, &token, &body).json["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        code(json!({ "key": made["key"], "scopes": ["signals", "balances"] })),
        "insufficient_scope"
    );
    assert_eq!(
        code(json!({ "key": made["key"], "environment": "test" })),
        "wrong_environment"
    );
    assert_eq!(
        code(json!({ "key": made["key"], "environment": "any", "cost": 4 })),
        "used_up"
    );
    assert_eq!(code(json!({ "key": made["key"], "cost": 0 })), "valid");
    assert_eq!(
        code(json!({ "key": made["key"], "cost": 0 })),
        "valid",
        "what was used up was not counted as a call"
    );
    assert_eq!(code(json!({ "key": made["key"] })), "rate_limited");
    let limited = verify(&server, &token, &json!({ "key": made["key"] })).json;
    assert_eq!(
        (
            limited["remaining"].as_u64(),
            limited["rateLimit"]["remaining"].as_u64()
        ),
        (Some(3), Some(0))
    );

    let bound = make(
        &server,
        &token,
        &json!({ "name": "b", "scopes": ["signals"], "allowedIps": ["203.0.113.0/24"] }),
    );
    assert_eq!(code(json!({ "key": bound["key"] })), "address_not_allowed");
    assert_eq!(
        code(json!({ "key": bound["key"], "address": "203.0.113.9" })),
        "valid"
    );
    assert_eq!(
        code(json!({ "key": bound["key"], "address": "203.0.114.9" })),
        "address_not_allowed"
    );

    let path = format!("/api/v1/api-keys/{}", bound["id"].as_str().unwrap());
    let patch = server
        .request("PATCH", &path)
        .header("Content-Type", "application/json");
    assert_eq!(
        patch
            .body(r#"{"enabled":false}"#)
            .bearer(&token)
            .send()
            .status,
        200
    );
    assert_eq!(code(json!({ "key": bound["key"] })), "disabled");
    let ended = server
        .post("/v1/api-keys", r#"{"name":"e","expire_now":true}"#)
        .bearer(&token)
        .send();
    assert_eq!(ended.status, 201, "{}", ended.text);
    assert_eq!(code(json!({ "key": ended.json["secret"] })), "expired");
    let owner = me["user"]["id"].as_str().unwrap();
    let patch = server.request("PATCH", &format!("/api/operator/users/{owner}"));
    let patch = patch
        .header("Content-Type", "application/json")
        .body(r#"{"enabled":false}"#);
    assert_eq!(patch.bearer(&server.operator_key()).send().status, 200);
    let verdict = verify(
        &server,
        &server.operator_key(),
        &json!({ "key": made["key"] }),
    );
    assert_eq!(verdict.json["code"], "owner_disabled");
}

#[test]
fn a_key_of_another_tenant_is_not_found() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let (_, key) = server.make_key(&a, &["signals"]);
    let (_, full) = server.make_key(&b, &["full_access"]);
    let unknown = verify(&server, &b, &json!({ "key": "nex_nobodys" })).json;
    for credential in [&b, &full] {
        for _ in 0..2 {
            assert_eq!(
                verify(&server, credential, &json!({ "key": key })).json,
                unknown
            );
        }
    }
    assert_eq!(
        verify(&server, &a, &json!({ "key": key })).json["code"],
        "valid"
    );
    let (_, narrow) = server.make_key(&a, &["signals"]);
    let question = json!({ "key": key }).to_string();
    let ask = |credential: &str| {
        server
            .post("/api/v1/api-keys/verify", &question)
            .key(credential)
            .send()
    };
    assert_eq!(
        ask(&narrow).status,
        403,
        "a key without full_access asks nothing"
    );
    assert_eq!(ask("nex_nobodys").status, 401);
    assert_eq!(
        server
            .post("/api/v1/api-keys/verify", &question)
            .send()
            .status,
        401
    );
}

#[test]
fn up_to_a_hundred_keys_are_checked_in_one_question() {
    let server = Server::start();
    let token = server.sign_up("batch@example.com");
    let made = make(
        &server,
        &token,
        &json!({ "name": "n", "scopes": ["signals"], "remaining": 3 }),
    );
    let (_, other) = server.make_key(&token, &["agents"]);
    let mut questions: Vec<Value> = (0..4).map(|_| json!({ "key": made["key"] })).collect();
    questions.extend([
        json!({ "key": other, "scopes": ["signals"] }),
        json!({ "key": other }),
        json!({ "key": "x" }),
    ]);
    let answer = verify(&server, &token, &Value::from(questions)).json;
    let pairs: Vec<_> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| {
            (
                verdict["code"].as_str().unwrap(),
                verdict["remaining"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        pairs[..3],
        [("valid", Some(2)), ("valid", Some(1)), ("valid", Some(0))]
    );
    assert_eq!(pairs[3], ("used_up", Some(0)));
    assert_eq!(
        pairs[4..],
        [
            ("insufficient_scope", None),
            ("valid", None),
            ("not_found", None)
        ]
    );

    assert_eq!(verify(&server, &token, &json!([])).json, json!([]));
    let many = |count: usize| Value::from(vec![json!({ "key": "x" }); count]);
    assert_eq!(
        verify(&server, &token, &many(100))
            .json
            .as_array()
            .unwrap()
            .len(),
        100
    );
    for (body, sentence) in [
        (many(101), "body: at most 100 keys"),
        (
            json!([{ "key": "x" }, { "key": 1 }]),
            "[1].key: must be a string",
        ),
        (
            json!([{ "key": "x" }, { "key": "x", "scopes": ["A B"] }]),
            "[1].scopes: ",
        ),
        (
            json!([{ "key": "x" }, { "key": "x" }, { "key": "x", "address": "here" }]),
            "[2].address: must be an IP address",
        ),
        (json!({}), "key: required"),
        (json!({ "key": "x", "cost": -1 }), "cost: must be"),
        (json!({ "key": "x", "scopes": ["A B"] }), "scopes: "),
        (
            json!({ "key": "x", "address": "here" }),
            "address: must be an IP address",
        ),
        (json!("key"), "body: must be"),
    ] {
        let refused = server
            .post("/api/v1/api-keys/verify", &body.to_string())
            .bearer(&token)
            .send();
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
        assert!(
            refused.refusal().1.starts_with(sentence),
            "{body}: {}",
            refused.text
        );
    }
}
