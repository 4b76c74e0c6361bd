//! Status shards: any set is written and read back as itself in one way only, any delta leads to the same bytes, and
//! nothing else opens.
use std::collections::BTreeSet;

use nexa_core::{
    KeySet, NewShard, RevocationStatus, Revocations, ShardChanges, ShardError, SignatureError,
    SigningKey, StatusRef, StatusShard, UnixSeconds,
};
use proptest::prelude::*;

use crate::forge::{Forge, ISSUER, at};

fn key(seed: u64) -> SigningKey {
    Forge::new(seed).key
}

fn keys(seeds: &[u64]) -> KeySet {
    let keys: Vec<_> = seeds
        .iter()
        .map(|seed| key(*seed).verification_key())
        .collect();
    KeySet::from_keys(&keys).expect("different keys")
}

fn signed(seq: u64, revoked: &BTreeSet<u16>) -> Vec<u8> {
    let revoked: Vec<u16> = revoked.iter().copied().collect();
    let new = NewShard {
        number: 7,
        seq,
        this_update: at(1_000),
        next_update: at(8_200),
        revoked: &revoked,
    };
    new.sign(&key(1), ISSUER).expect("a good shard")
}

/// Sets of all densities: a few, one in a hundred, half of all, runs.
fn any_set() -> impl Strategy<Value = BTreeSet<u16>> {
    let sparse = prop::collection::btree_set(any::<u16>(), 0..700);
    let dense = (any::<u64>(), 1..64_u64).prop_map(|(seed, one_in)| {
        (0..=u16::MAX)
            .filter(|position| {
                let mixed = (u64::from(*position) + 1).wrapping_mul(seed | 1);
                (mixed ^ (mixed >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
                    < (1 << 24) / one_in
            })
            .collect()
    });
    let run = (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b)..=a.max(b)).collect());
    prop_oneof![4 => sparse, 1 => dense, 1 => run]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_set_is_read_back_as_itself(set in any_set(), others in prop::collection::vec(any::<u16>(), 8)) {
        let bytes = signed(5, &set);
        prop_assert!(bytes.len() <= StatusShard::MAX_BYTES);
        let keys = keys(&[2, 1]);
        let shard = StatusShard::open(&bytes, &keys, ISSUER).unwrap();
        prop_assert_eq!(shard.len() as usize, set.len());
        prop_assert!(shard.positions().eq(set.iter().copied()));
        for position in others.into_iter().chain(set.iter().copied().take(8)) {
            prop_assert_eq!(shard.contains(position), set.contains(&position));
        }
    }

    #[test]
    fn any_delta_leads_to_the_bytes_of_the_whole_shard(
        old in any_set(),
        toggled in prop::collection::btree_set(any::<u16>(), 0..200),
    ) {
        let new: BTreeSet<u16> = old.symmetric_difference(&toggled).copied().collect();
        let (old_bytes, new_bytes) = (signed(5, &old), signed(9, &new));
        let keys = keys(&[1]);
        let old_shard = StatusShard::open(&old_bytes, &keys, ISSUER).unwrap();
        let new_shard = StatusShard::open(&new_bytes, &keys, ISSUER).unwrap();
        let added: Vec<u16> = new.difference(&old).copied().collect();
        let removed: Vec<u16> = old.difference(&new).copied().collect();
        let changes = ShardChanges { base_seq: 5, added: &added, removed: &removed };
        let delta = changes.delta(&new_shard).unwrap();
        let mut out = vec![0x55; StatusShard::MAX_BYTES];
        let rebuilt = old_shard.apply(&delta, &keys, ISSUER, &mut out).unwrap();
        prop_assert_eq!(rebuilt.as_bytes(), new_bytes.as_slice());

        // To another version it leads nowhere.
        let mut out = vec![0; StatusShard::MAX_BYTES];
        let again = new_shard.apply(&delta, &keys, ISSUER, &mut out).err();
        prop_assert_eq!(again, Some(ShardError::Base { base_seq: 5, seq: 9 }));
    }

    /// Behind the signature: whatever is signed by mistake either is refused or is the one spelling of its set.
    #[test]
    fn what_opens_is_the_only_spelling_of_its_set(
        set in prop::collection::btree_set(any::<u16>(), 0..40),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut bytes = signed(5, &set);
        let body = bytes.len() - 64;
        // Behind magic and hint, which are looked at before the signature.
        let place = 12 + place.index(body - 12);
        bytes[place] ^= flip;
        bytes.truncate(body);
        let bytes = forge(bytes);
        if let Ok(shard) = StatusShard::open(&bytes, &keys(&[1]), ISSUER) {
            let revoked: Vec<u16> = shard.positions().collect();
            let new = NewShard {
                number: shard.number(),
                seq: shard.seq(),
                this_update: shard.this_update(),
                next_update: shard.next_update(),
                revoked: &revoked,
            };
            prop_assert_eq!(new.sign(&key(1), ISSUER).unwrap(), bytes);
        }
    }

    #[test]
    fn no_bit_of_a_shard_or_delta_can_be_flipped(
        set in prop::collection::btree_set(any::<u16>(), 1..40),
        place in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let keys = keys(&[1]);
        let (old, bytes) = (signed(5, &BTreeSet::new()), signed(6, &set));
        let mut changed = bytes.clone();
        changed[place.index(bytes.len())] ^= 1 << bit;
        prop_assert!(StatusShard::open(&changed, &keys, ISSUER).is_err());

        let old = StatusShard::open(&old, &keys, ISSUER).unwrap();
        let new = StatusShard::open(&bytes, &keys, ISSUER).unwrap();
        let added: Vec<u16> = set.into_iter().collect();
        let mut delta = ShardChanges { base_seq: 5, added: &added, removed: &[] }.delta(&new).unwrap();
        delta[place.index(bytes.len())] ^= 1 << bit;
        prop_assert!(old.apply(&delta, &keys, ISSUER, &mut [0; StatusShard::MAX_BYTES]).is_err());
    }
}

