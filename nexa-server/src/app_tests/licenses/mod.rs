//! Licences by the clock and by plan: trials that end, seats that fall free.

mod repeats;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Fixture, START};
use crate::time::UnixMillis;

const DAY_S: i64 = 86_400;
const START_S: i64 = START.ms() / 1000;

/// An answer: status, whether it says that it is one once more, body.
type Answer = (u16, bool, String);

/// A server with an app of the operator's, and a key that outlasts sessions.
struct Shop {
    fixture: Fixture,
    operator: String,
    key: String,
    tenant_id: String,
}

impl Shop {
    fn with(app: &Value) -> Self {
        let mut fixture = Fixture::new();
        let operator = fixture.operator_key();
        let session = fixture.sign_up();
        let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
        let whole = json!({ "name": "k", "scopes": ["full_access"] });
        let (_, key) = fixture.make_key(&session, &whole);
        let mut shop = Self {
            tenant_id: me["tenant"]["id"].as_str().unwrap().to_owned(),
            fixture,
            operator,
            key,
        };
        shop.put(app);
        shop
    }

    fn put(&mut self, app: &Value) {
        let path = "/api/operator/apps/sdk";
        let (status, put) = self.fixture.send("PUT", path, &self.operator, app);
        assert_eq!(status, 200, "{put}");
    }

    fn set_plan(&mut self, plan: &Value) {
        let path = format!("/api/operator/tenants/{}", self.tenant_id);
        let change = json!({ "plan": plan });
        let (status, tenant) = self.fixture.send("PATCH", &path, &self.operator, &change);
        assert_eq!((status, &tenant["plan"]), (200, plan), "{tenant}");
    }

    fn after_days(&mut self, days: i64) {
        self.fixture.now = START.plus_seconds(days * DAY_S);
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let key = self.key.clone();
        self.fixture.send(method, path, &key, body)
    }

    fn issue(&mut self, fingerprint: &str) -> (u16, Value) {
        let device = json!({ "fingerprint": fingerprint, "platform": "linux" });
        let body = json!({ "appId": "sdk", "device": device });
        self.ask("POST", "/api/licenses/issue", &body)
    }

    /// The claims of a licence that is issued.
    fn issued(&mut self, fingerprint: &str) -> Value {
        let (status, issued) = self.issue(fingerprint);
        assert_eq!(status, 201, "{issued}");
        claims(&issued)
    }

    fn once(&mut self, path: &str, idempotency_key: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("x-api-key", &self.key)
            .header("idempotency-key", idempotency_key)
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        let response = self.fixture.call(&request, true).unwrap();
        let is_replay = response.headers().get("idempotency-replayed");
        (
            response.status().as_u16(),
            is_replay.is_some_and(|value| value == "true"),
            String::from_utf8(response.body().to_vec()).unwrap(),
        )
    }

    fn count(&self, sql: &'static str) -> i64 {
        let store = &self.fixture.app.services().store;
        let counted = store.read(|tx| tx.one(sql, &[], |row| row.int(0)));
        counted.unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"))
    }

    fn devices(&mut self) -> Vec<Value> {
        let (status, listed) = self.ask("GET", "/api/licenses/devices", &Value::Null);
        assert_eq!(status, 200, "{listed}");
        listed.as_array().unwrap().clone()
    }
}

