//! Tests that need a process of their own, to be killed or starved. The test re-executes its own binary; the child
//! finds its data folder in an environment variable and plays the server.
//!
//! The suite kills a few times; `NEXA_STORE_KILLS=2000 cargo test -p nexa-server store::kill_tests` kills more.

use std::{
    collections::BTreeMap,
    env,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use rusqlite::Connection;

use super::{
    Store,
    backup::backup,
    error::{OpenError, StoreError},
    migrate::Migration,
    writer::CheckpointPolicy,
};

const CHILD_FOLDER: &str = "NEXA_STORE_TEST_CHILD";
const KILLS: &str = "NEXA_STORE_KILLS";
const KILLS_IN_THE_SUITE: usize = 16;
const THREADS: i64 = 8;
const MOST_LINES: u64 = 1500;

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE entry (
              thread INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (thread, n)
          ) STRICT, WITHOUT ROWID;",
}];

/// Every acknowledged write is there after SIGKILL at any moment, checkpoints included.
#[test]
fn acknowledged_writes_survive_sigkill() {
    if let Some(folder) = env::var_os(CHILD_FOLDER) {
        append_and_acknowledge(Path::new(&folder));
    }
    let kills: usize = env::var(KILLS).map_or(KILLS_IN_THE_SUITE, |kills| kills.parse().unwrap());
    let scratch = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for kill in 0..kills {
        let lines = RandomState::new().hash_one(kill) % MOST_LINES;
        let before = acknowledged.clone();
        let mut child = child("acknowledged_writes_survive_sigkill", scratch.path(), "");
        let mut output = BufReader::new(child.stderr.take().unwrap());
        read_acknowledgements(&mut output, lines, &mut acknowledged);
        child.kill().unwrap();
        // What the pipe still holds was acknowledged before the kill.
        read_acknowledgements(&mut output, u64::MAX, &mut acknowledged);
        assert!(!child.wait().unwrap().success());
        assert!(
            lines == 0 || acknowledged != before,
            "the child wrote nothing"
        );
        if kill % 2 == 0 {
            let copy = scratch.path().join(format!("copy-{kill}"));
            backup(scratch.path(), &copy).unwrap();
            check(&Connection::open(copy).unwrap(), &mut acknowledged);
        }
        drop(Store::open(scratch.path(), SCHEMA).unwrap());
        check(
            &Connection::open(scratch.path().join("nexa.db")).unwrap(),
            &mut acknowledged,
        );
    }
    assert!(acknowledged.values().sum::<i64>() > 0);
}

