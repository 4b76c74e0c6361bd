//! The app without a socket, a runtime or a clock: what time and standing do to credentials.

use std::net::IpAddr;

use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::*;
use crate::testing::{self, SeededRng};

const START: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

struct Fixture {
    app: App,
    rng: SeededRng,
    now: UnixMillis,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let (app, folder) = testing::app(|_| {});
        Self {
            app,
            rng: SeededRng::new(8),
            now: START,
            _folder: folder,
        }
    }

    fn call(&mut self, request: &Request<Bytes>, may_block: bool) -> Option<Response<Bytes>> {
        answer(&self.app, self.now, &mut self.rng, request, may_block)
    }

    fn send(&mut self, method: &str, path: &str, credential: &str, body: &Value) -> (u16, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        if !credential.is_empty() {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        let response = self.call(&request, true).expect("it may block");
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice(response.body()).unwrap_or(Value::Null),
        )
    }

    fn sign_up(&mut self) -> String {
        let account =
            json!({ "email": "a@example.com", "password": "correct horse", "tenantName": "A" });
        assert_eq!(self.send("POST", "/api/auth/register", "", &account).0, 201);
        let (status, tokens) = self.send("POST", "/api/auth/login", "", &account);
        assert_eq!(status, 200, "{tokens}");
        tokens["accessToken"].as_str().unwrap().to_owned()
    }

    fn make_key(&mut self, token: &str, fields: &Value) -> (String, String) {
        let (status, made) = self.send("POST", "/api/v1/api-keys", token, fields);
        assert_eq!(status, 201, "{made}");
        (
            made["id"].as_str().unwrap().to_owned(),
            made["key"].as_str().unwrap().to_owned(),
        )
    }

    fn execute(&self, sql: &'static str) {
        let written = self
            .app
            .services()
            .store
            .write(move |tx| tx.execute(sql, &[]));
        assert_eq!(written, Ok::<usize, crate::store::StoreError>(1));
    }
}

/// What the app answers; `None` for a miss.
fn answer(
    app: &App,
    now: UnixMillis,
    rng: &mut SeededRng,
    request: &Request<Bytes>,
    may_block: bool,
) -> Option<Response<Bytes>> {
    let (head, body) = request.clone().into_parts();
    let peer = IpAddr::from([203, 0, 113, 9]);
    let call = Call {
        now,
        rng,
        peer,
        may_block,
    };
    match app.handle(call, &head, &body) {
        Outcome::Reply(response) => Some(response),
        Outcome::Miss => None,
    }
}

/// The status of one request with a key, answered where the app may block.
fn status(app: &App, seed: u64, method: &str, path: &str, key: &str, body: &Value) -> u16 {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let response = answer(app, START, &mut SeededRng::new(seed), &request, true);
    response.expect("it may block").status().as_u16()
}

fn authorize(key: &str) -> Request<Bytes> {
    Request::builder()
        .uri("/api/authorize?scope=signals")
        .header("x-api-key", key)
        .body(Bytes::new())
        .unwrap()
}

#[test]
fn an_access_token_lasts_thirty_minutes_to_the_second() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    for (seconds, status) in [(0, 200), (1799, 200), (1800, 401), (86_400, 401)] {
        fixture.now = START.plus_seconds(seconds);
        let (answered, _) = fixture.send("GET", "/api/auth/me", &token, &Value::Null);
        assert_eq!(answered, status, "after {seconds} s");
    }
}

#[test]
fn memory_answers_what_it_knows_and_misses_the_rest() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (id, key) = fixture.make_key(&token, &json!({ "name": "k", "scopes": ["signals"] }));
    let request = authorize(&key);
    assert!(fixture.call(&request, false).is_none(), "memory is cold");
    assert_eq!(fixture.call(&request, true).unwrap().status(), 200);
    assert_eq!(
        fixture.call(&request, false).unwrap().status(),
        200,
        "now it is warm"
    );
    let (deleted, _) = fixture.send(
        "DELETE",
        &format!("/api/v1/api-keys/{id}"),
        &token,
        &Value::Null,
    );
    assert_eq!(deleted, 200);
    assert!(
        fixture.call(&request, false).is_none(),
        "memory has forgotten it"
    );
    assert_eq!(fixture.call(&request, true).unwrap().status(), 401);
}

