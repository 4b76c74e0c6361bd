//! Seats under hands that want more of them, and parts of devices that are replaced.

use serde_json::{Value, json};

use super::super::START;
use super::{DAY_S, Shop, app, claims, with};

fn device(components: Value) -> Value {
    json!({ "platform": "linux", "components": components })
}

impl Shop {
    fn issue_for(&mut self, device: &Value) -> (u16, Value) {
        let body = json!({ "appId": "sdk", "device": device });
        self.ask("POST", "/api/licenses/issue", &body)
    }

    fn live(&self) -> i64 {
        self.count("SELECT count(*) FROM licenses WHERE revoked_at_ms IS NULL")
    }
}

#[test]
fn a_seat_is_for_what_its_tokens_are_bound_to() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 1 })));
    let both = json!({ "platform": "linux", "fingerprint": "one", "components": { "cpu": "c" } });
    let (status, refused) = shop.issue_for(&both);
    assert_eq!(status, 400);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("must not stand beside device.components")
    );
    let one = device(json!({ "fingerprint": "one", "cpu": "c" }));
    assert_eq!(shop.issue_for(&one).0, 201);
    assert_eq!(
        shop.issue_for(&device(json!({ "fingerprint": "one", "cpu": "d" })))
            .0,
        409
    );
}

#[test]
fn a_part_may_be_replaced_and_the_seat_stays() {
    let terms = json!({ "devices": 1, "devicePolicy": "most" });
    let mut shop = Shop::with(&with(app(), terms));
    let parts = |cpu: &str, disk: &str, board: &str| {
        device(json!({ "cpu": cpu, "disk": disk, "board": board }))
    };
    let (status, first) = shop.issue_for(&parts("c", "d", "b"));
    assert_eq!(status, 201, "{first}");
    let jti = claims(&first)["jti"].as_str().unwrap().to_owned();
    let renew = format!("/api/licenses/{jti}/renew");
    let new_disk = parts("c", "new", "b");
    assert_eq!(shop.issue_for(&new_disk).0, 201);
    let (status, renewed) = shop.ask("POST", &renew, &json!({ "device": new_disk }));
    assert_eq!(status, 201, "{renewed}");
    assert_eq!(shop.devices().len(), 1);

    // A seat does not wander: two new parts are two, one after the other too.
    let new_board = parts("c", "new", "new");
    assert_eq!(shop.issue_for(&new_board).0, 409);
    let (status, refused) = shop.ask("POST", &renew, &json!({ "device": new_board }));
    assert_eq!((status, &refused["code"]), (409, &json!("other_device")));
    assert_eq!(shop.issue_for(&parts("x", "d", "b")).0, 201);
    assert_eq!(shop.issue_for(&parts("x", "d", "y")).0, 409);

    // Without a live licence it is whatever it is then.
    shop.after_days(31);
    assert_eq!(shop.issue_for(&parts("x", "d", "y")).0, 201);
    assert_eq!(shop.issue_for(&parts("x", "d", "b")).0, 201);
    assert_eq!(shop.issue_for(&parts("c", "d", "b")).0, 409);
}

#[test]
fn the_policy_all_takes_no_replaced_part_and_another_tenants_parts_say_nothing() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 1, "devicePolicy": "all" })));
    assert_eq!(
        shop.issue_for(&device(json!({ "cpu": "c", "disk": "d" })))
            .0,
        201
    );
    assert_eq!(
        shop.issue_for(&device(json!({ "cpu": "c", "disk": "e" })))
            .0,
        409
    );
    assert_eq!(
        shop.issue_for(&device(json!({ "cpu": "c" }))).0,
        409,
        "nor one less"
    );
    let store = &shop.fixture.app.services().store;
    let moved =
        store.write(|tx| tx.execute("UPDATE device_components SET tenant_id = 'somebody'", &[]));
    assert_eq!(moved, Ok::<usize, crate::store::StoreError>(2));
    shop.put(&with(app(), json!({ "devices": 1, "devicePolicy": "any" })));
    assert_eq!(
        shop.issue_for(&device(json!({ "cpu": "c", "disk": "e" })))
            .0,
        409
    );
}

