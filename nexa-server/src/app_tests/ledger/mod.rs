//! Credits and payments: what the operator grants, and steps that tests of money share.

mod erasures;
mod uses;

use serde_json::{Value, json};

use super::Fixture;
use crate::store::auto_recharges::{self, AutoRecharge};
use crate::store::payments::{self, Kind, Payment, Reversal, ReversalKind, State};
use crate::store::subscriptions::{self, Subscription};
use crate::store::{StoreError, Tx, payment_customers};
use crate::time::UnixMillis;

impl Fixture {
    fn user_id(&mut self, session: &str) -> String {
        let (_, me) = self.send("GET", "/api/auth/me", session, &Value::Null);
        me["user"]["id"].as_str().unwrap().to_owned()
    }

    /// A licence token of the caller's, and its id.
    fn license(&mut self, session: &str, fingerprint: &str) -> (String, String) {
        let device = json!({ "fingerprint": fingerprint, "platform": "linux" });
        let body = json!({ "appId": "agentyk-engine", "device": device });
        let (status, issued) = self.send("POST", "/api/licenses/issue", session, &body);
        assert_eq!(status, 201, "{issued}");
        let (_, listed) = self.send("GET", "/api/licenses?limit=1", session, &Value::Null);
        let jti = listed[0]["jti"].as_str().unwrap().to_owned();
        (issued["license"].as_str().unwrap().to_owned(), jti)
    }

    /// Uses so many tokens, and three images.
    fn use_up(&mut self, license: &str, tokens: u64) {
        let body = json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b", "inputTokens": tokens, "metrics": { "images": 3 } });
        let (status, charged) = self.send("POST", "/api/usage/report", license, &body);
        assert_eq!(status, 200, "{charged}");
    }

    /// A member of the tenant, logged in.
    fn hire(&mut self, owner: &str, email: &str) -> String {
        self.now = self.now.plus_seconds(1);
        self.send_mails();
        let invite = json!({ "email": email, "role": "member" });
        assert_eq!(self.send("POST", "/api/team/invite", owner, &invite).0, 201);
        let token = self.mailed_token();
        let acceptance = json!({ "token": token, "password": "a member's horse" });
        let accepted = self.send("POST", "/api/auth/accept-invite", "", &acceptance);
        assert_eq!(accepted.0, 201);
        let login = json!({ "email": email, "password": "a member's horse" });
        let (_, tokens) = self.send("POST", "/api/auth/login", "", &login);
        tokens["accessToken"].as_str().unwrap().to_owned()
    }

    fn fire(&mut self, owner: &str, user_id: &str) {
        let path = format!("/api/team/members/{user_id}");
        assert_eq!(self.send("DELETE", &path, owner, &Value::Null).0, 200);
    }

    /// Has the operator grant the caller's tenant a hundred.
    fn fund(&mut self, session: &str) {
        let path = format!("/api/operator/tenants/{}/credits", self.tenant_id(session));
        let operator = self.operator_key();
        let granted = self.send("POST", &path, &operator, &json!({ "amount": 100 }));
        assert_eq!(granted.0, 201, "{}", granted.1);
    }

    fn exported(&mut self, session: &str) -> Value {
        let (status, export) = self.send("GET", "/api/account/export", session, &Value::Null);
        assert_eq!(status, 200);
        export
    }

    fn put<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.app.services().store.write(f).unwrap()
    }

    fn numbers(&self, sql: &str) -> Vec<i64> {
        let store = &self.app.services().store;
        let read = store.read(|tx| tx.all(sql, &[], |row| row.int(0)));
        read.unwrap_or_else(|error: StoreError| panic!("{error}"))
    }
}

