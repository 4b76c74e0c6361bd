//! The client's whole life: keys that come and go, revocations, clocks, state that is kept and tampered with.

use nexa_core::{
    DevicePolicy, KeySetEntry, KeyUse, LicenseIssuer, NewDevice, NewKeySet, NewLicense, NewShard,
    NewTerms, RevokedKey, ShardChanges, SigningKey, StalePolicy, StatusRef, StatusShard,
    public_jwks,
};
use nexa_verify::{
    Client, Decision, DeviceExpectation, KeySet, ReceiveError, Scratch, ShardError, State,
    StateFault, Trust, UnixSeconds, Verdict, Wanted, Why,
};

use crate::seeded::Seeded;
use crate::{APP, DAY_S, ISSUED_AT, ISSUER, after};

const HERE: &[(&str, &str)] = &[("cpu", "c"), ("disk", "d"), ("board", "b")];
const URI: &str = "https://auth.example.com/api/licenses/status/7";

pub(crate) fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&mut Seeded::new(seed))
}

/// The issuing side. Root and status key have the seeds 1 and 2.
pub(crate) fn key_set(seq: u64, licenses: &[u64], status: &[u64], revoked: &[u64]) -> Vec<u8> {
    let entry = |key_use, seed: &u64| KeySetEntry {
        key_use,
        key: key(*seed).verification_key(),
        not_before: UnixSeconds::EPOCH,
        not_after: None,
    };
    let keys: Vec<_> = (licenses.iter().map(|seed| entry(KeyUse::License, seed)))
        .chain(status.iter().map(|seed| entry(KeyUse::Status, seed)))
        .collect();
    let revoked: Vec<_> = revoked
        .iter()
        .map(|seed| RevokedKey {
            thumbprint: key(*seed).verification_key().thumbprint(),
            revoked_at: ISSUED_AT,
        })
        .collect();
    let new = NewKeySet {
        seq,
        issued_at: after(seq),
        keys: &keys,
        revoked: &revoked,
    };
    new.sign(&key(1), ISSUER).unwrap()
}

fn shard_of(number: u32, seq: u64, revoked: &[u16]) -> Vec<u8> {
    shard_by(number, seq, 2, revoked)
}

pub(crate) fn shard_by(number: u32, seq: u64, by: u64, revoked: &[u16]) -> Vec<u8> {
    let new = NewShard {
        number,
        seq,
        this_update: after(seq),
        next_update: after(seq + 7_200),
        revoked,
    };
    new.sign(&key(by), ISSUER).unwrap()
}

pub(crate) fn license(seed: u64, terms: NewTerms<'_>) -> String {
    license_for(seed, terms, DevicePolicy::Most)
}

/// One with its place in another shard.
pub(crate) fn license_at(seed: u64, terms: NewTerms<'_>, shard: u32) -> String {
    let uri = format!("https://auth.example.com/api/licenses/status/{shard}");
    signed(seed, terms, DevicePolicy::Most, &uri)
}

fn license_for(seed: u64, terms: NewTerms<'_>, policy: DevicePolicy) -> String {
    signed(seed, terms, policy, URI)
}

fn signed(seed: u64, terms: NewTerms<'_>, policy: DevicePolicy, uri: &str) -> String {
    let issuer = LicenseIssuer::new(key(seed), ISSUER).unwrap();
    let new = NewLicense {
        jti: "licence-1",
        subject: "tenant-1",
        audience: APP,
        ttl_s: 30 * DAY_S,
        device: NewDevice {
            components: HERE,
            policy,
        },
        terms,
        status: Some(StatusRef { index: 300, uri }),
    };
    issuer
        .issue(ISSUED_AT, &mut Seeded::new(3), &new)
        .unwrap()
        .token
}

pub(crate) fn daily(stale: StalePolicy) -> NewTerms<'static> {
    NewTerms {
        fresh_s: Some(3_600),
        max_age_s: Some(DAY_S),
        stale: Some(stale),
        ..NewTerms::default()
    }
}

