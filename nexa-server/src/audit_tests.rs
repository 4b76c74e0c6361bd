//! The audit trail as a whole: what the store refuses, what stands after races and erasures, and who sees it.

use std::collections::BTreeSet;
use std::path::Path;

use nexa_core::KeySet;

use crate::domain::Error;
use crate::domain::audit::checkpoint::{self, AuditKey, Checkpoint};
use crate::domain::audit::listing::{self, EventsBefore, SeenEvent};
use crate::domain::audit::verify::{Problem, Verification, verify};
use crate::domain::audit::{Act, Origin, erase_tenant, record};
use crate::domain::paging::Page;
use crate::domain::principal::{KeyPower, Member, Principal, Role, Via};
use crate::store::{DATABASE_FILE, MIGRATIONS, ReadOnly, Store, StoreError};
use crate::testing;
use crate::time::UnixMillis;

fn at(ms: i64) -> UnixMillis {
    UnixMillis::from_ms(ms)
}

fn member(tenant: &str, user: &str, role: Role, via: Via) -> Member {
    Member {
        tenant_id: tenant.to_owned(),
        user_id: user.to_owned(),
        role,
        via,
    }
}

fn session() -> Via {
    Via::Session {
        id: "session".to_owned(),
        version: 1,
    }
}

fn key(id: &str) -> Via {
    Via::Key {
        id: id.to_owned(),
        digest: [0; 32],
        power: KeyPower::Whole,
    }
}

fn of(member: Member, address: [u8; 4]) -> Origin {
    Origin {
        principal: Principal::Member(member),
        address: Some(address.into()),
    }
}

fn plain() -> Origin {
    of(
        member("tenant", "user", Role::Owner, session()),
        [192, 0, 2, 7],
    )
}

fn machine() -> Origin {
    Origin {
        principal: Principal::Machine,
        address: None,
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), MIGRATIONS).unwrap();
    (folder, store)
}

fn add(store: &Store, ms: i64, origin: &Origin, tenant: Option<&str>, subject: Option<&str>) {
    add_act(store, ms, origin, Act::KeyCreated, tenant, subject);
}

fn add_act(
    store: &Store,
    ms: i64,
    origin: &Origin,
    act: Act,
    tenant: Option<&str>,
    subject: Option<&str>,
) {
    let (origin, tenant, subject) = (
        origin.clone(),
        tenant.map(str::to_owned),
        subject.map(str::to_owned),
    );
    let added = store.write(move |tx| {
        record(
            tx,
            at(ms),
            &origin,
            act,
            tenant.as_deref(),
            subject.as_deref(),
        )
    });
    added.unwrap();
}

fn audit_key() -> AuditKey {
    AuditKey::new(testing::seeded_key(8))
}

fn keys() -> [KeySet; 1] {
    [KeySet::from_keys(&[audit_key().verification_key()]).unwrap()]
}

fn verified(folder: &Path, exported: &[Checkpoint]) -> Verification {
    let file = ReadOnly::open(&folder.join(DATABASE_FILE), MIGRATIONS).unwrap();
    verify(&file, &keys(), exported).unwrap()
}

fn run(store: &Store, sql: &str) -> Result<usize, StoreError> {
    let sql = sql.to_owned();
    store.write(move |tx| tx.execute(&sql, &[]))
}

/// Every column of every event.
fn rows(store: &Store) -> Vec<String> {
    let rows = store.read(|tx| -> Result<_, StoreError> {
        tx.all(
            "SELECT concat_ws('|', seq, at_ms, tenant_id, actor_kind, act, actor_id, user_id, subject_id, address,
                 hex(salt), hex(commitment), hex(hash)) FROM audit_events ORDER BY seq",
            &[],
            |row| row.text(0),
        )
    });
    rows.unwrap()
}

