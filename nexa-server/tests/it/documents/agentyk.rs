//! agentyk: accounts, sessions, licences.

use serde_json::{Value, json};

use super::assert_rfc3339;
use crate::harness::{Answer, Request, Server, members};

pub(super) const DOCUMENT: &str = include_str!("../../contracts/agentyk-api.txt");

#[test]
fn agentyk_registers_logs_in_and_says_who_is_calling() {
    let server = Server::start();
    let values =
        json!({ "email": "ada@example.com", "password": "correct horse", "tenantName": "Engines" });
    let body = |route: &str| -> String {
        let fields = agentyk_fields(route, "body:");
        Value::Object(
            fields
                .into_iter()
                .map(|field| (field.clone(), values[&field].clone()))
                .collect(),
        )
        .to_string()
    };
    let registered = server
        .post("/api/auth/register", &body("POST/api/auth/register"))
        .send();
    assert_eq!(registered.status, 201);
    let again = server
        .post("/api/auth/register", &body("POST/api/auth/register"))
        .send();
    assert_eq!(
        (again.status, &again.text),
        (201, &registered.text),
        "a known address answers alike"
    );

    let login = server
        .post("/api/auth/login", &body("POST/api/auth/login"))
        .send();
    assert_eq!(login.status, 200);
    for field in agentyk_fields("POST/api/auth/login", "returns:") {
        assert!(login.json[&field].is_string(), "{field}");
    }
    assert_rfc3339(&login.json["accessExpiresAt"]);
    assert_rfc3339(&login.json["refreshExpiresAt"]);
    assert_eq!(login.json["access_token"], login.json["accessToken"]);
    assert_eq!(
        (&login.json["token_type"], &login.json["expires_in"]),
        (&json!("Bearer"), &json!(1800))
    );
    assert_eq!(login.header("cache-control"), Some("no-store"));

    let me = server
        .get("/api/auth/me")
        .bearer(login.json["accessToken"].as_str().unwrap())
        .send();
    assert_eq!(me.status, 200);
    assert_eq!(me.members(), ["tenant", "user"]);
    assert_eq!(me.json["user"]["email"], "ada@example.com");
    assert_eq!(me.json["user"]["role"], "owner");
    assert_eq!(me.json["tenant"]["name"], "Engines");
}

#[test]
fn agentyk_issues_lists_revokes_and_publishes_a_license() {
    let server = Server::start();
    let token = server.sign_up("license@example.com");
    assert_eq!(
        agentyk_fields("POST/api/licenses/issueaccess", "body:"),
        ["appId", "device", "platform", "name?", "ttlDays?"]
    );
    let body = json!({ "appId": "agentyk-engine", "device": { "fingerprint": "no part of an id", "platform": "linux", "name": "Build box" }, "ttlDays": 60 });
    let issued = server
        .post("/api/licenses/issue", &body.to_string())
        .bearer(&token)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    assert_eq!(
        agentyk_fields("POST/api/licenses/issueaccess", "returns:"),
        ["license", "expiresAt"]
    );
    assert_eq!(issued.members(), ["expiresAt", "license"]);
    let license = issued.json["license"].as_str().unwrap();

    let jwks = server.get("/.well-known/jwks.json").send();
    assert_eq!(jwks.status, 200);
    assert_eq!(jwks.header("access-control-allow-origin"), Some("*"));
    let jwks_path = server.folder.path().join("jwks.json");
    std::fs::write(&jwks_path, &jwks.text).unwrap();
    let feed_path = server.folder.path().join("feed.json");
    let verify = |feed: &Answer| {
        std::fs::write(&feed_path, &feed.text).unwrap();
        let finished = crate::harness::run(
            &[
                "license",
                "verify",
                "-",
                "--json",
                "--audience",
                "agentyk-engine",
                "--fingerprint",
                "no part of an id",
            ]
            .into_iter()
            .chain([
                "--jwks",
                jwks_path.to_str().unwrap(),
                "--issuer",
                &server.url,
            ])
            .chain(["--revocations", feed_path.to_str().unwrap()])
            .collect::<Vec<_>>(),
            license,
        );
        (
            finished.code,
            serde_json::from_str::<Value>(&finished.stdout).unwrap(),
        )
    };
    let feed = server
        .get("/api/licenses/revocations?since=2024-01-01T00:00:00Z")
        .send();
    assert_eq!((feed.status, &feed.json), (200, &json!([])));
    let (code, report) = verify(&feed);
    assert_eq!(
        (code, &report["code"]),
        (Some(0), &json!("valid")),
        "{report}"
    );

    let listed = server.get("/api/licenses").bearer(&token).send();
    assert_eq!(listed.json[0]["jti"], report["jti"]);
    assert_eq!(listed.json[0]["appId"], "agentyk-engine");
    assert_eq!(
        listed.json[0]["device"],
        json!({ "platform": "linux", "name": "Build box" })
    );
    assert!(
        !listed.text.contains(license) && !listed.text.contains("no part of an id"),
        "neither tokens nor fingerprints"
    );

    let path = format!("/api/licenses/{}/revoke", report["jti"].as_str().unwrap());
    for body in [r#"{"reason":"lost"}"#, "{}"] {
        let revoked = server.post(&path, body).bearer(&token).send();
        assert_eq!(
            (revoked.status, &revoked.json),
            (200, &json!({ "success": true }))
        );
    }
    let feed = server.get("/api/licenses/revocations").send();
    assert_eq!(feed.json.as_array().unwrap().len(), 1);
    assert_eq!(
        members(&feed.json[0]),
        ["jti", "revokedAt"],
        "reasons are never public"
    );
    let (code, report) = verify(&feed);
    assert_eq!(
        (code, &report["code"]),
        (Some(1), &json!("revoked")),
        "{report}"
    );
    let since = feed.json[0]["revokedAt"].as_str().unwrap();
    assert_eq!(
        server
            .get(&format!("/api/licenses/revocations?since={since}"))
            .send()
            .json,
        json!([])
    );
}

