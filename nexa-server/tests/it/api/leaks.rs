//! `/api/leaks/github`: reports of GitHub's secret scanning, signed as GitHub signs them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::harness::{Answer, Server};

/// A scanner with a key of its own.
struct Scanner {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Scanner {
    const IDENTIFIER: &str = "0f1e";

    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { key, random }
    }

    /// A server that knows it, and hands its mails to a folder.
    fn server(&self) -> Server {
        let before_point = STANDARD
            .decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=")
            .unwrap();
        let der = [&before_point, self.key.public_key().as_ref()].concat();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        );
        let sample = include_str!("../../../../examples/nexa.toml");
        let keys = format!(
            "[[leaks.github_keys]]\nidentifier = \"{}\"\nkey = \"\"\"\n{pem}\"\"\"\n",
            Self::IDENTIFIER
        );
        Server::configured(&format!("{sample}\n{keys}"))
    }

    fn signature(&self, body: &str) -> String {
        STANDARD.encode(self.key.sign(&self.random, body.as_bytes()).unwrap())
    }

    fn send(&self, server: &Server, body: &str) -> Answer {
        sent(server, body, Self::IDENTIFIER, &self.signature(body))
    }

    /// The labels of the answer to a report of those tokens.
    fn report(&self, server: &Server, tokens: &[&str]) -> Vec<String> {
        let body = Value::from_iter(tokens.iter().map(|token| found(token)));
        let answer = self.send(server, &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let labels = answer.json.as_array().unwrap().iter();
        labels
            .map(|label| label["label"].as_str().unwrap().to_owned())
            .collect()
    }
}

const URL: &str = "https://github.com/octocat/Hello-World/blob/1234/.env";

fn found(token: &str) -> Value {
    json!({ "token": token, "type": "nexa_api_key", "url": URL, "source": "content" })
}

fn sent(server: &Server, body: &str, identifier: &str, signature: &str) -> Answer {
    server
        .post("/api/leaks/github", body)
        .header("Github-Public-Key-Identifier", identifier)
        .header("Github-Public-Key-Signature", signature)
        .send()
}

fn status(server: &Server, key: &str) -> u16 {
    server.get("/api/auth/me").key(key).send().status
}

/// Waits until the server has sent a mail to that address whose text holds all of `parts`; its log shows mails.
fn mailed(server: &Server, to: &str, parts: &[&str]) {
    for _ in 0..500 {
        let log = server.stderr();
        let mut mails = log.split(" to=\"").skip(1);
        if mails.any(|mail| {
            mail.starts_with(&format!("{to}\"")) && parts.iter().all(|part| mail.contains(part))
        }) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("no mail to {to} with {parts:?}: {}", server.stderr());
}

#[test]
fn a_leaked_key_is_dead_when_the_report_is_answered_and_its_owner_knows() {
    let scanner = Scanner::new();
    let server = scanner.server();
    let session = server.sign_up_verified("owner@example.com");
    let (id, key) = server.make_key(&session, &["full_access"]);
    let (_, other) = server.make_key(&session, &["full_access"]);
    assert_eq!((status(&server, &key), status(&server, &other)), (200, 200));
    let body = json!([found(&key), found("nex_nothing"), found(&key)]).to_string();
    let expected = json!([
        { "token_raw": key, "token_type": "nexa_api_key", "label": "true_positive" },
        { "token_raw": "nex_nothing", "token_type": "nexa_api_key", "label": "false_positive" },
    ]);
    let answer = scanner.send(&server, &body);
    assert_eq!(
        (answer.status, &answer.json),
        (200, &expected),
        "{}",
        answer.text
    );
    assert_eq!((status(&server, &key), status(&server, &other)), (401, 200));
    let prefix = &key[..8];
    mailed(&server, "owner@example.com", &[prefix, URL, "test"]);
    assert!(
        !server.stderr().contains(&key),
        "the key itself is told nobody"
    );
    // Once more, whoever sends it: the same answer, and nothing else.
    let again = sent(
        &server,
        &body,
        Scanner::IDENTIFIER,
        &scanner.signature(&body),
    );
    assert_eq!(again.json, expected);
    let audit = server.get("/api/audit/events").bearer(&session).send();
    let leaked: Vec<&Value> = audit
        .json
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event.to_string().contains("key.leaked"))
        .collect();
    assert_eq!(leaked.len(), 1, "{}", audit.text);
    assert!(leaked[0].to_string().contains(&id));
    let exported = server.get("/api/account/export").bearer(&session).send();
    let notices = exported.json["notices"].as_array().unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(
        (&notices[0]["kind"], &notices[0]["foundAtUrl"]),
        (&json!("key_leaked"), &json!(URL))
    );
    // What has leaked does not come back with an import.
    let line = json!({ "hash": nexa_core::KeyDigest::of(key.as_bytes()).to_hex(), "owner": "owner@example.com", "name": "a", "scopes": ["signals"] });
    let imported = server
        .request("POST", "/api/operator/api-keys/import?algorithm=sha256-hex")
        .header("Content-Type", "application/x-ndjson")
        .body(&line.to_string())
        .key(&server.operator_key())
        .send();
    assert_eq!(
        imported.json["refused"][0]["error"], "hash: is that of a key that has leaked",
        "{}",
        imported.text
    );
}

