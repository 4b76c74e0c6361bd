//! Keys of the server by the clock: each is known before it signs, verifies to the end of what it signed, and dies at once
//! when it is revoked.

mod histories;
mod mishaps;
mod root_away;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Request;
use hyper::body::Bytes;
use nexa_core::{
    DeviceExpectation, KeySet, KeyUse, LicenseExpectations, Scratch, SignedKeySet, SigningKey,
    StatusShard, check_license,
};
use serde_json::{Value, json};

use super::{Fixture, START};
use crate::config::{Config, Overrides};
use crate::domain::server_keys::Given;
use crate::domain::{Error, server_keys};
use crate::store::key_file::RotatedKeys;
use crate::store::{MIGRATIONS, Store};
use crate::testing::{self, ISSUER, root_key};
use crate::{job, time::UnixMillis};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// A server whose keys are changed.
struct World {
    fixture: Fixture,
    operator: String,
    /// An API key that outlasts sessions.
    key: String,
}

impl World {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let operator = fixture.operator_key();
        let session = fixture.sign_up();
        let whole = json!({ "name": "k", "scopes": ["full_access"] });
        let (_, key) = fixture.make_key(&session, &whole);
        Self {
            fixture,
            operator,
            key,
        }
    }

    fn at(&mut self, seconds: i64) -> &mut Self {
        self.fixture.now = START.plus_seconds(seconds);
        self
    }

    fn tick(&mut self) -> &mut Self {
        job::tick(self.fixture.app.services(), self.fixture.now);
        self
    }

    fn operate(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/api/operator/keyset{path}");
        self.fixture.send(method, &path, &self.operator, body)
    }

    fn rotate(&mut self, key_use: &str, in_hours: u32) -> String {
        let body = json!({ "use": key_use, "inHours": in_hours });
        let (status, made) = self.operate("POST", "/rotate", &body);
        assert_eq!((status, &made["state"]), (201, &json!("waiting")), "{made}");
        made["kid"].as_str().unwrap().to_owned()
    }

    fn revoke(&mut self, kid: &str) -> u16 {
        self.operate("POST", "/revoke", &json!({ "kid": kid })).0
    }

    /// What the operator is shown of the key.
    fn shown(&mut self, kid: &str) -> Value {
        let (_, shown) = self.operate("GET", "", &Value::Null);
        let keys = shown["keys"].as_array().unwrap();
        keys.iter().find(|key| key["kid"] == kid).unwrap().clone()
    }

    /// A licence, and which key signed it.
    fn issue(&mut self, device: &str) -> (String, String) {
        let device = json!({ "fingerprint": device, "platform": "linux" });
        let body = json!({ "appId": "agentyk-engine", "device": device });
        let (status, issued) = (self.fixture).send("POST", "/api/licenses/issue", &self.key, &body);
        assert_eq!(status, 201, "{issued}");
        let token = issued["license"].as_str().unwrap().to_owned();
        let header = URL_SAFE_NO_PAD
            .decode(token.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        (token, header["kid"].as_str().unwrap().to_owned())
    }

    fn bytes(&mut self, path: &str) -> Bytes {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        let answer = self.fixture.call(&request, true).unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body()
    }

    /// The ids in the published JWK set, in its order.
    fn jwks(&mut self) -> Vec<String> {
        let set: Value = serde_json::from_slice(&self.bytes("/.well-known/jwks.json")).unwrap();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The published key set's version and its keys for a use, as a client that has the root key alone reads them.
    fn key_set(&mut self, key_use: KeyUse) -> (u64, KeySet) {
        let bytes = self.bytes("/.well-known/nexa-keyset");
        let set = SignedKeySet::open(&bytes, &root_key().verification_key(), ISSUER).unwrap();
        (set.contents().seq(), set.keys(key_use).unwrap())
    }

    /// What a client says to a licence by the published key set, and by the JWK set.
    fn verdicts(&mut self, token: &str, device: &str) -> [&'static str; 2] {
        let (_, by_root) = self.key_set(KeyUse::License);
        let by_jwks = KeySet::from_jwks(&self.bytes("/.well-known/jwks.json")).unwrap();
        let components = [("fingerprint", device)];
        let device = DeviceExpectation::Components(&components);
        let expect = LicenseExpectations::new(ISSUER, "agentyk-engine", device);
        let now = self.fixture.now.seconds();
        [by_root, by_jwks].map(|keys| {
            let mut scratch = Scratch::new();
            let report = check_license(&keys, &expect, now, token.as_bytes(), &mut scratch);
            report.verdict().code()
        })
    }

    /// Ends the process and starts it again, with or without the root key.
    fn restart(&mut self, root: Option<SigningKey>) -> Result<(), Error> {
        let given = Given {
            license: Some(testing::seeded_key(7)),
            status: Some(testing::seeded_key(9)),
            audit: testing::seeded_key(8).verification_key(),
        };
        self.restart_with(root, given)
    }

    /// As a start does it, with these keys from files or environment.
    fn restart_with(&mut self, root: Option<SigningKey>, given: Given) -> Result<(), Error> {
        let elsewhere = testing::app(|_| {}).0;
        drop(std::mem::replace(&mut self.fixture.app, elsewhere));
        let store = Store::open(self.fixture.folder.path(), MIGRATIONS).unwrap();
        let config = Config::load(None, Overrides::default()).unwrap();
        let (now, files) = (self.fixture.now, RotatedKeys::of(store.folder()));
        store.read(|tx| server_keys::require_signing_key(tx, &files, given.license.as_ref()))?;
        let ring = testing::ring_with(&store, now, &config, root, given)?;
        self.fixture.app = testing::app_with(store, &config, ring).0;
        Ok(())
    }
}

impl World {
    /// Where a key that came later stands.
    fn file(&self, kid: &str) -> std::path::PathBuf {
        RotatedKeys::of(self.fixture.folder.path()).path(kid)
    }
}

/// The keys that came after the first ones.
fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join("keys")).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_key_is_known_before_it_signs_and_verifies_to_the_end_of_what_it_signed() {
    let mut world = World::new();
    let (old_license, old) = world.issue("one");
    let (seq, _) = world.key_set(KeyUse::License);
    let new = world.at(60).rotate("license", 24);
    assert_eq!(world.jwks(), [old.clone(), new.clone()]);
    let (next_seq, keys) = world.key_set(KeyUse::License);
    assert!(next_seq > seq && keys.find(&new).is_some());
    let signs_from = START.plus_seconds(60 + DAY_S).to_rfc3339();
    assert_eq!(world.shown(&new)["signsFrom"], signs_from);
    let again = world.operate("POST", "/rotate", &json!({ "use": "license" }));
    assert_eq!(again.0, 409, "{}", again.1);

    // To the second.
    world.at(60 + DAY_S - 1).tick();
    let (last_license, kid) = world.issue("two");
    assert_eq!(kid, old);
    world.at(60 + DAY_S).tick();
    let (new_license, kid) = world.issue("three");
    assert_eq!(kid, new);
    assert_eq!(
        world.jwks(),
        [new.clone(), old.clone()],
        "the one that signs first"
    );
    for (license, device) in [
        (&old_license, "one"),
        (&last_license, "two"),
        (&new_license, "three"),
    ] {
        assert_eq!(world.verdicts(license, device), ["valid"; 2]);
    }
    let session = world.fixture.sign_up();
    assert_eq!(
        world
            .fixture
            .send("GET", "/api/auth/me", &session, &Value::Null)
            .0,
        200
    );

    // The last licence that it signed lasts 30 days; the key goes with it.
    let until = world.shown(&old)["verifiesUntil"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        until,
        START.plus_seconds(60 + DAY_S - 1 + 30 * DAY_S).to_rfc3339()
    );
    let last_s = 60 + DAY_S - 1 + 30 * DAY_S;
    world.at(last_s - 1).tick();
    assert_eq!(world.verdicts(&last_license, "two"), ["valid"; 2]);
    world.at(last_s).tick();
    assert_eq!(world.jwks(), [new]);
    assert_eq!(world.shown(&old)["state"], "over");
    assert_eq!(world.key_set(KeyUse::License).1.iter().count(), 1);
}

