//! `/api/users/me/api-keys`

use serde_json::json;

use crate::harness::Server;

#[test]
fn only_a_key_of_the_tenant_is_given_another_value() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let (id, key) = server.make_key(&a, &["signals"]);
    let rotate = |id: &str, token: &str| {
        let path = format!("/api/users/me/api-keys/{id}/rotate");
        server.request("POST", &path).bearer(token).send()
    };
    let missing = rotate("018f0000-0000-7000-8000-000000000000", &b);
    assert_eq!(missing.refusal(), (404, "API key not found"));
    assert_eq!(rotate(&id, &b).text, missing.text);
    let alive = || {
        server
            .get("/api/authorize?scope=signals")
            .key(&key)
            .send()
            .status
    };
    assert_eq!(alive(), 200);

    let rotated = rotate(&id, &a);
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(alive(), 401);
    let new = rotated.json["key"].as_str().unwrap();
    assert!(
        new.starts_with("nex_"),
        "it keeps the format it was made in"
    );
    let passed = server.get("/api/authorize?scope=signals").key(new).send();
    assert_eq!(
        passed.header("x-nexa-scopes"),
        Some("signals"),
        "and its scopes"
    );
}

#[test]
fn bad_rotations_name_the_field() {
    let server = Server::start();
    let token = server.sign_up("rotate@example.com");
    let (id, _) = server.make_key(&token, &["signals"]);
    let path = format!("/api/users/me/api-keys/{id}/rotate");
    for (body, location, sentence) in [
        (
            r#"{"grace_seconds": 2592001}"#,
            json!(["body", "grace_seconds"]),
            "grace_seconds: at most 2592000 (30 days)",
        ),
        (
            r#"{"grace_seconds": -1}"#,
            json!(["body", "grace_seconds"]),
            "grace_seconds: must be a whole number from 0 to 4294967295",
        ),
        (
            r#"{"grace_seconds": "1"}"#,
            json!(["body", "grace_seconds"]),
            "grace_seconds: must be a whole number from 0 to 4294967295",
        ),
    ] {
        let refused = server.post(&path, body).bearer(&token).send();
        assert_eq!(refused.refusal(), (422, sentence), "{body}");
        assert_eq!(refused.json["detail"][0]["loc"], location);
    }
    let ignored = server
        .post(&path, r#"{"graceSeconds": 60}"#)
        .bearer(&token)
        .send();
    assert_eq!(
        ignored.status, 200,
        "another casing is another field: {}",
        ignored.text
    );
}
