//! What is fuzzed: each function takes any bytes, as they are and signed by a key that the reader trusts, so that the
//! parsers behind the signatures are reached too. None may panic, and what is accepted has one spelling.
//!
//! The fuzzer runs them on what it finds, a test of nexa-verify on the corpus.
#![allow(dead_code, reason = "each fuzz target uses one of these functions")]
#![allow(
    clippy::indexing_slicing,
    reason = "a panic is what a fuzzer looks for"
)]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use nexa_core::{
    DeviceExpectation, KeySet, KeyUse, LicenseExpectations, NewKeySet, NewShard, RevocationFeed,
    RevocationStatus, Revocations, Scratch, ShardChanges, SignedKeySet, StatusShard, UnixSeconds,
    Verdict, VerificationKey, check_license, public_jwks, state_mac,
};
use nexa_verify::{Client, State, Trust};
use sha2::{Digest, Sha256};

const ISSUER: &str = "https://licenses.example";
const AUDIENCE: &str = "editor";
const NOW: u64 = 1_795_230_000;

/// The keys of the conformance file, whose documents are part of the corpus; everybody may know them.
#[derive(Clone, Copy)]
enum Key {
    License = 1,
    Root = 60,
    Status = 61,
}

impl Key {
    fn seed(self) -> [u8; 32] {
        [self as u8; 32]
    }

    fn bare(self) -> SigningKey {
        SigningKey::from_bytes(&self.seed())
    }

    fn public(self) -> VerificationKey {
        VerificationKey::from_bytes(&self.bare().verifying_key().to_bytes()).expect("a good key")
    }

    fn set(self) -> KeySet {
        KeySet::from_keys(&[self.public()]).expect("one key")
    }

    /// The same key as an issuer has it.
    fn signing(self) -> nexa_core::SigningKey {
        let prefix = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let der = [prefix.as_slice(), &self.seed()].concat();
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        nexa_core::SigningKey::from_pkcs8_pem(&pem).expect("RFC 8410")
    }
}

fn now() -> UnixSeconds {
    UnixSeconds::new(NOW).expect("in range")
}

/// The document and a signature over it, as the formats put it.
fn signed(key: Key, prefix: &str, document: &[u8]) -> Vec<u8> {
    let mut statement = prefix.as_bytes().to_vec();
    statement.resize(24, 0);
    statement.extend(Sha256::digest(ISSUER));
    statement.extend(Sha256::digest(document));
    [document, &key.bare().sign(&statement).to_bytes()].concat()
}

fn compact(key: Key, typ: &str, payload: &[u8]) -> String {
    let header = format!(
        r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{}"}}"#,
        key.public().kid()
    );
    let (header, payload) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload),
    );
    let message = format!("{header}.{payload}");
    let signature = key.bare().sign(message.as_bytes()).to_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token, and any payload signed as a licence.
pub(crate) fn token(data: &[u8]) {
    check_token(data);
    check_token(compact(Key::License, "license+jwt", data).as_bytes());
}

fn check_token(token: &[u8]) {
    let device = [("fingerprint", "a1b2c3d4")];
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::Components(&device));
    let mut scratch = Scratch::new();
    let report = check_license(&Key::License.set(), &expect, now(), token, &mut scratch);
    let Some(license) = report.license().map(|license| license.claims()) else {
        assert!(matches!(
            report.verdict(),
            Verdict::Refused(_) | Verdict::UnknownKey
        ));
        return;
    };
    assert!(token.len() <= 4_096);
    let segments: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    assert_eq!(segments.len(), 3);
    for segment in &segments {
        let bytes = URL_SAFE_NO_PAD.decode(segment).expect("base64url");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(bytes).as_bytes(),
            *segment,
            "one spelling"
        );
    }
    let payload = URL_SAFE_NO_PAD.decode(segments[1]).expect("base64url");
    let other: serde_json::Value = serde_json::from_slice(&payload).expect("JSON to others too");
    assert_eq!(other["iss"], license.issuer());
    assert_eq!(other["sub"], license.subject());
    assert_eq!(other["aud"], license.audience());
    assert_eq!(other["jti"], license.jti());
    assert_eq!(other["exp"], license.expires_at().get());
    assert!(license.not_before() < license.expires_at());
    assert!(license.issued_at() < license.expires_at());
    assert!((1..=16).contains(&license.device().total()));
    for (name, limit) in license.terms().limits() {
        assert_eq!(other["lic"]["limits"][name], limit);
    }
    for entitlement in license.terms().entitlements() {
        assert!(license.terms().allows(entitlement));
    }
}

