//! What begins payments and changes what is paid: amounts, URLs, who may, and servers that take no money.

use serde_json::{Value, json};

use crate::harness::{Answer, Request, Server};
use crate::mollie::Mollie;

/// Every route that a provider is needed for, with a body that will do.
pub(super) const WRITES: [(&str, &str, &str); 6] = [
    (
        "POST",
        "/api/subscriptions/checkout",
        r#"{"planId":"pro","redirectUrl":"https://acme.example"}"#,
    ),
    ("POST", "/api/subscriptions/cancel", "{}"),
    (
        "POST",
        "/api/credits/topup",
        r#"{"amountEur":10,"redirectUrl":"https://acme.example"}"#,
    ),
    (
        "POST",
        "/api/credits/auto-recharge/setup",
        r#"{"thresholdEur":1,"amountEur":10,"redirectUrl":"https://acme.example"}"#,
    ),
    ("PATCH", "/api/credits/auto-recharge", "{}"),
    ("DELETE", "/api/credits/auto-recharge", ""),
];

fn start() -> (Server, Mollie) {
    let mollie = Mollie::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nexa.toml");
    let sample = include_str!("../../../../examples/nexa.toml")
        .replace("public_url = ", "# public_url = ")
        .replace(
            "payment_per_tenant_an_hour = 60",
            "payment_per_tenant_an_hour = 1000",
        );
    std::fs::write(&file, sample).unwrap();
    let url = mollie.url();
    let settings = [
        ("NEXA_MOLLIE_API_KEY", Mollie::KEY),
        ("NEXA_MOLLIE_API_URL", url.as_str()),
    ];
    let server = Server::start_in(&settings, &["--config", file.to_str().unwrap()]);
    (server, mollie)
}

fn write<'s>(server: &'s Server, (method, path, body): (&str, &str, &str)) -> Request<'s> {
    let request = server.request(method, path);
    match body {
        "" => request,
        body => request
            .header("Content-Type", "application/json")
            .body(body),
    }
}

#[test]
fn a_server_that_takes_no_money_says_so_and_shows_the_rest() {
    let server = Server::start();
    let token = server.sign_up_verified("ada@example.com");
    for call in WRITES {
        let refused = write(&server, call).bearer(&token).send();
        assert_eq!(
            (refused.status, &refused.json["code"]),
            (503, &json!("not_configured")),
            "{call:?}: {}",
            refused.text
        );
        assert_eq!(
            refused.json["error"],
            "This server has no payment provider; its operator has to configure one"
        );
    }
    for (path, cache) in [
        ("/api/subscriptions/plans", "public, max-age=300"),
        ("/api/credits/rates", "public, max-age=300"),
        ("/api/subscriptions", "no-store"),
        ("/api/credits/balance", "no-store"),
        ("/api/credits/transactions", "no-store"),
        ("/api/credits/auto-recharge", "no-store"),
        ("/api/usage/summary", "no-store"),
    ] {
        let shown = server.get(path).bearer(&token).send();
        assert_eq!(
            (shown.status, shown.header("cache-control")),
            (200, Some(cache)),
            "{path}: {}",
            shown.text
        );
    }
    let body = "id=tr_unknown";
    let hook = server.request("POST", "/api/payments/webhook").body(body);
    let hook = hook.header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(hook.send().status, 503);
}

