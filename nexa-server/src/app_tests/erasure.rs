//! Erasure: nothing personal is left in any file, and the sums and the trail are.

use std::num::NonZeroU32;

use hyper::Request;
use hyper::body::Bytes;
use rand_core::Rng as _;
use serde_json::{Value, json};

use super::{Fixture, START, answer};
use crate::job;
use crate::testing::SeededRng;

/// The words that only this tenant's data holds.
pub(super) fn mark(number: usize) -> String {
    format!("zq{number:03}qz")
}

pub(super) fn crowd() -> Fixture {
    Fixture::with(|config| {
        config.allowances.register_per_address_an_hour = NonZeroU32::MAX;
        config.allowances.login_per_address_an_hour = NonZeroU32::MAX;
        config.allowances.invite_per_tenant_an_hour = NonZeroU32::MAX;
    })
}

impl Fixture {
    /// A tenant with something of everything, all of it marked; answers its owner's access token.
    pub(super) fn furnish(&mut self, number: usize) -> String {
        let mark = mark(number);
        let email = format!("Owner.{mark}@example.com");
        let account = json!({ "email": email, "password": "correct horse", "tenantName": format!("Tenant {mark}") });
        assert_eq!(self.send("POST", "/api/auth/register", "", &account).0, 201);
        let login = Request::post("/api/auth/login")
            .header("content-type", "application/json")
            .header("user-agent", format!("Browser {mark}"))
            .body(Bytes::from(account.to_string()))
            .unwrap();
        let answered = answer(&self.app, self.now, &mut self.rng, &login, true).unwrap();
        let tokens: Value = serde_json::from_slice(answered.body()).unwrap();
        let session = tokens["accessToken"].as_str().unwrap().to_owned();
        for n in 0..8 {
            let metadata = json!({ "note": format!("{mark} ").repeat(100 * (n % 3)) });
            let key = json!({ "name": format!("Key {mark} {n}"), "scopes": ["signals"], "metadata": metadata });
            self.make_key(&session, &key);
            let device = json!({ "fingerprint": format!("f{n}"), "platform": format!("os {mark}"), "name": format!("box {mark}") });
            let license = json!({ "appId": "agentyk-engine", "device": device });
            assert_eq!(
                self.send("POST", "/api/licenses/issue", &session, &license)
                    .0,
                201
            );
        }
        // Its mail is not sent: it waits in the outbox.
        let invite = json!({ "email": format!("guest.{mark}@example.com"), "role": "member" });
        assert_eq!(
            self.send("POST", "/api/team/invite", &session, &invite).0,
            201
        );
        session
    }

    /// The files of the data folder that hold the words.
    pub(super) fn files_with(&self, words: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
            if bytes
                .windows(words.len())
                .any(|window| window == words.as_bytes())
            {
                found.push(path.display().to_string());
            }
        }
        found
    }

    fn number(&self, sql: &'static str) -> i64 {
        let store = &self.app.services().store;
        let counted = store.read(|tx| tx.one(sql, &[], |row| row.int(0)));
        counted.unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"))
    }
}

