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
    let used = |reports: u64, input: u64| {
        json!({
            "day": day[..10], "appId": "agentyk-engine", "modelId": "llama-3-8b", "reports": reports,
            "inputTokens": input, "cachedInputTokens": 0, "outputTokens": 0, "metrics": { "images": reports * 3 },
            "costMillicents": reports * 600 + input / 50,
        })
    };
    assert_eq!(whole["usage"], json!([used(4, 3_000)]));
    let reports = whole["usageReports"].as_array().unwrap();
    let spent = whole["creditEntries"].as_array().unwrap().iter();
    let spent: Vec<&Value> = spent.filter(|entry| entry["cause"] == "usage").collect();
    assert_eq!((reports.len(), spent.len()), (4, 4));
    for report in reports {
        let entry = spent.iter().find(|entry| entry["causeId"] == report["id"]);
        let cost = report["costMillicents"].as_i64().unwrap();
        assert_eq!(entry.unwrap()["topupMillicents"], -cost);
        assert_eq!(report["metrics"], json!({ "images": 3 }));
    }
    let own = fixture.exported(&member);
    assert_eq!(own["usage"], json!([used(2, 2_000)]));
    assert_eq!(own["usageReports"], json!([]));
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
            let (day, app) = (n / 5, format!("app {}", n % 5));
            let values = [(&tenant_id).into(), day.into(), (&app).into(), n.into()];
            tx.execute(
                "INSERT INTO usage_days VALUES (?1, '', ?2, ?3, '', 1, ?4, 0, 0, 0)",
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
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["reports"], 5);
    assert_eq!(rows[0]["inputTokens"], 1_131);
    assert_eq!(rows[0]["metrics"], json!({ "images": 12 }));
    let of_people = "SELECT count(*) FROM usage_days WHERE user_id <> ''";
    assert_eq!(fixture.numbers(of_people), [1], "the owner's");
    let whole = export["usage"].to_string();
    assert!(ids.iter().all(|id| !whole.contains(id)), "{whole}");
}
