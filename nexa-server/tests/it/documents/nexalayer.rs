//! NexaLayer's accounts of agents: every curl line of the document, sent as it stands there.

use serde_json::Value;

use super::shown::Shown;
use super::{assert_key, assert_rfc3339, assert_uuid, between};
use crate::harness::{Server, members};

/// The whole document, each part for a server that others use too.
pub(super) const REPLAYS: [fn(&Server); 2] = [
    registers_reads_changes_and_rotates,
    kills_the_tokens_of_the_old_secret,
];

const NEXALAYER: &str = include_str!("../../contracts/nexalayer-accounts.txt");

/// The five commands of the document: register with a code, register without one, info, update, rotate.
fn commands() -> [Shown; 5] {
    let starts = NEXALAYER.match_indices("\ncurl ");
    let commands: Vec<Shown> = starts
        .map(|(at, _)| Shown::curl(&NEXALAYER[at + 1..]))
        .collect();
    commands
        .try_into()
        .expect("the document shows five commands")
}

/// The documented fields of an answer.
fn response_fields() -> Vec<&'static str> {
    let table = between(NEXALAYER, "FieldDescription\n", "\nGet account info");
    let mut names: Vec<&str> = table
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(char::is_uppercase).next().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn nexalayer_registers_reads_changes_and_rotates() {
    registers_reads_changes_and_rotates(&Server::start());
}

fn registers_reads_changes_and_rotates(server: &Server) {
    let [with_code, without_code, info, update, rotate] = commands();
    let own = |shown: &Shown, key: &str| shown.clone().with("<api_key>", key).to(server).send();

    let referred = with_code.to(server).send();
    assert_eq!(referred.status, 201, "{}", referred.text);
    assert_eq!(
        response_fields(),
        ["api_key", "api_secret", "referral", "trial"]
    );
    assert_eq!(referred.members(), response_fields());
    assert_eq!(members(&referred.json["referral"]), ["agent", "code"]);
    assert_eq!(referred.json["referral"]["code"], "0345");
    assert_eq!(referred.json["referral"]["agent"], "partnerAgent");
    assert_eq!(referred.header("cache-control"), Some("no-store"));
    let trial = &referred.json["trial"];
    assert_eq!(members(trial), ["balance", "currency", "expires_at"]);
    assert!(
        referred
            .text
            .contains("\"balance\":5.0,\"currency\":\"EUR\"")
    );
    assert_rfc3339(&trial["expires_at"]);
    assert_key(&referred.json["api_key"], "nex_");
    assert_key(&referred.json["api_secret"], "nxs_");

    assert!(NEXALAYER.contains("in some environments, the path may be /v1/auth/register"));
    let alias = without_code
        .clone()
        .with("/v1/account/register", "/v1/auth/register");
    for shown in [&without_code, &alias] {
        let registered = shown.to(server).send();
        assert_eq!(registered.status, 201, "{}", registered.text);
        assert_eq!(registered.members(), ["api_key", "api_secret", "trial"]);
    }

    let agent = without_code.to(server).send();
    let key = agent.json["api_key"].as_str().unwrap();
    let shown = own(&info, key);
    assert_eq!(shown.status, 200, "{}", shown.text);
    insta::assert_json_snapshot!("nexalayer_account_info", shown.json, {
        ".id" => "[uuid]",
        ".created_at" => "[time]",
        ".trial.expires_at" => "[time]",
    });
    assert_uuid(&shown.json["id"]);
    assert_rfc3339(&shown.json["created_at"]);
    assert_eq!(shown.json["trial"], agent.json["trial"]);

    let updated = own(&update, key);
    assert_eq!(updated.status, 200, "{}", updated.text);
    assert_eq!(updated.json["name"], "Updated Agent Name");
    assert_eq!(
        updated.json["webhook_url"],
        "https://new-server.com/webhook"
    );
    assert_eq!(
        updated.json["contact_email"], "agent@example.com",
        "a merge"
    );
    assert_eq!(own(&info, key).json, updated.json);

    let rotated = own(&rotate, key);
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(rotated.members(), ["api_secret"]);
    assert_ne!(rotated.json["api_secret"], agent.json["api_secret"]);
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    assert_eq!(own(&info, key).status, 200, "the key stays");
}

#[test]
fn nexalayer_refuses_an_unknown_code_and_keeps_its_lengths() {
    let server = Server::start();
    let [with_code, ..] = commands();
    assert!(NEXALAYER.contains("An invalid referral code will return a 400 error"));
    let refused = with_code.with("0345", "0346").to(&server).send();
    assert_eq!(refused.refusal(), (400, "referral_code: unknown code"));

    let rows = between(
        NEXALAYER,
        "FieldTypeRequiredDescription\n",
        "\nResponse fields",
    );
    assert!(rows.contains("namestringYesAgent name (2–100 chars)."));
    assert!(rows.contains("descriptionstringNoDescription (max 500 chars)."));
    for (field, length, status) in [
        ("name", 1, 400),
        ("name", 2, 201),
        ("name", 100, 201),
        ("name", 101, 400),
        ("description", 500, 201),
        ("description", 501, 400),
    ] {
        let mut body: Value = serde_json::json!({ "name": "My Agent" });
        body[field] = "é".repeat(length).into();
        let answer = server
            .post("/v1/account/register", &body.to_string())
            .send();
        assert_eq!(
            answer.status, status,
            "{field} of {length}: {}",
            answer.text
        );
    }
}

#[test]
fn nexalayer_kills_the_tokens_of_the_old_secret() {
    kills_the_tokens_of_the_old_secret(&Server::start());
}

fn kills_the_tokens_of_the_old_secret(server: &Server) {
    let [with_code, .., rotate] = commands();
    assert!(
        NEXALAYER.contains("any existing JWT obtained with the old secret will be invalid; use the new secret to obtain a new token")
    );
    let agent = with_code.to(server).send();
    let key = agent.json["api_key"].as_str().unwrap();
    let token = |secret: &Value| {
        let body = serde_json::json!({
            "grant_type": "client_credentials", "client_id": key, "client_secret": secret,
        });
        server.post("/v1/account/token", &body.to_string()).send()
    };
    let old = token(&agent.json["api_secret"]);
    assert_eq!(old.status, 200, "{}", old.text);
    let old_token = old.json["access_token"].as_str().unwrap();
    let with_token = |token: &str| server.get("/v1/account/info").bearer(token).send().status;
    assert_eq!(with_token(old_token), 200);
    let rotated = rotate.with("<api_key>", key).to(server).send();
    assert_eq!(with_token(old_token), 401, "from the moment of the answer");
    assert_eq!(token(&agent.json["api_secret"]).status, 401);
    let new = token(&rotated.json["api_secret"]);
    assert_eq!(with_token(new.json["access_token"].as_str().unwrap()), 200);
    assert_eq!(server.get("/v1/account/info").key(key).send().status, 200);
}
