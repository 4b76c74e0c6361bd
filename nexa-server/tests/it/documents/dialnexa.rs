//! DialNexa: keys of a workspace.

use serde_json::{Value, json};

use super::{
    DEAD, OPEN, Shown, assert_key, assert_opens, assert_rfc3339, assert_same_shape, between,
    json_between,
};
use crate::harness::{Answer, Server, members};

const DOCUMENT: &str = include_str!("../../contracts/dialnexa-create-key.txt");

pub(super) const REPLAYS: [fn(&Server); 4] = [creation, refusals, expired_at_once, playbook];

#[test]
fn dialnexa_creates_a_key_with_either_documented_request() {
    creation(&Server::start());
}

#[test]
fn dialnexa_refuses_as_documented() {
    refusals(&Server::start());
}

#[test]
fn dialnexa_makes_keys_that_have_already_expired() {
    expired_at_once(&Server::start());
}

#[test]
fn dialnexa_rotates_by_its_playbook() {
    playbook(&Server::start());
}

/// The request in the summary of the page, with `expire_now`.
fn long_request() -> Shown {
    Shown::curl(between(DOCUMENT, "Create an API key\n", "\n{\n  \"id\""))
}

fn short_request() -> Shown {
    Shown::curl(between(DOCUMENT, "Request\n\n", "\n\nResponse"))
}

fn issue(server: &Server, credential: &str) -> Answer {
    let issued = short_request()
        .with("YOUR_API_KEY", credential)
        .to(server)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    issued
}

/// `key_` and base32 of 16 bytes.
fn assert_id(value: &Value) {
    let digits = value.as_str().unwrap().strip_prefix("key_").unwrap();
    assert_eq!(digits.len(), 26);
    assert!(
        digits
            .bytes()
            .all(|digit| matches!(digit, b'a'..=b'z' | b'2'..=b'7')),
        "{digits}"
    );
}

fn creation(server: &Server) {
    let token = server.sign_up("creation@dialnexa.example.com");
    let by_session = long_request().with("<token>", &token).to(server).send();
    let documented = json_between(DOCUMENT, "}\n'\n", "Generates a new");
    assert_eq!(by_session.status, 201, "{}", by_session.text);
    assert_same_shape(&by_session.json, &documented);
    assert_eq!(by_session.json["name"], documented["name"]);
    let secret = assert_key(&by_session.json["secret"], "sk_live_");

    let by_key = issue(server, secret);
    let documented = json_between(DOCUMENT, "Response\n\n", "\nThe secret field");
    assert_same_shape(&by_key.json, &documented);
    assert_eq!(by_key.json["name"], documented["name"]);
    assert_id(&by_key.json["id"]);
    assert_rfc3339(&by_key.json["created_at"]);
    assert_eq!(by_key.header("cache-control"), Some("no-store"));
    let secret = assert_key(&by_key.json["secret"], "sk_live_");
    let prefix = "sk_live_";
    assert!(documented["secret"].as_str().unwrap().starts_with(prefix));
    assert!(documented["id"].as_str().unwrap().starts_with("key_"));

    let used = Shown::curl(between(DOCUMENT, "on every API request:\n", "\n\nBody"));
    assert_eq!(used.path, "/v1/agents2");
    let passed = used
        .clone()
        .with("YOUR_API_KEY", secret)
        .at_gateway(server)
        .send();
    assert_eq!(passed.status, 200, "{}", passed.text);
    assert_eq!(
        passed.header("x-nexa-scopes"),
        Some("full_access"),
        "what its maker may do"
    );
    assert_eq!(used.at_gateway(server).send().refusal(), DEAD);
    assert_opens(server, secret, OPEN);
}

