//! Licences by the clock and by plan: what a plan grants, and trials that end.

mod credentials;
mod devices;
mod repeats;
mod seats;

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
        Self::on(Fixture::new(), app)
    }

    fn on(mut fixture: Fixture, app: &Value) -> Self {
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
        assert!(matches!(status, 200 | 201), "{put}");
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

    /// A key of one more user of the tenant.
    fn key_of_another_user(&mut self, role: &'static str) -> String {
        let whole = json!({ "name": "k", "scopes": ["full_access"] });
        let (id, key) = {
            let own = self.key.clone();
            self.fixture.make_key(&own, &whole)
        };
        let store = &self.fixture.app.services().store;
        let given = store.write(move |tx| -> Result<_, crate::store::StoreError> {
            tx.execute(
                "INSERT INTO users (id, tenant_id, role, state, session_version, created_at_ms)
                 SELECT 'somebody', tenant_id, ?1, 'active', 1, 1 FROM users LIMIT 1",
                &[role.into()],
            )?;
            tx.execute(
                "UPDATE api_keys SET user_id = 'somebody' WHERE id = ?1",
                &[(&id).into()],
            )
        });
        assert_eq!(given.unwrap(), 1);
        key
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
fn whoever_has_no_other_plan_has_the_one_that_costs_nothing() {
    // The sample configuration sells a plan `free` for nothing.
    let terms = json!({ "entitlements": ["base"], "trial": { "days": 14 }, "plans": { "pro": { "entitlements": ["all"] } } });
    let mut shop = Shop::with(&with(app(), terms.clone()));
    let lic = |shop: &mut Shop| shop.issued("f")["lic"].clone();
    let trial = json!({ "entitlements": ["base"], "trial": true });
    assert_eq!(lic(&mut shop), trial, "this app knows no such plan");
    let mut named = terms.clone();
    named["plans"]["free"] =
        json!({ "entitlements": ["some"], "devices": 1, "devicePolicy": "any" });
    shop.put(&with(app(), named));
    let free = json!({ "plan": "free", "entitlements": ["some"] });
    assert_eq!(lic(&mut shop), free);
    assert_eq!(shop.issue("g").1["code"], "device_limit_reached");
    shop.after_days(20);
    assert_eq!(lic(&mut shop), free, "it does not end");
    let jti = shop.issued("f")["jti"].as_str().unwrap().to_owned();
    let renew = format!("/api/licenses/{jti}/renew");
    let device = json!({ "device": { "fingerprint": "f" } });
    let (status, renewed) = shop.ask("POST", &renew, &device);
    assert_eq!(status, 201, "{renewed}");
    assert_eq!(claims(&renewed)["lic"], free);
    shop.set_plan(&json!("pro"));
    let pro = json!({ "plan": "pro", "entitlements": ["all"] });
    assert_eq!(lic(&mut shop), pro);
    shop.set_plan(&json!("another"));
    assert_eq!(lic(&mut shop), json!({ "entitlements": ["base"] }));
    shop.set_plan(&Value::Null);
    assert_eq!(lic(&mut shop), free);
    // Agents register as often as they like.
    let registration = json!({ "name": "an agent" });
    let path = "/v1/account/register";
    let (_, agent) = shop.fixture.send("POST", path, "", &registration);
    shop.key = agent["api_key"].as_str().unwrap().to_owned();
    assert_eq!(lic(&mut shop), trial);
}
