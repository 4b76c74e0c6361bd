//! Replays of the published documents: requests are cut out of their text, answers compared with it.

use serde_json::{Value, json};

use crate::harness::{Answer, Request, Server, members};

const NEXGENT: &str = include_str!("../contracts/nexgent-api-keys.txt");
const AGENTYK: &str = include_str!("../contracts/agentyk-api.txt");
const NEXORA: &str = include_str!("../contracts/nexora-authentication.txt");

/// The text between two marks, without them.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text
        .find(from)
        .unwrap_or_else(|| panic!("the document has no {from:?}"))
        + from.len();
    let length = text[start..]
        .find(to)
        .unwrap_or_else(|| panic!("the document has no {to:?} after {from:?}"));
    &text[start..start + length]
}

/// Sends a request that the document shows as HTTP: a request line, headers, a body.
fn replay<'s>(server: &'s Server, shown: &str, token: &str) -> Request<'s> {
    let mut lines = shown.trim().lines();
    let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = server.request(method, path);
    let mut body = String::new();
    for line in lines {
        match line.split_once(": ") {
            Some((name, value)) if body.is_empty() && !line.trim_start().starts_with('{') => {
                request = request.header(name, &value.replace("<jwt_access_token>", token));
            }
            _ => body.push_str(line),
        }
    }
    if body.is_empty() {
        request
    } else {
        request.body(&body)
    }
}

/// Asserts that two values have the same members and kinds, whatever their strings say.
fn assert_same_shape(answered: &Value, documented: &Value) {
    match (answered, documented) {
        (Value::Object(_), Value::Object(expected)) => {
            assert_eq!(members(answered), members(documented));
            for (name, value) in expected {
                assert_same_shape(&answered[name], value);
            }
        }
        (Value::Array(answered), Value::Array(expected)) => {
            for item in answered {
                assert_same_shape(item, &expected[0]);
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(answered),
            std::mem::discriminant(documented),
            "{answered} against {documented}"
        ),
    }
}

#[test]
fn nexgent_creates_lists_and_deletes_a_key() {
    let server = Server::start();
    let token = server.sign_up("nexgent@example.com");

    let shown = between(NEXGENT, "Create API Key\n", "Response:");
    let created = replay(&server, shown, &token).send();
    let documented: Value =
        serde_json::from_str(between(NEXGENT, "[\"signals\"]\n}Response:\n", "🚫")).unwrap();
    assert_eq!(created.status, 201);
    assert_same_shape(&created.json, &documented);
    assert_eq!(created.json["name"], documented["name"]);
    assert_eq!(created.json["scopes"], documented["scopes"]);
    let key = created.json["key"].as_str().unwrap();
    assert_eq!(
        key.len(),
        documented["key"].as_str().unwrap().len(),
        "nex_ and 32 characters"
    );
    assert_eq!(&key[..8], created.json["prefix"].as_str().unwrap());
    assert_rfc3339(&created.json["createdAt"]);
    assert_eq!(created.header("cache-control"), Some("no-store"));

    let listed = replay(
        &server,
        between(NEXGENT, "List API Keys\n", "Response:"),
        &token,
    )
    .send();
    let shown = between(
        NEXGENT,
        "GET /api/v1/api-keys\nAuthorization: Bearer <jwt_access_token>Response:\n",
        "Delete API Key",
    );
    let documented: Value = serde_json::from_str(shown).unwrap();
    assert_eq!(listed.status, 200);
    assert_eq!(
        listed.json[0]["lastUsedAt"],
        Value::Null,
        "it was never used"
    );
    let used = authorize(&server, "GET", "/api/v1/trading-signals")
        .key(key)
        .send();
    assert_eq!(used.status, 200, "{}", used.text);
    let listed = replay(
        &server,
        between(NEXGENT, "List API Keys\n", "Response:"),
        &token,
    )
    .send();
    assert_same_shape(&listed.json, &documented);
    assert_eq!(listed.json.as_array().unwrap().len(), 1);
    assert!(!listed.text.contains(key), "a list never shows a key");

    let shown = between(NEXGENT, "Delete API Key\n", "Response:")
        .replace(":id", created.json["id"].as_str().unwrap());
    let deleted = replay(&server, &shown, &token).send();
    let documented: Value = serde_json::from_str(between(
        NEXGENT,
        "DELETE /api/v1/api-keys/:id\nAuthorization: Bearer <jwt_access_token>Response:\n",
        "Security\n",
    ))
    .unwrap();
    assert_eq!((deleted.status, &deleted.json), (200, &documented));
    let again = replay(&server, &shown, &token).send();
    assert_eq!(again.refusal(), (404, "API key not found"));
}

/// Asks as nginx does.
fn authorize<'s>(server: &'s Server, method: &str, uri: &str) -> Request<'s> {
    server
        .get("/api/authorize")
        .header("X-Original-Method", method)
        .header("X-Original-URI", uri)
}

