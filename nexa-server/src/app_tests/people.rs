//! Mailed tokens, invitations, roles, and who gives way to whom.

use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::{Fixture, START, answer};
use crate::testing::SeededRng;

const SUCCESS: (u16, &str) = (200, r#"{"success":true}"#);
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;

impl Fixture {
    /// Registers and logs in; answers the access token.
    fn join(&mut self, email: &str, password: &str) -> String {
        let account = json!({ "email": email, "password": password, "tenantName": "T" });
        assert_eq!(self.send("POST", "/api/auth/register", "", &account).0, 201);
        self.enter(email, password).expect("it has just registered")
    }

    fn enter(&mut self, email: &str, password: &str) -> Option<String> {
        let body = json!({ "email": email, "password": password });
        let (status, tokens) = self.send("POST", "/api/auth/login", "", &body);
        (status == 200).then(|| tokens["accessToken"].as_str().unwrap().to_owned())
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, String) {
        let (status, answer) = self.send("POST", path, "", body);
        let shown = answer["code"]
            .as_str()
            .map_or_else(|| answer.to_string(), str::to_owned);
        (status, shown)
    }

    fn forgot(&mut self, email: &str) {
        let answer = self.post("/api/auth/forgot", &json!({ "email": email }));
        assert_eq!(answer, (SUCCESS.0, SUCCESS.1.to_owned()));
    }

    fn reset(&mut self, token: &str, password: &str) -> (u16, String) {
        self.post(
            "/api/auth/reset",
            &json!({ "token": token, "newPassword": password }),
        )
    }

    fn accept(&mut self, token: &str, password: &str) -> (u16, String) {
        self.post(
            "/api/auth/accept-invite",
            &json!({ "token": token, "password": password }),
        )
    }

    fn verify(&mut self, token: &str) -> (u16, String) {
        self.post("/api/auth/verify-email", &json!({ "token": token }))
    }

    fn invite(&mut self, session: &str, email: &str, role: &str) -> (u16, Value) {
        let body = json!({ "email": email, "role": role });
        self.send("POST", "/api/team/invite", session, &body)
    }

    /// Invites and accepts; answers the new member's access token.
    fn add_member(&mut self, session: &str, email: &str, role: &str) -> String {
        self.now = self.now.plus_seconds(1);
        self.send_mails();
        let (status, invite) = self.invite(session, email, role);
        assert_eq!(status, 201, "{invite}");
        let token = self.mailed_token();
        assert_eq!(self.accept(&token, "a member's horse").0, 201);
        self.enter(email, "a member's horse").unwrap()
    }

    fn id(&mut self, session: &str) -> String {
        let (_, me) = self.send("GET", "/api/auth/me", session, &Value::Null);
        me["user"]["id"].as_str().unwrap().to_owned()
    }

    fn set_role(&mut self, session: &str, id: &str, role: &str) -> (u16, Value) {
        let path = format!("/api/team/members/{id}");
        self.send("PATCH", &path, session, &json!({ "role": role }))
    }

    fn remove(&mut self, session: &str, id: &str) -> (u16, Value) {
        let path = format!("/api/team/members/{id}");
        self.send("DELETE", &path, session, &Value::Null)
    }

    /// Sends the same request `times` at once; answers the statuses, sorted.
    fn at_once(&self, times: u64, path: &str, body: &Value) -> Vec<u16> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let (app, now, request) = (&self.app, self.now, &request);
        let status = |response: Response<Bytes>| response.status().as_u16();
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..times)
                .map(|n| {
                    scope.spawn(move || {
                        let mut rng = SeededRng::new(50_000 + n);
                        answer(app, now, &mut rng, request, true)
                            .map(status)
                            .unwrap()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        statuses.sort_unstable();
        statuses
    }
}

fn success() -> (u16, String) {
    (SUCCESS.0, SUCCESS.1.to_owned())
}

fn dead() -> (u16, String) {
    (400, "invalid_mailed_token".to_owned())
}

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
fn whoever_squats_on_an_address_loses_it_to_a_reset() {
    let mut fixture = Fixture::new();
    let squatter = fixture.join("victim@example.com", "squatter's horse");
    let (_, key) = fixture.make_key(
        &squatter,
        &json!({ "name": "k", "scopes": ["full_access"] }),
    );
    fixture.send_mails();
    fixture.forgot("victim@example.com");
    let token = fixture.mailed_token();
    assert_eq!(fixture.reset(&token, "victim's horse"), success());
    for credential in [&squatter, &key] {
        assert_eq!(
            fixture
                .send("GET", "/api/auth/me", credential, &Value::Null)
                .0,
            401
        );
    }
    assert!(
        fixture
            .enter("victim@example.com", "squatter's horse")
            .is_none()
    );
    let session = fixture
        .enter("victim@example.com", "victim's horse")
        .unwrap();
    let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
    assert_eq!(me["user"]["emailVerified"], true);
}

#[test]
fn whoever_squats_on_an_address_loses_it_to_an_invitation() {
    let mut fixture = Fixture::new();
    let squatter = fixture.join("victim@example.com", "squatter's horse");
    let (_, key) = fixture.make_key(
        &squatter,
        &json!({ "name": "k", "scopes": ["full_access"] }),
    );
    let boss = fixture.join("boss@example.com", "boss's horse");
    fixture.send_mails();
    let (status, _) = fixture.invite(&boss, "Victim@Example.com", "admin");
    assert_eq!(status, 201, "whether the address is known is not said");
    let token = fixture.mailed_token();
    assert_eq!(fixture.accept(&token, "victim's horse").0, 201);
    for credential in [&squatter, &key] {
        assert_eq!(
            fixture
                .send("GET", "/api/auth/me", credential, &Value::Null)
                .0,
            401
        );
    }
    assert!(
        fixture
            .enter("victim@example.com", "squatter's horse")
            .is_none()
    );
    let session = fixture
        .enter("victim@example.com", "victim's horse")
        .unwrap();
    let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
    let (_, bosses) = fixture.send("GET", "/api/auth/me", &boss, &Value::Null);
    assert_eq!(me["tenant"]["id"], bosses["tenant"]["id"]);
    assert_eq!(
        (&me["user"]["role"], &me["user"]["emailVerified"]),
        (&json!("admin"), &json!(true))
    );
}

#[test]
fn the_team_of_a_squatter_goes_to_the_next_in_rank() {
    let mut fixture = Fixture::new();
    let squatter = fixture.join("victim@example.com", "squatter's horse");
    let member = fixture.add_member(&squatter, "first@example.com", "member");
    let admin = fixture.add_member(&squatter, "second@example.com", "admin");
    fixture.send_mails();
    fixture.invite(&squatter, "third@example.com", "admin");
    let from_squatter = fixture.mailed_token();
    let boss = fixture.join("boss@example.com", "boss's horse");
    fixture.send_mails();
    fixture.invite(&boss, "victim@example.com", "member");
    let token = fixture.mailed_token();
    assert_eq!(fixture.accept(&token, "victim's horse").0, 201);
    let role = |fixture: &mut Fixture, session: &str| {
        let (status, me) = fixture.send("GET", "/api/auth/me", session, &Value::Null);
        (status, me["user"]["role"].clone())
    };
    assert_eq!(role(&mut fixture, &squatter).0, 401);
    assert_eq!(role(&mut fixture, &admin), (200, json!("owner")));
    assert_eq!(role(&mut fixture, &member), (200, json!("member")));
    assert_eq!(fixture.accept(&from_squatter, "third's horse"), dead());
}

#[test]
fn one_address_is_one_user_however_many_accept_at_once() {
    let mut fixture = Fixture::new();
    let bosses =
        ["x@example.com", "y@example.com"].map(|email| fixture.join(email, "boss's horse"));
    fixture.send_mails();
    let mut tokens = Vec::new();
    for boss in &bosses {
        assert_eq!(fixture.invite(boss, "b@example.com", "member").0, 201);
        tokens.push(fixture.mailed_token());
    }
    let body = json!({ "token": tokens[0], "password": "another horse" });
    assert_eq!(
        fixture.at_once(6, "/api/auth/accept-invite", &body),
        [201, 400, 400, 400, 400, 400]
    );
    assert_eq!(
        fixture.accept(&tokens[1], "a third horse"),
        (409, "conflict".to_owned()),
        "the address is known to be somebody's now"
    );
    let (status, problem) = fixture.invite(&bosses[0], "b@example.com", "admin");
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("conflict")),
        "a member already"
    );
}

#[test]
fn withdrawn_and_replaced_invitations_and_those_of_nobody_are_dead() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    let admin = fixture.add_member(&owner, "admin@example.com", "admin");
    let admin_id = fixture.id(&admin);
    let invite = |fixture: &mut Fixture, session: &str, email: &str| {
        fixture.send_mails();
        let (status, made) = fixture.invite(session, email, "member");
        assert_eq!(status, 201, "{made}");
        (
            made["id"].as_str().unwrap().to_owned(),
            fixture.mailed_token(),
        )
    };
    let (_, replaced) = invite(&mut fixture, &owner, "b@example.com");
    let (id, withdrawn) = invite(&mut fixture, &owner, "B@example.com");
    let (status, listed) = fixture.send("GET", "/api/team/invites", &owner, &Value::Null);
    assert_eq!(
        (status, listed.as_array().unwrap().len()),
        (200, 1),
        "the newest of an address"
    );
    assert!(
        !listed.to_string().contains(&withdrawn),
        "never a token in a list"
    );
    let path = format!("/api/team/invites/{id}");
    assert_eq!(
        fixture.send("DELETE", &path, &owner, &Value::Null),
        (200, json!({ "success": true }))
    );
    assert_eq!(fixture.send("DELETE", &path, &owner, &Value::Null).0, 404);
    assert_eq!(fixture.accept(&replaced, "another horse"), dead());
    assert_eq!(fixture.accept(&withdrawn, "another horse"), dead());
    let (_, of_demoted) = invite(&mut fixture, &admin, "c@example.com");
    fixture.send_mails();
    assert_eq!(fixture.set_role(&owner, &admin_id, "member").0, 200);
    assert_eq!(
        fixture.accept(&of_demoted, "another horse"),
        dead(),
        "a member invites nobody"
    );
    assert_eq!(fixture.set_role(&owner, &admin_id, "admin").0, 200);
    let (_, of_removed) = invite(&mut fixture, &admin, "d@example.com");
    assert_eq!(
        fixture.remove(&owner, &admin_id),
        (200, json!({ "success": true }))
    );
    assert_eq!(fixture.accept(&of_removed, "another horse"), dead());
    let (_, listed) = fixture.send("GET", "/api/team/invites", &owner, &Value::Null);
    assert!(!listed.to_string().contains("d@example.com"), "{listed}");
}

