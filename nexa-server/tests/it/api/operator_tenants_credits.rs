//! `/api/operator/tenants/{id}/credits`

use serde_json::{Value, json};

use crate::harness::{Answer, Server, members};

/// A server whose people have no credits of their own, and the path of a tenant's; with an access token of its owner.
fn start() -> (Server, String, String) {
    let server = Server::configured("[[plans]]\nid = 'free'\nname = 'Free'\nprice = '0'\n");
    let session = server.sign_up("a@example.com");
    let me = server.get("/api/auth/me").bearer(&session).send();
    let path = format!(
        "/api/operator/tenants/{}/credits",
        me.json["tenant"]["id"].as_str().unwrap()
    );
    (server, path, session)
}

fn ask(server: &Server, path: &str) -> Answer {
    server.get(path).key(&server.operator_key()).send()
}

fn grant(server: &Server, path: &str, body: &Value) -> Answer {
    server
        .post(path, &body.to_string())
        .key(&server.operator_key())
        .send()
}

#[test]
fn what_the_operator_grants_stays_and_is_granted_once() {
    let (server, path, session) = start();
    let shown = ask(&server, &path);
    assert_eq!(
        (shown.status, shown.header("cache-control")),
        (200, Some("no-store"))
    );
    let nothing = json!({
        "currency": "EUR", "plan": "free", "monthlyMillicents": 0, "topupMillicents": 0, "totalMillicents": 0,
        "monthlyResetsAt": null,
    });
    assert_eq!(shown.json, nothing);

    let invoice = json!({ "amount": 12.5, "reference": " Invoice 7 " });
    let granted = grant(&server, &path, &invoice);
    assert_eq!(granted.status, 201, "{}", granted.text);
    let balance = json!({
        "monthlyMillicents": 0, "topupMillicents": 1_250_000, "totalMillicents": 1_250_000, "monthlyResetsAt": null,
    });
    assert_eq!(
        granted.json,
        json!({ "granted": true, "amount": 12.5, "reference": "Invoice 7", "currency": "EUR", "balance": balance })
    );
    let again = json!({ "amount": "12.50", "reference": "Invoice 7" });
    let again = grant(&server, &path, &again);
    assert_eq!(
        (again.status, &again.json["granted"], &again.json["balance"]),
        (200, &json!(false), &balance)
    );
    let other = json!({ "amount": 12.51, "reference": "Invoice 7" });
    assert_eq!(
        grant(&server, &path, &other).refusal(),
        (409, "Another amount was granted under this reference")
    );

    // Without a reference each call grants; what it was called grants no more.
    let one = grant(&server, &path, &json!({ "amount": "0.01" }));
    let two = grant(
        &server,
        &path,
        &json!({ "amount": "0.01", "reference": null }),
    );
    assert_eq!((one.status, two.status), (201, 201));
    let made = json!({ "amount": "0.01", "reference": two.json["reference"] });
    assert_eq!(grant(&server, &path, &made).status, 200);

    let balance = server.get("/api/credits/balance").bearer(&session).send();
    assert_eq!(balance.json["topupMillicents"], 1_252_000);
    let listed = ask(&server, &format!("{path}/transactions?limit=2"));
    assert_eq!(listed.status, 200, "{}", listed.text);
    let own = server
        .get("/api/credits/transactions")
        .bearer(&session)
        .send();
    assert_eq!(own.json.as_array().unwrap().len(), 3);
    assert_eq!(listed.json[0], own.json[0]);
    assert_eq!(own.json[2]["cause"], "grant");
    let shown = own.json.to_string();
    assert!(
        !shown.contains("Invoice"),
        "the ledger outlives its tenant: {shown}"
    );
    let next = listed.header("link").unwrap();
    assert!(
        next.contains(&format!("{path}/transactions?limit=2&before=")),
        "{next}"
    );

    let trail = server
        .get("/api/audit/events?limit=10")
        .bearer(&session)
        .send();
    let told: Vec<&Value> = trail
        .json
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["act"] == "credits.granted")
        .collect();
    assert_eq!(told.len(), 3, "{}", trail.text);
    assert!(told[2].to_string().contains("Invoice 7"), "{}", told[2]);
}

