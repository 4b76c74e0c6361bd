//! The library's second front door: a data folder open in this process, with and without a server of one's own.

mod checks;
mod mounted;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use nexa_core::PlainKey;
use nexa_server::{
    Ask, CallError, CheckError, Config, NewKey, NewLicense, Nexa, OpenError, Overrides, Refusal,
};
use serde_json::{Value, json};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const APP: &str = "agentyk-engine";

fn config(data: &Path) -> Config {
    let overrides = Overrides {
        data: Some(data.to_owned()),
        public_url: Some("https://keys.example.com".to_owned()),
        listen: Some(SocketAddr::new(LOCAL, 0)),
        ..Overrides::default()
    };
    Config::load(None, overrides).unwrap()
}

fn open() -> (Nexa, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Nexa::open(config(folder.path())).unwrap(), folder)
}

fn call(nexa: &Nexa, method: &str, path: &str, key: &str, body: &str) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Bytes::copy_from_slice(body.as_bytes()));
    let response = nexa.call(LOCAL, request.unwrap());
    let json = serde_json::from_slice(response.body()).unwrap_or_default();
    (response.status(), json)
}

fn refusal(checked: Result<nexa_server::KeyFacts, CheckError>) -> Option<Refusal> {
    match checked {
        Ok(_) => None,
        Err(error) => Some(
            error
                .refusal()
                .cloned()
                .unwrap_or_else(|| panic!("{error}")),
        ),
    }
}

#[test]
fn a_folder_is_open_once_and_free_again_after_it() {
    let (nexa, folder) = open();
    let other = nexa.clone();
    let problem = Nexa::open(config(folder.path())).err().unwrap();
    assert!(matches!(problem, OpenError::Folder(_)), "{problem:?}");
    assert!(problem.to_string().contains("use"), "{problem}");
    nexa.close().unwrap();
    // A clone still holds it.
    assert!(Nexa::open(config(folder.path())).is_err());
    assert_eq!(
        other.register_agent("Robot").unwrap_err(),
        CallError::Closed
    );
    drop(other);
    Nexa::open(config(folder.path())).unwrap();
}

#[test]
fn without_a_public_url_nothing_opens() {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides {
        data: Some(folder.path().join("data")),
        ..Overrides::default()
    };
    let problem = Nexa::open(Config::load(None, overrides).unwrap())
        .err()
        .unwrap();
    assert!(
        problem.to_string().starts_with("public_url: must be set"),
        "{problem}"
    );
    assert!(!folder.path().join("data").exists());
}

#[test]
fn what_was_answered_stands_without_a_close() {
    let (nexa, folder) = open();
    let agent = nexa.register_agent("Robot").unwrap();
    let tenant = nexa.tenant(&agent.tenant_id);
    let kept = tenant.create_key(NewKey::new("kept")).unwrap();
    let revoked = tenant.create_key(NewKey::new("revoked")).unwrap();
    tenant.revoke_key(&revoked.id).unwrap();
    nexa.check_key(kept.key.expose(), &Ask::new()).unwrap();
    drop((nexa, tenant));
    let nexa = Nexa::open(config(folder.path())).unwrap();
    nexa.check_key(agent.api_key.expose(), &Ask::new()).unwrap();
    assert_eq!(
        refusal(nexa.check_key(revoked.key.expose(), &Ask::new())),
        Some(Refusal::NotFound)
    );
    let keys = nexa.tenant(&agent.tenant_id).keys(None, 10).unwrap();
    let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["kept", "Robot"]);
    // The one use of it was pending when it was dropped.
    assert!(keys[0].last_used_at.is_some(), "{keys:?}");
    assert!(keys[1].last_used_at.is_some(), "{keys:?}");
}