#[test]
fn the_audit_trail_is_append_only() {
    const COLUMNS: &str = "(seq, at_ms, tenant_id, actor_kind, act, salt, commitment, hash)";
    const BLOBS: &str = "zeroblob(16), zeroblob(32), zeroblob(32)";
    let (_folder, store) = store();
    for ms in 1..=3 {
        add(&store, ms, &plain(), Some("tenant"), Some("key"));
    }
    checkpoint::keep_last(&store, at(4), &audit_key()).unwrap();
    let before = rows(&store);
    let values = |seq: &str| format!("({seq}, 1, 'tenant', 'user', 'x', {BLOBS})");
    let mut refused = vec![
        "DELETE FROM audit_events".to_owned(),
        "DELETE FROM audit_events WHERE seq = 3".to_owned(),
        // In part, or too much.
        "UPDATE audit_events SET salt = NULL".to_owned(),
        "UPDATE audit_events SET address = NULL, salt = NULL".to_owned(),
        "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL".to_owned(),
        "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL, act = 'x'"
            .to_owned(),
        "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL, hash = NULL"
            .to_owned(),
        "UPDATE OR REPLACE audit_events SET seq = 3 WHERE seq = 2".to_owned(),
        "UPDATE audit_events SET rowid = 9 WHERE seq = 3".to_owned(),
        "UPDATE audit_checkpoints SET at_ms = 1".to_owned(),
        "DELETE FROM audit_checkpoints".to_owned(),
        "INSERT OR REPLACE INTO audit_checkpoints SELECT seq, hash, 1, kid, signature FROM audit_checkpoints".to_owned(),
        "INSERT INTO audit_checkpoints SELECT 2, hash, 1, kid, signature FROM audit_checkpoints".to_owned(),
        "INSERT INTO audit_checkpoints SELECT 4, hash, 1, kid, signature FROM audit_checkpoints".to_owned(),
    ];
    for column in ["at_ms", "seq"] {
        refused.push(format!("UPDATE audit_events SET {column} = {column} + 1"));
    }
    for column in [
        "tenant_id",
        "actor_kind",
        "act",
        "actor_id",
        "user_id",
        "subject_id",
        "address",
    ] {
        refused.push(format!("UPDATE audit_events SET {column} = 'other'"));
    }
    for column in ["salt", "commitment", "hash"] {
        refused.push(format!(
            "UPDATE audit_events SET {column} = randomblob(length({column}))"
        ));
    }
    for seq in ["NULL", "-1", "0", "1", "3", "5", "9223372036854775807"] {
        for how in ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE"] {
            refused.push(format!(
                "{how} INTO audit_events {COLUMNS} VALUES {}",
                values(seq)
            ));
        }
    }
    for missing in 0..3 {
        let mut blobs = ["zeroblob(16)", "zeroblob(32)", "zeroblob(32)"];
        blobs[missing] = "NULL";
        let [salt, commitment, hash] = blobs;
        refused.push(format!(
            "INSERT INTO audit_events {COLUMNS} VALUES (4, 1, 'tenant', 'user', 'x', {salt}, {commitment}, {hash})"
        ));
    }
    refused.push(format!(
        "INSERT INTO audit_events {COLUMNS} VALUES {} ON CONFLICT (seq) DO UPDATE SET act = 'x'",
        values("3")
    ));
    for sql in refused {
        assert!(run(&store, &sql).is_err(), "{sql}");
        assert_eq!(rows(&store), before, "{sql}");
    }
    for salt in [15, 17] {
        let sql = format!(
            "INSERT INTO audit_events {COLUMNS} VALUES (4, 1, NULL, 'user', 'x', zeroblob({salt}), zeroblob(32), zeroblob(32))"
        );
        assert!(run(&store, &sql).is_err(), "{sql}");
    }
    // What is left: the next one, and erasing.
    let next = format!("INSERT INTO audit_events {COLUMNS} VALUES {}", values("4"));
    assert_eq!(run(&store, &next), Ok(1));
    let erase = "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL";
    assert_eq!(run(&store, erase), Ok(4));
}

#[test]
fn writers_side_by_side_make_one_chain() {
    let (folder, store) = store();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..40 {
                    if n % 5 == 0 {
                        let undone = store.write(move |tx| {
                            record(tx, at(n), &machine(), Act::KeyDeleted, None, None)?;
                            Err::<(), _>(Error::NotFound { noun: "Key" })
                        });
                        assert!(undone.is_err());
                    }
                    add(store, thread, &plain(), Some("tenant"), Some("key"));
                }
            });
        }
        for n in 0..20 {
            checkpoint::keep_last(&store, at(n), &audit_key()).unwrap();
        }
    });
    checkpoint::keep_last(&store, at(99), &audit_key()).unwrap();
    let found = verified(folder.path(), &[]);
    assert_eq!((found.events, found.erased, found.fault), (320, 0, None));
    assert_eq!(found.stored.unwrap().point.seq, 320);
}

