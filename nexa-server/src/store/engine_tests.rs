//! The engine as its callers see it.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use tempfile::TempDir;

use super::*;

pub(in crate::store) const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;
          CREATE TABLE thing (
              id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body BLOB, parent_id INTEGER REFERENCES parent (id),
              CHECK (id > 0)
          ) STRICT;",
}];

pub(in crate::store) fn open() -> (TempDir, Store) {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path(), SCHEMA).unwrap();
    (scratch, store)
}

pub(in crate::store) fn insert(tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    let name = format!("thing {id}");
    tx.execute(
        "INSERT INTO thing (id, name) VALUES (?1, ?2)",
        &[id.into(), (&name).into()],
    )?;
    Ok(())
}

pub(in crate::store) fn ids(store: &Store) -> Vec<i64> {
    store
        .read(|tx| tx.all("SELECT id FROM thing ORDER BY id", &[], |row| row.int(0)))
        .unwrap()
}

/// Occupies the writer thread while `during` runs and then until all `writes` of it are queued, so that they form
/// one group (after the one that waits here).
fn queued_together<T: Send>(store: &Store, writes: usize, during: impl FnOnce() -> T + Send) -> T {
    let (entered, is_entered) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let blocker = scope.spawn(move || {
            store.write(move |_| {
                entered.send(()).unwrap();
                is_released.recv().unwrap();
                Ok::<(), StoreError>(())
            })
        });
        is_entered.recv().unwrap();
        let work = scope.spawn(during);
        while store.waiting_writes() < writes {
            thread::yield_now();
        }
        release.send(()).unwrap();
        blocker.join().unwrap().unwrap();
        work.join().unwrap()
    })
}