#[test]
fn a_key_expires_in_memory_as_in_the_store() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let fields = json!({ "name": "k", "scopes": ["signals"], "expiresAt": START.plus_seconds(60).to_rfc3339() });
    let (_, key) = fixture.make_key(&token, &fields);
    let request = authorize(&key);
    assert_eq!(fixture.call(&request, true).unwrap().status(), 200);
    fixture.now = UnixMillis::from_ms(START.plus_seconds(60).ms() - 1);
    assert_eq!(fixture.call(&request, false).unwrap().status(), 200);
    fixture.now = START.plus_seconds(60);
    assert_eq!(fixture.call(&request, false).unwrap().status(), 401);
    assert_eq!(fixture.call(&request, true).unwrap().status(), 401);
}

#[test]
fn whoever_is_disabled_has_no_credential_left() {
    for sql in [
        "UPDATE users SET state = 'disabled'",
        "UPDATE tenants SET state = 'disabled'",
    ] {
        let mut fixture = Fixture::new();
        let token = fixture.sign_up();
        let (_, key) = fixture.make_key(&token, &json!({ "name": "k", "scopes": ["full_access"] }));
        fixture.execute(sql);
        assert_eq!(
            fixture.send("GET", "/api/auth/me", &token, &Value::Null).0,
            401,
            "{sql}"
        );
        assert_eq!(
            fixture.send("GET", "/api/auth/me", &key, &Value::Null).0,
            401,
            "{sql}"
        );
        assert_eq!(
            fixture.call(&authorize(&key), true).unwrap().status(),
            401,
            "{sql}"
        );
        let login = json!({ "email": "a@example.com", "password": "correct horse" });
        assert_eq!(
            fixture.send("POST", "/api/auth/login", "", &login).0,
            401,
            "{sql}"
        );
    }
}

#[test]
fn an_access_token_falls_with_its_session_and_with_its_version() {
    for sql in [
        "DELETE FROM sessions",
        "UPDATE users SET session_version = 2",
    ] {
        let mut fixture = Fixture::new();
        let token = fixture.sign_up();
        fixture.execute(sql);
        assert_eq!(
            fixture.send("GET", "/api/auth/me", &token, &Value::Null).0,
            401,
            "{sql}"
        );
    }
}

#[test]
fn a_member_manages_its_own_keys_and_no_others() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (id, _) = fixture.make_key(
        &token,
        &json!({ "name": "the owner's", "scopes": ["signals"] }),
    );
    // Teams do not exist yet on the wire: a second user is put beside the first, who becomes a member.
    fixture.execute(
        "INSERT INTO users (id, tenant_id, role, state, session_version, created_at_ms)
         SELECT 'other', tenant_id, 'owner', 'active', 1, 0 FROM users",
    );
    fixture.execute("UPDATE api_keys SET user_id = 'other'");
    fixture.execute("UPDATE users SET role = 'member' WHERE id <> 'other'");
    let (own, _) = fixture.make_key(
        &token,
        &json!({ "name": "the member's", "scopes": ["signals"] }),
    );
    let (_, listed) = fixture.send("GET", "/api/v1/api-keys", &token, &Value::Null);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let delete = |id: &str| format!("/api/v1/api-keys/{id}");
    assert_eq!(
        fixture.send("DELETE", &delete(&id), &token, &Value::Null).0,
        404
    );
    assert_eq!(
        fixture
            .send("DELETE", &delete(&own), &token, &Value::Null)
            .0,
        200
    );
    fixture.execute("UPDATE users SET role = 'admin' WHERE id <> 'other'");
    assert_eq!(
        fixture.send("DELETE", &delete(&id), &token, &Value::Null).0,
        200
    );
}

