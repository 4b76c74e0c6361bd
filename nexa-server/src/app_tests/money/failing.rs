//! Calls that fail, hang, are cut off and repeated: one payment, one customer, one subscription.

use serde_json::{Value, json};

use super::{DAY_S, HOUR_S, MINUTE_S, Shop, to_pay};
use crate::testing::mollie::{Stage, Trouble};

const CHECKOUT: &str = "/api/subscriptions/checkout";
const PAYMENTS: &str = "POST /v2/payments";
const CUSTOMERS: &str = "POST /v2/customers";
const MAKE: &str = "POST /v2/customers/*/subscriptions";

fn top_up() -> Value {
    json!({ "amountEur": "10", "redirectUrl": "https://acme.example/back" })
}

#[test]
fn a_call_that_came_to_nothing_is_finished_by_its_repeat() {
    for (pattern, trouble, forgets) in [
        (CUSTOMERS, Trouble::HangUp, &[true][..]),
        (CUSTOMERS, Trouble::LoseAnswer, &[false, true]),
        (PAYMENTS, Trouble::HangUp, &[true]),
        (PAYMENTS, Trouble::LoseAnswer, &[false, true]),
        (PAYMENTS, Trouble::Status(503), &[false]),
        (PAYMENTS, Trouble::Status(429), &[false]),
        (PAYMENTS, Trouble::Status(409), &[false]),
    ] {
        for forgotten in forgets {
            let mut shop = Shop::new();
            shop.mollie.trouble(1, pattern, trouble);
            let (status, body) = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
            assert_eq!(status, 503, "{body}");
            let mut shop = shop.crash();
            shop.pass(55 * MINUTE_S);
            if *forgotten {
                shop.mollie.forget_idempotency_keys();
            }
            let other = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("team"));
            assert_eq!(other.0, 422, "{}", other.1);
            let first = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
            assert_eq!(first.0, 201, "{pattern} {trouble:?}: {}", first.1);
            let second = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
            assert_eq!(second, first);
            let payments = shop.mollie.payments();
            assert_eq!(payments.len(), 1, "{pattern} {trouble:?} {forgotten}");
            assert_eq!(
                shop.mollie.customers().len(),
                1,
                "{pattern} {trouble:?} {forgotten}"
            );
            shop.pay(&payments[0]);
            assert_eq!(shop.standing(), ("pro".into(), "active".into()));
            assert_eq!(shop.active().len(), 1);
        }
    }
}

#[test]
fn a_call_that_was_given_up_begins_anew() {
    let mut shop = Shop::new();
    shop.mollie.trouble(1, PAYMENTS, Trouble::LoseAnswer);
    assert_eq!(
        shop.ask_once("/api/credits/topup", "one-and-the-same", &top_up())
            .0,
        503
    );
    // Nobody knows where it would be paid; it expires, and this is told before the repeat comes.
    let lost = shop.mollie.payments()[0].clone();
    shop.mollie.expire(&lost);
    shop.deliver_due();
    let (status, body) = shop.ask_once("/api/credits/topup", "one-and-the-same", &top_up());
    assert_eq!(status, 201, "{body}");
    let payment_id = shop.mollie.payments().pop().unwrap();
    assert_ne!(payment_id, lost);
    shop.pay(&payment_id);
    assert_eq!(shop.balance().1, 1_000_000);
    for hours in [2, 22] {
        shop.pass(hours * HOUR_S - MINUTE_S);
        assert_eq!(
            shop.ask_once("/api/credits/topup", "one-and-the-same", &top_up())
                .0,
            201
        );
    }
    shop.pass(DAY_S);
    assert_eq!(
        shop.ask_once("/api/credits/topup", "one-and-the-same", &top_up())
            .0,
        201
    );
    assert_eq!(
        shop.mollie.payments().len(),
        3,
        "a day later it is another call"
    );
}

#[test]
fn without_a_key_each_call_is_one_and_what_is_given_up_fails() {
    let mut shop = Shop::new();
    shop.mollie.go_down();
    for _ in 0..3 {
        assert_eq!(shop.ask("POST", "/api/credits/topup", &top_up()).0, 503);
    }
    shop.mollie.recover();
    shop.top_up("10");
    shop.top_up("10");
    shop.pass(2 * HOUR_S);
    assert_eq!(shop.mollie.payments().len(), 2);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
        3
    );
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'open'"),
        2
    );
    assert_eq!(shop.notices("payment_failed"), 0);
}

#[test]
fn what_is_refused_is_said_and_may_be_tried_again() {
    for pattern in [CUSTOMERS, PAYMENTS] {
        let mut shop = Shop::new();
        shop.mollie.trouble(1, pattern, Trouble::Status(422));
        let (status, body) = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
        assert_eq!(
            (status, &body["code"]),
            (503, &json!("payment_provider_refused"))
        );
        let (status, body) = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
        assert_eq!(status, 201, "{body}");
        let payment_id = shop.mollie.payments().pop().unwrap();
        shop.pay(&payment_id);
        assert_eq!(shop.active().len(), 1, "{pattern}");
    }
}

