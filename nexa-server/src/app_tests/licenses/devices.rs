//! Devices: what tells them apart, whose they are, and until when they have their seats.

use serde_json::{Value, json};

use super::super::START;
use super::{DAY_S, START_S, Shop, app, claims, with};
use crate::time::UnixMillis;

#[test]
fn a_device_has_its_seat_until_its_licences_are_over_or_revoked() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 2, "graceDays": 7 })));
    let first = shop.issued("a");
    shop.after_days(5);
    shop.issued("b");
    let (status, refused) = shop.issue("c");
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("device_limit_reached"))
    );
    let sentence = "All 2 devices for the app \"sdk\" are in use; release one with DELETE /api/licenses/devices/{id}, as GET \
                    /api/licenses/devices lists them";
    assert_eq!(refused["error"], sentence);
    assert_eq!(
        shop.issued("b")["exp"],
        START_S + 35 * DAY_S,
        "it has a seat"
    );
    let listed = shop.devices();
    assert_eq!(listed.len(), 2, "re-issue is no new device");
    assert_eq!(listed[1]["firstIssuedAt"], START.to_rfc3339());
    assert_eq!(
        listed[1]["expiresAt"],
        START.plus_seconds(30 * DAY_S).to_rfc3339()
    );
    shop.fixture.now = UnixMillis::from_ms((START_S + 37 * DAY_S) * 1000 - 1);
    assert_eq!(
        shop.issue("c").0,
        409,
        "the grace of the first one's licence runs"
    );
    shop.after_days(37);
    assert_eq!(shop.devices().len(), 1);
    let third = shop.issued("c");
    assert_eq!(shop.issue("a").0, 409, "it has lost its seat");
    // It may have expired, and still needs a seat.
    let path = format!("/api/licenses/{}/renew", first["jti"].as_str().unwrap());
    let device = json!({ "device": { "fingerprint": "a" } });
    assert_eq!(
        shop.ask("POST", &path, &device).1["code"],
        "device_limit_reached"
    );
    let revoke = format!("/api/licenses/{}/revoke", third["jti"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(shop.ask("POST", &revoke, &json!({})).0, 200);
    }
    let (status, renewed) = shop.ask("POST", &path, &device);
    assert_eq!(status, 201, "{renewed}");
    let renewed = claims(&renewed);
    assert_eq!(renewed["exp"], START_S + 67 * DAY_S);
    assert_ne!(renewed["jti"], first["jti"]);
    let platforms: Vec<Value> = shop
        .devices()
        .iter()
        .map(|d| d["platform"].clone())
        .collect();
    assert_eq!(platforms, ["linux", "linux"], "known from before");
    // A device whose licence is over may be released, and renewed all the same.
    shop.after_days(100);
    assert!(shop.devices().is_empty());
    let store = shop.fixture.app.services().store.clone();
    let deleted = store.write(|tx| tx.execute("DELETE FROM devices", &[]));
    assert_eq!(deleted, Ok::<usize, crate::store::StoreError>(3));
    assert_eq!(shop.ask("POST", &path, &device).0, 201);
    assert_eq!(shop.devices()[0]["platform"], "linux");
    let other = json!({ "device": { "fingerprint": "b" } });
    let (status, refused) = shop.ask("POST", &path, &other);
    assert_eq!((status, &refused["code"]), (409, &json!("other_device")));
}

#[test]
fn components_tell_a_device_and_its_policy_wants_enough_of_them() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 1, "devicePolicy": 2 })));
    let mut issue = |device: Value| {
        let body =
            json!({ "appId": "sdk", "device": with(json!({ "platform": "linux" }), device) });
        shop.ask("POST", "/api/licenses/issue", &body)
    };
    let few = "device.components: must be 2 or more for the app \"sdk\", not 1";
    for device in [
        json!({ "fingerprint": "f" }),
        json!({ "components": { "cpu": "1" } }),
    ] {
        let (status, refused) = issue(device);
        assert_eq!((status, refused["error"].as_str()), (400, Some(few)));
    }
    let (status, issued) = issue(json!({ "components": { "cpu": "1", "disk": "2" } }));
    assert_eq!(status, 201, "{issued}");
    let device = claims(&issued)["device"].clone();
    assert_eq!(device["policy"], 2);
    let kinds: Vec<&String> = device["components"].as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["cpu", "disk"]);
    assert_eq!(
        issue(json!({ "components": { "disk": "2", "cpu": "1" } })).0,
        201,
        "the order says nothing"
    );
    assert_eq!(
        issue(json!({ "components": { "cpu": "1", "disk": "3" } })).0,
        409
    );
    assert_eq!(
        issue(json!({ "components": { "cpu": "12", "disk": "" } })).0,
        400
    );
    let many: Value = (0..17)
        .map(|n| (n.to_string(), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (components, rule) in [
        (json!({}), "must be 1 to 16"),
        (many, "must be 1 to 16"),
        (
            json!({ "k".repeat(65): "v" }),
            "kinds must be 1 to 64 bytes long, without control characters, quotes and backslashes",
        ),
        (
            json!({ "a\"b": "v" }),
            "kinds must be 1 to 64 bytes long, without control characters, quotes and backslashes",
        ),
        (
            json!({ "cpu": "v".repeat(513) }),
            "values must be 1 to 512 bytes long",
        ),
    ] {
        let (status, refused) = issue(json!({ "components": components }));
        let expected = format!("device.components: {rule}");
        assert_eq!((status, refused["error"].as_str()), (400, Some(&*expected)));
    }
}

#[test]
fn a_device_is_whose_it_was_first_and_managers_see_all() {
    let mut shop = Shop::with(&app());
    let owner = shop.key.clone();
    let member = shop.key_of_another_user("member");
    let id = |device: &Value| device["id"].as_str().unwrap().to_owned();
    shop.issued("owner's");
    shop.key = member.clone();
    shop.issued("owner's");
    assert!(shop.devices().is_empty(), "it is another's");
    shop.issued("member's");
    let own = shop.devices();
    assert_eq!(own.len(), 1);
    shop.key = owner.clone();
    let all = shop.devices();
    assert_eq!(all.len(), 2);
    let path = |device: &Value| format!("/api/licenses/devices/{}", id(device));
    shop.key = member;
    assert_eq!(shop.ask("DELETE", &path(&all[1]), &Value::Null).0, 404);
    shop.key = owner;
    assert_eq!(shop.ask("DELETE", &path(&own[0]), &Value::Null).0, 200);
    assert_eq!(shop.devices(), all[1..]);
    assert_eq!(
        shop.count("SELECT count(*) FROM licenses WHERE revoked_at_ms IS NULL"),
        2
    );
}
