//! Plans that are paid for: from the checkout through many months to another plan.

use serde_json::json;

use super::{DAY_S, HOUR_S, Shop, to_pay};
use crate::app_tests::START;

#[test]
fn whoever_has_paid_has_the_plan_its_credits_and_a_subscription_that_goes_on() {
    let mut shop = Shop::new();
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(shop.balance(), (100_000, 0));
    let payment_id = shop.checkout("pro");
    let asked = shop.mollie.payment(&payment_id);
    assert_eq!(
        asked["amount"],
        json!({ "currency": "EUR", "value": "20.00" })
    );
    assert_eq!(asked["sequenceType"], "first");
    assert_eq!(
        asked["webhookUrl"],
        "https://auth.example.com/api/payments/webhook"
    );
    assert_eq!(asked["redirectUrl"], "https://acme.example/back");
    shop.run();
    assert_eq!(
        shop.standing(),
        ("free".into(), "none".into()),
        "nothing is paid"
    );
    assert_eq!(shop.mollie.subscriptions(), [""; 0]);
    shop.pay(&payment_id);
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.balance(), (2_500_000, 0), "what was free has lapsed");
    let own = shop.get("/api/subscriptions");
    assert_eq!(own["pricePerMonth"], 20.0);
    assert_eq!(own["paidUntil"], START.plus_months(1).to_rfc3339());
    let [subscription_id] = &shop.mollie.subscriptions()[..] else {
        panic!("one subscription");
    };
    let made = shop.mollie.subscription(subscription_id);
    assert_eq!(
        made["amount"],
        json!({ "currency": "EUR", "value": "20.00" })
    );
    assert_eq!(
        (&made["interval"], &made["nextPaymentDate"]),
        (&json!("1 month"), &json!("2027-02-15"))
    );
    assert_eq!(
        made["metadata"]["subscription"],
        asked["metadata"]["payment"]
    );
    let refused = shop.ask("POST", "/api/subscriptions/checkout", &to_pay("pro"));
    assert_eq!(refused.0, 409, "{}", refused.1);
    shop.run();
    assert_eq!(shop.asked("POST /v2/customers"), 1);
    assert_eq!(shop.asked("POST /v2/customers/*/subscriptions"), 1);
}

#[test]
fn month_after_month_is_paid_granted_and_begun_without_drift() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    for month in 1..=14 {
        assert_eq!(shop.spend(500), 200);
        // The day before: the service charges on the day itself, earlier than to the minute.
        shop.fixture.now = START.plus_months(month).plus_seconds(-3 * HOUR_S);
        shop.renew(&subscription_id);
        assert_eq!(shop.balance(), (2_000_000, 0), "month {month} is not over");
        shop.month(month);
        assert_eq!(shop.balance(), (2_500_000, 0), "month {month}");
        assert_eq!(shop.standing().1, "active");
        assert_eq!(shop.paid_until(), START.plus_months(month + 1).to_rfc3339());
    }
    let grants =
        "SELECT count(*) FROM credit_entries WHERE cause = 'grant' AND monthly_mc = 2500000";
    assert_eq!(shop.number(grants), 15);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'paid'"),
        15
    );
    assert_eq!(shop.number("SELECT count(*) FROM subscriptions"), 1);
    assert_eq!(
        shop.notices("payment_failed") + shop.notices("subscription_ended"),
        0
    );
}

#[test]
fn a_direct_debit_that_takes_days_takes_nothing_from_the_month() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    shop.month(1);
    let charge = shop.mollie.advance(&subscription_id);
    for day in 1..=6 {
        shop.pass(DAY_S);
        assert_eq!(
            shop.standing(),
            ("pro".into(), "past_due".into()),
            "day {day}"
        );
        assert_eq!(shop.balance().0, 0, "the month is not paid");
    }
    shop.pay(&charge);
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.balance().0, 2_500_000);
    assert_eq!(shop.paid_until(), START.plus_months(2).to_rfc3339());
    shop.renew(&subscription_id);
    shop.month(2);
    assert_eq!(shop.paid_until(), START.plus_months(3).to_rfc3339());
    assert_eq!(shop.balance().0, 2_500_000);
}

