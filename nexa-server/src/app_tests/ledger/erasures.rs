//! What is left of money when a tenant is erased, and of payments that never were.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::Fixture;
use super::super::erasure::{crowd, mark};
use super::{pay, payment};
use crate::job;
use crate::store::StoreError;
use crate::store::payments::{self, Payment, State};

const DAY_S: i64 = 86_400;

/// The tables that say of their rows whose they are, with those in which the tenant has any.
fn tables_with(fixture: &Fixture, tenant_id: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let store = &fixture.app.services().store;
    let read = store.read(|tx| {
        let tables: Vec<String> = tx.all(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND c.name = 'tenant_id'",
            &[],
            |row| row.text(0),
        )?;
        let mut with = BTreeSet::new();
        for table in &tables {
            let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = ?1");
            if tx.one(&sql, &[tenant_id.into()], |row| row.int(0))? > 0 {
                with.insert(table.clone());
            }
        }
        Ok((tables.into_iter().collect(), with))
    });
    read.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn erasure_leaves_of_money_the_sums_of_the_ledger() {
    let mut fixture = crowd();
    let operator = fixture.operator_key();
    let sessions = [fixture.furnish(1), fixture.furnish(2)];
    let ids = [0, 1].map(|n| fixture.tenant_id(&sessions[n]));
    // The plan that costs nothing grants to owners whose address is known.
    fixture.put(|tx| tx.execute("UPDATE users SET email_verified_at_ms = 1", &[]));
    for (n, (session, id)) in (1..).zip(sessions.iter().zip(&ids)) {
        let words = mark(n);
        let path = format!("/api/operator/tenants/{id}/credits");
        let grant = json!({ "amount": "12.34", "reference": format!("for {words}") });
        assert_eq!(fixture.send("POST", &path, &operator, &grant).0, 201);
        let device = json!({ "components": { "disk": "d" }, "platform": format!("os {words}") });
        let license = json!({ "appId": "agentyk-engine", "device": device });
        let issued = fixture.send("POST", "/api/licenses/issue", session, &license);
        assert_eq!(issued.0, 201, "{}", issued.1);
        let (license, _) = fixture.license(session, "one more");
        fixture.use_up(&license, 1_000);
        let (now, id) = (fixture.now, id.clone());
        fixture.put(move |tx| {
            pay(tx, &id, now, &words)?;
            tx.execute(
                "INSERT INTO notices (id, tenant_id, kind, subject, plan, told_at_ms, due_at_ms)
                 VALUES (?1, ?2, 'subscription_ended', ?1, ?1, 0, 0)",
                &[(&words).into(), (&id).into()],
            )?;
            tx.execute(
                "INSERT INTO idempotency_records
                     (tenant_id, route, key, payload, status, kid, answer, created_at_ms, expires_at_ms)
                 VALUES (?1, 'r', ?2, zeroblob(32), 201, '', ?2, 0, 9000000000000000)",
                &[(&id).into(), (&words).into()],
            )
        });
    }
    let (all, with) = tables_with(&fixture, &ids[0]);
    // An agent's alone.
    let missing: BTreeSet<String> = all.difference(&with).cloned().collect();
    assert_eq!(
        missing,
        set(&["agents", "webhook_deliveries"]),
        "a tenant has something of everything"
    );
    let body = json!({ "password": "correct horse" });
    let erased = fixture.send("DELETE", "/api/account", &sessions[0], &body);
    assert_eq!(erased.0, 200, "{}", erased.1);
    assert_eq!(fixture.files_with(&mark(1)), [""; 0]);
    let (_, left) = tables_with(&fixture, &ids[0]);
    // The public list of revocations goes on, and so does the trail.
    let kept = ["audit_events", "credit_entries", "licenses"];
    assert_eq!(left, set(&kept));
    for table in ["payment_reversals", "usage_report_metrics"] {
        let left = fixture.numbers(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(left, [1], "{table}: the other tenant's");
    }
    let (_, of_other) = tables_with(&fixture, &ids[1]);
    assert_eq!(of_other, with);
    let sums = format!(
        "SELECT sum(monthly_mc + topup_mc) FROM credit_entries WHERE tenant_id = '{}' AND cause = 'grant'",
        ids[0]
    );
    assert_eq!(fixture.numbers(&sums), [100_000 + 1_234_000]);
}

#[test]
fn payments_that_never_were_are_removed_after_ninety_days() {
    let mut fixture = Fixture::new();
    let session = fixture.sign_up();
    let (tenant_id, start) = (fixture.tenant_id(&session), fixture.now);
    fixture.put(move |tx| {
        for (id, state, provider_id) in [
            ("unmade", State::Failed, None),
            ("failed", State::Failed, Some("tr_1")),
            ("paid", State::Paid, Some("tr_2")),
            ("new", State::New, None),
        ] {
            let row = Payment {
                provider_id: provider_id.map(str::to_owned),
                ..payment(&tenant_id, id, start, state)
            };
            payments::insert(tx, &row)?;
        }
        let later = start.plus_seconds(1);
        payments::insert(tx, &payment(&tenant_id, "later", later, State::Failed))
    });
    let left = |fixture: &Fixture, seconds: i64| {
        job::tick(fixture.app.services(), start.plus_seconds(seconds));
        let store = &fixture.app.services().store;
        let sql = "SELECT id FROM payments ORDER BY id";
        let read = store.read(|tx| tx.all(sql, &[], |row| row.text(0)));
        read.unwrap_or_else(|error: StoreError| panic!("{error}"))
    };
    let all = ["failed", "later", "new", "paid", "unmade"];
    assert_eq!(left(&fixture, 90 * DAY_S - 1), all);
    assert_eq!(left(&fixture, 90 * DAY_S), all[..4]);
    assert_eq!(left(&fixture, 90 * DAY_S + 1), ["failed", "new", "paid"]);
}