type Closure = Box<dyn FnOnce(&Tx<'_>) -> Result<(), StoreError> + Send>;

/// Each closure on a thread of its own, in one group, in this order; their answers.
pub(in crate::store) fn group(
    store: &Store,
    closures: Vec<Closure>,
) -> Vec<Result<(), StoreError>> {
    let writes = closures.len();
    queued_together(store, writes, || {
        thread::scope(|scope| {
            let mut callers = Vec::new();
            for (earlier, closure) in closures.into_iter().enumerate() {
                while store.waiting_writes() < earlier {
                    thread::yield_now();
                }
                callers.push(scope.spawn(move || store.write(closure)));
            }
            callers
                .into_iter()
                .map(|caller| caller.join().unwrap())
                .collect()
        })
    })
}

#[test]
fn what_was_written_is_there_after_reopening() {
    let (scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    store.close();
    let store = Store::open(scratch.path(), SCHEMA).unwrap();
    assert_eq!(ids(&store), [1]);
}

#[test]
fn many_writers_share_commits() {
    let (_scratch, store) = open();
    let before = store.commits();
    let answers = group(
        &store,
        (1..=100)
            .map(|id| -> Closure { Box::new(move |tx| insert(tx, id)) })
            .collect(),
    );
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(ids(&store).len(), 100);
    // The one that held the thread, and one for the hundred.
    assert_eq!(store.commits() - before, 2);
}

#[test]
fn a_group_has_an_upper_bound() {
    let (_scratch, store) = open();
    let before = store.commits();
    let answers = group(
        &store,
        (1..=300)
            .map(|id| -> Closure { Box::new(move |tx| insert(tx, id)) })
            .collect(),
    );
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(store.commits() - before, 3);
}

#[test]
fn a_failing_neighbour_is_undone_alone() {
    let (_scratch, store) = open();
    let answers = group(
        &store,
        vec![
            Box::new(|tx| insert(tx, 1)),
            Box::new(|tx| {
                insert(tx, 2)?;
                insert(tx, 1)
            }),
            Box::new(|tx| {
                insert(tx, 3)?;
                panic!("a bug in a closure");
            }),
            Box::new(|tx| {
                insert(tx, 4)?;
                Err(StoreError::NoRow)
            }),
            // Swallows its error: the statement alone is undone.
            Box::new(|tx| {
                let _ = insert(tx, 1);
                insert(tx, 5)
            }),
            Box::new(|tx| insert(tx, 6)),
        ],
    );
    assert_eq!(
        answers,
        [
            Ok(()),
            Err(StoreError::UniqueViolation {
                columns: "thing.id".to_owned()
            }),
            Err(StoreError::Panicked),
            Err(StoreError::NoRow),
            Ok(()),
            Ok(()),
        ]
    );
    assert_eq!(ids(&store), [1, 5, 6]);
    assert_eq!(store.commits(), 2);
}

#[test]
fn violations_have_names() {
    let (_scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    for (sql, expected) in [
        (
            "INSERT INTO thing (id, name) VALUES (2, 'thing 1')",
            StoreError::UniqueViolation {
                columns: "thing.name".to_owned(),
            },
        ),
        (
            "INSERT INTO thing (id, name, parent_id) VALUES (2, 'x', 9)",
            StoreError::ForeignKey,
        ),
        (
            "INSERT INTO thing (id, name) VALUES (-1, 'x')",
            StoreError::Constraint {
                message: "CHECK constraint failed: id > 0".to_owned(),
            },
        ),
        (
            "INSERT INTO thing (id, name) VALUES (2, NULL)",
            StoreError::Constraint {
                message: "NOT NULL constraint failed: thing.name".to_owned(),
            },
        ),
        (
            "INSERT INTO thing (id, name) VALUES (2, x'00')",
            StoreError::Constraint {
                message: "cannot store BLOB value in TEXT column thing.name".to_owned(),
            },
        ),
    ] {
        assert_eq!(
            store.write(move |tx| tx.execute(sql, &[])),
            Err(expected),
            "{sql}"
        );
    }
    assert_eq!(ids(&store), [1]);
}

#[test]
fn a_read_sees_one_committed_moment() {
    let (_scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    let reader = store.clone();
    let seen = store.write(move |tx| {
        insert(tx, 2)?;
        Ok::<_, StoreError>(ids(&reader))
    });
    assert_eq!(seen.unwrap(), [1]);
    let seen = store.read(|tx| {
        let count = |tx: &Tx<'_>| tx.one("SELECT count(*) FROM thing", &[], |row| row.int(0));
        let first = count(tx)?;
        store.write(|tx| insert(tx, 3))?;
        Ok::<_, StoreError>((first, count(tx)?))
    });
    assert_eq!(seen.unwrap(), (2, 2));
    assert_eq!(ids(&store), [1, 2, 3]);
}

#[test]
fn a_read_cannot_write_and_a_panic_in_it_costs_nothing() {
    let (_scratch, store) = open();
    assert!(store.read(|tx| insert(tx, 1)).is_err());
    for _ in 0..50 {
        let answer: Result<(), StoreError> = store.read(|tx| {
            tx.one("SELECT 1", &[], |row| row.int(0))?;
            panic!("a bug in a closure")
        });
        assert_eq!(answer, Err(StoreError::Panicked));
    }
    assert!(ids(&store).is_empty());
}

#[test]
fn more_readers_than_connections_take_turns() {
    let (_scratch, store) = open();
    store.write(|tx| insert(tx, 1)).unwrap();
    let threads = 40;
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                for _ in 0..20 {
                    assert_eq!(ids(&store), [1]);
                }
            });
        }
    });
}

#[test]
fn a_write_inside_a_write_is_refused() {
    let (_scratch, store) = open();
    let inner = store.clone();
    let answer = store.write(move |_| inner.write(|tx| insert(tx, 1)));
    assert!(
        matches!(answer, Err(StoreError::Misuse { .. })),
        "{answer:?}"
    );
}

#[test]
fn the_last_handle_may_end_inside_a_closure() {
    let (scratch, store) = open();
    let (handed, taken) = mpsc::channel();
    let last = store.clone();
    let caller = thread::spawn(move || {
        let inner = store.inner.writer.write(move |tx| {
            let () = taken.recv().unwrap();
            drop(last);
            insert(tx, 1)
        });
        drop(store);
        inner
    });
    handed.send(()).unwrap();
    caller.join().unwrap().unwrap();
    assert_eq!(ids(&Store::open(scratch.path(), SCHEMA).unwrap()), [1]);
}

