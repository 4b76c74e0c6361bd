//! Credits that are bought, and payments that go back.

use serde_json::json;

use super::{DAY_S, HOUR_S, Shop};
use crate::app_tests::START;

#[test]
fn a_top_up_is_credited_once_and_stays() {
    let mut shop = Shop::new();
    let payment_id = shop.top_up("12.34");
    assert_eq!(shop.mollie.payment(&payment_id)["amount"]["value"], "12.34");
    assert_eq!(shop.balance().1, 0);
    shop.pay(&payment_id);
    for _ in 0..3 {
        assert_eq!(shop.webhook(&payment_id), 200);
    }
    assert_eq!(shop.balance(), (100_000, 1_234_000));
    shop.month(1);
    assert_eq!(shop.balance(), (100_000, 1_234_000));
    assert_eq!(shop.spend(300), 200);
    assert_eq!(shop.balance(), (0, 1_034_000), "what lapses goes first");
    for (amount, status) in [("0.99", 400), ("10000.01", 400), ("1", 201), ("10000", 201)] {
        let body = json!({ "amountEur": amount, "redirectUrl": "https://acme.example/back" });
        assert_eq!(
            shop.ask("POST", "/api/credits/topup", &body).0,
            status,
            "{amount}"
        );
    }
}

#[test]
fn a_payment_that_is_paid_after_it_had_failed_counts() {
    let mut shop = Shop::new();
    let body = json!({ "amountEur": "10", "redirectUrl": "https://acme.example/back" });
    shop.mollie.trouble(
        1,
        "POST /v2/payments",
        crate::testing::mollie::Trouble::LoseAnswer,
    );
    assert_eq!(shop.ask("POST", "/api/credits/topup", &body).0, 503);
    shop.pass(2 * HOUR_S);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
        1
    );
    let payment_id = shop.mollie.payments()[0].clone();
    shop.pay(&payment_id);
    assert_eq!(shop.balance().1, 1_000_000);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'paid'"),
        1
    );
}

#[test]
fn refunds_take_back_what_is_left_and_never_more() {
    let mut shop = Shop::new();
    let payment_id = shop.top_up("10");
    shop.pay(&payment_id);
    shop.mollie.refund(&payment_id, 250);
    shop.deliver_due();
    assert_eq!(shop.webhook(&payment_id), 200);
    assert_eq!(shop.balance(), (100_000, 750_000));
    assert_eq!(shop.spend(500), 200);
    assert_eq!(shop.balance(), (0, 350_000));
    shop.mollie.refund(&payment_id, 750);
    shop.deliver_due();
    assert_eq!(shop.webhook(&payment_id), 200);
    assert_eq!(shop.balance(), (0, 0), "what is spent is spent");
    assert_eq!(shop.number("SELECT count(*) FROM payment_reversals"), 2);
}

#[test]
fn a_refund_that_fails_gives_back_what_it_took() {
    let mut shop = Shop::new();
    let payment_id = shop.top_up("10");
    shop.pay(&payment_id);
    let refund_id = shop.mollie.refund_in(&payment_id, 400, "queued");
    assert_eq!(shop.webhook(&payment_id), 200);
    assert_eq!(shop.balance().1, 1_000_000, "it may be called off");
    for (status, left) in [
        ("pending", 1_000_000),
        ("processing", 600_000),
        ("refunded", 600_000),
        ("failed", 1_000_000),
        // Old news.
        ("processing", 1_000_000),
        ("queued", 1_000_000),
    ] {
        shop.mollie.move_refund(&refund_id, status);
        for _ in 0..2 {
            assert_eq!(shop.webhook(&payment_id), 200);
        }
        assert_eq!(shop.balance().1, left, "{status}");
    }
}