#[test]
fn erasure_leaves_nothing_personal_in_database_log_or_free_pages() {
    let mut fixture = crowd();
    let sessions: Vec<String> = (0..24).map(|number| fixture.furnish(number)).collect();
    for number in [0, 23] {
        assert!(
            !fixture.files_with(&mark(number)).is_empty(),
            "the marks can be found"
        );
    }
    let events = fixture.number("SELECT count(*) FROM audit_events");
    // Not in the order in which they came, so that pages are shared by those who stay and those who go.
    for (place, number) in (0..24).map(|n| (n * 7) % 24).enumerate() {
        fixture.now = fixture.now.plus_seconds(60);
        let body = json!({ "password": "correct horse" });
        let erased = fixture.send("DELETE", "/api/account", &sessions[number], &body);
        assert_eq!(erased, (200, json!({ "success": true })));
        assert_eq!(
            fixture.files_with(&mark(number)),
            [""; 0],
            "tenant {number}, erased as number {place}"
        );
    }
    assert_eq!(fixture.number("SELECT count(*) FROM users"), 0);
    assert_eq!(fixture.number("SELECT count(*) FROM mails"), 0);
    assert!(
        fixture.number("SELECT count(*) FROM audit_events") > events,
        "the trail goes on"
    );
    let named = "SELECT count(*) FROM audit_events WHERE tenant_id IS NOT NULL
        AND coalesce(actor_id, user_id, subject_id, address) IS NOT NULL";
    assert_eq!(fixture.number(named), 0, "it names nobody any more");
    let (_, feed) = fixture.send("GET", "/api/licenses/revocations", "", &Value::Null);
    assert_eq!(
        feed.as_array().unwrap().len(),
        24 * 8,
        "its licences are revoked"
    );
}

/// As [`erasure_leaves_nothing_personal_in_database_log_or_free_pages`], with rows of all lengths that came in any order:
/// the database moves them from page to page, and what they leave behind there is gone too.
#[test]
fn erasure_reaches_what_rows_have_left_on_other_pages() {
    for seed in 0..2 {
        let mut fixture = crowd();
        let mut rng = SeededRng::new(seed);
        let mut draw = |below: u32| rng.next_u32() % below;
        let mut people: Vec<(String, String)> = Vec::new();
        for number in 0..20 {
            let mark = mark(number);
            let name = "w".repeat(draw(25) as usize);
            let email = format!("{name}{}.{mark}@example.com", draw(1 << 30));
            let account = json!({ "email": email, "password": "correct horse", "tenantName": format!("T {mark}") });
            assert_eq!(
                fixture.send("POST", "/api/auth/register", "", &account).0,
                201
            );
            let (_, tokens) = fixture.send("POST", "/api/auth/login", "", &account);
            people.push((mark, tokens["accessToken"].as_str().unwrap().to_owned()));
        }
        for _ in 0..300 {
            let (mark, session) = &people[draw(20) as usize];
            let filling = "v".repeat(draw(30) as usize);
            let (path, body) = match draw(3) {
                0 => (
                    "/api/team/invite",
                    json!({ "email": format!("{}{filling}.{mark}@example.com", draw(1 << 30)), "role": "member" }),
                ),
                1 => (
                    "/api/v1/api-keys",
                    json!({ "name": format!("K {mark}"), "scopes": ["signals"], "metadata": { "note": format!("{mark} ").repeat(draw(60) as usize) } }),
                ),
                _ => (
                    "/api/licenses/issue",
                    json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": format!("os {mark}{filling}"), "name": mark } }),
                ),
            };
            assert_eq!(fixture.send("POST", path, session, &body).0, 201);
        }
        while !people.is_empty() {
            fixture.now = fixture.now.plus_seconds(60);
            let (mark, session) =
                people.swap_remove(draw(u32::try_from(people.len()).unwrap()) as usize);
            let body = json!({ "password": "correct horse" });
            assert_eq!(
                fixture.send("DELETE", "/api/account", &session, &body).0,
                200
            );
            assert_eq!(fixture.files_with(&mark), [""; 0], "seed {seed}, {mark}");
        }
    }
}