/// A documented curl line, as a gateway would ask about it: method, path, headers.
fn documented_curl<'s>(server: &'s Server, text: &str, key: Option<&str>) -> Request<'s> {
    const PLACEHOLDER: &str = "nex_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6";
    let method = text.split("-X ").nth(1).unwrap().split(' ').next().unwrap();
    let url = text
        .split("https://your-instance.com")
        .nth(1)
        .unwrap()
        .split([' ', '\\'])
        .next()
        .unwrap();
    let mut request = authorize(server, method, url.trim());
    for header in text.split("-H \"").skip(1) {
        let (name, value) = header.split('"').next().unwrap().split_once(": ").unwrap();
        if let Some(key) = key.filter(|_| value.contains(PLACEHOLDER)) {
            request = request.header(name, &value.replace(PLACEHOLDER, key));
        }
    }
    request
}

#[test]
fn nexgent_uses_a_key_in_either_header_and_gets_the_documented_errors() {
    let server = Server::start();
    let token = server.sign_up("signals@example.com");
    let (_, signals) = server.make_key(&token, &["signals"]);
    let (_, agents) = server.make_key(&token, &["agents"]);
    let errors: Vec<&str> = NEXGENT
        .split("| Status | Error | Cause |\n|---|---|---|\n")
        .nth(1)
        .unwrap()
        .lines()
        .collect();
    let row = |index: usize| -> (u16, &str) {
        let mut cells = errors[index].split('|').map(str::trim).skip(1);
        (
            cells.next().unwrap().parse().unwrap(),
            cells.next().unwrap(),
        )
    };

    for shown in [
        between(
            NEXGENT,
            "X-API-Key Header (Recommended)\n",
            "Bearer Token Format",
        ),
        between(
            NEXGENT,
            "API keys also work as Bearer tokens:\n",
            "Scopes\n",
        ),
    ] {
        let passed = documented_curl(&server, shown, Some(&signals)).send();
        assert_eq!(passed.status, 200, "{}", passed.text);
        assert_eq!(passed.header("x-nexa-scopes"), Some("signals"));
        for name in ["x-nexa-tenant", "x-nexa-user", "x-nexa-key"] {
            assert_eq!(
                passed.header(name).map(str::len),
                Some(36),
                "{name} is a UUID"
            );
        }

        let missing = documented_curl(&server, shown, None).send();
        assert_eq!(missing.refusal(), row(0));
        assert!(missing.header("www-authenticate").is_some());
        let documented_key =
            documented_curl(&server, shown, Some("nex_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6")).send();
        assert_eq!(documented_key.refusal(), row(1));
        let unscoped = documented_curl(&server, shown, Some(&agents)).send();
        assert_eq!(unscoped.refusal(), row(2));
        assert_eq!(unscoped.header("x-nexa-error"), Some(row(2).1));
    }
}

#[test]
fn nexgent_maps_each_scope_to_its_endpoints() {
    let server = Server::start_with(&[]);
    let token = server.sign_up("scopes@example.com");
    let table = between(
        NEXGENT,
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
            let answer = authorize(&server, method, path).key(&key).send();
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
        let unmapped = authorize(&server, "DELETE", "/api/v1/trading-signals")
            .key(&key)
            .send();
        assert_eq!(
            unmapped.refusal(),
            (403, "No rule covers DELETE /api/v1/trading-signals")
        );
    }
}

/// The field names in `body: { a, b?, c: { d } }` after a heading of the agentyk document.
fn agentyk_fields(route: &str, what: &str) -> Vec<String> {
    let after = &AGENTYK[AGENTYK
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
fn nexora_logs_in_with_the_documented_request() {
    let server = Server::start();
    server
        .post(
            "/api/auth/register",
            r#"{"email":"user@example.com","password":"password of nine","tenantName":"N"}"#,
        )
        .send();
    let shown = between(
        NEXORA,
        "POST /api/auth/login Content-Type: application/json ",
        "\n",
    );
    let refused = server.post("/api/auth/login", shown).send();
    assert_eq!(refused.refusal(), (401, "Invalid email or password"));
    assert_eq!(refused.json["detail"], "Invalid email or password");
    let login = server
        .post(
            "/api/auth/login",
            &shown.replace(r#": "password" }"#, r#": "password of nine" }"#),
        )
        .send();
    assert_eq!(login.status, 200, "{}", login.text);
    assert!(login.json["access_token"].is_string());

    let invalid = server
        .post(
            "/api/auth/login",
            r#"{"email": ["user@example.com"], "password": "x"}"#,
        )
        .send();
    assert_eq!(invalid.status, 422);
    assert_eq!(invalid.json["detail"][0]["loc"], json!(["body", "email"]));
    let broken = server.post("/api/auth/login", "{").send();
    assert_eq!(
        (broken.status, &broken.json["detail"][0]["loc"]),
        (422, &json!(["body"]))
    );
    assert!(
        invalid.json["error"].as_str().unwrap().starts_with("email"),
        "{}",
        invalid.text
    );
}

#[test]
fn agentyk_issues_lists_revokes_and_publishes_a_license() {
    let server = Server::start();
    let token = server.sign_up("license@example.com");
    assert_eq!(
        agentyk_fields("POST/api/licenses/issueaccess", "body:"),
        ["appId", "device", "platform", "name?", "ttlDays?"]
    );
    let body = json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f-1", "platform": "linux", "name": "Build box" }, "ttlDays": 60 });
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
                "f-1",
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
        !listed.text.contains(license) && !listed.text.contains("f-1"),
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

fn assert_rfc3339(value: &Value) {
    let text = value.as_str().unwrap();
    assert!(
        text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.',
        "{text}"
    );
}
