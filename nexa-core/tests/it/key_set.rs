//! Signed key sets: what they let through, for how long, and what is refused by which name.
use nexa_core::{
    AccessIssuer, DeviceExpectation, IssueError, KeyProblem, KeySetContents, KeySetEntry,
    KeySetError, KeyUse, LicenseExpectations, NewAccess, NewKeySet, NewRevocationList, NewShard,
    RevocationFeed, RevokedKey, Scratch, ShardError, SignatureError, SignedKeySet, StatusShard,
    UnixSeconds, check_access, check_license, sign_key_set,
};

use crate::forge::{AUDIENCE, Forge, ISSUER, NOW, at};

fn entry(key_use: KeyUse, seed: u64, not_before: u64, not_after: Option<u64>) -> KeySetEntry {
    KeySetEntry {
        key_use,
        key: Forge::new(seed).verification_key(),
        not_before: at(not_before),
        not_after: not_after.map(at),
    }
}

fn revoked(seed: u64) -> RevokedKey {
    RevokedKey {
        thumbprint: Forge::new(seed).verification_key().thumbprint(),
        revoked_at: at(NOW),
    }
}

fn signed(keys: &[KeySetEntry], revoked: &[RevokedKey]) -> Vec<u8> {
    let new = NewKeySet {
        seq: 3,
        issued_at: at(NOW),
        keys,
        revoked,
    };
    new.sign(&Forge::new(1).key, ISSUER)
        .expect("a good key set")
}

fn open(bytes: &[u8]) -> Result<SignedKeySet<'_>, KeySetError> {
    SignedKeySet::open(bytes, &Forge::new(1).verification_key(), ISSUER)
}

/// The code of a licence by the key of seed 2, checked under this key set `after_s` from its issue.
fn code(key_set: &[u8], after_s: u64) -> &'static str {
    let keys = open(key_set).expect("a good key set").keys(KeyUse::License);
    let keys = keys.expect("an issuing key");
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let token = Forge::new(2).license();
    let mut scratch = Scratch::new();
    let now = at(NOW + after_s);
    let report = check_license(&keys, &expect, now, token.as_bytes(), &mut scratch);
    report.verdict().code()
}

#[test]
fn a_key_is_trusted_for_its_time_and_its_use() {
    let status = entry(KeyUse::Status, 9, NOW, None);
    let with = |keys: &[KeySetEntry], gone: &[RevokedKey]| {
        signed(&[keys, std::slice::from_ref(&status)].concat(), gone)
    };
    let license = |from, until| entry(KeyUse::License, 2, from, until);
    let other = entry(KeyUse::License, 3, 0, None);
    for (key_set, after_s, expected) in [
        (with(&[license(0, None)], &[]), 0, "valid"),
        (with(&[other.clone(), license(NOW, None)], &[]), 0, "valid"),
        // Verify-only until its last token has expired.
        (with(&[license(0, Some(NOW + 61))], &[]), 60, "valid"),
        (
            with(&[license(0, Some(NOW + 61))], &[]),
            61,
            "kid_not_in_force",
        ),
        (with(&[license(NOW + 1, None)], &[]), 10, "kid_not_in_force"),
        (with(std::slice::from_ref(&other), &[]), 0, "unknown_key"),
        (with(&[other], &[revoked(2)]), 0, "kid_revoked"),
    ] {
        assert_eq!(code(&key_set, after_s), expected);
    }
    // A key for something else signs no licence.
    let key_set = signed(&[entry(KeyUse::Status, 2, 0, None)], &[]);
    assert!(open(&key_set).unwrap().keys(KeyUse::License).is_none());
    let key_set = signed(
        &[
            entry(KeyUse::Status, 2, 0, None),
            entry(KeyUse::License, 3, 0, None),
        ],
        &[],
    );
    assert_eq!(code(&key_set, 0), "unknown_key");
}

