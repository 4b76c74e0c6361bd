//! Balances that are topped up by themselves: one charge at a time, and never against anybody's will.

use std::sync::Barrier;

use serde_json::{Value, json};

use super::{DAY_S, HOUR_S, MINUTE_S, Shop, used};
use crate::app_tests::{START, status};
use crate::testing::mollie::{End, Stage, Trouble};

const PATH: &str = "/api/credits/auto-recharge";
const PAYMENTS: &str = "POST /v2/payments";

impl Shop {
    fn recharge(&mut self) -> (String, i64) {
        let recharge = self.get(PATH);
        let text = recharge["status"].as_str().unwrap().to_owned();
        (text, recharge["failures"].as_i64().unwrap())
    }

    /// With 20.00 to spend, and 20.00 more below 5.00.
    fn recharging() -> Self {
        let mut shop = Self::new();
        shop.set_up_recharge("5", "20");
        shop.month(1);
        assert_eq!(shop.recharge(), ("active".into(), 0));
        assert_eq!(shop.spend(100), 200, "what is free");
        assert_eq!(shop.balance(), (0, 2_000_000));
        shop
    }

    /// The charges without the payer, at the service.
    fn charges(&self) -> Vec<String> {
        let all = self.mollie.payments().into_iter();
        all.filter(|id| self.mollie.payment(id)["sequenceType"] == "recurring")
            .collect()
    }
}

#[test]
fn what_sets_it_up_is_paid_first() {
    let mut shop = Shop::new();
    assert_eq!(shop.recharge(), ("none".into(), 0));
    let body =
        json!({ "thresholdEur": 5, "amountEur": "20", "redirectUrl": "https://acme.example/back" });
    let (status, answer) = shop.ask("POST", "/api/credits/auto-recharge/setup", &body);
    assert_eq!(status, 201, "{answer}");
    assert_eq!(shop.recharge(), ("pending".into(), 0));
    assert_eq!(shop.spend(50), 200);
    shop.run();
    assert_eq!(shop.charges(), [""; 0], "nobody has agreed yet");
    let payment_id = shop.mollie.payments()[0].clone();
    assert_eq!(shop.mollie.payment(&payment_id)["sequenceType"], "first");
    shop.pay(&payment_id);
    assert_eq!(shop.recharge(), ("active".into(), 0));
    assert_eq!(shop.balance(), (50_000, 2_000_000));
    let more = json!({ "thresholdEur": 50, "amountEur": "20", "redirectUrl": "https://acme.example/back" });
    assert_eq!(
        shop.ask("POST", "/api/credits/auto-recharge/setup", &more)
            .0,
        400
    );
}

#[test]
fn sixty_four_reports_at_once_make_one_charge() {
    let mut shop = Shop::recharging();
    assert_eq!(shop.spend(1_400), 200);
    let license = shop.license();
    let (app, barrier) = (&shop.fixture.app, Barrier::new(64));
    let now = shop.fixture.now;
    std::thread::scope(|scope| {
        for seed in 0..64 {
            let (license, barrier) = (&license, &barrier);
            scope.spawn(move || {
                let request = hyper::Request::post("/api/usage/report")
                    .header("content-type", "application/json")
                    .header("authorization", format!("Bearer {license}"))
                    .body(hyper::body::Bytes::from(used(9).to_string()))
                    .unwrap();
                barrier.wait();
                let mut rng = crate::testing::SeededRng::new(1_000 + seed);
                let response = crate::app_tests::answer(app, now, &mut rng, &request, true);
                assert_eq!(response.unwrap().status(), 200);
            });
        }
    });
    shop.run();
    let [charge] = &shop.charges()[..] else {
        panic!("one charge");
    };
    assert_eq!(shop.mollie.payment(charge)["amount"]["value"], "20.00");
    assert_eq!(shop.spend(1), 200);
    shop.run();
    assert_eq!(shop.charges().len(), 1, "it is on its way");
    shop.pay(charge);
    assert_eq!(
        shop.balance().1,
        2_000_000 - 1_400_000 - 64 * 9_000 - 1_000 + 2_000_000
    );
}

