//! Anything in any order: what is bought, paid, lost, charged back, cut off and told late comes out even in the end.

use std::collections::BTreeMap;

use rand_core::Rng as _;
use serde_json::{Value, json};

use super::{DAY_S, HOUR_S, MINUTE_S, Shop};
use crate::testing::SeededRng;
use crate::testing::mollie::{End, Trouble};

/// What a schedule is made of.
struct Schedule {
    shop: Shop,
    rng: SeededRng,
    tenants: Vec<String>,
    /// Webhooks that are held back.
    late: Vec<String>,
}

impl Schedule {
    fn draw(&mut self, below: usize) -> usize {
        let drawn = usize::try_from(self.rng.next_u32()).unwrap();
        drawn % below
    }

    fn one_of(&mut self, ids: &[String]) -> Option<String> {
        match ids.len() {
            0 => None,
            count => ids.get(self.draw(count)).cloned(),
        }
    }

    fn payments_that_are(&self, statuses: &[&str]) -> Vec<String> {
        let all = self.shop.mollie.payments().into_iter();
        all.filter(|id| {
            let payment = self.shop.mollie.payment(id);
            statuses.contains(&payment["status"].as_str().unwrap())
        })
        .collect()
    }

    /// Payments that may end: nobody pays what nobody was told where to pay.
    fn open(&self) -> Vec<String> {
        let mut open = self.payments_that_are(&["open", "pending"]);
        let known =
            self.rows("SELECT provider_id, '', 0 FROM payments WHERE provider_id IS NOT NULL");
        open.retain(|id| {
            self.shop.mollie.payment(id)["sequenceType"] == "recurring"
                || known.iter().any(|(known, _, _)| known == id)
        });
        open
    }

    fn trouble(&mut self) {
        let pattern = [
            "POST /v2/customers",
            "POST /v2/payments",
            "GET /v2/payments/*",
            "POST /v2/customers/*/subscriptions",
            "DELETE /v2/customers/*/subscriptions/*",
            "GET /v2/customers/*/payments",
            "DELETE /v2/customers/*",
            "*",
        ][self.draw(8)];
        let trouble = [
            Trouble::HangUp,
            Trouble::LoseAnswer,
            Trouble::LoseAnswer,
            Trouble::Status(500),
            Trouble::Status(422),
        ][self.draw(5)];
        self.shop.mollie.trouble(1, pattern, trouble);
    }

