//! Notices: each once, to owners alone, when they are due and as long as they have a reason.

mod trials;

use serde_json::{Value, json};

use super::super::{Fixture, START};
use super::HOUR_S;
use crate::domain::Error;
use crate::domain::notices::{self, Notice, PaidFor};
use crate::job;
use crate::store::{StoreError, Tx};
use crate::time::UnixMillis;

const DAY_S: i64 = 24 * HOUR_S;

const LOW: Notice = Notice::CreditsLow { left_mc: 42_000 };

impl Fixture {
    fn told(&self, f: impl FnOnce(&Tx<'_>) -> Result<(), Error> + Send + 'static) {
        self.app.services().store.write(f).unwrap();
    }

    fn tell(&self, tenant_id: &str, subject: &str, notice: &Notice) {
        let (now, tenant_id, subject) = (self.now, tenant_id.to_owned(), subject.to_owned());
        let notice = notice.clone();
        self.told(move |tx| notices::tell(tx, now, &tenant_id, &subject, &notice));
    }

    /// One round of the job; then sends what is due. Answers the addresses and texts of the mails that went out.
    fn carried(&mut self) -> Vec<(String, String)> {
        job::tick(self.app.services(), self.now);
        let sent = self.send_mails();
        let mut all = self.mailer.sent();
        all.split_off(all.len() - sent)
    }

    fn addresses(&mut self) -> Vec<String> {
        let mut to: Vec<String> = self.carried().into_iter().map(|(to, _)| to).collect();
        to.sort_unstable();
        to
    }

    pub(in crate::app_tests) fn tenant_id(&mut self, session: &str) -> String {
        let (_, me) = self.send("GET", "/api/auth/me", session, &Value::Null);
        me["tenant"]["id"].as_str().unwrap().to_owned()
    }

    /// An owner whose first mail has been sent, and its tenant.
    fn settled(&mut self, email: &str) -> (String, String) {
        let session = self.join(email, "correct horse");
        self.send_mails();
        let tenant_id = self.tenant_id(&session);
        (session, tenant_id)
    }

    /// How many notices there are, and how many of them are carried.
    fn notices(&self) -> (i64, i64) {
        let counted = self.app.services().store.read(|tx| {
            let sql = "SELECT count(*), count(carried_at_ms) FROM notices";
            tx.one(sql, &[], |row| Ok((row.int(0)?, row.int(1)?)))
        });
        counted.unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    fn put_app(&mut self, operator: &str, trial_days: u32) {
        let app = json!({
            "ttlDaysMin": 1, "ttlDaysMax": 90, "ttlDaysDefault": 30,
            "trial": { "days": trial_days },
            "plans": { "pro": {} },
        });
        let (status, put) = self.send("PUT", "/api/operator/apps/sdk", operator, &app);
        assert!(matches!(status, 200 | 201), "{put}");
    }

    fn set_plan(&mut self, operator: &str, tenant_id: &str, plan: &Value) {
        let path = format!("/api/operator/tenants/{tenant_id}");
        let change = json!({ "plan": plan });
        assert_eq!(self.send("PATCH", &path, operator, &change).0, 200);
    }

    fn issue_sdk(&mut self, key: &str, fingerprint: &str) -> u16 {
        let device = json!({ "fingerprint": fingerprint, "platform": "linux" });
        let body = json!({ "appId": "sdk", "device": device });
        self.send("POST", "/api/licenses/issue", key, &body).0
    }
}

/// A fixture with a tenant whose key outlasts sessions, and an app with a trial.
fn shop(trial_days: u32) -> (Fixture, String, String, String) {
    let mut fixture = Fixture::new();
    let (session, tenant_id) = fixture.settled("a@example.com");
    let whole = json!({ "name": "k", "scopes": ["full_access"] });
    let (_, key) = fixture.make_key(&session, &whole);
    let operator = fixture.operator_key();
    fixture.put_app(&operator, trial_days);
    (fixture, key, operator, tenant_id)
}

#[test]
fn a_notice_is_carried_once_however_often_it_is_told_and_by_how_many() {
    let mut fixture = Fixture::new();
    let (_, tenant_id) = fixture.settled("a@example.com");
    let (store, now) = (fixture.app.services().store.clone(), fixture.now);
    let at_once = |f: &(dyn Fn() -> usize + Sync)| -> usize {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(f)).collect();
            let mails = threads.into_iter().map(|thread| thread.join().unwrap());
            mails.sum()
        })
    };
    at_once(&|| {
        for subject in ["r1", "r2", "r1"] {
            fixture.tell(&tenant_id, subject, &LOW);
        }
        0
    });
    assert_eq!(fixture.notices(), (2, 0), "one for each subject");
    let mails = at_once(&|| notices::carry_due(&store, now).unwrap().mails);
    assert_eq!(mails, 2);
    assert_eq!(fixture.notices(), (2, 2));
    let carried = fixture.carried();
    assert_eq!(carried.len(), 2, "both, though they are of one kind");
    for (to, text) in carried {
        assert_eq!(to, "a@example.com");
        assert!(text.contains("0.42 EUR"), "{text}");
    }
    fixture.tell(&tenant_id, "r1", &LOW);
    fixture.tell(
        &tenant_id,
        "r2",
        &Notice::PaymentFailed {
            amount_cents: 990,
            paid_for: PaidFor::AutoRecharge,
        },
    );
    let (_, text) = fixture.carried().pop().unwrap();
    assert!(text.contains("9.90 EUR"), "another kind: {text}");
    assert_eq!(fixture.notices(), (3, 3), "told again after it was carried");
}