/// Signs a body of a shard by hand, as the documentation says it is signed.
fn forge(mut body: Vec<u8>) -> Vec<u8> {
    body.extend_from_slice(&Forge::new(1).sign_document("nexa status shard 1", &body));
    body
}

#[test]
fn rules_are_refused_by_name() {
    let set = BTreeSet::from([3, 9, 400]);
    let good = signed(5, &set);
    let trusted = keys(&[1]);
    let open = |bytes: &[u8]| StatusShard::open(bytes, &trusted, ISSUER).map(|shard| shard.len());
    assert_eq!(open(&good), Ok(3));

    assert_eq!(open(&[]), Err(ShardError::Length { bytes: 0 }));
    assert_eq!(open(&good[..108]), Err(ShardError::Length { bytes: 108 }));
    let bytes = StatusShard::MAX_BYTES + 1;
    assert_eq!(open(&vec![0; bytes]), Err(ShardError::Length { bytes }));
    assert_eq!(
        StatusShard::open(&good, &keys(&[2]), ISSUER).err(),
        Some(ShardError::UnknownKey)
    );
    assert_eq!(
        StatusShard::open(&good, &trusted, "https://other.example").err(),
        Some(ShardError::Signature(SignatureError::Mismatch))
    );

    let body = good[..good.len() - 64].to_vec();
    let changed = |place: usize, with: &[u8]| {
        let mut body = body.clone();
        body[place..place + with.len()].copy_from_slice(with);
        forge(body)
    };
    assert_eq!(forge(body.clone()), good, "the layout that is documented");
    assert_eq!(open(&changed(0, b"NXS2")), Err(ShardError::Magic));
    // this_update, next_update.
    assert_eq!(open(&changed(24, &[0xff; 8])), Err(ShardError::Times));
    assert_eq!(
        open(&changed(32, &1_000_u64.to_be_bytes())),
        Err(ShardError::Times)
    );
    let count = 65_537;
    assert_eq!(
        open(&changed(40, &u32::to_be_bytes(count))),
        Err(ShardError::Count { count })
    );
    assert_eq!(
        open(&changed(44, &[13])),
        Err(ShardError::Parameter {
            found: 13,
            expected: 14
        })
    );
    assert_eq!(
        open(&forge(body[..body.len() - 1].to_vec())),
        Err(ShardError::Truncated)
    );
    assert_eq!(
        open(&forge([&body[..], &[0]].concat())),
        Err(ShardError::Rest)
    );
    let mut padded = body.clone();
    *padded.last_mut().unwrap() |= 1;
    assert_eq!(open(&forge(padded)), Err(ShardError::Rest));
}

