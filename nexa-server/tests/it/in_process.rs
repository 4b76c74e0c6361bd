//! The library's second front door: a data folder open in this process, with and without a server of one's own.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame};
use hyper::{Request, Response, StatusCode};
use nexa_core::PlainKey;
use nexa_server::{
    Ask, CallError, CheckError, Config, KeyEnvironments, NewKey, NewLicense, Nexa, OpenError,
    Overrides, Refusal, Server,
};
use proptest::prelude::*;
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

#[test]
fn no_check_passes_once_a_revocation_has_answered_on_any_of_eight_threads() {
    let (nexa, _folder) = open();
    let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
    for _ in 0..10 {
        let made = tenant.create_key(NewKey::new("k")).unwrap();
        let (key, is_revoked) = (made.key.expose(), AtomicBool::new(false));
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..1_000 {
                        let was_revoked = is_revoked.load(Ordering::SeqCst);
                        let has_passed = nexa.check_key(key, &Ask::new()).is_ok();
                        assert!(!(was_revoked && has_passed));
                    }
                });
            }
            tenant.revoke_key(&made.id).unwrap();
            is_revoked.store(true, Ordering::SeqCst);
        });
        assert!(nexa.check_key(key, &Ask::new()).is_err());
    }
}

#[test]
fn a_key_has_its_uses_and_no_more_on_eight_threads() {
    let (nexa, _folder) = open();
    let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
    for new in [
        NewKey::new("k").remaining(20),
        NewKey::new("k").rate_limit(20, Duration::from_secs(3600)),
    ] {
        let made = tenant.create_key(new).unwrap();
        let passed: usize = std::thread::scope(|threads| {
            let workers: Vec<_> = (0..8)
                .map(|_| {
                    threads.spawn(|| {
                        let checks = (0..5).map(|_| nexa.check_key(made.key.expose(), &Ask::new()));
                        checks.filter(Result::is_ok).count()
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        assert_eq!(passed, 20);
    }
}

#[test]
fn memory_answers_what_it_knows_and_counts_nothing_else() {
    let (nexa, _folder) = open();
    let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
    let plain = tenant.create_key(NewKey::new("k")).unwrap().key;
    assert!(nexa.try_check_key(plain.expose(), &Ask::new()).is_none());
    nexa.check_key(plain.expose(), &Ask::new()).unwrap();
    nexa.try_check_key(plain.expose(), &Ask::new())
        .unwrap()
        .unwrap();
    let numbered = tenant
        .create_key(NewKey::new("k").remaining(2))
        .unwrap()
        .key;
    assert_eq!(
        nexa.check_key(numbered.expose(), &Ask::new())
            .unwrap()
            .remaining(),
        Some(1)
    );
    assert!(nexa.try_check_key(numbered.expose(), &Ask::new()).is_none());
    let free = Ask::new().cost(0);
    assert_eq!(
        nexa.check_key(numbered.expose(), &free)
            .unwrap()
            .remaining(),
        Some(1)
    );
    let dear = refusal(nexa.check_key(numbered.expose(), &Ask::new().cost(2)));
    assert_eq!(dear, Some(Refusal::UsedUp { left: 1 }));
}

/// What can be different about a key and about the question.
fn cases() -> impl Strategy<Value = (Vec<&'static str>, bool, bool, Vec<&'static str>, u8, u8)> {
    let scopes = || {
        let known = vec!["signals", "agents", "positions", "full_access"];
        proptest::sample::subsequence(known, 0..=2)
    };
    (
        scopes(),
        any::<bool>(),
        any::<bool>(),
        scopes(),
        0..3_u8,
        0..3_u8,
    )
}

#[test]
fn a_key_is_judged_alike_in_process_over_http_and_by_verify() {
    let (nexa, _folder) = open();
    let operator = nexa.take_first_operator_key().unwrap();
    let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
    let mut seen = BTreeSet::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(150));
    let judged = std::cell::RefCell::new(&mut seen);
    runner
        .run(
            &cases(),
            |(held, is_test, is_bound, wanted, environment, address)| {
                let mut new = NewKey::new("k");
                if !held.is_empty() {
                    new = new.scopes(held);
                }
                if is_test {
                    new = new.test();
                }
                if is_bound {
                    new = new.allowed_ips(["192.0.2.0/24"]);
                }
                let made = tenant.create_key(new).unwrap();
                let environments = [
                    KeyEnvironments::Live,
                    KeyEnvironments::Test,
                    KeyEnvironments::Any,
                ];
                let names = ["live", "test", "any"];
                let address: Option<IpAddr> = [
                    None,
                    Some([192, 0, 2, 7].into()),
                    Some([198, 51, 100, 7].into()),
                ][usize::from(address)];
                let mut ask = Ask::new().environments(environments[usize::from(environment)]);
                for scope in &wanted {
                    ask = ask.scope(scope.parse().unwrap());
                }
                if let Some(address) = address {
                    ask = ask.address(address);
                }
                let in_process = match refusal(nexa.check_key(made.key.expose(), &ask)) {
                    None => "valid",
                    Some(Refusal::AddressNotAllowed) => "address_not_allowed",
                    Some(Refusal::WrongEnvironment) => "wrong_environment",
                    Some(Refusal::ScopeMissing(_)) => "insufficient_scope",
                    Some(other) => panic!("{other:?}"),
                };
                judged.borrow_mut().insert(in_process);
                let body = json!({
                    "key": made.key.expose(), "scopes": wanted, "address": address,
                    "environment": names[usize::from(environment)],
                });
                let path = "/api/v1/api-keys/verify";
                let (status, verdict) =
                    call(&nexa, "POST", path, operator.expose(), &body.to_string());
                prop_assert_eq!(status, StatusCode::OK);
                prop_assert_eq!(&verdict["code"], in_process);
                // Forward authorization takes live keys where it is asked by scope alone.
                if environment == 0 && !wanted.is_empty() {
                    let request =
                        Request::get(format!("/api/authorize?scope={}", wanted.join("%20")))
                            .header("x-api-key", made.key.expose())
                            .body(Bytes::new())
                            .unwrap();
                    let peer = address.unwrap_or(LOCAL);
                    let passed = nexa.call(peer, request).status() == StatusCode::OK;
                    prop_assert_eq!(passed, in_process == "valid");
                }
                Ok(())
            },
        )
        .unwrap();
    let expected = [
        "address_not_allowed",
        "insufficient_scope",
        "valid",
        "wrong_environment",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn no_bytes_are_a_key() {
    let (nexa, _folder) = open();
    let made = nexa.register_agent("Robot").unwrap().api_key;
    let key = made.expose();
    nexa.check_key(key, &Ask::new()).unwrap();
    let huge = "n".repeat(4 << 20);
    for wrong in [
        b"".as_slice(),
        b"\xff\xfe",
        b"\0",
        &key.as_bytes()[1..],
        &key.as_bytes()[..key.len() - 1],
        format!("{key} ").as_bytes(),
        format!("{key}\n").as_bytes(),
        key.to_uppercase().as_bytes(),
        huge.as_bytes(),
    ] {
        assert_eq!(
            refusal(nexa.check_key(wrong, &Ask::new())),
            Some(Refusal::NotFound)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_decide_on_a_request_of_ones_own() {
    let (nexa, _folder) = open();
    let made = tokio::task::block_in_place(|| {
        let tenant = nexa.tenant(nexa.register_agent("Robot").unwrap().tenant_id);
        let make = |scope: &str| {
            tenant
                .create_key(NewKey::new("k").scopes([scope]))
                .unwrap()
                .key
        };
        [make("signals"), make("agents")]
    });
    let [signals, agents] = &made;
    let both = [
        ("x-api-key", signals.expose()),
        ("authorization", &format!("Bearer {}", agents.expose())),
    ];
    let own = |key: &'static str, value| vec![(key, value)];
    for (path, headers, expected) in [
        ("/api/v1/trading-signals", vec![], 401),
        (
            "/api/v1/trading-signals",
            own("x-api-key", signals.expose()),
            200,
        ),
        (
            "/api/v1/trading-signals?q=1",
            own("x-api-key", signals.expose()),
            200,
        ),
        (
            "/api/v1/trading-signals",
            own("x-api-key", agents.expose()),
            403,
        ),
        ("/api/v1/trading-signals", both.to_vec(), 400),
        (
            "/api/v1//trading-signals",
            own("x-api-key", signals.expose()),
            400,
        ),
        (
            "/api/v1/x/../trading-signals",
            own("x-api-key", signals.expose()),
            400,
        ),
        ("/no/rule", own("x-api-key", signals.expose()), 403),
        // What headers say of another request says nothing here.
        (
            "/no/rule",
            vec![
                ("x-api-key", signals.expose()),
                ("x-original-uri", "/api/v1/trading-signals"),
                ("x-original-method", "GET"),
            ],
            403,
        ),
    ] {
        let mut request = Request::get(path);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        // Once past the store, and once out of memory.
        for _ in 0..2 {
            let status = match nexa.authorize(LOCAL, &head).await {
                Ok(Some(_)) => 200,
                Ok(None) => panic!("{path} is not public"),
                Err(refused) => refused.into_response().status().as_u16(),
            };
            assert_eq!(status, expected, "{path} {headers:?}");
        }
    }
}

#[test]
fn an_access_token_holds_as_long_as_its_session() {
    let (nexa, _folder) = open();
    let body =
        json!({ "email": "a@example.com", "password": "correct horse", "tenantName": "Acme" });
    let (status, said) = call(&nexa, "POST", "/api/auth/register", "", &body.to_string());
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let (_, session) = call(&nexa, "POST", "/api/auth/login", "", &body.to_string());
    let token = session["accessToken"].as_str().unwrap();
    let member = nexa.check_access_token(token).unwrap();
    assert_eq!(member.role, nexa_server::MemberRole::Owner);
    let refresh = json!({ "refreshToken": session["refreshToken"] }).to_string();
    let (status, said) = call(&nexa, "POST", "/api/auth/logout", token, &refresh);
    assert_eq!(status, StatusCode::OK, "{said}");
    for wrong in [token, "", "a.b.c", &"x".repeat(1 << 20)] {
        match nexa.check_access_token(wrong) {
            Err(CallError::Refused { code, .. }) => assert_eq!(code, "invalid_token"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_body_over_the_limit_is_refused_without_a_socket_too() {
    let (nexa, _folder) = open();
    let body = "x".repeat(9_000_000);
    let (status, said) = call(&nexa, "POST", "/api/auth/login", "", &body);
    assert_eq!(
        (status, &said["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );
}

/// A body that breaks whoever reads it.
struct Panics;

impl hyper::body::Body for Panics {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("on purpose")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_panics_spoils_nothing_for_the_others() {
    let (nexa, _folder) = open();
    let peer = SocketAddr::new(LOCAL, 1);
    // More than there are places on the blocking pool.
    for _ in 0..300 {
        let nexa = nexa.clone();
        let request = Request::post("/api/auth/login").body(Panics).unwrap();
        assert!(
            tokio::spawn(async move { nexa.handle(peer, request).await })
                .await
                .is_err()
        );
    }
    let request = Request::get("/api/licenses/revocations").body(Full::new(Bytes::new()));
    assert_eq!(
        nexa.handle(peer, request.unwrap()).await.status(),
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mounted_it_streams_and_refuses_as_the_listener_does() {
    let (nexa, _folder) = open();
    let peer = SocketAddr::new(LOCAL, 1);
    let agent = tokio::task::block_in_place(|| nexa.register_agent("Robot").unwrap());
    let request = |path: &str, body: String| {
        Request::builder()
            .method(if body.is_empty() { "GET" } else { "POST" })
            .uri(path)
            .header("x-api-key", agent.api_key.expose())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    };
    let export = nexa
        .handle(peer, request("/api/account/export", String::new()))
        .await;
    assert_eq!(export.status(), StatusCode::OK);
    let streamed = export.into_body().collect().await.unwrap().to_bytes();
    let gathered = call(
        &nexa,
        "GET",
        "/api/account/export",
        agent.api_key.expose(),
        "",
    )
    .1;
    let streamed: Value = serde_json::from_slice(&streamed).unwrap();
    assert_eq!(streamed["tenant"], gathered["tenant"]);
    assert!(streamed["tenant"].is_object(), "{streamed}");
    let huge = request("/api/v1/api-keys", "x".repeat(9_000_000));
    assert_eq!(
        nexa.handle(peer, huge).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let missing = nexa.handle(peer, request("/nowhere", String::new())).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_when_it_closes_ends_and_what_comes_later_is_refused() {
    let (nexa, folder) = open();
    let peer = SocketAddr::new(LOCAL, 1);
    let register = |nexa: Nexa, name: String| async move {
        let body = json!({ "name": name }).to_string();
        let request = Request::post("/v1/account/register")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)));
        let response: Response<_> = nexa.handle(peer, request.unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let said: Value = serde_json::from_slice(&body).unwrap();
        (status, said["api_key"].as_str().map(str::to_owned))
    };
    let first = register(nexa.clone(), "Robot first".to_owned()).await;
    assert_eq!(first.0, StatusCode::CREATED);
    let calls: Vec<_> = (0..15)
        .map(|n| tokio::spawn(register(nexa.clone(), format!("Robot {n}"))))
        .collect();
    let closing = nexa.clone();
    tokio::task::spawn_blocking(move || closing.close())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        register(nexa.clone(), "Late".to_owned()).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let mut acknowledged = vec![first.1.unwrap()];
    for call in calls {
        match call.await.unwrap() {
            (StatusCode::CREATED, Some(key)) => acknowledged.push(key),
            (status, key) => assert_eq!((status, key), (StatusCode::SERVICE_UNAVAILABLE, None)),
        }
    }
    tokio::task::spawn_blocking(move || {
        drop(nexa);
        let nexa = Nexa::open(config(folder.path())).unwrap();
        for key in acknowledged {
            nexa.check_key(key, &Ask::new()).unwrap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_port_shares_its_folder_with_calls_in_process() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(config(folder.path())).await.unwrap();
    let (nexa, address) = (server.nexa().clone(), server.address());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(server.run(async { drop(stopped.await) }));
    tokio::task::spawn_blocking(move || {
        let agent = nexa.register_agent("Robot").unwrap();
        let listed = ureq::get(format!("http://{address}/api/v1/api-keys"))
            .header("x-api-key", agent.api_key.expose())
            .call()
            .unwrap();
        assert_eq!(listed.status(), 200);
        drop(stop);
    })
    .await
    .unwrap();
    served.await.unwrap().unwrap();
}

#[test]
fn it_may_be_shared_by_threads_and_closed_inside_a_runtime() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let (nexa, _folder) = open();
    shared(&nexa);
    shared(&nexa.tenant("t"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async move { nexa.close().unwrap() });
}
