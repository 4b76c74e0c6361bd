//! What a tenant's programs are told, in the transaction of what happened, and what is announced of it.

use std::sync::{Arc, Mutex};

use super::*;
use crate::api::events::payload;
use crate::domain::events::{self, ToldEvent};
use crate::store::{Announcement, StoreError};

impl Fixture {
    /// All events of the tenant whose token that is, oldest first.
    fn events(&mut self, token: &str) -> Vec<ToldEvent> {
        let (_, me) = self.send("GET", "/api/auth/me", token, &Value::Null);
        let tenant_id = me["tenant"]["id"].as_str().unwrap().to_owned();
        let store = &self.app.services().store;
        store
            .read(|tx| events::after(tx, &tenant_id, 0, 100))
            .unwrap()
    }

    /// Collects what is announced from now on.
    fn announcements(&self) -> Arc<Mutex<Vec<Announcement>>> {
        let heard = Arc::<Mutex<Vec<_>>>::default();
        let hears = Arc::clone(&heard);
        self.app
            .services()
            .store
            .on_commit(move |announced| hears.lock().unwrap().extend_from_slice(announced));
        heard
    }
}

fn read(told: &ToldEvent) -> Value {
    serde_json::from_str(&payload(told).unwrap()).unwrap()
}

#[test]
fn what_happens_to_keys_and_licences_is_told_in_its_order() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (id, _) = fixture.make_key(&token, &json!({ "name": "first", "scopes": ["signals"] }));
    let path = format!("/api/v1/api-keys/{id}");
    let rotate = format!("{path}/rotate");
    let grace = json!({ "graceSeconds": 60 });
    let (status, rotated) = fixture.send("POST", &rotate, &token, &grace);
    assert_eq!(status, 200, "{rotated}");
    let (status, _) = fixture.send("DELETE", &path, &token, &Value::Null);
    assert_eq!(status, 200);
    let license =
        json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": "p" } });
    let (status, _) = fixture.send("POST", "/api/licenses/issue", &token, &license);
    assert_eq!(status, 201);
    let (_, listed) = fixture.send("GET", "/api/licenses", &token, &Value::Null);
    let jti = listed[0]["jti"].as_str().unwrap().to_owned();
    let revoke = format!("/api/licenses/{jti}/revoke");
    for _ in 0..2 {
        let reason = json!({ "reason": "lost" });
        let (status, _) = fixture.send("POST", &revoke, &token, &reason);
        assert_eq!(status, 200);
    }

    let told = fixture.events(&token);
    let shown: Vec<Value> = told.iter().map(read).collect();
    let types: Vec<&str> = (shown.iter())
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "key.created",
            "key.rotated",
            "key.revoked",
            "license.issued",
            "license.revoked"
        ]
    );
    let [created, rotated_event, revoked, issued, ended] = shown.as_slice() else {
        panic!("{shown:?}");
    };
    assert_eq!(created["data"]["key_id"], *id);
    assert_eq!(created["data"]["name"], "first");
    assert_eq!(created["timestamp"], START.to_rfc3339());
    assert_eq!(
        rotated_event["data"]["prefix"], rotated["prefix"],
        "that of the new value"
    );
    let until = START.plus_seconds(60).to_rfc3339();
    assert_eq!(rotated_event["data"]["old_value_until"], until);
    assert_eq!(revoked["data"]["reason"], "deleted");
    assert!(revoked["data"].get("found_at_url").is_none());
    assert_eq!(issued["data"]["jti"], *jti);
    assert_eq!(issued["data"]["app_id"], "agentyk-engine");
    assert_eq!(ended["data"]["reason"], "lost");
    let mut ids: Vec<&str> = told.iter().map(|told| told.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), told.len());
    assert!(told.is_sorted_by_key(|told| told.seq));
}

#[test]
fn an_announcement_is_heard_when_its_write_is_answered_and_of_no_other() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let heard = fixture.announcements();
    let (id, _) = fixture.make_key(&token, &json!({ "name": "k", "scopes": ["signals"] }));
    let made = std::mem::take(&mut *heard.lock().unwrap());
    assert!(
        matches!(made.as_slice(), [Announcement::Event { .. }]),
        "{made:?}"
    );
    let path = format!("/api/v1/api-keys/{id}");
    fixture.send("DELETE", &path, &token, &Value::Null);
    let deleted = std::mem::take(&mut *heard.lock().unwrap());
    let [
        Announcement::Event { tenant_id },
        Announcement::Weakened {
            tenant_id: Some(weakened),
        },
    ] = deleted.as_slice()
    else {
        panic!("{deleted:?}");
    };
    assert_eq!(tenant_id, weakened);

    let announce = |tx: &crate::store::Tx<'_>| {
        tx.announce(Announcement::Weakened { tenant_id: None });
    };
    let store = &fixture.app.services().store;
    let undone = store.write(move |tx| {
        announce(tx);
        Err::<(), _>(StoreError::NoRow)
    });
    assert!(undone.is_err());
    assert!(heard.lock().unwrap().is_empty(), "it was undone");
    store.on_commit(|_| panic!("a listener's bug"));
    let twice = store.write(move |tx| {
        announce(tx);
        announce(tx);
        Ok::<(), StoreError>(())
    });
    assert!(twice.is_ok(), "the writer goes on");
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[test]
fn a_disabled_tenant_is_told_nothing_and_old_events_go() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    fixture.make_key(&token, &json!({ "name": "k", "scopes": ["signals"] }));
    assert_eq!(fixture.events(&token).len(), 1);
    fixture.execute("UPDATE tenants SET state = 'disabled'");
    let heard = fixture.announcements();
    let store = fixture.app.services().store.clone();
    let tenant_id = store
        .read(|tx| tx.one("SELECT id FROM tenants", &[], |row| row.text(0)))
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    let disabled = tenant_id.clone();
    store
        .write(move |tx| {
            let event = events::Event::CreditsLow { left_mc: 1 };
            events::tell(tx, START, &disabled, &event)
        })
        .unwrap();
    let left = |store: &crate::store::Store| {
        store
            .read(|tx| events::after(tx, &tenant_id, 0, 100))
            .unwrap()
    };
    assert_eq!(left(&store).len(), 1);
    assert!(heard.lock().unwrap().is_empty());
    const DAY_S: i64 = 24 * 3600;
    for (days, count) in [(29, 1), (30, 0)] {
        crate::domain::sweep::expired(&store, START.plus_seconds(days * DAY_S)).unwrap();
        assert_eq!(left(&store).len(), count, "after {days} days");
    }
}
