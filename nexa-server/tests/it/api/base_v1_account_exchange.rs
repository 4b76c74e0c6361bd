//! `/v1/account/token`: the token-exchange grant, with a real issuer and a real server.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Answer, Server, run};
use crate::issuer::{self, Issuer, SigningKey};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const AUDIENCE: &str = "https://nexa.example";

/// A server with a tenant that trusts the subjects of a repository, and a session of the tenant's owner.
fn server(keys: &str, issuer: &str) -> (Server, String) {
    let mut first = Server::start();
    let session = first.sign_up("a@example.com");
    let me = first.get("/api/auth/me").bearer(&session).send();
    let tenant = me.json["tenant"]["id"].as_str().unwrap().to_owned();
    assert_eq!(first.stop("-TERM"), Some(0));
    let folder = std::mem::replace(&mut first.folder, tempfile::tempdir().unwrap());
    let file = folder.path().join("nexa.toml");
    let text = format!(
        "public_url = {:?}
scopes = [\"signals\", \"agents\"]

[[trusted_issuers]]
issuer = {issuer:?}
audience = {AUDIENCE:?}
{keys}

[[trusted_issuers.subjects]]
pattern = \"repo:acme/app:environment:release\"
tenant = {tenant:?}
scopes = [\"full_access\"]

[[trusted_issuers.subjects]]
pattern = \"repo:acme/app:*\"
tenant = {tenant:?}
scopes = [\"signals\"]
",
        first.url
    );
    std::fs::write(&file, text).unwrap();
    let arguments = ["--config", file.to_str().unwrap()];
    let server = Server::start_on(folder, &arguments);
    (server, session)
}

fn claims(issuer: &str, subject: &str) -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    json!({
        "iss": issuer, "sub": subject, "aud": AUDIENCE,
        "iat": now - 5, "nbf": now - 5, "exp": now + 300,
    })
}

/// As a CI job sends it: a form.
fn exchange(server: &Server, token: &str, more: &str) -> Answer {
    let escaped = |text: &str| text.replace(':', "%3A");
    let body = format!(
        "grant_type={}&subject_token_type={}&subject_token={token}{more}",
        escaped(GRANT),
        escaped(JWT)
    );
    server
        .request("POST", "/v1/account/token")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(&body)
        .send()
}

fn error(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.members(), ["error", "error_description"]);
    (answer.status, answer.json["error"].as_str().unwrap())
}

#[test]
fn a_job_gets_a_short_token_without_a_secret_of_ours() {
    let (rsa, p256) = (SigningKey::rsa("r"), SigningKey::p256("p"));
    let issuer = Issuer::start(&[&rsa, &p256]);
    let (server, session) = server(&format!("jwks_url = \"{}/keys\"", issuer.url), &issuer.url);
    for key in [&rsa, &p256] {
        let identity = key.token(&claims(&issuer.url, "repo:acme/app:environment:release"));
        let answer = exchange(&server, &identity, "");
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let members = [
            "access_token",
            "expires_in",
            "issued_token_type",
            "scope",
            "token_type",
        ];
        assert_eq!(answer.members(), members);
        let lasts_s = answer.json["expires_in"].as_u64().unwrap();
        assert!((250..=300).contains(&lasts_s), "{lasts_s}");
        let token = answer.json["access_token"].as_str().unwrap();
        let me = server.get("/api/auth/me").bearer(token).send();
        assert_eq!(me.status, 200, "{}", me.text);
    }

    let narrow = p256.token(&claims(&issuer.url, "repo:acme/app:ref:refs/heads/main"));
    let answer = exchange(&server, &narrow, "&scope=signals");
    assert_eq!(answer.json["scope"], "signals", "{}", answer.text);
    let token = answer.json["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/api/auth/me").bearer(&token).send().status, 403);
    let at = |path: &str| {
        let form = server.request("POST", path).bearer(&session);
        form.header("Content-Type", "application/x-www-form-urlencoded")
            .body(&format!("token={token}"))
            .send()
    };
    let state = at("/api/oauth/introspect");
    assert_eq!(
        (&state.json["active"], &state.json["scope"]),
        (&json!(true), &json!("signals"))
    );
    assert_eq!(
        error(&at("/api/oauth/revoke")),
        (400, "unsupported_token_type")
    );

    let stranger = SigningKey::rsa("unknown").token(&claims(&issuer.url, "repo:acme/app:x"));
    assert_eq!(
        error(&exchange(&server, &stranger, "")),
        (400, "invalid_request")
    );
    let forged = SigningKey::other_rsa("r").token(&claims(&issuer.url, "repo:acme/app:x"));
    assert_eq!(
        error(&exchange(&server, &forged, "")),
        (400, "invalid_request")
    );
    assert_eq!(issuer.asked(), 1);
    let log = server.stderr();
    assert!(log.contains("identity token refused"), "{log}");
    assert!(
        log.contains("kid \"unknown\" is no key of the issuer"),
        "{log}"
    );
    assert!(log.contains("the signature is not the key's"), "{log}");
    for token in [narrow, stranger, forged] {
        assert!(!log.contains(token.rsplit('.').next().unwrap()));
    }
}

#[test]
fn an_issuer_that_is_down_is_503_and_the_rest_goes_on() {
    let key = SigningKey::p256("p");
    let issuer = Issuer::start(&[&key]);
    issuer.answer(issuer::Answer::Body(500, String::new()));
    let (server, session) = server(&format!("jwks_url = \"{}/keys\"", issuer.url), &issuer.url);
    let identity = key.token(&claims(&issuer.url, "repo:acme/app:x"));
    for _ in 0..3 {
        let answer = exchange(&server, &identity, "");
        assert_eq!(error(&answer), (503, "temporarily_unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(issuer.asked(), 1);
    assert_eq!(
        server.get("/api/auth/me").bearer(&session).send().status,
        200
    );
}

#[test]
fn an_issuer_that_hangs_holds_nobody_else_up() {
    let key = SigningKey::p256("p");
    let issuer = Issuer::start(&[&key]);
    issuer.answer(issuer::Answer::Nothing);
    let (server, session) = server(&format!("jwks_url = \"{}/keys\"", issuer.url), &issuer.url);
    let identity = key.token(&claims(&issuer.url, "repo:acme/app:x"));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| exchange(&server, &identity, ""));
        issuer.wait_for_one();
        assert_eq!(
            server.get("/api/auth/me").bearer(&session).send().status,
            200
        );
        issuer.hang_up();
        assert_eq!(
            error(&waiting.join().unwrap()),
            (503, "temporarily_unavailable")
        );
    });
}

#[test]
fn keys_may_stand_in_a_file_which_has_to_be_there() {
    let key = SigningKey::rsa("r");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let set = json!({ "keys": [key.jwk()] }).to_string();
    std::fs::write(&file, set).unwrap();
    let (server, _) = server(&format!("jwks_file = {file:?}"), "https://ci.example");
    let identity = key.token(&claims("https://ci.example", "repo:acme/app:x"));
    let answer = exchange(&server, &identity, "");
    assert_eq!(
        (answer.status, &answer.json["scope"]),
        (200, &json!("signals")),
        "{}",
        answer.text
    );

    let config = server.folder.path().join("nexa.toml");
    let check = || run(&["check-config", "--config", config.to_str().unwrap()], "");
    let good = check();
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    std::fs::remove_file(&file).unwrap();
    let refused = check();
    assert_ne!(refused.code, Some(0));
    assert!(
        refused
            .stderr
            .contains("trusted_issuers: \"https://ci.example\": jwks_file"),
        "{}",
        refused.stderr
    );
}