    /// One thing that happens; whether it comes to anything is not looked at.
    fn step(mut self) -> Self {
        let key = format!("attempt-{}", self.draw(4));
        let amount = ["1", "5.55", "20"][self.draw(3)];
        match self.draw(26) {
            0 | 1 => {
                let tenant = self.draw(self.tenants.len());
                let email = self.tenants[tenant].clone();
                self.shop.act_as(&email);
            }
            2 | 3 => {
                let plan = ["pro", "team"][self.draw(2)];
                let body = super::to_pay(plan);
                self.shop.ask("POST", "/api/subscriptions/checkout", &body);
            }
            4 => {
                let body = super::to_pay("pro");
                self.shop
                    .ask_once("/api/subscriptions/checkout", &key, &body);
            }
            5 => {
                let body = json!({ "amountEur": amount, "redirectUrl": "https://acme.example/" });
                self.shop.ask_once("/api/credits/topup", &key, &body);
            }
            6 => {
                let body = json!({ "thresholdEur": 1, "amountEur": amount, "redirectUrl": "https://acme.example/" });
                self.shop
                    .ask("POST", "/api/credits/auto-recharge/setup", &body);
            }
            7 => {
                let change = json!({ "enabled": self.draw(3) > 0 });
                self.shop
                    .ask("PATCH", "/api/credits/auto-recharge", &change);
            }
            8 => {
                self.shop
                    .ask("POST", "/api/subscriptions/cancel", &json!({}));
            }
            9..=12 => {
                let cents = i64::try_from(self.draw(1_500)).unwrap();
                self.shop.spend(cents);
            }
            13..=15 => {
                let open = self.open();
                if let Some(id) = self.one_of(&open) {
                    match self.draw(5) {
                        0 => self.shop.mollie.fail(&id),
                        _ => self.shop.mollie.pay(&id),
                    }
                }
            }
            16 => {
                let active = self.shop.active();
                if let Some(id) = self.one_of(&active) {
                    self.shop.mollie.advance(&id);
                }
            }
            17 => {
                let paid = self.payments_that_are(&["paid"]);
                if let Some(id) = self.one_of(&paid) {
                    let payment = self.shop.mollie.payment(&id);
                    let is_whole = payment["_embedded"]["refunds"] == json!([])
                        && payment["_embedded"]["chargebacks"] == json!([]);
                    match self.draw(2) {
                        0 if is_whole => drop(self.shop.mollie.refund(&id, 70)),
                        1 if is_whole => drop(self.shop.mollie.charge_back(&id)),
                        _ => {}
                    }
                }
            }
            18 => self.trouble(),
            19 => {
                let end = [None, Some(End::Paid), Some(End::Failed)][self.draw(3)];
                self.shop.mollie.end_recurring_payments(end);
            }
            20 => {
                let due = self.shop.mollie.take_due();
                for id in due {
                    match self.draw(4) {
                        0 => {}
                        1 => self.late.push(id),
                        _ => drop(self.shop.webhook(&id)),
                    }
                }
            }
            21 => {
                if let Some(id) = self.late.pop() {
                    self.shop.webhook(&id);
                }
            }
            22 => self.shop = self.shop.crash(),
            23 if self.draw(6) == 0 => {
                let tenant_id = self.shop.tenant_id();
                let off = json!({ "enabled": false });
                assert_eq!(self.shop.operate("PATCH", &tenant_id, &off).0, 200);
                self.shop.follow_payments();
                let on = json!({ "enabled": true });
                assert_eq!(self.shop.operate("PATCH", &tenant_id, &on).0, 200);
                self.shop.session.1 = self.shop.fixture.now.plus_seconds(-DAY_S);
                self.shop.license = None;
            }
            23 => self.shop.mollie.forget_idempotency_keys(),
            24 => {
                let seconds = [MINUTE_S, 20 * MINUTE_S, HOUR_S][self.draw(3)];
                self.shop.pass(seconds);
            }
            _ => {
                let days = i64::try_from(1 + self.draw(9)).unwrap();
                self.shop.pass(days * DAY_S);
            }
        }
        self
    }

    /// Everything is well again; what is open at the service ends, and nobody tells of it.
    fn settle(&mut self) {
        self.shop.mollie.recover();
        for id in self.open() {
            match self.draw(2) {
                0 => self.shop.mollie.fail(&id),
                _ => self.shop.mollie.pay(&id),
            }
        }
        self.shop.mollie.end_recurring_payments(Some(End::Paid));
        self.shop.mollie.take_due();
        for _ in 0..4 {
            self.shop.pass(3 * HOUR_S);
        }
        // Charges of subscriptions are asked for when their month is over.
        for _ in 0..10 {
            self.shop.pass(20 * DAY_S);
        }
    }

    fn rows(&self, sql: &'static str) -> Vec<(String, String, i64)> {
        let store = &self.shop.fixture.app.services().store;
        let rows = store.read(|tx| {
            tx.all(sql, &[], |row| {
                Ok((row.text(0)?, row.text(1)?, row.int(2)?))
            })
        });
        rows.unwrap_or_else(|error: crate::store::StoreError| panic!("{sql}: {error}"))
    }

