//! The app without a socket, a runtime or a clock: what time and standing do to credentials.

mod agents;
mod erasure;
mod events;
mod exchange;
mod export;
mod leaks;
mod ledger;
mod licenses;
mod money;
mod people;
mod races;
mod server_keys;
mod sessions;
mod shards;
mod usage;
mod webhooks;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::app::{App, Call, Trail};
use crate::config::Config;
use crate::domain::audit::Origin;
use crate::domain::operators::{self, NewOperatorKey};
use crate::domain::principal::Principal;
use crate::testing::{self, RecordingMailer, SeededRng};
use crate::time::UnixMillis;

const START: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

struct Fixture {
    app: App,
    mailer: Arc<RecordingMailer>,
    rng: SeededRng,
    now: UnixMillis,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// With the configuration as `change` leaves it.
    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (app, folder, mailer) = testing::app_with_mail(change);
        Self {
            app,
            mailer,
            rng: SeededRng::new(8),
            now: START,
            folder,
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
        self.log_in().0
    }

    fn make_key(&mut self, token: &str, fields: &Value) -> (String, String) {
        let (status, made) = self.send("POST", "/api/v1/api-keys", token, fields);
        assert_eq!(status, 201, "{made}");
        (
            made["id"].as_str().unwrap().to_owned(),
            made["key"].as_str().unwrap().to_owned(),
        )
    }

    fn operator_key(&mut self) -> String {
        let new = NewOperatorKey::new(self.now, &mut self.rng);
        let (row, digest, now) = (new.row, new.plain.digest(), self.now);
        let origin = Origin {
            principal: Principal::Machine,
            address: None,
        };
        let store = &self.app.services().store;
        let made = store.write(move |tx| operators::create(tx, now, &origin, &row, &digest));
        made.unwrap();
        new.plain.expose().to_owned()
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
    testing::whole(app.handle(call, &mut Trail::default(), &head, &body))
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
    // As the store has it, without mails: a second user is put beside the first, who becomes a member.
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
