//! `/api/usage/summary`: who sees what, and which days.

use serde_json::{Value, json};

use super::usage::{CONFIG, Tenant, license, report};
use crate::harness::{Server, members};
use crate::smtp::SmtpPeer;

/// A member of the tenant; answers its session.
fn invite(tenant: &Tenant<'_>, mail: &SmtpPeer, email: &str, role: &str) -> String {
    let server = tenant.server;
    let before = mail.mails().len();
    let body = json!({ "email": email, "role": role }).to_string();
    let request = server.post("/api/team/invite", &body);
    assert_eq!(request.bearer(&tenant.session).send().status, 201);
    let mails = mail.wait_for(before + 1);
    let token = mails.last().unwrap().token();
    let body = json!({ "token": token, "password": "correct horse" }).to_string();
    let accepted = server.post("/api/auth/accept-invite", &body).send();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    let body = json!({ "email": email, "password": "correct horse" }).to_string();
    let login = server.post("/api/auth/login", &body).send();
    login.json["accessToken"].as_str().unwrap().to_owned()
}

#[test]
fn managers_see_the_tenant_members_themselves_and_nobody_others() {
    let mail = SmtpPeer::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nexa.toml");
    std::fs::write(&file, format!("{CONFIG}\n[mail]\nurl = '{}'\n", mail.url())).unwrap();
    let server = Server::start_with(&["--config", file.to_str().unwrap()]);
    let register = |email: &str| {
        let before = mail.mails().len();
        let session = server.sign_up(email);
        let mails = mail.wait_for(before + 1);
        let body = json!({ "token": mails.last().unwrap().token() }).to_string();
        let verified = server.post("/api/auth/verify-email", &body).send();
        assert_eq!(verified.status, 200, "{}", verified.text);
        Tenant::of(&server, session)
    };
    let ada = register("ada@example.com");
    let bob = invite(&ada, &mail, "bob@example.com", "member");
    let carol = invite(&ada, &mail, "carol@example.com", "admin");
    let dora = register("dora@example.com");
    let used = |license: &str, model: &str, output: i64| {
        let body = json!({ "appId": "engine", "modelId": model, "outputTokens": output });
        let charged = report(&server, license, &body);
        assert_eq!(charged.status, 200, "{}", charged.text);
    };
    used(&ada.license, "other", 1_000);
    used(&license(&server, &bob, "engine"), "small", 20);
    used(&license(&server, &bob, "engine"), "other", 300);
    used(&license(&server, &carol, "engine"), "other", 4);
    used(&dora.license, "other", 50_00);
    let seen = |session: &str| {
        let path = "/api/usage/summary?groupBy=model";
        let summary = server.get(path).bearer(session).send();
        assert_eq!(
            (summary.status, summary.header("cache-control")),
            (200, Some("no-store"))
        );
        let groups = summary.json["groups"].as_array().unwrap();
        let groups = groups.iter().map(|group| {
            json!([
                group["appId"],
                group["modelId"],
                group["outputTokens"],
                group["reports"]
            ])
        });
        (
            Value::from_iter(groups),
            summary.json["total"]["outputTokens"].clone(),
        )
    };
    let of_tenant = json!([["engine", "other", 1_304, 3], ["engine", "small", 20, 1]]);
    let of_bob = json!([["engine", "other", 300, 1], ["engine", "small", 20, 1]]);
    assert_eq!(seen(&ada.session), (of_tenant.clone(), json!(1_324)));
    assert_eq!(seen(&carol), (of_tenant, json!(1_324)));
    assert_eq!(seen(&bob), (of_bob.clone(), json!(320)));
    let (_, key) = server.make_key(&bob, &["full_access"]);
    assert_eq!(seen(&key), (of_bob, json!(320)));
    assert_eq!(
        seen(&dora.session),
        (json!([["engine", "other", 5_000, 1]]), json!(5_000))
    );
    for path in [
        "/api/credits/balance",
        "/api/credits/transactions",
        "/api/credits/auto-recharge",
        "/api/subscriptions",
    ] {
        for (credential, status) in [(&bob, 403), (&key, 403), (&carol, 200)] {
            let answer = server.get(path).bearer(credential).send();
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
        }
    }
    for (method, path, body) in super::credits::WRITES {
        for credential in [&bob, &key] {
            let request = server.request(method, path).bearer(credential);
            let request = request.header("Content-Type", "application/json");
            let refused = request.body(body).send();
            assert_eq!(refused.status, 403, "{method} {path}: {}", refused.text);
        }
    }
}