#[test]
fn what_leaks_is_ended_and_no_more_than_that() {
    let scanner = Scanner::new();
    let server = scanner.server();
    let session = server.sign_up("owner@example.com");
    // A value that a rotation has replaced goes; the key stays.
    let (id, old) = server.make_key(&session, &["full_access"]);
    let rotated = server
        .post(
            &format!("/api/v1/api-keys/{id}/rotate"),
            r#"{"graceSeconds":3600}"#,
        )
        .bearer(&session)
        .send();
    let new = rotated.json["key"].as_str().unwrap();
    assert_eq!((status(&server, &old), status(&server, new)), (200, 200));
    assert_eq!(scanner.report(&server, &[&old]), ["true_positive"]);
    assert_eq!((status(&server, &old), status(&server, new)), (401, 200));
    // Nobody has shown that the address is theirs: it is still the owner's.
    mailed(&server, "owner@example.com", &["old value", URL]);
    // With the value that it has, the key goes, and what was left of the one before.
    let rotated = server
        .post(
            &format!("/api/v1/api-keys/{id}/rotate"),
            r#"{"graceSeconds":3600}"#,
        )
        .bearer(&session)
        .send();
    let newest = rotated.json["key"].as_str().unwrap();
    assert_eq!(scanner.report(&server, &[newest]), ["true_positive"]);
    assert_eq!((status(&server, new), status(&server, newest)), (401, 401));
    // A disabled key is as dead as any, for good.
    let (id, disabled) = server.make_key(&session, &["full_access"]);
    let change = |enabled: bool| {
        let body = json!({ "enabled": enabled }).to_string();
        let request = server.request("PATCH", &format!("/api/v1/api-keys/{id}"));
        request
            .header("Content-Type", "application/json")
            .body(&body)
            .bearer(&session)
            .send()
            .status
    };
    assert_eq!(change(false), 200);
    assert_eq!(scanner.report(&server, &[&disabled]), ["true_positive"]);
    assert_eq!(change(true), 404);
    // An agent's secret ends, and its key asks for another; its key ends like any.
    let agent = server
        .post(
            "/v1/account/register",
            r#"{"name":"Robot","webhook_url":"https://receiver.invalid/"}"#,
        )
        .send();
    let [api_key, secret] =
        ["api_key", "api_secret"].map(|name| agent.json[name].as_str().unwrap().to_owned());
    let token = |secret: &str| {
        let body = json!({ "grant_type": "client_credentials", "client_id": api_key, "client_secret": secret });
        server.post("/v1/account/token", &body.to_string()).send()
    };
    let issued = token(&secret);
    let issued = issued.json["access_token"].as_str().unwrap();
    assert_eq!(
        server.get("/v1/account/info").bearer(issued).send().status,
        200
    );
    assert_eq!(
        scanner.report(&server, &[&secret, &secret]),
        ["true_positive"]
    );
    assert_eq!(scanner.report(&server, &[&secret]), ["true_positive"]);
    assert_eq!(
        (
            token(&secret).status,
            server.get("/v1/account/info").bearer(issued).send().status
        ),
        (401, 401)
    );
    let told = server
        .get("/v1/account/webhooks/deliveries")
        .key(&api_key)
        .send();
    assert_eq!(told.json[0]["type"], "secret.revoked", "{}", told.text);
    let data = &told.json[0]["payload"]["data"];
    assert_eq!(data["reason"], "leaked");
    assert!(data["found_at_url"].is_string(), "{data}");
    assert_ne!(told.json[1]["type"], "secret.revoked", "it is told once");
    let rotated = server
        .post("/v1/account/rotate-secret", "")
        .key(&api_key)
        .send();
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!(
        token(rotated.json["api_secret"].as_str().unwrap()).status,
        200
    );
    assert_eq!(scanner.report(&server, &[&api_key]), ["true_positive"]);
    assert_eq!(status(&server, &api_key), 401);
    // The operator is not locked out, but told; once there is another key, the one that leaked goes.
    let operator = server.operator_key();
    let operates = |key: &str| server.get("/api/operator/keys").key(key).send().status;
    assert_eq!(scanner.report(&server, &[&operator]), ["true_positive"]);
    assert_eq!(operates(&operator), 200);
    assert!(
        server
            .stderr()
            .contains("an operator key was found where others can read it")
    );
    let second = server.post("/api/operator/keys", "").key(&operator).send();
    assert_eq!(
        scanner.report(&server, &[&operator, &operator]),
        ["true_positive"]
    );
    assert_eq!(
        (
            operates(&operator),
            operates(second.json["key"].as_str().unwrap())
        ),
        (401, 200)
    );
    // What was imported by its SHA-512 is found too.
    let me = server.get("/api/auth/me").bearer(&session).send();
    let sha512 = ring::digest::digest(&ring::digest::SHA512, b"foreign");
    let line = json!({ "hash": STANDARD.encode(sha512), "owner": me.json["user"]["id"], "name": "a", "scopes": ["full_access"] });
    let imported = server
        .request(
            "POST",
            "/api/operator/api-keys/import?algorithm=sha512-base64",
        )
        .header("Content-Type", "application/x-ndjson")
        .body(&line.to_string())
        .key(second.json["key"].as_str().unwrap())
        .send();
    assert_eq!(imported.json["imported"], 1, "{}", imported.text);
    assert_eq!(status(&server, "foreign"), 200);
    for _ in 0..2 {
        assert_eq!(
            scanner.report(&server, &["foreign", "strange"]),
            ["true_positive", "false_positive"]
        );
        assert_eq!(status(&server, "foreign"), 401);
    }
}

