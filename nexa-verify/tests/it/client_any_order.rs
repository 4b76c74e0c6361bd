//! Whatever arrives in whatever order: a client never panics, never goes back, and comes to an end of asking.

use nexa_core::{KeySet, NewShard, ShardChanges, StalePolicy, StatusShard};
use nexa_verify::{Scratch, State, Wanted};
use rand_core::Rng as _;

use crate::client::{at_home, daily, key, key_set, license};
use crate::seeded::Seeded;
use crate::{ISSUER, after};

fn shard(number: u32, seq: u64, by: u64) -> Vec<u8> {
    let new = NewShard {
        number,
        seq,
        this_update: after(seq),
        next_update: after(seq + 600),
        revoked: &[u16::try_from(seq).unwrap()],
    };
    new.sign(&key(by), ISSUER).unwrap()
}

/// Key sets with either or both of two status keys, shards by either, deltas between any two of a shard.
fn documents() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (seq, status) in [(10, &[2][..]), (20, &[2, 6]), (30, &[6]), (40, &[])] {
        all.push(key_set(seq, &[4, 5], status, &[]));
        all.push(key_set(seq + 1, &[5], status, &[4]));
    }
    for number in [7, 8] {
        for by in [2, 6] {
            let keys = KeySet::from_keys(&[key(by).verification_key()]).unwrap();
            for seq in [100, 200, 300] {
                let bytes = shard(number, seq, by);
                let opened = StatusShard::open(&bytes, &keys, ISSUER).unwrap();
                for base_seq in [100, 200, 300] {
                    let changes = ShardChanges {
                        base_seq,
                        added: &[u16::try_from(seq).unwrap()],
                        removed: &[u16::try_from(base_seq).unwrap()],
                    };
                    all.extend(changes.delta(&opened));
                }
                all.push(bytes);
            }
        }
    }
    all
}

/// What may never go down: the key set's version, and the shard's while it is the same shard.
fn has_gone_back(before: &State, after: &State) -> bool {
    let is_older_shard = match (before.shard(), after.shard()) {
        (Some((number, seq)), Some((new_number, new_seq))) => number == new_number && new_seq < seq,
        (Some(_), None) => true,
        (None, _) => false,
    };
    is_older_shard
        || after.key_set_seq() < before.key_set_seq()
        || after.newest_signed() < before.newest_signed()
}

#[test]
fn whatever_arrives_a_client_never_goes_back_and_never_asks_for_ever() {
    let documents = documents();
    let tokens = [4, 5].map(|seed| license(seed, daily(StalePolicy::Deny)));
    let client = at_home();
    let mut scratch = Scratch::new();
    let mut buffer = [0; State::MAX_BYTES];
    let (mut key_sets, mut shards, mut deltas, mut refused, mut settled) = (0, 0, 0, 0, 0);
    for seed in 0..80 {
        let mut rng = Seeded::new(seed);
        let mut below = |end: usize| usize::try_from(rng.next_u32()).unwrap() % end;
        let (mut state, mut wall) = (State::new(), 1_000);
        let first = &documents[below(4)];
        client.receive(&mut state, Wanted::KeySet, first).unwrap();
        for _ in 0..40 {
            let before = state.clone();
            wall += [0, 1, 59, 60, 4_000][below(5)];
            let token = tokens[below(2)].as_bytes();
            let mut bytes = documents[below(documents.len())].clone();
            let wanted = match (below(4), bytes.starts_with(b"NXK1")) {
                (0, _) => Wanted::KeySet,
                (_, true) => Wanted::KeySet,
                (1, false) => Wanted::Shard {
                    number: 8,
                    since: None,
                },
                (_, false) => Wanted::Shard {
                    number: 7,
                    since: Some(100),
                },
            };
            match below(12) {
                0 => {
                    let place = below(bytes.len());
                    bytes[place] ^= 1 << below(8);
                }
                1 => bytes.truncate(below(bytes.len())),
                2 => bytes.fill(u8::try_from(below(256)).unwrap()),
                _ => {}
            }
            match client.receive(&mut state, wanted, &bytes) {
                Ok(()) if wanted == Wanted::KeySet => key_sets += 1,
                Ok(()) if StatusShard::is_delta(&bytes) => deltas += 1,
                Ok(()) => shards += 1,
                Err(_) => {
                    refused += 1;
                    assert_eq!(state.key_set_seq(), before.key_set_seq());
                    assert_eq!(state.shard(), before.shard());
                    assert_eq!(state.newest_signed(), before.newest_signed());
                }
            }
            let kept = state.save(b"here", &mut buffer).unwrap();
            let restored = State::restore(kept, b"here").unwrap();
            let mut both = [state.clone(), restored].map(|mut state| {
                let checked = client.check(&mut state, after(wall), None, token, &mut scratch);
                let fetch = checked.next_fetch().map(|fetch| fetch.to_string());
                (state, checked.verdict(), checked.decision(), fetch)
            });
            let (restored, alive) = both.split_last_mut().unwrap();
            let alive = &mut alive[0];
            assert_eq!(
                (restored.1, restored.2, &restored.3),
                (alive.1, alive.2, &alive.3)
            );
            state = alive.0.clone();
            assert!(!has_gone_back(&before, &state), "seed {seed}");

            // A server that has one answer to everything, and a clock that stands still: a program that stops at a
            // refusal it has seen before comes to an end.
            let mut tried = state.clone();
            let answers = [below(documents.len()), below(documents.len())];
            let mut refusals: Vec<Wanted> = Vec::new();
            for round in 0.. {
                assert!(round < 12, "seed {seed}: it asks for ever");
                let checked = client.check(&mut tried, after(wall), None, token, &mut scratch);
                let Some(fetch) = checked.next_fetch() else {
                    settled += 1;
                    break;
                };
                let answer = match fetch.document {
                    Wanted::KeySet => answers[0],
                    Wanted::Shard { .. } => answers[1],
                };
                let answer = &documents[answer];
                if client.receive(&mut tried, fetch.document, answer).is_err() {
                    if refusals.contains(&fetch.document) {
                        break;
                    }
                    refusals.push(fetch.document);
                }
            }
        }
    }
    // That all of it was met.
    let met = [key_sets, shards, deltas, refused, settled];
    assert!(met.iter().all(|count| *count >= 10), "{met:?}");
}