/// A JWK set.
pub(crate) fn jwk_set(data: &[u8]) {
    if let Ok(keys) = KeySet::from_jwks(data) {
        let read: Vec<VerificationKey> = keys.iter().cloned().collect();
        assert!((1..=KeySet::MAX_KEYS).contains(&read.len()));
        let again = KeySet::from_jwks(public_jwks(&read).as_bytes()).expect("ours");
        assert!(again.iter().eq(keys.iter()));
    }
}

/// A status shard, and any header and code signed as one.
pub(crate) fn shard(data: &[u8]) {
    check_shard(data);
    let hint = &Key::Status.public().thumbprint()[..8];
    check_shard(&signed(
        Key::Status,
        "nexa status shard 1",
        &[b"NXS1", hint, data].concat(),
    ));
}

fn check_shard(bytes: &[u8]) {
    let Ok(shard) = StatusShard::open(bytes, &Key::Status.set(), ISSUER) else {
        return;
    };
    let revoked: Vec<u16> = shard.positions().collect();
    assert_eq!(revoked.len(), shard.len() as usize);
    let new = NewShard {
        number: shard.number(),
        seq: shard.seq(),
        this_update: shard.this_update(),
        next_update: shard.next_update(),
        revoked: &revoked,
    };
    assert_eq!(
        new.sign(&Key::Status.signing(), ISSUER).as_deref(),
        Ok(bytes),
        "one spelling"
    );
    for position in [0, 1, 300, 65_535]
        .into_iter()
        .chain(revoked.iter().copied().take(4))
    {
        assert_eq!(
            shard.contains(position),
            revoked.binary_search(&position).is_ok()
        );
    }
}

/// A delta as it is, and one made of two sets of positions.
pub(crate) fn delta(data: &[u8]) {
    let (one, two) = data.split_at(data.len() / 2);
    let (old, new) = (positions(one), positions(two));
    let (old_bytes, new_bytes) = (shard_of(&old, 1), shard_of(&new, 2));
    let keys = Key::Status.set();
    let base = StatusShard::open(&old_bytes, &keys, ISSUER).expect("ours");
    let mut out = vec![0; StatusShard::MAX_BYTES];
    // Nobody's delta leads anywhere but to a shard that was signed.
    if let Ok(rebuilt) = base.apply(data, &keys, ISSUER, &mut out) {
        check_shard(rebuilt.as_bytes());
    }
    let whole = shard_of(&[3, 299], NOW - 50);
    let known = StatusShard::open(&whole, &keys, ISSUER).expect("ours");
    if let Ok(rebuilt) = known.apply(data, &keys, ISSUER, &mut out) {
        check_shard(rebuilt.as_bytes());
    }

    let without = |all: &[u16], these: &[u16]| -> Vec<u16> {
        all.iter()
            .copied()
            .filter(|position| !these.contains(position))
            .collect()
    };
    let changes = ShardChanges {
        base_seq: 1,
        added: &without(&new, &old),
        removed: &without(&old, &new),
    };
    let target = StatusShard::open(&new_bytes, &keys, ISSUER).expect("ours");
    let made = changes.delta(&target).expect("few changes");
    let rebuilt = base
        .apply(&made, &keys, ISSUER, &mut out)
        .expect("the delta of these two");
    assert_eq!(rebuilt.as_bytes(), new_bytes);
}

