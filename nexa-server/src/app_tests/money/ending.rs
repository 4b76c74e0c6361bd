//! Subscriptions that end: canceled, unpaid, taken up again.

use super::{DAY_S, HOUR_S, MINUTE_S, Shop};
use crate::app_tests::START;
use crate::job;
use crate::testing::mollie::Trouble;

const MAKE: &str = "POST /v2/customers/*/subscriptions";
const CANCEL: &str = "DELETE /v2/customers/*/subscriptions/*";

#[test]
fn a_month_that_is_not_paid_is_told_once_and_after_seven_days_the_plan_is_gone() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    shop.month(1);
    let charge = shop.mollie.advance(&subscription_id);
    shop.mollie.fail(&charge);
    shop.deliver_due();
    for _ in 0..3 {
        assert_eq!(shop.webhook(&charge), 200);
    }
    assert_eq!(shop.standing(), ("pro".into(), "past_due".into()));
    assert_eq!(shop.notices("payment_failed"), 1);
    shop.fixture.now = START.plus_months(1).plus_seconds(7 * DAY_S - MINUTE_S);
    shop.run();
    assert_eq!(shop.standing(), ("pro".into(), "past_due".into()));
    shop.pass(2 * MINUTE_S);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(shop.active(), [""; 0]);
    assert_eq!(shop.balance().0, 100_000, "what is free");
    shop.pass(DAY_S);
    assert_eq!(shop.notices("payment_failed"), 1);
    assert_eq!(shop.notices("subscription_ended"), 1);
    assert_eq!(shop.asked(CANCEL), 1);
}

#[test]
fn whoever_cancels_has_what_is_paid_to_its_end() {
    let mut shop = Shop::new();
    shop.subscribe("pro");
    shop.pass(10 * DAY_S);
    shop.cancel();
    shop.run();
    shop.cancel();
    assert_eq!(shop.active(), [""; 0]);
    assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
    assert_eq!(shop.balance().0, 2_500_000);
    shop.fixture.now = START.plus_months(1).plus_seconds(-MINUTE_S);
    shop.run();
    assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
    shop.month(1);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(shop.balance().0, 100_000);
    assert_eq!(shop.notices("subscription_ended"), 1);
    assert_eq!(shop.asked(CANCEL), 1);
}

#[test]
fn whoever_cancels_while_the_service_is_down_is_not_charged_again() {
    let mut shop = Shop::new();
    shop.subscribe("pro");
    shop.mollie.go_down();
    shop.cancel();
    for _ in 0..5 {
        shop.pass(HOUR_S);
    }
    assert_eq!(shop.active().len(), 1, "it could not be reached");
    assert_eq!(shop.standing().1, "canceled");
    shop.mollie.recover();
    shop.pass(HOUR_S);
    assert_eq!(shop.active(), [""; 0]);
}

#[test]
fn what_is_canceled_before_the_service_has_made_it_is_never_charged() {
    for (pattern, trouble) in [
        (MAKE, Trouble::HangUp),
        (MAKE, Trouble::LoseAnswer),
        (MAKE, Trouble::Status(503)),
    ] {
        let mut shop = Shop::new();
        shop.mollie.trouble(1, pattern, trouble);
        let payment_id = shop.checkout("pro");
        shop.pay(&payment_id);
        shop.cancel();
        for _ in 0..12 {
            shop.pass(10 * MINUTE_S);
        }
        assert_eq!(shop.active(), [""; 0], "{trouble:?}");
        assert_eq!(
            shop.number("SELECT count(*) FROM subscriptions WHERE errand IS NOT NULL"),
            0
        );
        assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
    }
    // Before it was asked for at all.
    let mut shop = Shop::new();
    let payment_id = shop.checkout("pro");
    shop.mollie.pay(&payment_id);
    shop.deliver_due();
    shop.cancel();
    shop.pass(MINUTE_S);
    assert_eq!(shop.asked(MAKE), 0);
    assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
}

#[test]
fn whoever_comes_back_goes_on_where_it_ended() {
    let mut shop = Shop::new();
    shop.subscribe("pro");
    shop.pass(10 * DAY_S);
    shop.cancel();
    shop.run();
    assert_eq!(shop.spend(500), 200);
    let again = shop.subscribe("pro");
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.paid_until(), START.plus_months(2).to_rfc3339());
    assert_eq!(
        shop.balance().0,
        2_000_000,
        "the next month is granted when it comes"
    );
    assert_eq!(shop.active(), std::slice::from_ref(&again));
    assert_eq!(
        shop.mollie.subscription(&again)["nextPaymentDate"],
        "2027-03-15"
    );
    shop.month(1);
    assert_eq!(shop.balance().0, 2_500_000);
    shop.fixture.now = START.plus_months(2).plus_seconds(-HOUR_S);
    shop.renew(&again);
    shop.month(2);
    assert_eq!(shop.balance().0, 2_500_000);
    assert_eq!(shop.paid_until(), START.plus_months(3).to_rfc3339());
}

