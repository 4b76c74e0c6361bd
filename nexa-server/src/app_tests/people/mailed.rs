//! Mailed tokens: once, for a while, the newest; and the mails that carry them.

use serde_json::{Value, json};

use super::super::{Fixture, START};
use super::{HOUR_S, MINUTE_S, dead, success};

#[test]
fn a_verification_works_once_within_a_day() {
    let mut fixture = Fixture::new();
    let session = fixture.join("a@example.com", "correct horse");
    let verified = |fixture: &mut Fixture| {
        let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
        me["user"]["emailVerified"].clone()
    };
    let first = fixture.mailed_token();
    assert_eq!(verified(&mut fixture), false, "logging in works before");
    assert_eq!(
        fixture
            .send(
                "POST",
                "/api/auth/resend-verification",
                &session,
                &Value::Null
            )
            .0,
        200
    );
    let second = fixture.mailed_token();
    assert_eq!(fixture.verify(&first), dead(), "the newest counts");
    assert_eq!(
        fixture.reset(&second, "another horse"),
        dead(),
        "it resets nothing"
    );
    assert_eq!(fixture.verify(&second), success());
    assert_eq!(verified(&mut fixture), true);
    assert_eq!(fixture.verify(&second), dead());
    assert_eq!(
        fixture
            .send(
                "POST",
                "/api/auth/resend-verification",
                &session,
                &Value::Null
            )
            .0,
        200
    );
    assert_eq!(
        fixture.send_mails(),
        0,
        "there is nothing to verify any more"
    );
}

#[test]
fn mailed_tokens_end_to_the_second() {
    for (path, lasts_s) in [("reset", 30 * MINUTE_S), ("verify-email", 24 * HOUR_S)] {
        for (after_s, is_alive) in [(lasts_s - 1, true), (lasts_s, false)] {
            let mut fixture = Fixture::new();
            fixture.join("a@example.com", "correct horse");
            if path == "reset" {
                fixture.send_mails();
                fixture.forgot("a@example.com");
            }
            let token = fixture.mailed_token();
            fixture.now = START.plus_seconds(after_s);
            let body = json!({ "token": token, "newPassword": "another horse" });
            let (status, _) = fixture.post(&format!("/api/auth/{path}"), &body);
            assert_eq!(status == 200, is_alive, "{path} after {after_s} s");
        }
    }
    for (after_s, status) in [(7 * 24 * HOUR_S - 1, 201), (7 * 24 * HOUR_S, 400)] {
        let mut fixture = Fixture::new();
        let session = fixture.join("a@example.com", "correct horse");
        fixture.send_mails();
        assert_eq!(fixture.invite(&session, "b@example.com", "member").0, 201);
        let token = fixture.mailed_token();
        fixture.now = START.plus_seconds(after_s);
        assert_eq!(
            fixture.accept(&token, "another horse").0,
            status,
            "after {after_s} s"
        );
    }
}

#[test]
fn a_reset_works_once_whoever_is_first_and_ends_every_session() {
    let mut fixture = Fixture::new();
    let session = fixture.join("a@example.com", "correct horse");
    let verification = fixture.mailed_token();
    fixture.verify(&verification);
    let (_, key) = fixture.make_key(&session, &json!({ "name": "k", "scopes": ["full_access"] }));
    fixture.forgot("A@Example.COM");
    let older = fixture.mailed_token();
    fixture.forgot("a@example.com");
    let token = fixture.mailed_token();
    assert_eq!(
        fixture.reset(&older, "another horse"),
        dead(),
        "the newest counts"
    );
    for password in ["short", "password1"] {
        assert_eq!(
            fixture.reset(&token, password),
            (400, "invalid_field".to_owned())
        );
    }
    let body = json!({ "token": token, "newPassword": "another horse" });
    let statuses = fixture.at_once(10, "/api/auth/reset", &body);
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(
        fixture
            .send("GET", "/api/auth/me", &session, &Value::Null)
            .0,
        401
    );
    assert_eq!(
        fixture.send("GET", "/api/auth/me", &key, &Value::Null).0,
        200,
        "a verified owner's keys stay"
    );
    assert!(fixture.enter("a@example.com", "correct horse").is_none());
    assert!(fixture.enter("a@example.com", "another horse").is_some());
    assert_eq!(fixture.reset(&token, "a third horse"), dead());
}

#[test]
fn a_known_address_hears_of_a_second_registration_and_nobody_else_does() {
    let mut fixture = Fixture::new();
    fixture.join("a@example.com", "correct horse");
    assert_eq!(fixture.send_mails(), 1);
    let again = json!({ "email": "A@EXAMPLE.com", "password": "another horse", "tenantName": "B" });
    for expected in [1, 1, 1, 1, 0] {
        let (status, answer) = fixture.send("POST", "/api/auth/register", "", &again);
        assert_eq!((status, answer), (201, json!({ "success": true })));
        assert_eq!(
            fixture.send_mails(),
            expected,
            "five an hour, the first registration among them"
        );
    }
    let (to, text) = fixture.last_mail();
    assert_eq!(
        to, "a@example.com",
        "to the address that is kept, not to another spelling"
    );
    assert!(!text.contains("token="), "{text}");
}

