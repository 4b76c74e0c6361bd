//! Clocks that are wrong, servers that are behind, keys that go: the client goes on asking, and forgets no revocation.

use nexa_core::StalePolicy;
use nexa_verify::{Client, Decision, ReceiveError, Scratch, State, Wanted, Why};

use crate::client::{at_home, daily, key_set, license, license_at, shard_by as shard};
use crate::{DAY_S, after};

const YEAR_S: u64 = 365 * DAY_S;

fn whole(number: u32) -> Wanted {
    Wanted::Shard {
        number,
        since: None,
    }
}

/// Code, decision and what is wanted, with the wall clock there.
fn look(
    client: &Client<'_>,
    state: &mut State,
    wall: u64,
    token: &str,
) -> (&'static str, Decision, Option<(Wanted, Why)>) {
    let mut scratch = Scratch::new();
    let wall = nexa_verify::UnixSeconds::new(wall).unwrap();
    let checked = client.check(state, wall, None, token.as_bytes(), &mut scratch);
    let next = checked
        .next_fetch()
        .map(|fetch| (fetch.document, fetch.why));
    (checked.verdict().code(), checked.decision(), next)
}

/// A client that has key set 10 (licences by 4, shards by 2) and shard 7 of version 20.
fn settled(token: &str, revoked: &[u16]) -> (Client<'static>, State) {
    let (client, mut state) = (at_home(), State::new());
    look(&client, &mut state, after(20).get(), token);
    let keys = key_set(10, &[4], &[2], &[]);
    client.receive(&mut state, Wanted::KeySet, &keys).unwrap();
    client
        .receive(&mut state, whole(7), &shard(7, 20, 2, revoked))
        .unwrap();
    (client, state)
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_revocations_away() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[]);
    // In the year 2000, day after day, with a program that runs for a moment only.
    let long_ago = 946_684_800;
    let mut asked = 0;
    for day in 0..3 {
        let wall = long_ago + day * DAY_S;
        let (_, _, next) = look(&client, &mut state, wall, &token);
        let (wanted, _) = next.expect("it goes on asking");
        assert!(matches!(wanted, Wanted::Shard { number: 7, .. }));
        client
            .receive(&mut state, wanted, &shard(7, 4_000 + day, 2, &[]))
            .unwrap();
        asked += 1;
        let (_, _, next) = look(&client, &mut state, wall, &token);
        assert_eq!(next, Some((Wanted::KeySet, Why::Old)));
        client
            .receive(
                &mut state,
                Wanted::KeySet,
                &key_set(11 + day, &[4], &[2], &[]),
            )
            .unwrap();
        assert_eq!(look(&client, &mut state, wall, &token).2, None);
        assert_eq!(look(&client, &mut state, wall + 59, &token).2, None);
    }
    assert_eq!(asked, 3);
    let wall = long_ago + 9 * DAY_S;
    client
        .receive(&mut state, whole(7), &shard(7, 9_000, 2, &[300]))
        .unwrap();
    assert_eq!(look(&client, &mut state, wall, &token).0, "revoked");
}

#[test]
fn what_came_while_the_clock_was_ahead_is_old_when_it_is_right_again() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = (at_home(), State::new());
    let ahead = after(20 + 10 * YEAR_S).get();
    look(&client, &mut state, ahead, &token);
    client
        .receive(&mut state, Wanted::KeySet, &key_set(10, &[4], &[2], &[]))
        .unwrap();
    let right = after(3_600).get();
    assert_eq!(
        look(&client, &mut state, right, &token).2,
        Some((whole(7), Why::Missing))
    );
    client
        .receive(&mut state, whole(7), &shard(7, 3_590, 2, &[]))
        .unwrap();
    // A licence by a key that has come since is not waited for until trusted time has moved.
    let next = license(5, daily(StalePolicy::Deny));
    assert_eq!(
        look(&client, &mut state, right, &next).2,
        Some((Wanted::KeySet, Why::UnknownKey))
    );
    client
        .receive(
            &mut state,
            Wanted::KeySet,
            &key_set(3_595, &[5, 4], &[2], &[]),
        )
        .unwrap();
    assert_eq!(
        look(&client, &mut state, right, &next),
        ("valid", Decision::Allow, None)
    );
}

