//! What the payment service says has happened, and what others say: repeated, at once, forged.

use std::sync::{Barrier, mpsc};
use std::time::Duration;

use hyper::Request;
use hyper::body::Bytes;
use serde_json::json;

use super::{DAY_S, HOUR_S, MINUTE_S, Shop, webhook};
use crate::app_tests::{answer, status};
use crate::testing::SeededRng;
use crate::testing::mollie::{Stage, Trouble};

const LOOK: &str = "GET /v2/payments/*";

#[test]
fn sixteen_calls_at_once_have_one_effect() {
    let mut shop = Shop::new();
    let payments = [shop.top_up("10"), shop.checkout("pro")];
    for payment_id in &payments {
        shop.mollie.pay(payment_id);
        let (app, now) = (&shop.fixture.app, shop.fixture.now);
        let barrier = Barrier::new(16);
        std::thread::scope(|scope| {
            for seed in 0..16 {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let mut rng = SeededRng::new(1_000 + seed);
                    assert_eq!(webhook(app, now, &mut rng, payment_id), 200);
                });
            }
        });
    }
    shop.run();
    assert_eq!(shop.balance(), (2_500_000, 1_000_000));
    assert_eq!(shop.active().len(), 1);
    assert_eq!(
        shop.number("SELECT count(*) FROM credit_entries WHERE cause IN ('payment', 'grant')"),
        3,
        "with what was free"
    );
}

#[test]
fn a_charge_that_nobody_knew_is_written_down_once() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    let charge = shop.mollie.advance(&subscription_id);
    shop.mollie.pay(&charge);
    let (app, now, charge) = (&shop.fixture.app, shop.fixture.now, &charge);
    std::thread::scope(|scope| {
        for seed in 0..16 {
            scope.spawn(move || {
                let mut rng = SeededRng::new(1_000 + seed);
                assert_eq!(webhook(app, now, &mut rng, charge), 200);
            });
        }
    });
    assert_eq!(shop.number("SELECT count(*) FROM payments"), 2);
    assert_eq!(shop.number("SELECT months FROM subscriptions"), 2);
}

#[test]
fn whatever_comes_in_whatever_order_is_one_story() {
    let mut shop = Shop::new();
    let subscription_id = shop.subscribe("pro");
    let charges: Vec<String> = (0..3)
        .map(|_| shop.mollie.advance(&subscription_id))
        .collect();
    shop.mollie.fail(&charges[1]);
    shop.mollie.pay(&charges[0]);
    shop.mollie.pay(&charges[2]);
    shop.mollie.charge_back(&charges[0]);
    for charge in [2, 1, 0, 1, 2, 0] {
        assert_eq!(shop.webhook(&charges[charge]), 200);
    }
    assert_eq!(shop.standing(), ("free".into(), "none".into()));
    assert_eq!(shop.number("SELECT months FROM subscriptions"), 3);
    assert_eq!(shop.notices("payment_failed"), 1);
    assert_eq!(shop.notices("subscription_ended"), 1);
}

#[test]
fn nothing_is_believed_of_what_is_sent() {
    let mut shop = Shop::new();
    let payment_id = shop.top_up("10");
    let balance = shop.balance();
    for (kind, body, status) in [
        (
            "form",
            format!("id={payment_id}&status=paid&amount=99999"),
            200,
        ),
        ("form", "id=tr_Unknown1".to_owned(), 200),
        ("form", "id=../customers".to_owned(), 200),
        ("form", "id=tr_x%2F..%2F..%2Fv2%2Fcustomers".to_owned(), 200),
        ("form", format!("id={}", "9".repeat(5_000)), 200),
        ("form", String::new(), 400),
        ("form", "payment=tr_1".to_owned(), 400),
        ("form", format!("id={payment_id}&id=tr_2"), 400),
        (
            "json",
            json!({ "id": payment_id, "status": "paid" }).to_string(),
            415,
        ),
        ("none", "id=tr_1".to_owned(), 415),
    ] {
        let mut request = Request::post("/api/payments/webhook");
        request = match kind {
            "form" => request.header("content-type", "application/x-www-form-urlencoded"),
            "json" => request.header("content-type", "application/json"),
            _ => request,
        };
        let request = request.body(Bytes::from(body.clone())).unwrap();
        let (app, now) = (&shop.fixture.app, shop.fixture.now);
        let response = answer(app, now, &mut shop.fixture.rng, &request, true).unwrap();
        assert_eq!(response.status(), status, "{kind} {body}");
    }
    assert_eq!(shop.balance(), balance);
    assert_eq!(shop.asked(LOOK), 2, "what can be no id is not asked for");
}