/// What is not a licence has its time too.
#[test]
fn shards_lists_and_access_tokens_are_of_their_keys_time() {
    let new = NewShard {
        number: 7,
        seq: 1,
        this_update: at(NOW),
        next_update: at(NOW + 9),
        revoked: &[4],
    };
    let key = Forge::new(9);
    let shard = new.sign(&key.key, ISSUER).unwrap();
    let list = NewRevocationList {
        issuer: ISSUER,
        issued_at: at(NOW),
        expires_at: at(NOW + 9),
        since: None,
    };
    let list = list.sign(&key.key, [("jti", "2026-11-21T12:00:00.000Z")]);
    let access = AccessIssuer::new(key.key.clone(), ISSUER).unwrap();
    let access = access.issue(
        at(NOW),
        &NewAccess {
            jti: "jti",
            subject: "user",
            tenant: "tenant",
            session: "session",
            session_version: 1,
            role: Some("owner"),
            scope: None,
            ttl_s: 60,
        },
    );
    let access = access.unwrap().token;
    for (from, until, is_good) in [
        (NOW, Some(NOW + 1), true),
        (NOW + 1, None, false),
        (0, Some(NOW), false),
        (0, None, true),
    ] {
        let key_set = signed(&[entry(KeyUse::Status, 9, from, until)], &[]);
        let keys = open(&key_set).unwrap().keys(KeyUse::Status).unwrap();
        let opened = StatusShard::open(&shard, &keys, ISSUER).err();
        assert_eq!(opened, (!is_good).then_some(ShardError::KeyNotInForce));
        let mut buffer = vec![0; list.len()];
        let opened = RevocationFeed::open(list.as_bytes(), &keys, ISSUER, &mut buffer);
        assert_eq!(opened.is_ok(), is_good);
        let mut scratch = Scratch::new();
        let opened = check_access(&keys, ISSUER, at(NOW), access.as_bytes(), &mut scratch);
        assert_eq!(opened.is_ok(), is_good);
    }
}

#[test]
fn what_is_written_is_read() {
    let keys = [
        entry(KeyUse::License, 2, 5, None),
        entry(KeyUse::License, 3, 6, Some(70)),
        entry(KeyUse::Status, 4, 0, None),
        entry(KeyUse::Webhook, 5, 0, None),
        entry(KeyUse::Audit, 6, 0, None),
    ];
    let gone = [revoked(7), revoked(8)];
    let bytes = signed(&keys, &gone);
    let contents = *open(&bytes).unwrap().contents();
    assert_eq!((contents.seq(), contents.issued_at()), (3, at(NOW)));
    assert!(contents.keys().eq(keys.iter().cloned()));
    assert!(contents.revoked().eq(gone));
    assert_eq!(bytes.len(), 30 + 5 * 49 + 2 * 40 + 64);

    // Signed elsewhere, it is the same.
    let new = NewKeySet {
        seq: 3,
        issued_at: at(NOW),
        keys: &keys,
        revoked: &gone,
    };
    let root = Forge::new(1);
    let unsigned = new.unsigned(&root.verification_key()).unwrap();
    assert_eq!(sign_key_set(&unsigned, &root.key, ISSUER), Ok(bytes));
    assert_eq!(
        sign_key_set(&unsigned, &Forge::new(2).key, ISSUER),
        Err(KeySetError::OtherRoot)
    );

    // Zero is how a reader is told that there is no end.
    let endless = NewKeySet {
        keys: &[entry(KeyUse::License, 2, 0, Some(0))],
        ..new
    };
    assert_eq!(
        endless.sign(&root.key, ISSUER),
        Err(IssueError::KeySetWouldBeRefused(KeySetError::Times))
    );

    let full: Vec<_> = (10..26)
        .map(|seed| entry(KeyUse::License, seed, 0, None))
        .collect();
    let all_gone: Vec<_> = (30..46).map(revoked).collect();
    assert_eq!(signed(&full, &all_gone).len(), SignedKeySet::MAX_BYTES);
}

/// Rules behind the signature: bytes that no writer of ours makes, signed by the root all the same.
#[test]
fn rules_are_refused_by_name() {
    let good = signed(
        &[
            entry(KeyUse::License, 2, 5, Some(9)),
            entry(KeyUse::Status, 3, 0, None),
        ],
        &[revoked(7), revoked(8)],
    );
    let body = &good[..good.len() - 64];
    let forge = |mut body: Vec<u8>| {
        body.extend(Forge::new(1).sign_document("nexa key set 1", &body));
        open(&body).map(|key_set| key_set.contents().seq())
    };
    let changed = |place: usize, with: &[u8]| {
        let mut body = body.to_vec();
        body[place..place + with.len()].copy_from_slice(with);
        forge(body)
    };
    assert_eq!(forge(body.to_vec()), Ok(3), "the layout that is documented");

    assert_eq!(changed(0, b"NXK2"), Err(KeySetError::Magic));
    assert_eq!(changed(4, &[1; 8]), Err(KeySetError::OtherRoot));
    let bytes = body.len() + 64;
    for (place, count) in [(28, 1), (28, 3), (29, 1), (29, 3), (28, 17)] {
        let wrong = changed(place, &[count]).err();
        assert!(
            matches!(wrong, Some(KeySetError::Length { .. })),
            "{place} {count}"
        );
    }
    assert_eq!(
        open(&good[..93]).err(),
        Some(KeySetError::Length { bytes: 93 })
    );
    assert_eq!(open(&[]).err(), Some(KeySetError::Length { bytes: 0 }));
    let long = SignedKeySet::MAX_BYTES + 1;
    assert_eq!(
        open(&vec![0; long]).err(),
        Some(KeySetError::Length { bytes: long })
    );
    assert_eq!(changed(20, &[0xff]), Err(KeySetError::Times));

    let (first, second, gone) = (30, 30 + 49, 30 + 2 * 49);
    assert_eq!(
        changed(first, &[9]),
        Err(KeySetError::Use { index: 0, found: 9 })
    );
    let problem = KeyProblem::Weak;
    assert_eq!(
        changed(second + 1, &[0; 32]),
        Err(KeySetError::Key { index: 1, problem })
    );
    let problem = KeyProblem::Duplicate;
    let same = Forge::new(2).verification_key().to_bytes();
    assert_eq!(
        changed(second + 1, &same),
        Err(KeySetError::Key { index: 1, problem })
    );
    assert_eq!(
        changed(first + 41, &5_u64.to_be_bytes()),
        Err(KeySetError::Times)
    );
    assert_eq!(changed(first + 41, &6_u64.to_be_bytes()), Ok(3));
    assert_eq!(
        changed(gone + 40, &revoked(7).thumbprint),
        Err(KeySetError::Revoked { index: 1 })
    );
    assert_eq!(
        changed(gone, &revoked(3).thumbprint),
        Err(KeySetError::Revoked { index: 0 })
    );
    assert_eq!(changed(gone + 32, &[0xff]), Err(KeySetError::Times));

    let mut flipped = good.clone();
    flipped[40] ^= 1;
    assert_eq!(
        open(&flipped).err(),
        Some(KeySetError::Signature(SignatureError::Mismatch))
    );
    assert_eq!(bytes, good.len());
}

