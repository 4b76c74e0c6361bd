//! `/api/operator/*`

use crate::harness::{Server, run_in};

#[test]
fn the_printed_curl_line_works_as_pasted() {
    let server = Server::start();
    let line = server
        .first_words
        .lines()
        .find(|line| line.trim_start().starts_with("curl "))
        .unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{line} -s -w '%{{http_code}}'")])
        .output()
        .unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(
        answer.ends_with("200") && answer.contains("createdAt"),
        "{answer}"
    );
}

#[test]
fn only_the_operator_may() {
    let server = Server::start();
    let token = server.sign_up("tenant@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let list = || server.get("/api/operator/keys");
    assert_eq!(list().send().status, 401);
    assert_eq!(list().key("nex_nobody").send().status, 401);
    assert_eq!(
        list().key(&key).send().refusal(),
        (403, "This needs the operator key")
    );
    assert_eq!(
        list().bearer(&token).send().refusal(),
        (403, "This needs the operator key")
    );
    let elsewhere = server
        .get("/api/v1/api-keys")
        .key(&server.operator_key())
        .send();
    assert_eq!(
        elsewhere.refusal(),
        (403, "This needs a user of a tenant, not the operator key")
    );
    let mine = list().bearer(&server.operator_key()).send();
    assert_eq!(mine.status, 200);
    assert!(!mine.text.contains(&server.operator_key()));
}

#[test]
fn another_key_is_made_over_the_wire_or_in_the_folder_and_can_be_deleted() {
    let mut server = Server::start();
    let first = server.operator_key();
    let key_file = server.folder.path().join("key");
    std::fs::write(&key_file, &first).unwrap();
    let made = run_in(
        server.folder.path(),
        &["operator-key", "--server", &server.url, "--key-file", "key"],
        b"",
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    let second = made.stdout.trim();
    let list = server.get("/api/operator/keys").key(second).send();
    assert_eq!(list.json.as_array().unwrap().len(), 2);

    let id = |index: usize| list.json[index]["id"].as_str().unwrap();
    let delete = |id: &str| {
        server
            .delete(&format!("/api/operator/keys/{id}"))
            .key(second)
            .send()
    };
    assert_eq!(
        delete(id(1)).refusal(),
        (403, "An operator key cannot delete itself")
    );
    assert_eq!(delete(id(0)).status, 200);
    assert_eq!(delete(id(0)).status, 404);
    assert_eq!(
        server.get("/api/operator/keys").key(&first).send().status,
        401
    );

    let owned = run_in(
        server.folder.path(),
        &["operator-key", "--data", "data"],
        b"",
    );
    assert_eq!(owned.code, Some(3), "a running server owns its folder");
    assert!(owned.stderr.contains("--server"), "{}", owned.stderr);
    assert_eq!(server.stop("-TERM"), Some(0));
    let offline = run_in(
        server.folder.path(),
        &["operator-key", "--data", "data"],
        b"",
    );
    assert_eq!(offline.code, Some(0), "{offline:?}");
    assert!(offline.stdout.starts_with("nex_"));
}

#[test]
fn enabling_again_revives_no_token_and_every_key() {
    let server = Server::start();
    let operator = server.operator_key();
    let status = |credential: &str| server.get("/api/auth/me").bearer(credential).send().status;
    for holder in ["tenants", "users"] {
        let email = format!("{holder}@example.com");
        let session = server.sign_up(&email);
        let (_, key) = server.make_key(&session, &["full_access"]);
        let made = server
            .post("/v1/account/register", r#"{"name":"Agent"}"#)
            .send();
        let agent_key = made.json["api_key"].as_str().unwrap();
        let grant = serde_json::json!({
            "grant_type": "client_credentials", "client_id": agent_key,
            "client_secret": made.json["api_secret"],
        });
        let grant = || {
            let granted = server.post("/v1/account/token", &grant.to_string()).send();
            assert_eq!(granted.status, 200, "{}", granted.text);
            granted.json["access_token"].as_str().unwrap().to_owned()
        };
        let agents_token = grant();
        for (key, token) in [(key.as_str(), &session), (agent_key, &agents_token)] {
            let me = server.get("/api/auth/me").key(key).send();
            let id = match holder {
                "tenants" => &me.json["tenant"]["id"],
                _ => &me.json["user"]["id"],
            };
            let path = format!("/api/operator/{holder}/{}", id.as_str().unwrap());
            for (enabled, of_key) in [(false, 401), (true, 200)] {
                let switched = server
                    .request("PATCH", &path)
                    .header("Content-Type", "application/json")
                    .body(&format!(r#"{{"enabled":{enabled}}}"#))
                    .key(&operator)
                    .send();
                assert_eq!(switched.status, 200, "{}", switched.text);
                assert_eq!((status(key), status(token)), (of_key, 401), "{path}");
            }
        }
        assert_eq!(status(&grant()), 200, "the secret itself has not changed");
    }
}
