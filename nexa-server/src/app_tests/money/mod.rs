//! Money, with a payment service that answers over real sockets: what is paid, what fails, what is lost on the way, in any
//! order and at any time. Steps that these tests share.

mod ending;
mod failing;
mod random;
mod recharging;
mod subscribing;
mod tenants;
mod topping_up;
mod waiting;
mod webhooks;

use std::num::NonZeroU32;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Fixture, START, answer};
use crate::app::App;
use crate::config::Config;
use crate::domain::tariff::Plan;
use crate::job;
use crate::outbound::payments::{ApiKey, MollieSettings};
use crate::store::{MIGRATIONS, Store, StoreError};
use crate::testing::mollie::Mollie;
use crate::testing::{self, RecordingMailer, SeededRng};
use crate::time::UnixMillis;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// A server that sells, whoever pays, and one tenant.
struct Shop {
    fixture: Fixture,
    mollie: Mollie,
    /// The owner's, and when it logged in.
    session: (String, UnixMillis),
    email: String,
    license: Option<(String, UnixMillis)>,
}

fn config(config: &mut Config, mollie: &Mollie) {
    config.payments =
        Some(MollieSettings::new(ApiKey::parse(Mollie::KEY).unwrap(), &mollie.url()).unwrap());
    let pro = config.tariff.plan("pro").unwrap();
    let team = Plan {
        id: "team".to_owned(),
        name: "Team".to_owned(),
        price_cents: 5_000,
        credits_mc: 6_000_000,
        ..pro.clone()
    };
    config.tariff.plans.push(team);
    let allowances = &mut config.allowances;
    allowances.login_per_account_an_hour = NonZeroU32::MAX;
    allowances.login_per_address_an_hour = NonZeroU32::MAX;
    allowances.payment_per_tenant_an_hour = NonZeroU32::MAX;
    allowances.webhook_per_address_a_minute = NonZeroU32::MAX;
}

fn open(folder: &std::path::Path, mollie: &Mollie, now: UnixMillis) -> (App, Arc<RecordingMailer>) {
    let store = Store::open(folder, MIGRATIONS).unwrap();
    let mut loaded = Config::load(None, crate::config::Overrides::default()).unwrap();
    config(&mut loaded, mollie);
    let ring = testing::ring(&store, now, &loaded, Some(testing::root_key())).unwrap();
    testing::app_with(store, &loaded, ring)
}

impl Shop {
    fn new() -> Self {
        let mollie = Mollie::start();
        let folder = tempfile::tempdir().unwrap();
        let (app, mailer) = open(folder.path(), &mollie, START);
        let mut shop = Self {
            fixture: Fixture {
                app,
                mailer,
                rng: SeededRng::new(8),
                now: START,
                folder,
            },
            mollie,
            session: (String::new(), START.plus_seconds(-DAY_S)),
            email: "a@example.com".to_owned(),
            license: None,
        };
        shop.register("a@example.com");
        shop.fixture.send_mails();
        shop
    }

    /// As if the process had been killed just now, and started again.
    fn crash(self) -> Self {
        let Self {
            fixture,
            mollie,
            session,
            email,
            license,
        } = self;
        let Fixture {
            app,
            mailer: _,
            rng,
            now,
            folder,
        } = fixture;
        drop(app);
        let (app, mailer) = open(folder.path(), &mollie, now);
        Self {
            fixture: Fixture {
                app,
                mailer,
                rng,
                now,
                folder,
            },
            mollie,
            session,
            email,
            license,
        }
    }

    /// From here on this one acts.
    fn register(&mut self, email: &str) {
        let account = json!({ "email": email, "password": "correct horse", "tenantName": "Acme" });
        let registered = self
            .fixture
            .send("POST", "/api/auth/register", "", &account);
        assert_eq!(registered.0, 201, "{}", registered.1);
        self.fixture.execute(
            "UPDATE users SET email_verified_at_ms = created_at_ms WHERE email_verified_at_ms IS NULL",
        );
        self.act_as(email);
    }

    fn act_as(&mut self, email: &str) {
        email.clone_into(&mut self.email);
        self.session.1 = self.fixture.now.plus_seconds(-DAY_S);
        self.license = None;
    }

