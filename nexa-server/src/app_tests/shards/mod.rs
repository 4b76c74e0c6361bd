//! Status shards: what they say is what was answered, whoever asked at once, and every delta leads to the same bytes.

mod lists;
mod operator;
mod places;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Request;
use hyper::body::Bytes;
use nexa_core::{KeySet, StatusShard};
use serde_json::{Value, json};

use super::{Fixture, START, status};
use crate::job;
use crate::testing::SeededRng;

const ISSUER: &str = "https://auth.example.com";
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// A licence: its id, and its position in shard 0.
struct Placed {
    jti: String,
    position: u16,
}

impl Fixture {
    /// Lasts longer than an access token.
    fn owners_key(&mut self) -> String {
        let token = self.sign_up();
        self.make_key(&token, &json!({ "name": "k", "scopes": ["full_access"] }))
            .1
    }

    fn issue(&mut self, token: &str, device: usize) -> Placed {
        let body = json!({
            "appId": "agentyk-engine",
            "device": { "fingerprint": format!("device-{device}"), "platform": "linux" },
        });
        let (code, issued) = self.send("POST", "/api/licenses/issue", token, &body);
        assert_eq!(code, 201, "{issued}");
        let claims = claims(issued["license"].as_str().unwrap());
        let list = &claims["status"]["status_list"];
        assert_eq!(list["uri"], format!("{ISSUER}/api/licenses/status/0"));
        Placed {
            jti: claims["jti"].as_str().unwrap().to_owned(),
            position: u16::try_from(list["idx"].as_u64().unwrap()).unwrap(),
        }
    }

    fn revoke(&mut self, token: &str, placed: &Placed) {
        let path = format!("/api/licenses/{}/revoke", placed.jti);
        assert_eq!(self.send("POST", &path, token, &json!({})).0, 200);
    }

    fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> hyper::Response<Bytes> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::new()).unwrap();
        self.call(&request, true).unwrap()
    }

    fn shard(&mut self, query: &str) -> Bytes {
        let answer = self.get(&format!("/api/licenses/status/0/shard{query}"), &[]);
        assert_eq!(answer.status(), 200);
        answer.into_body()
    }

    fn status_keys(&self) -> KeySet {
        let services = self.app.services();
        let key = services.store.read(|tx| services.status.key(tx)).unwrap();
        KeySet::from_keys(&[key.verification_key()]).unwrap()
    }

    /// Seq, time and positions of what is served.
    fn opened(&mut self) -> (u64, u64, BTreeSet<u16>) {
        let (bytes, keys) = (self.shard(""), self.status_keys());
        let shard = StatusShard::open(&bytes, &keys, ISSUER).unwrap();
        (
            shard.seq(),
            shard.this_update().get(),
            shard.positions().collect(),
        )
    }

    fn run_errands(&self) {
        job::errands::go_on(self.app.services(), self.now);
    }
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&decoded(token.split('.').nth(1).unwrap())).unwrap()
}

fn decoded(segment: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(segment).unwrap()
}

#[test]
fn a_revocation_is_in_its_shard_when_it_is_answered_and_in_no_other() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let first = fixture.issue(&token, 1);
    let second = fixture.issue(&token, 2);
    assert_ne!(first.position, second.position);
    let (seq, _, revoked) = fixture.opened();
    assert_eq!((seq, revoked.len()), (START.unsigned_ms(), 0));

    fixture.revoke(&token, &first);
    let (after, _, revoked) = fixture.opened();
    assert!(after > seq, "also within one second");
    assert_eq!(revoked, BTreeSet::from([first.position]));
    fixture.revoke(&token, &first);
    assert_eq!(fixture.opened().0, after, "revoking again changes nothing");

    for path in ["/api/licenses/status/1", "/api/licenses/status/1/shard"] {
        assert_eq!(fixture.get(path, &[]).status(), 404);
    }
    for path in ["/api/licenses/status/x", "/api/licenses/status/-1/shard"] {
        assert_eq!(fixture.get(path, &[]).status(), 400);
    }
}

#[test]
fn an_unchanged_shard_is_not_sent_again() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed = fixture.issue(&token, 1);
    for path in ["/api/licenses/status/0", "/api/licenses/status/0/shard"] {
        let answer = fixture.get(path, &[]);
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let again = fixture.get(path, &[("if-none-match", &tag)]);
        assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
        assert_eq!(again.headers()["etag"], tag.as_str());
    }
    let tag = fixture.get("/api/licenses/status/0/shard", &[]).headers()["etag"].clone();
    fixture.revoke(&token, &placed);
    let tag = tag.to_str().unwrap();
    let answer = fixture.get("/api/licenses/status/0/shard", &[("if-none-match", tag)]);
    assert_eq!(answer.status(), 200);

    // No longer than until a newer one is promised.
    fixture.now = START.plus_seconds(2 * HOUR_S - 20);
    let answer = fixture.get("/api/licenses/status/0/shard", &[]);
    assert_eq!(answer.headers()["cache-control"], "public, max-age=20");
}

