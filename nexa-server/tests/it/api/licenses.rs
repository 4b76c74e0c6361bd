//! `/api/licenses/*`

use serde_json::json;

use crate::harness::Server;

#[test]
fn bad_licenses_name_the_field_and_the_rule() {
    let server = Server::start();
    let token = server.sign_up("bad@example.com");
    let device = json!({ "fingerprint": "f", "platform": "linux" });
    for (body, sentence) in [
        (json!({ "device": device }), "appId: required"),
        (
            json!({ "appId": "nope", "device": device }),
            "appId: is not an app of this server",
        ),
        (json!({ "appId": "agentyk-engine" }), "device: required"),
        (
            json!({ "appId": "agentyk-engine", "device": { "platform": "linux" } }),
            "device.fingerprint: required, unless there are device.components",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": { "fingerprint": 7, "platform": "linux" } }),
            "device.fingerprint: must be a string",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": { "fingerprint": "", "platform": "linux" } }),
            "device.fingerprint: must be 1 to 512 bytes long",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f".repeat(513), "platform": "linux" } }),
            "device.fingerprint: must be 1 to 512 bytes long",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": device, "ttlDays": 29 }),
            "ttlDays: must be 30 to 90 for the app \"agentyk-engine\"",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": device, "ttlDays": 91 }),
            "ttlDays: must be 30 to 90 for the app \"agentyk-engine\"",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": device, "ttlDays": -1 }),
            "ttlDays: must be a whole number from 0 to 4294967295",
        ),
        (
            json!({ "appId": "agentyk-engine", "device": device, "ttlDays": 30.5 }),
            "ttlDays: must be a whole number from 0 to 4294967295",
        ),
    ] {
        let answer = server
            .post("/api/licenses/issue", &body.to_string())
            .bearer(&token)
            .send();
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert_eq!(answer.json["error"], sentence);
    }
    assert_eq!(
        server.get("/api/licenses").bearer(&token).send().json,
        json!([]),
        "nothing was kept"
    );
}

#[test]
fn another_tenants_license_answers_as_a_missing_one() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let body = r#"{"appId":"agentyk-engine","device":{"fingerprint":"f","platform":"linux"}}"#;
    assert_eq!(
        server
            .post("/api/licenses/issue", body)
            .bearer(&a)
            .send()
            .status,
        201
    );
    let jti = server.get("/api/licenses").bearer(&a).send().json[0]["jti"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        server.get("/api/licenses").bearer(&b).send().json,
        json!([])
    );
    let foreign = server
        .post(&format!("/api/licenses/{jti}/revoke"), "{}")
        .bearer(&b)
        .send();
    let missing = server
        .post("/api/licenses/nope/revoke", "{}")
        .bearer(&b)
        .send();
    assert_eq!((foreign.status, &foreign.text), (404, &missing.text));
    assert_eq!(
        server.get("/api/licenses/revocations").send().json,
        json!([])
    );
}

#[test]
fn revocations_are_stamped_in_strict_order() {
    let server = Server::start();
    let token = server.sign_up("order@example.com");
    let body = r#"{"appId":"agentyk-engine","device":{"fingerprint":"f","platform":"linux"}}"#;
    for _ in 0..12 {
        assert_eq!(
            server
                .post("/api/licenses/issue", body)
                .bearer(&token)
                .send()
                .status,
            201
        );
    }
    let listed = server.get("/api/licenses").bearer(&token).send();
    let jtis: Vec<&str> = listed
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|license| license["jti"].as_str().unwrap())
        .collect();
    std::thread::scope(|scope| {
        for jti in &jtis {
            let (server, token) = (&server, &token);
            scope.spawn(move || {
                // Without a body too: the reason is optional.
                let request = server.request("POST", &format!("/api/licenses/{jti}/revoke"));
                assert_eq!(request.bearer(token).send().status, 200);
            });
        }
    });
    let feed = server.get("/api/licenses/revocations").send();
    let stamps: Vec<&str> = feed
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["revokedAt"].as_str().unwrap())
        .collect();
    assert_eq!(stamps.len(), 12);
    assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    let rest = server
        .get(&format!("/api/licenses/revocations?since={}", stamps[5]))
        .send();
    assert_eq!(rest.json.as_array().unwrap().len(), 6);
    let bad = server
        .get("/api/licenses/revocations?since=yesterday")
        .send();
    assert_eq!(bad.refusal(), (400, "since: must be an RFC 3339 timestamp"));
}

#[test]
fn a_plus_sign_in_since_is_escaped() {
    let server = Server::start();
    let since = |offset: &str| {
        server
            .get(&format!(
                "/api/licenses/revocations?since=2024-01-15T11:30:00{offset}"
            ))
            .send()
    };
    assert_eq!(since("%2B02:00").status, 200);
    assert_eq!(since("Z").status, 200);
    let refused = since("+02:00");
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("%2B"), "{}", refused.text);
}
