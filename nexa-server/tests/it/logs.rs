//! The log: an id for every request, a line for each that is asked for, and no secret in any of them.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::harness::{Answer, Server, members};

/// A configuration whose proxies are on this machine.
fn behind_a_proxy() -> String {
    nexa_server::SAMPLE.replace(
        "trusted_proxies = []",
        "trusted_proxies = [\"127.0.0.1/32\"]",
    )
}

fn request_id(answer: &Answer) -> &str {
    answer.header("x-request-id").unwrap()
}

/// A UUID of version 7.
fn is_made(id: &str) -> bool {
    id.len() == 36 && id.bytes().filter(|b| *b == b'-').count() == 4 && id[14..].starts_with('7')
}

#[test]
fn an_id_is_taken_from_trusted_proxies_and_made_for_everybody_else() {
    let (direct, proxied) = (Server::start(), Server::configured(&behind_a_proxy()));
    for path in [
        "/api/authorize",
        "/api/auth/me",
        "/nothing",
        "/.well-known/jwks.json",
    ] {
        let with = |server: &Server, id: &str| {
            let answer = server.get(path).header("X-Request-Id", id).send();
            request_id(&answer).to_owned()
        };
        assert_eq!(
            with(&proxied, "edge-1.a:b/c+d=@"),
            "edge-1.a:b/c+d=@",
            "{path}"
        );
        assert!(is_made(&with(&direct, "edge-1")), "{path}");
        for unfit in [
            "a b",
            "a\"b",
            "nex_secret",
            "eyJhbGciOi",
            "Zm9vYmFyMTIzNDU2Nzg5MGFiY2Rl",
            &"a".repeat(129),
        ] {
            assert!(is_made(&with(&proxied, unfit)), "{path} {unfit}");
        }
        let twice = proxied
            .get(path)
            .header("X-Request-Id", "one")
            .header("X-Request-Id", "two");
        assert!(is_made(request_id(&twice.send())), "{path}");
    }
    let ids: std::collections::BTreeSet<_> = (0..100)
        .map(|_| request_id(&direct.get("/api/authorize").send()).to_owned())
        .collect();
    assert_eq!(ids.len(), 100);
}

#[test]
fn what_the_listener_refuses_has_an_id_too() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let id = answer.split("x-request-id: ").nth(1).unwrap();
    assert!(is_made(id.lines().next().unwrap()), "{answer}");
}