#[test]
fn a_tenant_keeps_an_owner_and_admins_keep_off_owners() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    let admin = fixture.add_member(&owner, "admin@example.com", "admin");
    let member = fixture.add_member(&owner, "member@example.com", "member");
    let [owner_id, admin_id, member_id] =
        [&owner, &admin, &member].map(|session| fixture.id(session));
    for (session, id, role, status) in [
        (&owner, &owner_id, "admin", 409),
        (&owner, &owner_id, "member", 409),
        (&owner, &owner_id, "owner", 200),
        (&admin, &owner_id, "member", 403),
        (&admin, &admin_id, "owner", 403),
        (&admin, &member_id, "owner", 403),
        (&member, &member_id, "admin", 403),
        (&admin, &member_id, "admin", 200),
        (&admin, &member_id, "member", 200),
        (&owner, &member_id, "king", 400),
    ] {
        let (answered, problem) = fixture.set_role(session, id, role);
        assert_eq!(answered, status, "{role}: {problem}");
    }
    assert_eq!(
        fixture.remove(&owner, &owner_id).0,
        409,
        "the last owner cannot leave"
    );
    assert_eq!(fixture.remove(&admin, &owner_id).0, 403);
    assert_eq!(fixture.remove(&member, &admin_id).0, 403);
    assert_eq!(fixture.invite(&owner, "x@example.com", "owner").0, 400);
    assert_eq!(fixture.invite(&member, "x@example.com", "member").0, 403);
    let (_, listed) = fixture.send("GET", "/api/team/members", &member, &Value::Null);
    let roles: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["role"])
        .collect();
    assert_eq!(roles, ["member", "admin", "owner"], "newest first");
    assert_eq!(fixture.set_role(&owner, &admin_id, "owner").0, 200);
    assert_eq!(
        fixture.remove(&owner, &owner_id).0,
        200,
        "another owner is there"
    );
    assert_eq!(
        fixture.send("GET", "/api/auth/me", &owner, &Value::Null).0,
        401
    );
}