#[test]
fn notices_go_to_owners_who_can_be_reached_and_to_nobody_else() {
    let mut fixture = Fixture::new();
    let (owner, tenant_id) = fixture.settled("owner@example.com");
    let mut ids = Vec::new();
    for (email, role) in [
        ("second@example.com", "owner"),
        ("demoted@example.com", "owner"),
        ("disabled@example.com", "owner"),
        ("removed@example.com", "owner"),
        ("admin@example.com", "admin"),
        ("member@example.com", "member"),
    ] {
        let invited_as = if role == "owner" { "admin" } else { role };
        let session = fixture.add_member(&owner, email, invited_as);
        let id = fixture.id(&session);
        if role == "owner" {
            assert_eq!(fixture.set_role(&owner, &id, role).0, 200);
        }
        ids.push(id);
    }
    fixture.settled("stranger@example.com");
    let operator = fixture.operator_key();
    let disable = |fixture: &mut Fixture, what: &str, enabled: bool| {
        let path = format!("/api/operator/{what}");
        let change = json!({ "enabled": enabled });
        assert_eq!(fixture.send("PATCH", &path, &operator, &change).0, 200);
    };
    disable(&mut fixture, &format!("users/{}", ids[2]), false);
    fixture.send_mails();
    fixture.tell(&tenant_id, "r1", &LOW);
    job::tick(fixture.app.services(), fixture.now);
    // Between the notice and its mail.
    assert_eq!(fixture.set_role(&owner, &ids[1], "admin").0, 200);
    assert_eq!(fixture.remove(&owner, &ids[3]).0, 200);
    assert_eq!(
        fixture.addresses(),
        ["owner@example.com", "second@example.com"]
    );
    disable(&mut fixture, &format!("tenants/{tenant_id}"), false);
    fixture.tell(&tenant_id, "r2", &LOW);
    assert_eq!(fixture.addresses(), [""; 0]);
    disable(&mut fixture, &format!("tenants/{tenant_id}"), true);
    assert_eq!(fixture.addresses(), [""; 0], "what was carried is carried");
    assert_eq!(fixture.notices(), (2, 2));
}

#[test]
fn what_is_due_longest_goes_first_and_nothing_before_it_is_due() {
    let mut fixture = Fixture::new();
    let (_, tenant_id) = fixture.settled("a@example.com");
    for (subject, after_s) in [("c", 30), ("a", 10), ("d", 60), ("b", 20)] {
        let (now, tenant_id) = (fixture.now, tenant_id.clone());
        let notice = Notice::SubscriptionEnded {
            plan_name: format!("plan-{subject}"),
        };
        fixture.told(move |tx| {
            let due_at = now.plus_seconds(after_s);
            notices::tell_at(tx, now, &tenant_id, subject, &notice, due_at)
        });
    }
    let plans = |fixture: &mut Fixture| -> Vec<String> {
        let mails = fixture.carried().into_iter();
        mails
            .map(|(_, text)| {
                let (_, rest) = text.split_once("plan-").unwrap();
                rest.chars().take(1).collect()
            })
            .collect()
    };
    fixture.now = UnixMillis::from_ms(START.plus_seconds(10).ms() - 1);
    assert_eq!(plans(&mut fixture), [""; 0]);
    fixture.now = START.plus_seconds(10);
    assert_eq!(plans(&mut fixture), ["a"]);
    fixture.now = START.plus_seconds(60);
    assert_eq!(plans(&mut fixture), ["b", "c", "d"]);
}

