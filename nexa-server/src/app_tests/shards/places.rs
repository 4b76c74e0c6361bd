//! Places in shards: drawn by chance, given back late, kept by a backup.

use std::collections::BTreeSet;

use nexa_core::StatusShard;

use super::super::{Fixture, START};
use super::{DAY_S, HOUR_S, ISSUER};
use crate::store::{MIGRATIONS, Store, backup};
use crate::testing::{self, SeededRng};
use crate::time::UnixMillis;

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

#[test]
fn a_backup_from_before_many_revocations_goes_on_with_newer_versions() {
    let mut fixture = Fixture::new();
    let token = fixture.owners_key();
    let all: Vec<_> = (0..200).map(|n| fixture.issue(&token, n)).collect();
    let copy = fixture.folder.path().join("copy.sqlite");
    backup(fixture.folder.path(), &copy).unwrap();
    for one in &all {
        fixture.revoke(&token, one);
    }
    let (seen, _, _) = fixture.opened();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&copy, folder.path().join(crate::store::DATABASE_FILE)).unwrap();
    let store = Store::open(folder.path(), MIGRATIONS).unwrap();
    fixture.now = START.plus_seconds(5);
    fixture.app = testing::app_at(store, fixture.now).0;
    fixture.folder = folder;
    fixture.run_errands();
    let (seq, _, revoked) = fixture.opened();
    assert!(seq > seen, "{seq} follows {seen}");
    assert!(
        revoked.is_empty(),
        "what was revoked after the backup is lost with it"
    );
}