/// Random revocations, refreshes and ends of licences; a client that follows by deltas has what everybody is served.
#[test]
fn every_delta_of_every_history_leads_to_the_shard_that_is_served() {
    for seed in 0..6_u64 {
        let mut fixture = Fixture::new();
        let token = fixture.owners_key();
        let mut rng = SeededRng::new(seed);
        let mut draw = |below: u32| rand_core::Rng::next_u32(&mut rng) % below;
        let mut live: Vec<Placed> = (0..60).map(|n| fixture.issue(&token, n)).collect();
        let mut expected: BTreeSet<u16> = BTreeSet::new();
        let keys = fixture.status_keys();
        let mut versions: Vec<(u64, Bytes)> = Vec::new();
        for step in 0..40 {
            fixture.now = fixture.now.plus_seconds(i64::from(draw(3)));
            match draw(3) {
                0 | 1 if !live.is_empty() => {
                    let placed =
                        live.swap_remove(draw(u32::try_from(live.len()).unwrap()) as usize);
                    fixture.revoke(&token, &placed);
                    expected.insert(placed.position);
                }
                _ => {
                    fixture.now = fixture.now.plus_seconds(HOUR_S);
                    fixture.run_errands();
                }
            }
            let served = fixture.shard("");
            let now = StatusShard::open(&served, &keys, ISSUER).unwrap();
            assert_eq!(
                now.positions().collect::<BTreeSet<_>>(),
                expected,
                "seed {seed}, step {step}"
            );
            if versions.last().is_none_or(|(seq, _)| *seq < now.seq()) {
                versions.push((now.seq(), served.clone()));
            }
            let (seq, old) = &versions[draw(u32::try_from(versions.len()).unwrap()) as usize];
            let answer = fixture.shard(&format!("?since={seq}"));
            let old = StatusShard::open(old, &keys, ISSUER).unwrap();
            let mut out = [0; StatusShard::MAX_BYTES];
            if answer.starts_with(b"NXD1") {
                let rebuilt = old.apply(&answer, &keys, ISSUER, &mut out).unwrap();
                assert_eq!(rebuilt.as_bytes(), served);
                assert!(answer.len() < served.len());
            } else {
                assert_eq!(answer, served);
            }
        }
        // What nobody can have, and what is too new.
        for since in ["0", "1", "99999999999", "18446744073709551615"] {
            assert_eq!(fixture.shard(&format!("?since={since}")), fixture.shard(""));
        }
    }
}

#[test]
fn sixty_four_at_once_revoke_and_the_shard_and_the_list_agree() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed: Vec<Placed> = (0..64).map(|n| fixture.issue(&token, n)).collect();
    let seq = fixture.opened().0;
    std::thread::scope(|scope| {
        for (n, placed) in (0_u64..).zip(&placed) {
            let (app, token) = (&fixture.app, &token);
            scope.spawn(move || {
                let path = format!("/api/licenses/{}/revoke", placed.jti);
                assert_eq!(status(app, 100 + n, "POST", &path, token, &json!({})), 200);
            });
        }
    });
    let (after, _, revoked) = fixture.opened();
    assert_eq!(
        revoked,
        placed.iter().map(|placed| placed.position).collect()
    );
    assert_eq!(after, seq + 64, "each has a version of its own");
    let (_, list) = fixture.send("GET", "/api/licenses/revocations", "", &Value::Null);
    let list: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["jti"].clone())
        .collect();
    assert_eq!(list.len(), 64);
    assert!(
        placed
            .iter()
            .all(|placed| list.contains(&json!(placed.jti)))
    );
}

#[test]
fn all_licences_of_a_disabled_tenant_are_in_their_shard() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed: Vec<Placed> = (0..5).map(|n| fixture.issue(&token, n)).collect();
    let (_, me) = fixture.send("GET", "/api/auth/me", &token, &Value::Null);
    let path = format!(
        "/api/operator/tenants/{}",
        me["tenant"]["id"].as_str().unwrap()
    );
    let operator = fixture.operator_key();
    let seq = fixture.opened().0;
    let (code, answer) = fixture.send("PATCH", &path, &operator, &json!({ "enabled": false }));
    assert_eq!(code, 200, "{answer}");
    let (after, _, revoked) = fixture.opened();
    assert_eq!(
        revoked,
        placed.iter().map(|placed| placed.position).collect()
    );
    assert_eq!(after, seq + 1, "once for all of them");
}

#[test]
fn a_shard_is_signed_anew_by_the_clock_and_never_goes_back() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed = fixture.issue(&token, 1);
    let (seq, this_update, _) = fixture.opened();
    fixture.now = START.plus_seconds(HOUR_S - 1);
    fixture.run_errands();
    assert_eq!(fixture.opened().0, seq, "it is not due");
    fixture.now = START.plus_seconds(HOUR_S);
    fixture.run_errands();
    let (after, later, _) = fixture.opened();
    assert_eq!((after - seq, later - this_update), (3_600_000, 3_600));

    // A clock that was wrong for a while.
    fixture.now = START.plus_seconds(-5 * DAY_S);
    fixture.run_errands();
    fixture.revoke(&token, &placed);
    let (last, still, _) = fixture.opened();
    assert_eq!((last, still), (after + 1, later));
}