/// The file may not grow beyond some size (`ulimit -f`), which SQLite reports as an IO error and not as a full disk.
#[cfg(unix)]
#[test]
fn an_io_error_stops_the_store_and_a_restart_is_clean() {
    if let Some(folder) = env::var_os(CHILD_FOLDER) {
        append_and_acknowledge(Path::new(&folder));
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for limit_blocks in [400, 700, 1500] {
        let limit = format!("trap '' XFSZ; ulimit -f {limit_blocks};");
        let mut child = child(
            "an_io_error_stops_the_store_and_a_restart_is_clean",
            scratch.path(),
            &limit,
        );
        let mut output = BufReader::new(child.stderr.take().unwrap());
        read_acknowledgements(&mut output, u64::MAX, &mut acknowledged);
        assert_eq!(child.wait().unwrap().code(), Some(EXIT_FAILED));
        drop(Store::open(scratch.path(), SCHEMA).unwrap());
        check(
            &Connection::open(scratch.path().join("nexa.db")).unwrap(),
            &mut acknowledged,
        );
    }
    assert!(acknowledged.values().sum::<i64>() > 0);
}

/// Exit codes of the child.
const EXIT_FAILED: i32 = 3;
const EXIT_UNEXPECTED: i32 = 4;

/// The child: each thread appends rows and says so only after `write` has returned. It ends by being killed, or when
/// the store has failed.
fn append_and_acknowledge(folder: &Path) -> ! {
    // Small enough for every kind of checkpoint to be met by some kill.
    let policy = CheckpointPolicy {
        groups: 5,
        log_bytes: 300_000,
    };
    let store = match Store::open_with(folder, SCHEMA, policy) {
        Ok(store) => store,
        // Under the file limit the first checkpoint of a start may be what fails.
        Err(OpenError::Store(_)) => std::process::exit(EXIT_FAILED),
        Err(_) => std::process::exit(EXIT_UNEXPECTED),
    };
    let (told, is_told) = std::sync::mpsc::channel();
    store.on_failure(move || told.send(()).unwrap());
    let codes: Vec<i32> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let store = &store;
                    move || append(store, thread)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    is_told.recv().unwrap();
    let is_as_promised = store.failed() && codes.iter().all(|code| *code == EXIT_FAILED);
    drop(store);
    std::process::exit(if is_as_promised {
        EXIT_FAILED
    } else {
        EXIT_UNEXPECTED
    });
}

fn append(store: &Store, thread: i64) -> i32 {
    let last = "SELECT coalesce(max(n), 0) FROM entry WHERE thread = ?1";
    let mut n = store
        .read(|tx| tx.one(last, &[thread.into()], |row| row.int(0)))
        .unwrap();
    loop {
        n += 1;
        let body = vec![thread as u8; 200 + (n % 900) as usize];
        let insert = "INSERT INTO entry (thread, n, body) VALUES (?1, ?2, ?3)";
        match store.write(move |tx| tx.execute(insert, &[thread.into(), n.into(), (&body).into()]))
        {
            // One write call, so that a line is whole or absent.
            Ok(_) => io::stderr()
                .write_all(format!("ack {thread} {n}\n").as_bytes())
                .unwrap(),
            Err(StoreError::Unavailable) => return EXIT_FAILED,
            Err(_) => return EXIT_UNEXPECTED,
        }
    }
}

fn child(test: &str, folder: &Path, shell: &str) -> Child {
    let module = module_path!().split_once("::").unwrap().1;
    let arguments = [
        format!("{module}::{test}"),
        "--exact".to_owned(),
        "--nocapture".to_owned(),
    ];
    Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args(arguments)
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads up to `lines` lines, or to the end; the greatest acknowledged number of each thread.
fn read_acknowledgements(
    output: &mut impl BufRead,
    lines: u64,
    acknowledged: &mut BTreeMap<i64, i64>,
) {
    for _ in 0..lines {
        let mut line = String::new();
        if output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            return;
        }
        let mut words = line.split_whitespace();
        if words.next() == Some("ack") {
            let mut number = || words.next().unwrap().parse::<i64>().unwrap();
            let (thread, n) = (number(), number());
            let known = acknowledged.entry(thread).or_insert(0);
            assert!(n > *known, "{line}");
            *known = n;
        } else {
            panic!("the child says: {line}");
        }
    }
}

/// Everything acknowledged is there, nothing is missing in between, and beyond it there is at most the one write of
/// each thread that was under way. That one counts as acknowledged from now on: it has been seen, and the next child
/// goes on behind it.
fn check(connection: &Connection, acknowledged: &mut BTreeMap<i64, i64>) {
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    for thread in 0..THREADS {
        let sql = "SELECT count(*), coalesce(max(n), 0), coalesce(min(n), 1) FROM entry
                   WHERE thread = ?1 AND length(body) = 200 + n % 900";
        let (count, max, min): (i64, i64, i64) = connection
            .query_row(sql, [thread], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        let known = acknowledged.get(&thread).copied().unwrap_or(0);
        assert_eq!((count, min), (max, 1), "thread {thread}");
        assert!(
            (known..=known + 1).contains(&max),
            "thread {thread}: {known} acknowledged, {max} found"
        );
        acknowledged.insert(thread, max);
    }
}