#[test]
fn days_are_of_utc_count_at_both_ends_and_have_a_limit() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    assert_eq!(tenant.spend(1).status, 200);
    let ask = |query: &str| tenant.get(&format!("/api/usage/summary{query}"));
    let today = ask("").json["groups"][0]["day"]
        .as_str()
        .unwrap()
        .to_owned();
    for (query, days, reports) in [
        (String::new(), None, 1),
        (format!("?from={today}"), Some((&*today, &*today)), 1),
        (format!("?to={today}"), None, 1),
        (
            format!("?from={today}&to={today}"),
            Some((&*today, &*today)),
            1,
        ),
        (
            format!("?from={today}T23:59:59Z&to={today}T00:00:00Z"),
            Some((&*today, &*today)),
            1,
        ),
        (
            "?from=2020-02-29&to=2020-03-01".to_owned(),
            Some(("2020-02-29", "2020-03-01")),
            0,
        ),
        (
            "?from=2024-01-01&to=2024-12-31".to_owned(),
            Some(("2024-01-01", "2024-12-31")),
            0,
        ),
        (
            "?to=2020-01-30".to_owned(),
            Some(("2020-01-01", "2020-01-30")),
            0,
        ),
        (
            "?from=9999-12-31".to_owned(),
            Some(("9999-12-31", "9999-12-31")),
            0,
        ),
        ("?to=0001-01-01".to_owned(), None, 0),
    ] {
        let summary = ask(&query);
        assert_eq!(summary.status, 200, "{query}: {}", summary.text);
        if let Some((from, to)) = days {
            assert_eq!(
                (&summary.json["from"], &summary.json["to"]),
                (&json!(from), &json!(to)),
                "{query}"
            );
        }
        assert_eq!(summary.json["total"]["reports"], reports, "{query}");
        let groups = summary.json["groups"].as_array().unwrap().len();
        assert_eq!(i64::try_from(groups).unwrap(), reports, "{query}");
    }
    let day = "must be a day, such as 2026-01-31";
    for (query, sentence) in [
        (
            "?from=2026-01-02&to=2026-01-01",
            "from: must not be after to",
        ),
        (
            "?from=2024-01-01&to=2025-01-01",
            "from: at most 366 days at once",
        ),
        ("?from=2020-01-01", "from: at most 366 days at once"),
        ("?from=yesterday", &format!("from: {day}")),
        ("?to=2026-02-30", &format!("to: {day}")),
        ("?from=", &format!("from: {day}")),
        ("?groupBy=user", "groupBy: must be one of day, app, model"),
        ("?from=2026-01-01&from=2026-01-02", "from: appears twice"),
    ] {
        assert_eq!(ask(query).refusal(), (400, sentence), "{query}");
    }
    assert_eq!(
        members(&ask("?groupBy=model").json["groups"][0]),
        [
            "appId",
            "cachedInputTokens",
            "costMillicents",
            "inputTokens",
            "metrics",
            "modelId",
            "outputTokens",
            "reports"
        ]
    );
    // A use without a model has a group, and says so.
    let other = license(&server, &tenant.session, "other");
    let body = json!({ "appId": "other", "outputTokens": 10 });
    assert_eq!(report(&server, &other, &body).status, 200);
    let groups = ask("?groupBy=model").json["groups"].clone();
    assert_eq!(
        (
            &groups[1]["appId"],
            &groups[1]["modelId"],
            groups[1].get("modelId").is_some()
        ),
        (&json!("other"), &Value::Null, true)
    );
    assert_eq!(server.get("/api/usage/summary").send().status, 401);
    assert_eq!(
        server
            .get("/api/usage/summary")
            .bearer(&tenant.license)
            .send()
            .status,
        401,
        "a licence is no session"
    );
}