/// The floor that a clock far ahead has left is taken back by the next document, so that fresh data is not two days old.
#[test]
fn a_service_that_hears_from_its_issuer_is_not_locked_out_by_one_wrong_look() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[]);
    look(&client, &mut state, after(60 + 10 * YEAR_S).get(), &token);
    for hour in 1..60 {
        let now = 60 + hour * 3_600;
        look(&client, &mut state, after(now).get(), &token);
        client
            .receive(&mut state, whole(7), &shard(7, now, 2, &[]))
            .unwrap();
        let seen = look(&client, &mut state, after(now).get(), &token);
        assert_eq!((seen.0, seen.1), ("valid", Decision::Allow), "hour {hour}");
    }
}

#[test]
fn a_revocation_outlives_the_key_that_signed_it() {
    let token = license(4, daily(StalePolicy::Warn));
    let (client, mut state) = settled(&token, &[300]);
    let now = after(100).get();
    assert_eq!(look(&client, &mut state, now, &token).0, "revoked");
    // The key set is there, and whoever serves it keeps the shard by the new key away.
    client
        .receive(&mut state, Wanted::KeySet, &key_set(90, &[4], &[6], &[]))
        .unwrap();
    for now in [now, after(2 * DAY_S).get(), after(20 * DAY_S).get()] {
        let (code, decision, next) = look(&client, &mut state, now, &token);
        assert_eq!((code, decision), ("revoked", Decision::Deny));
        assert!(next.is_some());
        let mut buffer = [0; State::MAX_BYTES];
        let kept = state.save(b"here", &mut buffer).unwrap();
        state = State::restore(kept, b"here").unwrap();
    }
    // Nor does a key set without any status key take it away.
    let mut other = state.clone();
    client
        .receive(&mut other, Wanted::KeySet, &key_set(94, &[4], &[], &[]))
        .unwrap();
    let now = after(20 * DAY_S).get();
    assert_eq!(look(&client, &mut other, now, &token).0, "revoked");
    // But not by a key that others may have had.
    client
        .receive(&mut state, Wanted::KeySet, &key_set(95, &[4], &[6], &[2]))
        .unwrap();
    let (code, _, next) = look(&client, &mut state, after(20 * DAY_S).get(), &token);
    assert_eq!(code, "revocation_data_old");
    assert_eq!(next, Some((whole(7), Why::UnknownStatusKey)), "at once");
}

#[test]
fn a_key_set_that_cannot_be_had_keeps_no_shard_waiting() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[]);
    // A byte of the key's hint was hit on the way.
    let mut hit = shard(7, 3_700, 2, &[]);
    hit[5] ^= 1;
    let now = after(3_700).get();
    look(&client, &mut state, now, &token);
    assert!(client.receive(&mut state, whole(7), &hit).is_err());
    let older = key_set(9, &[4], &[2], &[]);
    let mut received = 0;
    for minute in 1..10 {
        let wall = now + minute * 60;
        while let (_, _, Some((wanted, _))) = look(&client, &mut state, wall, &token) {
            match wanted {
                Wanted::KeySet => {
                    let refused = client.receive(&mut state, wanted, &older);
                    assert_eq!(refused, Err(ReceiveError::Older { seq: 9, seen: 10 }));
                }
                Wanted::Shard { .. } => {
                    client
                        .receive(&mut state, wanted, &shard(7, 3_700 + minute, 2, &[]))
                        .unwrap();
                    received += 1;
                }
            }
        }
    }
    assert_eq!(received, 1, "then it is fresh");
    assert_eq!(
        look(&client, &mut state, now + 600, &token),
        ("valid", Decision::Allow, None)
    );
}

#[test]
fn of_two_documents_of_one_version_the_first_stays() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[300]);
    let twice = client.receive(&mut state, whole(7), &shard(7, 20, 2, &[]));
    assert_eq!(twice, Err(ReceiveError::Twice { seq: 20 }));
    client
        .receive(&mut state, whole(7), &shard(7, 20, 2, &[300]))
        .unwrap();
    let twice = client.receive(&mut state, Wanted::KeySet, &key_set(10, &[4, 5], &[2], &[]));
    assert_eq!(twice, Err(ReceiveError::Twice { seq: 10 }));
    assert_eq!(
        look(&client, &mut state, after(21).get(), &token).0,
        "revoked"
    );
}