#[test]
fn news_of_a_refund_that_come_in_the_wrong_order_take_and_give_nothing() {
    let mut shop = Shop::new();
    let payment_id = shop.top_up("10");
    shop.pay(&payment_id);
    // What was told while it waited arrives after what was told when it was gone.
    let refund_id = shop.mollie.refund_in(&payment_id, 400, "processing");
    assert_eq!(shop.webhook(&payment_id), 200);
    shop.mollie.move_refund(&refund_id, "queued");
    assert_eq!(shop.webhook(&payment_id), 200);
    assert_eq!(shop.balance().1, 600_000);
    // And what was told when it was gone after what was told when it had failed.
    let refund_id = shop.mollie.refund_in(&payment_id, 300, "failed");
    assert_eq!(shop.webhook(&payment_id), 200);
    shop.mollie.move_refund(&refund_id, "processing");
    assert_eq!(shop.webhook(&payment_id), 200);
    assert_eq!(shop.balance().1, 600_000);
}

#[test]
fn a_chargeback_takes_the_credits_and_gives_them_back_when_it_is_called_off() {
    let mut shop = Shop::new();
    let payment_id = shop.top_up("10");
    shop.pay(&payment_id);
    assert_eq!(shop.spend(500), 200);
    let chargeback_id = shop.mollie.charge_back(&payment_id);
    shop.deliver_due();
    assert_eq!(shop.balance(), (0, 0));
    shop.pass(3 * DAY_S);
    assert_eq!(shop.balance().1, 0);
    // Nobody tells of that.
    shop.mollie.reverse_chargeback(&chargeback_id);
    shop.pass(DAY_S + HOUR_S);
    assert_eq!(shop.balance().1, 600_000);
    shop.pass(DAY_S + HOUR_S);
    assert_eq!(shop.balance().1, 600_000);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE due_at_ms IS NOT NULL"),
        0
    );
}

#[test]
fn whoever_charges_back_a_month_has_no_plan_from_then_on() {
    for months_ago in [0, 1] {
        let mut shop = Shop::new();
        let first = shop.checkout("pro");
        shop.pay(&first);
        let subscription_id = shop.mollie.subscriptions()[0].clone();
        shop.fixture.now = START.plus_months(1).plus_seconds(-HOUR_S);
        let second = shop.renew(&subscription_id);
        shop.month(1);
        let third = shop.top_up("10");
        shop.pay(&third);
        shop.mollie.charge_back([&second, &first][months_ago]);
        shop.deliver_due();
        shop.run();
        assert_eq!(shop.standing(), ("free".into(), "none".into()));
        assert_eq!(
            shop.balance(),
            (100_000, 1_000_000),
            "what was topped up is paid"
        );
        assert_eq!(shop.active(), [""; 0]);
        assert_eq!(shop.notices("subscription_ended"), 1);
        let again = shop.subscribe("pro");
        assert_eq!(shop.active(), [again]);
    }
}

#[test]
fn the_first_month_charged_back_ends_what_went_on_with_it() {
    let mut shop = Shop::new();
    let first = shop.checkout("pro");
    shop.pay(&first);
    shop.cancel();
    shop.run();
    shop.subscribe("pro");
    shop.mollie.charge_back(&first);
    shop.deliver_due();
    shop.run();
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(shop.active(), [""; 0]);
}

#[test]
fn a_month_that_the_operator_refunds_goes_on() {
    let mut shop = Shop::new();
    let first = shop.checkout("pro");
    shop.pay(&first);
    shop.mollie.refund(&first, 2_000);
    shop.deliver_due();
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.balance().0, 2_500_000);
}

#[test]
fn a_month_that_was_charged_back_before_anybody_heard_of_it_is_no_plan() {
    let mut shop = Shop::new();
    let first = shop.checkout("pro");
    shop.mollie.pay(&first);
    shop.mollie.charge_back(&first);
    shop.deliver_due();
    shop.run();
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(shop.balance().0, 100_000);
    shop.pass(HOUR_S);
    assert_eq!(shop.active(), [""; 0]);
}
