//! What was found where others can read it: what programs are told of it.

use nexa_core::KeyDigest;

use super::*;
use crate::api::events::payload;
use crate::domain::events;
use crate::domain::leaks::{self, Found};

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
