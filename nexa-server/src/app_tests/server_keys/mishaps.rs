//! Files that are lost, keys that are mixed up, clocks that were wrong and backups that are restored: the server starts, signs, and
//! can go back.

use nexa_core::sign_key_set;

use super::*;
use crate::store::{DATABASE_FILE, backup};

fn given(license: SigningKey, status: Option<SigningKey>) -> Given {
    Given {
        license: Some(license),
        status,
        audit: testing::seeded_key(8).verification_key(),
    }
}

#[test]
fn a_start_that_is_refused_leaves_nothing_behind() {
    let mut world = World::new();
    let (license, old) = world.issue("one");
    let status = || Some(testing::seeded_key(9));
    for (license, root) in [
        // Another server's keys; the root key in two places; a signing key that is the status key.
        (testing::seeded_key(70), testing::seeded_key(71)),
        (root_key(), root_key()),
        (testing::seeded_key(9), root_key()),
    ] {
        let refused = world.restart_with(Some(root), given(license, status()));
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
    let refused = world.restart_with(
        Some(testing::seeded_key(71)),
        given(testing::seeded_key(7), None),
    );
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    assert!(
        files(world.fixture.folder.path()).is_empty(),
        "nor a status key"
    );
    world.restart(Some(root_key())).unwrap();
    assert_eq!(world.jwks(), [old]);
    assert_eq!(world.verdicts(&license, "one"), ["valid"; 2]);
}

#[test]
fn a_key_that_was_put_in_its_place_by_mistake_gives_it_back() {
    let mut world = World::new();
    let (license, old) = world.issue("one");
    let status = || Some(testing::seeded_key(9));
    world
        .restart_with(Some(root_key()), given(testing::seeded_key(70), status()))
        .unwrap();
    let (by_other, other) = world.issue("two");
    assert_eq!(world.jwks(), [other.clone(), old.clone()]);
    world.restart(Some(root_key())).unwrap();
    assert_eq!(world.jwks(), [old.clone(), other]);
    assert_eq!(world.verdicts(&license, "one"), ["valid"; 2]);
    assert_eq!(world.verdicts(&by_other, "two"), ["valid"; 2]);
    assert_eq!(world.issue("one").1, old);
}

#[test]
fn a_waiting_key_whose_file_is_lost_never_signs() {
    for key_use in ["license", "status"] {
        let mut world = World::new();
        let (_, old) = world.issue("one");
        let new = world.rotate(key_use, 24);
        std::fs::remove_file(world.file(&new)).unwrap();
        world.at(HOUR_S).restart(Some(root_key())).unwrap();
        world.at(2 * DAY_S).tick();
        assert_eq!(world.shown(&new)["state"], "waiting");
        assert_eq!(world.issue("one").1, old);
        // A leaked key has a successor all the same, and another one can wait.
        if key_use == "license" {
            assert_eq!(world.revoke(&old), 200);
            assert_ne!(world.issue("one").1, new);
        }
        assert_eq!(world.revoke(&new), 200);
        world.rotate(key_use, 24);
    }
}

#[test]
fn without_the_files_of_later_keys_the_first_one_signs_again() {
    let mut world = World::new();
    let (license, old) = world.issue("one");
    world.rotate("license", 0);
    world.at(5).tick();
    let (lost, _) = world.issue("two");
    std::fs::remove_dir_all(world.fixture.folder.path().join("keys")).unwrap();
    world.restart(Some(root_key())).unwrap();
    assert_eq!(world.issue("three").1, old);
    for (license, device) in [(&license, "one"), (&lost, "two")] {
        assert_eq!(world.verdicts(license, device), ["valid"; 2]);
    }
}

#[test]
fn a_change_that_memory_missed_reaches_it_in_the_next_round() {
    let mut world = World::new();
    let (_, old) = world.issue("one");
    let session = world.fixture.sign_up();
    let services = world.fixture.app.services();
    let (now, mut rng) = (world.fixture.now, testing::SeededRng::new(77));
    let new = services.ring.draw(&mut rng).unwrap();
    let (ring, kid) = (std::sync::Arc::clone(&services.ring), old.clone());
    let done = services.store.write(move |tx| -> Result<_, Error> {
        let origin = crate::domain::audit::Origin {
            principal: crate::domain::principal::Principal::Machine,
            address: None,
        };
        let is_used = server_keys::revoke(tx, now, &origin, &kid, &new, |kid| ring.is_here(kid))?;
        ring.publish(tx, now)?;
        Ok(is_used)
    });
    assert!(done.unwrap());
    world.tick();
    let (token, kid) = world.issue("two");
    assert_eq!(world.jwks(), [kid]);
    assert_eq!(world.verdicts(&token, "two"), ["valid"; 2]);
    let (status, _) = world
        .fixture
        .send("GET", "/api/auth/me", &session, &Value::Null);
    assert_eq!(status, 401);
}

#[test]
fn a_key_set_that_is_full_keeps_room_for_keys_that_take_over_at_once() {
    let mut world = World::new();
    world.issue("one");
    let (mut at, mut count) = (0, 0);
    loop {
        let body = json!({ "use": "license", "inHours": 0, "keepDays": 400 });
        let (status, refused) = world.at(at).operate("POST", "/rotate", &body);
        if status != 201 {
            assert_eq!(status, 409, "{refused}");
            break;
        }
        (at, count) = (at + 100, count + 1);
        world.at(at - 50).tick();
    }
    assert_eq!(count, 11, "with the first ones of three uses");
    let signing = world.jwks().swap_remove(0);
    assert_eq!(world.revoke(&signing), 200);
    // The file of the status key is lost, and another signing key is put in its place, again and again.
    let key = |seed| given(testing::seeded_key(seed), None);
    for seed in 80..86 {
        world.restart_with(Some(root_key()), key(seed)).unwrap();
        world.at(at + i64::try_from(seed).unwrap());
        let (token, _) = world.issue("one");
        assert_eq!(world.verdicts(&token, "one"), ["valid"; 2]);
    }
    let bytes = world.bytes("/.well-known/nexa-keyset");
    let set = SignedKeySet::open(&bytes, &root_key().verification_key(), ISSUER).unwrap();
    assert_eq!(set.contents().keys().count(), KeySet::MAX_KEYS);
}

#[test]
fn a_restored_backup_publishes_a_newer_key_set() {
    let mut world = World::new();
    world.issue("one");
    let folder = world.fixture.folder.path().to_owned();
    let copy = folder.join("copy");
    backup(&folder, &copy).unwrap();
    world.at(60).rotate("license", 0);
    world.at(120).tick();
    let (seen, _) = world.key_set(KeyUse::License);
    drop(std::mem::replace(
        &mut world.fixture.app,
        testing::app(|_| {}).0,
    ));
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .is_some_and(|name| name.to_str().unwrap().starts_with(DATABASE_FILE))
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::rename(&copy, folder.join(DATABASE_FILE)).unwrap();
    world.at(HOUR_S).restart(Some(root_key())).unwrap();
    assert!(world.key_set(KeyUse::License).0 > seen);
}

#[test]
fn what_was_signed_while_the_clock_was_ahead_keeps_nothing_waiting() {
    let mut world = World::new();
    world.at(30 * DAY_S).rotate("license", 0);
    world.at(30 * DAY_S + 5).tick();
    let waiting = world.rotate("license", 1);
    // It is right again.
    world.at(600).tick();
    let (token, _) = world.issue("one");
    assert_eq!(world.verdicts(&token, "one"), ["valid"; 2]);
    world.at(600 + HOUR_S).tick();
    let (token, kid) = world.issue("one");
    assert_eq!(
        (kid, world.verdicts(&token, "one")),
        (waiting, ["valid"; 2])
    );
    world.restart(None).unwrap();
    let (_, old) = world.issue("one");
    assert_eq!(world.revoke(&old), 200);
    let (_, shown) = world.operate("GET", "", &Value::Null);
    let draft = URL_SAFE_NO_PAD
        .decode(shown["draft"].as_str().unwrap())
        .unwrap();
    let signed = sign_key_set(&draft, &root_key(), ISSUER).unwrap();
    let body = json!({ "keySet": URL_SAFE_NO_PAD.encode(signed) });
    let (status, imported) = world.operate("PUT", "", &body);
    assert_eq!(status, 200, "{imported}");
    assert_eq!(
        world.verdicts(&token, "one"),
        ["kid_revoked", "unknown_key"]
    );
}

#[test]
fn what_was_issued_elsewhere_is_kept_from_the_take_over_on() {
    let mut world = World::new();
    let (_, old) = world.issue("one");
    world.restart(None).unwrap();
    let body = json!({ "use": "license", "inHours": 24, "keepDays": 60 });
    assert_eq!(world.operate("POST", "/rotate", &body).0, 201);
    world.at(40 * DAY_S).restart(Some(root_key())).unwrap();
    world.at(41 * DAY_S).tick();
    let until = START.plus_seconds(101 * DAY_S).to_rfc3339();
    assert_eq!(world.shown(&old)["verifiesUntil"], until);
}

#[test]
fn a_lost_status_key_has_a_successor_that_the_root_key_vouches_for() {
    let mut world = World::new();
    world.issue("one");
    let lost = || given(testing::seeded_key(7), None);
    let served = |world: &mut World| {
        job::errands::go_on(world.fixture.app.services(), world.fixture.now);
        let (_, keys) = world.key_set(KeyUse::Status);
        let bytes = world.bytes("/api/licenses/status/0/shard");
        StatusShard::open(&bytes, &keys, ISSUER).err()
    };
    // Without the root key nobody can know the successor; the file that is put back signs again.
    world.restart_with(None, lost()).unwrap();
    assert_eq!(served(&mut world), Some(nexa_core::ShardError::UnknownKey));
    world.restart(None).unwrap();
    assert_eq!(served(&mut world), None);
    world.restart_with(Some(root_key()), lost()).unwrap();
    assert_eq!(served(&mut world), None);
}