fn client(device: DeviceExpectation<'static>) -> Client<'static> {
    let root = public_jwks(&[key(1).verification_key()]);
    Client::new(Trust::root(root.as_bytes()).unwrap(), ISSUER, APP, device)
}

pub(crate) fn at_home() -> Client<'static> {
    client(DeviceExpectation::Components(HERE))
}

/// Code, decision, what is wanted next with its URL, and why.
type Seen = (&'static str, Decision, Option<(String, Why)>);

fn look(client: &Client<'_>, state: &mut State, seconds: u64, token: &str) -> Seen {
    let mut scratch = Scratch::new();
    let checked = client.check(state, after(seconds), None, token.as_bytes(), &mut scratch);
    let next = checked
        .next_fetch()
        .map(|fetch| (fetch.to_string(), fetch.why));
    (checked.verdict().code(), checked.decision(), next)
}

fn wants(url: &str, why: Why) -> Option<(String, Why)> {
    Some((url.to_owned(), why))
}

const KEY_SET_URL: &str = "https://auth.example.com/.well-known/nexa-keyset";
const SHARD_URL: &str = "https://auth.example.com/api/licenses/status/7/shard";
const WHOLE: Wanted = Wanted::Shard {
    number: 7,
    since: None,
};

/// A client that has the key set of seq 10 (licences by key 4) and shard 7 of seq 20 (nothing revoked).
fn settled(token: &str) -> (Client<'static>, State) {
    let (client, mut state) = (at_home(), State::new());
    look(&client, &mut state, 20, token);
    client
        .receive(&mut state, Wanted::KeySet, &key_set(10, &[4], &[2], &[]))
        .unwrap();
    client
        .receive(&mut state, WHOLE, &shard_of(7, 20, &[]))
        .unwrap();
    (client, state)
}

#[test]
fn it_says_what_it_wants_and_takes_it_until_nothing_is_left() {
    let (client, mut state) = (at_home(), State::new());
    let token = license(4, daily(StalePolicy::Deny));
    let seen = look(&client, &mut state, 20, &token);
    assert_eq!(
        seen,
        (
            "unknown_key",
            Decision::Deny,
            wants(KEY_SET_URL, Why::Missing)
        )
    );
    client
        .receive(&mut state, Wanted::KeySet, &key_set(10, &[4], &[2], &[]))
        .unwrap();
    let seen = look(&client, &mut state, 21, &token);
    assert_eq!(
        seen,
        ("valid", Decision::Allow, wants(SHARD_URL, Why::Missing))
    );
    client
        .receive(&mut state, WHOLE, &shard_of(7, 20, &[9]))
        .unwrap();
    assert_eq!(
        look(&client, &mut state, 22, &token),
        ("valid", Decision::Allow, None)
    );

    // An hour later, by the licence's own measure.
    let old = wants(&format!("{SHARD_URL}?since=20"), Why::Old);
    assert_eq!(look(&client, &mut state, 3_620, &token).2, None);
    assert_eq!(
        look(&client, &mut state, 3_621, &token),
        ("valid", Decision::Allow, old)
    );
    // The server has nothing newer: it is not asked again at once.
    client
        .receive(&mut state, WHOLE, &shard_of(7, 20, &[9]))
        .unwrap();
    assert_eq!(look(&client, &mut state, 3_622, &token).2, None);
    assert!(look(&client, &mut state, 3_700, &token).2.is_some());

    // A delta tells of the revocation.
    let keys = KeySet::from_keys(&[key(2).verification_key()]).unwrap();
    let new = shard_of(7, 4_000, &[9, 300]);
    let delta = ShardChanges {
        base_seq: 20,
        added: &[300],
        removed: &[],
    };
    let delta = delta
        .delta(&StatusShard::open(&new, &keys, ISSUER).unwrap())
        .unwrap();
    client.receive(&mut state, WHOLE, &delta).unwrap();
    assert_eq!(
        look(&client, &mut state, 4_001, &token),
        ("revoked", Decision::Deny, None)
    );
}

#[test]
fn keys_rotate_and_are_revoked_without_a_new_program() {
    let (old, new) = (
        license(4, NewTerms::default()),
        license(5, NewTerms::default()),
    );
    let (client, mut state) = settled(&old);
    assert_eq!(
        look(&client, &mut state, 100, &new).2,
        wants(KEY_SET_URL, Why::UnknownKey)
    );
    client
        .receive(&mut state, Wanted::KeySet, &key_set(90, &[5, 4], &[2], &[]))
        .unwrap();
    assert_eq!(look(&client, &mut state, 101, &new).0, "valid");
    assert_eq!(look(&client, &mut state, 101, &old).0, "valid");
    client
        .receive(&mut state, Wanted::KeySet, &key_set(95, &[5], &[2], &[4]))
        .unwrap();
    assert_eq!(look(&client, &mut state, 102, &old).0, "kid_revoked");
    assert_eq!(look(&client, &mut state, 102, &new).0, "valid");

    // Nobody brings the old one back.
    let again = client.receive(&mut state, Wanted::KeySet, &key_set(90, &[5, 4], &[2], &[]));
    assert_eq!(again, Err(ReceiveError::Older { seq: 90, seen: 95 }));
    assert_eq!(look(&client, &mut state, 103, &old).0, "kid_revoked");
    // It is asked for again when a day has passed, to hear of revoked keys; after the shard, which keeps it no longer waiting
    // than until it could not be had.
    let later = 103 + DAY_S;
    let shard = wants(&format!("{SHARD_URL}?since=20"), Why::Old);
    assert_eq!(look(&client, &mut state, later, &new).2, shard);
    client.failed(&mut state, WHOLE);
    let key_set = wants(KEY_SET_URL, Why::Old);
    assert_eq!(look(&client, &mut state, later, &new).2, key_set);
    client.failed(&mut state, Wanted::KeySet);
    assert_eq!(look(&client, &mut state, later + 59, &new).2, None);
    assert_eq!(look(&client, &mut state, later + 60, &new).2, shard);
}

#[test]
fn a_new_status_key_is_learnt_before_its_shard() {
    let token = license(4, NewTerms::default());
    let (client, mut state) = settled(&token);
    client
        .receive(&mut state, Wanted::KeySet, &key_set(30, &[4], &[6], &[]))
        .unwrap();
    // What is here was signed by a key that is no longer known.
    let seen = look(&client, &mut state, 100, &token);
    assert_eq!(seen.2, wants(KEY_SET_URL, Why::UnknownStatusKey));
    client
        .receive(&mut state, Wanted::KeySet, &key_set(31, &[4], &[6, 2], &[]))
        .unwrap();
    assert_eq!(look(&client, &mut state, 101, &token).2, None);
}

/// The way it happens in the field: the shard that is here is good, and the next one is by a key of a newer key set.
#[test]
fn a_shard_by_an_unknown_key_makes_it_ask_for_the_key_set_and_then_for_the_shard() {
    let token = license(4, daily(StalePolicy::Deny));
    let new = NewShard {
        number: 7,
        seq: 3_700,
        this_update: after(3_700),
        next_update: after(9_000),
        revoked: &[300],
    };
    let by_new_key = new.sign(&key(6), ISSUER).unwrap();
    let keys = KeySet::from_keys(&[key(6).verification_key()]).unwrap();
    let changes = ShardChanges {
        base_seq: 20,
        added: &[300],
        removed: &[],
    };
    let delta = changes
        .delta(&StatusShard::open(&by_new_key, &keys, ISSUER).unwrap())
        .unwrap();
    for bytes in [&by_new_key, &delta] {
        let (client, mut state) = settled(&token);
        let since = wants(&format!("{SHARD_URL}?since=20"), Why::Old);
        assert_eq!(look(&client, &mut state, 3_700, &token).2, since);
        let unknown = Err(ReceiveError::Shard(ShardError::UnknownKey));
        assert_eq!(client.receive(&mut state, WHOLE, bytes), unknown);
        // What it lacks is kept with the state.
        let mut buffer = [0; State::MAX_BYTES];
        let kept = state.save(b"here", &mut buffer).unwrap();
        let mut state = State::restore(kept, b"here").unwrap();
        let key_set_url = wants(KEY_SET_URL, Why::UnknownStatusKey);
        assert_eq!(look(&client, &mut state, 3_701, &token).2, key_set_url);

        // A key set that does not have the key either: neither is asked for again at once.
        let (no_newer, newer) = (
            key_set(10, &[4], &[2], &[]),
            key_set(3_000, &[4], &[6, 2], &[]),
        );
        client
            .receive(&mut state, Wanted::KeySet, &no_newer)
            .unwrap();
        assert_eq!(look(&client, &mut state, 3_702, &token).2, since);
        assert_eq!(client.receive(&mut state, WHOLE, bytes), unknown);
        assert_eq!(look(&client, &mut state, 3_703, &token).2, None);
        assert_eq!(look(&client, &mut state, 4_301, &token).2, key_set_url);

        client.receive(&mut state, Wanted::KeySet, &newer).unwrap();
        assert_eq!(look(&client, &mut state, 4_302, &token).2, since);
        client.receive(&mut state, WHOLE, bytes).unwrap();
        let revoked = ("revoked", Decision::Deny, None);
        assert_eq!(look(&client, &mut state, 4_303, &token), revoked);
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token);
    let mut before = [0; State::MAX_BYTES];
    let kept = |state: &State| {
        let mut out = [0; State::MAX_BYTES];
        state.save(b"here", &mut out).unwrap().to_vec()
    };
    before[..kept(&state).len()].copy_from_slice(&kept(&state));
    let refused =
        |state: &mut State, wanted, bytes: &[u8]| client.receive(state, wanted, bytes).err();
    let older = Some(ReceiveError::Older { seq: 19, seen: 20 });
    assert_eq!(refused(&mut state, WHOLE, &shard_of(7, 19, &[])), older);
    let other = Some(ReceiveError::OtherShard {
        number: 8,
        wanted: 7,
    });
    assert_eq!(refused(&mut state, WHOLE, &shard_of(8, 30, &[])), other);
    for bytes in [&b""[..], b"NXS1", &[0xff; 200], &token.as_bytes()[..200]] {
        assert!(refused(&mut state, WHOLE, bytes).is_some());
        assert!(refused(&mut state, Wanted::KeySet, bytes).is_some());
    }
    assert_eq!(kept(&state), before[..kept(&state).len()]);

    // But that a delta which does not fit is not asked for again.
    let keys = KeySet::from_keys(&[key(2).verification_key()]).unwrap();
    let new = shard_of(7, 40, &[1]);
    let changes = ShardChanges {
        base_seq: 20,
        added: &[2],
        removed: &[],
    };
    let delta = changes
        .delta(&StatusShard::open(&new, &keys, ISSUER).unwrap())
        .unwrap();
    let failed = refused(&mut state, WHOLE, &delta);
    assert!(
        matches!(failed, Some(ReceiveError::Shard(ShardError::Signature(_)))),
        "{failed:?}"
    );
    assert_eq!(
        look(&client, &mut state, 41, &token).2,
        wants(SHARD_URL, Why::DeltaFailed)
    );
    client.receive(&mut state, WHOLE, &new).unwrap();
    assert_eq!(look(&client, &mut state, 42, &token).2, None);
}

#[test]
fn data_that_is_too_old_does_what_the_licence_says() {
    for (stale, decision) in [
        (StalePolicy::Allow, Decision::Allow),
        (StalePolicy::Warn, Decision::Allow),
        (StalePolicy::Deny, Decision::Deny),
    ] {
        let token = license(4, daily(stale));
        let (client, mut state) = settled(&token);
        assert_eq!(look(&client, &mut state, 20 + DAY_S, &token).0, "valid");
        let seen = look(&client, &mut state, 21 + DAY_S, &token);
        assert_eq!((seen.0, seen.1), ("revocation_data_old", decision));
    }
}

#[test]
fn a_clock_that_is_set_back_is_not_believed_also_in_the_next_run() {
    let token = license(4, NewTerms::default());
    let (client, mut state) = settled(&token);
    let mut buffer = [0; State::MAX_BYTES];
    for day in 0..=30 {
        look(&client, &mut state, day * DAY_S + 30, &token);
    }
    assert_eq!(
        look(&client, &mut state, 30 * DAY_S + 60, &token).0,
        "expired"
    );
    let kept = state.save(b"here", &mut buffer).unwrap();
    let mut state = State::restore(kept, b"here").unwrap();
    let mut scratch = Scratch::new();
    let checked = client.check(&mut state, after(60), None, token.as_bytes(), &mut scratch);
    assert!(matches!(checked.verdict(), Verdict::Expired { .. }));
    assert_eq!(checked.clock().stepped_back_s, 30 * DAY_S);

    // A shard is a clock too.
    let (client, mut state) = settled(&token);
    client
        .receive(&mut state, WHOLE, &shard_of(7, 31 * DAY_S, &[]))
        .unwrap();
    assert_eq!(look(&client, &mut state, 60, &token).0, "expired");
}

#[test]
fn state_is_one_devices_and_nobody_elses() {
    let token = license(4, NewTerms::default());
    let (client, mut state) = settled(&token);
    let mut buffer = [0; State::MAX_BYTES];
    let kept = state.save(b"here", &mut buffer).unwrap().to_vec();
    let mut restored = State::restore(&kept, b"here").unwrap();
    assert_eq!(
        look(&client, &mut restored, 100, &token),
        look(&client, &mut state, 100, &token)
    );
    assert_eq!(
        State::restore(&kept, b"there").err(),
        Some(StateFault::Tampered)
    );
    for place in 4..kept.len() {
        let mut changed = kept.clone();
        changed[place] ^= 1;
        assert_eq!(
            State::restore(&changed, b"here").err(),
            Some(StateFault::Tampered),
            "{place}"
        );
    }
    assert_eq!(
        State::restore(&[], b"here").err(),
        Some(StateFault::Length { bytes: 0 })
    );
    let bytes = State::MAX_BYTES + 1;
    let long = vec![0; bytes];
    assert_eq!(
        State::restore(&long, b"here").err(),
        Some(StateFault::Length { bytes })
    );
    assert_eq!(
        State::restore(&[7; 90], b"here").err(),
        Some(StateFault::Magic)
    );
    assert!(state.save(b"here", &mut [0; 100]).is_none());
    // Whoever can make the code still cannot make what is signed.
    let at = kept
        .windows(4)
        .position(|window| window == b"NXS1")
        .unwrap();
    let mut forged = kept[..kept.len() - 32].to_vec();
    forged[at + 20] ^= 1;
    let mac = nexa_core::state_mac(b"here", &forged);
    forged.extend_from_slice(&mac);
    let mut state = State::restore(&forged, b"here").unwrap();
    let mut scratch = Scratch::new();
    let checked = client.check(&mut state, after(100), None, token.as_bytes(), &mut scratch);
    let report = checked.report().unwrap();
    assert_eq!(report.revocation(), nexa_verify::RevocationStatus::NoData);
}

#[test]
fn every_device_policy_names_what_drifted() {
    let k_of_n = DevicePolicy::AtLeast(1);
    for (policy, allowed_drift) in [
        (DevicePolicy::Any, 2),
        (DevicePolicy::Two, 1),
        (DevicePolicy::Most, 1),
        (DevicePolicy::All, 0),
        (k_of_n, 2),
    ] {
        let token = license_for(4, NewTerms::default(), policy);
        for drift in 0..=HERE.len() {
            let components = HERE.iter().enumerate().map(|(index, (kind, value))| {
                let value = if index < drift { "new" } else { value };
                (*kind, value)
            });
            let components: Vec<_> = components.collect();
            let root = public_jwks(&[key(1).verification_key()]);
            let trust = Trust::root(root.as_bytes()).unwrap();
            let device = DeviceExpectation::Components(&components);
            let client = Client::new(trust, ISSUER, APP, device);
            let mut state = State::new();
            client
                .receive(&mut state, Wanted::KeySet, &key_set(10, &[4], &[2], &[]))
                .unwrap();
            let mut scratch = Scratch::new();
            let checked = client.check(&mut state, after(60), None, token.as_bytes(), &mut scratch);
            let code = match drift <= allowed_drift {
                true => "valid",
                false => "other_device",
            };
            assert_eq!(
                checked.verdict().code(),
                code,
                "{policy:?}, {drift} drifted"
            );
            let report = checked.report().unwrap();
            let nexa_verify::DeviceMatch::Checked { drifted, .. } = report.device() else {
                panic!("not checked");
            };
            let kinds = HERE.iter().take(drift).map(|(kind, _)| *kind);
            assert!(drifted.clone().eq(kinds), "{policy:?}, {drift} drifted");
        }
    }
}

/// The published way: an embedded JWK set, with and without a status key.
#[test]
fn embedded_keys_need_no_key_set() {
    let token = license(4, NewTerms::default());
    let jwks = public_jwks(&[key(4).verification_key()]);
    let status = public_jwks(&[key(2).verification_key()]);
    let device = DeviceExpectation::NotChecked;
    let with = |status: Option<&[u8]>| {
        Client::new(
            Trust::embedded(jwks.as_bytes(), status).unwrap(),
            ISSUER,
            APP,
            device,
        )
    };
    let (plain, mut state) = (with(None), State::new());
    assert_eq!(
        look(&plain, &mut state, 60, &token),
        ("valid", Decision::Allow, None)
    );
    assert_eq!(
        plain.receive(&mut state, Wanted::KeySet, &key_set(10, &[4], &[2], &[])),
        Err(ReceiveError::NotAsked)
    );
    assert_eq!(
        plain.receive(&mut state, WHOLE, &shard_of(7, 20, &[])),
        Err(ReceiveError::NotAsked)
    );

    let (client, mut state) = (with(Some(status.as_bytes())), State::new());
    assert_eq!(
        look(&client, &mut state, 60, &token).2,
        wants(SHARD_URL, Why::Missing)
    );
    client
        .receive(&mut state, WHOLE, &shard_of(7, 20, &[300]))
        .unwrap();
    assert_eq!(look(&client, &mut state, 61, &token).0, "revoked");
    assert!(Trust::root(jwks.as_bytes()).is_ok());
    let two = public_jwks(&[key(4).verification_key(), key(2).verification_key()]);
    assert!(Trust::root(two.as_bytes()).is_err());
}

/// As documented; twice the stack, because other platforms need more.
#[test]
fn it_needs_no_more_memory_than_it_says() {
    assert!(size_of::<State>() <= 10_760 && size_of::<Client<'_>>() <= 10_300);
    let token = license(4, NewTerms::default());
    let (client, state) = settled(&token);
    let (mut state, mut scratch) = (Box::new(state), Box::new(Scratch::new()));
    let shard = shard_of(7, 60, &[1]);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(160 * 1024);
        let work = || {
            let now = after(100);
            let checked = client.check(&mut state, now, None, token.as_bytes(), &mut scratch);
            assert_eq!(checked.verdict(), Verdict::Valid);
            client.receive(&mut state, WHOLE, &shard).unwrap();
        };
        thread.spawn_scoped(scope, work).unwrap().join().unwrap();
    });
}