fn positions(data: &[u8]) -> Vec<u16> {
    let mut positions: Vec<u16> = data
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .take(512)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

fn shard_of(revoked: &[u16], seq: u64) -> Vec<u8> {
    let new = NewShard {
        number: 7,
        seq,
        this_update: now(),
        next_update: now().plus(7_200).expect("in range"),
        revoked,
    };
    new.sign(&Key::Status.signing(), ISSUER)
        .expect("rising positions")
}

/// A key set, and any contents signed as one.
pub(crate) fn key_set(data: &[u8]) {
    check_key_set(data);
    let hint = &Key::Root.public().thumbprint()[..8];
    check_key_set(&signed(
        Key::Root,
        "nexa key set 1",
        &[b"NXK1", hint, data].concat(),
    ));
}

fn check_key_set(bytes: &[u8]) {
    let root = Key::Root.public();
    let Ok(key_set) = SignedKeySet::open(bytes, &root, ISSUER) else {
        return;
    };
    let contents = key_set.contents();
    let entries: Vec<_> = contents.keys().collect();
    let revoked: Vec<_> = contents.revoked().collect();
    let new = NewKeySet {
        seq: contents.seq(),
        issued_at: contents.issued_at(),
        keys: &entries,
        revoked: &revoked,
    };
    assert_eq!(
        new.sign(&Key::Root.signing(), ISSUER).as_deref(),
        Ok(bytes),
        "one spelling"
    );
    for key_use in [
        KeyUse::License,
        KeyUse::Status,
        KeyUse::Webhook,
        KeyUse::Audit,
    ] {
        let expected = entries
            .iter()
            .filter(|entry| entry.key_use == key_use)
            .count();
        let found = key_set.keys(key_use).map_or(0, |keys| keys.iter().count());
        assert_eq!(found, expected);
    }
}

/// A revocation list, a signed one, and any payload signed as one.
pub(crate) fn feed(data: &[u8]) {
    if let Ok(feed) = RevocationFeed::read(data) {
        let other: serde_json::Value = serde_json::from_slice(data).expect("JSON to others too");
        let entries = other.as_array().expect("a list");
        assert_eq!(entries.len(), feed.len());
        for entry in entries.iter().take(8) {
            let jti = entry["jti"].as_str().expect("a string");
            assert!(matches!(
                feed.lookup(jti, None),
                RevocationStatus::Revoked { .. }
            ));
        }
    }
    let token = compact(Key::Status, "revocations+jwt", data);
    for token in [data, token.as_bytes()] {
        let mut buffer = vec![0; token.len()];
        if let Ok(feed) = RevocationFeed::open(token, &Key::Status.set(), ISSUER, &mut buffer) {
            let _ = feed.lookup("licence-1", None);
        }
    }
}

/// Kept state, as it is and under a right code; what is restored is written as it was read, and can be used.
pub(crate) fn state_blob(data: &[u8]) {
    restore(data);
    let body = [b"NXC2", data].concat();
    let mac = state_mac(b"device", &body);
    restore(&[&body, mac.as_slice()].concat());
}

fn restore(bytes: &[u8]) {
    let Ok(mut state) = State::restore(bytes, b"device") else {
        return;
    };
    let mut out = vec![0; State::MAX_BYTES];
    assert_eq!(state.save(b"device", &mut out), Some(bytes), "one spelling");
    let root = public_jwks(&[Key::Root.public()]);
    let trust = Trust::root(root.as_bytes()).expect("a good key");
    let client = Client::new(trust, ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let token = compact(Key::License, "license+jwt", b"{}");
    let mut scratch = Scratch::new();
    let checked = client.check(&mut state, now(), Some(1), token.as_bytes(), &mut scratch);
    assert!(checked.clock().trusted >= now());
    let wanted = checked.next_fetch().map(|fetch| fetch.document);
    let before = state.newest_signed();
    if let Some(wanted) = wanted {
        let _ = client.receive(&mut state, wanted, bytes);
    }
    assert!(state.newest_signed() >= before);
}
