//! `/api/operator/apps`, and the plans of tenants

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

fn call(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    server
        .request(method, path)
        .key(&server.operator_key())
        .header("Content-Type", "application/json")
        .body(&body.to_string())
        .send()
}

fn terms(more: Value) -> Value {
    let mut terms = json!({ "ttlDaysMin": 30, "ttlDaysMax": 90, "ttlDaysDefault": 30 });
    let more = more.as_object().unwrap().clone();
    terms.as_object_mut().unwrap().extend(more);
    terms
}

fn issue(server: &Server, token: &str, app: &str) -> Answer {
    let body = json!({ "appId": app, "device": { "fingerprint": "f", "platform": "linux" } });
    server
        .post("/api/licenses/issue", &body.to_string())
        .bearer(token)
        .send()
}

#[test]
fn an_app_is_put_shown_replaced_and_deleted() {
    let server = Server::start();
    let token = server.sign_up("apps@example.com");
    let path = "/api/operator/apps/sdk";
    assert_eq!(call(&server, "GET", path, &Value::Null).status, 404);
    assert_eq!(call(&server, "DELETE", path, &Value::Null).status, 404);
    assert_eq!(issue(&server, &token, "sdk").status, 400);
    let whole = terms(json!({
        "devices": 3, "entitlements": ["export"], "limits": { "projects": 10, "a b": 0 }, "graceDays": 7, "freshHours": 24,
        "maxAgeDays": 14, "stale": "deny", "renewDaysBeforeEnd": 7, "devicePolicy": "most",
        "trial": { "days": 14, "devices": 1, "entitlements": [], "limits": { "projects": 1 } },
        "plans": { "pro": { "devices": 10, "devicePolicy": 2 }, "bare": {} },
    }));
    let put = call(&server, "PUT", path, &whole);
    assert_eq!(put.status, 201, "{}", put.text);
    let mut expected = whole.clone();
    expected["id"] = json!("sdk");
    expected["source"] = json!("operator");
    for shown in [put, call(&server, "GET", path, &Value::Null)] {
        assert_eq!(shown.json, expected);
    }
    let listed = call(&server, "GET", "/api/operator/apps", &Value::Null).json;
    let sources: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|app| (&app["id"], &app["source"]))
        .collect();
    assert_eq!(
        sources,
        [
            (&json!("agentyk-engine"), &json!("configuration")),
            (&json!("sdk"), &json!("operator"))
        ]
    );
    assert_eq!(issue(&server, &token, "sdk").status, 201);
    assert_eq!(call(&server, "PUT", path, &terms(json!({}))).status, 200);
    let replaced = call(&server, "GET", path, &Value::Null);
    assert_eq!(
        replaced.json,
        terms(json!({ "id": "sdk", "source": "operator" })),
        "whole"
    );
    let declared = "/api/operator/apps/agentyk-engine";
    for (method, body) in [("PUT", terms(json!({}))), ("DELETE", Value::Null)] {
        let refused = call(&server, method, declared, &body);
        let sentence = "The configuration declares this app; change it there";
        assert_eq!(refused.refusal(), (409, sentence));
    }
    assert_eq!(
        call(&server, "DELETE", path, &Value::Null).json,
        json!({ "success": true })
    );
    assert_eq!(issue(&server, &token, "sdk").status, 400);
    let licenses = server.get("/api/licenses").bearer(&token).send();
    assert_eq!(
        licenses.json[0]["revokedAt"],
        Value::Null,
        "what was issued stays"
    );
    let jti = licenses.json[0]["jti"].as_str().unwrap();
    let renew = server.post(
        &format!("/api/licenses/{jti}/renew"),
        r#"{"device":{"fingerprint":"f"}}"#,
    );
    let sentence = "The licence's app is no longer one of this server's";
    assert_eq!(renew.bearer(&token).send().refusal(), (409, sentence));
}

