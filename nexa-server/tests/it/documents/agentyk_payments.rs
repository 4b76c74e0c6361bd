//! agentyk: plans, subscriptions, top-ups and automatic ones, paid at a service that answers as Mollie does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::agentyk::{DOCUMENT, agentyk_fields, documented};
use super::assert_rfc3339;
use crate::harness::{Answer, Server};
use crate::mollie::{End, Mollie};

/// The replays, each with tenants of its own.
pub(super) const REPLAYS: [fn(&Server, &Mollie); 3] = [subscription, topup, auto_recharge];

/// A server that takes money, and whoever takes it.
fn start() -> (Server, Mollie) {
    start_with(&[])
}

/// As [`start`], with more arguments for `nexa serve`.
pub(super) fn start_with(arguments: &[&str]) -> (Server, Mollie) {
    let mollie = Mollie::start();
    let url = mollie.url();
    let settings = [
        ("NEXA_MOLLIE_API_KEY", Mollie::KEY),
        ("NEXA_MOLLIE_API_URL", url.as_str()),
    ];
    (Server::start_in(&settings, arguments), mollie)
}

#[test]
fn agentyk_subscribes_to_a_plan_and_cancels() {
    let (server, mollie) = start();
    subscription(&server, &mollie);
}

#[test]
fn agentyk_tops_up() {
    let (server, mollie) = start();
    topup(&server, &mollie);
}

#[test]
fn agentyk_has_its_balance_topped_up_by_itself() {
    let (server, mollie) = start();
    auto_recharge(&server, &mollie);
}

/// Items 30 to 33, and what they change of 35 and 36.
fn subscription(server: &Server, mollie: &Mollie) {
    let plans = "GET/api/subscriptions/plans";
    assert!(DOCUMENT.contains(&format!("{plans}\nPublic — pricing-page data source\n")));
    let plans = documented(server, plans, "", &Value::Null).send();
    assert_eq!(
        (plans.status, plans.header("cache-control")),
        (200, Some("public, max-age=300"))
    );
    insta::assert_json_snapshot!("agentyk_plans", plans.json);

    let token = server.sign_up_verified("subscriber@example.com");
    let own = || ask(server, "GET/api/subscriptions", &token, &Value::Null);
    insta::assert_json_snapshot!("agentyk_no_subscription", own().json);
    ask(server, "GET/api/credits/balance", &token, &Value::Null);

    let values = json!({ "planId": "pro", "redirectUrl": "https://acme.example/billing?done=1" });
    let checkout = || {
        documented(server, "POST/api/subscriptions/checkout", &token, &values)
            .header("Idempotency-Key", "subscribe-1")
            .send()
    };
    let first = checkout();
    assert_eq!(
        (first.status, first.header("cache-control")),
        (201, Some("no-store")),
        "{}",
        first.text
    );
    assert_documented(&first, "POST/api/subscriptions/checkoutaccess");
    let again = checkout();
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let payment_id = first.json["molliePaymentId"].as_str().unwrap();
    let payment = mollie.payment(payment_id);
    assert_eq!(
        payment["_links"]["checkout"]["href"],
        first.json["checkoutUrl"]
    );
    assert_eq!(
        (&payment["amount"], &payment["redirectUrl"]),
        (
            &json!({ "currency": "EUR", "value": "20.00" }),
            &values["redirectUrl"]
        )
    );
    assert_eq!(own().json["status"], "none", "nothing is paid yet");

    mollie.pay(payment_id);
    assert_eq!(mollie.deliver(payment_id), 200);
    let paid = own();
    insta::assert_json_snapshot!("agentyk_subscription", paid.json, {
        ".startedAt" => "[time]", ".paidUntil" => "[time]",
    });
    assert_rfc3339(&paid.json["startedAt"]);
    assert_rfc3339(&paid.json["paidUntil"]);
    let balance = ask(server, "GET/api/credits/balance", &token, &Value::Null);
    assert_documented(&balance, "GET/api/credits/balanceaccess");
    assert_eq!(
        balance.json,
        json!({
            "monthlyMillicents": 2_500_000,
            "topupMillicents": 0,
            "totalMillicents": 2_500_000,
            "monthlyResetsAt": paid.json["paidUntil"],
        })
    );
    let entries = transactions(server, &token);
    insta::assert_json_snapshot!("agentyk_transactions", entries, {
        "[].at" => "[time]", "[].causeId" => "[cause]",
    });
    let refused = documented(server, "POST/api/subscriptions/checkout", &token, &values).send();
    assert_eq!(
        refused.refusal(),
        (409, "The tenant is subscribed to this plan")
    );

    mollie.wait_for("POST /v2/customers/*/subscriptions", 1);
    let cancel = || {
        let canceled = documented(
            server,
            "POST/api/subscriptions/cancel",
            &token,
            &Value::Null,
        );
        canceled.send()
    };
    let canceled = cancel();
    assert_eq!(canceled.status, 200, "{}", canceled.text);
    insta::assert_json_snapshot!("agentyk_canceled_subscription", canceled.json, {
        ".startedAt" => "[time]", ".paidUntil" => "[time]", ".canceledAt" => "[time]",
    });
    assert_rfc3339(&canceled.json["canceledAt"]);
    assert_eq!(canceled.json["paidUntil"], paid.json["paidUntil"]);
    assert_eq!(cancel().json, canceled.json);
    assert_eq!(own().json, canceled.json);
    mollie.wait_for("DELETE /v2/customers/*/subscriptions/*", 1);
    let balance = ask(server, "GET/api/credits/balance", &token, &Value::Null);
    assert_eq!(
        balance.json["monthlyMillicents"], 2_500_000,
        "what is paid stays"
    );
}

