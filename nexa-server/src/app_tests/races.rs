//! Two things at once: what has ended leaves nothing behind, and no check passes after it.

use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Fixture, START, answer, authorize, status};
use crate::app::App;
use crate::domain::audit::Origin;
use crate::domain::principal::Principal;
use crate::testing::SeededRng;

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
