//! Payments of the real binary: told by real webhooks, and of a server that is killed at every stage of a call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Server};
use crate::mollie::{Mollie, Stage};

const CHECKOUT: &str = "/api/subscriptions/checkout";
const MAKE: &str = "POST /v2/customers/*/subscriptions";
const PAYMENTS: &str = "POST /v2/payments";

/// A server that sells, and who pays. Its name stays as it is over restarts.
struct Shop {
    server: Server,
    mollie: Mollie,
    session: String,
}

fn arguments(mollie: &Mollie) -> [String; 6] {
    [
        "--mollie-api-key",
        Mollie::KEY,
        "--mollie-api-url",
        &mollie.url(),
        "--public-url",
        "https://auth.example.com",
    ]
    .map(str::to_owned)
}

impl Shop {
    fn new() -> Self {
        let mollie = Mollie::start();
        let all = arguments(&mollie);
        let server = Server::start_with(&all.each_ref().map(String::as_str));
        let session = server.sign_up("a@example.com");
        Self {
            server,
            mollie,
            session,
        }
    }

    /// Kills the server while calls are held, lets these go on, and starts it again as if what is due later were due now.
    fn kill(mut self) -> Self {
        self.server.stop("-KILL");
        self.mollie.release();
        let database = rusqlite::Connection::open(self.server.data().join("nexa.db")).unwrap();
        for (table, which) in [
            // What somebody has to come back for is not given up.
            ("payments", "state <> 'new' OR kind = 'recharge'"),
            ("subscriptions", "true"),
            ("payment_farewells", "true"),
        ] {
            let sql = format!(
                "UPDATE {table} SET due_at_ms = 0 WHERE due_at_ms IS NOT NULL AND ({which})"
            );
            database.execute(&sql, []).unwrap();
        }
        drop(database);
        let all = arguments(&self.mollie);
        self.server = self
            .server
            .restart_with(&all.each_ref().map(String::as_str));
        self
    }

    /// Sends a call whose answer nobody waits for.
    fn send_off(&self, method: &str, path: &str, credential: &str, body: &Value) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.url))
            .header("Authorization", format!("Bearer {credential}"))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", "one-and-the-same")
            .body(body.to_string())
            .unwrap();
        std::thread::spawn(move || {
            // The server is killed.
            let agent = ureq::Agent::config_builder()
                .allow_non_standard_methods(true)
                .build();
            let _ = ureq::Agent::new_with_config(agent).run(request);
        });
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.server
            .post(path, &body.to_string())
            .bearer(&self.session)
            .header("Idempotency-Key", "one-and-the-same")
            .send()
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.server.get(path).bearer(&self.session).send();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    }

    fn webhook(&self, payment_id: &str) {
        let told = self
            .server
            .request("POST", "/api/payments/webhook")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(&format!("id={payment_id}"))
            .send();
        assert_eq!(told.status, 200, "{}", told.text);
    }

    fn pay(&self, payment_id: &str) {
        self.mollie.pay(payment_id);
        self.webhook(payment_id);
    }

    fn active(&self) -> usize {
        let all = self.mollie.subscriptions();
        let active = |id: &&String| self.mollie.subscription(id)["status"] == "active";
        all.iter().filter(active).count()
    }
}

/// Waits for what happens by itself.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn plan() -> Value {
    json!({ "planId": "pro", "redirectUrl": "https://acme.example/back" })
}

#[test]
fn a_subscription_lives_by_what_the_service_says() {
    let mollie = Mollie::start();
    let url = mollie.url();
    let server = Server::start_with(&["--mollie-api-key", Mollie::KEY, "--mollie-api-url", &url]);
    let session = server.sign_up("a@example.com");
    let shop = Shop {
        server,
        mollie,
        session,
    };
    let begun = shop.post(CHECKOUT, &plan());
    assert_eq!(begun.status, 201, "{}", begun.text);
    let payment_id = begun.json["molliePaymentId"].as_str().unwrap();
    assert!(
        begun.json["checkoutUrl"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    assert_eq!(shop.mollie.payments(), [payment_id]);
    shop.mollie.pay(payment_id);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(shop.mollie.deliver(payment_id), 200));
        }
    });
    assert_eq!(shop.get("/api/subscriptions")["status"], "active");
    assert_eq!(
        shop.get("/api/credits/balance")["monthlyMillicents"],
        2_500_000
    );
    shop.mollie.wait_for(MAKE, 1);
    wait_until("it is made", || shop.active() == 1);
    let charge = shop.mollie.advance(&shop.mollie.subscriptions()[0]);
    shop.mollie.pay(&charge);
    shop.mollie.take_due();
    assert_eq!(shop.mollie.deliver(&charge), 200);
    let entries = shop.get("/api/credits/transactions");
    assert_eq!(
        entries.as_array().unwrap().len(),
        1,
        "a month at a time: {entries}"
    );
    let canceled = shop.post("/api/subscriptions/cancel", &json!({}));
    assert_eq!(canceled.status, 200, "{}", canceled.text);
    wait_until("it is cancelled there", || shop.active() == 0);
    assert_eq!(shop.get("/api/subscriptions")["status"], "canceled");
    assert_eq!(shop.mollie.requests(MAKE).len(), 1);
}

