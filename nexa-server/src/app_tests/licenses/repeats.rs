//! Answers that are given again: for a day, whatever has changed since, and to nobody else.

use serde_json::{Value, json};

use super::super::START;
use super::{DAY_S, Shop, app, claims, with};
use crate::domain::idempotency::Attempt;
use crate::domain::sweep;
use crate::time::UnixMillis;

#[test]
fn an_answer_is_given_again_for_a_day_whatever_has_changed_since() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 1 })));
    let issue = "/api/licenses/issue";
    let body = r#"{"appId":"sdk","device":{"fingerprint":"f","platform":"linux"}}"#;
    let (status, is_replay, first) = shop.once(issue, "key-0001", body);
    assert_eq!((status, is_replay), (201, false), "{first}");
    let jti = claims(&serde_json::from_str(&first).unwrap())["jti"]
        .as_str()
        .unwrap()
        .to_owned();
    let respelt = "{ \"device\": {\"platform\":\"lin\\u0075x\", \"fingerprint\":\"f\"},\n \"appId\":\"sdk\" }";
    let again = (201, true, first.clone());
    assert_eq!(shop.once(issue, "key-0001", body), again);
    assert_eq!(shop.once(issue, "\"key-0001\"", respelt), again);
    // Another device has the seat, the policy has changed, the licence is revoked, the app is gone.
    let path = format!("/api/licenses/{jti}/revoke");
    assert_eq!(shop.ask("POST", &path, &json!({})).0, 200);
    shop.issued("g");
    shop.put(&with(
        app(),
        json!({ "devices": 1, "ttlDaysMin": 40, "ttlDaysDefault": 50 }),
    ));
    let operator = shop.operator.clone();
    assert_eq!(
        shop.fixture
            .send("DELETE", "/api/operator/apps/sdk", &operator, &Value::Null)
            .0,
        200
    );
    assert_eq!(shop.once(issue, "key-0001", body), again);
    // Another call is another one.
    let other = body.replace("linux", "macos");
    let (status, _, refused) = shop.once(issue, "key-0001", &other);
    assert_eq!(status, 422);
    assert!(refused.contains("idempotency_key_reused"), "{refused}");
    // To the millisecond, and then the key is free.
    shop.put(&app());
    shop.fixture.now = UnixMillis::from_ms(START.plus_seconds(DAY_S).ms() - 1);
    sweep::expired(&shop.fixture.app.services().store, shop.fixture.now).unwrap();
    assert_eq!(shop.once(issue, "key-0001", body), again);
    shop.after_days(1);
    let (status, is_replay, second) = shop.once(issue, "key-0001", &other);
    assert_eq!((status, is_replay), (201, false), "{second}");
    assert_ne!(second, first);
    shop.after_days(2);
    assert_eq!(shop.count("SELECT count(*) FROM idempotency_records"), 1);
    sweep::expired(&shop.fixture.app.services().store, shop.fixture.now).unwrap();
    assert_eq!(shop.count("SELECT count(*) FROM idempotency_records"), 0);
}

#[test]
fn a_refusal_is_not_kept_and_renewals_have_keys_of_their_own() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 1 })));
    let issue = "/api/licenses/issue";
    let body = |fingerprint: &str| {
        format!(
            r#"{{"appId":"sdk","device":{{"fingerprint":"{fingerprint}","platform":"linux"}}}}"#
        )
    };
    let first = shop.issued("f");
    assert_eq!(
        shop.once(issue, "key-0001", &body("g")).0,
        409,
        "no seat is free"
    );
    assert_eq!(shop.once(issue, "key-0001", "{}").0, 400);
    assert_eq!(shop.count("SELECT count(*) FROM idempotency_records"), 0);
    let revoke = format!("/api/licenses/{}/revoke", first["jti"].as_str().unwrap());
    assert_eq!(shop.ask("POST", &revoke, &json!({})).0, 200);
    let (status, is_replay, issued) = shop.once(issue, "key-0001", &body("g"));
    assert_eq!((status, is_replay), (201, false), "{issued}");
    let jti = claims(&serde_json::from_str(&issued).unwrap())["jti"].clone();
    let renew = |jti: &Value| format!("/api/licenses/{}/renew", jti.as_str().unwrap());
    let device = r#"{"device":{"fingerprint":"g"}}"#;
    let (status, is_replay, renewed) = shop.once(&renew(&jti), "key-0001", device);
    assert_eq!(
        (status, is_replay),
        (201, false),
        "another route: {renewed}"
    );
    assert_eq!(
        shop.once(&renew(&jti), "key-0001", device),
        (201, true, renewed)
    );
    assert_eq!(
        shop.once(&renew(&first["jti"]), "key-0001", device).0,
        422,
        "another licence"
    );
    assert_eq!(shop.count("SELECT count(*) FROM licenses"), 3);
    assert_eq!(
        shop.count("SELECT count(*) FROM idempotency_records WHERE answer LIKE '%.%.%' AND answer NOT LIKE '{%'"),
        0,
        "claims, no tokens"
    );
}

#[test]
fn another_users_key_shows_nobody_their_licence() {
    let mut shop = Shop::with(&app());
    let body = r#"{"appId":"sdk","device":{"fingerprint":"f","platform":"linux"}}"#;
    assert_eq!(shop.once("/api/licenses/issue", "key-0001", body).0, 201);
    shop.key = shop.key_of_another_user("owner");
    let (status, _, refused) = shop.once("/api/licenses/issue", "key-0001", body);
    assert_eq!(status, 422, "{refused}");
    assert!(!refused.contains("eyJ"), "{refused}");
}

#[test]
fn while_the_first_call_is_running_its_key_is_in_use() {
    let mut shop = Shop::with(&app());
    let (issue, body) = (
        "/api/licenses/issue",
        r#"{"appId":"sdk","device":{"fingerprint":"f","platform":"linux"}}"#,
    );
    let first = Attempt {
        route: issue,
        key: "key-0001".to_owned(),
        payload: [0; 32],
        status: 201,
    };
    let services = shop.fixture.app.services();
    // As if it never ended.
    std::mem::forget(services.running.begin(&shop.tenant_id, &first).unwrap());
    let (status, _, refused) = shop.once(issue, "key-0001", body);
    assert_eq!(status, 409, "{refused}");
    assert!(refused.contains("idempotency_key_in_use"), "{refused}");
    assert_eq!(shop.once(issue, "key-0002", body).0, 201);
    assert_eq!(shop.count("SELECT count(*) FROM licenses"), 1);
}

#[test]
fn an_erased_tenant_leaves_neither_devices_nor_answers() {
    let mut shop = Shop::with(&app());
    let body = r#"{"appId":"sdk","device":{"fingerprint":"f","platform":"linux","name":"box"}}"#;
    assert_eq!(shop.once("/api/licenses/issue", "key-0001", body).0, 201);
    for table in [
        "SELECT count(*) FROM devices",
        "SELECT count(*) FROM idempotency_records",
    ] {
        assert_eq!(shop.count(table), 1, "{table}");
    }
    let path = format!("/api/operator/tenants/{}", shop.tenant_id);
    let operator = shop.operator.clone();
    assert_eq!(
        shop.fixture
            .send("DELETE", &path, &operator, &Value::Null)
            .0,
        200
    );
    for table in [
        "SELECT count(*) FROM devices",
        "SELECT count(*) FROM idempotency_records",
    ] {
        assert_eq!(shop.count(table), 0, "{table}");
    }
    let (status, refused) = shop
        .fixture
        .send("PATCH", &path, &operator, &json!({ "plan": "pro" }));
    assert_eq!(status, 404, "{refused}");
}