#[test]
fn another_plan_takes_the_place_of_the_one_before() {
    let mut shop = Shop::new();
    let before = shop.subscribe("pro");
    shop.pass(10 * DAY_S);
    assert_eq!(shop.spend(100), 200);
    let after = shop.subscribe("team");
    assert_eq!(shop.standing(), ("team".into(), "active".into()));
    assert_eq!(shop.balance().0, 6_000_000);
    assert_eq!(shop.active(), std::slice::from_ref(&after));
    assert_ne!(before, after);
    let starts = START.plus_seconds(10 * DAY_S).plus_months(1).to_rfc3339();
    assert_eq!(shop.paid_until(), starts);
    assert_eq!(shop.mollie.subscription(&after)["amount"]["value"], "50.00");
    assert_eq!(
        shop.notices("subscription_ended"),
        0,
        "the owner has changed it"
    );
}

#[test]
fn two_checkouts_that_are_both_paid_are_two_months_of_one_subscription() {
    let mut shop = Shop::new();
    let payments = [shop.checkout("pro"), shop.checkout("pro")];
    for payment_id in &payments {
        shop.mollie.pay(payment_id);
    }
    shop.deliver_due();
    shop.run();
    assert_eq!(shop.paid_until(), START.plus_months(2).to_rfc3339());
    assert_eq!(shop.balance().0, 2_500_000, "a month at a time");
    assert_eq!(shop.active().len(), 1);
    let active = shop.mollie.subscription(&shop.active()[0]);
    assert_eq!(active["nextPaymentDate"], "2027-03-15");
    shop.month(1);
    assert_eq!(shop.balance().0, 2_500_000);
    assert_eq!(shop.standing().1, "active");
}

#[test]
fn two_plans_that_are_paid_at_once_are_the_last_one() {
    let mut shop = Shop::new();
    let payments = [shop.checkout("pro"), shop.checkout("team")];
    for payment_id in &payments {
        shop.pay(payment_id);
    }
    assert_eq!(shop.standing(), ("team".into(), "active".into()));
    assert_eq!(shop.active().len(), 1);
    assert_eq!(shop.balance().0, 6_000_000);
}

#[test]
fn what_is_abandoned_or_expires_changes_nothing_and_may_be_begun_anew() {
    let mut shop = Shop::new();
    let abandoned = shop.checkout("pro");
    shop.pass(2 * HOUR_S);
    shop.mollie.expire(&abandoned);
    shop.deliver_due();
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    let canceled = shop.checkout("pro");
    shop.mollie.cancel(&canceled);
    shop.deliver_due();
    shop.subscribe("pro");
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.asked("POST /v2/customers"), 1);
    assert_eq!(shop.notices("payment_failed"), 0, "whoever was there knows");
}

#[test]
fn an_operator_gives_no_plan_to_whoever_pays_for_one() {
    let mut shop = Shop::new();
    shop.subscribe("pro");
    let tenant_id = shop.tenant_id();
    for plan in [json!("team"), json!("pro"), json!(null)] {
        let (status, body) = shop.operate("PATCH", &tenant_id, &json!({ "plan": plan }));
        assert_eq!(status, 409, "{body}");
    }
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
}

#[test]
fn plans_that_cannot_be_bought_are_named() {
    let mut shop = Shop::new();
    for plan in ["free", "gold", ""] {
        let (status, body) = shop.ask("POST", "/api/subscriptions/checkout", &to_pay(plan));
        assert_eq!(status, 400, "{body}");
        assert!(body["error"].as_str().unwrap().contains("planId"), "{body}");
    }
    let body = json!({ "planId": "pro", "redirectUrl": "javascript:alert(1)" });
    assert_eq!(
        shop.ask("POST", "/api/subscriptions/checkout", &body).0,
        400
    );
    assert_eq!(shop.mollie.requests("*").len(), 0);
}
