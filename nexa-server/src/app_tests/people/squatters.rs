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
