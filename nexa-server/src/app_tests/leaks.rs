//! What was found where others can read it: what programs are told of it, and where agents are written to.

use nexa_core::KeyDigest;

use super::*;
use crate::api::events::payload;
use crate::domain::events;
use crate::domain::leaks::{self, Found};
use crate::job;

const URL: &str = "https://github.com/octocat/Hello-World/blob/1234/.env";

impl Fixture {
    /// As a report does that has been checked.
    fn leak(&self, found: Found) {
        let now = self.now;
        let origin = Origin {
            principal: Principal::Anyone,
            address: None,
        };
        let found = [(found, Some(URL.to_owned()))];
        let store = &self.app.services().store;
        let ended = store.write(move |tx| leaks::end(tx, now, &origin, &found));
        assert!(ended.is_ok(), "{:?}", ended.err());
    }

    fn leak_key(&self, key: &Value) {
        self.leak(Found::Key(vec![digest(key)]));
    }

    fn agent_at(&mut self, contact: Option<&str>) -> Value {
        let body = json!({ "name": "Robot", "contact_email": contact });
        let (status, agent) = self.send("POST", "/v1/account/register", "", &body);
        assert_eq!(status, 201, "{agent}");
        agent
    }

    /// The addresses and texts of the mails that go out now.
    fn letters(&mut self) -> Vec<(String, String)> {
        job::tick(self.app.services(), self.now);
        let sent = self.send_mails();
        let mut all = self.mailer.sent();
        all.split_off(all.len() - sent)
    }

    /// What the only tenant's programs were told last.
    fn last_event(&self) -> Value {
        let store = &self.app.services().store;
        let told = store.read(|tx| {
            let tenant_id = tx.one("SELECT id FROM tenants", &[], |row| row.text(0))?;
            events::after(tx, &tenant_id, 0, 100)
        });
        let told: Result<_, crate::domain::Error> = told;
        serde_json::from_str(&payload(told.unwrap().last().unwrap()).unwrap()).unwrap()
    }
}

fn digest(plain: &Value) -> KeyDigest {
    KeyDigest::of(plain.as_str().unwrap().as_bytes())
}

#[test]
fn programs_are_told_of_a_replaced_value_that_leaked() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (id, old) = fixture.make_key(&token, &json!({ "name": "ci", "scopes": ["signals"] }));
    let rotate = format!("/api/v1/api-keys/{id}/rotate");
    let grace = json!({ "graceSeconds": 600 });
    let (status, rotated) = fixture.send("POST", &rotate, &token, &grace);
    assert_eq!(status, 200, "{rotated}");
    let before = fixture.last_event();
    assert_eq!(before["type"], "key.rotated");
    assert!(before["data"].get("reason").is_none(), "{before}");

    fixture.leak_key(&json!(old));
    let told = fixture.last_event();
    assert_ne!(told["id"], before["id"]);
    assert_eq!(told["type"], "key.rotated");
    let data = &told["data"];
    assert_eq!(
        (&data["key_id"], &data["prefix"], &data["old_value_until"]),
        (&json!(id), &rotated["prefix"], &Value::Null)
    );
    assert_eq!(
        (&data["reason"], &data["found_at_url"]),
        (&json!("leaked"), &json!(URL))
    );
    fixture.leak_key(&json!(old));
    assert_eq!(fixture.last_event(), told, "once");

    fixture.leak_key(&rotated["key"]);
    let told = fixture.last_event();
    assert_eq!(
        (&told["type"], &told["data"]["reason"]),
        (&json!("key.revoked"), &json!("leaked"))
    );
}

#[test]
fn an_agent_is_written_to_where_it_says_that_it_can_be_reached() {
    let mut fixture = Fixture::new();
    let silent = fixture.agent_at(None);
    fixture.leak_key(&silent["api_key"]);
    assert_eq!(fixture.letters(), []);

    let agent = fixture.agent_at(Some("Dev@example.com"));
    let key = agent["api_key"].as_str().unwrap();
    let (_, second) = fixture.make_key(key, &json!({ "name": "second", "scopes": ["signals"] }));
    fixture.leak_key(&json!(second));
    let letters = fixture.letters();
    let [(to, text)] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    assert_eq!(to, "Dev@example.com");
    assert!(
        ["second", &second[..8], URL]
            .iter()
            .all(|part| text.contains(part))
            && !text.contains(&second),
        "{text}"
    );
    assert!(!text.contains("log in"), "an agent has no log-in: {text}");

    let secret = &agent["api_secret"];
    let found = fixture
        .app
        .services()
        .store
        .read(|tx| crate::store::agents::tenant_of_secret(tx, &digest(secret).to_bytes()));
    let found = Found::Secret {
        tenant_id: found.unwrap().unwrap(),
        digest: digest(secret),
    };
    fixture.leak(found.clone());
    fixture.leak(found);
    let letters = fixture.letters();
    let [(to, text)] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    assert_eq!(to, "Dev@example.com");
    assert!(
        text.contains("\"api_secret\"") && text.contains("nxs_"),
        "{text}"
    );

    // It goes to the address that is given then, or nowhere.
    let (_, third) = fixture.make_key(key, &json!({ "name": "third", "scopes": ["signals"] }));
    fixture.leak_key(&json!(third));
    let none = json!({ "contact_email": null });
    let (status, answer) = fixture.send("PUT", "/v1/account/info", key, &none);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(fixture.letters(), []);
}

