//! Nexgent: scoped keys.

use serde_json::Value;

use super::{
    DEAD, OPEN, Shown, assert_key, assert_opens, assert_rfc3339, assert_same_shape, assert_uuid,
    authorize, between, json_between,
};
use crate::harness::Server;

const DOCUMENT: &str = include_str!("../../contracts/nexgent-api-keys.txt");

pub(super) const REPLAYS: [fn(&Server); 4] = [keys, lifetime, use_of_a_key, scopes];

#[test]
fn nexgent_creates_lists_and_deletes_a_key() {
    keys(&Server::start());
}

#[test]
fn nexgent_keys_last_until_they_are_deleted() {
    lifetime(&Server::start());
}

#[test]
fn nexgent_uses_a_key_in_either_header_and_gets_the_documented_errors() {
    use_of_a_key(&Server::start());
}

#[test]
fn nexgent_maps_each_scope_to_its_endpoints() {
    scopes(&Server::start());
}

/// The request that stands between a heading and its answer.
fn shown(heading: &str, token: &str) -> Shown {
    Shown::http(between(DOCUMENT, heading, "Response:")).with("<jwt_access_token>", token)
}

fn keys(server: &Server) {
    let token = server.sign_up("keys@nexgent.example.com");

    let created = shown("Create API Key\n", &token).to(server).send();
    let documented = json_between(DOCUMENT, "[\"signals\"]\n}Response:\n", "🚫");
    assert_eq!(created.status, 201);
    assert_same_shape(&created.json, &documented);
    assert_uuid(&created.json["id"]);
    assert_eq!(created.json["name"], documented["name"]);
    assert_eq!(created.json["scopes"], documented["scopes"]);
    let key = assert_key(&created.json["key"], "nex_");
    assert_eq!(
        key.len(),
        documented["key"].as_str().unwrap().len(),
        "nex_ and 32 characters"
    );
    assert_eq!(&key[..8], created.json["prefix"].as_str().unwrap());
    assert_rfc3339(&created.json["createdAt"]);
    assert_eq!(created.header("cache-control"), Some("no-store"));

    let list = || shown("List API Keys\n", &token).to(server).send();
    let listed = list();
    assert_eq!(listed.status, 200);
    assert_eq!(
        listed.json[0]["lastUsedAt"],
        Value::Null,
        "it was never used"
    );
    let used = authorize(server, "GET", "/api/v1/trading-signals")
        .key(key)
        .send();
    assert_eq!(used.status, 200, "{}", used.text);
    let listed = list();
    let documented = json_between(
        DOCUMENT,
        "GET /api/v1/api-keys\nAuthorization: Bearer <jwt_access_token>Response:\n",
        "Delete API Key",
    );
    assert_same_shape(&listed.json, &documented);
    assert_eq!(listed.json.as_array().unwrap().len(), 1);
    assert!(!listed.text.contains(key), "a list never shows a key");

    let delete =
        shown("Delete API Key\n", &token).with(":id", created.json["id"].as_str().unwrap());
    let deleted = delete.to(server).send();
    let documented = json_between(
        DOCUMENT,
        "DELETE /api/v1/api-keys/:id\nAuthorization: Bearer <jwt_access_token>Response:\n",
        "Security\n",
    );
    assert_eq!((deleted.status, &deleted.json), (200, &documented));
    assert_opens(server, key, DEAD);
    let again = delete.to(server).send();
    assert_eq!(again.refusal(), (404, "API key not found"));
}

/// Until it is deleted, by either carrier, on the routes of every document; another value kills the one before.
fn lifetime(server: &Server) {
    let token = server.sign_up("lifetime@nexgent.example.com");
    let created = shown("Create API Key\n", &token)
        .with("[\"signals\"]", "[\"full_access\"]")
        .to(server)
        .send();
    assert!(
        !created.text.contains("expires"),
        "it never does: {}",
        created.text
    );
    let key = assert_key(&created.json["key"], "nex_");
    assert_opens(server, key, OPEN);
    let path = format!("/api/v1/api-keys/{}", created.json["id"].as_str().unwrap());
    let rotated = server
        .request("POST", &format!("{path}/rotate"))
        .bearer(key)
        .send();
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(rotated.json["id"], created.json["id"], "the id stays");
    assert_opens(server, key, DEAD);
    let key = assert_key(&rotated.json["key"], "nex_");
    assert_opens(server, key, OPEN);
    assert_eq!(
        server.delete(&path).key(key).send().status,
        200,
        "its own end"
    );
    assert_opens(server, key, DEAD);
}