#[test]
fn more_notices_than_are_read_at_once_are_all_carried() {
    let mut fixture = Fixture::new();
    let (_, tenant_id) = fixture.settled("a@example.com");
    let now = fixture.now;
    fixture.told(move |tx| {
        (0..150).try_for_each(|n| notices::tell(tx, now, &tenant_id, &n.to_string(), &LOW))
    });
    let store = &fixture.app.services().store;
    let mails = || notices::carry_due(store, now).unwrap().mails;
    assert_eq!([mails(), mails()], [150, 0]);
}

#[test]
fn a_mail_server_that_is_down_loses_no_notice() {
    let mut fixture = Fixture::new();
    let (session, tenant_id) = fixture.settled("a@example.com");
    fixture.mailer.break_down(true);
    for subject in ["r1", "r2"] {
        fixture.tell(&tenant_id, subject, &LOW);
    }
    assert_eq!(fixture.carried().len(), 0);
    // It takes the place of what waits to tell of the password, and of nothing else.
    let change = json!({ "currentPassword": "correct horse", "newPassword": "a new horse" });
    let changed = fixture.send("POST", "/api/auth/password", &session, &change);
    assert_eq!(changed.0, 200, "{}", changed.1);
    fixture.forgot("a@example.com");
    for hours in (0..13 * 24).step_by(2) {
        fixture.now = START.plus_seconds(hours * HOUR_S);
        assert_eq!(fixture.carried().len(), 0);
    }
    fixture.mailer.break_down(false);
    fixture.now = START.plus_seconds(13 * DAY_S);
    let carried = fixture.carried();
    assert_eq!(carried.len(), 2, "the others are given up after a day");
    for (_, text) in carried {
        assert!(text.contains("on 2027-01-15 08:00 UTC"), "{text}");
    }
    fixture.mailer.break_down(true);
    fixture.tell(&tenant_id, "r3", &LOW);
    fixture.carried();
    fixture.mailer.break_down(false);
    fixture.now = START.plus_seconds(27 * DAY_S);
    assert_eq!(fixture.carried().len(), 0, "not for ever");
}

#[test]
fn what_was_carried_is_swept_after_ninety_days_and_what_waits_is_not() {
    let mut fixture = Fixture::new();
    let (_, tenant_id) = fixture.settled("a@example.com");
    fixture.tell(&tenant_id, "r1", &LOW);
    let (now, tenant) = (fixture.now, tenant_id.clone());
    fixture.told(move |tx| {
        let due_at = now.plus_seconds(200 * DAY_S);
        notices::tell_at(tx, now, &tenant, "r2", &LOW, due_at)
    });
    fixture.carried();
    fixture.now = UnixMillis::from_ms(START.plus_seconds(90 * DAY_S).ms() - 1);
    fixture.carried();
    assert_eq!(fixture.notices(), (2, 1));
    fixture.now = START.plus_seconds(90 * DAY_S);
    fixture.carried();
    assert_eq!(fixture.notices(), (1, 0));
}

#[test]
fn owners_take_their_notices_along() {
    let (mut fixture, key, _, tenant_id) = shop(14);
    assert_eq!(fixture.issue_sdk(&key, "f1"), 201);
    let failed = Notice::PaymentFailed {
        amount_cents: 990,
        paid_for: PaidFor::Subscription,
    };
    fixture.now = fixture.now.plus_seconds(1);
    fixture.tell(&tenant_id, "tr_1", &failed);
    fixture.carried();
    let (_, export) = fixture.send("GET", "/api/account/export", &key, &Value::Null);
    let mut notices = export["notices"].clone();
    for notice in notices.as_array_mut().unwrap() {
        let id = notice.as_object_mut().unwrap().remove("id");
        assert!(id.is_some());
    }
    let second = START.plus_seconds(1).to_rfc3339();
    assert_eq!(
        notices,
        json!([
            {
                "kind": "payment_failed", "subject": "tr_1", "amountCents": 990, "paidFor": "subscription",
                "toldAt": second, "dueAt": second, "carriedAt": second,
            },
            {
                "kind": "trial_ending", "subject": "sdk", "appId": "sdk",
                "endsAt": START.plus_seconds(14 * DAY_S).to_rfc3339(), "toldAt": START.to_rfc3339(),
                "dueAt": START.plus_seconds(11 * DAY_S).to_rfc3339(), "carriedAt": null,
            },
        ])
    );
}