/// Anybody may name anybody's address, as often as agents can be registered, and publish as many keys as they can make.
#[test]
fn an_address_that_nobody_has_verified_is_not_flooded() {
    let mut fixture = Fixture::new();
    let key_at = |fixture: &mut Fixture, contact| {
        let agent = fixture.agent_at(Some(contact));
        agent["api_key"].as_str().unwrap().to_owned()
    };
    let one = key_at(&mut fixture, "victim@example.com");
    let other = key_at(&mut fixture, "Victim@EXAMPLE.com");
    let third = key_at(&mut fixture, "somebody-else@example.com");
    let leak = |fixture: &mut Fixture, key: &str, count| {
        for _ in 0..count {
            let (_, plain) = fixture.make_key(key, &json!({ "name": "k", "scopes": ["signals"] }));
            fixture.leak_key(&json!(plain));
        }
        fixture.letters().len()
    };
    assert_eq!(leak(&mut fixture, &one, 4), 4);
    fixture.now = START.plus_seconds(3600);
    assert_eq!(leak(&mut fixture, &other, 20), 6);
    assert_eq!(leak(&mut fixture, &one, 1), 0);
    assert_eq!(leak(&mut fixture, &third, 1), 1, "another address");

    // Naming another address meanwhile, or erasing the agent, makes no room.
    let moved = json!({ "contact_email": "moved@example.com" });
    let (status, answer) = fixture.send("PUT", "/v1/account/info", &one, &moved);
    assert_eq!(status, 200, "{answer}");
    let operator = fixture.operator_key();
    let (_, agent) = fixture.send("GET", "/v1/account/info", &other, &Value::Null);
    let path = format!("/api/operator/tenants/{}", agent["id"].as_str().unwrap());
    let (status, answer) = fixture.send("DELETE", &path, &operator, &Value::Null);
    assert!(matches!(status, 200 | 202), "{answer}");
    let next = key_at(&mut fixture, "victim@example.com");
    assert_eq!(leak(&mut fixture, &next, 1), 0);

    fixture.now = START.plus_seconds(24 * 3600 - 1);
    assert_eq!(leak(&mut fixture, &next, 1), 0);
    fixture.now = START.plus_seconds(24 * 3600);
    assert_eq!(leak(&mut fixture, &next, 20), 4);
    fixture.now = START.plus_seconds(25 * 3600);
    assert_eq!(leak(&mut fixture, &next, 20), 6);

    // And what counts no more is forgotten.
    let counted = |fixture: &Fixture| {
        let store = &fixture.app.services().store;
        let count = |tx: &crate::store::Tx<'_>| {
            tx.one("SELECT count(*) FROM contact_letters", &[], |row| {
                row.int(0)
            })
        };
        store.read(count).unwrap()
    };
    assert_eq!(counted(&fixture), 10);
    fixture.now = START.plus_seconds(49 * 3600);
    fixture.letters();
    assert_eq!(counted(&fixture), 0);
}

/// A mail server that is down makes no letter count twice.
#[test]
fn a_letter_that_is_tried_again_counts_once() {
    let mut fixture = Fixture::new();
    let agent = fixture.agent_at(Some("Dev@example.com"));
    let key = agent["api_key"].as_str().unwrap();
    fixture.mailer.break_down(true);
    for _ in 0..10 {
        let (_, plain) = fixture.make_key(key, &json!({ "name": "k", "scopes": ["signals"] }));
        fixture.leak_key(&json!(plain));
    }
    assert_eq!(fixture.letters().len(), 0);
    fixture.mailer.break_down(false);
    fixture.now = START.plus_seconds(60);
    assert_eq!(fixture.letters().len(), 10);
}