#[test]
fn a_month_that_is_paid_after_its_subscription_has_ended_is_had_all_the_same() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    shop.month(1);
    let charge = shop.mollie.advance(&subscription_id);
    shop.pass(8 * DAY_S);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    shop.pay(&charge);
    assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
    assert_eq!(shop.balance().0, 2_500_000);
    assert_eq!(shop.paid_until(), START.plus_months(2).to_rfc3339());
    assert_eq!(shop.active(), [""; 0]);
    shop.month(2);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
}

#[test]
fn a_month_of_an_earlier_subscription_counts_for_the_one_that_follows() {
    let mut shop = Shop::new();
    let before = shop.subscribe("pro");
    shop.month(1);
    let charge = shop.mollie.advance(&before);
    shop.pass(2 * DAY_S);
    let again = shop.subscribe("pro");
    let began = shop.fixture.now;
    assert_eq!(shop.paid_until(), began.plus_months(1).to_rfc3339());
    shop.pay(&charge);
    assert_eq!(shop.paid_until(), began.plus_months(2).to_rfc3339());
    assert_eq!(shop.active(), [again]);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'paid'"),
        3
    );
}

#[test]
fn months_whose_news_was_lost_are_found_before_anything_ends() {
    for months in [1, 2] {
        let mut shop = Shop::new();
        let subscription_id = shop.subscribe("pro");
        for _ in 0..months {
            let charge = shop.mollie.advance(&subscription_id);
            shop.mollie.pay(&charge);
        }
        shop.mollie.take_due();
        // The server was down; or the service is, for a while.
        shop.mollie.go_down();
        shop.fixture.now = START.plus_months(months).plus_seconds(9 * DAY_S);
        shop.run();
        job::tick(shop.fixture.app.services(), shop.fixture.now);
        assert_eq!(
            shop.standing().0,
            "pro",
            "nobody has said that it is not paid"
        );
        shop.mollie.recover();
        shop.pass(HOUR_S);
        assert_eq!(shop.standing(), ("pro".into(), "active".into()));
        assert_eq!(
            shop.paid_until(),
            START.plus_months(months + 1).to_rfc3339()
        );
        assert_eq!(shop.balance().0, 2_500_000);
        assert_eq!(shop.notices("subscription_ended"), 0);
    }
}

#[test]
fn a_charge_that_is_on_its_way_when_it_is_asked_for_is_followed_to_its_end() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    let charge = shop.mollie.advance(&subscription_id);
    shop.month(1);
    assert_eq!(shop.standing().1, "past_due");
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE kind = 'renewal' AND state = 'open'"),
        1
    );
    shop.mollie.pay(&charge);
    shop.mollie.take_due();
    shop.pass(2 * HOUR_S);
    assert_eq!(shop.standing().1, "active");
}

#[test]
fn a_canceled_subscription_whose_last_charge_was_lost_ends_a_month_later() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    let charge = shop.mollie.advance(&subscription_id);
    shop.mollie.pay(&charge);
    shop.mollie.take_due();
    shop.cancel();
    shop.run();
    shop.month(1);
    assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
    shop.month(2);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
}

#[test]
fn a_month_that_counts_for_nothing_any_more_is_put_in_as_credits() {
    for is_refunded in [true, false] {
        let mut shop = Shop::new();
        let subscription_id = shop.subscribe("pro");
        shop.month(1);
        let charge = shop.mollie.advance(&subscription_id);
        shop.subscribe("team");
        shop.pay(&charge);
        assert_eq!(shop.standing(), ("team".into(), "active".into()));
        assert_eq!(shop.balance(), (6_000_000, 2_000_000));
        assert_eq!(shop.webhook(&charge), 200);
        assert_eq!(shop.balance().1, 2_000_000, "once");
        match is_refunded {
            true => shop.mollie.refund(&charge, 500),
            false => shop.mollie.charge_back(&charge),
        };
        shop.deliver_due();
        assert_eq!(shop.balance().1, if is_refunded { 1_500_000 } else { 0 });
        assert_eq!(shop.standing(), ("team".into(), "active".into()));
    }
}

#[test]
fn subscriptions_that_cannot_be_ended_keep_no_others_from_ending() {
    let mut shop = Shop::new();
    shop.subscribe("pro");
    shop.cancel();
    shop.run();
    let copies = [
        "CREATE TABLE numbers AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) SELECT i FROM n",
        "CREATE TABLE copies AS SELECT tenants.*, i FROM tenants, numbers",
        "UPDATE copies SET id = 'copy' || i",
        "ALTER TABLE copies DROP COLUMN i",
        "INSERT INTO tenants SELECT * FROM copies",
        "INSERT INTO subscriptions (id, tenant_id, plan_id, price_cents, currency, customer_id, started_at_ms, months,
             paid_until_ms, canceled_at_ms, attempts)
         SELECT 'copy' || i, 'copy' || i, plan_id, price_cents, currency, customer_id, started_at_ms, months,
             paid_until_ms - 1, canceled_at_ms, 0 FROM subscriptions, numbers",
        "CREATE TRIGGER no_end BEFORE UPDATE ON subscriptions WHEN NEW.id LIKE 'copy%'
         BEGIN SELECT raise(ABORT, 'not these'); END",
    ];
    for sql in copies {
        shop.arrange(sql);
    }
    shop.month(1);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(
        shop.number("SELECT count(*) FROM subscriptions WHERE ended_at_ms IS NULL"),
        150
    );
}
