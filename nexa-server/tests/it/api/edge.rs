//! What holds for every route: methods, bodies, media types, CORS, start and stop.

use serde_json::json;

use crate::harness::Server;

#[test]
fn wrong_paths_methods_and_bodies_get_the_one_error_body() {
    let server = Server::start();
    let token = server.sign_up("edge@example.com");
    let post = |body: &str| server.post("/api/v1/api-keys", body).bearer(&token);
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    let deep = format!(
        r#"{{"name":"k","x":{}1{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    for (answer, status, code) in [
        (server.get("/nope").send(), 404, "not_found"),
        (
            server.get("/api/v1/api-keys/").bearer(&token).send(),
            404,
            "not_found",
        ),
        (
            server
                .request("PUT", "/api/v1/api-keys")
                .bearer(&token)
                .send(),
            405,
            "method_not_allowed",
        ),
        (post(&large).send(), 413, "body_too_large"),
        (post(r#"{"name":"k"} x"#).send(), 400, "invalid_body"),
        (
            post(r#"{"name":"k","name":"l"}"#).send(),
            400,
            "invalid_body",
        ),
        (post(&deep).send(), 400, "invalid_body"),
        (post("").send(), 400, "invalid_body"),
        (
            server
                .request("POST", "/api/v1/api-keys")
                .bearer(&token)
                .header("Content-Type", "text/plain")
                .body("{}")
                .send(),
            415,
            "unsupported_media_type",
        ),
    ] {
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (status, Some(code)),
            "{}",
            answer.text
        );
        assert_eq!(
            answer.members(),
            ["code", "detail", "error", "status", "title", "type"]
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
        }
    }
    let problem = server
        .get("/nope")
        .header("Accept", "application/problem+json")
        .send();
    assert_eq!(
        problem.header("content-type"),
        Some("application/problem+json")
    );
}

#[test]
fn pages_of_configured_origins_may_call_and_all_may_read_what_is_public() {
    let server = Server::configured("cors_origins = [\"https://app.example.com\"]\n");
    let allowed = |request: crate::harness::Request<'_>, origin: &str| {
        request
            .header("Origin", origin)
            .send()
            .header("access-control-allow-origin")
            .map(str::to_owned)
    };
    let (ours, other) = ("https://app.example.com", "https://evil.example.com");
    for path in [
        "/.well-known/jwks.json",
        "/openapi.json",
        "/api/licenses/revocations",
    ] {
        assert_eq!(
            allowed(server.get(path), other).as_deref(),
            Some("*"),
            "{path}"
        );
    }
    assert_eq!(
        allowed(server.get("/api/auth/me"), ours).as_deref(),
        Some(ours)
    );
    assert_eq!(allowed(server.get("/api/auth/me"), other), None);
    let exposed = |origin: &str| {
        let answer = server
            .get("/api/v1/api-keys")
            .header("Origin", origin)
            .send();
        answer
            .header("access-control-expose-headers")
            .map(str::to_owned)
    };
    assert_eq!(
        exposed(ours).as_deref(),
        Some(
            "link, retry-after, ratelimit, ratelimit-policy, www-authenticate, idempotency-replayed, x-request-id"
        )
    );
    assert_eq!(exposed(other), None);
    let preflight = |origin: &str| {
        server
            .request("OPTIONS", "/api/v1/api-keys")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .send()
    };
    assert_eq!(preflight(ours).status, 204);
    assert_eq!(
        preflight(ours).header("access-control-allow-headers"),
        Some("authorization, content-type, x-api-key, idempotency-key")
    );
    assert_eq!(preflight(other).status, 405);
    assert_eq!(
        allowed(server.get("/nope"), ours).as_deref(),
        Some(ours),
        "a page may read refusals too"
    );
    let large = server
        .post("/api/auth/register", &" ".repeat(70_000))
        .header("Origin", ours)
        .send();
    assert_eq!(
        (large.status, large.header("access-control-allow-origin")),
        (413, Some(ours))
    );
    let gateway = server.post("/api/authorize", &" ".repeat(70_000)).send();
    assert_eq!(
        gateway.header("x-nexa-error"),
        gateway.json["error"].as_str()
    );
}

#[test]
fn the_server_says_that_it_is_well_and_stops_when_it_is_told() {
    let mut server = Server::start();
    let health = server.get("/healthz").send();
    assert_eq!(
        (health.status, &health.json),
        (200, &json!({ "success": true }))
    );
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
fn secrets_stand_nowhere_on_disk() {
    let mut server = Server::start_with(&["--log", "trace"]);
    let token = server.sign_up("disk@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let body = r#"{"appId":"agentyk-engine","device":{"fingerprint":"very-unique-fingerprint","platform":"linux"}}"#;
    let license = server
        .post("/api/licenses/issue", body)
        .bearer(&token)
        .send();
    let login = server
        .post(
            "/api/auth/login",
            r#"{"email":"disk@example.com","password":"correct horse"}"#,
        )
        .send();
    let agent = server
        .post("/v1/account/register", r#"{"name":"Agent"}"#)
        .send();
    let text = |field: &str| agent.json[field].as_str().unwrap().to_owned();
    let (agent_key, agent_secret) = (text("api_key"), text("api_secret"));
    let grant = json!({
        "grant_type": "client_credentials", "client_id": agent_key, "client_secret": agent_secret,
    });
    let agent_token = server.post("/v1/account/token", &grant.to_string()).send();
    let rotated = server
        .request("POST", "/v1/account/rotate-secret")
        .key(&agent_key)
        .send();
    // What is refused is somebody's secret too: mistyped, expired, meant for another server.
    let refused_key = "nex_refused0refused0refused0refused0";
    let forged = {
        let (signed, _) = token.rsplit_once('.').unwrap();
        format!("{signed}.{}", "forged0".repeat(12) + "AA")
    };
    let refused = [
        server.get("/api/authorize?scope=signals").key(refused_key),
        server
            .get("/api/authorize?scope=signals")
            .bearer(refused_key),
        server.get("/api/auth/me").bearer(&forged),
        server.post("/v1/account/token", &grant.to_string()),
        server.post(
            "/v1/account/token",
            r#"{"grant_type":"client_credentials","client_id":"nex_third0credential","client_secret":["misplaced secret"]}"#,
        ),
        server.get("/api/auth/me").key(&forged),
        server
            .get("/api/auth/me")
            .bearer(&token)
            .key("nex_second0credential"),
        server.post(
            "/api/auth/login",
            r#"{"email":"disk@example.com","password":"wrong staple"}"#,
        ),
        server.post(
            "/api/auth/login",
            r#"{"email":"nobody@example.com","password":"nobodys staple"}"#,
        ),
        server.post(
            "/api/auth/login",
            r#"{"email":"disk@example.com","password":["misplaced staple"]}"#,
        ),
        server.post(
            "/api/auth/login",
            r#"{"email":"disk@example.com","password":"cut-off staple"#,
        ),
    ];
    for request in refused {
        let answer = request.send();
        assert!((400..500).contains(&answer.status), "{}", answer.text);
    }
    let operator = server.operator_key();
    let backup = server.folder.path().join("data/copy.db");
    let made = crate::harness::run(
        &[
            "backup",
            backup.to_str().unwrap(),
            "--data",
            server.data().to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    let secrets = [
        &key,
        &token,
        &operator,
        "correct horse",
        "very-unique-fingerprint",
        license.json["license"].as_str().unwrap(),
        login.json["refreshToken"].as_str().unwrap(),
        refused_key,
        &forged,
        "forged0forged0",
        "nex_second0credential",
        &agent_key,
        &agent_secret,
        agent_token.json["access_token"].as_str().unwrap(),
        rotated.json["api_secret"].as_str().unwrap(),
        "nex_third0credential",
        "misplaced secret",
        "wrong staple",
        "nobodys staple",
        "misplaced staple",
        "cut-off staple",
    ];
    let scan = |server: &Server| {
        let log = server.stderr().replacen(&operator, "", 2);
        assert!(
            log.contains("TRACE") || log.contains("DEBUG"),
            "requests leave their traces: {log}"
        );
        for entry in std::fs::read_dir(server.data()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for secret in secrets {
                let is_found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!is_found, "{secret} stands in {}", path.display());
            }
        }
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} stands in the log");
        }
    };
    scan(&server);
    assert_eq!(server.stop("-TERM"), Some(0));
    scan(&server);
}
