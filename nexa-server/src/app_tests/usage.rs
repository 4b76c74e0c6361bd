//! Usage by the clock: repeats, months, days, and the end of a licence.

use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Fixture, START};
use crate::time::UnixMillis;

const DAY_S: i64 = 86_400;
/// In the sample configuration a month of the plan that costs nothing.
const MONTH_MC: i64 = 100_000;

/// A tenant with a licence, and a key that outlasts sessions.
struct User {
    fixture: Fixture,
    license: String,
    key: String,
}

impl User {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let session = fixture.sign_up();
        fixture.execute("UPDATE users SET email_verified_at_ms = created_at_ms");
        let whole = json!({ "name": "k", "scopes": ["full_access"] });
        let (_, key) = fixture.make_key(&session, &whole);
        let device = json!({ "fingerprint": "f", "platform": "linux" });
        let new = json!({ "appId": "agentyk-engine", "device": device, "ttlDays": 40 });
        let (status, issued) = fixture.send("POST", "/api/licenses/issue", &key, &new);
        assert_eq!(status, 201, "{issued}");
        let license = issued["license"].as_str().unwrap().to_owned();
        Self {
            fixture,
            license,
            key,
        }
    }

    /// Spends that much, in pictures at 200 millicents each; answers the status, whether it is an answer once more, and the
    /// answer.
    fn spend(&mut self, millicents: i64, idempotency_key: Option<&str>) -> (u16, bool, Value) {
        let body = json!({
            "appId": "agentyk-engine",
            "modelId": "llama-3-8b",
            "metrics": { "images": millicents / 200 },
        });
        let mut request = Request::post("/api/usage/report")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.license));
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        let response = self.fixture.call(&request, true).unwrap();
        (
            response.status().as_u16(),
            response.headers().contains_key("idempotency-replayed"),
            serde_json::from_slice(response.body()).unwrap(),
        )
    }

    fn ask(&mut self, path: &str) -> Value {
        let key = self.key.clone();
        let (status, answer) = self.fixture.send("GET", path, &key, &Value::Null);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn at(&mut self, now: UnixMillis) -> &mut Self {
        self.fixture.now = now;
        self
    }
}

fn before(time: UnixMillis) -> UnixMillis {
    UnixMillis::from_ms(time.ms() - 1)
}

#[test]
fn a_repeat_is_the_same_call_for_a_day() {
    let mut user = User::new();
    let first = user.spend(200, Some("report-1"));
    assert_eq!((first.0, first.1), (200, false), "{}", first.2);
    let a_day_later = START.plus_seconds(DAY_S);
    let again = user.at(before(a_day_later)).spend(200, Some("report-1"));
    assert_eq!(again, (200, true, first.2.clone()));
    let balance = user.ask("/api/credits/balance");
    assert_eq!(balance["totalMillicents"], MONTH_MC - 200);
    let (status, is_replay, anew) = user.at(a_day_later).spend(200, Some("report-1"));
    assert_eq!((status, is_replay), (200, false));
    assert_eq!(anew["balance"]["totalMc"], MONTH_MC - 400);
}