fn claims(issued: &Value) -> Value {
    let token = issued["license"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn app() -> Value {
    json!({ "ttlDaysMin": 1, "ttlDaysMax": 90, "ttlDaysDefault": 30 })
}

fn with(mut app: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    app.as_object_mut().unwrap().extend(members);
    app
}

#[test]
fn a_token_says_what_its_tenants_plan_grants() {
    let mut shop = Shop::with(&with(
        app(),
        json!({
            "entitlements": ["export"], "limits": { "projects": 3 }, "graceDays": 7, "freshHours": 24, "maxAgeDays": 14,
            "stale": "warn", "renewDaysBeforeEnd": 1, "devicePolicy": "any",
            "plans": { "pro": { "entitlements": ["export", "sync"], "limits": { "projects": 100 }, "ttlDaysDefault": 60 },
                "bare": { "entitlements": [], "limits": {} } },
        }),
    ));
    let lic = |shop: &mut Shop| shop.issued("f")["lic"].clone();
    let base = json!({
        "entitlements": ["export"], "limits": { "projects": 3 }, "grace_s": 7 * DAY_S, "fresh_s": DAY_S,
        "max_age_s": 14 * DAY_S, "stale": "warn", "renew_after": START_S + 29 * DAY_S,
    });
    assert_eq!(lic(&mut shop), base);
    shop.set_plan(&json!("unknown to the app"));
    assert_eq!(lic(&mut shop), base);
    shop.set_plan(&json!("pro"));
    let pro = json!({
        "plan": "pro", "entitlements": ["export", "sync"], "limits": { "projects": 100 },
        "renew_after": START_S + 59 * DAY_S,
    });
    assert_eq!(lic(&mut shop), with(base.clone(), pro));
    shop.set_plan(&json!("bare"));
    let mut bare = with(base.clone(), json!({ "plan": "bare" }));
    bare.as_object_mut().unwrap().remove("entitlements");
    bare.as_object_mut().unwrap().remove("limits");
    assert_eq!(
        lic(&mut shop),
        bare,
        "nothing is something else than not said"
    );
    shop.set_plan(&Value::Null);
    assert_eq!(lic(&mut shop), base);
}

#[test]
fn a_trial_begins_once_and_ends_for_good() {
    let terms = json!({ "graceDays": 7, "entitlements": ["all"], "trial": { "days": 14, "devices": 2, "entitlements": ["some"] },
        "plans": { "pro": {} } });
    let mut shop = Shop::with(&with(app(), terms));
    let ends = START_S + 14 * DAY_S;
    let first = shop.issued("f");
    assert_eq!(first["exp"], ends, "30 days would be longer than the trial");
    assert_eq!(
        first["lic"],
        json!({ "entitlements": ["some"], "trial": true }),
        "no grace"
    );
    shop.after_days(10);
    assert_eq!(shop.issued("g")["exp"], ends);
    assert_eq!(shop.issue("h").1["code"], "device_limit_reached");
    // Whatever a tenant does, it goes on.
    for device in shop.devices() {
        let path = format!("/api/licenses/devices/{}", device["id"].as_str().unwrap());
        assert_eq!(shop.ask("DELETE", &path, &Value::Null).0, 200);
    }
    assert_eq!(shop.issued("h")["exp"], ends);
    shop.fixture.now = UnixMillis::from_ms((ends - 1) * 1000);
    assert_eq!(shop.issued("h")["exp"], ends);
    shop.fixture.now = UnixMillis::from_ms(ends * 1000);
    for fingerprint in ["f", "new"] {
        let (status, refused) = shop.issue(fingerprint);
        assert_eq!(
            (status, &refused["code"]),
            (402, &json!("trial_over")),
            "{refused}"
        );
        let sentence = "The trial of 14 days for the app \"sdk\" is over; a plan is needed";
        assert_eq!(refused["error"], sentence);
    }
    let renew = format!("/api/licenses/{}/renew", first["jti"].as_str().unwrap());
    let device = json!({ "device": { "fingerprint": "f" } });
    // Its device was released, which revoked it.
    assert_eq!(
        shop.ask("POST", &renew, &device).1["code"],
        "license_revoked"
    );
    for plan in ["pro", "unknown to the app"] {
        shop.set_plan(&json!(plan));
        let paid = shop.issued("f");
        assert_eq!(paid["exp"], ends + 30 * DAY_S);
        assert_eq!(paid["lic"]["trial"], Value::Null);
    }
    shop.set_plan(&Value::Null);
    assert_eq!(shop.issue("f").0, 402);
    // The app goes and comes again, and the trial does not.
    let operator = shop.operator.clone();
    let path = "/api/operator/apps/sdk";
    assert_eq!(
        shop.fixture.send("DELETE", path, &operator, &Value::Null).0,
        200
    );
    let gone = shop.issue("f");
    assert_eq!(
        (gone.0, &gone.1["error"]),
        (400, &json!("appId: is not an app of this server"))
    );
    shop.put(&with(app(), json!({ "trial": { "days": 14 } })));
    assert_eq!(shop.issue("f").0, 402);
}

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
    assert_eq!(listed[0]["firstIssuedAt"], START.to_rfc3339());
    assert_eq!(
        listed[0]["expiresAt"],
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