#[test]
fn two_owners_cannot_remove_each_other_at_once() {
    for round in 0..5 {
        let mut fixture = Fixture::new();
        let first = fixture.join("a@example.com", "correct horse");
        let second = fixture.add_member(&first, "b@example.com", "admin");
        let (first_id, second_id) = (fixture.id(&first), fixture.id(&second));
        assert_eq!(fixture.set_role(&first, &second_id, "owner").0, 200);
        let app = &fixture.app;
        let remove = |seed, session: &str, id: &str| {
            let path = format!("/api/team/members/{id}");
            super::status(app, seed, "DELETE", &path, session, &Value::Null)
        };
        let mut statuses = std::thread::scope(|scope| {
            let one = scope.spawn(|| remove(round * 2, &first, &second_id));
            let other = scope.spawn(|| remove(round * 2 + 1, &second, &first_id));
            [one.join().unwrap(), other.join().unwrap()]
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    }
}

#[test]
fn whoever_is_removed_loses_everything_at_once_and_may_come_back() {
    let mut fixture = Fixture::new();
    let owner = fixture.join("a@example.com", "correct horse");
    let member = fixture.add_member(&owner, "b@example.com", "member");
    let (_, key) = fixture.make_key(&member, &json!({ "name": "k", "scopes": ["full_access"] }));
    let device =
        json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": "linux" } });
    assert_eq!(
        fixture
            .send("POST", "/api/licenses/issue", &member, &device)
            .0,
        201
    );
    // A key in memory and a mail on its way are no way around it.
    assert_eq!(
        fixture.send("GET", "/api/auth/me", &key, &Value::Null).0,
        200
    );
    fixture.forgot("b@example.com");
    let reset = fixture.mailed_token();
    let id = fixture.id(&member);
    assert_eq!(fixture.remove(&owner, &id).0, 200);
    for credential in [&member, &key] {
        assert_eq!(
            fixture
                .send("GET", "/api/auth/me", credential, &Value::Null)
                .0,
            401
        );
    }
    assert_eq!(fixture.reset(&reset, "another horse"), dead());
    assert!(fixture.enter("b@example.com", "a member's horse").is_none());
    let (_, licenses) = fixture.send("GET", "/api/licenses", &owner, &Value::Null);
    assert_eq!(
        licenses[0]["revokedAt"],
        Value::Null,
        "the licence is the tenant's"
    );
    let path = format!(
        "/api/licenses/{}/revoke",
        licenses[0]["jti"].as_str().unwrap()
    );
    assert_eq!(fixture.send("POST", &path, &owner, &json!({})).0, 200);
    fixture.join("b@example.com", "another horse");
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