/// Item 37.
fn topup(server: &Server, mollie: &Mollie) {
    let heading = "POST/api/credits/topup";
    let token = server.sign_up_verified("payer@example.com");
    let values = json!({ "amountEur": 25.5, "redirectUrl": "https://acme.example/billing" });
    let begin = || {
        documented(server, heading, &token, &values)
            .header("Idempotency-Key", "top-up-1")
            .send()
    };
    let first = begin();
    assert_eq!(
        (first.status, first.header("cache-control")),
        (201, Some("no-store")),
        "{}",
        first.text
    );
    assert_documented(&first, "POST/api/credits/topupaccess");
    let again = begin();
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let payment_id = payment_at(mollie, &first);
    let amount = json!({ "currency": "EUR", "value": "25.50" });
    assert_eq!(mollie.payment(&payment_id)["amount"], amount);
    let before = transactions(server, &token);
    mollie.pay(&payment_id);
    for _ in 0..2 {
        assert_eq!(mollie.deliver(&payment_id), 200);
        let balance = ask(server, "GET/api/credits/balance", &token, &Value::Null);
        assert_eq!(balance.json["topupMillicents"], 2_550_000);
        assert_eq!(balance.json["totalMillicents"], 2_650_000);
    }
    let after = transactions(server, &token);
    assert_eq!(after.as_array().unwrap().len(), 2);
    assert_eq!(after[1], before[0]);
    let entry = json!({
        "at": after[0]["at"],
        "monthlyMillicents": 0,
        "topupMillicents": 2_550_000,
        "monthlyAfterMillicents": 100_000,
        "topupAfterMillicents": 2_550_000,
        "cause": "payment",
        "causeId": after[0]["causeId"],
    });
    assert_eq!(after[0], entry);
}

