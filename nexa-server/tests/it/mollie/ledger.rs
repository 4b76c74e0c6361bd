//! What the imitation knows: customers, mandates, payments, subscriptions, and what tests make happen to them.

use std::collections::{HashMap, HashSet};

use jiff::Span;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::End;
use super::http::{Answer, Call};

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) customers: Vec<Customer>,
    pub(super) mandates: Vec<Mandate>,
    pub(super) payments: Vec<Payment>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Payments whose webhooks are due.
    pub(super) due: Vec<String>,
    pub(super) recurring_end: Option<End>,
    pub(super) page: Option<usize>,
    pub(super) kept: HashMap<String, (Vec<u8>, Answer)>,
    pub(super) running: HashSet<String>,
    ids: usize,
}

pub(super) struct Customer {
    pub(super) id: String,
    pub(super) name: Value,
    pub(super) email: Value,
    pub(super) metadata: Value,
    pub(super) is_deleted: bool,
}

pub(super) struct Mandate {
    pub(super) id: String,
    pub(super) customer_id: String,
    pub(super) is_valid: bool,
}

pub(super) struct Payment {
    pub(super) id: String,
    pub(super) amount: Amount,
    pub(super) description: String,
    pub(super) redirect_url: Value,
    pub(super) webhook_url: Option<String>,
    pub(super) metadata: Value,
    pub(super) customer_id: Option<String>,
    pub(super) sequence: String,
    pub(super) subscription_id: Option<String>,
    pub(super) mandate_id: Option<String>,
    pub(super) status: &'static str,
    pub(super) refunds: Vec<Refund>,
    pub(super) chargebacks: Vec<Chargeback>,
}

#[derive(Clone)]
pub(super) struct Amount {
    pub(super) currency: String,
    pub(super) cents: u64,
}

pub(super) struct Refund {
    pub(super) id: String,
    pub(super) cents: u64,
    pub(super) status: &'static str,
}

pub(super) struct Chargeback {
    pub(super) id: String,
    pub(super) cents: u64,
    pub(super) is_reversed: bool,
}

pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) customer_id: String,
    pub(super) mandate_id: String,
    pub(super) amount: Amount,
    pub(super) description: String,
    pub(super) interval: String,
    pub(super) start_date: Date,
    pub(super) charges: i64,
    pub(super) webhook_url: Option<String>,
    pub(super) metadata: Value,
    pub(super) status: &'static str,
}

impl Amount {
    pub(super) fn show(&self) -> Value {
        shown(&self.currency, self.cents)
    }
}

pub(super) fn shown(currency: &str, cents: u64) -> Value {
    json!({ "currency": currency, "value": format!("{}.{:02}", cents / 100, cents % 100) })
}

impl Refund {
    /// Whether the money is gone or about to go.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.status, "failed" | "canceled")
    }
}

impl Subscription {
    pub(super) fn next_date(&self) -> Date {
        let (count, unit) = self.interval.split_once(' ').unwrap();
        let count = count.parse::<i64>().unwrap() * self.charges;
        let span = match unit.trim_end_matches('s') {
            "day" => Span::new().days(count),
            "week" => Span::new().weeks(count),
            "month" => Span::new().months(count),
            _ => panic!("{} is no interval", self.interval),
        };
        self.start_date.checked_add(span).unwrap()
    }
}