    fn check(&self) {
        let (shop, mollie) = (&self.shop, &self.shop.mollie);
        // What is paid there is paid here, once, over the same amount.
        let known: BTreeMap<String, (String, i64)> = self
            .rows("SELECT provider_id, state, amount_cents FROM payments WHERE provider_id IS NOT NULL")
            .into_iter()
            .map(|(id, state, cents)| (id, (state, cents)))
            .collect();
        for id in mollie.payments() {
            let payment = mollie.payment(&id);
            let state = known.get(&id);
            let is_charge = payment["subscriptionId"].is_string();
            let customers = mollie.customers();
            if is_charge && !customers.iter().any(|id| payment["customerId"] == **id) {
                // Of a tenant that was disabled: nobody can ask for it.
                continue;
            }
            if payment["status"] == "paid" {
                let value = payment["amount"]["value"]
                    .as_str()
                    .unwrap()
                    .replace('.', "");
                assert_eq!(
                    state,
                    Some(&("paid".to_owned(), value.parse().unwrap())),
                    "{payment}"
                );
            } else {
                assert!(
                    state.is_none_or(|(state, _)| state == "failed"),
                    "{payment} {state:?}"
                );
            }
        }
        let references: Vec<Value> = mollie
            .payments()
            .iter()
            .map(|id| mollie.payment(id))
            .filter(|payment| payment["status"] == "paid" && payment["sequenceType"] == "recurring")
            .map(|payment| payment["metadata"]["payment"].clone())
            .filter(|reference| !reference.is_null())
            .collect();
        let unique: std::collections::BTreeSet<String> =
            references.iter().map(ToString::to_string).collect();
        assert_eq!(unique.len(), references.len(), "no charge is made twice");
        // Each top-up that is paid is in the ledger, and nothing else is.
        let bought = "SELECT coalesce(sum(amount_cents), 0) * 1000 FROM payments
            WHERE state = 'paid' AND kind IN ('topup', 'recharge', 'recharge_setup')";
        let credited =
            "SELECT coalesce(sum(topup_mc), 0) FROM credit_entries WHERE cause = 'payment'
            AND cause_id NOT IN (SELECT id FROM payments WHERE kind = 'renewal')";
        assert_eq!(shop.number(bought), shop.number(credited));
        let taken = "SELECT coalesce(sum(taken_mc), 0) FROM payment_reversals";
        let left = "SELECT coalesce(-sum(topup_mc), 0) FROM credit_entries WHERE cause IN ('refund', 'chargeback')";
        assert_eq!(shop.number(taken), shop.number(left));
        let broken = "SELECT count(*) FROM (SELECT monthly_after_mc - sum(monthly_mc) OVER w AS m,
            topup_after_mc - sum(topup_mc) OVER w AS t FROM credit_entries
            WINDOW w AS (PARTITION BY tenant_id ORDER BY seq)) WHERE m <> 0 OR t <> 0";
        assert_eq!(
            shop.number(broken),
            0,
            "each entry says what is left after it"
        );
        // Each month that is paid is one that somebody has.
        let months = "SELECT count(*) FROM payments WHERE kind = 'subscription' AND state = 'paid' AND subscription_id IS NOT NULL";
        let begun = "SELECT count(*) FROM subscriptions";
        assert_eq!(shop.number(months), shop.number(begun));
        // Whatever charges there is what is live here, and nobody has canceled.
        let live: Vec<String> = self
            .rows(
                "SELECT tenant_id, coalesce(provider_id, ''), 0 FROM subscriptions
                 WHERE ended_at_ms IS NULL AND canceled_at_ms IS NULL",
            )
            .into_iter()
            .map(|(_, provider_id, _)| provider_id)
            .collect();
        let mut active = shop.active();
        active.sort();
        let mut charging: Vec<String> = live.into_iter().filter(|id| active.contains(id)).collect();
        charging.sort();
        assert_eq!(active, charging);
        // Nothing is left undone.
        for sql in [
            "SELECT count(*) FROM payments WHERE state IN ('new', 'open')",
            "SELECT count(*) FROM subscriptions WHERE errand IS NOT NULL",
            "SELECT count(*) FROM payment_farewells",
            "SELECT count(*) FROM (SELECT tenant_id FROM subscriptions WHERE ended_at_ms IS NULL GROUP BY tenant_id HAVING count(*) > 1)",
            "SELECT count(*) FROM subscriptions s JOIN tenants t ON t.id = s.tenant_id
             WHERE s.ended_at_ms IS NULL AND coalesce(t.plan, '') <> s.plan_id",
            "SELECT count(*) FROM tenants t WHERE t.plan IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM subscriptions s WHERE s.tenant_id = t.id AND s.ended_at_ms IS NULL)",
        ] {
            assert_eq!(shop.number(sql), 0, "{sql}");
        }
    }
}

#[test]
fn in_whatever_order_everything_happens_it_comes_out_even() {
    const SEEDS: u64 = 2;
    for seed in 0..SEEDS {
        let mut shop = Shop::new();
        shop.register("b@example.com");
        let mut schedule = Schedule {
            shop,
            rng: SeededRng::new(seed),
            tenants: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
            late: Vec::new(),
        };
        for _ in 0..100 {
            schedule = schedule.step();
        }
        schedule.settle();
        schedule.check();
    }
}