#[test]
fn another_tenant_has_references_of_its_own() {
    let (server, path, _) = start();
    let agent = server
        .post("/v1/account/register", r#"{"name":"Robot"}"#)
        .send();
    let key = agent.json["api_key"].as_str().unwrap();
    let me = server.get("/api/auth/me").key(key).send();
    let other = format!(
        "/api/operator/tenants/{}/credits",
        me.json["tenant"]["id"].as_str().unwrap()
    );
    for (path, amount) in [(&path, 1), (&other, 2)] {
        let granted = grant(
            &server,
            path,
            &json!({ "amount": amount, "reference": "same" }),
        );
        assert_eq!(granted.status, 201, "{}", granted.text);
    }
    let shown = ask(&server, &other);
    assert_eq!(
        (
            &shown.json["plan"],
            &shown.json["topupMillicents"],
            &shown.json["totalMillicents"]
        ),
        (&Value::Null, &json!(200_000), &json!(700_000)),
        "its trial beside it"
    );
}

#[test]
fn what_cannot_be_granted_is_refused_by_its_field() {
    let (server, path, session) = start();
    let long = "x".repeat(101);
    for (body, field) in [
        (json!({}), "amount"),
        (json!({ "amount": 0 }), "amount"),
        (json!({ "amount": "0.00" }), "amount"),
        (json!({ "amount": -1 }), "amount"),
        (json!({ "amount": "-1" }), "amount"),
        (json!({ "amount": 0.001 }), "amount"),
        (json!({ "amount": 1_000_000 }), "amount"),
        (json!({ "amount": [1] }), "amount"),
        (json!({ "amount": 1, "reference": "" }), "reference"),
        (json!({ "amount": 1, "reference": "  " }), "reference"),
        (json!({ "amount": 1, "reference": "a\nb" }), "reference"),
        (
            json!({ "amount": 1, "reference": "a\u{202e}b" }),
            "reference",
        ),
        (json!({ "amount": 1, "reference": long }), "reference"),
        (json!({ "amount": 1, "reference": 7 }), "reference"),
    ] {
        let refused = grant(&server, &path, &body);
        let (status, sentence) = refused.refusal();
        assert!(
            status == 400 && sentence.contains(field),
            "{body}: {status} {sentence}"
        );
    }
    let largest = grant(
        &server,
        &path,
        &json!({ "amount": "999999.99", "reference": "é".repeat(100) }),
    );
    assert_eq!(largest.status, 201, "{}", largest.text);
    assert_eq!(
        ask(&server, &path).json["totalMillicents"],
        99_999_999_000_i64
    );

    let body = json!({ "amount": 1 });
    assert_eq!(server.post(&path, &body.to_string()).send().status, 401);
    assert_eq!(
        server
            .post(&path, &body.to_string())
            .bearer(&session)
            .send()
            .status,
        403
    );
    let tenant = path.strip_suffix("/credits").unwrap();
    let erased = server.delete(tenant).key(&server.operator_key()).send();
    assert!(matches!(erased.status, 200 | 202), "{}", erased.text);
    for path in [&path, "/api/operator/tenants/nobody/credits"] {
        for answer in [
            ask(&server, path),
            ask(&server, &format!("{path}/transactions")),
            grant(&server, path, &body),
        ] {
            assert_eq!(answer.refusal(), (404, "Tenant not found"), "{path}");
        }
    }
}

#[test]
fn the_operator_sees_what_a_tenant_pays_for() {
    let (server, path, session) = start();
    let tenant = path.strip_suffix("/credits").unwrap();
    let shown = ask(&server, tenant);
    let own = server.get("/api/subscriptions").bearer(&session).send();
    assert_eq!(shown.json["subscription"], own.json);
    assert_eq!(members(&own.json).len(), 6);
    assert_eq!(
        (&own.json["status"], &own.json["planId"]),
        (&json!("none"), &json!("free"))
    );
}
