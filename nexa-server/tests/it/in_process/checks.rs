//! Checks in process: from many threads, out of memory, and judged as everywhere else.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use nexa_server::{Ask, CallError, KeyEnvironments, NewKey, Refusal};
use proptest::prelude::*;
use serde_json::json;

use super::{LOCAL, call, open, refusal};

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