/// The lines of a log in JSON: all that there is on stderr.
fn json_lines(server: &Server) -> Vec<Value> {
    let log = server.stderr();
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn is_of_a_request(line: &&Value) -> bool {
    line["target"] == "nexa_server::access"
}

/// What reads the log reads it from its first byte, also where mails go there, and no key is shown to it.
#[test]
fn a_first_start_logs_in_json_from_the_first_byte_and_shows_its_key_elsewhere() {
    let mut server = Server::start_with(&["--log", "trace", "--log-format", "json"]);
    let lines = json_lines(&server);
    let is_told = |text: &str| lines.iter().any(|line| line.to_string().contains(text));
    assert!(is_told("mail.url is log:"), "{lines:?}");
    let key = server.operator_key();
    assert!(server.first_words.starts_with("First start."));
    assert!(!is_told(&key), "{lines:?}");
    server.sign_up("ada@example.com");
    assert_eq!(server.stop("-TERM"), Some(0));
    assert!(json_lines(&server).len() > lines.len());
    let again = server.restart_with(&["--log-format", "json"]);
    assert_eq!(again.first_words, "");
    json_lines(&again);
}

#[test]
fn a_request_leaves_one_line_and_every_line_of_it_has_its_id() {
    let server = Server::start_with(&["--log", "debug", "--log-format", "json"]);
    let token = server.sign_up("ada@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    let answers = [
        // From memory, from the store, to nobody, with a reason of its own.
        server.get("/api/authorize?scope=signals").key(&key).send(),
        server.get("/api/auth/me?x=y").bearer(&token).send(),
        server.get("/nothing/at/all").send(),
        server.get("/api/auth/me").bearer("eyJ.eyJ.eyJ").send(),
    ];
    let me = server.get("/api/auth/me").bearer(&token).send();
    let tenant = me.json["tenant"]["id"].clone();
    let lines = json_lines(&server);
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{line}");
        }
    }
    let expected = [
        ("/api/authorize", "/api/authorize", 200, &tenant),
        ("/api/auth/me", "/api/auth/me", 200, &tenant),
        ("none", "/nothing/at/all", 404, &Value::Null),
        ("/api/auth/me", "/api/auth/me", 401, &Value::Null),
    ];
    for (answer, (route, path, status, tenant)) in answers.iter().zip(expected) {
        let of_it: Vec<_> = lines
            .iter()
            .filter(|line| line["span"]["request_id"] == request_id(answer))
            .collect();
        let told: Vec<_> = of_it.iter().copied().filter(is_of_a_request).collect();
        let [line] = told[..] else {
            panic!("{path}: {told:?}")
        };
        assert_eq!(line["message"], "request");
        assert_eq!(line["method"], "GET");
        assert_eq!(line["route"], route);
        assert_eq!(line["path"], path);
        assert_eq!(line["status"], status);
        assert_eq!(line["client"], "127.0.0.1");
        assert_eq!(&line["tenant_id"], tenant, "{line}");
        assert!(line["duration_ms"].is_number(), "{line}");
        let has_reason = of_it
            .iter()
            .any(|line| line["message"] == "access token refused");
        assert_eq!(has_reason, status == 401, "{of_it:?}");
    }
    let mut fields: Vec<Vec<&str>> = lines.iter().filter(is_of_a_request).map(members).collect();
    fields
        .iter_mut()
        .for_each(|names| names.retain(|name| *name != "tenant_id"));
    fields.dedup();
    assert_eq!(fields.len(), 1, "{fields:?}");
}

#[test]
fn requests_leave_no_line_at_info() {
    let server = Server::start();
    // What the start has to say may come after the address.
    server.get("/healthz").send();
    let before = server.stderr();
    server.get("/api/authorize").key("nex_unknown").send();
    server.get("/nothing").send();
    assert_eq!(server.stderr(), before);
}

#[test]
fn nothing_that_is_sent_forges_a_line() {
    for format in ["text", "json"] {
        let server = Server::start_with(&["--log", "trace", "--log-format", format]);
        let forged = "forged-line ERROR";
        // In a path, a query, headers, JSON texts that are told of in errors, and a mail.
        server
            .get(&format!("/a%0a{}/%1b[31m", forged.replace(' ', "%20")))
            .send();
        let body = serde_json::json!({
            "email": format!("a@example.com\n{forged}"), "password": "correct horse", "tenantName": format!("x\n{forged}\r\u{1b}[2J"),
        });
        server.post("/api/auth/register", &body.to_string()).send();
        let body = serde_json::json!({
            "email": "b@example.com", "password": "correct horse", "tenantName": format!("x\u{2028}{forged}\u{85}y"),
        });
        server.post("/api/auth/register", &body.to_string()).send();
        let token = server.sign_up_verified_in(format);
        let body = serde_json::json!({ "name": format!("k\n{forged}"), "scopes": [format!("s\n{forged}")] });
        server
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(&token)
            .send();
        server
            .get("/api/auth/me")
            .bearer(&format!("eyJ.{forged}"))
            .send();
        let log = server.stderr();
        assert!(
            log.lines()
                .all(|line| !line.trim_start().starts_with("forged-line")),
            "{log}"
        );
        assert!(!log.contains('\u{1b}'), "{log}");
        if format == "json" {
            json_lines(&server);
        }
    }
}

impl Server {
    /// A session; whatever the format of the log, which the harness reads mails from, is.
    fn sign_up_verified_in(&self, format: &str) -> String {
        self.sign_up(&format!("{format}@example.com"))
    }
}