#[test]
fn a_revocation_takes_effect_in_process_and_over_http_whichever_way_it_came() {
    let (nexa, _folder) = open();
    let agent = nexa.register_agent("Robot").unwrap();
    let tenant = nexa.tenant(&agent.tenant_id);
    let operator = nexa.take_first_operator_key().unwrap();
    assert!(nexa.take_first_operator_key().is_none());
    let verify = |key: &PlainKey| {
        let body = json!({ "key": key.expose() }).to_string();
        let path = "/api/v1/api-keys/verify";
        call(&nexa, "POST", path, operator.expose(), &body).1["code"].clone()
    };
    for by_http in [false, true] {
        let made = tenant.create_key(NewKey::new("k")).unwrap();
        nexa.check_key(made.key.expose(), &Ask::new()).unwrap();
        assert_eq!(verify(&made.key), "valid");
        let rotated = tenant.rotate_key(&made.id, Duration::ZERO).unwrap();
        assert_eq!(
            (verify(&made.key), rotated.id),
            (json!("not_found"), made.id.clone())
        );
        nexa.check_key(rotated.key.expose(), &Ask::new()).unwrap();
        if by_http {
            let path = format!("/api/v1/api-keys/{}", made.id);
            let (status, said) = call(&nexa, "DELETE", &path, agent.api_key.expose(), "");
            assert_eq!(status, StatusCode::OK, "{said}");
        } else {
            tenant.revoke_key(&made.id).unwrap();
        }
        assert_eq!(verify(&rotated.key), "not_found");
        assert_eq!(
            refusal(nexa.check_key(rotated.key.expose(), &Ask::new())),
            Some(Refusal::NotFound)
        );
    }
    let license = tenant
        .issue_license(&NewLicense::new(APP, "laptop", "linux"))
        .unwrap();
    tenant.revoke_license(&license.jti, Some("lost")).unwrap();
    tenant.revoke_license(&license.jti, None).unwrap();
    let (_, revoked) = call(&nexa, "GET", "/api/licenses/revocations", "", "");
    assert!(revoked.to_string().contains(&license.jti), "{revoked}");
    let (_, events) = call(
        &nexa,
        "GET",
        "/api/audit/events",
        agent.api_key.expose(),
        "",
    );
    assert!(events.to_string().contains("machine"), "{events}");
}

#[test]
fn another_tenants_things_answer_as_what_is_missing() {
    let (nexa, _folder) = open();
    let [own, other] = ["Own", "Other"].map(|name| nexa.register_agent(name).unwrap().tenant_id);
    let (own, other) = (nexa.tenant(own), nexa.tenant(other));
    let key = other.create_key(NewKey::new("k")).unwrap();
    let license = other
        .issue_license(&NewLicense::new(APP, "laptop", "linux"))
        .unwrap();
    for id in [key.id.as_str(), license.jti.as_str(), "", "' OR 1=1 --"] {
        let missing = CallError::NotFound { noun: "API key" };
        assert_eq!(own.revoke_key(id).unwrap_err(), missing);
        assert_eq!(own.rotate_key(id, Duration::ZERO).unwrap_err(), missing);
        assert!(matches!(
            own.revoke_license(id, None),
            Err(CallError::NotFound { .. })
        ));
    }
    for id in ["", "nobody", "' OR 1=1 --"] {
        let missing = CallError::NotFound { noun: "Tenant" };
        assert_eq!(nexa.tenant(id).keys(None, 1).unwrap_err(), missing);
        assert_eq!(
            nexa.tenant(id).create_key(NewKey::new("k")).unwrap_err(),
            missing
        );
    }
    nexa.check_key(key.key.expose(), &Ask::new()).unwrap();
}

#[test]
fn a_tenant_that_is_switched_off_does_nothing_more() {
    let (nexa, _folder) = open();
    let operator = nexa.take_first_operator_key().unwrap();
    let agent = nexa.register_agent("Robot").unwrap();
    let tenant = nexa.tenant(&agent.tenant_id);
    let made = tenant.create_key(NewKey::new("k")).unwrap();
    nexa.check_key(made.key.expose(), &Ask::new()).unwrap();
    let path = format!("/api/operator/tenants/{}", agent.tenant_id);
    let (status, said) = call(
        &nexa,
        "PATCH",
        &path,
        operator.expose(),
        r#"{"enabled":false}"#,
    );
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(
        refusal(nexa.check_key(made.key.expose(), &Ask::new())),
        Some(Refusal::OwnerDisabled)
    );
    let missing = CallError::NotFound { noun: "Tenant" };
    assert_eq!(tenant.create_key(NewKey::new("k")).unwrap_err(), missing);
}