fn use_of_a_key(server: &Server) {
    const PLACEHOLDER: &str = "nex_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6";
    let token = server.sign_up("use@nexgent.example.com");
    let (_, signals) = server.make_key(&token, &["signals"]);
    let (_, agents) = server.make_key(&token, &["agents"]);
    let table = between(DOCUMENT, "| Status | Error | Cause |\n", "Key lacks");
    let errors: Vec<(u16, &str)> = table
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            (
                cells.next().unwrap().parse().unwrap(),
                cells.next().unwrap(),
            )
        })
        .collect();
    let [missing, invalid, unscoped] = errors[..] else {
        panic!("three documented errors, not {errors:?}");
    };

    for heading in [
        "X-API-Key Header (Recommended)\n",
        "API keys also work as Bearer tokens:\n",
    ] {
        let shown = Shown::curl(between(DOCUMENT, heading, "Scop"));
        let with = |key: &str| {
            shown
                .clone()
                .with(PLACEHOLDER, key)
                .at_gateway(server)
                .send()
        };
        let passed = with(&signals);
        assert_eq!(passed.status, 200, "{}", passed.text);
        assert_eq!(passed.header("x-nexa-scopes"), Some("signals"));
        for name in ["x-nexa-tenant", "x-nexa-user", "x-nexa-key"] {
            assert_eq!(
                passed.header(name).map(str::len),
                Some(36),
                "{name} is a UUID"
            );
        }

        let anonymous = shown.clone().anonymous().at_gateway(server).send();
        assert_eq!(anonymous.refusal(), missing);
        assert!(anonymous.header("www-authenticate").is_some());
        assert_eq!(shown.at_gateway(server).send().refusal(), invalid);
        let refused = with(&agents);
        assert_eq!(refused.refusal(), unscoped);
        assert_eq!(refused.header("x-nexa-error"), Some(unscoped.1));
    }
}

fn scopes(server: &Server) {
    let token = server.sign_up("scopes@nexgent.example.com");
    let table = between(
        DOCUMENT,
        "| Scope | Description | Endpoints |\n|---|---|---|\n",
        "\nUse Full Access",
    );
    let rows: Vec<(&str, &str)> = table
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[0], cells[2])
        })
        .collect();
    let endpoints: Vec<(&str, String, String)> = rows
        .iter()
        .filter(|(_, endpoints)| *endpoints != "All endpoints")
        .flat_map(|(scope, endpoints)| {
            let (methods, path) = endpoints.split_once(' ').unwrap();
            methods
                .split('/')
                .map(move |method| (*scope, method.to_owned(), format!("/api/v1{path}")))
        })
        .collect();
    assert_eq!(
        endpoints.len(),
        7,
        "six scopes, one of them with two methods"
    );
    for (held, _) in &rows {
        let (_, key) = server.make_key(&token, &[held]);
        for (needed, method, path) in &endpoints {
            let answer = authorize(server, method, path).key(&key).send();
            if held == needed || *held == "full_access" {
                assert_eq!(answer.status, 200, "{held} on {method} {path}");
            } else {
                assert_eq!(
                    answer.refusal(),
                    (
                        403,
                        format!("API key missing required scope: {needed}").as_str()
                    )
                );
            }
        }
        let unmapped = authorize(server, "DELETE", "/api/v1/trading-signals")
            .key(&key)
            .send();
        assert_eq!(
            unmapped.refusal(),
            (403, "No rule covers DELETE /api/v1/trading-signals")
        );
    }
}