#[test]
fn a_value_that_is_known_by_two_hashes_is_dead_by_both() {
    let scanner = Scanner::new();
    let server = scanner.server();
    let owner = server.sign_up("owner@example.com");
    let me = server.get("/api/auth/me").bearer(&owner).send();
    let import = |algorithm: &str, hash: ring::digest::Digest| {
        let line = json!({ "hash": STANDARD.encode(hash), "owner": me.json["user"]["id"], "name": "a", "scopes": ["full_access"] });
        let path = format!("/api/operator/api-keys/import?algorithm={algorithm}");
        let request = server.request("POST", &path).body(&line.to_string());
        let imported = request
            .header("Content-Type", "application/x-ndjson")
            .key(&server.operator_key())
            .send();
        assert_eq!(imported.status, 200, "{}", imported.text);
        imported.json
    };
    let sha256 = |key: &str| ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let sha512 = |key: &str| ring::digest::digest(&ring::digest::SHA512, key.as_bytes());
    // Both are there when it is found.
    assert_eq!(import("sha256-base64", sha256("foreign"))["imported"], 1);
    assert_eq!(import("sha512-base64", sha512("foreign"))["imported"], 1);
    assert_eq!(status(&server, "foreign"), 200);
    assert_eq!(scanner.report(&server, &["foreign"]), ["true_positive"]);
    assert_eq!(status(&server, "foreign"), 401);
    // One is there, and neither comes with a later import.
    let (_, ours) = server.make_key(&owner, &["full_access"]);
    assert_eq!(import("sha512-base64", sha512("theirs"))["imported"], 1);
    assert_eq!(
        scanner.report(&server, &[&ours, "theirs"]),
        ["true_positive", "true_positive"]
    );
    for key in ["foreign", "theirs", &ours] {
        let later = [
            import("sha256-base64", sha256(key)),
            import("sha512-base64", sha512(key)),
        ];
        for imported in later {
            assert_eq!(
                imported["refused"][0]["error"],
                "hash: is that of a key that has leaked"
            );
        }
        assert_eq!(status(&server, key), 401);
    }
}

