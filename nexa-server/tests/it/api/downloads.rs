//! `/api/downloads/*`: what is answered is worth at a real object store.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Server, nexa};
use crate::s3::ObjectServer;

const WEIGHTS: &[u8] = b"GGUF and then the weights";

/// A server whose models lie in `models` of a store with more than one object.
fn start(arguments: &[&str]) -> (Server, ObjectServer) {
    let store = ObjectServer::start(&[
        ("acme/models/llama-3-8b.gguf", WEIGHTS),
        ("acme/private.txt", b"nobody's business"),
    ]);
    let environment = store.environment("acme");
    let environment: Vec<_> = (environment.iter())
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    (Server::start_in(&environment, arguments), store)
}

/// Status and body.
fn fetch(method: &str, url: &str, host: Option<&str>) -> (u16, Vec<u8>) {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(30)))
        .build();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let agent = ureq::Agent::new_with_config(config);
    let mut response = agent.run(request.body(()).unwrap()).unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    (response.status().as_u16(), body)
}

fn url(server: &Server, license: &str) -> String {
    let answer = server
        .get("/api/downloads/models/llama-3-8b")
        .bearer(license)
        .send();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["url"].as_str().unwrap().to_owned()
}

#[test]
fn the_url_opens_its_object_for_a_while_and_nothing_else() {
    let (server, store) = start(&[]);
    let license = server.issue_license(&server.sign_up("ada@example.com"), "f");
    let url = url(&server, &license);
    let there = format!("{}/acme/models/llama-3-8b.gguf?", store.url());
    assert!(url.starts_with(&there), "{url}");
    assert_eq!(fetch("GET", &url, None), (200, WEIGHTS.to_vec()));
    // As often as it is asked for, from anywhere, until its end.
    for (ahead_s, status) in [(-600, 200), (600, 200), (901, 403), (86_400, 403)] {
        store.set_ahead(ahead_s);
        assert_eq!(fetch("GET", &url, None).0, status, "{ahead_s} s ahead");
    }
    store.set_ahead(0);
    let last = url.chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    let refused = |code: &str| (403, code.as_bytes().to_vec());
    for (from, to) in [
        ("models/llama-3-8b.gguf", "private.txt"),
        ("models/llama-3-8b.gguf", "models/../private.txt"),
        ("X-Amz-Expires=900", "X-Amz-Expires=604800"),
        (
            "X-Amz-SignedHeaders",
            "response-content-type=text%2Fhtml&X-Amz-SignedHeaders",
        ),
    ] {
        let tampered = url.replacen(from, to, 1);
        assert_ne!(tampered, url);
        assert_eq!(
            fetch("GET", &tampered, None),
            refused("SignatureDoesNotMatch"),
            "{to}"
        );
    }
    let tampered = format!("{}{other}", &url[..url.len() - 1]);
    assert_eq!(
        fetch("GET", &tampered, None),
        refused("SignatureDoesNotMatch")
    );
    for method in ["PUT", "DELETE"] {
        assert_eq!(
            fetch(method, &url, None),
            refused("SignatureDoesNotMatch"),
            "{method}"
        );
    }
    assert_eq!(
        fetch("GET", &url, Some("others.example")),
        refused("SignatureDoesNotMatch")
    );
    let (bare, _) = url.split_once('?').unwrap();
    assert_eq!(fetch("GET", bare, None), refused("AccessDenied"));
}

#[test]
fn what_is_no_licence_token_is_told_what_would_do() {
    let (server, _store) = start(&[]);
    let token = server.sign_up("ada@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let license = server.issue_license(&token, "f");
    let sentence = "This needs a licence token, as POST /api/licenses/issue answers it";
    let path = "/api/downloads/models/llama-3-8b";
    let operator = server.operator_key();
    for (credential, expected) in [
        (token.as_str(), (403, sentence)),
        (key.as_str(), (403, sentence)),
        (operator.as_str(), (403, sentence)),
        (
            "nex_nobody0nobody0nobody0nobody0nobo",
            (401, "Invalid API key"),
        ),
        ("eyJhbGciOiJub25lIn0.e30.", (401, "Invalid licence token")),
    ] {
        for request in [
            server.get(path).bearer(credential),
            server.get(path).key(credential),
        ] {
            let answer = request.send();
            assert_eq!(answer.refusal(), expected, "{credential}");
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge.is_some(), answer.status == 401);
        }
    }
    assert_eq!(server.get(path).key(&license).send().status, 200);
    assert_eq!(
        server
            .get(path)
            .bearer(&license)
            .key(&license)
            .send()
            .status,
        200
    );
    assert_eq!(
        server.get(path).bearer(&license).key(&key).send().status,
        400
    );
    let in_query = format!("{path}?token={license}");
    assert_eq!(
        server.get(&in_query).send().refusal(),
        (401, "Authentication required")
    );
    // And it opens nothing else.
    for path in ["/api/auth/me", "/api/licenses", "/api/operator/keys"] {
        assert_eq!(
            server.get(path).bearer(&license).send().status,
            401,
            "{path}"
        );
    }
}

#[test]
fn the_secret_stands_in_no_answer_no_log_and_no_file() {
    let (mut server, store) = start(&["--log", "trace"]);
    let license = server.issue_license(&server.sign_up("ada@example.com"), "f");
    let url = url(&server, &license);
    let document = server.get("/openapi.json").send().text;
    server.stop("-TERM");
    let mut seen = vec![
        url.into_bytes(),
        document.into_bytes(),
        server.stderr().into_bytes(),
    ];
    for file in std::fs::read_dir(server.data()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            seen.push(std::fs::read(path).unwrap());
        }
    }
    let secret = ObjectServer::SIGNER.secret.as_bytes();
    for (number, bytes) in seen.iter().enumerate() {
        let is_there = bytes.windows(secret.len()).any(|found| found == secret);
        assert!(!is_there, "number {number} shows it");
    }
    let help = nexa()
        .args(["serve", "--help"])
        .env("NEXA_S3_SECRET_ACCESS_KEY", ObjectServer::SIGNER.secret)
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.contains("NEXA_S3_SECRET_ACCESS_KEY") && !help.contains(ObjectServer::SIGNER.secret),
        "{help}"
    );
    drop(store);
}

#[test]
fn half_an_object_store_stops_the_start() {
    let checked = |variables: &[(&str, &str)]| {
        let output = nexa()
            .arg("check-config")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stderr)
    };
    let (code, said) = checked(&[
        ("NEXA_S3_ENDPOINT", "http://127.0.0.1:9000"),
        ("NEXA_S3_SECRET_ACCESS_KEY", "very hidden"),
    ]);
    assert_eq!(code, Some(2), "{said}");
    let missing = "object_store: bucket (NEXA_S3_BUCKET), region (NEXA_S3_REGION), access_key_id (NEXA_S3_ACCESS_KEY_ID) missing";
    assert!(said.contains(missing) && !said.contains("hidden"), "{said}");
}

#[test]
fn a_server_without_an_object_store_answers_503() {
    let server = Server::start();
    let license = server.issue_license(&server.sign_up("ada@example.com"), "f");
    let answer = server
        .get("/api/downloads/models/llama-3-8b")
        .bearer(&license)
        .send();
    assert_eq!(
        (answer.status, &answer.json["code"]),
        (503, &json!("not_configured"))
    );
    assert_eq!(answer.json["url"], Value::Null);
}