#[test]
fn erasure_takes_notices_along_and_nothing_is_told_after_it() {
    use crate::domain::notices::{self, Notice};
    let mut fixture = crowd();
    let sessions = [fixture.furnish(1), fixture.furnish(2)];
    for (n, session) in (1..).zip(&sessions) {
        let (_, me) = fixture.send("GET", "/api/auth/me", session, &Value::Null);
        let tenant_id = me["tenant"]["id"].as_str().unwrap().to_owned();
        let tell = |fixture: &Fixture, subject: &'static str| {
            let (now, tenant_id) = (fixture.now, tenant_id.clone());
            let plan_name = mark(n);
            let store = &fixture.app.services().store;
            let told = store.write(move |tx| {
                let notice = Notice::SubscriptionEnded { plan_name };
                notices::tell(tx, now, &tenant_id, subject, &notice)
            });
            told.unwrap();
        };
        tell(&fixture, "carried");
        fixture.now = fixture.now.plus_seconds(60);
        job::tick(fixture.app.services(), fixture.now);
        tell(&fixture, "not yet");
        if n == 2 {
            let body = json!({ "password": "correct horse" });
            let erased = fixture.send("DELETE", "/api/account", session, &body);
            assert_eq!(erased.0, 200, "{}", erased.1);
            tell(&fixture, "after it");
        }
    }
    assert_eq!(fixture.number("SELECT count(*) FROM notices"), 2);
    assert_eq!(fixture.files_with(&mark(2)), [""; 0]);
    let mails = "SELECT count(*) FROM mails WHERE notice_id IS NOT NULL";
    assert_eq!(fixture.number(mails), 2, "the other tenant's");
}

#[test]
fn an_erasure_says_when_somebody_still_reads_what_is_erased() {
    let mut fixture = crowd();
    let session = fixture.furnish(1);
    let store = fixture.app.services().store.clone();
    let (reading, read) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let held = store.read(|tx| -> Result<(), crate::store::StoreError> {
            tx.one("SELECT count(*) FROM users", &[], |row| row.int(0))?;
            begun.send(()).unwrap();
            // Until the test lets it go.
            let _ = read.recv();
            Ok(())
        });
        held.unwrap();
    });
    has_begun.recv().unwrap();
    let body = json!({ "password": "correct horse" });
    let answer = fixture.send("DELETE", "/api/account", &session, &body);
    assert_eq!(answer, (202, json!({ "success": true })));
    let log_bytes = |fixture: &Fixture| {
        std::fs::metadata(fixture.folder.path().join("nexa.db-wal")).map_or(0, |log| log.len())
    };
    let before = log_bytes(&fixture);
    for minute in 1..=3 {
        let now = START.plus_seconds(minute * 60);
        job::errands::go_on(fixture.app.services(), now);
    }
    let grown = log_bytes(&fixture) - before;
    assert!(
        grown < 100_000,
        "tries that cannot succeed leave nothing: {grown}"
    );
    let registered = json!({ "email": format!("Owner.{}@example.com", mark(1)), "password": "correct horse", "tenantName": "T" });
    assert_eq!(
        fixture.send("POST", "/api/auth/login", "", &registered).0,
        401
    );
    drop(reading);
    reader.join().unwrap();
    job::errands::go_on(fixture.app.services(), START.plus_seconds(300));
    assert_eq!(fixture.files_with(&mark(1)), [""; 0]);
}

#[test]
fn whoever_is_erased_is_gone_and_may_come_back_as_somebody_new() {
    let mut fixture = crowd();
    let session = fixture.furnish(1);
    let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
    let (_, key) = fixture.make_key(&session, &json!({ "name": "k", "scopes": ["full_access"] }));
    for (body, status) in [
        (json!({}), 400),
        (json!({ "password": ["correct horse"] }), 400),
        (json!({ "password": "Correct horse" }), 403),
    ] {
        assert_eq!(
            fixture.send("DELETE", "/api/account", &session, &body).0,
            status
        );
    }
    let body = json!({ "password": "correct horse" });
    assert_eq!(
        fixture.send("DELETE", "/api/account", &key, &body).0,
        403,
        "a key erases nothing"
    );
    assert_eq!(
        fixture.send("DELETE", "/api/account", &session, &body).0,
        200
    );
    for credential in [&session, &key] {
        assert_eq!(
            fixture
                .send("GET", "/api/auth/me", credential, &Value::Null)
                .0,
            401
        );
    }
    let operator = fixture.operator_key();
    let path = format!(
        "/api/operator/tenants/{}",
        me["tenant"]["id"].as_str().unwrap()
    );
    for (method, body) in [
        ("PATCH", json!({ "enabled": true })),
        ("DELETE", Value::Null),
    ] {
        assert_eq!(
            fixture.send(method, &path, &operator, &body).0,
            404,
            "{method}"
        );
    }
    fixture.send_mails();
    fixture.furnish(1);
}