#[test]
fn what_is_not_signed_has_no_effect() {
    let scanner = Scanner::new();
    let server = scanner.server();
    let (_, key) = server.make_key(&server.sign_up("owner@example.com"), &["full_access"]);
    let body = json!([found(&key)]).to_string();
    let good = scanner.signature(&body);
    let stranger = Scanner::new();
    let unsigned = (
        403,
        "The report is not signed with a key that this server knows",
    );
    for (sent_body, identifier, signature) in [
        (body.clone(), "0f1f", good.clone()),
        (body.clone(), Scanner::IDENTIFIER, stranger.signature(&body)),
        (body.clone(), Scanner::IDENTIFIER, scanner.signature("[]")),
        (format!("{body} "), Scanner::IDENTIFIER, good.clone()),
        (
            body.clone(),
            Scanner::IDENTIFIER,
            good[..good.len() - 4].to_owned(),
        ),
        (body.clone(), Scanner::IDENTIFIER, "%".to_owned()),
        (body.clone(), Scanner::IDENTIFIER, "A".repeat(4_000)),
    ] {
        let answer = sent(&server, &sent_body, identifier, &signature);
        assert_eq!(answer.refusal(), unsigned, "{identifier} {signature}");
    }
    for (name, status) in [
        ("Github-Public-Key-Identifier", 400),
        ("Github-Public-Key-Signature", 400),
    ] {
        let twice = server
            .post("/api/leaks/github", &body)
            .header("Github-Public-Key-Identifier", Scanner::IDENTIFIER)
            .header("Github-Public-Key-Signature", &good);
        let value = if name.ends_with("Signature") {
            good.as_str()
        } else {
            Scanner::IDENTIFIER
        };
        assert_eq!(twice.header(name, value).send().status, status);
        let once = server.post("/api/leaks/github", &body).header(name, value);
        assert_eq!(once.send().status, status);
    }
    // Signed, and still none.
    for bad in [
        "",
        "{}",
        "[1]",
        "[{\"token\":1,\"type\":\"a\"}]",
        "[{\"type\":\"a\"}]",
        &format!("{body}[]"),
    ] {
        let answer = scanner.send(&server, bad);
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
        assert!(!answer.text.contains(&key));
    }
    assert_eq!(
        sent(
            &server,
            &"x".repeat((4 << 20) + 1),
            Scanner::IDENTIFIER,
            &good
        )
        .status,
        413
    );
    assert_eq!(status(&server, &key), 200);
    let strange = json!([{ "token": "", "type": "", "url": null }, { "token": "\u{0}é", "type": "a", "url": "javascript:x" }]);
    let answer = scanner.send(&server, &strange.to_string());
    assert_eq!(answer.json[1]["label"], "false_positive", "{}", answer.text);
    // Without keys nobody can report.
    let deaf = Server::start();
    assert_eq!(sent(&deaf, &body, Scanner::IDENTIFIER, &good).status, 503);
}

#[test]
fn ten_thousand_matches_and_two_reports_at_once_have_one_effect_each() {
    let scanner = Scanner::new();
    let server = scanner.server();
    let session = server.sign_up("owner@example.com");
    let keys: Vec<String> = (0..4)
        .map(|_| server.make_key(&session, &["full_access"]).1)
        .collect();
    let mut matches: Vec<Value> = (0..10_000)
        .map(|n| found(&format!("nex_{n:032}")))
        .collect();
    for (place, key) in keys.iter().enumerate() {
        matches[place * 2_500] = found(key);
    }
    let body = Value::from(matches).to_string();
    let answers = std::thread::scope(|scope| {
        let report = || scanner.send(&server, &body);
        [scope.spawn(report), scope.spawn(report)].map(|report| report.join().unwrap())
    });
    for answer in answers {
        let labels = answer.json.as_array().unwrap();
        assert_eq!(labels.len(), 10_000, "{}", answer.status);
        let truths = labels
            .iter()
            .filter(|label| label["label"] == "true_positive");
        assert_eq!(truths.count(), 4);
    }
    for key in &keys {
        assert_eq!(status(&server, key), 401);
    }
    let exported = server.get("/api/account/export").bearer(&session).send();
    assert_eq!(exported.json["notices"].as_array().unwrap().len(), 4);
}