#[test]
fn no_secret_is_logged_at_any_level_on_any_carrier() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let mails = format!("file:{}", folder.path().join("mails").display());
        let server = Server::start_with(&[
            "--log",
            "trace",
            "--log-format",
            format,
            "--mail-url",
            &mails,
        ]);
        let session = server.sign_up("ada@example.com");
        let login = r#"{"email":"ada@example.com","password":"correct horse"}"#;
        let login = server.post("/api/auth/login", login).send();
        let refresh = login.json["refreshToken"].as_str().unwrap().to_owned();
        let (_, scoped) = server.make_key(&session, &["signals"]);
        let (_, full) = server.make_key(&session, &["full_access"]);
        let body = r#"{"name":"n","allowed_origins":[]}"#;
        let nexora = server
            .post("/api/users/me/api-keys", body)
            .bearer(&session)
            .send();
        let license = server.issue_license(&session, &"a".repeat(64));
        let body = r#"{"name":"bot","contact_email":"bot@example.com"}"#;
        let agent = server.post("/v1/account/register", body).send();
        let mut secrets = vec![
            session,
            refresh,
            scoped,
            full,
            license,
            server.operator_key(),
        ];
        secrets.push("correct horse".to_owned());
        let mut collect = |answer: &Answer| {
            for (name, value) in answer.json.as_object().into_iter().flatten() {
                let is_secret =
                    ["key", "secret", "token", "api_key", "api_secret"].contains(&name.as_str());
                if let (true, Some(text)) = (is_secret, value.as_str()) {
                    secrets.push(text.to_owned());
                }
            }
        };
        collect(&nexora);
        collect(&agent);
        assert!(secrets.len() >= 9, "{nexora:?} {agent:?}");
        let sent: Vec<String> = secrets
            .iter()
            .filter(|secret| !secret.contains(' '))
            .cloned()
            .collect();
        for secret in &sent {
            for path in [
                "/api/authorize",
                "/api/auth/me",
                "/api/licenses",
                "/v1/account/info",
                "/api/oauth/introspect",
                "/nothing",
            ] {
                server.get(path).bearer(secret).send();
                server.get(path).key(secret).send();
                server.get(path).header("Authorization", secret).send();
                server.get(path).header("X-Request-Id", secret).send();
                server.get(path).header("Cookie", secret).send();
                for name in ["token", "api_key", "key", "scope"] {
                    server.get(&format!("{path}?{name}={secret}")).send();
                }
                server.get(&format!("{path}/{secret}")).send();
                server.get(&format!("{path}/{secret}/x")).send();
                server.delete(&format!("{path}/x={secret}")).send();
            }
            let original = server.get("/api/authorize").key(secret);
            let uri = format!("/a?token={secret}");
            original
                .header("X-Original-Method", "GET")
                .header("X-Original-URI", &uri)
                .send();
            for path in [
                "/api/auth/login",
                "/api/auth/refresh",
                "/api/auth/reset",
                "/api/v1/api-keys/verify",
                "/v1/account/token",
                "/api/oauth/introspect",
            ] {
                for field in [
                    "token",
                    "refreshToken",
                    "key",
                    "password",
                    "client_secret",
                    "subject_token",
                ] {
                    let body =
                        serde_json::json!({ field: secret, "email": secret, "grant_type": secret });
                    server.post(path, &body.to_string()).send();
                    let form = server
                        .request("POST", path)
                        .body(&format!("{field}={secret}&grant_type=client_credentials"));
                    form.header("Content-Type", "application/x-www-form-urlencoded")
                        .send();
                }
            }
        }
        for entry in std::fs::read_dir(folder.path().join("mails")).unwrap() {
            let mail = std::fs::read_to_string(entry.unwrap().path())
                .unwrap()
                .replace("=\r\n", "")
                .replace("=3D", "=");
            let token = mail.split("token=").nth(1).unwrap();
            let is_of_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            secrets.push(token.chars().take_while(is_of_token).collect());
        }
        let log = server.stderr();
        assert!(log.matches("nexa_server::access").count() > 100, "{log}");
        for secret in &secrets {
            assert!(
                !log.contains(secret.as_str()),
                "{secret} in {}",
                log.lines()
                    .find(|line| line.contains(secret.as_str()))
                    .unwrap()
            );
            let quarter = &secret[secret.len() / 4..secret.len() * 3 / 4];
            let is_word = secret.contains(' ');
            assert!(is_word || !log.contains(quarter), "half of {secret}");
        }
    }
}