#[test]
fn a_server_that_is_killed_while_it_begins_a_payment_begins_one() {
    for (pattern, stage) in [
        ("POST /v2/customers", Stage::Arrived),
        ("POST /v2/customers", Stage::Done),
        (PAYMENTS, Stage::Arrived),
        (PAYMENTS, Stage::Done),
    ] {
        let shop = Shop::new();
        shop.mollie.hold(1, pattern, stage);
        shop.send_off("POST", CHECKOUT, &shop.session, &plan());
        shop.mollie.wait_until_held(1);
        let shop = shop.kill();
        let made = |list: fn(&Mollie) -> Vec<String>| list(&shop.mollie).len();
        if pattern == PAYMENTS {
            wait_until("it went through", || made(Mollie::payments) == 1);
        }
        let begun = shop.post(CHECKOUT, &plan());
        assert_eq!(begun.status, 201, "{pattern} {stage:?}: {}", begun.text);
        assert_eq!(shop.post(CHECKOUT, &plan()).json, begun.json);
        let payment_id = begun.json["molliePaymentId"].as_str().unwrap();
        shop.pay(payment_id);
        assert_eq!(shop.get("/api/subscriptions")["status"], "active");
        assert_eq!(made(Mollie::customers), 1, "{pattern} {stage:?}");
        wait_until("it is made", || shop.active() == 1);
        let again = shop.post(
            CHECKOUT,
            &json!({ "planId": "free", "redirectUrl": "https://x.example" }),
        );
        assert_eq!(again.status, 422);
    }
}

#[test]
fn a_server_that_is_killed_after_the_payment_makes_one_subscription() {
    for (pattern, stage) in [
        ("GET /v2/payments/*", Stage::Arrived),
        ("GET /v2/payments/*", Stage::Done),
        (MAKE, Stage::Arrived),
        (MAKE, Stage::Done),
    ] {
        let shop = Shop::new();
        let begun = shop.post(CHECKOUT, &plan());
        let payment_id = begun.json["molliePaymentId"].as_str().unwrap();
        shop.mollie.pay(payment_id);
        shop.mollie.hold(1, pattern, stage);
        let form = format!("{}/api/payments/webhook", shop.server.url);
        let body = format!("id={payment_id}");
        std::thread::spawn(move || {
            // The server is killed, and nobody tells it again.
            let _ = ureq::post(form)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .send(body);
        });
        shop.mollie.wait_until_held(1);
        let shop = shop.kill();
        wait_until("it is found", || {
            shop.get("/api/subscriptions")["status"] == "active"
        });
        wait_until("it is made", || shop.active() == 1);
        assert_eq!(
            shop.get("/api/credits/balance")["monthlyMillicents"],
            2_500_000
        );
        assert_eq!(shop.mollie.subscriptions().len(), 1, "{pattern} {stage:?}");
        let entries = shop.get("/api/credits/transactions");
        let grants = entries.as_array().unwrap().iter();
        let grants = grants.filter(|entry| entry["monthlyMillicents"] == 2_500_000);
        assert_eq!(grants.count(), 1);
    }
}

#[test]
fn a_server_that_is_killed_while_it_charges_charges_once() {
    for stage in [Stage::Arrived, Stage::Done] {
        let shop = Shop::new();
        let body = json!({ "thresholdEur": 5, "amountEur": 20, "redirectUrl": "https://acme.example/back" });
        let begun = shop.post("/api/credits/auto-recharge/setup", &body);
        assert_eq!(begun.status, 201, "{}", begun.text);
        shop.pay(&shop.mollie.payments()[0]);
        let license = shop.server.issue_license(&shop.session, "f");
        shop.mollie.hold(1, PAYMENTS, stage);
        let used = json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b", "metrics": { "images": 9_000 } });
        let reported = shop
            .server
            .post("/api/usage/report", &used.to_string())
            .bearer(&license)
            .send();
        assert_eq!(reported.status, 200, "{}", reported.text);
        shop.mollie.wait_until_held(1);
        let shop = shop.kill();
        let charges = || shop.mollie.payments().len() - 1;
        wait_until("it is made", || charges() == 1);
        // It has been looked for, or asked for with the same key.
        shop.mollie.wait_for("GET /v2/customers/*/payments", 1);
        let charge = shop.mollie.payments()[1].clone();
        shop.pay(&charge);
        assert_eq!(
            shop.get("/api/credits/balance")["totalMillicents"],
            2_200_000,
            "whoever has confirmed no address is granted nothing"
        );
        assert_eq!(charges(), 1, "{stage:?}");
    }
}

#[test]
fn a_server_that_is_killed_while_it_says_farewell_says_it_again() {
    for stage in [Stage::Arrived, Stage::Done] {
        let shop = Shop::new();
        let begun = shop.post(CHECKOUT, &plan());
        shop.pay(begun.json["molliePaymentId"].as_str().unwrap());
        wait_until("it is made", || shop.active() == 1);
        shop.mollie.hold(1, "DELETE /v2/customers/*", stage);
        let password = json!({ "password": "correct horse" });
        shop.send_off("DELETE", "/api/account", &shop.session, &password);
        shop.mollie.wait_until_held(1);
        let shop = shop.kill();
        shop.mollie.wait_for("DELETE /v2/customers/*", 2);
        wait_until("it is forgotten", || shop.mollie.customers().is_empty());
        assert_eq!(shop.active(), 0);
    }
}
