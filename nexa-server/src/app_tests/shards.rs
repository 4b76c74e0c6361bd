//! Status shards: what they say is what was answered, whoever asked at once, and every delta leads to the same bytes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Request;
use hyper::body::Bytes;
use nexa_core::{KeySet, Refusal, RevocationFeed, RevocationStatus, Revocations, StatusShard};
use serde_json::{Value, json};

use super::{Fixture, START, status};
use crate::job;
use crate::store::{MIGRATIONS, Store, backup};
use crate::testing::{self, SeededRng};
use crate::time::UnixMillis;

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
        self.app.services().issuing.status.keys().unwrap()
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
    assert_eq!((seq, revoked.len()), (START.seconds().get(), 0));

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
    assert_eq!((after - seq, later - this_update), (3_600, 3_600));

    // A clock that was wrong for a while.
    fixture.now = START.plus_seconds(-5 * DAY_S);
    fixture.run_errands();
    fixture.revoke(&token, &placed);
    let (last, still, _) = fixture.opened();
    assert_eq!((last, still), (after + 1, later));
}

#[test]
fn another_status_key_signs_everything_anew() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed = fixture.issue(&token, 1);
    let (old_bytes, old_keys) = (fixture.shard(""), fixture.status_keys());
    let seq = StatusShard::open(&old_bytes, &old_keys, ISSUER)
        .unwrap()
        .seq();
    let signer = &fixture.app.services().issuing.status;
    signer.replace_key(nexa_core::SigningKey::generate(&mut SeededRng::new(77)));
    assert_eq!(
        fixture.shard(&format!("?since={seq}")),
        old_bytes,
        "until then no delta either"
    );
    fixture.run_errands();
    let (after, _, _) = fixture.opened();
    assert_eq!(after, seq + 1);
    fixture.revoke(&token, &placed);
    assert_eq!(fixture.opened().2.len(), 1);
}

/// A place is free again when nobody can ask for it any more: not before its licence is over.
#[test]
fn a_place_is_not_given_to_another_before_its_licence_is_over() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let (revoked, kept) = (fixture.issue(&token, 1), fixture.issue(&token, 2));
    fixture.revoke(&token, &revoked);
    let count = |fixture: &Fixture| {
        let store = &fixture.app.services().store;
        let counted = store.read(|tx| {
            tx.one(
                "SELECT taken, (SELECT count(*) FROM licenses WHERE status_shard = 0) FROM status_shards",
                &[],
                |row| Ok((row.int(0)?, row.int(1)?)),
            )
        });
        counted.unwrap_or_else(|error: crate::store::StoreError| panic!("{error}"))
    };
    fixture.now = UnixMillis::from_ms(START.plus_seconds(30 * DAY_S).ms() - 1);
    fixture.run_errands();
    assert_eq!(count(&fixture), (2, 2));
    assert_eq!(fixture.opened().2, BTreeSet::from([revoked.position]));
    let seq = fixture.opened().0;
    fixture.now = START.plus_seconds(30 * DAY_S);
    fixture.run_errands();
    assert_eq!(count(&fixture), (0, 0));
    assert_eq!(fixture.opened().2, BTreeSet::new());

    // Whoever was away gets the removal as a delta.
    let answer = fixture.shard(&format!("?since={seq}"));
    assert!(answer.starts_with(b"NXD1") || answer.len() <= 109 + 16);
    assert_ne!(kept.position, revoked.position);
}

/// Chance alone decides: the first licences of a server are spread over all positions.
#[test]
fn positions_tell_nothing_of_order_and_count() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let positions: Vec<u16> = (0..400)
        .map(|n| fixture.issue(&token, n).position)
        .collect();
    let distinct: BTreeSet<u16> = positions.iter().copied().collect();
    assert_eq!(distinct.len(), 400);
    let in_each_quarter: Vec<usize> = (0..4)
        .map(|quarter| positions.iter().filter(|p| **p / 16_384 == quarter).count())
        .collect();
    assert!(
        in_each_quarter
            .iter()
            .all(|count| (55..=150).contains(count)),
        "{in_each_quarter:?}"
    );
    let rising = positions
        .windows(2)
        .filter(|pair| pair[0] < pair[1])
        .count();
    assert!((150..=250).contains(&rising), "{rising}");
}