impl Ledger {
    /// A new id with that start.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}Test{:06}", self.ids)
    }

    pub(super) fn end(&mut self, payment_id: &str, end: End) {
        let payment = self.payment_mut(payment_id);
        assert!(
            matches!(payment.status, "open" | "pending"),
            "{payment_id} is {} for good",
            payment.status
        );
        payment.status = match end {
            End::Paid => "paid",
            End::Failed => "failed",
            End::Canceled => "canceled",
            End::Expired => "expired",
        };
        let makes_mandate = end == End::Paid && payment.sequence == "first";
        if let Some(customer_id) = payment.customer_id.clone().filter(|_| makes_mandate) {
            let id = self.id("mdt_");
            self.payment_mut(payment_id).mandate_id = Some(id.clone());
            self.mandates.push(Mandate {
                id,
                customer_id,
                is_valid: true,
            });
        }
        self.due.push(payment_id.to_owned());
    }

    pub(super) fn refund(&mut self, payment_id: &str, cents: u64, status: &'static str) -> String {
        let id = self.id("re_");
        let payment = self.payment_mut(payment_id);
        assert_eq!(payment.status, "paid", "only that goes back");
        let refund = Refund {
            id: id.clone(),
            cents,
            status,
        };
        payment.refunds.push(refund);
        let alive = payment.refunds.iter().filter(|refund| refund.is_alive());
        let sum: u64 = alive.map(|refund| refund.cents).sum();
        assert!(sum <= payment.amount.cents, "more than was paid");
        self.note_refund(payment_id, status);
        id
    }

    pub(super) fn move_refund(&mut self, refund_id: &str, status: &'static str) {
        let mut found = None;
        for payment in &mut self.payments {
            let refund = payment
                .refunds
                .iter_mut()
                .find(|known| known.id == refund_id);
            if let Some(refund) = refund {
                refund.status = status;
                found = Some(payment.id.clone());
            }
        }
        self.note_refund(&found.expect("a refund"), status);
    }

    /// Webhooks are called for these alone.
    fn note_refund(&mut self, payment_id: &str, status: &str) {
        if matches!(status, "processing" | "refunded" | "failed") {
            self.due.push(payment_id.to_owned());
        }
    }

    pub(super) fn charge_back(&mut self, payment_id: &str) -> String {
        let id = self.id("chb_");
        let payment = self.payment_mut(payment_id);
        assert_eq!(payment.status, "paid", "only that goes back");
        payment.chargebacks.push(Chargeback {
            id: id.clone(),
            cents: payment.amount.cents,
            is_reversed: false,
        });
        self.due.push(payment_id.to_owned());
        id
    }

    pub(super) fn reverse(&mut self, chargeback_id: &str) {
        let payments = self.payments.iter_mut();
        let chargebacks = payments.flat_map(|payment| payment.chargebacks.iter_mut());
        named(chargebacks, chargeback_id, |known| &known.id).is_reversed = true;
    }

    pub(super) fn advance(&mut self, subscription_id: &str) -> String {
        let id = self.id("tr_");
        let subscriptions = self.subscriptions.iter_mut();
        let subscription = named(subscriptions, subscription_id, |known| &known.id);
        assert_eq!(subscription.status, "active", "{subscription_id}");
        subscription.charges += 1;
        let payment = Payment {
            id: id.clone(),
            amount: subscription.amount.clone(),
            description: subscription.description.clone(),
            redirect_url: Value::Null,
            webhook_url: subscription.webhook_url.clone(),
            metadata: subscription.metadata.clone(),
            customer_id: Some(subscription.customer_id.clone()),
            sequence: "recurring".to_owned(),
            subscription_id: Some(subscription_id.to_owned()),
            mandate_id: Some(subscription.mandate_id.clone()),
            status: "pending",
            refunds: Vec::new(),
            chargebacks: Vec::new(),
        };
        self.add(payment);
        id
    }

    /// Recurring ones may end at once.
    pub(super) fn add(&mut self, payment: Payment) {
        let id = payment.id.clone();
        let end = self
            .recurring_end
            .filter(|_| payment.sequence == "recurring");
        self.payments.push(payment);
        if let Some(end) = end {
            self.end(&id, end);
        }
    }

    pub(super) fn revoke_mandates(&mut self, customer_id: &str) {
        for mandate in &mut self.mandates {
            mandate.is_valid &= mandate.customer_id != customer_id;
        }
        let suspend = |subscription: &mut Subscription| {
            if subscription.customer_id == customer_id && subscription.status == "active" {
                subscription.status = "suspended";
            }
        };
        self.subscriptions.iter_mut().for_each(suspend);
    }

    pub(super) fn valid_mandate(&self, customer_id: &str) -> Option<String> {
        let mut newest_first = self.mandates.iter().rev();
        newest_first
            .find(|mandate| mandate.is_valid && mandate.customer_id == customer_id)
            .map(|mandate| mandate.id.clone())
    }

    pub(super) fn forget_idempotency_keys(&mut self) {
        self.kept.clear();
    }

    pub(super) fn webhook_of(&self, payment_id: &str) -> String {
        let payment = named(self.payments.iter(), payment_id, |known| &known.id);
        payment.webhook_url.clone().expect("a webhook")
    }

    pub(super) fn payment_ids(&self) -> Vec<String> {
        self.payments.iter().map(|known| known.id.clone()).collect()
    }

    pub(super) fn subscription_ids(&self) -> Vec<String> {
        let subscriptions = self.subscriptions.iter();
        subscriptions.map(|known| known.id.clone()).collect()
    }

    pub(super) fn customer_ids(&self) -> Vec<String> {
        let customers = self.customers.iter().filter(|known| !known.is_deleted);
        customers.map(|known| known.id.clone()).collect()
    }

    fn payment_mut(&mut self, id: &str) -> &mut Payment {
        named(self.payments.iter_mut(), id, |known| &known.id)
    }

    /// The answer to a call, which has its effect unless the same call had it before.
    pub(super) fn answer(&mut self, call: &Call, address: std::net::SocketAddr) -> Answer {
        let key = call.idempotency_key().map(str::to_owned);
        let is_let_in =
            call.header("authorization") == Some(&format!("Bearer {}", super::Mollie::KEY));
        if !is_let_in {
            let detail = "Missing authentication, or failed to authenticate";
            return Answer::error(401, "Unauthorized Request", detail, None);
        }
        let Some(key) = key else {
            return self.act(call, address);
        };
        if self.running.contains(&key) {
            let detail = "A request with this idempotency key is still being processed";
            return Answer::error(409, "Conflict", detail, None);
        }
        let request = [call.path.as_bytes(), b"\n", &call.body].concat();
        if let Some((known, answer)) = self.kept.get(&key) {
            return match *known == request {
                true => Answer {
                    is_replayed: true,
                    ..answer.clone()
                },
                false => {
                    let detail = "The idempotency key was used for another request";
                    Answer::error(400, "Bad Request", detail, None)
                }
            };
        }
        let answer = self.act(call, address);
        self.running.insert(key.clone());
        self.kept.insert(key, (request, answer.clone()));
        answer
    }

    /// The call has been answered.
    pub(super) fn finish(&mut self, call: &Call, answer: &Answer) {
        // The one that still runs is another one.
        if let Some(key) = call.idempotency_key()
            && answer.status != 409
        {
            self.running.remove(key);
        }
    }
}

/// The one with that id, which a test knows to be there.
pub(super) fn named<T>(
    mut known: impl Iterator<Item = T>,
    id: &str,
    name: impl Fn(&T) -> &String,
) -> T {
    known
        .find(|known| name(known) == id)
        .unwrap_or_else(|| panic!("there is no {id}"))
}