#[test]
fn a_set_is_its_issuers_and_its_roots_alone() {
    let good = signed(&[entry(KeyUse::License, 2, 5, None)], &[]);
    let root = Forge::new(1).verification_key();
    assert_eq!(
        SignedKeySet::open(&good, &root, "https://other.example").err(),
        Some(KeySetError::Signature(SignatureError::Mismatch))
    );
    let other = Forge::new(2).verification_key();
    assert_eq!(
        SignedKeySet::open(&good, &other, ISSUER).err(),
        Some(KeySetError::OtherRoot)
    );
}

/// One key for two purposes is a mistake; even then no signature passes for the other.
#[test]
fn no_signature_serves_two_purposes() {
    let forge = Forge::new(1);
    let shard = NewShard {
        number: 1,
        seq: 1,
        this_update: at(1),
        next_update: at(2),
        revoked: &[],
    };
    let shard = shard.sign(&forge.key, ISSUER).unwrap();
    let key_set = signed(&[entry(KeyUse::License, 2, 5, None)], &[]);
    let swap = |body: &[u8], signature: &[u8]| {
        [&body[..body.len() - 64], &signature[signature.len() - 64..]].concat()
    };
    assert_eq!(
        open(&swap(&key_set, &shard)).err(),
        Some(KeySetError::Signature(SignatureError::Mismatch))
    );
    let keys = nexa_core::KeySet::from_keys(&[forge.verification_key()]).unwrap();
    assert_eq!(
        StatusShard::open(&swap(&shard, &key_set), &keys, ISSUER).err(),
        Some(ShardError::Signature(SignatureError::Mismatch))
    );
    let mut prefixed = shard[..shard.len() - 64].to_vec();
    prefixed.extend(forge.sign_document("nexa key set 1", &prefixed));
    assert!(StatusShard::open(&prefixed, &keys, ISSUER).is_err());
}

#[test]
fn what_would_be_refused_is_not_signed() {
    let root = Forge::new(1).verification_key();
    let one = [entry(KeyUse::License, 2, 5, None)];
    let new = NewKeySet {
        seq: 1,
        issued_at: at(NOW),
        keys: &one,
        revoked: &[],
    };
    assert!(new.unsigned(&root).is_ok());
    let (twice, gone) = ([one[0].clone(), one[0].clone()], [revoked(2)]);
    let backwards = [entry(KeyUse::License, 2, 5, Some(5))];
    let many: Vec<_> = (2..19)
        .map(|seed| entry(KeyUse::License, seed, 0, None))
        .collect();
    for wrong in [
        NewKeySet {
            keys: &twice,
            ..new
        },
        NewKeySet {
            keys: &backwards,
            ..new
        },
        NewKeySet { keys: &many, ..new },
        NewKeySet {
            revoked: &gone,
            ..new
        },
    ] {
        assert!(wrong.unsigned(&root).is_err(), "{wrong:?}");
    }
    let unsigned = new.unsigned(&root).unwrap();
    assert_eq!(
        KeySetContents::read_unsigned(&unsigned)
            .unwrap()
            .issued_at(),
        at(NOW)
    );
    assert_eq!(UnixSeconds::EPOCH.get(), 0);
}