#[test]
fn a_month_ends_to_the_millisecond_and_the_next_one_begins() {
    let mut user = User::new();
    assert_eq!(user.spend(99_800, None).0, 200);
    let balance = user.ask("/api/credits/balance");
    let end: UnixMillis = balance["monthlyResetsAt"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(end, START.plus_months(1));
    let (status, _, refused) = user.at(before(end)).spend(400, None);
    assert_eq!((status, &refused["code"]), (402, &json!("credits_too_low")));
    let (status, _, charged) = user.at(end).spend(400, None);
    assert_eq!(status, 200, "{charged}");
    assert_eq!(charged["balance"]["totalMc"], MONTH_MC - 400);
    let balance = user.ask("/api/credits/balance");
    assert_eq!(balance["totalMillicents"], MONTH_MC - 400);
    assert_eq!(
        balance["monthlyResetsAt"],
        START.plus_months(2).to_rfc3339()
    );
    let entries = user.ask("/api/credits/transactions");
    let causes = entries.as_array().unwrap().iter().rev().map(|entry| {
        (
            entry["cause"].as_str().unwrap(),
            entry["monthlyMillicents"].as_i64().unwrap(),
        )
    });
    assert_eq!(
        causes.collect::<Vec<_>>(),
        [
            ("grant", MONTH_MC),
            ("usage", -99_800),
            ("reset", -200),
            ("grant", MONTH_MC),
            ("usage", -400)
        ]
    );
}

#[test]
fn a_licence_that_is_over_reports_no_more() {
    let mut user = User::new();
    let end = START.plus_seconds(40 * DAY_S);
    assert_eq!(user.at(before(end)).spend(200, None).0, 200);
    let (status, _, refused) = user.at(end).spend(200, None);
    assert_eq!((status, &refused["code"]), (401, &json!("license_expired")));
    assert_eq!(user.ask("/api/usage/summary")["total"]["reports"], 1);
}

#[test]
fn a_report_counts_on_the_day_of_utc_on_which_it_came() {
    let mut user = User::new();
    let midnight = UnixMillis::of_day(START.day() + 1);
    let first = before(midnight).to_rfc3339()[..10].to_owned();
    let second = midnight.to_rfc3339()[..10].to_owned();
    for (now, millicents) in [(before(midnight), 200), (midnight, 400), (midnight, 600)] {
        assert_eq!(user.at(now).spend(millicents, None).0, 200);
    }
    let days = |summary: &Value| {
        let groups = summary["groups"].as_array().unwrap().iter();
        Value::from_iter(groups.map(|group| {
            json!([
                group["day"],
                group["reports"],
                group["costMillicents"],
                group["metrics"]
            ])
        }))
    };
    let of_first = json!([first, 1, 200, { "images": 1 }]);
    let of_second = json!([second, 2, 1_000, { "images": 5 }]);
    let all = user.ask("/api/usage/summary");
    assert_eq!(days(&all), json!([of_first, of_second]));
    for (query, expected) in [
        (format!("from={second}"), json!([of_second])),
        (format!("to={first}"), json!([of_first])),
        (format!("from={first}&to={first}"), json!([of_first])),
    ] {
        let summary = user.ask(&format!("/api/usage/summary?{query}"));
        assert_eq!(days(&summary), expected, "{query}");
    }
    // Without a beginning: thirty days, today among them.
    user.at(midnight.plus_seconds(29 * DAY_S - 1));
    assert_eq!(
        days(&user.ask("/api/usage/summary")),
        json!([of_first, of_second])
    );
    user.at(midnight.plus_seconds(29 * DAY_S));
    assert_eq!(days(&user.ask("/api/usage/summary")), json!([of_second]));
    user.at(midnight.plus_seconds(30 * DAY_S));
    assert_eq!(days(&user.ask("/api/usage/summary")), json!([]));
}

#[test]
fn low_credits_are_told_each_time_a_use_brings_the_balance_below() {
    let mut usage = User::new();
    let low_mc = usage.fixture.app.services().tariff.low_mc;
    let notices = |usage: &User| {
        let store = &usage.fixture.app.services().store;
        let told = store.read(|tx| {
            tx.one(
                "SELECT count(*) FROM notices WHERE kind = 'credits_low'",
                &[],
                |row| row.int(0),
            )
        });
        told.unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"))
    };
    assert_eq!(usage.spend(100_000 - low_mc, None).0, 200);
    assert_eq!(notices(&usage), 0, "not at the mark itself");
    assert_eq!(usage.spend(200, None).0, 200);
    assert_eq!(notices(&usage), 1);
    assert_eq!(usage.spend(200, None).0, 200);
    assert_eq!(usage.spend(90_000, None).0, 402);
    assert_eq!(notices(&usage), 1, "it was told");
    // A new month, and below once more.
    usage.at(START.plus_months(1));
    assert_eq!(
        usage.ask("/api/credits/balance")["totalMillicents"],
        100_000
    );
    assert_eq!(notices(&usage), 1, "an end is no use");
    assert_eq!(usage.spend(99_800, None).0, 200);
    assert_eq!(notices(&usage), 2);
}