#[test]
fn an_admin_learns_no_owners_key_and_an_owner_every_members() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (owners, _) = fixture.make_key(&token, &json!({ "name": "k", "scopes": ["signals"] }));
    // The caller becomes an admin, and the key belongs to an owner.
    fixture.execute(
        "INSERT INTO users (id, tenant_id, role, state, session_version, created_at_ms)
         SELECT 'other', tenant_id, 'owner', 'active', 1, 0 FROM users",
    );
    fixture.execute("UPDATE api_keys SET user_id = 'other'");
    let (rotate, path) = (
        format!("/api/v1/api-keys/{owners}/rotate"),
        format!("/api/v1/api-keys/{owners}"),
    );
    let wider = json!({ "scopes": ["full_access"] });
    for (roles, status) in [
        (["admin", "owner"], 403),
        (["admin", "admin"], 200),
        (["admin", "member"], 200),
        (["owner", "owner"], 200),
    ] {
        for (user, role) in [("id <> 'other'", roles[0]), ("id = 'other'", roles[1])] {
            let sql = format!("UPDATE users SET role = '{role}' WHERE {user}");
            fixture.execute(Box::leak(sql.into_boxed_str()));
        }
        let answered = [
            fixture.send("POST", &rotate, &token, &json!({})).0,
            fixture.send("PATCH", &path, &token, &wider).0,
        ];
        assert_eq!(answered, [status, status], "{roles:?}");
        assert_eq!(fixture.send("GET", &path, &token, &Value::Null).0, 200);
    }
    fixture.execute("UPDATE users SET role = 'owner' WHERE id = 'other'");
    fixture.execute("UPDATE users SET role = 'admin' WHERE id <> 'other'");
    assert_eq!(fixture.send("DELETE", &path, &token, &Value::Null).0, 200);
}

#[test]
fn a_member_of_an_agent_account_neither_sees_nor_changes_it() {
    let mut fixture = Fixture::new();
    let (status, made) = fixture.send(
        "POST",
        "/v1/account/register",
        "",
        &json!({ "name": "Agent" }),
    );
    assert_eq!(status, 201, "{made}");
    let key = made["api_key"].as_str().unwrap().to_owned();
    let requests = [
        ("GET", "/v1/account/info"),
        ("PUT", "/v1/account/info"),
        ("POST", "/v1/account/rotate-secret"),
    ];
    for (role, status) in [("member", 403), ("admin", 200)] {
        let sql = format!("UPDATE users SET role = '{role}'");
        fixture.execute(Box::leak(sql.into_boxed_str()));
        let user = made_user(&fixture);
        let weakened = crate::domain::key_cache::Weakened::User(user);
        fixture.app.services().cache.forget(&weakened);
        for (method, path) in requests {
            assert_eq!(
                fixture.send(method, path, &key, &json!({})).0,
                status,
                "{role} {method} {path}"
            );
        }
    }
}

/// The only user there is.
fn made_user(fixture: &Fixture) -> String {
    let store = &fixture.app.services().store;
    let found = store.read(|tx| tx.one("SELECT id FROM users", &[], |row| row.text(0)));
    found.unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"))
}

#[test]
fn collected_uses_reach_the_store() {
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (_, key) = fixture.make_key(&token, &json!({ "name": "k", "scopes": ["signals"] }));
    assert_eq!(fixture.call(&authorize(&key), true).unwrap().status(), 200);
    fixture.now = START.plus_seconds(9);
    assert_eq!(fixture.call(&authorize(&key), false).unwrap().status(), 200);
    let stored = |fixture: &Fixture| {
        let sql = "SELECT last_used_at_ms FROM api_keys";
        let store = &fixture.app.services().store;
        store.read(|tx| tx.one(sql, &[], |row| row.optional_int(0)))
    };
    assert_eq!(
        stored(&fixture),
        Ok::<_, crate::store::StoreError>(None),
        "a check writes nothing"
    );
    crate::job::tick(fixture.app.services(), fixture.now);
    assert_eq!(stored(&fixture), Ok(Some(START.plus_seconds(9).ms())));
    assert_eq!(crate::job::TICK_S, 5, "what the README promises");
}