#[test]
fn the_operator_erases_an_agent_and_its_ledger_keeps_its_sums() {
    let mut fixture = crowd();
    let registration = json!({
        "name": "Agent zqagentqz", "contact_email": "zqagentqz@example.com", "description": "zqagentqz",
        "webhook_url": "https://zqagentqz.example.com/",
    });
    let (_, agent) = fixture.send("POST", "/v1/account/register", "", &registration);
    let key = agent["api_key"].as_str().unwrap().to_owned();
    let (_, me) = fixture.send("GET", "/api/auth/me", &key, &Value::Null);
    let operator = fixture.operator_key();
    let path = format!(
        "/api/operator/tenants/{}",
        me["tenant"]["id"].as_str().unwrap()
    );
    assert_eq!(
        fixture.send("DELETE", &path, &operator, &Value::Null),
        (200, json!({ "success": true }))
    );
    assert_eq!(fixture.files_with("zqagentqz"), [""; 0]);
    assert_eq!(
        fixture.send("GET", "/api/auth/me", &key, &Value::Null).0,
        401
    );
    assert_eq!(
        fixture.number("SELECT sum(monthly_mc) FROM credit_entries"),
        500_000
    );
}

#[test]
fn an_erasure_that_was_cut_off_is_finished_by_the_job() {
    let mut fixture = crowd();
    let session = fixture.furnish(1);
    let (_, me) = fixture.send("GET", "/api/auth/me", &session, &Value::Null);
    let tenant_id = me["tenant"]["id"].as_str().unwrap().to_owned();
    let services = fixture.app.services();
    let origin = crate::domain::audit::Origin {
        principal: crate::domain::principal::Principal::Machine,
        address: None,
    };
    let tariff = std::sync::Arc::clone(&services.tariff);
    let begun = services.store.write(move |tx| {
        crate::domain::erasure::begin(tx, START, &origin, &tariff, &tenant_id).map(drop)
    });
    assert!(begun.is_ok());
    assert_eq!(
        fixture
            .send("GET", "/api/auth/me", &session, &Value::Null)
            .0,
        401,
        "nobody gets in meanwhile"
    );
    assert!(!fixture.files_with(&mark(1)).is_empty());
    job::errands::go_on(fixture.app.services(), START);
    assert_eq!(fixture.files_with(&mark(1)), [""; 0]);
    assert_eq!(
        fixture.number("SELECT count(*) FROM tenants WHERE erasing_since_ms IS NOT NULL"),
        0
    );
}

#[test]
fn many_erasures_rewrite_the_file_once_a_minute() {
    let mut fixture = crowd();
    let sessions: Vec<String> = (0..3).map(|number| fixture.furnish(number)).collect();
    let body = json!({ "password": "correct horse" });
    let statuses: Vec<u16> = sessions
        .iter()
        .map(|session| fixture.send("DELETE", "/api/account", session, &body).0)
        .collect();
    assert_eq!(statuses, [200, 202, 202]);
    job::errands::go_on(fixture.app.services(), START.plus_seconds(59));
    let erasing = "SELECT count(*) FROM tenants WHERE erasing_since_ms IS NOT NULL";
    assert_eq!(fixture.number(erasing), 2);
    job::errands::go_on(fixture.app.services(), START.plus_seconds(60));
    assert_eq!(fixture.number(erasing), 0);
    for number in 0..3 {
        assert_eq!(fixture.files_with(&mark(number)), [""; 0]);
    }
}
