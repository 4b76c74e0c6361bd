//! Erasure: nothing personal is left in any file, and the sums and the trail are.

use std::num::NonZeroU32;

use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Fixture, START, answer};
use crate::job;

/// The words that only this tenant's data holds.
fn mark(number: usize) -> String {
    format!("zq{number:03}qz")
}

fn crowd() -> Fixture {
    Fixture::with(|config| {
        config.allowances.register_per_address_an_hour = NonZeroU32::MAX;
        config.allowances.login_per_address_an_hour = NonZeroU32::MAX;
    })
}

impl Fixture {
    /// A tenant with something of everything, all of it marked; answers its owner's access token.
    fn furnish(&mut self, number: usize) -> String {
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
    fn files_with(&self, words: &str) -> Vec<String> {
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
    let begun = services
        .store
        .write(move |tx| crate::domain::erasure::begin(tx, START, &origin, &tenant_id).map(drop));
    assert!(begun.is_ok());
    assert_eq!(
        fixture
            .send("GET", "/api/auth/me", &session, &Value::Null)
            .0,
        401,
        "nobody gets in meanwhile"
    );
    assert!(!fixture.files_with(&mark(1)).is_empty());
    job::tick(fixture.app.services(), START);
    assert_eq!(fixture.files_with(&mark(1)), [""; 0]);
    assert_eq!(
        fixture.number("SELECT count(*) FROM tenants WHERE erasing_since_ms IS NOT NULL"),
        0
    );
}

#[test]
fn an_export_holds_what_its_caller_may_see_and_no_secret() {
    let mut fixture = crowd();
    fixture.furnish(2);
    let session = fixture.furnish(1);
    fixture.send_mails();
    let (status, export) = fixture.send("GET", "/api/account/export", &session, &Value::Null);
    assert_eq!(status, 200);
    let count = |name: &str| {
        export[name]
            .as_array()
            .unwrap_or_else(|| panic!("{export}"))
            .len()
    };
    for (name, expected) in [
        ("users", 1),
        ("sessions", 1),
        ("invites", 1),
        ("apiKeys", 8),
        ("licenses", 8),
        ("creditEntries", 0),
    ] {
        assert_eq!(count(name), expected, "{name}");
    }
    let shown = export.to_string();
    assert!(
        shown.contains(&mark(1)) && !shown.contains(&mark(2)),
        "one tenant's alone"
    );
    for secret in ["argon2", "digest", "nxm_", "eyJ", "password"] {
        assert!(!shown.contains(secret), "{secret}");
    }
    let (_, key) = fixture.make_key(&session, &json!({ "name": "k", "scopes": ["full_access"] }));
    let (status, by_key) = fixture.send("GET", "/api/account/export", &key, &Value::Null);
    assert_eq!(
        (status, by_key["apiKeys"].as_array().unwrap().len()),
        (200, 9),
        "a key stands for its owner"
    );
}

#[test]
fn an_export_of_many_pages_misses_nothing() {
    let mut fixture = crowd();
    let session = fixture.furnish(1);
    for n in 0..450 {
        fixture.make_key(
            &session,
            &json!({ "name": format!("many {n}"), "scopes": ["signals"] }),
        );
    }
    let (_, export) = fixture.send("GET", "/api/account/export", &session, &Value::Null);
    let mut ids: Vec<&str> = export["apiKeys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 458);
}

#[test]
fn a_member_takes_its_own_data_along_and_nobody_elses() {
    let mut fixture = crowd();
    let owner = fixture.furnish(1);
    fixture.send_mails();
    let invite = json!({ "email": "member@example.com", "role": "member" });
    assert_eq!(
        fixture.send("POST", "/api/team/invite", &owner, &invite).0,
        201
    );
    let token = fixture.mailed_token();
    let acceptance = json!({ "token": token, "password": "a member's horse" });
    assert_eq!(
        fixture
            .send("POST", "/api/auth/accept-invite", "", &acceptance)
            .0,
        201
    );
    let login = json!({ "email": "member@example.com", "password": "a member's horse" });
    let (_, tokens) = fixture.send("POST", "/api/auth/login", "", &login);
    let member = tokens["accessToken"].as_str().unwrap().to_owned();
    fixture.make_key(&member, &json!({ "name": "own", "scopes": ["signals"] }));
    let (status, export) = fixture.send("GET", "/api/account/export", &member, &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(export["users"].as_array().unwrap().len(), 1);
    assert_eq!(export["users"][0]["email"], "member@example.com");
    assert_eq!(export["apiKeys"].as_array().unwrap().len(), 1);
    for empty in ["invites", "licenses", "creditEntries"] {
        assert_eq!(export[empty], json!([]), "{empty}");
    }
    assert!(!export.to_string().contains("owner."), "{export}");
    let body = json!({ "password": "a member's horse" });
    assert_eq!(
        fixture.send("DELETE", "/api/account", &member, &body).0,
        403,
        "only an owner erases"
    );
}