#[test]
fn what_was_on_its_way_when_its_key_died_leaves_nothing_behind() {
    for round in 0..10 {
        let mut fixture = Fixture::new();
        let token = fixture.sign_up();
        let full = json!({ "name": "k", "scopes": ["full_access"] });
        let (id, key) = fixture.make_key(&token, &full);
        let app = &fixture.app;
        std::thread::scope(|scope| {
            for thread in 1..=4_u64 {
                let (key, full) = (&key, &full);
                scope.spawn(move || {
                    let mut seed = (round * 10 + thread) * 1_000_000;
                    while status(app, seed, "POST", "/api/v1/api-keys", key, full) == 201 {
                        seed += 1;
                    }
                });
            }
            let path = format!("/api/v1/api-keys/{id}");
            assert_eq!(status(app, 1, "DELETE", &path, &token, &Value::Null), 200);
        });
        let planted = app.services().store.read(|tx| {
            tx.one(
                "SELECT count(*) FROM audit_events WHERE act = 'key.created' AND actor_id = ?1
                 AND seq > (SELECT seq FROM audit_events WHERE act = 'key.deleted')",
                &[(&id).into()],
                |row| row.int(0),
            )
        });
        assert_eq!(planted, Ok::<i64, crate::store::StoreError>(0));
    }
}

