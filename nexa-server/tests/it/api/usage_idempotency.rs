//! `Idempotency-Key` on `/api/usage/report`

use serde_json::{Value, json};

use super::usage::{self, CONFIG, Tenant, license};
use crate::harness::{Answer, Server};

fn once(server: &Server, license: &str, key: &str, body: &str) -> Answer {
    let request = server.post("/api/usage/report", body).bearer(license);
    request.header("Idempotency-Key", key).send()
}

fn spending(millicents: i64) -> String {
    let body = json!({ "appId": "engine", "modelId": "other", "outputTokens": millicents * 10 });
    body.to_string()
}

fn left(tenant: &Tenant<'_>) -> Value {
    tenant.get("/api/credits/balance").json["totalMillicents"].clone()
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

#[test]
fn a_repeat_is_charged_once_and_answered_as_the_first() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    let license_of = &tenant.license;
    let first = once(&server, license_of, "report-1", &spending(100));
    assert_eq!((first.status, is_replay(&first)), (200, false));
    assert_eq!(
        once(&server, license_of, "report-2", &spending(50)).status,
        200
    );
    let respelt = r#"{ "outputTokens": 1000, "modelId": "other", "appId": "engine" }"#;
    for (key, body) in [
        ("report-1", spending(100).as_str()),
        ("\"report-1\"", respelt),
    ] {
        let again = once(&server, license_of, key, body);
        assert_eq!((again.status, &again.text), (200, &first.text));
        assert!(is_replay(&again));
        assert_eq!(again.header("cache-control"), Some("no-store"));
    }
    assert_eq!(left(&tenant), 850);
    let reused = once(&server, license_of, "report-1", &spending(101));
    assert_eq!(
        (reused.status, &reused.json["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    // The licence that follows is still its device's; another device of the tenant is not shown it, another tenant has keys of
    // its own.
    let renewed = license(&server, &tenant.session, "engine");
    let again = once(&server, &renewed, "report-1", &spending(100));
    assert!(again.text == first.text && is_replay(&again));
    let device = usage::license_of(&server, &tenant.session, "engine", "another");
    assert_eq!(
        once(&server, &device, "report-1", &spending(100)).status,
        422
    );
    let other = Tenant::new(&server, "bob@example.com");
    let answer = once(&server, &other.license, "report-1", &spending(10));
    assert_eq!((answer.status, is_replay(&answer)), (200, false));
    assert_eq!((left(&tenant), left(&other)), (json!(850), json!(990)));
    for key in ["seven77", "with a space in it"] {
        let refused = once(&server, license_of, key, &spending(1));
        assert_eq!(refused.status, 400, "{key}");
    }

    // Nothing is kept of a refusal: when there is enough, the same call is the first.
    let refused = once(&server, license_of, "report-3", &spending(900));
    assert_eq!(refused.status, 402);
    assert_eq!(once(&server, license_of, "report-4", "{}").status, 400);
    tenant.operate(&json!({ "plan": "large" }));
    let charged = once(&server, license_of, "report-3", &spending(900));
    assert_eq!((charged.status, is_replay(&charged)), (200, false));
    assert_eq!(
        once(&server, license_of, "report-4", &spending(1)).status,
        200
    );
}

#[test]
fn repeats_at_once_are_charged_once() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let (server, license) = (&server, &tenant.license);
        let calls: Vec<_> = (0..32)
            .map(|_| scope.spawn(move || once(server, license, "one-and-only", &spending(100))))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let firsts = answers
        .iter()
        .filter(|answer| answer.status == 200 && !is_replay(answer));
    assert_eq!(firsts.count(), 1);
    for answer in &answers {
        match answer.status {
            200 => assert_eq!(answer.json["balance"]["totalMc"], 900),
            status => assert_eq!(
                (status, &answer.json["code"]),
                (409, &json!("idempotency_key_in_use"))
            ),
        }
    }
    assert_eq!(left(&tenant), 900);
    let total = tenant.get("/api/usage/summary").json["total"].clone();
    assert_eq!(
        (&total["reports"], &total["outputTokens"]),
        (&json!(1), &json!(1_000))
    );
}

#[test]
fn a_repeat_is_answered_whatever_has_become_of_the_card_and_the_server() {
    let url = ["--public-url", "https://auth.example.com"];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nexa.toml");
    let start = |folder, config: &str| {
        std::fs::write(&file, config).unwrap();
        let arguments = [&["--config", file.to_str().unwrap()][..], &url].concat();
        Server::start_on(folder, &arguments)
    };
    let mut server = start(tempfile::tempdir().unwrap(), CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    let (session, license) = (tenant.session.clone(), tenant.license.clone());
    let first = once(&server, &license, "report-1", &spending(100));
    assert_eq!(first.status, 200, "{}", first.text);
    server.stop("-KILL");
    let data = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    drop(server);
    let server = start(
        data,
        &CONFIG.replace("model = \"other\"", "model = \"newer\""),
    );
    let again = once(&server, &license, "report-1", &spending(100));
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert!(is_replay(&again));
    let refused = once(&server, &license, "report-2", &spending(100));
    assert_eq!(refused.status, 400, "{}", refused.text);
    let balance = server.get("/api/credits/balance").bearer(&session).send();
    assert_eq!(balance.json["totalMillicents"], 900);
}