#[test]
fn a_smaller_plan_keeps_the_oldest_seats_and_the_others_run_out() {
    let plans = json!({ "devices": 2, "plans": { "pro": { "devices": 5 } } });
    let mut shop = Shop::with(&with(app(), plans));
    shop.set_plan(&json!("pro"));
    for n in 0..5 {
        shop.fixture.now = START.plus_seconds(n);
        shop.issued(&format!("d{n}"));
    }
    shop.set_plan(&Value::Null);
    for day in [1, 29, 45] {
        shop.after_days(day);
        let codes: Vec<u16> = (0..5).map(|n| shop.issue(&format!("d{n}")).0).collect();
        assert_eq!(codes, [201, 201, 409, 409, 409], "day {day}");
    }
    assert_eq!(shop.devices().len(), 2);
}

#[test]
fn what_is_issued_while_a_tenant_ends_is_revoked_with_the_rest() {
    let mut shop = Shop::with(&app());
    shop.fixture.now = START.plus_seconds(1);
    shop.issued("a");
    // The call that ends the tenant began a second earlier, or the clock has stepped back.
    shop.fixture.now = START;
    let path = format!("/api/operator/tenants/{}", shop.tenant_id);
    let operator = shop.operator.clone();
    let (status, _) = shop
        .fixture
        .send("PATCH", &path, &operator, &json!({ "enabled": false }));
    assert_eq!((status, shop.live()), (200, 0));
    shop.fixture.now = START.plus_seconds(2);
    let feed = shop
        .fixture
        .send("GET", "/api/licenses/revocations", "", &Value::Null);
    assert_eq!(feed.1.as_array().unwrap().len(), 1);
}

#[test]
fn a_member_ends_no_licence_of_others_by_releasing_a_device() {
    let mut shop = Shop::with(&app());
    let owner = shop.key.clone();
    let member = shop.key_of_another_user("member");
    shop.key.clone_from(&member);
    shop.issued("laptop");
    shop.key.clone_from(&owner);
    let body =
        json!({ "appId": "sdk", "device": { "fingerprint": "laptop", "platform": "other" } });
    assert_eq!(shop.ask("POST", "/api/licenses/issue", &body).0, 201);
    shop.key.clone_from(&member);
    let listed = shop.devices().swap_remove(0);
    assert_eq!(listed["platform"], "other", "an owner manages everybody's");
    let release = format!("/api/licenses/devices/{}", listed["id"].as_str().unwrap());
    assert_eq!(shop.ask("DELETE", &release, &Value::Null).0, 409);
    assert_eq!(shop.live(), 2);
    shop.key = owner;
    assert_eq!(shop.ask("DELETE", &release, &Value::Null).0, 200);
    assert_eq!(shop.live(), 0);

    // Nor does a member rename what is the owner's.
    shop.issued("desk");
    shop.key = member;
    let body = json!({ "appId": "sdk", "device": { "fingerprint": "desk", "platform": "mine", "name": "mine" } });
    assert_eq!(shop.ask("POST", "/api/licenses/issue", &body).0, 201);
    let named = shop.count("SELECT count(*) FROM devices WHERE platform = 'mine' OR name = 'mine'");
    assert_eq!(named, 0);
}

#[test]
fn a_device_has_a_thousand_live_licences_at_most() {
    let mut shop = Shop::with(&with(app(), json!({ "devices": 1 })));
    shop.issued("d");
    shop.fixture.app.services().store.write(|tx| {
        tx.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO licenses (jti, tenant_id, user_id, app_id, device_fingerprint, device_platform, issued_at_ms,
                 expires_at_ms, over_at_ms, device_id)
             SELECT jti || i, tenant_id, user_id, app_id, device_fingerprint, device_platform, issued_at_ms, expires_at_ms,
                 over_at_ms, device_id FROM n, licenses",
            &[],
        )
    }).map(|rows| assert_eq!(rows, 999)).unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"));
    assert_eq!(shop.issue("d").0, 409);
    let release = format!(
        "/api/licenses/devices/{}",
        shop.devices()[0]["id"].as_str().unwrap()
    );
    assert_eq!(shop.ask("DELETE", &release, &Value::Null).0, 200);
    assert_eq!((shop.live(), shop.issue("d").0), (0, 201));
}