/// Items 38 to 41.
fn auto_recharge(server: &Server, mollie: &Mollie) {
    let heading = |method: &str| format!("{method}/api/credits/auto-recharge");
    let token = server.sign_up_verified("recharger@example.com");
    let get = || ask(server, &heading("GET"), &token, &Value::Null).json;
    let none = get();
    insta::assert_json_snapshot!("agentyk_no_auto_recharge", none);

    let setup = "POST/api/credits/auto-recharge/setup";
    let values = json!({ "thresholdEur": 5, "amountEur": "20.00", "redirectUrl": "https://acme.example/billing" });
    let begin = || {
        documented(server, setup, &token, &values)
            .header("Idempotency-Key", "recharge-1")
            .send()
    };
    let first = begin();
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(first.members(), ["checkoutUrl"]);
    let again = begin();
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(get()["status"], "pending");

    let payment_id = payment_at(mollie, &first);
    mollie.pay(&payment_id);
    assert_eq!(mollie.deliver(&payment_id), 200);
    insta::assert_json_snapshot!("agentyk_auto_recharge", get());
    let topped_up = || {
        let balance = ask(server, "GET/api/credits/balance", &token, &Value::Null);
        balance.json["topupMillicents"].as_i64().unwrap()
    };
    assert_eq!(topped_up(), 2_000_000);

    // Each member alone, as the document has them optional.
    let mut expected = get();
    for (member, value, then) in [
        ("amountEur", json!(30.25), vec![("amountEur", json!(30.25))]),
        (
            "thresholdEur",
            json!(20.5),
            vec![("thresholdEur", json!(20.5))],
        ),
        (
            "enabled",
            json!(false),
            vec![("enabled", json!(false)), ("status", json!("disabled"))],
        ),
        (
            "enabled",
            json!(true),
            vec![("enabled", json!(true)), ("status", json!("active"))],
        ),
    ] {
        let changed = ask(server, &heading("PATCH"), &token, &json!({ member: value })).json;
        for (member, value) in then {
            expected[member] = value;
        }
        assert_eq!((&changed, &get()), (&expected, &expected), "{member}");
    }

    // 1.00 of the month and 20.00 are there; after this 20.40 are.
    mollie.end_recurring_payments(Some(End::Paid));
    let license = server.issue_license(&token, "device of the recharger");
    let used =
        json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b", "outputTokens": 1_000_000 });
    let reported = ask(server, "POST/api/usage/report", &license, &used);
    assert_eq!(reported.json["balance"]["totalMc"], 2_040_000);
    let deadline = Instant::now() + Duration::from_secs(30);
    while topped_up() != 5_025_000 {
        assert!(Instant::now() < deadline, "{}", topped_up());
        std::thread::sleep(Duration::from_millis(10));
    }

    let removed = documented(server, &heading("DELETE"), &token, &Value::Null).send();
    assert_eq!(
        (removed.status, &removed.json),
        (200, &json!({ "success": true }))
    );
    assert_eq!(get(), none);
    for method in ["DELETE", "PATCH"] {
        let refused = documented(server, &heading(method), &token, &json!({})).send();
        assert_eq!(
            refused.refusal(),
            (404, "Auto-recharge not found"),
            "{method}"
        );
    }
}

/// The answer to a documented request that is done.
fn ask(server: &Server, heading: &str, token: &str, values: &Value) -> Answer {
    let answer = documented(server, heading, token, values).send();
    assert_eq!(answer.status, 200, "{heading}: {}", answer.text);
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{heading}"
    );
    answer
}

fn transactions(server: &Server, token: &str) -> Value {
    let heading = "GET/api/credits/transactions?limit=N&before=ISO";
    let request = documented(server, heading, token, &Value::Null);
    let open = "limit=N&before=ISO";
    let answer = request.on_path(|path| path.replace(open, "limit=10&before=2100-01-01T00:00:00Z"));
    answer.send().json
}

/// Nothing documented is missing, and nothing else is there.
fn assert_documented(answer: &Answer, line: &str) {
    let mut fields = agentyk_fields(line, "returns:");
    fields.sort();
    assert_eq!(answer.members(), fields);
}

/// The payment that is made where the answer leads to.
fn payment_at(mollie: &Mollie, answer: &Answer) -> String {
    let leads_there = |id: &String| {
        mollie.payment(id)["_links"]["checkout"]["href"] == answer.json["checkoutUrl"]
    };
    mollie.payments().into_iter().find(leads_there).unwrap()
}