#[test]
fn a_field_that_does_not_hold_is_named() {
    let (nexa, _folder) = open();
    let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
    let key = || NewKey::new("k");
    for (new, expected) in [
        (NewKey::new(""), "name"),
        (NewKey::new("x".repeat(100_000)), "name"),
        (key().scopes(["no_such_scope"]), "scopes"),
        (key().scopes(Vec::<String>::new()), "scopes"),
        (key().expires_at(SystemTime::UNIX_EPOCH), "expires_at"),
        (
            key().rate_limit(0, Duration::from_secs(1)),
            "rate_limit.limit",
        ),
        (
            key().rate_limit(1, Duration::ZERO),
            "rate_limit.window_seconds",
        ),
        (
            key().rate_limit(1, Duration::MAX),
            "rate_limit.window_seconds",
        ),
        (key().remaining(u64::MAX), "remaining"),
        (key().allowed_ips(["nowhere"]), "allowed_ips[0]"),
    ] {
        match tenant.create_key(new.clone()) {
            Err(CallError::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{new:?}: {other:?}"),
        }
    }
    let made = tenant.create_key(key()).unwrap();
    let grace = tenant.rotate_key(&made.id, Duration::MAX).unwrap_err();
    assert!(matches!(grace, CallError::Invalid { field, .. } if field == "grace_seconds"));
    let new = NewLicense::new("no-such-app", "laptop", "linux");
    let app = tenant.issue_license(&new).unwrap_err();
    assert!(matches!(app, CallError::Invalid { field, .. } if field == "app_id"));
    let name = nexa.register_agent("x").unwrap_err();
    assert!(matches!(name, CallError::Invalid { field, .. } if field == "name"));
}

/// It neither keeps the folder open nor loses what it was sent.
#[test]
fn a_receiver_that_hangs_outlives_no_close() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nexa.toml");
    std::fs::write(&file, "[webhooks]\nallowed_hosts = [\"127.0.0.1\"]\n").unwrap();
    let open = || {
        let overrides = Overrides {
            data: Some(folder.path().join("data")),
            public_url: Some("https://keys.example.com".to_owned()),
            ..Overrides::default()
        };
        Nexa::open(Config::load(Some(&file), overrides).unwrap()).unwrap()
    };
    let nexa = open();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let agent = json!({ "name": "Agent", "webhook_url": url }).to_string();
    let (status, agent) = call(&nexa, "POST", "/v1/account/register", "", &agent);
    assert_eq!(status, 201, "{agent}");
    let (mut hanging, _) = receiver.accept().unwrap();
    let first = webhook_id(&hanging);
    let begun = Instant::now();
    nexa.close().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{begun:?}");
    // The folder is free although nothing has been answered yet, and nobody notes an answer any more.
    let nexa = open();
    let _ = hanging.write_all(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n");
    let (mut again, _) = receiver.accept().unwrap();
    assert_eq!(webhook_id(&again), first, "it is sent again");
    again
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    // What is answered in time is written down by a close.
    nexa.close().unwrap();
    let nexa = open();
    let key = agent["api_key"].as_str().unwrap();
    let (_, log) = call(&nexa, "GET", "/v1/account/webhooks/deliveries", key, "");
    assert_eq!(
        (&log[0]["id"], &log[0]["state"], &log[0]["attempts"]),
        (&json!(first), &json!("delivered"), &json!(1))
    );
}

/// Of the post that has come on a connection, whose rest stays unread.
fn webhook_id(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines();
    let named = |line: std::io::Result<String>| {
        let line = line.unwrap().to_ascii_lowercase();
        line.strip_prefix("webhook-id: ").map(str::to_owned)
    };
    lines.find_map(named).expect("an id")
}
