//! Tenants that end: nobody is charged any more, and the payment service keeps nothing of them.

use serde_json::{Value, json};

use super::{DAY_S, HOUR_S, MINUTE_S, Shop};
use crate::job;
use crate::testing::mollie::Trouble;

const FORGET: &str = "DELETE /v2/customers/*";

impl Shop {
    fn disable(&mut self, tenant_id: &str, is_enabled: bool) {
        let (status, body) = self.operate("PATCH", tenant_id, &json!({ "enabled": is_enabled }));
        assert_eq!(status, 200, "{body}");
        // Sessions end with it.
        self.session.1 = self.fixture.now.plus_seconds(-DAY_S);
    }

    fn erase(&mut self) {
        let body = json!({ "password": "correct horse" });
        let (status, body) = self.ask("DELETE", "/api/account", &body);
        assert!(matches!(status, 200 | 202), "{body}");
    }

    fn errands(&mut self) {
        job::errands::go_on(self.fixture.app.services(), self.fixture.now);
        self.run();
    }
}

#[test]
fn a_tenant_that_ends_is_no_customer_any_more() {
    for is_erased in [false, true] {
        let mut shop = Shop::new();
        shop.subscribe("pro");
        shop.set_up_recharge("5", "20");
        shop.license();
        let tenant_id = shop.tenant_id();
        match is_erased {
            true => shop.erase(),
            false => shop.disable(&tenant_id, false),
        }
        shop.errands();
        assert_eq!(shop.mollie.customers(), [""; 0]);
        assert_eq!(shop.active(), [""; 0]);
        let left = "SELECT count(*) FROM payment_customers";
        assert_eq!(shop.number(left), 0);
        assert_eq!(shop.number("SELECT count(*) FROM payment_farewells"), 0);
        assert_eq!(shop.number("SELECT count(*) FROM auto_recharges"), 0);
        assert_eq!(
            shop.number("SELECT count(*) FROM subscriptions WHERE ended_at_ms IS NULL"),
            0
        );
        assert_eq!(
            shop.number("SELECT count(*) FROM licenses WHERE revoked_at_ms IS NULL"),
            0
        );
        if is_erased {
            for table in [
                "SELECT count(*) FROM payments",
                "SELECT count(*) FROM subscriptions",
            ] {
                assert_eq!(shop.number(table), 0);
            }
        }
        let sums = "SELECT sum(topup_mc) FROM credit_entries";
        assert_eq!(shop.number(sums), 2_000_000, "the ledger keeps its sums");
    }
}

#[test]
fn a_farewell_waits_for_the_service_and_outlives_a_crash() {
    for is_erased in [false, true] {
        let mut shop = Shop::new();
        shop.subscribe("pro");
        let tenant_id = shop.tenant_id();
        shop.mollie.go_down();
        match is_erased {
            true => shop.erase(),
            false => shop.disable(&tenant_id, false),
        }
        shop.errands();
        for _ in 0..3 {
            shop.pass(HOUR_S);
        }
        let mut shop = shop.crash();
        shop.errands();
        assert_eq!(shop.active().len(), 1, "nobody could be told");
        shop.mollie.recover();
        shop.mollie.trouble(1, FORGET, Trouble::LoseAnswer);
        shop.pass(2 * HOUR_S);
        let mut shop = shop.crash();
        shop.pass(2 * HOUR_S);
        assert_eq!(shop.mollie.customers(), [""; 0]);
        assert_eq!(shop.active(), [""; 0]);
        assert_eq!(shop.number("SELECT count(*) FROM payment_farewells"), 0);
    }
}

#[test]
fn a_customer_that_nobody_was_told_of_is_forgotten_too() {
    for trouble in [Trouble::LoseAnswer, Trouble::HangUp] {
        let mut shop = Shop::new();
        shop.mollie.trouble(1, "POST /v2/customers", trouble);
        let body = json!({ "planId": "pro", "redirectUrl": "https://acme.example/back" });
        assert_eq!(
            shop.ask("POST", "/api/subscriptions/checkout", &body).0,
            503
        );
        let mut shop = shop.crash();
        shop.erase();
        shop.errands();
        for _ in 0..12 {
            shop.pass(10 * MINUTE_S);
        }
        assert_eq!(shop.mollie.customers(), [""; 0], "{trouble:?}");
        assert_eq!(shop.number("SELECT count(*) FROM payment_farewells"), 0);
    }
}

#[test]
fn what_is_paid_while_a_tenant_is_disabled_gives_it_no_plan() {
    let mut shop = Shop::new();
    let tenant_id = shop.tenant_id();
    let payments = [shop.checkout("pro"), shop.top_up("10")];
    shop.disable(&tenant_id, false);
    shop.run();
    for payment_id in &payments {
        shop.pay(payment_id);
    }
    assert_eq!(shop.number("SELECT count(*) FROM subscriptions"), 0);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'paid'"),
        2
    );
    assert_eq!(shop.mollie.subscriptions(), [""; 0]);
    shop.disable(&tenant_id, true);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(
        shop.balance(),
        (100_000, 1_000_000),
        "credits that are paid are there"
    );
}

#[test]
fn a_month_that_an_earlier_customer_pays_is_not_charged_again() {
    let mut shop = Shop::new();
    let tenant_id = shop.tenant_id();
    let payment_id = shop.checkout("pro");
    shop.disable(&tenant_id, false);
    shop.disable(&tenant_id, true);
    shop.pay(&payment_id);
    assert_eq!(shop.standing(), ("pro".into(), "canceled".into()));
    assert_eq!(shop.mollie.subscriptions(), [""; 0]);
    shop.month(1);
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
}

#[test]
fn whoever_is_enabled_again_buys_anew() {
    let mut shop = Shop::new();
    let tenant_id = shop.tenant_id();
    let before = shop.subscribe("pro");
    shop.mollie.go_down();
    shop.disable(&tenant_id, false);
    shop.run();
    shop.disable(&tenant_id, true);
    shop.mollie.recover();
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    let after = shop.subscribe("pro");
    shop.pass(DAY_S);
    assert_eq!(shop.active(), [after]);
    assert_eq!(shop.mollie.customers().len(), 1);
    assert_eq!(shop.mollie.subscription(&before)["status"], "canceled");
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.number("SELECT count(*) FROM payment_farewells"), 0);
}

#[test]
fn a_charge_that_was_to_be_made_for_a_tenant_that_ends_is_not() {
    for is_tried in [false, true] {
        let mut shop = Shop::new();
        let tenant_id = shop.tenant_id();
        shop.set_up_recharge("5", "20");
        assert_eq!(shop.spend(1_800), 200);
        if is_tried {
            shop.mollie.trouble(1, "POST /v2/payments", Trouble::HangUp);
            shop.follow_payments();
        }
        shop.disable(&tenant_id, false);
        shop.pass(HOUR_S);
        shop.disable(&tenant_id, true);
        shop.pass(3 * HOUR_S);
        assert_eq!(shop.mollie.payments().len(), 1, "the one that set it up");
        let recharge = shop
            .ask("GET", "/api/credits/auto-recharge", &Value::Null)
            .1;
        assert_eq!(recharge["status"], "none");
    }
}