#[test]
fn deltas_that_do_not_fit_are_refused_by_name() {
    let trusted = keys(&[1]);
    let (old, new) = (
        signed(5, &BTreeSet::from([3, 9])),
        signed(6, &BTreeSet::from([9, 20])),
    );
    let old = StatusShard::open(&old, &trusted, ISSUER).unwrap();
    let new = StatusShard::open(&new, &trusted, ISSUER).unwrap();
    let apply = |added: &[u16], removed: &[u16]| {
        let changes = ShardChanges {
            base_seq: 5,
            added,
            removed,
        };
        let delta = changes.delta(&new).unwrap();
        let mut out = [0; StatusShard::MAX_BYTES];
        old.apply(&delta, &trusted, ISSUER, &mut out)
            .map(|shard| shard.seq())
    };
    assert_eq!(apply(&[20], &[3]), Ok(6));
    for (added, removed) in [
        (&[20][..], &[][..]),
        (&[], &[3]),
        (&[9], &[3]),
        (&[20], &[4]),
        (&[20, 21], &[3]),
    ] {
        assert_eq!(
            apply(added, removed),
            Err(ShardError::Changes),
            "{added:?} {removed:?}"
        );
    }
    // A plausible one that is not what was signed.
    assert_eq!(
        apply(&[21], &[3]),
        Err(ShardError::Signature(SignatureError::Mismatch))
    );
    let changes = ShardChanges {
        base_seq: 5,
        added: &[20],
        removed: &[3],
    };
    let delta = changes.delta(&new).unwrap();
    let small = old.apply(&delta, &trusted, ISSUER, &mut [0; 100]).err();
    assert_eq!(small, Some(ShardError::Length { bytes: 100 }));
    assert_eq!(
        changes.delta(&new).unwrap().len(),
        4 + 8 + 41 + 4 + 2 + 2 + 64
    );
    assert_eq!(
        old.apply(new.as_bytes(), &trusted, ISSUER, &mut [0; 100])
            .err(),
        Some(ShardError::Magic)
    );
}

#[test]
fn a_licence_is_looked_up_in_its_own_shard_only() {
    let bytes = signed(5, &BTreeSet::from([3]));
    let shard = StatusShard::open(&bytes, &keys(&[1]), ISSUER).unwrap();
    let lookup = |index, uri| shard.lookup("any", Some(&StatusRef { index, uri }));
    let at = at(1_000);
    for (uri, expected) in [
        (
            "https://a.example/status/7",
            RevocationStatus::Revoked { at },
        ),
        ("/7", RevocationStatus::Revoked { at }),
        ("https://a.example/status/17", RevocationStatus::NoData),
        ("https://a.example/status/07", RevocationStatus::NoData),
        ("https://a.example/status/7/", RevocationStatus::NoData),
        ("https://a.example/status/+7", RevocationStatus::NoData),
        (
            "https://a.example/status/4294967303",
            RevocationStatus::NoData,
        ),
        ("7", RevocationStatus::NoData),
    ] {
        assert_eq!(lookup(3, uri), expected, "{uri}");
    }
    let as_of = Some(at);
    assert_eq!(lookup(4, "/7"), RevocationStatus::NotRevoked { as_of });
    assert_eq!(shard.lookup("any", None), RevocationStatus::NoData);
}

#[test]
fn what_would_not_be_read_is_not_signed() {
    let new = NewShard {
        number: 0,
        seq: 1,
        this_update: at(10),
        next_update: at(11),
        revoked: &[4],
    };
    assert!(new.sign(&key(1), ISSUER).is_ok());
    for wrong in [
        NewShard {
            revoked: &[4, 4],
            ..new
        },
        NewShard {
            revoked: &[5, 4],
            ..new
        },
        NewShard {
            next_update: at(10),
            ..new
        },
        NewShard {
            next_update: UnixSeconds::EPOCH,
            ..new
        },
    ] {
        assert!(wrong.sign(&key(1), ISSUER).is_err(), "{wrong:?}");
    }
}
