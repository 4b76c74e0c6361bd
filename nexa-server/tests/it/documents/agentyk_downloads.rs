//! agentyk: downloads with a licence token.

use serde_json::json;

use super::agentyk::{DOCUMENT, agentyk_fields};
use crate::harness::Server;
use crate::s3::ObjectServer;

#[test]
fn agentyk_hands_out_downloads_for_a_license() {
    let route = "GET/api/downloads/models/:modelIdlicense";
    let limit =
        format!("{route}\nreturns: {{ url, expiresIn, objectKey }}\nRate limited 30/min/IP\n");
    assert!(DOCUMENT.contains(&limit));
    let store = ObjectServer::start(&[("bucket/models/llama-3-8b.gguf", b"weights")]);
    let environment = store.environment("bucket");
    let environment: Vec<_> = (environment.iter())
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let server = Server::start_in(&environment, &[]);
    let license = server.issue_license(&server.sign_up("ada@example.com"), "f-1");
    let path = (route
        .strip_prefix("GET")
        .unwrap()
        .strip_suffix("license")
        .unwrap())
    .replace(":modelId", "llama-3-8b");

    let download = server.get(&path).bearer(&license).send();
    assert_eq!(
        (download.status, download.header("cache-control")),
        (200, Some("no-store")),
        "{}",
        download.text
    );
    let mut fields = agentyk_fields(route, "returns:");
    fields.sort();
    assert_eq!(download.members(), fields);
    assert_eq!(
        (&download.json["expiresIn"], &download.json["objectKey"]),
        (&json!(900), &json!("models/llama-3-8b.gguf"))
    );
    let url = download.json["url"].as_str().unwrap();
    let bytes = ureq::get(url).call().unwrap().body_mut().read_to_vec();
    assert_eq!(bytes.unwrap(), b"weights");

    // With the standard codes and the envelope of the document.
    for (answer, expected) in [
        (server.get(&path).send(), (401, "Authentication required")),
        (
            server.get(&path).bearer("eyJ0.e30.x").send(),
            (401, "Invalid licence token"),
        ),
        (
            server
                .get("/api/downloads/models/unknown")
                .bearer(&license)
                .send(),
            (404, "Model not found"),
        ),
    ] {
        assert_eq!(answer.refusal(), expected);
    }
    let of = |server: &Server| server.get(&path).bearer(&license).send();
    let limited = (0..60)
        .map(|_| of(&server))
        .find(|answer| answer.status != 200);
    let limited = limited.expect("sixty calls take longer than a minute or are limited");
    assert_eq!(
        (limited.status, &limited.json["code"]),
        (429, &json!("rate_limited"))
    );
    assert!(limited.header("retry-after").is_some());
}