fn refusals(server: &Server) {
    let documented = between(DOCUMENT, "Errors\n\n", "\n\nRequest");
    assert!(
        documented.contains("400 Bad Request is returned when the name field is missing or empty")
    );
    assert!(
        documented.contains("403 Forbidden is returned when the caller does not have permission")
    );
    let token = server.sign_up("refusals@dialnexa.example.com");
    let (_, narrow) = server.make_key(&token, &["signals"]);
    for (body, sentence) in [
        ("{}", "name: required"),
        (r#"{"expire_now": true}"#, "name: required"),
        (r#"{"name": ""}"#, "name: must not be empty"),
        (r#"{"name": "  "}"#, "name: must not be empty"),
        (r#"{"name": null}"#, "name: must be a string"),
        (
            r#"{"name": "k", "expire_now": "yes"}"#,
            "expire_now: must be a boolean",
        ),
        (
            r#"{"name": "k", "expire_now": true, "expires_at": "2100-01-01T00:00:00Z"}"#,
            "expire_now: must not be true beside expires_at",
        ),
        (
            r#"{"name": "k", "expires_at": "2020-01-01T00:00:00Z"}"#,
            "expires_at: must lie in the future",
        ),
    ] {
        let mut request = short_request().with("YOUR_API_KEY", &token);
        request.body = Some(body.to_owned());
        assert_eq!(
            request.to(server).send().refusal(),
            (400, sentence),
            "{body}"
        );
    }
    let forbidden = short_request()
        .with("YOUR_API_KEY", &narrow)
        .to(server)
        .send();
    assert_eq!(
        forbidden.refusal(),
        (403, "API key missing required scope: full_access")
    );
    assert_eq!(short_request().to(server).send().refusal(), DEAD);
    let anonymous = short_request().anonymous().to(server).send();
    assert_eq!(anonymous.refusal(), (401, "API key required"));
    let listed = server.get("/v1/api-keys").bearer(&token).send();
    assert_eq!(
        listed.json.as_array().unwrap().len(),
        1,
        "nothing was made: {}",
        listed.text
    );
}

fn expired_at_once(server: &Server) {
    let token = server.sign_up("expired@dialnexa.example.com");
    let born_dead = long_request()
        .with("<token>", &token)
        .with("\"expire_now\": false", "\"expire_now\": true")
        .to(server)
        .send();
    assert_eq!(born_dead.status, 201, "{}", born_dead.text);
    assert_eq!(born_dead.members(), ["created_at", "id", "name", "secret"]);
    assert_opens(server, born_dead.json["secret"].as_str().unwrap(), DEAD);
    let listed = server.get("/v1/api-keys").bearer(&token).send();
    assert_eq!(
        members(&listed.json[0]),
        ["created_at", "expires_at", "id", "last_used_at", "name"]
    );
    assert_eq!(listed.json[0]["expires_at"], born_dead.json["created_at"]);
    assert_eq!(
        listed.json[0]["last_used_at"],
        Value::Null,
        "a refusal is no use"
    );
}

/// Issue a new key, deploy it, see in `last_used_at` that it is in use, revoke the old one.
fn playbook(server: &Server) {
    assert!(DOCUMENT.contains("verify traffic on the new key through List API Keys"));
    let token = server.sign_up("playbook@dialnexa.example.com");
    let old = issue(server, &token);
    let old_secret = old.json["secret"].as_str().unwrap();
    let deployed = |secret: &str| {
        let used = Shown::curl(between(DOCUMENT, "on every API request:\n", "\n\nBody"));
        used.with("YOUR_API_KEY", secret)
            .at_gateway(server)
            .send()
            .status
    };
    assert_eq!(deployed(old_secret), 200);

    let new = issue(server, old_secret);
    let new_secret = new.json["secret"].as_str().unwrap();
    let list = || server.get("/v1/api-keys").bearer(&token).send();
    let listed = list();
    assert_eq!(listed.status, 200, "{}", listed.text);
    assert_eq!(listed.json[0]["id"], new.json["id"], "newest first");
    assert_eq!(
        listed.json[0]["last_used_at"],
        Value::Null,
        "not deployed yet"
    );
    assert_eq!(listed.json[1]["id"], old.json["id"]);
    assert_rfc3339(&listed.json[1]["last_used_at"]);
    assert!(
        !listed.text.contains("sk_live_"),
        "a list never shows a key"
    );

    assert_eq!(deployed(new_secret), 200);
    let listed = list();
    assert_rfc3339(&listed.json[0]["last_used_at"]);
    assert_eq!(
        members(&listed.json[0]),
        ["created_at", "id", "last_used_at", "name"]
    );

    assert_opens(server, old_secret, OPEN);
    let path = format!("/v1/api-keys/{}", old.json["id"].as_str().unwrap());
    let revoke = || server.delete(&path).bearer(new_secret).send();
    let revoked = revoke();
    assert_eq!(
        (revoked.status, &revoked.json),
        (200, &json!({ "success": true }))
    );
    assert_opens(server, old_secret, DEAD);
    assert_eq!(deployed(old_secret), 401);
    assert_opens(server, new_secret, OPEN);
    assert_eq!(revoke().refusal(), (404, "API key not found"));
    assert_eq!(list().json.as_array().unwrap().len(), 1);
}
