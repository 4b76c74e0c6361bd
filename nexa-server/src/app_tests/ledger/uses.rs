//! Uses: what of them a tenant and its members take along, and whose they are once their users have left.

use serde_json::{Value, json};

use super::super::Fixture;
use super::super::erasure::crowd;
use super::{pay, payment};
use crate::domain::principal::LicenseHolder;
use crate::domain::rates::Counts;
use crate::domain::usage::{self, NewReport};
use crate::store::payments::{self, State};

#[test]
fn an_export_holds_payments_and_uses_and_nothing_of_the_provider() {
    let mut fixture = crowd();
    let owner = fixture.furnish(1);
    fixture.fund(&owner);
    let member = fixture.hire(&owner, "member@example.com");
    let ids = [&owner, &member].map(|session| fixture.user_id(session));
    for (n, session) in (1..).zip([&owner, &member]) {
        let (license, _) = fixture.license(session, "one more");
        fixture.use_up(&license, n * 1_000);
        fixture.use_up(&license, 0);
    }
    let (tenant_id, now) = (fixture.tenant_id(&owner), fixture.now);
    fixture.put(move |tx| {
        pay(tx, &tenant_id, now, "w")?;
        for n in 0..450 {
            let id = format!("{n:03}");
            payments::insert(tx, &payment(&tenant_id, &id, now, State::Failed))?;
        }
        Ok(())
    });
    let whole = fixture.exported(&owner);
    let count = |name: &str| whole[name].as_array().unwrap().len();
    assert_eq!((count("subscriptions"), count("payments")), (1, 451));
    let subscription = &whole["subscriptions"][0];
    assert_eq!(subscription["pricePerMonth"], 20.0);
    let paid = &whole["payments"][450];
    assert_eq!(
        (&paid["kind"], &paid["state"], &paid["amount"]),
        (&json!("subscription"), &json!("paid"), &json!(19.99))
    );
    assert_eq!(paid["molliePaymentId"], "tr_w");
    let reversal =
        json!({ "kind": "refund", "amount": 2.5, "takenMillicents": 250_000, "calledOff": false });
    assert_eq!(paid["reversals"], json!([reversal]));
    assert_eq!(whole["payments"][0]["reversals"], json!([]));
    assert_eq!(whole["autoRecharge"]["status"], "active");
    assert_eq!(whole["autoRecharge"]["thresholdEur"], 5.0);
    assert!(!whole.to_string().contains("secret"), "{whole}");

    let day = fixture.now.to_rfc3339();
    let used = |n: usize| {
        json!({
            "day": day[..10], "userId": ids[n], "appId": "agentyk-engine", "modelId": "llama-3-8b", "reports": 2,
            "inputTokens": (n + 1) * 1_000, "cachedInputTokens": 0, "outputTokens": 0, "metrics": { "images": 6 },
            "costMillicents": 1_200 + (n + 1) * 20,
        })
    };
    let by_user = |export: &Value| {
        let mut rows = export["usage"].as_array().unwrap().clone();
        rows.sort_by_key(|row| row["inputTokens"].as_u64());
        rows
    };
    assert_eq!(by_user(&whole), [used(0), used(1)]);
    let own = fixture.exported(&member);
    assert_eq!(by_user(&own), [used(1)]);
    assert_eq!(own["autoRecharge"]["status"], "none");
    for empty in ["subscriptions", "payments"] {
        assert_eq!(own[empty], json!([]), "{empty}");
    }
}

#[test]
fn uses_of_many_days_are_exported_once_each() {
    let mut fixture = crowd();
    let owner = fixture.furnish(1);
    let tenant_id = fixture.tenant_id(&owner);
    fixture.put(move |tx| {
        for n in 0..450_i64 {
            let (day, who) = (n / 5, format!("user {}", n % 5));
            let values = [(&tenant_id).into(), day.into(), (&who).into(), n.into()];
            tx.execute(
                "INSERT INTO usage_days VALUES (?1, ?2, ?3, 'app', '', 1, ?4, 0, 0, 0)",
                &values,
            )?;
        }
        Ok(())
    });
    let export = fixture.exported(&owner);
    let rows = export["usage"].as_array().unwrap();
    let found = rows.iter().map(|row| row["inputTokens"].as_i64().unwrap());
    assert!(found.eq(0..450), "{} rows", rows.len());
    assert_eq!(rows[449]["modelId"], Value::Null);
}

#[test]
fn whoever_leaves_a_team_is_named_in_no_sum() {
    let mut fixture = crowd();
    let owner = fixture.furnish(1);
    fixture.fund(&owner);
    let people = ["b@example.com", "c@example.com"].map(|email| fixture.hire(&owner, email));
    let ids = [0, 1].map(|n| fixture.user_id(&people[n]));
    let licenses = [0, 1].map(|n| fixture.license(&people[n], "f"));
    let (of_owner, _) = fixture.license(&owner, "one more");
    fixture.use_up(&of_owner, 1);
    for (n, (license, _)) in licenses.iter().enumerate() {
        fixture.use_up(license, 10 * (n as u64 + 1));
    }
    let total = |fixture: &mut Fixture| {
        let path = "/api/usage/summary?groupBy=model";
        let summary = fixture.send("GET", path, &owner, &Value::Null).1;
        summary["total"].clone()
    };
    let before = total(&mut fixture);
    for id in &ids {
        fixture.fire(&owner, id);
        assert_eq!(total(&mut fixture), before, "nothing is lost");
    }
    // Their licences are the tenant's now, and what they use is nobody's.
    fixture.use_up(&licenses[0].0, 100);
    // So it is where the gate has let a report pass before its user left.
    let (tenant_id, now) = (fixture.tenant_id(&owner), fixture.now);
    let services = fixture.app.services();
    let tariff = std::sync::Arc::clone(&services.tariff);
    let holder = LicenseHolder {
        device_id: None,
        tenant_id,
        jti: licenses[1].1.clone(),
        app_id: "agentyk-engine".to_owned(),
        user_id: Some(ids[1].clone()),
        entitlements: Vec::new(),
    };
    let counts = Counts {
        input: 1_000,
        cached_input: 0,
        output: 0,
        metrics: std::collections::BTreeMap::new(),
    };
    let (app, model) = (holder.app_id.clone(), Some("llama-3-8b".to_owned()));
    let new = NewReport::new(now, &mut fixture.rng, &holder, app, model, counts).unwrap();
    let reported =
        (services.store).write(move |tx| usage::report(tx, now, &tariff, &holder, None, &new));
    assert!(reported.unwrap().outcome.is_ok());
    let export = fixture.exported(&owner);
    let rows = export["usage"].as_array().unwrap();
    let nobody: Vec<&Value> = rows.iter().filter(|row| row["userId"].is_null()).collect();
    assert_eq!((rows.len(), nobody.len()), (2, 1), "{rows:?}");
    assert_eq!(nobody[0]["reports"], 4);
    assert_eq!(nobody[0]["inputTokens"], 1_130);
    assert_eq!(nobody[0]["metrics"], json!({ "images": 9 }));
    let whole = export["usage"].to_string();
    assert!(ids.iter().all(|id| !whole.contains(id)), "{whole}");
}