#[test]
fn another_licences_shard_makes_no_older_one_welcome() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[300]);
    for number in 8..15 {
        let other = license_at(4, daily(StalePolicy::Deny), number);
        // One shard a minute.
        let now = after(100 * u64::from(number)).get();
        let (_, _, next) = look(&client, &mut state, now, &other);
        assert_eq!(next, Some((whole(number), Why::Missing)));
        client
            .receive(&mut state, whole(number), &shard(number, 30, 2, &[]))
            .unwrap();
        assert_eq!(look(&client, &mut state, now + 1, &token).2, None);
        let older = client.receive(&mut state, whole(7), &shard(7, 19, 2, &[]));
        assert_eq!(
            older,
            Err(ReceiveError::Older { seq: 19, seen: 20 }),
            "{number}"
        );
        let mut buffer = [0; State::MAX_BYTES];
        let kept = state.save(b"here", &mut buffer).unwrap();
        state = State::restore(kept, b"here").unwrap();
    }
    // Nor does a licence that is over have one fetched.
    let over = license_at(4, daily(StalePolicy::Deny), 99);
    let (code, _, next) = look(&client, &mut state, after(40 * DAY_S).get(), &over);
    assert_eq!(
        (code, next.map(|(wanted, _)| wanted)),
        ("expired", Some(Wanted::KeySet))
    );
}

/// What is received after a restart came now, not in 1970.
#[test]
fn what_is_received_before_the_first_look_is_not_asked_for_again() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[]);
    let later = after(5_000).get();
    look(&client, &mut state, later, &token);
    let mut buffer = [0; State::MAX_BYTES];
    let kept = state.save(b"here", &mut buffer).unwrap();
    let mut state = State::restore(kept, b"here").unwrap();
    client
        .receive(&mut state, whole(7), &shard(7, 4_990, 2, &[]))
        .unwrap();
    assert_eq!(
        look(&client, &mut state, later + 1, &token),
        ("valid", Decision::Allow, None)
    );
}

/// What cannot be had is tried once a minute, whatever is wrong.
#[test]
fn a_network_that_fails_is_not_asked_for_ever() {
    let token = license(4, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[]);
    let now = after(5_000).get();
    look(&client, &mut state, now, &token);
    client
        .receive(&mut state, Wanted::KeySet, &key_set(90, &[4], &[6], &[]))
        .unwrap();
    let mut asked = [0, 0];
    for minute in 0..3 {
        while let (_, _, Some((wanted, _))) = look(&client, &mut state, now + 60 * minute, &token) {
            asked[usize::from(wanted == Wanted::KeySet)] += 1;
            assert!(asked[0] + asked[1] < 10, "{asked:?}");
            match minute {
                1 => assert!(
                    client
                        .receive(&mut state, wanted, &shard(9, 1, 6, &[]))
                        .is_err()
                ),
                _ => client.failed(&mut state, wanted),
            }
        }
    }
    assert_eq!(asked, [3, 2]);
}

/// A licence whose key is over and gone has the key set fetched every ten minutes at most.
#[test]
fn a_key_that_is_gone_is_not_looked_for_every_minute() {
    let token = license(5, daily(StalePolicy::Deny));
    let (client, mut state) = settled(&token, &[]);
    let mut asked = 0;
    for minute in 1..=24 * 60 {
        let wall = after(100 + minute * 60).get();
        while let (_, _, Some((wanted, _))) = look(&client, &mut state, wall, &token) {
            client
                .receive(&mut state, wanted, &key_set(10, &[4], &[2], &[]))
                .unwrap();
            asked += 1;
        }
    }
    assert_eq!(asked, 144);
    client
        .receive(&mut state, Wanted::KeySet, &key_set(11, &[4], &[2], &[]))
        .unwrap();
    let (_, _, next) = look(
        &client,
        &mut state,
        after(100 + 24 * 3_600 + 61).get(),
        &token,
    );
    assert_eq!(next, Some((Wanted::KeySet, Why::UnknownKey)));
}