#[test]
fn a_revoked_key_dies_at_once_and_another_one_signs() {
    let mut world = World::new();
    let (license, old) = world.issue("one");
    let session = world.fixture.sign_up();
    let me = |world: &mut World| {
        world
            .fixture
            .send("GET", "/api/auth/me", &session, &Value::Null)
            .0
    };
    assert_eq!(me(&mut world), 200);
    assert_eq!(world.revoke(&old), 200);
    assert_eq!(me(&mut world), 401, "an access token by the same key");
    assert_eq!(
        world.verdicts(&license, "one"),
        ["kid_revoked", "unknown_key"]
    );
    let (license, new) = world.issue("one");
    assert_ne!(new, old);
    assert_eq!(world.verdicts(&license, "one"), ["valid"; 2]);
    assert_eq!(
        (world.jwks(), files(world.fixture.folder.path())),
        (vec![new.clone()], vec![format!("{new}.pem")])
    );
    assert_eq!(world.revoke(&old), 200, "once more changes nothing");
    assert_eq!(world.jwks(), [new.as_str()]);
    assert_eq!(files(world.fixture.folder.path()).len(), 1);

    // One that waits takes over at once, and may itself be revoked while it waits.
    let waiting = world.rotate("license", 24);
    assert_eq!(world.revoke(&waiting), 200);
    let waiting = world.rotate("license", 24);
    assert_eq!(world.revoke(&new), 200);
    assert_eq!(world.issue("one").1, waiting);
    assert_eq!(world.revoke("no-such-key"), 404);
    let (_, shown) = world.operate("GET", "", &Value::Null);
    let audit = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["use"] == "audit");
    let kid = audit.unwrap()["kid"].as_str().unwrap().to_owned();
    assert_eq!(world.revoke(&kid), 400);
}