#[test]
fn erasure_keeps_the_proof_and_leaves_nobody_behind() {
    let (folder, store) = store();
    for n in 0..300 {
        let tenant = format!("tenant-{}", n % 3);
        let user = format!("zebra-user-{}", n % 3);
        let member = member(&tenant, &user, Role::Owner, key(&format!("zebra-key-{n}")));
        let origin = of(member, [203, 0, 113, (n % 3) as u8]);
        add(
            &store,
            n,
            &origin,
            Some(&tenant),
            Some(&format!("zebra-subject-{}-{n}", n % 3)),
        );
    }
    let exported = store
        .read(|tx| checkpoint::current(tx, at(400), &audit_key()))
        .unwrap();
    let listed = |tenant: &str| list_all(&store, &member(tenant, "u", Role::Owner, session()));
    let others = listed("tenant-0");
    for _ in 0..2 {
        erase_tenant(&store, "tenant-1").unwrap();
    }
    let begun = |tenant| add_act(&store, 401, &plain(), Act::ErasureBegun, tenant, None);
    for another in [None, Some("tenant-2")] {
        begun(another);
        let found = verified(folder.path(), std::slice::from_ref(&exported));
        let fault = found.fault.map(|fault| (fault.seq, fault.problem));
        assert_eq!(fault, Some((2, Problem::ErasedWithoutErasure)));
        assert_eq!((found.events, found.exported), (1, None), "{another:?}");
    }
    begun(Some("tenant-1"));
    erase_tenant(&store, "tenant-1").unwrap();
    add(&store, 402, &machine(), Some("tenant-1"), None);

    let found = verified(folder.path(), std::slice::from_ref(&exported));
    assert_eq!((found.events, found.erased, found.fault), (304, 101, None));
    assert_eq!(found.exported, Some(exported));
    assert_eq!(listed("tenant-0"), others, "of others nothing is erased");
    let erased = listed("tenant-1");
    assert_eq!(erased.len(), 102);
    assert!(erased.iter().all(|event| event.1.is_none()), "no actor");

    store.close();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for (needle, is_there) in [
            ("203.0.113.1", false),
            ("zebra-user-1", false),
            ("zebra-subject-1-", false),
            ("zebra-user-2", true),
        ] {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(!found || is_there, "{needle} is still in the file");
        }
    }
}

#[test]
fn a_checkpoint_is_kept_when_there_is_something_new_and_an_hour_has_passed() {
    const HOUR: i64 = 3_600_000;
    let (_folder, store) = store();
    let key = audit_key();
    let kept = || {
        let newest = store.read(crate::store::audit::newest_checkpoint).unwrap();
        newest.map(|(seq, at, _)| (seq, at.ms()))
    };
    let due = |ms| checkpoint::keep_when_due(&store, at(ms), &key).unwrap();
    due(HOUR);
    checkpoint::keep_last(&store, at(HOUR), &key).unwrap();
    assert_eq!(kept(), None, "there is nothing yet");
    add(&store, HOUR, &machine(), None, None);
    due(HOUR);
    assert_eq!(kept(), Some((1, HOUR)));
    due(3 * HOUR);
    assert_eq!(kept(), Some((1, HOUR)), "nothing is new");
    add(&store, 3 * HOUR, &machine(), None, None);
    add(&store, 3 * HOUR, &machine(), None, None);
    due(2 * HOUR - 1);
    assert_eq!(kept(), Some((1, HOUR)), "the hour is not over");
    due(2 * HOUR);
    assert_eq!(kept(), Some((3, 2 * HOUR)));
    add(&store, 3 * HOUR, &machine(), None, None);
    due(HOUR);
    assert_eq!(kept(), Some((4, HOUR)), "the clock has stepped back");
    add(&store, HOUR, &machine(), None, None);
    checkpoint::keep_last(&store, at(HOUR), &key).unwrap();
    assert_eq!(kept(), Some((5, HOUR)));
}

/// An id, an actor and an address.
type Shown = (String, Option<String>, Option<String>);

/// The whole list, by pages of some size.
fn list_by(store: &Store, member: &Member, limit: u32) -> Result<Vec<Shown>, Error> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = Page { limit, before };
        let paged = store.read(|tx| listing::list(tx, member, &page))?;
        let row = |event: SeenEvent| (event.id, event.actor_id, event.address);
        all.extend(paged.items.into_iter().map(row));
        match paged.next {
            Some(id) => before = Some(EventsBefore::Event(id)),
            None => return Ok(all),
        }
    }
}

fn list_all(store: &Store, member: &Member) -> Vec<Shown> {
    list_by(store, member, 1_000).unwrap()
}