#[test]
fn what_others_have_paid_for_and_what_is_not_as_it_was_asked_for_is_nobodys() {
    let mut shop = Shop::new();
    let mine = shop.top_up("10");
    shop.register("b@example.com");
    let theirs = shop.top_up("20");
    shop.mollie.pay(&theirs);
    shop.act_as("a@example.com");
    assert_eq!(shop.webhook(&theirs), 200);
    assert_eq!(shop.balance().1, 0, "it is for whoever began it");
    // As if the amount had been another one when it was asked for.
    shop.fixture
        .execute("UPDATE payments SET amount_cents = 100000 WHERE amount_cents = 1000");
    shop.mollie.pay(&mine);
    assert_eq!(shop.webhook(&mine), 200);
    assert_eq!(shop.balance().1, 0);
    shop.fixture.execute(
        "UPDATE payments SET amount_cents = 1000, currency = 'USD' WHERE amount_cents = 100000",
    );
    assert_eq!(shop.webhook(&mine), 200);
    assert_eq!(shop.balance().1, 0);
    shop.fixture
        .execute("UPDATE payments SET currency = 'EUR' WHERE currency = 'USD'");
    assert_eq!(shop.webhook(&mine), 200);
    assert_eq!(shop.balance().1, 1_000_000);
    shop.act_as("b@example.com");
    assert_eq!(shop.balance().1, 2_000_000);
}

#[test]
fn what_cannot_be_asked_for_is_to_be_told_again() {
    let mut shop = Shop::new();
    let payment_id = shop.checkout("pro");
    shop.mollie.pay(&payment_id);
    for trouble in [
        Trouble::HangUp,
        Trouble::Status(500),
        Trouble::Status(429),
        Trouble::Status(401),
        Trouble::LoseAnswer,
    ] {
        shop.mollie.trouble(1, LOOK, trouble);
        assert_eq!(shop.webhook(&payment_id), 503, "{trouble:?}");
        assert_eq!(shop.standing().0, "free");
    }
    assert_eq!(shop.webhook(&payment_id), 200);
    assert_eq!(shop.standing().0, "pro");
}

#[test]
fn what_nobody_tells_of_is_found() {
    let mut shop = Shop::new();
    let payments = [shop.checkout("pro"), shop.top_up("10")];
    for payment_id in &payments {
        shop.mollie.pay(payment_id);
    }
    let expired = shop.top_up("30");
    shop.mollie.expire(&expired);
    shop.mollie.take_due();
    shop.pass(MINUTE_S);
    assert_eq!(shop.standing().0, "free");
    shop.pass(HOUR_S);
    assert_eq!(shop.standing(), ("pro".into(), "active".into()));
    assert_eq!(shop.balance(), (2_500_000, 1_000_000));
    assert_eq!(shop.active().len(), 1);
    let looks = shop.asked(LOOK);
    shop.pass(DAY_S);
    assert_eq!(shop.asked(LOOK), looks, "there is nothing more to hear");
}

#[test]
fn another_amount_is_told_when_it_is_paid_and_not_looked_after_for_ever() {
    const WRONG: &str = "UPDATE payments SET amount_cents = 3000 WHERE amount_cents = 1000";
    let mut shop = Shop::new();
    let unpaid = shop.top_up("10");
    shop.fixture.execute(WRONG);
    shop.mollie.expire(&unpaid);
    assert_eq!(shop.webhook(&unpaid), 200);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
        1,
        "nothing has come that could be wrong"
    );
    let paid = shop.top_up("10");
    shop.fixture.execute(WRONG);
    shop.mollie.pay(&paid);
    assert_eq!(shop.webhook(&paid), 200);
    assert_eq!(shop.balance().1, 0);
    let looks = shop.asked(LOOK);
    shop.pass(DAY_S);
    assert_eq!(shop.asked(LOOK), looks);
}

#[test]
fn what_strangers_have_asked_keeps_nobody_from_paying() {
    const RUNNING: usize = 2;
    const WAITING: usize = 32;
    let mut shop = Shop::new();
    let session = shop.session();
    shop.mollie.hold(usize::MAX, LOOK, Stage::Arrived);
    let (app, now, mollie) = (&shop.fixture.app, shop.fixture.now, &shop.mollie);
    let (answered, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        for seed in 0..=RUNNING + WAITING {
            let answered = answered.clone();
            scope.spawn(move || {
                let mut rng = SeededRng::new(1_000 + u64::try_from(seed).unwrap());
                let _ = answered.send(webhook(app, now, &mut rng, "tr_OfAStranger"));
            });
        }
        // One is too many, whichever.
        let first = answers.recv_timeout(Duration::from_secs(20));
        if first != Ok(503) {
            mollie.release();
            panic!("{first:?}");
        }
        mollie.wait_until_held(RUNNING);
        let body = json!({ "amountEur": 10, "redirectUrl": "https://acme.example/back" });
        let paid = status(app, 100, "POST", "/api/credits/topup", &session, &body);
        let looks = mollie.requests(LOOK).len();
        mollie.release();
        assert_eq!((paid, looks), (201, RUNNING));
        for _ in 0..RUNNING + WAITING {
            assert_eq!(answers.recv().unwrap(), 200);
        }
    });
}
