//! Who registers an address that is not theirs gives way to whoever reads it.

use serde_json::{Value, json};

use super::super::Fixture;
use super::{dead, success};

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
fn whoever_came_by_a_squatter_is_nobody_in_particular_after_a_reset() {
    let mut fixture = Fixture::new();
    let squatter = fixture.join("victim@example.com", "squatter's horse");
    let accomplice = fixture.add_member(&squatter, "evil@example.com", "admin");
    let id = fixture.id(&accomplice);
    assert_eq!(fixture.set_role(&squatter, &id, "owner").0, 200);
    let (_, key) = fixture.make_key(
        &accomplice,
        &json!({ "name": "k", "scopes": ["full_access"] }),
    );
    assert_eq!(
        fixture
            .send("GET", "/api/team/invites", &key, &Value::Null)
            .0,
        200
    );
    fixture.send_mails();
    assert_eq!(
        fixture.invite(&squatter, "more@example.com", "admin").0,
        201
    );
    let invitation = fixture.mailed_token();
    fixture.forgot("victim@example.com");
    let token = fixture.mailed_token();
    assert_eq!(fixture.reset(&token, "victim's horse"), success());
    assert_eq!(fixture.accept(&invitation, "more horses"), dead());
    for credential in [&accomplice, &key] {
        let (status, _) = fixture.send("GET", "/api/team/invites", credential, &Value::Null);
        assert_eq!(status, 403, "a plain member, in memory too");
    }
    let victim = fixture
        .enter("victim@example.com", "victim's horse")
        .unwrap();
    assert_eq!(fixture.remove(&victim, &id).0, 200);
}

#[test]
fn what_a_tenant_issued_goes_on_when_its_owner_never_owned_the_address() {
    let mut fixture = Fixture::new();
    let holder = fixture.join("victim@example.com", "holder's horse");
    let device =
        json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": "linux" } });
    assert_eq!(
        fixture
            .send("POST", "/api/licenses/issue", &holder, &device)
            .0,
        201
    );
    let boss = fixture.join("boss@example.com", "boss's horse");
    fixture.send_mails();
    fixture.invite(&boss, "victim@example.com", "member");
    let token = fixture.mailed_token();
    assert_eq!(fixture.accept(&token, "victim's horse").0, 201);
    let (_, feed) = fixture.send("GET", "/api/licenses/revocations", "", &Value::Null);
    assert_eq!(feed, json!([]), "sessions and keys end, licences stand");
}

#[test]
fn nobody_invites_in_the_name_of_an_address_that_may_be_anothers() {
    let mut fixture = Fixture::new();
    let boss = fixture.join("ceo@example.com", "boss's horse");
    let verification = fixture.mailed_token();
    fixture.invite(&boss, "a@example.com", "member");
    fixture.send_mails();
    assert!(
        !fixture.last_mail().1.contains("ceo@"),
        "{}",
        fixture.last_mail().1
    );
    assert_eq!(fixture.verify(&verification), success());
    fixture.invite(&boss, "b@example.com", "member");
    fixture.send_mails();
    assert!(
        fixture.last_mail().1.contains("invites you"),
        "{}",
        fixture.last_mail().1
    );
    let statuses: Vec<u16> = (0..5)
        .map(|_| fixture.invite(&boss, "b@example.com", "member").0)
        .collect();
    assert_eq!(
        statuses,
        [201, 201, 201, 201, 429],
        "five an hour to one address"
    );
}
