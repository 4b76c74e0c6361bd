//! Nexora: a user's own keys.

use serde_json::{Value, json};

use super::{
    DEAD, OPEN, Shown, assert_key, assert_opens, assert_rfc3339, assert_same_shape, assert_uuid,
    between, json_between,
};
use crate::harness::Server;
use crate::websocket::WebSocket;

const DOCUMENT: &str = include_str!("../../contracts/nexora-authentication.txt");
const PASSWORD: &str = "password of nine";

pub(super) const REPLAYS: [fn(&Server); 5] = [login, keys, use_of_a_key, errors, websocket];

#[test]
fn nexora_logs_in_with_the_documented_request() {
    login(&Server::start());
}

#[test]
fn nexora_creates_lists_rotates_and_revokes_a_key() {
    keys(&Server::start());
}

#[test]
fn nexora_uses_a_key_as_documented() {
    use_of_a_key(&Server::start());
}

#[test]
fn nexora_answers_the_documented_errors() {
    errors(&Server::start());
}

#[test]
fn nexora_opens_a_websocket_with_either_documented_token() {
    websocket(&Server::start());
}

fn websocket(server: &Server) {
    let token = log_in(server, "live@nexora.example");
    let made = server
        .post("/api/users/me/api-keys", r#"{ "name": "CI pipeline" }"#)
        .bearer(&token)
        .send();
    let key = made.json["key"].as_str().unwrap().to_owned();
    let words = DOCUMENT.split_whitespace();
    let documented: Vec<&str> = words
        .filter_map(|word| word.strip_prefix("wss://nexora.example.com"))
        .collect();
    let [by_token, by_key] = documented[..] else {
        panic!("{documented:?}");
    };
    for (target, placeholder, credential) in
        [(by_token, "eyJ...", &token), (by_key, "nxr_...", &key)]
    {
        assert!(target.ends_with(placeholder), "{target}");
        let target = target
            .replace("{chat_id}", "chat-1")
            .replace(placeholder, credential);
        let (_socket, hello) = WebSocket::open(&server.url, &target, &[]);
        assert_eq!(hello["type"], "hello");
        assert_eq!(hello["chat_id"], "chat-1");
    }
}

/// The documented request to log in, with a password that the server takes.
fn log_in(server: &Server, email: &str) -> String {
    let account = json!({ "email": email, "password": PASSWORD, "tenantName": "Nexora" });
    let registered = server
        .post("/api/auth/register", &account.to_string())
        .send();
    assert_eq!(registered.status, 201, "{}", registered.text);
    let login = shown("To obtain a JWT, use the login endpoint:\n\n")
        .with("user@example.com", email)
        .with(r#": "password" }"#, &format!(r#": "{PASSWORD}" }}"#))
        .to(server)
        .send();
    assert_eq!(login.status, 200, "{}", login.text);
    login.json["access_token"].as_str().unwrap().to_owned()
}

/// The request that stands on one line after a mark.
fn shown(mark: &str) -> Shown {
    Shown::http(between(DOCUMENT, mark, "\n"))
}

fn login(server: &Server) {
    let request = shown("To obtain a JWT, use the login endpoint:\n\n");
    let refused = request.to(server).send();
    assert_eq!(refused.refusal(), (401, "Invalid email or password"));
    assert_eq!(refused.json["detail"], "Invalid email or password");
    let token = log_in(server, "user@example.com");
    let me = server.get("/api/auth/me").bearer(&token).send();
    assert_eq!(me.json["user"]["email"], "user@example.com", "{}", me.text);

    for (body, location) in [
        (
            r#"{"email": ["user@example.com"], "password": "x"}"#,
            json!(["body", "email"]),
        ),
        (
            r#"{"email": "user@example.com"}"#,
            json!(["body", "password"]),
        ),
        ("{", json!(["body"])),
    ] {
        let invalid = server.post("/api/auth/login", body).send();
        assert_eq!(
            (invalid.status, &invalid.json["detail"][0]["loc"]),
            (422, &location),
            "{}",
            invalid.text
        );
        assert!(invalid.json["error"].is_string(), "{}", invalid.text);
    }
}

fn keys(server: &Server) {
    let token = log_in(server, "keys@nexora.example.com");
    let list = shown("List keys\n\n");
    let create = shown("Create key\n\n");
    let documented = json_between(DOCUMENT, "Response:\n\n", "\n\nThe full key");

    // The very first key: there is none yet to send.
    let first = create.to(server).bearer(&token).send();
    assert_eq!(first.status, 201, "{}", first.text);
    assert_same_shape(&first.json, &documented);
    let first_key = assert_key(&first.json["key"], "nxr_");

    let created = create.to(server).bearer(first_key).send();
    assert_eq!(created.status, 201, "{}", created.text);
    assert_same_shape(&created.json, &documented);
    assert_uuid(&created.json["id"]);
    assert_eq!(created.json["name"], documented["name"]);
    let key = assert_key(&created.json["key"], "nxr_");
    assert_rfc3339(&created.json["created_at"]);
    assert_eq!(created.json["last_used_at"], Value::Null);
    assert_eq!(created.header("cache-control"), Some("no-store"));

    let listed = list.clone().with("nxr_...", key).to(server).send();
    assert_eq!(listed.status, 200, "{}", listed.text);
    let ids: Vec<&Value> = listed
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["id"])
        .collect();
    assert_eq!(
        ids,
        [&created.json["id"], &first.json["id"]],
        "newest first"
    );
    let mut without_key = documented.clone();
    without_key.as_object_mut().unwrap().remove("key");
    without_key["last_used_at"] = documented["created_at"].clone();
    assert_same_shape(&listed.json[1], &without_key);
    assert_rfc3339(&listed.json[1]["last_used_at"]);
    assert!(!listed.text.contains("nxr_"), "a list never shows a key");

    assert_opens(server, key, OPEN);
    let id = created.json["id"].as_str().unwrap();
    let rotate = shown("Rotate key\n\n").with("{key_id}", id);
    let rotated = rotate.to(server).bearer(key).send();
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(rotated.json["id"], created.json["id"], "the id stays");
    assert_eq!(
        (&rotated.json["name"], &rotated.json["created_at"]),
        (&created.json["name"], &created.json["created_at"])
    );
    assert_eq!(rotated.members(), created.members());
    assert_rfc3339(&rotated.json["last_used_at"]);
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    let new_key = assert_key(&rotated.json["key"], "nxr_");
    assert_ne!(new_key, key);
    assert_opens(server, key, DEAD);
    assert_opens(server, new_key, OPEN);

    let with_grace = rotate
        .to(server)
        .bearer(new_key)
        .header("Content-Type", "application/json")
        .body(r#"{"grace_seconds": 60}"#)
        .send();
    assert_eq!(with_grace.status, 200, "{}", with_grace.text);
    assert_opens(server, new_key, OPEN);
    let newest_key = assert_key(&with_grace.json["key"], "nxr_");
    assert_opens(server, newest_key, OPEN);
    let ended = rotate.to(server).bearer(&token).send();
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert_opens(server, newest_key, DEAD);
    assert_opens(server, new_key, DEAD);
    let last_key = assert_key(&ended.json["key"], "nxr_");
    assert_opens(server, last_key, OPEN);

    let revoke = shown("Revoke key\n\n").with("{key_id}", id);
    let revoked = revoke.to(server).bearer(first_key).send();
    assert_eq!(
        (revoked.status, &revoked.json),
        (200, &json!({ "success": true }))
    );
    assert_opens(server, last_key, DEAD);
    let again = revoke.to(server).bearer(first_key).send();
    assert_eq!(again.refusal(), (404, "API key not found"));
}

fn use_of_a_key(server: &Server) {
    let token = log_in(server, "use@nexora.example.com");
    let created = shown("Create key\n\n").to(server).bearer(&token).send();
    let key = created.json["key"].as_str().unwrap();
    let agents = Shown::curl(between(DOCUMENT, "Example:\n\n", "\nimport"));
    assert_eq!(agents.path, "/api/agents");
    let passed = agents
        .clone()
        .with("nxr_your_api_key_here", key)
        .at_gateway(server)
        .send();
    assert_eq!(passed.status, 200, "{}", passed.text);
    assert_eq!(passed.header("x-nexa-scopes"), Some("full_access"));
    let refused = agents.at_gateway(server).send();
    assert_eq!(refused.refusal(), (401, "Invalid API key"));
}

fn errors(server: &Server) {
    let statuses: Vec<u16> = between(DOCUMENT, "StatusMeaning\n", "\nWebSocket")
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line[..3].parse().unwrap())
        .collect();
    assert_eq!(statuses, [401, 403, 404, 422]);
    let documented = json_between(DOCUMENT, "follow this structure:\n\n", "\nStatus");

    let token = log_in(server, "errors@nexora.example.com");
    let (_, narrow) = server.make_key(&token, &["signals"]);
    let list = shown("List keys\n\n");
    let create = shown("Create key\n\n");
    let missing = "018f0000-0000-7000-8000-000000000000";
    let unknown = shown("Revoke key\n\n").with("{key_id}", missing);
    let unknown_rotation = shown("Rotate key\n\n").with("{key_id}", missing);
    for (request, sentence) in [
        (
            list.clone().anonymous().to(server),
            (401, "Authentication required"),
        ),
        (list.to(server), (401, "Invalid API key")),
        (
            list.clone().with("nxr_...", "eyJ0.eyJ0.c2ln").to(server),
            (401, "Invalid or expired access token"),
        ),
        (
            list.clone().with("nxr_...", &narrow).to(server),
            (403, "API key missing required scope: full_access"),
        ),
        (
            unknown.to(server).bearer(&token),
            (404, "API key not found"),
        ),
        (
            unknown_rotation.to(server).bearer(&token),
            (404, "API key not found"),
        ),
    ] {
        let answer = request.send();
        assert_eq!(answer.refusal(), sentence);
        assert_same_shape(&answer.json["detail"], &documented["detail"]);
        assert_eq!(answer.json["detail"], sentence.1);
    }
    for (body, location, sentence) in [
        ("{}", json!(["body", "name"]), "name: required"),
        (
            r#"{"name": ""}"#,
            json!(["body", "name"]),
            "name: must not be empty",
        ),
        (
            r#"{"name": 5}"#,
            json!(["body", "name"]),
            "name: must be a string",
        ),
        (
            r#"{"name": "k", "expires_at": "2020-01-01T00:00:00Z"}"#,
            json!(["body", "expires_at"]),
            "expires_at: must lie in the future",
        ),
        ("[]", json!(["body"]), "body: must be an object"),
    ] {
        let mut request = create.clone();
        request.body = Some(body.to_owned());
        let answer = request.to(server).bearer(&token).send();
        assert_eq!(answer.refusal(), (422, sentence));
        let item = &answer.json["detail"][0];
        assert_eq!((&item["loc"], &item["msg"]), (&location, &json!(sentence)));
        assert!(item["type"].is_string());
    }
}
