//! What is due at the payment service: in which order, and what does not keep the rest waiting.

use serde_json::json;

use super::{HOUR_S, MINUTE_S, Shop};
use crate::store::StoreError;

#[test]
fn what_has_been_due_longest_is_done_first_whatever_it_is() {
    let mut shop = Shop::new();
    shop.subscribe("pro");
    shop.register("b@example.com");
    shop.subscribe("pro");
    shop.mollie.go_down();
    let erased = shop.ask(
        "DELETE",
        "/api/account",
        &json!({ "password": "correct horse" }),
    );
    assert!(matches!(erased.0, 200 | 202), "{}", erased.1);
    crate::job::errands::go_on(shop.fixture.app.services(), shop.fixture.now);
    shop.act_as("a@example.com");
    shop.cancel();
    shop.mollie.recover();
    shop.top_up("10");
    shop.mollie.go_down();
    const KINDS: [(&str, &str); 4] = [
        (
            "GET /v2/payments/*",
            "UPDATE payments SET due_at_ms = ?1 WHERE state = 'open'",
        ),
        (
            "DELETE /v2/customers/*/subscriptions/*",
            "UPDATE subscriptions SET due_at_ms = ?1 WHERE errand = 'cancel'",
        ),
        (
            "GET /v2/customers/*/subscriptions/*/payments",
            "UPDATE subscriptions SET ask_at_ms = ?1 WHERE ended_at_ms IS NULL",
        ),
        (
            "DELETE /v2/customers/*",
            "UPDATE payment_farewells SET due_at_ms = ?1",
        ),
    ];
    for first in 0..KINDS.len() {
        let order = KINDS.into_iter().cycle().skip(first).take(KINDS.len());
        let now_ms = shop.fixture.now.ms();
        for (place, (_, sql)) in (0..).zip(order.clone()) {
            let due_at_ms = now_ms - 1_000 + place;
            let store = &shop.fixture.app.services().store;
            let changed = store.write(move |tx| tx.execute(sql, &[due_at_ms.into()]));
            assert_eq!(
                changed.unwrap_or_else(|error: StoreError| panic!("{error}")),
                1
            );
        }
        for (pattern, _) in order {
            let before = (shop.asked(pattern), shop.asked("*"));
            shop.follow_payments();
            let after = (shop.asked(pattern), shop.asked("*"));
            assert_eq!(after, (before.0 + 1, before.1 + 1), "{pattern} alone");
        }
    }
}

#[test]
fn what_cannot_be_written_down_keeps_nothing_else_waiting() {
    let mut shop = Shop::new();
    let body = json!({ "amountEur": "10", "redirectUrl": "https://acme.example/back" });
    shop.mollie.go_down();
    for _ in 0..3 {
        assert_eq!(shop.ask("POST", "/api/credits/topup", &body).0, 503);
    }
    shop.arrange(
        "CREATE TRIGGER no_end BEFORE UPDATE ON payments
         WHEN NEW.state = 'failed' AND NEW.id = (SELECT min(id) FROM payments)
         BEGIN SELECT raise(ABORT, 'not this one'); END",
    );
    shop.pass(2 * HOUR_S);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
        2
    );
    shop.arrange("DROP TRIGGER no_end");
    shop.pass(2 * HOUR_S);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
        3
    );
}

#[test]
fn what_cannot_even_be_put_off_ends_the_round() {
    let mut shop = Shop::new();
    let body = json!({ "amountEur": "10", "redirectUrl": "https://acme.example/back" });
    shop.mollie.go_down();
    assert_eq!(shop.ask("POST", "/api/credits/topup", &body).0, 503);
    shop.arrange(
        "CREATE TRIGGER no_change BEFORE UPDATE ON payments BEGIN SELECT raise(ABORT, 'none'); END",
    );
    shop.pass(2 * HOUR_S);
    shop.arrange("DROP TRIGGER no_change");
    shop.pass(MINUTE_S);
    assert_eq!(
        shop.number("SELECT count(*) FROM payments WHERE state = 'failed'"),
        1
    );
}
