//! What people take along: theirs, all of it, and nobody else's.

use serde_json::{Value, json};

use super::erasure::{crowd, mark};

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
        ("devices", 8),
        ("creditEntries", 0),
        // Registration, log-in, a key and a licence eight times each, an invitation, the export itself.
        ("auditEvents", 20),
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