#[test]
fn a_mail_that_cannot_be_sent_is_tried_again_and_given_up_after_a_day() {
    let mut fixture = Fixture::new();
    fixture.join("a@example.com", "correct horse");
    fixture.send_mails();
    fixture.forgot("a@example.com");
    fixture.mailer.break_down(true);
    assert_eq!(fixture.send_mails(), 0);
    fixture.now = START.plus_seconds(9);
    fixture.mailer.break_down(false);
    assert_eq!(fixture.send_mails(), 0, "ten seconds");
    fixture.now = START.plus_seconds(10);
    let token = fixture.mailed_token();
    assert_eq!(fixture.reset(&token, "another horse"), success());
    fixture.send_mails();
    fixture.forgot("a@example.com");
    fixture.mailer.break_down(true);
    for hour in 0..25 {
        fixture.now = START.plus_seconds(10 + hour * HOUR_S);
        fixture.send_mails();
    }
    fixture.mailer.break_down(false);
    fixture.now = START.plus_seconds(30 * HOUR_S);
    assert_eq!(fixture.send_mails(), 0, "nobody waits for it any more");
}

#[test]
fn asking_for_mail_is_limited_by_account_in_every_spelling() {
    let mut fixture = Fixture::new();
    let session = fixture.join("a@example.com", "correct horse");
    let mut ask = |email: &str| {
        fixture
            .post("/api/auth/forgot", &json!({ "email": email }))
            .0
    };
    for spelling in [
        "a@example.com",
        "A@example.com",
        "a@EXAMPLE.com",
        "A@Example.Com",
    ] {
        assert_eq!(ask(spelling), 200);
    }
    for _ in 0..5 {
        assert_eq!(ask("nobody@example.com"), 200);
    }
    assert_eq!(ask("Nobody@example.com"), 429, "alike for an unknown one");
    assert_eq!(
        fixture
            .send(
                "POST",
                "/api/auth/resend-verification",
                &session,
                &Value::Null
            )
            .0,
        200
    );
    assert_eq!(
        fixture
            .send(
                "POST",
                "/api/auth/resend-verification",
                &session,
                &Value::Null
            )
            .0,
        429
    );
    assert_eq!(
        fixture
            .post("/api/auth/forgot", &json!({ "email": "a@example.com" }))
            .0,
        429
    );
}

#[test]
fn asking_for_mail_is_limited_by_address_whoever_it_is_for() {
    let mut fixture = Fixture::new();
    let mut ask = |n: usize| {
        let body = json!({ "email": format!("{n}@example.com") });
        fixture.post("/api/auth/forgot", &body).0
    };
    let statuses: Vec<u16> = (0..31).map(&mut ask).collect();
    assert_eq!(statuses[..30], [200; 30]);
    assert_eq!(statuses[30], 429);
}

#[test]
fn a_verification_works_once_whoever_is_first() {
    let mut fixture = Fixture::new();
    fixture.join("a@example.com", "correct horse");
    let body = json!({ "token": fixture.mailed_token() });
    let statuses = fixture.at_once(8, "/api/auth/verify-email", &body);
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

#[test]
fn guesses_at_mailed_tokens_are_limited_by_address() {
    let mut fixture = Fixture::new();
    let body = json!({ "token": "nxm_guess", "newPassword": "another horse", "password": "another horse" });
    for path in ["/api/auth/reset", "/api/auth/accept-invite"] {
        fixture.now = fixture.now.plus_seconds(HOUR_S);
        let statuses: Vec<u16> = (0..21).map(|_| fixture.post(path, &body).0).collect();
        assert_eq!(statuses[..20], [400; 20], "{path}");
        assert_eq!(statuses[20], 429, "{path}");
    }
}

#[test]
fn what_was_mailed_to_whoever_is_disabled_is_dead_for_good() {
    for what in ["users", "tenants"] {
        let mut fixture = Fixture::new();
        let session = fixture.join("a@example.com", "correct horse");
        let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
        let id = match what {
            "users" => &me["user"]["id"],
            _ => &me["tenant"]["id"],
        };
        let path = format!("/api/operator/{what}/{}", id.as_str().unwrap());
        let verification = fixture.mailed_token();
        fixture.forgot("a@example.com");
        let token = fixture.mailed_token();
        let operator = fixture.operator_key();
        for enabled in [false, true] {
            let switched = fixture.send("PATCH", &path, &operator, &json!({ "enabled": enabled }));
            assert_eq!(switched.0, 200);
            assert_eq!(fixture.reset(&token, "another horse"), dead(), "{what}");
            assert_eq!(fixture.verify(&verification), dead(), "{what}");
        }
        fixture.forgot("a@example.com");
        let token = fixture.mailed_token();
        assert_eq!(fixture.reset(&token, "another horse"), success());
    }
}