#[test]
fn no_event_is_lost_between_pages_even_of_one_millisecond() {
    let (_folder, store) = store();
    let owner = member("tenant", "owner", Role::Owner, session());
    for n in 0..60 {
        // The clock stands still, and then steps back.
        let ms = if n < 40 { 5_000 } else { 4_000 + n / 10 };
        add(&store, ms, &plain(), Some("tenant"), None);
        add(&store, ms, &plain(), Some("another"), None);
    }
    let all = list_all(&store, &owner);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 60);
    for limit in [1, 2, 7, 39, 40, 41, 59, 60, 61] {
        assert_eq!(list_by(&store, &owner, limit).unwrap(), all, "{limit}");
    }
    let before = |before| {
        let page = Page {
            limit: 100,
            before: Some(before),
        };
        store
            .read(|tx| listing::list(tx, &owner, &page))
            .map(|paged| paged.items.len())
    };
    for (ms, earlier) in [(5_001, 60), (5_000, 20), (4_005, 10), (4_004, 0), (0, 0)] {
        assert_eq!(
            before(EventsBefore::Instant(at(ms))).unwrap(),
            earlier,
            "{ms}"
        );
    }
    // Nothing of others can be gone on from.
    let foreign = list_all(&store, &member("another", "o", Role::Owner, session()));
    for id in [
        foreign[0].0.as_str(),
        "00000000-1388-7000-8000-000000000000",
        "018f0000-0000-7000-8000-000000000000",
        "ffffffff-ffff-7fff-bfff-ffffffffffff",
    ] {
        let refused = before(EventsBefore::Event(id.to_owned()));
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{id}");
    }
}

#[test]
fn everybody_sees_what_is_theirs() {
    let (_folder, store) = store();
    let mine = |via| member("tenant", "mine", Role::Member, via);
    let operator = Origin {
        principal: Principal::Operator {
            key_id: "operator".to_owned(),
        },
        address: Some([198, 51, 100, 1].into()),
    };
    let stranger = Origin {
        principal: Principal::Anyone,
        address: Some([198, 51, 100, 2].into()),
    };
    let boss = of(
        member("tenant", "boss", Role::Owner, session()),
        [198, 51, 100, 3],
    );
    let agent = Via::Secret {
        key_id: "key-2".to_owned(),
        value: 0,
        version: 1,
    };
    for (ms, origin, tenant, subject) in [
        (
            1,
            of(mine(session()), [10, 0, 0, 1]),
            Some("tenant"),
            Some("x"),
        ),
        (
            2,
            of(mine(key("key-1")), [10, 0, 0, 2]),
            Some("tenant"),
            None,
        ),
        (
            3,
            of(mine(agent), [10, 0, 0, 3]),
            Some("tenant"),
            Some("mine"),
        ),
        (4, boss.clone(), Some("tenant"), Some("mine")),
        (5, operator, Some("tenant"), Some("mine")),
        (6, stranger.clone(), Some("tenant"), Some("mine")),
        (7, boss, Some("tenant"), Some("boss")),
        (8, stranger, None, None),
        // The same ids in another tenant.
        (
            9,
            of(
                member("another", "mine", Role::Member, session()),
                [10, 0, 0, 9],
            ),
            Some("another"),
            Some("mine"),
        ),
    ] {
        add(&store, ms, &origin, tenant, subject);
    }
    let seen = |member: &Member| -> Vec<(i64, Option<String>, Option<String>)> {
        let page = Page {
            limit: 100,
            before: None,
        };
        let paged = store.read(|tx| listing::list(tx, member, &page)).unwrap();
        let row = |event: SeenEvent| (event.at.ms(), event.actor_id, event.address);
        paged.items.into_iter().map(row).collect()
    };
    let event = |ms, actor: &str, address: &str| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (ms, some(actor), some(address))
    };
    let own = [
        event(6, "", "198.51.100.2"),
        event(5, "", ""),
        event(4, "boss", ""),
        event(3, "key-2", "10.0.0.3"),
        event(2, "key-1", "10.0.0.2"),
        event(1, "mine", "10.0.0.1"),
    ];
    assert_eq!(seen(&mine(session())), own);
    assert_eq!(seen(&mine(key("key-9"))), own);
    for role in [Role::Owner, Role::Admin] {
        let mut all = own.to_vec();
        all[2].2 = Some("198.51.100.3".to_owned());
        all.insert(0, event(7, "boss", "198.51.100.3"));
        assert_eq!(seen(&member("tenant", "boss", role, session())), all);
    }
    assert_eq!(
        seen(&member("another", "mine", Role::Member, session())),
        [event(9, "mine", "10.0.0.9")]
    );
    assert_eq!(seen(&member("third", "mine", Role::Owner, session())), []);
}