#[test]
fn money_is_moved_by_managers_in_person() {
    let (server, mollie) = start();
    let token = server.sign_up_verified("ada@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let agent = server
        .post("/v1/account/register", r#"{"name":"an agent"}"#)
        .send();
    let agent = agent.json["api_key"].as_str().unwrap().to_owned();
    let license = server.issue_license(&token, "f");
    for call in WRITES {
        for (credential, status) in [
            (&key, 403),
            (&agent, 403),
            (&server.operator_key(), 403),
            (&license, 401),
        ] {
            let refused = write(&server, call).bearer(credential).send();
            assert_eq!(refused.status, status, "{call:?}: {}", refused.text);
        }
        let refused = write(&server, call).send();
        assert_eq!(refused.refusal(), (401, "Authentication required"));
    }
    assert_eq!(mollie.requests("*").len(), 0);
    // What only goes on with what is there finds nothing.
    for (call, sentence) in [
        (WRITES[1], "Subscription not found"),
        (WRITES[4], "Auto-recharge not found"),
        (WRITES[5], "Auto-recharge not found"),
    ] {
        let refused = write(&server, call).bearer(&token).send();
        assert_eq!(refused.refusal(), (404, sentence));
    }
}

#[test]
fn amounts_are_numbers_or_text_with_two_decimals_and_within_bounds() {
    let (server, mollie) = start();
    let token = server.sign_up_verified("ada@example.com");
    let topup = |amount: &str| {
        let body = format!(r#"{{"amountEur":{amount},"redirectUrl":"https://acme.example"}}"#);
        let request = server.post("/api/credits/topup", &body);
        request.bearer(&token).send()
    };
    for (amount, value) in [
        ("19.99", "19.99"),
        ("\"19.99\"", "19.99"),
        ("19.9", "19.90"),
        ("\"19.90\"", "19.90"),
        ("20", "20.00"),
        ("20.00", "20.00"),
        ("1e3", "1000.00"),
        ("1", "1.00"),
        ("10000", "10000.00"),
        ("\"4.35\"", "4.35"),
        ("4.35", "4.35"),
        ("1.1", "1.10"),
    ] {
        let begun = topup(amount);
        assert_eq!(begun.status, 201, "{amount}: {}", begun.text);
        let id = mollie.payments().pop().unwrap();
        let expected = json!({ "currency": "EUR", "value": value });
        assert_eq!(mollie.payment(&id)["amount"], expected, "{amount}");
    }
    let made = mollie.payments().len();
    let form = "amountEur: must be an amount below 1000000 with at most two decimals";
    let bounds = "amountEur: must be from 1 to 10000";
    for (amount, sentence) in [
        ("19.999", form),
        ("\"19.999\"", form),
        ("-1", form),
        ("\"-1\"", form),
        ("\"1e3\"", form),
        ("\"1,5\"", form),
        ("\"\"", form),
        ("\" 5\"", form),
        ("true", form),
        ("null", form),
        ("[5]", form),
        ("{}", form),
        ("1000000", form),
        ("1e300", form),
        ("0.1e-5", form),
        ("0", bounds),
        ("0.99", bounds),
        ("10000.01", bounds),
        ("999999.99", bounds),
    ] {
        assert_eq!(topup(amount).refusal(), (400, sentence), "{amount}");
    }
    assert_eq!(mollie.payments().len(), made);
    let missing = server.post("/api/credits/topup", r#"{"redirectUrl":"https://a"}"#);
    assert_eq!(
        missing.bearer(&token).send().refusal(),
        (400, "amountEur: required")
    );
    let entries = server.get("/api/credits/balance").bearer(&token).send();
    assert_eq!(entries.json["topupMillicents"], 0, "nothing is paid");
}

#[test]
fn payers_are_sent_back_to_pages_of_the_web() {
    let (server, mollie) = start();
    let token = server.sign_up_verified("ada@example.com");
    let ask = |path: &str, url: &Value| {
        let body =
            json!({ "planId": "pro", "amountEur": 10, "thresholdEur": 1, "redirectUrl": url });
        server.post(path, &body.to_string()).bearer(&token).send()
    };
    let paths = [
        "/api/credits/topup",
        "/api/subscriptions/checkout",
        "/api/credits/auto-recharge/setup",
    ];
    for path in paths {
        for (url, sentence) in [
            (
                json!(""),
                "redirectUrl: must start with https:// or http://",
            ),
            (
                json!("/billing"),
                "redirectUrl: must start with https:// or http://",
            ),
            (
                json!("javascript:alert(1)"),
                "redirectUrl: must start with https:// or http://",
            ),
            (
                json!("https://ada:secret@acme.example"),
                "redirectUrl: no user name and no password",
            ),
            (
                json!("https://acme.example/a b"),
                "redirectUrl: must be a URL; what is no character of one is percent-encoded",
            ),
            (
                json!(format!("https://acme.example/{}", "a".repeat(2_048))),
                "redirectUrl: at most 2048 bytes",
            ),
            (json!(7), "redirectUrl: must be a string"),
            (json!(null), "redirectUrl: must be a string"),
        ] {
            assert_eq!(ask(path, &url).refusal(), (400, sentence), "{path}: {url}");
        }
    }
    assert_eq!(mollie.requests("*").len(), 0);
    for url in [
        "http://localhost:3000/back?a=b",
        "https://acme.example/app#/billing?done",
    ] {
        for path in paths {
            let begun = ask(path, &json!(url));
            assert_eq!(begun.status, 201, "{path}: {}", begun.text);
            let id = mollie.payments().pop().unwrap();
            assert_eq!(mollie.payment(&id)["redirectUrl"], url);
        }
    }
}

#[test]
fn plans_and_thresholds_have_rules() {
    let (server, mollie) = start();
    let token = server.sign_up_verified("ada@example.com");
    let send = |method: &str, path: &str, body: &Value| -> Answer {
        let request = server.request(method, path).bearer(&token);
        let request = request.header("Content-Type", "application/json");
        request.body(&body.to_string()).send()
    };
    for (plan, sentence) in [
        (json!("unknown"), "planId: must be the id of a plan"),
        (
            json!("free"),
            "planId: costs nothing: whoever has no other plan has it",
        ),
        (json!(1), "planId: must be a string"),
    ] {
        let body = json!({ "planId": plan, "redirectUrl": "https://acme.example" });
        let refused = send("POST", "/api/subscriptions/checkout", &body);
        assert_eq!(refused.refusal(), (400, sentence));
    }
    let recharge = "/api/credits/auto-recharge";
    let set_up = |threshold: Value, amount: Value| {
        let body = json!({ "thresholdEur": threshold, "amountEur": amount, "redirectUrl": "https://acme.example" });
        send("POST", &format!("{recharge}/setup"), &body)
    };
    let form = "must be an amount below 1000000 with at most two decimals";
    let larger = "thresholdEur: must not be more than amountEur";
    for (threshold, amount, sentence) in [
        (json!(10.01), json!(10), larger.to_owned()),
        (json!(-1), json!(10), format!("thresholdEur: {form}")),
        (json!("x"), json!(10), format!("thresholdEur: {form}")),
        (
            json!(1),
            json!(0.5),
            "amountEur: must be from 1 to 10000".to_owned(),
        ),
        (json!(1), json!(false), format!("amountEur: {form}")),
    ] {
        let refused = set_up(threshold, amount);
        assert_eq!(refused.refusal(), (400, sentence.as_str()));
    }
    assert_eq!(send("PATCH", recharge, &json!({})).status, 404);
    assert_eq!(mollie.requests("*").len(), 0);
    assert_eq!(set_up(json!(10), json!(10)).status, 201);
    let shown = || server.get(recharge).bearer(&token).send().json;
    let before = shown();
    for (change, sentence) in [
        (json!({ "amountEur": 9.99 }), larger.to_owned()),
        (json!({ "thresholdEur": "10.01" }), larger.to_owned()),
        (
            json!({ "amountEur": 20_000 }),
            "amountEur: must be from 1 to 10000".to_owned(),
        ),
        (
            json!({ "enabled": "yes" }),
            "enabled: must be a boolean".to_owned(),
        ),
        (
            json!({ "thresholdEur": [] }),
            format!("thresholdEur: {form}"),
        ),
    ] {
        let refused = send("PATCH", recharge, &change);
        assert_eq!(refused.refusal(), (400, sentence.as_str()), "{change}");
        assert_eq!(shown(), before, "{change}");
    }
    let same = json!({ "enabled": null, "thresholdEur": null, "amountEur": null, "other": 1 });
    for change in [json!({}), same] {
        assert_eq!(send("PATCH", recharge, &change).json, before);
    }
    let both = send(
        "PATCH",
        recharge,
        &json!({ "thresholdEur": 30, "amountEur": 40 }),
    );
    assert_eq!(
        (&both.json["thresholdEur"], &both.json["amountEur"]),
        (&json!(30.0), &json!(40.0))
    );
    // Another tenant has its own.
    let other = server.sign_up_verified("bob@example.com");
    let none = server.get(recharge).bearer(&other).send();
    assert_eq!(none.json["status"], "none");
}

#[test]
fn the_ledger_is_read_in_pages_and_each_entry_once() {
    let server = Server::start();
    let token = server.sign_up_verified("ada@example.com");
    let license = server.issue_license(&token, "f");
    for pictures in 1..=7 {
        let body = json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b", "metrics": { "images": pictures } });
        let request = server.post("/api/usage/report", &body.to_string());
        assert_eq!(request.bearer(&license).send().status, 200);
    }
    let get = |path: &str| server.get(path).bearer(&token).send();
    let all = get("/api/credits/transactions").json;
    let entries = all.as_array().unwrap();
    let changes = entries
        .iter()
        .map(|entry| entry["monthlyMillicents"].as_i64().unwrap());
    let expected = (1..=7).rev().map(|n| -200 * n).chain([100_000]);
    assert!(changes.eq(expected), "newest first: {all}");
    let mut paged = Vec::new();
    let mut path = "/api/credits/transactions?limit=3".to_owned();
    loop {
        let page = get(&path);
        assert_eq!(page.status, 200, "{}", page.text);
        paged.extend(page.json.as_array().unwrap().clone());
        let Some(link) = page.header("link") else {
            break;
        };
        let (target, rel) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        path = target
            .strip_prefix(&server.url)
            .unwrap_or(target)
            .to_owned();
    }
    assert_eq!(Value::from(paged), all);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("before=1", "before"),
    ] {
        let refused = get(&format!("/api/credits/transactions?{query}"));
        let sentence = refused.json["error"].as_str().unwrap();
        assert_eq!(refused.status, 400, "{query}");
        assert!(sentence.starts_with(&format!("{field}: ")), "{sentence}");
    }
}

#[test]
fn a_tenant_begins_so_many_payments_an_hour_and_each_has_its_own_allowance() {
    let mollie = Mollie::start();
    let (url, folder) = (mollie.url(), tempfile::tempdir().unwrap());
    let file = folder.path().join("nexa.toml");
    std::fs::write(&file, "[limits]\npayment_per_tenant_an_hour = 2\n").unwrap();
    let settings = [
        ("NEXA_MOLLIE_API_KEY", Mollie::KEY),
        ("NEXA_MOLLIE_API_URL", url.as_str()),
    ];
    let server = Server::start_in(&settings, &["--config", file.to_str().unwrap()]);
    let [ada, bob] =
        ["ada@example.com", "bob@example.com"].map(|email| server.sign_up_verified(email));
    let topup = |token: &str| write(&server, WRITES[2]).bearer(token).send();
    for status in [201, 201, 429] {
        let answer = topup(&ada);
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
    assert_eq!(topup(&bob).status, 201);
    assert_eq!(mollie.payments().len(), 3);
}
