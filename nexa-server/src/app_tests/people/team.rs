//! Invitations, roles, and the end of a membership.

use serde_json::{Value, json};

use super::super::Fixture;
use super::dead;

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
            super::super::status(app, seed, "DELETE", &path, session, &Value::Null)
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
fn one_address_joins_one_of_two_teams_that_want_it_at_once() {
    for round in 0..5 {
        let mut fixture = Fixture::new();
        let bosses =
            ["x@example.com", "y@example.com"].map(|email| fixture.join(email, "boss's horse"));
        fixture.send_mails();
        let tokens = bosses.each_ref().map(|boss| {
            assert_eq!(fixture.invite(boss, "b@example.com", "member").0, 201);
            fixture.mailed_token()
        });
        let accept = |seed: u64, token: &str| {
            let body = json!({ "token": token, "password": "another horse" });
            let path = "/api/auth/accept-invite";
            super::super::status(
                &fixture.app,
                900 + round * 2 + seed,
                "POST",
                path,
                "x",
                &body,
            )
        };
        let mut statuses = std::thread::scope(|scope| {
            let one = scope.spawn(|| accept(0, &tokens[0]));
            let other = scope.spawn(|| accept(1, &tokens[1]));
            [one.join().unwrap(), other.join().unwrap()]
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
}

#[test]
fn invitations_of_whoever_is_disabled_are_dead_for_good() {
    for what in ["users", "tenants"] {
        let mut fixture = Fixture::new();
        let session = fixture.join("a@example.com", "correct horse");
        let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
        let id = match what {
            "users" => &me["user"]["id"],
            _ => &me["tenant"]["id"],
        };
        let path = format!("/api/operator/{what}/{}", id.as_str().unwrap());
        fixture.send_mails();
        fixture.invite(&session, "b@example.com", "admin");
        let token = fixture.mailed_token();
        let operator = fixture.operator_key();
        for enabled in [false, true] {
            let switched = fixture.send("PATCH", &path, &operator, &json!({ "enabled": enabled }));
            assert_eq!(switched.0, 200);
            assert_eq!(fixture.accept(&token, "another horse"), dead(), "{what}");
        }
    }
}

#[test]
fn whoever_is_no_owner_demotes_nobody_by_a_reset() {
    let mut fixture = Fixture::new();
    let founder = fixture.join("a@example.com", "correct horse");
    let other = fixture.add_member(&founder, "b@example.com", "admin");
    let (founder_id, other_id) = (fixture.id(&founder), fixture.id(&other));
    assert_eq!(fixture.set_role(&founder, &other_id, "owner").0, 200);
    assert_eq!(fixture.set_role(&other, &founder_id, "member").0, 200);
    fixture.send_mails();
    fixture.forgot("a@example.com");
    let token = fixture.mailed_token();
    assert_eq!(fixture.reset(&token, "another horse").0, 200);
    let (_, me) = fixture.send("GET", "/api/auth/me", &other, &Value::Null);
    assert_eq!(me["user"]["role"], "owner");
}

#[test]
fn licences_that_are_issued_after_enabling_again_stand() {
    let mut fixture = Fixture::new();
    let session = fixture.join("a@example.com", "correct horse");
    let device =
        json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": "linux" } });
    assert_eq!(
        fixture
            .send("POST", "/api/licenses/issue", &session, &device)
            .0,
        201
    );
    let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
    let tenant_id = me["tenant"]["id"].as_str().unwrap().to_owned();
    // As after a crash: disabled, and nothing revoked yet.
    let now = fixture.now;
    let origin = crate::domain::audit::Origin {
        principal: crate::domain::principal::Principal::Machine,
        address: None,
    };
    let tariff = std::sync::Arc::clone(&fixture.app.services().tariff);
    let disabled = fixture.app.services().store.write(move |tx| {
        for is_enabled in [false, true] {
            crate::domain::accounts::enable_tenant(
                tx, now, &origin, &tariff, &tenant_id, is_enabled,
            )
            .map(drop)?;
        }
        Ok::<(), crate::domain::Error>(())
    });
    assert!(disabled.is_ok());
    fixture.now = fixture.now.plus_seconds(1);
    let session = fixture.enter("a@example.com", "correct horse").unwrap();
    assert_eq!(
        fixture
            .send("POST", "/api/licenses/issue", &session, &device)
            .0,
        201
    );
    crate::job::errands::go_on(fixture.app.services(), fixture.now);
    let (_, licenses) = fixture.send("GET", "/api/licenses", &session, &Value::Null);
    let revoked: Vec<bool> = licenses
        .as_array()
        .unwrap()
        .iter()
        .map(|license| !license["revokedAt"].is_null())
        .collect();
    assert_eq!(revoked, [false, true], "newest first");
}

#[test]
fn a_disabled_tenant_has_its_licences_revoked_in_any_number() {
    let mut fixture = Fixture::new();
    let session = fixture.join("a@example.com", "correct horse");
    let other = fixture.join("b@example.com", "correct horse");
    let mut device =
        json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": "linux" } });
    for (session, count) in [(&session, 1_100), (&other, 1)] {
        for n in 0..count {
            // A device has a thousand at most.
            device["device"]["fingerprint"] = json!(format!("f{}", n % 2));
            assert_eq!(
                fixture
                    .send("POST", "/api/licenses/issue", session, &device)
                    .0,
                201
            );
        }
    }
    let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
    let path = format!(
        "/api/operator/tenants/{}",
        me["tenant"]["id"].as_str().unwrap()
    );
    let operator = fixture.operator_key();
    let disabled = fixture.send("PATCH", &path, &operator, &json!({ "enabled": false }));
    assert_eq!(disabled.0, 200);
    let (_, feed) = fixture.send("GET", "/api/licenses/revocations", "", &Value::Null);
    assert_eq!(feed.as_array().unwrap().len(), 1_100);
}