#[test]
fn the_signed_list_says_what_the_plain_one_does() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let (first, second) = (fixture.issue(&token, 1), fixture.issue(&token, 2));
    let third = fixture.issue(&token, 3);
    fixture.revoke(&token, &first);
    fixture.now = START.plus_seconds(9);
    fixture.revoke(&token, &second);
    let signed = [("accept", "application/revocations+jwt")];
    let answer = fixture.get("/api/licenses/revocations", &signed);
    assert_eq!(
        answer.headers()["content-type"],
        "application/revocations+jwt"
    );
    assert_eq!(answer.headers()["vary"], "accept");
    let keys = fixture.status_keys();
    let mut buffer = vec![0; answer.body().len()];
    let feed = RevocationFeed::open(answer.body(), &keys, ISSUER, &mut buffer).unwrap();
    assert_eq!(feed.len(), 2);
    for (placed, is_revoked) in [(&first, true), (&second, true), (&third, false)] {
        let found = feed.lookup(&placed.jti, None);
        assert_eq!(
            matches!(found, RevocationStatus::Revoked { .. }),
            is_revoked
        );
    }
    // A part of it is no list to look up in.
    let since = START.plus_seconds(5).to_rfc3339();
    let part = fixture.get(&format!("/api/licenses/revocations?since={since}"), &signed);
    let list = &claims(std::str::from_utf8(part.body()).unwrap())["revocations"];
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["jti"], second.jti);
    let mut buffer = vec![0; part.body().len()];
    assert_eq!(
        RevocationFeed::open(part.body(), &keys, ISSUER, &mut buffer).err(),
        Some(nexa_core::SignedFeedError::Partial)
    );
    // Issuing keys sign no list, and a list is no licence.
    let issuing = &fixture.app.services().issuing.keys;
    let mut buffer = vec![0; answer.body().len()];
    assert_eq!(
        RevocationFeed::open(answer.body(), issuing, ISSUER, &mut buffer).err(),
        Some(nexa_core::SignedFeedError::Refused(Refusal::KidUnknown))
    );
}

/// The standard's token, read by others' code.
#[test]
fn the_status_list_token_is_the_standards() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let placed: Vec<Placed> = (0..20).map(|n| fixture.issue(&token, n)).collect();
    for placed in placed.iter().take(7) {
        fixture.revoke(&token, placed);
    }
    let answer = fixture.get("/api/licenses/status/0", &[]);
    assert_eq!(
        answer.headers()["content-type"],
        "application/statuslist+jwt"
    );
    let token = std::str::from_utf8(answer.body()).unwrap();
    let key = fixture
        .app
        .services()
        .issuing
        .status
        .key()
        .verification_key();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(key.verify(signed.as_bytes(), &decoded(signature)), Ok(()));
    let header: Value = serde_json::from_slice(&decoded(token.split('.').next().unwrap())).unwrap();
    assert_eq!(
        header,
        json!({ "alg": "EdDSA", "typ": "statuslist+jwt", "kid": key.kid() })
    );
    let claims = claims(token);
    assert_eq!(claims["sub"], format!("{ISSUER}/api/licenses/status/0"));
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        2 * 3_600
    );
    assert_eq!(claims["status_list"]["bits"], 1);
    use base64::Engine;
    let packed = claims["status_list"]["lst"].as_str().unwrap();
    let packed = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(packed)
        .unwrap();
    let bits = miniz_oxide::inflate::decompress_to_vec_zlib(&packed).unwrap();
    let found: BTreeSet<u16> = (0..=u16::MAX)
        .filter(|position| bits[usize::from(*position) / 8] >> (position % 8) & 1 == 1)
        .collect();
    assert_eq!(
        found,
        placed
            .iter()
            .take(7)
            .map(|placed| placed.position)
            .collect()
    );
}

/// What was revoked after the backup is lost with it; what is served is newer than what clients have all the same.
#[test]
fn a_restored_backup_goes_on_with_newer_versions() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let (first, second) = (fixture.issue(&token, 1), fixture.issue(&token, 2));
    fixture.revoke(&token, &first);
    let copy = fixture.folder.path().join("copy.sqlite");
    backup(fixture.folder.path(), &copy).unwrap();
    fixture.now = START.plus_seconds(60);
    fixture.revoke(&token, &second);
    let (seen, _, _) = fixture.opened();
    let client = fixture.shard("");

    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(&copy, restored.path().join(crate::store::DATABASE_FILE)).unwrap();
    let store = Store::open(restored.path(), MIGRATIONS).unwrap();
    let (app, _) = testing::app_on(store, |_| {});
    let mut restored = Fixture {
        app,
        now: START.plus_seconds(2 * HOUR_S),
        rng: SeededRng::new(1),
        mailer: std::sync::Arc::clone(&fixture.mailer),
        folder: restored,
    };
    restored.run_errands();
    let (seq, _, revoked) = restored.opened();
    assert!(seq > seen);
    assert_eq!(revoked, BTreeSet::from([first.position]));
    // A delta that leads on from what was lost does not fit, and the client takes the whole shard.
    let keys = restored.status_keys();
    let old = StatusShard::open(&client, &keys, ISSUER).unwrap();
    let answer = restored.shard(&format!("?since={seen}"));
    let mut out = [0; StatusShard::MAX_BYTES];
    if answer.starts_with(b"NXD1") {
        assert!(old.apply(&answer, &keys, ISSUER, &mut out).is_err());
    }
    let whole = restored.shard("");
    assert!(StatusShard::open(&whole, &keys, ISSUER).is_ok());
}
