//! agentyk: the rate card, and what is left to spend.

use serde_json::{Value, json};

use super::agentyk::{DOCUMENT, agentyk_fields};
use super::assert_rfc3339;
use crate::harness::Server;

#[test]
fn agentyk_shows_everybody_its_rates() {
    assert!(
        DOCUMENT.contains("GET/api/credits/rates\nPublic — full per-engine, per-model rate card")
    );
    let server = Server::start();
    let rates = server.get("/api/credits/rates").send();
    assert_eq!(
        (rates.status, rates.header("cache-control")),
        (200, Some("public, max-age=300"))
    );
    let expected = json!({
        "currency": "EUR",
        "rates": [{
            "appId": "agentyk-engine",
            "modelId": "llama-3-8b",
            "inputPerMillionTokens": "0.2",
            "cachedInputPerMillionTokens": "0.05",
            "outputPerMillionTokens": "0.6",
            "metrics": { "images": "0.002" },
        }],
    });
    assert_eq!(rates.json, expected);

    let server = Server::configured("[[rates]]\napp = \"a\"\noutput = \"12\"\n");
    let rates = server.get("/api/credits/rates").send();
    assert_eq!(
        rates.json["rates"],
        json!([{ "appId": "a", "modelId": null, "outputPerMillionTokens": "12" }])
    );
    let none = Server::configured("");
    assert_eq!(
        none.get("/api/credits/rates").send().json["rates"],
        json!([])
    );
}

#[test]
fn agentyk_shows_a_balance_to_those_who_manage_it() {
    let server = Server::start();
    let mut fields = agentyk_fields("GET/api/credits/balanceaccess", "returns:");
    fields.sort();
    let token = server.sign_up_verified("ada@example.com");
    let balance = server.get("/api/credits/balance").bearer(&token).send();
    assert_eq!(
        (balance.status, balance.header("cache-control")),
        (200, Some("no-store"))
    );
    assert_eq!(balance.members(), fields);
    // A month of the plan that costs nothing.
    assert_rfc3339(&balance.json["monthlyResetsAt"]);
    let month = json!({
        "monthlyMillicents": 100_000,
        "topupMillicents": 0,
        "totalMillicents": 100_000,
        "monthlyResetsAt": balance.json["monthlyResetsAt"],
    });
    assert_eq!(balance.json, month);

    // An agent has its trial.
    let agent = server
        .post("/v1/account/register", r#"{"name":"an agent"}"#)
        .send();
    let key = agent.json["api_key"].as_str().unwrap();
    let balance = server.get("/api/credits/balance").key(key).send();
    assert_eq!(balance.json["monthlyMillicents"], 500_000);
    assert_eq!(balance.json["totalMillicents"], 500_000);
    assert_eq!(
        balance.json["monthlyResetsAt"],
        agent.json["trial"]["expires_at"]
    );
    assert_rfc3339(&balance.json["monthlyResetsAt"]);
    let entries = server
        .get("/api/credits/transactions?limit=1")
        .key(key)
        .send();
    assert_eq!((entries.status, entries.header("link")), (200, None));
    let entry = &entries.json[0];
    assert_rfc3339(&entry["at"]);
    assert_eq!(
        (
            &entry["cause"],
            &entry["monthlyMillicents"],
            &entry["monthlyAfterMillicents"]
        ),
        (&json!("trial"), &json!(500_000), &json!(500_000))
    );
    let earlier = format!(
        "/api/credits/transactions?before={}",
        entry["at"].as_str().unwrap()
    );
    assert_eq!(server.get(&earlier).key(key).send().json, json!([]));
    let of_ada = server
        .get("/api/credits/transactions")
        .bearer(&token)
        .send();
    assert_eq!(
        of_ada.json.as_array().unwrap().len(),
        1,
        "none of another tenant's"
    );
    assert_eq!(of_ada.json[0]["cause"], "grant");
    let wrong = server
        .get("/api/credits/transactions?before=yesterday")
        .bearer(&token)
        .send();
    assert_eq!(wrong.status, 400);
    assert_eq!(
        server.get("/api/credits/balance").send().json["code"],
        Value::from("credential_required")
    );
}
