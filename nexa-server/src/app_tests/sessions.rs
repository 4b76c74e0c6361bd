//! Refresh tokens: retried, used twice, copied, and by how many at once.

use serde_json::{Value, json};

use super::{Fixture, START, answer};
use crate::store::StoreError;
use crate::testing::SeededRng;

const DAY_S: i64 = 24 * 3600;
const REFUSED: (u16, &str) = (401, "invalid_refresh_token");

impl Fixture {
    /// Registers where that has not been done, and logs in; answers the access and the refresh token.
    pub(super) fn log_in(&mut self) -> (String, String) {
        let (mut status, mut tokens) = self.try_log_in("correct horse");
        if status == 401 {
            let account =
                json!({ "email": "a@example.com", "password": "correct horse", "tenantName": "A" });
            assert_eq!(self.send("POST", "/api/auth/register", "", &account).0, 201);
            (status, tokens) = self.try_log_in("correct horse");
        }
        assert_eq!(status, 200, "{tokens}");
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (token("accessToken"), token("refreshToken"))
    }

    pub(super) fn try_log_in(&mut self, password: &str) -> (u16, Value) {
        let body = json!({ "email": "a@example.com", "password": password });
        self.send("POST", "/api/auth/login", "", &body)
    }

    fn refresh(&mut self, token: &str) -> (u16, Value) {
        let body = json!({ "refreshToken": token });
        self.send("POST", "/api/auth/refresh", "", &body)
    }

    /// The refresh token that the answer brings.
    fn refreshed(&mut self, token: &str) -> String {
        let (status, tokens) = self.refresh(token);
        assert_eq!(status, 200, "{tokens}");
        text(&tokens["refreshToken"])
    }

    fn is_refused(&mut self, token: &str) -> bool {
        let (status, problem) = self.refresh(token);
        (status, problem["code"].as_str().unwrap_or_default()) == REFUSED
    }

    fn stands(&mut self, access_token: &str) -> bool {
        self.send("GET", "/api/auth/me", access_token, &Value::Null)
            .0
            == 200
    }