#[test]
fn charges_that_fail_are_tried_an_hour_later_and_three_times() {
    let mut shop = Shop::recharging();
    shop.mollie.end_recurring_payments(Some(End::Failed));
    assert_eq!(shop.spend(1_700), 200);
    shop.run();
    assert_eq!(shop.recharge(), ("active".into(), 1));
    for failures in 2..=3 {
        assert_eq!(shop.spend(1), 200);
        shop.run();
        assert_eq!(shop.charges().len(), failures - 1, "it is too soon");
        shop.pass(HOUR_S + MINUTE_S);
        // Also a use that is refused says that there is too little.
        assert_eq!(shop.spend(400), 402);
        shop.run();
        assert_eq!(shop.charges().len(), failures);
    }
    assert_eq!(shop.recharge(), ("paused".into(), 3));
    assert_eq!(shop.notices("payment_failed"), 3);
    shop.pass(DAY_S);
    assert_eq!(shop.spend(1), 200);
    assert_eq!(shop.spend(400), 402);
    shop.run();
    assert_eq!(shop.charges().len(), 3);
    shop.mollie.end_recurring_payments(Some(End::Paid));
    let (status, body) = shop.ask("PATCH", PATH, &json!({ "enabled": true }));
    assert_eq!((status, &body["status"]), (200, &json!("active")), "{body}");
    assert_eq!(shop.spend(400), 402);
    shop.run();
    assert_eq!(shop.charges().len(), 4);
    assert_eq!(shop.spend(400), 200, "it is there now");
    assert_eq!(shop.recharge(), ("active".into(), 0));
}

#[test]
fn a_charge_that_is_refused_is_one_that_failed() {
    let mut shop = Shop::recharging();
    let customer_id = shop.mollie.customers()[0].clone();
    shop.mollie.revoke_mandates(&customer_id);
    assert_eq!(shop.spend(1_700), 200);
    shop.run();
    assert_eq!(shop.recharge(), ("active".into(), 1));
    assert_eq!(shop.notices("payment_failed"), 1);
}

#[test]
fn what_lapses_does_not_leave_anybody_without_credits() {
    let mut shop = Shop::new();
    shop.set_up_recharge("5", "20");
    shop.subscribe("pro");
    assert_eq!(shop.spend(2_500 + 1_800), 200);
    shop.run();
    assert_eq!(shop.charges().len(), 1);
    shop.mollie.fail(&shop.charges()[0]);
    shop.deliver_due();
    shop.cancel();
    shop.mollie.end_recurring_payments(Some(End::Paid));
    // What is left of the month is gone with it; the plan that lends, too.
    shop.month(1);
    assert_eq!(shop.balance(), (100_000, 200_000));
    assert_eq!(shop.spend(400), 402);
    shop.run();
    assert_eq!(shop.charges().len(), 2);
    assert_eq!(shop.spend(400), 200);
}

#[test]
fn a_charge_whose_answer_was_lost_is_made_once() {
    for (trouble, wait_s) in [
        (Trouble::LoseAnswer, MINUTE_S),
        (Trouble::LoseAnswer, 3 * HOUR_S),
        (Trouble::HangUp, MINUTE_S),
        (Trouble::HangUp, 3 * HOUR_S),
        (Trouble::Status(500), 3 * HOUR_S),
    ] {
        let mut shop = Shop::recharging();
        assert_eq!(shop.spend(1_700), 200);
        shop.mollie.trouble(1, PAYMENTS, trouble);
        shop.follow_payments();
        let mut shop = shop.crash();
        if wait_s > HOUR_S {
            shop.mollie.forget_idempotency_keys();
        }
        shop.pass(wait_s);
        let charges = shop.charges();
        assert_eq!(charges.len(), 1, "{trouble:?} {wait_s}");
        shop.pay(&charges[0]);
        assert_eq!(shop.balance().1, 2_300_000);
        shop.pass(3 * HOUR_S);
        assert_eq!(shop.charges().len(), 1);
    }
}

#[test]
fn whoever_wants_no_more_charges_has_those_alone_that_are_on_their_way() {
    for change in ["disable", "delete"] {
        for is_tried in [false, true] {
            let mut shop = Shop::recharging();
            assert_eq!(shop.spend(1_700), 200);
            if is_tried {
                shop.mollie.trouble(1, PAYMENTS, Trouble::LoseAnswer);
                shop.follow_payments();
            }
            let (status, body) = match change {
                "disable" => shop.ask("PATCH", PATH, &json!({ "enabled": false })),
                _ => shop.ask("DELETE", PATH, &Value::Null),
            };
            assert_eq!(status, 200, "{body}");
            shop.pass(HOUR_S);
            assert_eq!(shop.charges().len(), usize::from(is_tried), "{change}");
            if let Some(charge) = shop.charges().pop() {
                shop.pay(&charge);
                assert_eq!(shop.balance().1, 2_300_000, "what is paid counts");
            }
            assert_eq!(shop.spend(1), 200);
            shop.run();
            assert_eq!(shop.charges().len(), usize::from(is_tried), "{change}");
            let standing = shop.recharge().0;
            assert_eq!(
                standing,
                if change == "disable" {
                    "disabled"
                } else {
                    "none"
                }
            );
        }
    }
}