#[test]
fn closing_ends_it_for_every_handle() {
    let (scratch, store) = open();
    let other = store.clone();
    store.write(|tx| insert(tx, 1)).unwrap();
    store.close();
    assert_eq!(
        other.write(|tx| insert(tx, 2)),
        Err(StoreError::Unavailable)
    );
    assert_eq!(
        other.read(|tx| tx.optional("SELECT 1", &[], |row| row.int(0))),
        Err(StoreError::Unavailable)
    );
    assert!(!other.failed());
    let log = scratch.path().join("nexa.db-wal");
    assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0);
    assert_eq!(ids(&Store::open(scratch.path(), SCHEMA).unwrap()), [1]);
}

#[test]
fn a_second_opener_is_refused() {
    let (scratch, store) = open();
    assert!(matches!(
        Store::open(scratch.path(), SCHEMA),
        Err(OpenError::InUse { .. })
    ));
    drop(store);
    Store::open(scratch.path(), SCHEMA).unwrap();
}

#[test]
fn a_long_queue_is_answered_with_busy() {
    let (_scratch, store) = open();
    let (writes, extra) = (1024, 8);
    let refused = queued_together(&store, writes, || {
        thread::scope(|scope| {
            let callers: Vec<_> = (1..=(writes + extra) as i64)
                .map(|id| {
                    let store = &store;
                    thread::Builder::new()
                        .stack_size(64 * 1024)
                        .spawn_scoped(scope, move || store.write(move |tx| insert(tx, id)))
                        .unwrap()
                })
                .collect();
            callers
                .into_iter()
                .map(|caller| caller.join().unwrap())
                .filter(|answer| answer == &Err(StoreError::Busy))
                .count()
        })
    });
    assert_eq!(ids(&store).len() + refused, writes + extra);
}

#[test]
fn what_is_written_beside_a_rewriting_of_the_file_is_kept() {
    let (scratch, store) = open();
    let filling = vec![7; 4_000];
    let filled = store.write(move |tx| {
        for id in 1..=2_000 {
            insert(tx, id)?;
            tx.execute(
                "UPDATE thing SET body = ?2 WHERE id = ?1",
                &[id.into(), filling.as_slice().into()],
            )?;
        }
        Ok::<(), StoreError>(())
    });
    filled.unwrap();
    let removed = store.write(|tx| tx.execute("DELETE FROM thing WHERE id > 100", &[]));
    assert_eq!(removed, Ok::<usize, StoreError>(1_900));
    let is_over = AtomicBool::new(false);
    let count = AtomicUsize::new(0);
    let written: Vec<i64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (store, is_over, count) = (&store, &is_over, &count);
                scope.spawn(move || {
                    let mut written = Vec::new();
                    for n in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        count.fetch_add(1, Ordering::Relaxed);
                        let id = 10_000 + writer * 100_000 + n;
                        match store.write(move |tx| insert(tx, id)) {
                            Ok(()) => written.push(id),
                            // It may have to come back later, and is told so.
                            Err(error) => assert!(error.is_temporary(), "{error}"),
                        }
                    }
                    written
                })
            })
            .collect();
        for round in 1..=5 {
            while count.load(Ordering::Relaxed) < round * 20 {
                thread::yield_now();
            }
            match store.scrub() {
                Ok(()) | Err(StoreError::Busy) => {}
                Err(error) => panic!("{error}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    assert!(written.len() > 80, "{} were written", written.len());
    store.scrub().unwrap();
    // Eight megabytes were in it.
    assert!(
        store.sizes().unwrap().total_bytes() < 1_000_000,
        "it is rewritten"
    );
    drop(store);
    let store = Store::open(scratch.path(), SCHEMA).unwrap();
    let mut expected: Vec<i64> = (1..=100).chain(written).collect();
    expected.sort_unstable();
    assert_eq!(ids(&store), expected);
}
