//! Trials that end: told in time, once, and not when they have ended or given way to a plan.

use serde_json::{Value, json};

use super::super::super::{Fixture, START};
use super::{DAY_S, shop};
use crate::time::UnixMillis;

#[test]
fn the_end_of_an_apps_trial_is_told_three_days_before_it() {
    let (mut fixture, key, ..) = shop(14);
    for (day, fingerprint) in [(0, "f1"), (5, "f2")] {
        fixture.now = START.plus_seconds(day * DAY_S);
        assert_eq!(fixture.issue_sdk(&key, fingerprint), 201);
        assert_eq!(fixture.carried(), []);
    }
    fixture.now = UnixMillis::from_ms(START.plus_seconds(11 * DAY_S).ms() - 1);
    assert_eq!(fixture.carried(), []);
    fixture.now = START.plus_seconds(11 * DAY_S);
    let (to, text) = fixture.carried().pop().unwrap();
    assert_eq!(to, "a@example.com");
    assert!(
        text.contains("your trial of sdk at") && text.contains("ends on 2027-01-29 08:00 UTC"),
        "{text}"
    );
    fixture.now = START.plus_seconds(12 * DAY_S);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    assert_eq!(fixture.carried(), [], "once");
}

#[test]
fn a_trial_that_the_operator_changes_is_told_as_it_is_then() {
    for (days, told_on) in [(30, 27), (8, 5)] {
        let (mut fixture, key, operator, _) = shop(14);
        assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
        fixture.now = START.plus_seconds(4 * DAY_S);
        fixture.put_app(&operator, days);
        assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
        fixture.now = UnixMillis::from_ms(START.plus_seconds(told_on * DAY_S).ms() - 1);
        assert_eq!(fixture.carried(), []);
        fixture.now = START.plus_seconds(told_on * DAY_S);
        let (_, text) = fixture.carried().pop().unwrap();
        let ends = START.plus_seconds(i64::from(days) * DAY_S).to_minute();
        assert!(text.contains(&format!("ends on {ends}")), "{text}");
        fixture.put_app(&operator, 40);
        assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
        fixture.now = START.plus_seconds(38 * DAY_S);
        assert_eq!(fixture.carried(), [], "once");
    }
}

#[test]
fn a_trial_of_fewer_than_three_days_is_told_at_its_beginning() {
    for days in [1, 3] {
        let (mut fixture, key, ..) = shop(days);
        assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
        assert_eq!(fixture.carried().len(), 1, "{days} days");
    }
}

#[test]
fn a_trial_that_is_over_or_has_given_way_to_a_plan_is_not_told() {
    // Nobody was there to carry it in time.
    let (mut fixture, key, ..) = shop(14);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    fixture.now = START.plus_seconds(14 * DAY_S);
    assert_eq!(fixture.carried(), []);
    assert_eq!(fixture.notices(), (0, 0), "it is dropped");
    assert_eq!(fixture.issue_sdk(&key, "f1"), 402, "and over");
    assert_eq!(fixture.notices(), (0, 0));

    // It ended while its mail waited.
    let (mut fixture, key, ..) = shop(14);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    fixture.mailer.break_down(true);
    fixture.now = START.plus_seconds(13 * DAY_S);
    assert_eq!(fixture.carried(), []);
    fixture.mailer.break_down(false);
    fixture.now = START.plus_seconds(15 * DAY_S);
    assert_eq!(fixture.carried(), []);

    // A plan came, and went while the trial lasted.
    let (mut fixture, key, operator, tenant_id) = shop(14);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    fixture.set_plan(&operator, &tenant_id, &json!("pro"));
    fixture.now = START.plus_seconds(11 * DAY_S);
    assert_eq!(fixture.carried(), []);
    fixture.set_plan(&operator, &tenant_id, &Value::Null);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    assert_eq!(fixture.carried().len(), 1);
}

#[test]
fn a_tenant_with_a_plan_has_no_trial_to_be_told_of() {
    let (mut fixture, key, operator, tenant_id) = shop(2);
    fixture.set_plan(&operator, &tenant_id, &json!("pro"));
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    assert_eq!(fixture.notices(), (0, 0));
    // Its licences began the trial all the same.
    fixture.set_plan(&operator, &tenant_id, &Value::Null);
    fixture.now = START.plus_seconds(DAY_S);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    let (_, text) = fixture.carried().pop().unwrap();
    assert!(text.contains("ends on 2027-01-17 08:00 UTC"), "{text}");
}

#[test]
fn the_end_of_an_agents_trial_is_an_event_without_a_mail() {
    let mut fixture = Fixture::new();
    let agent = json!({ "name": "Agent", "contact_email": "a@example.com" });
    for name in ["one", "two"] {
        let (status, made) = fixture.send("POST", "/v1/account/register", "", &agent);
        assert_eq!(status, 201, "{name}: {made}");
    }
    fixture.now = UnixMillis::from_ms(START.plus_seconds(4 * DAY_S).ms() - 1);
    fixture.carried();
    assert_eq!(fixture.notices(), (2, 0));
    fixture.now = START.plus_seconds(4 * DAY_S);
    // Of one the credits have gone over to a plan's period.
    fixture.execute(
        "UPDATE credit_periods SET id = 'p', kind = 'plan'
         WHERE tenant_id = (SELECT min(tenant_id) FROM credit_periods)",
    );
    assert_eq!(fixture.carried(), []);
    assert_eq!(fixture.notices(), (1, 1));
}