#[test]
fn a_change_while_a_charge_is_made_leaves_that_one_as_it_is() {
    let mut shop = Shop::recharging();
    assert_eq!(shop.spend(1_700), 200);
    let session = shop.session();
    shop.mollie.hold(1, PAYMENTS, Stage::Arrived);
    let (app, now) = (&shop.fixture.app, shop.fixture.now);
    let mollie = &shop.mollie;
    std::thread::scope(|scope| {
        let job = scope.spawn(|| {
            let mut rng = crate::testing::SeededRng::new(77);
            while crate::job::payments::do_next(app.services(), now, &mut rng).unwrap() {}
        });
        mollie.wait_until_held(1);
        let request = hyper::Request::patch(PATH)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {session}"))
            .body(hyper::body::Bytes::from(
                json!({ "amountEur": 30, "thresholdEur": 10 }).to_string(),
            ))
            .unwrap();
        let mut rng = crate::testing::SeededRng::new(78);
        let response = crate::app_tests::answer(app, now, &mut rng, &request, true).unwrap();
        assert_eq!(response.status(), 200);
        mollie.release();
        job.join().unwrap();
    });
    let charge = shop.charges().pop().unwrap();
    assert_eq!(shop.mollie.payment(&charge)["amount"]["value"], "20.00");
    shop.pay(&charge);
    assert_eq!(shop.spend(1_400), 200);
    shop.run();
    let charge = shop.charges().pop().unwrap();
    assert_eq!(shop.mollie.payment(&charge)["amount"]["value"], "30.00");
}

#[test]
fn a_charge_that_is_charged_back_pauses_all_others() {
    let mut shop = Shop::recharging();
    shop.mollie.end_recurring_payments(Some(End::Paid));
    assert_eq!(shop.spend(1_700), 200);
    shop.run();
    shop.deliver_due();
    let charge = shop.charges().pop().unwrap();
    let chargeback_id = shop.mollie.charge_back(&charge);
    shop.deliver_due();
    assert_eq!(shop.recharge().0, "paused");
    assert_eq!(shop.balance().1, 300_000);
    assert_eq!(shop.spend(1), 200);
    shop.run();
    assert_eq!(shop.charges().len(), 1);
    shop.mollie.reverse_chargeback(&chargeback_id);
    shop.pass(DAY_S + HOUR_S);
    assert_eq!(shop.balance().1, 2_299_000);
    assert_eq!(shop.recharge().0, "paused", "until somebody says so");
    assert!(shop.fixture.now > START);
    let session = shop.session();
    let enable = json!({ "enabled": true });
    assert_eq!(
        status(&shop.fixture.app, 5, "GET", PATH, &session, &enable),
        401,
        "another day"
    );
    assert_eq!(shop.ask("PATCH", PATH, &enable).0, 200);
    assert_eq!(shop.recharge().0, "active");
}

#[test]
fn a_charge_that_nobody_was_asked_for_in_time_is_never_made() {
    for change in [
        "DELETE FROM auto_recharges",
        "UPDATE auto_recharges SET is_enabled = 0",
        "UPDATE auto_recharges SET paused_at_ms = 1",
        "UPDATE payments SET created_at_ms = created_at_ms - 86400000 WHERE kind = 'recharge'",
    ] {
        let mut shop = Shop::recharging();
        assert_eq!(shop.spend(1_700), 200);
        shop.fixture.execute(change);
        let asked = shop.asked("*");
        shop.run();
        assert_eq!(shop.asked("*"), asked, "{change}");
        let unmade = "SELECT count(*) FROM payments WHERE kind = 'recharge' AND state = 'failed'";
        assert_eq!(shop.number(unmade), 1, "{change}");
        assert_eq!(shop.notices("payment_failed"), 0, "{change}");
        assert_eq!(shop.recharge().1, 0, "it has not failed");
        assert_eq!(shop.spend(1), 200);
        shop.run();
        let is_on = change.starts_with("UPDATE payments");
        assert_eq!(shop.charges().len(), usize::from(is_on), "{change}");
    }
}

#[test]
fn a_charge_that_may_have_been_made_is_looked_for_and_not_made_again() {
    for (trouble, is_made) in [(Trouble::HangUp, false), (Trouble::LoseAnswer, true)] {
        for change in ["DELETE", "PATCH"] {
            let mut shop = Shop::recharging();
            assert_eq!(shop.spend(1_700), 200);
            shop.mollie.trouble(1, PAYMENTS, trouble);
            shop.follow_payments();
            let asked = shop.asked(PAYMENTS);
            let (status, body) = shop.ask(change, PATH, &json!({ "enabled": false }));
            assert_eq!(status, 200, "{body}");
            shop.pass(3 * HOUR_S);
            assert_eq!(shop.asked(PAYMENTS), asked, "{trouble:?} {change}");
            assert_eq!(shop.charges().len(), usize::from(is_made));
            let on_its_way = "SELECT count(*) FROM payments WHERE kind = 'recharge' AND state IN ('new', 'open')";
            assert_eq!(shop.number(on_its_way), i64::from(is_made));
            if let Some(charge) = shop.charges().pop() {
                shop.pay(&charge);
                assert_eq!(shop.balance().1, 2_300_000, "what is paid counts");
            }
        }
    }
}