#[test]
fn while_a_call_runs_its_repeat_waits() {
    let mut shop = Shop::new();
    let session = shop.session();
    shop.mollie.hold(1, PAYMENTS, Stage::Arrived);
    let (app, now, mollie) = (&shop.fixture.app, shop.fixture.now, &shop.mollie);
    let call = |seed: u64| {
        let request = hyper::Request::post("/api/credits/topup")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {session}"))
            .header("idempotency-key", "one-and-the-same")
            .body(hyper::body::Bytes::from(top_up().to_string()))
            .unwrap();
        let mut rng = crate::testing::SeededRng::new(seed);
        crate::app_tests::answer(app, now, &mut rng, &request, true)
            .unwrap()
            .status()
            .as_u16()
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| call(100));
        mollie.wait_until_held(1);
        assert_eq!(call(101), 409);
        mollie.release();
        assert_eq!(first.join().unwrap(), 201);
        assert_eq!(call(102), 201);
    });
    assert_eq!(shop.mollie.payments().len(), 1);
}

#[test]
fn a_subscription_is_made_once_whatever_happens_to_its_making() {
    for (trouble, forgets) in [
        (Trouble::HangUp, &[true][..]),
        (Trouble::LoseAnswer, &[false, true]),
        (Trouble::Status(409), &[false]),
        (Trouble::Status(422), &[false]),
    ] {
        for forgotten in forgets {
            let mut shop = Shop::new();
            let payment_id = shop.checkout("pro");
            shop.mollie.trouble(1, MAKE, trouble);
            shop.pay(&payment_id);
            assert_eq!(
                shop.standing(),
                ("pro".into(), "active".into()),
                "it is paid for"
            );
            if *forgotten {
                shop.fixture.now = shop.fixture.now.plus_seconds(2 * HOUR_S);
                shop.mollie.forget_idempotency_keys();
            }
            let mut shop = shop.crash();
            shop.pass(MINUTE_S);
            shop.pass(HOUR_S);
            assert_eq!(shop.active().len(), 1, "{trouble:?} {forgotten}");
            let subscription_id = shop.active()[0].clone();
            shop.renew(&subscription_id);
            assert_eq!(shop.number("SELECT months FROM subscriptions"), 2);
        }
    }
}

#[test]
fn a_service_that_is_down_for_days_costs_nobody_anything() {
    let mut shop = Shop::new();
    let payment_id = shop.checkout("pro");
    shop.mollie.trouble(usize::MAX, MAKE, Trouble::HangUp);
    shop.pay(&payment_id);
    for _ in 0..3 {
        shop.pass(DAY_S);
    }
    shop.mollie.recover();
    shop.pass(2 * HOUR_S);
    let subscription_id = shop.active()[0].clone();
    assert_eq!(
        shop.mollie.subscription(&subscription_id)["nextPaymentDate"],
        "2027-02-15"
    );
}

#[test]
fn the_answer_to_a_payment_may_come_after_the_news_of_it() {
    let mut shop = Shop::new();
    let session = shop.session();
    shop.mollie.hold(1, PAYMENTS, Stage::Done);
    let (app, now, mollie) = (&shop.fixture.app, shop.fixture.now, &shop.mollie);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            crate::app_tests::status(app, 100, "POST", "/api/credits/topup", &session, &top_up())
        });
        mollie.wait_until_held(1);
        let payment_id = mollie.payments()[0].clone();
        let mut rng = crate::testing::SeededRng::new(101);
        assert_eq!(super::webhook(app, now, &mut rng, &payment_id), 200);
        mollie.release();
        assert_eq!(call.join().unwrap(), 201);
    });
    let payment_id = shop.mollie.payments()[0].clone();
    shop.pay(&payment_id);
    assert_eq!(shop.balance().1, 1_000_000);
}

#[test]
fn a_customer_that_the_service_does_not_know_is_made_anew() {
    for is_of_another_key in [false, true] {
        let mut shop = Shop::new();
        shop.set_up_recharge("5", "20");
        let before = shop.mollie.customers()[0].clone();
        match is_of_another_key {
            true => shop
                .fixture
                .execute("UPDATE payment_customers SET provider_id = 'cst_OfAnotherKey'"),
            false => shop.mollie.remove_customer(&before),
        }
        let (status, body) = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
        assert_eq!(
            (status, &body["code"]),
            (503, &json!("payment_provider_refused"))
        );
        assert_eq!(
            shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
            1
        );
        let (status, body) = shop.ask_once(CHECKOUT, "one-and-the-same", &to_pay("pro"));
        assert_eq!(status, 201, "{body}");
        let payment_id = shop.mollie.payments().pop().unwrap();
        shop.pay(&payment_id);
        assert_eq!(shop.standing(), ("pro".into(), "active".into()));
        assert_eq!(shop.active().len(), 1);
    }
}

#[test]
fn a_charge_of_a_customer_that_is_gone_fails_and_does_not_stay_in_the_way() {
    let mut shop = Shop::new();
    shop.set_up_recharge("5", "20");
    let customer_id = shop.mollie.customers()[0].clone();
    shop.mollie.remove_customer(&customer_id);
    assert_eq!(shop.spend(1_700), 200);
    shop.run();
    assert_eq!(shop.notices("payment_failed"), 1);
    assert_eq!(shop.number("SELECT count(*) FROM payment_customers"), 0);
    shop.set_up_recharge("5", "20");
    assert_eq!(shop.mollie.customers().len(), 1);
    assert_eq!(
        shop.balance().1,
        2_000_000 + 2_000_000 + 100_000 - 1_700_000
    );
}

#[test]
fn whoever_has_an_address_that_the_service_does_not_take_can_pay() {
    let mut shop = Shop::new();
    shop.fixture
        .execute("UPDATE users SET email_given = 'nobody'");
    let payment_id = shop.checkout("pro");
    let [customer_id] = &shop.mollie.customers()[..] else {
        panic!("one customer");
    };
    assert_eq!(shop.mollie.customer(customer_id)["email"], Value::Null);
    shop.pay(&payment_id);
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
}