#[test]
fn what_no_licence_can_carry_is_refused_where_it_is_said() {
    let server = Server::start();
    let names = |count: usize, length: usize| -> Vec<String> {
        (0..count)
            .map(|number| format!("{number:0>length$}"))
            .collect()
    };
    let limits = |count: usize| -> Value {
        names(count, 8)
            .into_iter()
            .map(|name| (name, json!(1)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let plans: Value = names(101, 3)
        .into_iter()
        .map(|name| (name, json!({})))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (more, sentence) in [
        (
            json!({ "ttlDaysMin": 0 }),
            "ttlDaysMin: needs 1 <= ttl_days_min <= ttl_days_default <= ttl_days_max <= 400, not 0, 30, 90",
        ),
        (
            json!({ "ttlDaysMax": 401 }),
            "ttlDaysMin: needs 1 <= ttl_days_min <= ttl_days_default <= ttl_days_max <= 400, not 30, 30, 401",
        ),
        (
            json!({ "devices": 0 }),
            "devices: must be 1 to 1000000, not 0",
        ),
        (
            json!({ "graceDays": 311 }),
            "graceDays: must be at most 400 together with ttl_days_max (90)",
        ),
        (
            json!({ "freshHours": 0 }),
            "freshHours: must be 1 to 9600, not 0",
        ),
        (
            json!({ "maxAgeDays": 401 }),
            "maxAgeDays: must be 1 to 400, not 401",
        ),
        (
            json!({ "freshHours": 25, "maxAgeDays": 1 }),
            "freshHours: must be at most max_age_days (1) in hours",
        ),
        (
            json!({ "stale": "deny" }),
            "stale: needs max_age_days, after which it applies",
        ),
        (
            json!({ "renewDaysBeforeEnd": 31 }),
            "renewDaysBeforeEnd: must be 1 to 30, not 31",
        ),
        (
            json!({ "devicePolicy": 17 }),
            "devicePolicy: must be 1 to 16, not 17",
        ),
        (
            json!({ "devicePolicy": "3" }),
            "devicePolicy: must be any, two, most, all, or a number from 1 to 16",
        ),
        (
            json!({ "devicePolicy": "some" }),
            "devicePolicy: must be any, two, most, all, or a number from 1 to 16",
        ),
        (
            json!({ "entitlements": names(101, 3) }),
            "entitlements: must be at most 100",
        ),
        (
            json!({ "entitlements": ["a", "a"] }),
            "entitlements: \"a\" stands twice",
        ),
        (
            json!({ "entitlements": [""] }),
            "entitlements: names must have 1 to 64 characters, none of them a control character",
        ),
        (
            json!({ "entitlements": ["e".repeat(65)] }),
            "entitlements: names must have 1 to 64 characters, none of them a control character",
        ),
        (
            json!({ "entitlements": ["a\nb"] }),
            "entitlements: names must have 1 to 64 characters, none of them a control character",
        ),
        (
            json!({ "limits": limits(65) }),
            "limits: must be at most 64",
        ),
        (
            json!({ "limits": { "a": 1_u64 << 53 } }),
            "limits: \"a\" must be below 2^53",
        ),
        (
            json!({ "trial": { "days": 0 } }),
            "trial.days: must be 1 to 400",
        ),
        (
            json!({ "trial": { "days": 1, "devices": 0 } }),
            "trial.devices: must be 1 to 1000000, not 0",
        ),
        (
            json!({ "plans": { "": {} } }),
            "plans: names must have 1 to 64 characters, none of them a control character",
        ),
        (
            json!({ "plans": { "pro": { "ttlDaysMax": 20 } } }),
            "plans.pro.ttlDaysMin: needs 1 <= ttl_days_min <= ttl_days_default <= ttl_days_max <= 400, not 30, 30, 20",
        ),
        (
            json!({ "plans": { "pro": { "graceDays": 400 } } }),
            "plans.pro.graceDays: must be at most 400 together with ttl_days_max (90)",
        ),
        (json!({ "plans": plans }), "plans: must be at most 100"),
    ] {
        let refused = call(
            &server,
            "PUT",
            "/api/operator/apps/sdk",
            &terms(more.clone()),
        );
        assert_eq!(refused.refusal(), (400, sentence), "{more}");
    }
    let refused = call(
        &server,
        "PUT",
        "/api/operator/apps/sdk",
        &terms(json!({ "entitlements": names(100, 64) })),
    );
    assert_eq!(refused.status, 400);
    let sentence = refused.json["error"].as_str().unwrap();
    assert!(
        sentence
            .starts_with("entitlements: a licence with these entitlements and limits could have "),
        "{sentence}"
    );
    let refused = call(
        &server,
        "PUT",
        "/api/operator/apps/a%20b",
        &terms(json!({})),
    );
    assert_eq!(
        refused.refusal(),
        (400, "id: must be 1 to 100 visible ASCII characters")
    );
    assert_eq!(
        call(&server, "GET", "/api/operator/apps", &Value::Null)
            .json
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_largest_terms_that_are_taken_fit_into_every_licence() {
    let server = Server::start();
    let token = server.sign_up("large@example.com");
    let sized = |length: usize| {
        terms(
            json!({ "entitlements": ["e".repeat(length), "f".repeat(64), "g".repeat(64)],
        "limits": { "h".repeat(64): (1_u64 << 53) - 1 }, "plans": { "p".repeat(64): { "entitlements":
            (0..100).map(|n| format!("{n:0>width$}", width = length.min(64))).collect::<Vec<_>>() } } }),
        )
    };
    let fits =
        |length: usize| call(&server, "PUT", "/api/operator/apps/sdk", &sized(length)).status < 300;
    let largest = (2..=64).rev().find(|length| fits(*length)).unwrap();
    assert!(largest < 64, "the bound is met");
    let id = server.get("/api/auth/me").bearer(&token).send().json["tenant"]["id"].clone();
    let tenant = format!("/api/operator/tenants/{}", id.as_str().unwrap());
    assert_eq!(
        call(
            &server,
            "PATCH",
            &tenant,
            &json!({ "plan": "p".repeat(64) })
        )
        .status,
        200
    );
    let components: Value = (0..16)
        .map(|n| (format!("{n:k>64}"), json!("v".repeat(512))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let body = json!({ "appId": "sdk", "ttlDays": 90,
        "device": { "components": components, "platform": "linux" } });
    let issued = server
        .post("/api/licenses/issue", &body.to_string())
        .bearer(&token)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    let length = issued.json["license"].as_str().unwrap().len();
    assert!((3_800..=4_096).contains(&length), "{length}");
}

#[test]
fn the_configuration_goes_first_and_says_so() {
    let url = ["--public-url", "https://auth.example.com"];
    let mut server = Server::start_with(&url);
    let operator_key = server.operator_key();
    let path = "/api/operator/apps/sdk";
    assert_eq!(
        call(&server, "PUT", path, &terms(json!({ "devices": 7 }))).status,
        201
    );
    server.stop("-TERM");
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    let file = folder.path().join("nexa.toml");
    std::fs::write(
        &file,
        "[[apps]]\nid = \"sdk\"\nttl_days_min = 1\nttl_days_max = 2\nttl_days_default = 2\n",
    )
    .unwrap();
    let file = file.to_str().unwrap().to_owned();
    let server = Server::start_on(folder, &["--config", &file]);
    assert!(
        server
            .stderr()
            .contains("the configuration declares it too"),
        "{}",
        server.stderr()
    );
    let listed = server.get("/api/operator/apps").key(&operator_key).send();
    let expected = json!([{ "id": "sdk", "source": "configuration", "ttlDaysMin": 1, "ttlDaysMax": 2, "ttlDaysDefault": 2 }]);
    assert_eq!(listed.json, expected);
    let refused = server.delete(path).key(&operator_key).send();
    assert_eq!(refused.status, 409);
}

#[test]
fn a_tenants_plan_and_its_state_are_set_together_or_apart() {
    let server = Server::start();
    let token = server.sign_up("plan@example.com");
    let id = server.get("/api/auth/me").bearer(&token).send().json["tenant"]["id"].clone();
    let path = format!("/api/operator/tenants/{}", id.as_str().unwrap());
    let plan = json!("pro");
    for (change, enabled, plan) in [
        (json!({ "plan": "pro" }), true, &plan),
        (json!({ "enabled": true }), true, &plan),
        (
            json!({ "plan": null, "enabled": false }),
            false,
            &Value::Null,
        ),
        (json!({ "plan": "pro" }), false, &plan),
        (json!({ "enabled": true, "plan": null }), true, &Value::Null),
    ] {
        let changed = call(&server, "PATCH", &path, &change);
        let expected = json!({ "id": id, "enabled": enabled, "plan": plan });
        assert_eq!(
            (changed.status, &changed.json),
            (200, &expected),
            "{change}"
        );
    }
    let long = "p".repeat(65);
    let names = "plan: names must have 1 to 64 characters, none of them a control character";
    for (change, sentence) in [
        (json!({}), "enabled: required, unless there is plan"),
        (json!({ "plan": "" }), names),
        (json!({ "plan": long }), names),
        (json!({ "plan": 7 }), "plan: must be a string"),
        (json!({ "enabled": null }), "enabled: must be a boolean"),
    ] {
        assert_eq!(
            call(&server, "PATCH", &path, &change).refusal(),
            (400, sentence),
            "{change}"
        );
    }
    let nobody = call(
        &server,
        "PATCH",
        "/api/operator/tenants/nobody",
        &json!({ "plan": "pro" }),
    );
    assert_eq!(nobody.refusal(), (404, "Tenant not found"));
}