#[test]
fn agentyk_answers_a_repeated_issue_as_it_answered_the_first() {
    let paragraph = DOCUMENT
        .lines()
        .find(|line| line.contains("Idempotency:"))
        .unwrap();
    for promise in [
        "payments or licenses",
        "Idempotency-Key header",
        "8–200 chars",
        "within 24h replay",
    ] {
        assert!(paragraph.contains(promise), "{promise}");
    }
    let server = Server::start();
    let token = server.sign_up("idempotent@example.com");
    let body = r#"{"appId":"agentyk-engine","device":{"fingerprint":"f","platform":"linux"}}"#;
    let issue = |key: &str| {
        let request = server.post("/api/licenses/issue", body).bearer(&token);
        request.header("Idempotency-Key", key).send()
    };
    for (length, status) in [(7, 400), (8, 201), (200, 201), (201, 400)] {
        let key = "k".repeat(length);
        let (first, second) = (issue(&key), issue(&key));
        assert_eq!(first.status, status, "{length}: {}", first.text);
        assert_eq!(
            (second.status, &second.text),
            (status, &first.text),
            "{length}"
        );
    }
    let listed = server.get("/api/licenses").bearer(&token).send();
    assert_eq!(listed.json.as_array().unwrap().len(), 2);
}

#[test]
fn agentyk_tokens_carry_the_documented_claims() {
    let server = Server::start();
    let token = server.sign_up("claims@example.com");
    let body = r#"{"appId":"agentyk-engine","device":{"fingerprint":"f","platform":"linux"}}"#;
    let issued = server
        .post("/api/licenses/issue", body)
        .bearer(&token)
        .send();
    let inspect = |token: &str| -> Value {
        serde_json::from_str(&crate::harness::run(&["license", "inspect", "-"], token).stdout)
            .unwrap()
    };
    let license = inspect(issued.json["license"].as_str().unwrap());
    let claims = &license["payload"];
    assert_eq!(members(&license["header"]), ["alg", "kid", "typ"]);
    assert_eq!(
        (&claims["iss"], &claims["type"], &claims["aud"]),
        (
            &json!(server.url),
            &json!("license"),
            &json!("agentyk-engine")
        )
    );
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        30 * 86_400
    );
    let access = inspect(&token);
    let claims = &access["payload"];
    assert_eq!(
        (&access["header"]["typ"], &claims["aud"]),
        (&json!("at+jwt"), &json!("api"))
    );
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        30 * 60
    );
    let jwks = server.get("/.well-known/jwks.json").send();
    assert_eq!(
        jwks.json["keys"][0]["kid"], license["header"]["kid"],
        "one key signs both"
    );
    assert_eq!(access["header"]["kid"], license["header"]["kid"]);
}

/// The request that stands in the document under that heading (`POST/api/auth/login`), to be sent: with the fields that it
/// names, out of `values` (those with a `?` only if they are there), and as an access or a licence token what it wants.
pub(super) fn documented<'s>(
    server: &'s Server,
    heading: &str,
    token: &str,
    values: &Value,
) -> Request<'s> {
    let is_below = |line: &&str| {
        line.strip_prefix(heading)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("access") || rest == "license")
    };
    let (place, line) = DOCUMENT
        .lines()
        .enumerate()
        .find(|(_, line)| is_below(line))
        .unwrap_or_else(|| panic!("the document has no {heading}"));
    let (method, path) = heading.split_at(heading.find('/').unwrap());
    let mut request = server.request(method, path);
    if line.len() > heading.len() {
        request = request.bearer(token);
    }
    let next = DOCUMENT.lines().nth(place + 1);
    if next.is_some_and(|next| next.starts_with("body:")) {
        let fields = agentyk_fields(line, "body:").into_iter();
        let body: serde_json::Map<String, Value> = fields
            .filter_map(|field| match field.strip_suffix('?') {
                Some(field) => Some((field.to_owned(), values.get(field)?.clone())),
                None => Some((field.clone(), values[&field].clone())),
            })
            .collect();
        request = request
            .header("Content-Type", "application/json")
            .body(&Value::Object(body).to_string());
    }
    request
}

/// The field names in `body: { a, b?, c: { d } }` after a heading of the agentyk document.
pub(super) fn agentyk_fields(route: &str, what: &str) -> Vec<String> {
    let after = &DOCUMENT[DOCUMENT
        .find(&format!("\n{route}\n"))
        .unwrap_or_else(|| panic!("no {route}"))
        + route.len()
        + 2..];
    let line = after.lines().find(|line| line.starts_with(what)).unwrap();
    let list = line[what.len()..]
        .trim()
        .strip_prefix('{')
        .unwrap()
        .strip_suffix('}')
        .unwrap();
    list.split(',')
        .map(|field| {
            field
                .split([':', '{', '}'])
                .next()
                .unwrap()
                .trim()
                .to_owned()
        })
        .filter(|f| !f.is_empty())
        .collect()
}