fn payment(tenant_id: &str, id: &str, at: UnixMillis, state: State) -> Payment {
    Payment {
        id: id.to_owned(),
        tenant_id: tenant_id.to_owned(),
        kind: Kind::Topup,
        plan_id: None,
        subscription_id: None,
        amount_cents: 1_999,
        currency: "EUR".to_owned(),
        state,
        provider_id: None,
        redirect_url: None,
        checkout_url: None,
        created_at: at,
        tried_at: None,
        due_at: None,
        attempts: 0,
    }
}

/// A row in every table of payments, with the words wherever there is text.
fn pay(tx: &Tx<'_>, tenant_id: &str, now: UnixMillis, words: &str) -> Result<(), StoreError> {
    let subscription = Subscription {
        id: format!("sub {words}"),
        tenant_id: tenant_id.to_owned(),
        plan_id: format!("plan {words}"),
        price_cents: 2_000,
        currency: "EUR".to_owned(),
        // What the provider is still to forget is not marked.
        customer_id: format!("cst_secret {tenant_id}"),
        provider_id: Some(format!("sub_secret {tenant_id}")),
        started_at: now,
        months: 1,
        paid_until: now.plus_months(1),
        canceled_at: None,
        ended_at: Some(now),
        ask_at: Some(now),
        asked_at: None,
        errand: None,
        tried_at: None,
        due_at: None,
        attempts: 0,
    };
    subscriptions::insert(tx, &subscription)?;
    let paid = Payment {
        kind: Kind::Subscription,
        plan_id: Some(format!("plan {words}")),
        subscription_id: Some(subscription.id),
        provider_id: Some(format!("tr_{words}")),
        redirect_url: Some(format!("https://example.com/{words}/secret")),
        checkout_url: Some(format!("https://pay.example.com/{words}/secret")),
        ..payment(tenant_id, &format!("paid {words}"), now, State::Paid)
    };
    payments::insert(tx, &paid)?;
    let reversal = Reversal {
        id: &format!("re_secret {words}"),
        payment_id: &paid.id,
        kind: ReversalKind::Refund,
        amount_cents: 250,
        taken_mc: 250_000,
        is_given_back: false,
    };
    payments::add_reversal(tx, &reversal)?;
    let recharge = AutoRecharge {
        tenant_id: tenant_id.to_owned(),
        is_enabled: true,
        is_ready: true,
        threshold_mc: 500_000,
        amount_cents: 2_000,
        failures: 0,
        retry_at: None,
        paused_at: None,
    };
    auto_recharges::put(tx, &recharge)?;
    payment_customers::find_or_insert(tx, tenant_id, &format!("customer {words}"))?;
    let provider_id = format!("cst_secret {tenant_id}");
    payment_customers::set_provider_id(tx, &format!("customer {words}"), &provider_id)?;
    tx.execute(
        "UPDATE tenants SET plan = ?2 WHERE id = ?1",
        &[tenant_id.into(), (&format!("plan {words}")).into()],
    )?;
    Ok(())
}

#[test]
fn one_reference_grants_once_however_many_ask_at_once() {
    let mut fixture = Fixture::new();
    let session = fixture.sign_up();
    let path = format!(
        "/api/operator/tenants/{}/credits",
        fixture.tenant_id(&session)
    );
    let operator = fixture.operator_key();
    let body = json!({ "amount": 5, "reference": "invoice 7" });
    let (app, operator) = (&fixture.app, &operator);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let (path, body) = (&path, &body);
        let threads: Vec<_> = (0..16)
            .map(|seed| scope.spawn(move || super::status(app, seed, "POST", path, operator, body)))
            .collect();
        let answers = threads.into_iter().map(|thread| thread.join().unwrap());
        answers.collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200; 15][..], &[201]].concat());
    let granted = "SELECT topup_mc FROM credit_entries WHERE cause = 'grant' AND topup_mc <> 0";
    assert_eq!(fixture.numbers(granted), [500_000]);
    let told = "SELECT count(*) FROM audit_events WHERE act = 'credits.granted'";
    assert_eq!(fixture.numbers(told), [1]);
}