    fn count(&self, sql: &'static str) -> i64 {
        let store = &self.app.services().store;
        let counted =
            store.read(|tx| -> Result<i64, StoreError> { tx.one(sql, &[], |row| row.int(0)) });
        counted.unwrap()
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

#[test]
fn a_lost_answer_is_asked_for_again_until_it_has_arrived() {
    let mut fixture = Fixture::new();
    let (_, first) = fixture.log_in();
    let second = fixture.refreshed(&first);
    assert_ne!(second, first);
    for _ in 0..3 {
        assert_eq!(
            fixture.refreshed(&first),
            second,
            "every retry gets the same successor"
        );
    }
    let third = fixture.refreshed(&second);
    assert_eq!(fixture.refreshed(&second), third);
    assert_eq!(
        fixture.count("SELECT count(*) FROM sessions"),
        1,
        "one row a session"
    );
}

#[test]
fn a_token_older_than_the_last_one_ends_its_session_and_leaves_a_trace() {
    let mut fixture = Fixture::new();
    let (access, first) = fixture.log_in();
    let (other_access, other) = fixture.log_in();
    let second = fixture.refreshed(&first);
    let (_, tokens) = fixture.refresh(&second);
    let (newest_access, third) = (text(&tokens["accessToken"]), text(&tokens["refreshToken"]));
    assert!(fixture.stands(&access) && fixture.stands(&newest_access));
    assert!(fixture.is_refused(&first), "its successor has been used");
    for token in [&first, &second, &third] {
        assert!(fixture.is_refused(token));
    }
    assert!(!fixture.stands(&access) && !fixture.stands(&newest_access));
    let reused = "SELECT count(*) FROM audit_events WHERE act = 'session.reused'";
    assert_eq!(fixture.count(reused), 1);
    assert!(fixture.stands(&other_access), "another session goes on");
    fixture.refreshed(&other);
}

#[test]
fn what_is_no_refresh_token_of_ours_is_refused_and_ends_nothing() {
    let mut fixture = Fixture::new();
    let (access, token) = fixture.log_in();
    let head = &token[..token.len() - 1];
    let bearer = format!("{token}=");
    for wrong in [
        "",
        "x",
        head,
        &bearer,
        &token.to_uppercase(),
        &format!(" {token}"),
        &"A".repeat(43),
        &"A".repeat(100_000),
        &access,
    ] {
        assert!(fixture.is_refused(wrong), "{wrong:.50}");
    }
    for (body, sentence) in [
        (json!({}), "refreshToken: required"),
        (
            json!({ "refreshToken": [token] }),
            "refreshToken: must be a string",
        ),
        (
            json!({ "refreshToken": 1 }),
            "refreshToken: must be a string",
        ),
        (json!({ "refresh_token": token }), "refreshToken: required"),
    ] {
        for path in ["/api/auth/refresh", "/api/auth/logout"] {
            let (status, problem) = fixture.send("POST", path, "", &body);
            assert_eq!(
                (status, &problem["error"]),
                (400, &json!(sentence)),
                "{path}"
            );
        }
    }
    assert!(fixture.stands(&access));
    fixture.refreshed(&token);
}

#[test]
fn a_session_lasts_thirty_days_from_its_last_refresh() {
    let mut fixture = Fixture::new();
    let (_, first) = fixture.log_in();
    fixture.now = START.plus_seconds(30 * DAY_S - 1);
    let (status, tokens) = fixture.refresh(&first);
    assert_eq!(status, 200);
    let expected = fixture.now.plus_seconds(30 * DAY_S).to_rfc3339();
    assert_eq!(tokens["refreshExpiresAt"], expected);
    let second = text(&tokens["refreshToken"]);
    fixture.now = START.plus_seconds(60 * DAY_S - 2);
    // A retry prolongs nothing.
    let (_, again) = fixture.refresh(&first);
    assert_eq!(again["refreshExpiresAt"], expected);
    fixture.now = START.plus_seconds(60 * DAY_S - 1);
    assert!(fixture.is_refused(&second), "thirty days to the second");
    crate::job::tick(fixture.app.services(), fixture.now);
    assert_eq!(
        fixture.count("SELECT count(*) FROM sessions"),
        0,
        "and then it is gone"
    );
}

#[test]
fn whoever_logs_out_ends_the_session_at_once_by_any_of_its_tokens() {
    let mut fixture = Fixture::new();
    for tokens_used in 0..3 {
        let (access, mut token) = fixture.log_in();
        let oldest = token.clone();
        for _ in 0..tokens_used {
            token = fixture.refreshed(&token);
        }
        for _ in 0..2 {
            let body = json!({ "refreshToken": oldest });
            let answer = fixture.send("POST", "/api/auth/logout", "", &body);
            assert_eq!(answer, (200, json!({ "success": true })));
        }
        assert!(!fixture.stands(&access));
        assert!(fixture.is_refused(&token));
    }
    let unknown = json!({ "refreshToken": "A".repeat(43) });
    let answer = fixture.send("POST", "/api/auth/logout", "", &unknown);
    assert_eq!(answer, (200, json!({ "success": true })));
}

#[test]
fn a_thousand_refreshes_at_once_leave_one_live_successor() {
    let mut fixture = Fixture::new();
    let (_, token) = fixture.log_in();
    let request = hyper::Request::post("/api/auth/refresh")
        .header("content-type", "application/json")
        .body(json!({ "refreshToken": token }).to_string().into())
        .unwrap();
    let app = &fixture.app;
    let mut successors: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100_u64)
            .map(|thread| {
                let request = &request;
                scope.spawn(move || {
                    let refresh = |seed| {
                        let mut rng = SeededRng::new(seed);
                        let response = answer(app, START, &mut rng, request, true).unwrap();
                        assert_eq!(response.status(), 200);
                        let tokens: Value = serde_json::from_slice(response.body()).unwrap();
                        text(&tokens["refreshToken"])
                    };
                    (0..10)
                        .map(|n| refresh(1_000 + thread * 10 + n))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let tokens = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        tokens.collect()
    });
    assert_eq!(successors.len(), 1_000);
    successors.sort_unstable();
    successors.dedup();
    assert_eq!(successors.len(), 1, "everybody got the same one");
    let next = fixture.refreshed(&successors[0]);
    assert!(fixture.is_refused(&token), "the first one is too old now");
    assert!(
        fixture.is_refused(&next),
        "and whoever brought it has ended the session"
    );
}

#[test]
fn ones_own_sessions_are_listed_and_ended() {
    let mut fixture = Fixture::new();
    let log_in = |second| {
        fixture.now = START.plus_seconds(second);
        fixture.log_in()
    };
    let opened: Vec<(String, String)> = (0..3).map(log_in).collect();
    let (access, _) = &opened[1];
    let (status, listed) = fixture.send("GET", "/api/auth/sessions", access, &Value::Null);
    assert_eq!((status, listed.as_array().unwrap().len()), (200, 3));
    let current: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["current"])
        .collect();
    assert_eq!(current, [false, true, false]);
    assert_eq!(listed[0]["address"], "203.0.113.9");
    let shown = listed.to_string();
    assert!(
        opened.iter().all(|(_, token)| !shown.contains(token)),
        "never a token in a list"
    );
    let path = format!("/api/auth/sessions/{}", text(&listed[0]["id"]));
    let end = |fixture: &mut Fixture| fixture.send("DELETE", &path, access, &Value::Null);
    assert_eq!(end(&mut fixture), (200, json!({ "success": true })));
    assert_eq!(end(&mut fixture).0, 404);
    assert!(
        !fixture.stands(&opened[2].0),
        "newest first: that was the last one"
    );
    let ended = fixture.send("DELETE", "/api/auth/sessions", access, &Value::Null);
    assert_eq!(ended, (200, json!({ "ended": 1 })));
    assert!(!fixture.stands(&opened[0].0) && fixture.stands(access));
    let all = json!({ "name": "k", "scopes": ["full_access"] });
    let (_, key) = fixture.make_key(access, &all);
    for (method, path) in [
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/sessions"),
    ] {
        let refused = super::status(&fixture.app, 9, method, path, &key, &Value::Null);
        assert_eq!(refused, 403, "a key is not there in person");
    }
}

#[test]
fn a_new_password_ends_every_session_and_opens_one() {
    let mut fixture = Fixture::new();
    let (access, refresh) = fixture.log_in();
    let (other, _) = fixture.log_in();
    let change =
        |current: &str, new: &str| json!({ "currentPassword": current, "newPassword": new });
    for (body, expected) in [
        (
            change("wrong horse", "a new horse"),
            (403, "Wrong password"),
        ),
        (
            change("correct horse", "short"),
            (400, "newPassword: must be 8 to 1024 bytes long"),
        ),
        (
            change("correct horse", "Password1"),
            (400, "newPassword: is one of the most common passwords"),
        ),
        (
            json!({ "newPassword": "a new horse" }),
            (400, "currentPassword: required"),
        ),
    ] {
        let (status, problem) = fixture.send("POST", "/api/auth/password", &access, &body);
        assert_eq!((status, problem["error"].as_str().unwrap()), expected);
    }
    let refused = "SELECT count(*) FROM audit_events WHERE act = 'password.refused'";
    assert_eq!(fixture.count(refused), 1);
    let body = change("correct horse", "a new horse");
    let (status, tokens) = fixture.send("POST", "/api/auth/password", &access, &body);
    assert_eq!(status, 200, "{tokens}");
    assert!(!fixture.stands(&access) && !fixture.stands(&other) && fixture.is_refused(&refresh));
    assert!(fixture.stands(&text(&tokens["accessToken"])));
    fixture.refreshed(&text(&tokens["refreshToken"]));
    assert_eq!(fixture.try_log_in("correct horse").0, 401);
    assert_eq!(fixture.try_log_in("a new horse").0, 200);
}

#[test]
fn an_access_token_is_checked_without_a_write() {
    let mut fixture = Fixture::new();
    let (access, _) = fixture.log_in();
    let before = fixture.app.services().store.commits();
    for _ in 0..10 {
        assert!(fixture.stands(&access));
    }
    assert_eq!(fixture.app.services().store.commits(), before);
}

#[test]
fn a_log_in_that_is_on_its_way_does_not_outlive_a_new_password() {
    let mut fixture = Fixture::new();
    let (access, _) = fixture.log_in();
    let services = fixture.app.services();
    let email = crate::domain::email::EmailAddress::parse("a@example.com").unwrap();
    let user = services
        .store
        .read(|tx| crate::domain::sessions::candidate(tx, &email))
        .unwrap()
        .unwrap();
    let device = crate::domain::sessions::Device::new(None, None);
    let mut rng = SeededRng::new(5);
    let draft =
        crate::domain::sessions::draft(START, &mut rng, &services.ring.issuing(), &user, device)
            .unwrap();
    let change = json!({ "currentPassword": "correct horse", "newPassword": "a new horse" });
    assert_eq!(
        fixture
            .send("POST", "/api/auth/password", &access, &change)
            .0,
        200
    );
    let origin = crate::domain::audit::Origin {
        principal: crate::domain::principal::Principal::Anyone,
        address: None,
    };
    let store = &fixture.app.services().store;
    let opened = store.write(move |tx| crate::domain::sessions::open(tx, START, &origin, &draft));
    assert!(
        matches!(opened, Err(crate::domain::Error::LoginFailed)),
        "{opened:?}"
    );
}