    fn session(&mut self) -> String {
        if self.session.1.plus_seconds(25 * MINUTE_S) <= self.fixture.now {
            let body = json!({ "email": self.email, "password": "correct horse" });
            let (status, tokens) = self.fixture.send("POST", "/api/auth/login", "", &body);
            assert_eq!(status, 200, "{tokens}");
            let token = tokens["accessToken"].as_str().unwrap().to_owned();
            self.session = (token, self.fixture.now);
        }
        self.session.0.clone()
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let session = self.session();
        self.fixture.send(method, path, &session, body)
    }

    fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// A POST with an Idempotency-Key.
    fn ask_once(&mut self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.session()))
            .header("idempotency-key", key)
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let response = self.fixture.call(&request, true).unwrap();
        let json = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        (response.status().as_u16(), json)
    }

    fn tenant_id(&mut self) -> String {
        self.get("/api/auth/me")["tenant"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Has the operator change the tenant.
    fn operate(&mut self, method: &str, tenant_id: &str, body: &Value) -> (u16, Value) {
        let operator = self.fixture.operator_key();
        let path = format!("/api/operator/tenants/{tenant_id}");
        self.fixture.send(method, &path, &operator, body)
    }

    /// What the jobs do now, until nothing is due.
    fn run(&mut self) {
        for _ in 0..2 {
            job::tick(self.fixture.app.services(), self.fixture.now);
            self.follow_payments();
        }
        job::tick(self.fixture.app.services(), self.fixture.now);
    }

    fn follow_payments(&mut self) {
        let Fixture { app, now, rng, .. } = &mut self.fixture;
        for _ in 0..200 {
            if !job::payments::do_next(app.services(), *now, rng).unwrap() {
                return;
            }
        }
        panic!("there is no end to what is due");
    }

    fn pass(&mut self, seconds: i64) {
        self.fixture.now = self.fixture.now.plus_seconds(seconds);
        self.run();
    }

    /// The time is that many months after the start, and a little more.
    fn month(&mut self, months: u32) {
        self.fixture.now = START.plus_months(months).plus_seconds(MINUTE_S);
        self.run();
    }

    fn checkout(&mut self, plan: &str) -> String {
        let (status, body) = self.ask("POST", "/api/subscriptions/checkout", &to_pay(plan));
        assert_eq!(status, 201, "{body}");
        body["molliePaymentId"].as_str().unwrap().to_owned()
    }

    /// Begins a top-up; answers the payment's id at the service.
    fn top_up(&mut self, euros: &str) -> String {
        let body = json!({ "amountEur": euros, "redirectUrl": "https://acme.example/back" });
        let (status, body) = self.ask("POST", "/api/credits/topup", &body);
        assert_eq!(status, 201, "{body}");
        self.mollie.payments().pop().unwrap()
    }

    /// Pays, and has that told.
    fn pay(&mut self, payment_id: &str) {
        self.mollie.pay(payment_id);
        self.deliver_due();
        self.run();
    }

    /// Has the tenant subscribe and pay; answers the subscription's id at the service.
    fn subscribe(&mut self, plan: &str) -> String {
        let payment_id = self.checkout(plan);
        self.pay(&payment_id);
        self.mollie.subscriptions().pop().unwrap()
    }

    /// The service charges another month; answers the payment.
    fn renew(&mut self, subscription_id: &str) -> String {
        let payment_id = self.mollie.advance(subscription_id);
        self.pay(&payment_id);
        payment_id
    }

    fn webhook(&mut self, payment_id: &str) -> u16 {
        webhook(
            &self.fixture.app,
            self.fixture.now,
            &mut self.fixture.rng,
            payment_id,
        )
    }

    /// Calls the webhooks that are due.
    fn deliver_due(&mut self) {
        for payment_id in self.mollie.take_due() {
            assert_eq!(self.webhook(&payment_id), 200, "{payment_id}");
        }
    }

    /// Sets up and pays an automatic recharge.
    fn set_up_recharge(&mut self, threshold: &str, amount: &str) {
        let body = json!({ "thresholdEur": threshold, "amountEur": amount, "redirectUrl": "https://acme.example/back" });
        let (status, body) = self.ask("POST", "/api/credits/auto-recharge/setup", &body);
        assert_eq!(status, 201, "{body}");
        let payment_id = self.mollie.payments().pop().unwrap();
        self.pay(&payment_id);
    }

    /// Reports a use that costs so many cents.
    fn spend(&mut self, cents: i64) -> u16 {
        let license = self.license();
        let path = "/api/usage/report";
        self.fixture.send("POST", path, &license, &used(cents)).0
    }

    fn license(&mut self) -> String {
        let now = self.fixture.now;
        match &self.license {
            Some((token, until)) if *until > now => token.clone(),
            Some(_) | None => {
                let device = json!({ "fingerprint": "f", "platform": "linux" });
                let body = json!({ "appId": "agentyk-engine", "device": device });
                let (status, issued) = self.ask("POST", "/api/licenses/issue", &body);
                assert_eq!(status, 201, "{issued}");
                let token = issued["license"].as_str().unwrap().to_owned();
                self.license = Some((token.clone(), now.plus_seconds(20 * DAY_S)));
                token
            }
        }
    }

    /// What is granted, and what is topped up, in millicents.
    fn balance(&mut self) -> (i64, i64) {
        let balance = self.get("/api/credits/balance");
        let part = |name: &str| balance[name].as_i64().unwrap();
        (part("monthlyMillicents"), part("topupMillicents"))
    }

    /// Plan and standing of the tenant.
    fn standing(&mut self) -> (String, String) {
        let own = self.get("/api/subscriptions");
        let text = |name: &str| own[name].as_str().unwrap_or("-").to_owned();
        (text("planId"), text("status"))
    }

    fn paid_until(&mut self) -> String {
        let own = self.get("/api/subscriptions");
        own["paidUntil"].as_str().unwrap_or("-").to_owned()
    }

    fn cancel(&mut self) {
        let (status, body) = self.ask("POST", "/api/subscriptions/cancel", &json!({}));
        assert_eq!(status, 200, "{body}");
    }

    /// Has something stand in the database that cannot be brought about otherwise.
    fn arrange(&self, sql: &'static str) {
        let store = &self.fixture.app.services().store;
        let arranged = store.write(move |tx| tx.execute(sql, &[]).map(drop));
        arranged.unwrap_or_else(|error: StoreError| panic!("{sql}: {error}"));
    }

    fn number(&self, sql: &'static str) -> i64 {
        let store = &self.fixture.app.services().store;
        let counted = store.read(|tx| tx.one(sql, &[], |row| row.int(0)));
        counted.unwrap_or_else(|error: StoreError| panic!("{sql}: {error}"))
    }

    /// The notices of that kind so far, each of which went out as one mail.
    fn notices(&mut self, kind: &'static str) -> i64 {
        self.run();
        self.fixture.send_mails();
        let waiting = "SELECT count(*) FROM mails WHERE notice_id IS NOT NULL";
        assert_eq!(self.number(waiting), 0, "all are sent");
        let words = match kind {
            "payment_failed" => "To see to it, and to how you pay",
            _ => "To subscribe again",
        };
        let mails = self.fixture.mailer.sent();
        let mails = mails
            .iter()
            .filter(|(_, text)| text.contains(words))
            .count();
        let store = &self.fixture.app.services().store;
        let told = store.read(|tx| {
            let sql = "SELECT count(*) FROM notices WHERE kind = ?1 AND carried_at_ms IS NOT NULL";
            tx.one(sql, &[kind.into()], |row| row.int(0))
        });
        let told = told.unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(i64::try_from(mails).unwrap(), told, "{kind}");
        told
    }

    /// The subscriptions at the service that go on charging.
    fn active(&self) -> Vec<String> {
        let all = self.mollie.subscriptions().into_iter();
        all.filter(|id| self.mollie.subscription(id)["status"] == "active")
            .collect()
    }

    /// How many requests of that kind the service has seen.
    fn asked(&self, pattern: &str) -> usize {
        self.mollie.requests(pattern).len()
    }
}

fn webhook(app: &App, now: UnixMillis, rng: &mut SeededRng, payment_id: &str) -> u16 {
    let request = Request::post("/api/payments/webhook")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("id={payment_id}")))
        .unwrap();
    let response = answer(app, now, rng, &request, true).unwrap();
    response.status().as_u16()
}

fn to_pay(plan: &str) -> Value {
    json!({ "planId": plan, "redirectUrl": "https://acme.example/back" })
}

/// A use that costs so many cents.
fn used(cents: i64) -> Value {
    json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b", "metrics": { "images": cents * 5 } })
}
