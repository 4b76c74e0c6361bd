//! agentyk: what is used is reported with a licence token, paid for, and summed up.

use serde_json::{Value, json};

use super::agentyk::{DOCUMENT, agentyk_fields, documented};
use crate::harness::{Server, members};

const REPORT: &str = "POST/api/usage/report";

#[test]
fn agentyk_reports_and_sums_up_what_is_used() {
    usage(&Server::start());
}

/// Items 46 and 47.
pub(super) fn usage(server: &Server) {
    let line = format!("{REPORT}license");
    let returns = "returns: { ok, costMillicents, balance: { monthlyMc, topupMc, totalMc } }\n\
                   Rate limited 600/min/IP\nGET/api/usage/summaryaccess\n";
    assert!(DOCUMENT.contains(returns));
    let mut body = agentyk_fields(&line, "body:");
    body.sort();
    assert_eq!(
        body,
        [
            "appId",
            "cachedInputTokens?",
            "inputTokens?",
            "metrics?",
            "modelId?",
            "outputTokens?"
        ]
    );
    let token = server.sign_up_verified("reporter@example.com");
    let license = server.issue_license(&token, "f");
    let report = |values: &Value| documented(server, REPORT, &license, values).send();
    let all = json!({
        "appId": "agentyk-engine",
        "modelId": "llama-3-8b",
        "inputTokens": 1_000,
        "cachedInputTokens": 2_001,
        "outputTokens": 30,
        "metrics": { "images": 2 },
    });
    // 20 + 10.005 + 1.8 + 400, of the 1.00 that a month of the free plan has.
    let charged = report(&all);
    assert_eq!(
        (charged.status, charged.header("cache-control")),
        (200, Some("no-store")),
        "{}",
        charged.text
    );
    assert_eq!(
        charged.json,
        json!({
            "ok": true,
            "costMillicents": 432,
            "balance": { "monthlyMc": 99_568, "topupMc": 0, "totalMc": 99_568 },
        })
    );
    // What is left out is nothing, and the document lets everything but the app be left out.
    let least = json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b" });
    let nothing = report(&least);
    assert_eq!(
        (nothing.status, &nothing.json["costMillicents"]),
        (200, &json!(0)),
        "{}",
        nothing.text
    );
    assert_eq!(members(&nothing.json), members(&charged.json));

    let entries = server.get("/api/credits/transactions").bearer(&token);
    let entries = entries.send().json;
    assert_eq!(entries.as_array().unwrap().len(), 2, "{entries}");
    assert_eq!(
        (&entries[0]["cause"], &entries[0]["monthlyMillicents"]),
        (&json!("usage"), &json!(-432))
    );
    for (by, values) in [
        ("day", "agentyk_usage_by_day"),
        ("app", "agentyk_usage_by_app"),
        ("model", "agentyk_usage_by_model"),
    ] {
        let summary = documented(server, "GET/api/usage/summary", &token, &Value::Null);
        let summary = summary
            .on_path(|path| format!("{path}?groupBy={by}"))
            .send();
        assert_eq!(
            (summary.status, summary.header("cache-control")),
            (200, Some("no-store"))
        );
        insta::assert_json_snapshot!(values, summary.json, {
            ".from" => "[day]", ".to" => "[day]", ".groups[].day" => "[day]",
        });
    }
    let plain = documented(server, "GET/api/usage/summary", &token, &Value::Null).send();
    assert_eq!(plain.json["groupBy"], "day");
}

#[test]
fn agentyk_limits_reports_by_address() {
    // Whoever calls, and whatever comes of it: it is counted first.
    let server = Server::start();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let url = format!("{}{}", server.url, REPORT.strip_prefix("POST").unwrap());
    // Meanwhile more are allowed again, ten a second.
    for call in 0..1_200 {
        let mut answer = agent.post(&url).send_empty().unwrap();
        match answer.status().as_u16() {
            401 => {}
            429 => {
                assert!(call >= 600, "{call}");
                assert!(answer.headers().contains_key("retry-after"));
                let text = answer.body_mut().read_to_string().unwrap();
                assert!(text.contains("\"code\":\"rate_limited\""), "{text}");
                return;
            }
            status => panic!("{status}"),
        }
        answer.body_mut().read_to_vec().unwrap();
    }
    panic!("it is not limited");
}