#[test]
fn a_status_key_changes_and_every_shard_with_it() {
    let mut world = World::new();
    world.issue("one");
    let (_, before) = world.key_set(KeyUse::Status);
    let old_shard = world.bytes("/api/licenses/status/0/shard");
    let old = StatusShard::open(&old_shard, &before, ISSUER).unwrap();
    let new = world.rotate("status", 0);
    world.at(5).tick();
    job::errands::go_on(world.fixture.app.services(), world.fixture.now);
    let since = format!("/api/licenses/status/0/shard?since={}", old.seq());
    let bytes = world.bytes(&since);
    let (_, keys) = world.key_set(KeyUse::Status);
    let key = keys.find(&new).unwrap().clone();
    let only_new = KeySet::from_keys(&[key]).unwrap();
    let shard = StatusShard::open(&bytes, &only_new, ISSUER).unwrap();
    assert!(shard.seq() > old.seq());
    assert!(
        StatusShard::open(&old_shard, &keys, ISSUER).is_ok(),
        "what is in caches still counts"
    );

    // A leaked one: nothing by it is served once that is answered.
    assert_eq!(world.revoke(&new), 200);
    let (_, keys) = world.key_set(KeyUse::Status);
    let bytes = world.bytes("/api/licenses/status/0/shard");
    assert!(StatusShard::open(&bytes, &keys, ISSUER).is_ok());
    assert!(StatusShard::open(&bytes, &only_new, ISSUER).is_err());
}

#[test]
fn of_two_rotations_at_once_one_has_an_effect() {
    let world = World::new();
    let (app, operator) = (&world.fixture.app, world.operator.as_str());
    let path = "/api/operator/keyset/rotate";
    let body = json!({ "use": "license" });
    let body = &body;
    let mut codes: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|seed| {
                scope.spawn(move || super::status(app, 900 + seed, "POST", path, operator, body))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    codes.sort_unstable();
    assert_eq!(codes, [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(files(world.fixture.folder.path()).len(), 1);
}

#[test]
fn fields_of_a_rotation_are_checked() {
    let mut world = World::new();
    for (body, field) in [
        (json!({ "use": "audit" }), "use"),
        (json!({}), "use"),
        (json!({ "use": "license", "inHours": 8_761 }), "inHours"),
        (json!({ "use": "license", "keepDays": 801 }), "keepDays"),
    ] {
        let (status, refused) = world.operate("POST", "/rotate", &body);
        assert_eq!(status, 400);
        assert!(
            refused["error"].as_str().unwrap().contains(field),
            "{refused}"
        );
    }
    let keep = json!({ "use": "license", "inHours": 1, "keepDays": 400 });
    let (_, old) = world.issue("one");
    assert_eq!(world.operate("POST", "/rotate", &keep).0, 201);
    world.at(HOUR_S).tick();
    let until = START.plus_seconds(HOUR_S + 400 * DAY_S).to_rfc3339();
    assert_eq!(
        world.shown(&old)["verifiesUntil"],
        until,
        "what the command line has issued"
    );
}

#[test]
fn a_restart_goes_on_where_it_was_and_a_missing_key_stops_it() {
    let mut world = World::new();
    let (license, old) = world.issue("one");
    let new = world.rotate("license", 24);
    world.at(HOUR_S).restart(Some(root_key())).unwrap();
    assert_eq!(world.jwks(), [old.clone(), new.clone()]);
    world.at(DAY_S).tick().restart(Some(root_key())).unwrap();
    assert_eq!(world.issue("two").1, new);
    assert_eq!(world.verdicts(&license, "one"), ["valid"; 2]);
    let file = world.file(&new);
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    let (first, store) = (testing::seeded_key(7), &world.fixture.app.services().store);
    let files = RotatedKeys::of(world.fixture.folder.path());
    let refused = store.read(|tx| server_keys::require_signing_key(tx, &files, None));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains(&format!("keys/{new}.pem is missing")),
        "{refused}"
    );
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    // The first one has done its work and may be moved away; another one in its place takes over.
    for given in [None, Some(&first), Some(&testing::seeded_key(70))] {
        store
            .read(|tx| server_keys::require_signing_key(tx, &files, given))
            .unwrap();
    }
}

#[test]
fn a_repeated_call_is_signed_by_the_key_of_the_first() {
    let mut world = World::new();
    world.rotate("license", 24);
    world.at(DAY_S - 60);
    let body = json!({ "appId": "agentyk-engine", "device": { "fingerprint": "one", "platform": "linux" } });
    let request = Request::post("/api/licenses/issue")
        .header("content-type", "application/json")
        .header("x-api-key", &world.key)
        .header("idempotency-key", "\"once-and-again\"")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let first = world.fixture.call(&request, true).unwrap();
    assert_eq!(first.status(), 201);
    let old = world.jwks().swap_remove(0);
    world.at(DAY_S).tick();
    assert_ne!(world.jwks()[0], old);
    let again = world.fixture.call(&request, true).unwrap();
    assert_eq!(
        (again.status(), again.body()),
        (first.status(), first.body())
    );
    // No token by a key that others may have.
    assert_eq!(world.revoke(&old), 200);
    assert_eq!(world.fixture.call(&request, true).unwrap().status(), 410);
}