#[test]
fn the_list_forgets_what_nobody_asks_about() {
    let terms = json!({ "freshHours": 24, "maxAgeDays": 10, "stale": "deny" });
    let mut shop = Shop::with(&with(app(), terms));
    let jti = shop.issued("a")["jti"].as_str().unwrap().to_owned();
    assert_eq!(
        shop.ask("POST", &format!("/api/licenses/{jti}/revoke"), &json!({}))
            .0,
        200
    );
    let mut listed = |seconds: i64| {
        shop.fixture.now = START.plus_seconds(seconds);
        let list = shop
            .fixture
            .send("GET", "/api/licenses/revocations", "", &Value::Null)
            .1;
        list.as_array().unwrap().len()
    };
    assert_eq!(
        listed(40 * DAY_S - 1),
        1,
        "its end, and how old data may be then"
    );
    assert_eq!(listed(40 * DAY_S), 0);
}

#[test]
fn licences_and_devices_are_listed_in_pages() {
    let mut shop = Shop::with(&app());
    let jtis: Vec<String> = (0..5)
        .map(|n| {
            shop.fixture.now = START.plus_seconds(n);
            let issued = shop.issued(&format!("d{n}"));
            issued["jti"].as_str().unwrap().to_owned()
        })
        .collect();
    for (path, id) in [("/api/licenses", "jti"), ("/api/licenses/devices", "id")] {
        let mut next = Some(format!("{path}?limit=2"));
        let mut found = Vec::new();
        while let Some(uri) = next {
            let request = hyper::Request::get(&uri).header("x-api-key", &shop.key);
            let request = request.body(hyper::body::Bytes::new()).unwrap();
            let answer = shop.fixture.call(&request, true).unwrap();
            let page: Vec<Value> = serde_json::from_slice(answer.body()).unwrap();
            assert!(page.len() <= 2);
            found.extend(
                page.iter()
                    .map(|item| item[id].as_str().unwrap().to_owned()),
            );
            let link = answer
                .headers()
                .get("link")
                .map(|link| link.to_str().unwrap());
            next = link.map(|link| {
                let uri = link.strip_prefix("<https://auth.example.com").unwrap();
                uri.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
            });
        }
        assert_eq!(found.len(), 5);
        assert!(found.is_sorted_by(|a, b| a > b), "newest first, each once");
        if id == "jti" {
            assert!(found.iter().rev().eq(&jtis));
        }
    }
}

#[test]
fn a_device_is_renewed_as_itself_though_another_is_as_alike() {
    let mut shop = Shop::with(&with(app(), json!({ "devicePolicy": "two" })));
    let parts = |board: &str, cpu: &str, disk: &str, mac: &str| {
        device(json!({ "board": board, "cpu": cpu, "disk": disk, "mac": mac }))
    };
    assert_eq!(shop.issue_for(&parts("a", "1", "1", "x")).0, 201);
    shop.fixture.now = START.plus_seconds(1);
    let (_, second) = shop.issue_for(&parts("a", "2", "2", "y"));
    let jti = claims(&second)["jti"].as_str().unwrap().to_owned();
    let drifted = parts("a", "2", "3", "x");
    let path = format!("/api/licenses/{jti}/renew");
    let (status, renewed) = shop.ask("POST", &path, &json!({ "device": drifted }));
    assert_eq!(status, 201, "{renewed}");
    let rows = "SELECT count(DISTINCT device_id) FROM licenses WHERE device_id =
        (SELECT device_id FROM licenses ORDER BY issued_at_ms LIMIT 1)";
    assert_eq!(shop.count(rows), 1);
    let of_second =
        "SELECT count(*) FROM licenses GROUP BY device_id ORDER BY count(*) DESC LIMIT 1";
    assert_eq!(shop.count(of_second), 2);
}

#[test]
fn a_part_that_many_devices_share_tells_none_of_them() {
    let mut shop = Shop::with(&with(
        app(),
        json!({ "devices": 200, "devicePolicy": "any" }),
    ));
    let parts = |n: u32| device(json!({ "os": "linux", "cpu": n.to_string() }));
    for n in 0..101 {
        shop.issue_for(&parts(n));
    }
    // While few have it, it is enough for this policy.
    assert_eq!(shop.devices().len(), 1);
    let mut shop = Shop::with(&with(
        app(),
        json!({ "devices": 200, "devicePolicy": "all" }),
    ));
    for n in 0..101 {
        assert_eq!(shop.issue_for(&parts(n)).0, 201);
    }
    shop.put(&with(
        app(),
        json!({ "devices": 101, "devicePolicy": "any" }),
    ));
    assert_eq!(shop.issue_for(&parts(500)).0, 409);
    let one = device(json!({ "os": "linux", "cpu": "7", "disk": "new" }));
    assert_eq!(shop.issue_for(&one).0, 201, "by what it has alone");
}
