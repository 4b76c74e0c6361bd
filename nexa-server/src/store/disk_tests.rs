//! The engine and its files: full disks, long logs, what is left in them.

use std::path::Path;

use super::{
    engine::{
        Store,
        tests::{SCHEMA, group, ids, insert, open},
    },
    error::{OpenError, StoreError},
    tx::{Tx, Value},
    writer::CheckpointPolicy,
};

#[test]
fn nothing_is_chained_to_the_log_of_an_earlier_process() {
    let (scratch, store) = open();
    let backup = rusqlite::Connection::open(scratch.path().join("nexa.db")).unwrap();
    backup
        .execute_batch("BEGIN; SELECT count(*) FROM thing;")
        .unwrap();
    store.write(|tx| insert(tx, 1)).unwrap();
    store.close();
    let log = scratch.path().join("nexa.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);

    let store = Store::open(scratch.path(), SCHEMA).unwrap();
    assert_eq!(ids(&store), [1]);
    assert_eq!(store.write(|tx| insert(tx, 2)), Err(StoreError::Busy));
    backup.execute_batch("ROLLBACK").unwrap();
    store.write(|tx| insert(tx, 3)).unwrap();
    assert_eq!(ids(&store), [1, 3]);
}

#[test]
fn a_newer_or_foreign_file_is_refused_untouched() {
    let (scratch, store) = open();
    drop(store);
    assert!(matches!(
        Store::open(scratch.path(), &[]),
        Err(OpenError::Newer { found: 1, known: 0 })
    ));
    Store::open(scratch.path(), SCHEMA).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nexa.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (id INTEGER)")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        Store::open(folder.path(), SCHEMA),
        Err(OpenError::Foreign { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    std::fs::write(
        &path,
        b"this is not a database, and long enough to be looked at as one".repeat(20),
    )
    .unwrap();
    assert!(matches!(
        Store::open(folder.path(), SCHEMA),
        Err(OpenError::Store(StoreError::Sqlite { .. }))
    ));
}

/// Lets the database file grow no further, or again.
fn limit_pages(store: &Store, is_limited: bool) {
    let sql = if is_limited {
        "PRAGMA max_page_count=1"
    } else {
        "PRAGMA max_page_count=4294967294"
    };
    store
        .write(move |tx| tx.one(sql, &[], |row| row.int(0)))
        .unwrap();
}

fn insert_large(tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    let body = vec![7_u8; 100_000];
    let name = format!("large {id}");
    tx.execute(
        "INSERT INTO thing (id, name, body) VALUES (?1, ?2, ?3)",
        &[id.into(), (&name).into(), (&body).into()],
    )?;
    Ok(())
}

#[test]
fn a_full_disk_refuses_and_the_store_goes_on() {
    let (scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    limit_pages(&store, true);
    for is_swallowed in [false, true] {
        let answers = group(
            &store,
            vec![
                Box::new(|tx| insert(tx, 2)),
                Box::new(move |tx| match insert_large(tx, 3) {
                    Err(StoreError::Full) if is_swallowed => Ok(()),
                    other => other,
                }),
                Box::new(|tx| insert(tx, 4)),
            ],
        );
        // Whoever was told that it is written must find it, whoever was not must not.
        let kept = ids(&store);
        for (answer, id) in [(&answers[0], 2), (&answers[2], 4)] {
            assert_eq!(kept.contains(&id), answer.is_ok(), "{answers:?} {kept:?}");
            assert!(
                matches!(answer, Ok(()) | Err(StoreError::Full)),
                "{answers:?}"
            );
        }
        assert!(
            is_swallowed || answers[1] == Err(StoreError::Full),
            "{answers:?}"
        );
        assert!(!kept.contains(&3));
        assert!(!store.failed());
        store
            .write(|tx| tx.execute("DELETE FROM thing WHERE id > 1", &[]))
            .unwrap();
    }
    limit_pages(&store, false);
    store.write(|tx| insert_large(tx, 3)).unwrap();
    store.close();
    assert_eq!(ids(&Store::open(scratch.path(), SCHEMA).unwrap()), [1, 3]);
}

#[test]
fn a_vanished_transaction_is_acknowledged_to_nobody() {
    let (_scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    let answers = group(
        &store,
        vec![
            Box::new(|tx| insert(tx, 2)),
            // What SQLite does by itself on some errors, and the closure does not notice.
            Box::new(|tx| {
                let _ = tx.execute(
                    "INSERT OR ROLLBACK INTO thing (id, name) VALUES (1, 'again')",
                    &[],
                );
                Ok(())
            }),
            Box::new(|tx| insert(tx, 3)),
        ],
    );
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert_eq!(ids(&store), [1]);
    assert!(!store.failed());
    store.write(|tx| insert(tx, 4)).unwrap();
    assert_eq!(ids(&store), [1, 4]);
}

#[test]
fn a_long_log_is_emptied_between_groups() {
    let scratch = tempfile::tempdir().unwrap();
    let policy = CheckpointPolicy {
        groups: u64::MAX,
        log_bytes: 500_000,
    };
    let store = Store::open_with(scratch.path(), SCHEMA, policy).unwrap();
    let log_bytes = |folder: &Path| std::fs::metadata(folder.join("nexa.db-wal")).unwrap().len();
    let mut largest_bytes = 0;
    for id in 1..=30 {
        store.write(move |tx| insert_large(tx, id)).unwrap();
        largest_bytes = largest_bytes.max(log_bytes(scratch.path()));
    }
    // Each write is 100 kB; the log may pass the limit by the one that reaches it.
    assert!(
        (100_000..700_000).contains(&largest_bytes),
        "{largest_bytes}"
    );

    // A reader keeps the log, and holds nobody up.
    let path = scratch.path();
    store
        .read(|tx| {
            tx.one("SELECT count(*) FROM thing", &[], |row| row.int(0))?;
            for id in 101..=120 {
                store.write(move |tx| insert_large(tx, id))?;
            }
            assert!(log_bytes(path) > 1_000_000);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    for id in 201..=210 {
        store.write(move |tx| insert_large(tx, id)).unwrap();
    }
    assert!(log_bytes(path) < 700_000, "{}", log_bytes(path));
    assert_eq!(ids(&store).len(), 60);
}

#[test]
fn deleted_content_is_gone_from_the_file() {
    let (scratch, store) = open();
    let needle = b"a person who asked to be forgotten";
    let has = |path: &Path| {
        std::fs::read(path)
            .unwrap()
            .windows(needle.len())
            .any(|window| window == needle)
    };
    store
        .write(|tx| {
            let name = String::from_utf8(needle.to_vec()).unwrap();
            tx.execute(
                "INSERT INTO thing (id, name, body) VALUES (1, ?1, ?2)",
                &[(&name).into(), Value::Blob(&needle.repeat(500))],
            )
        })
        .unwrap();
    store.close();
    let database = scratch.path().join("nexa.db");
    assert!(has(&database));
    let store = Store::open(scratch.path(), SCHEMA).unwrap();
    store
        .write(|tx| tx.execute("DELETE FROM thing", &[]))
        .unwrap();
    store.close();
    assert!(!has(&database));
    assert!(!has(&scratch.path().join("nexa.db-wal")));
}

#[test]
fn reads_open_no_files() {
    let (scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    for name in ["nexa.db", "nexa.db-wal", "nexa.db-shm"] {
        std::fs::rename(
            scratch.path().join(name),
            scratch.path().join(format!("{name}.away")),
        )
        .unwrap();
    }
    // All at once, so that each has a connection of its own.
    let inside = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    store.read(|tx| {
                        inside.wait();
                        tx.one("SELECT count(*) FROM thing", &[], |row| row.int(0))
                    })
                })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), Ok(1));
        }
    });
}