#[test]
fn two_operator_keys_cannot_delete_each_other() {
    let fixture = Fixture::new();
    let (app, mut rng) = (&fixture.app, SeededRng::new(3));
    let mut make = || {
        let new = crate::domain::operators::NewOperatorKey::new(START, &mut rng);
        let (row, digest) = (new.row, new.plain.digest());
        let origin = Origin {
            principal: Principal::Machine,
            address: None,
        };
        let id = row.id.clone();
        let made = app
            .services()
            .store
            .write(move |tx| crate::domain::operators::create(tx, START, &origin, &row, &digest));
        assert!(made.is_ok());
        (id, new.plain)
    };
    let (first, second) = (make(), make());
    let delete = |id: &str, key: &nexa_core::PlainKey| {
        let path = format!("/api/operator/keys/{id}");
        status(app, 4, "DELETE", &path, key.expose(), &Value::Null)
    };
    std::thread::scope(|scope| {
        let one = scope.spawn(|| delete(&second.0, &first.1));
        let other = scope.spawn(|| delete(&first.0, &second.1));
        let mut statuses = [one.join().unwrap(), other.join().unwrap()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    });
    let left = app
        .services()
        .store
        .read(crate::domain::operators::list)
        .unwrap();
    assert_eq!(left.len(), 1);
}

/// An agent's key and secret, and a token of theirs.
fn agent(fixture: &mut Fixture) -> (Value, String) {
    let (status, agent) = fixture.send(
        "POST",
        "/v1/account/register",
        "",
        &json!({ "name": "Agent" }),
    );
    assert_eq!(status, 201, "{agent}");
    let token = agent_token(fixture, &agent);
    (agent, token)
}

fn agent_token(fixture: &mut Fixture, agent: &Value) -> String {
    let grant = json!({
        "grant_type": "client_credentials", "client_id": agent["api_key"], "client_secret": agent["api_secret"],
    });
    let (status, granted) = fixture.send("POST", "/v1/account/token", "", &grant);
    assert_eq!(status, 200, "{granted}");
    granted["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_trial_is_over_on_its_day_before_and_after_the_ledger_says_so() {
    const DAY_S: i64 = 86_400;
    let mut fixture = Fixture::new();
    let (agent, _) = agent(&mut fixture);
    let key = agent["api_key"].as_str().unwrap();
    let trial = |fixture: &mut Fixture, at_s: i64| {
        fixture.now = START.plus_seconds(at_s);
        let (status, info) = fixture.send("GET", "/v1/account/info", key, &Value::Null);
        assert_eq!(status, 200, "{info}");
        info["trial"].clone()
    };
    assert_eq!(trial(&mut fixture, 7 * DAY_S - 1), agent["trial"]);
    assert_eq!(trial(&mut fixture, 7 * DAY_S), Value::Null);
    crate::job::tick(fixture.app.services(), fixture.now);
    assert_eq!(trial(&mut fixture, 7 * DAY_S), Value::Null);
    let newest = fixture.app.services().store.read(|tx| {
        tx.one(
            "SELECT monthly_after_mc, cause FROM credit_entries ORDER BY at_ms DESC, seq DESC LIMIT 1",
            &[],
            |row| Ok((row.int(0)?, row.text(1)?)),
        )
    });
    assert_eq!(
        newest,
        Ok::<_, crate::store::StoreError>((0, "expiry".to_owned()))
    );
}

#[test]
fn an_agents_token_dies_with_its_time_its_user_and_its_tenant() {
    let mut fixture = Fixture::new();
    let (agent, token) = agent(&mut fixture);
    let info = |fixture: &mut Fixture, token: &str| {
        fixture
            .send("GET", "/v1/account/info", token, &Value::Null)
            .0
    };
    assert_eq!(info(&mut fixture, &token), 200);
    fixture.now = START.plus_seconds(1799);
    assert_eq!(info(&mut fixture, &token), 200);
    fixture.now = START.plus_seconds(1800);
    assert_eq!(info(&mut fixture, &token), 401);
    for (end, back) in [
        (
            "UPDATE users SET state = 'disabled'",
            "UPDATE users SET state = 'active'",
        ),
        (
            "UPDATE tenants SET state = 'disabled'",
            "UPDATE tenants SET state = 'active'",
        ),
    ] {
        let token = agent_token(&mut fixture, &agent);
        assert_eq!(info(&mut fixture, &token), 200, "{end}");
        fixture.execute(end);
        assert_eq!(info(&mut fixture, &token), 401, "{end}");
        fixture.execute(back);
    }
}

/// A key whose value changes while others check it.
struct RacedKey {
    value: String,
    previous: Option<String>,
    begun: u64,
    answered: u64,
    is_over: bool,
}

/// The scaled-down form of the bench `revocation`: the same race without sockets.
#[test]
fn no_check_passes_that_begins_after_the_old_value_has_ended() {
    const KEYS: u64 = 4;
    const CHANGES: u64 = 500;
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let new_key = json!({ "name": "k", "scopes": ["signals"] });
    let keys: Vec<(String, std::sync::Mutex<RacedKey>)> = (0..KEYS)
        .map(|_| {
            let (id, value) = fixture.make_key(&token, &new_key);
            let key = RacedKey {
                value,
                previous: None,
                begun: 0,
                answered: 0,
                is_over: false,
            };
            (id, std::sync::Mutex::new(key))
        })
        .collect();
    let app = &fixture.app;
    let beside = std::thread::scope(|scope| {
        let mut checkers = Vec::new();
        for (lane, (id, key)) in keys.iter().enumerate() {
            let lane = lane as u64 + 1;
            let token = &token;
            scope.spawn(move || change_again_and_again(app, lane, token, id, key, CHANGES));
            let seed = lane * 1_000_000_000;
            checkers.push(scope.spawn(move || check_again_and_again(app, seed, key)));
        }
        let beside = checkers.into_iter().map(|checker| checker.join().unwrap());
        beside.sum::<u64>()
    });
    assert!(beside > 0, "no check ran beside a change");
}

/// Rotates a key, or disables and enables it, many times over.
fn change_again_and_again(
    app: &App,
    lane: u64,
    token: &str,
    id: &str,
    key: &std::sync::Mutex<RacedKey>,
    changes: u64,
) {
    for change in 0..changes {
        let seed = lane * 1_000_000 + change;
        let send = |method: &str, path: &str, body: &Value| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", "application/json")
                .header("authorization", format!("Bearer {token}"))
                .body(Bytes::from(body.to_string()))
                .unwrap();
            let mut rng = SeededRng::new(seed);
            let response = answer(app, START, &mut rng, &request, true).unwrap();
            assert_eq!(response.status(), 200, "{method} {path}");
            serde_json::from_slice::<Value>(response.body()).unwrap()
        };
        let old = {
            let mut key = key.lock().unwrap();
            key.begun += 1;
            key.value.clone()
        };
        if change % 4 == 3 {
            let path = format!("/api/v1/api-keys/{id}");
            send("PATCH", &path, &json!({ "enabled": false }));
            assert_eq!(checked(app, seed, &old), 401, "it is disabled");
            send("PATCH", &path, &json!({ "enabled": true }));
            assert_eq!(checked(app, seed, &old), 200, "it is enabled again");
            key.lock().unwrap().answered += 1;
        } else {
            let path = format!("/api/v1/api-keys/{id}/rotate");
            let new = send("POST", &path, &json!({}))["key"]
                .as_str()
                .unwrap()
                .to_owned();
            assert_eq!(checked(app, seed, &old), 401, "it is replaced");
            let mut key = key.lock().unwrap();
            key.value = new;
            key.previous = Some(old);
            key.answered += 1;
        }
    }
    key.lock().unwrap().is_over = true;
}

/// Checks a key's values until nobody changes them any more; answers how many checks ran beside a change.
fn check_again_and_again(app: &App, mut seed: u64, key: &std::sync::Mutex<RacedKey>) -> u64 {
    let mut beside = 0;
    loop {
        let (value, previous, settled) = {
            let key = key.lock().unwrap();
            if key.is_over {
                return beside;
            }
            let settled = (key.begun == key.answered).then_some(key.begun);
            (key.value.clone(), key.previous.clone(), settled)
        };
        seed += 1;
        if let Some(previous) = previous {
            assert_eq!(checked(app, seed, &previous), 401, "it ended long ago");
        }
        let status = checked(app, seed, &value);
        if settled == Some(key.lock().unwrap().begun) {
            assert_eq!(status, 200, "it was in force all the time");
        } else {
            assert!(matches!(status, 200 | 401), "{status}");
            beside += 1;
        }
    }
}

/// Asks for a key as the shell does: of memory first.
fn checked(app: &App, seed: u64, key: &str) -> u16 {
    let request = authorize(key);
    let mut rng = SeededRng::new(seed);
    let answered = answer(app, START, &mut rng, &request, false)
        .or_else(|| answer(app, START, &mut rng, &request, true));
    answered.expect("it may block").status().as_u16()
}

#[test]
fn an_older_window_never_takes_the_place_of_a_newer_one() {
    use crate::store::api_keys::{self, StoredWindow, Use};
    let mut fixture = Fixture::new();
    let token = fixture.sign_up();
    let (id, _) = fixture.make_key(&token, &json!({ "name": "k", "scopes": ["signals"] }));
    let store = &fixture.app.services().store;
    let at = |ms| Some(UnixMillis::from_ms(ms));
    for (started_at, count, expected) in [
        (at(1_000), 2, (1_000, 2)),
        (at(1_000), 5, (1_000, 5)),
        (at(1_000), 3, (1_000, 5)),
        (None, 0, (1_000, 5)),
        (at(9_000), 1, (9_000, 1)),
        (at(1_000), 7, (9_000, 1)),
    ] {
        let collected = Use {
            key_id: id.clone(),
            last_used_at: START,
            uses: 1,
            window: StoredWindow { started_at, count },
        };
        let written = store.write(move |tx| api_keys::record_use(tx, &collected));
        assert_eq!(written, Ok::<(), crate::store::StoreError>(()));
        let stored = store.read(|tx| {
            tx.one(
                "SELECT window_started_at_ms, window_count FROM api_keys WHERE id = ?1",
                &[(&id).into()],
                |row| Ok((row.int(0)?, row.int(1)?)),
            )
        });
        assert_eq!(stored, Ok::<_, crate::store::StoreError>(expected));
    }
}
