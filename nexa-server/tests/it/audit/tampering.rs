//! A trail that somebody with the file has had their way with, but without the audit key and the exported checkpoint.

use std::path::Path;

use nexa_core::{AuditCheckpoint, SigningKey};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{export, server, verify};
use crate::harness::run_in;

/// The event that the exported checkpoint is of, and the last one.
const CHECKPOINT: i64 = 10;
const LAST: i64 = 14;

/// A folder with `nexa.db`, `old.db` (from before the checkpoint), `checkpoint.json` and `audit.json`.
fn scene() -> tempfile::TempDir {
    let mut server = server();
    let path = server.folder.path().to_owned();
    let token = server.sign_up("one@example.com");
    let keys: Vec<_> = (0..3)
        .map(|_| server.make_key(&token, &["full_access"]))
        .collect();
    let copied = run_in(&path, &["backup", "--data", "data", "old.db"], b"");
    assert_eq!(copied.code, Some(0), "{copied:?}");
    for (_, key) in &keys {
        server.make_key(key, &["signals"]);
    }
    server.make_key(&token, &["signals"]);
    assert_eq!(export(&server, "checkpoint.json"), CHECKPOINT);
    for _ in CHECKPOINT..LAST {
        server.make_key(&token, &["signals"]);
    }
    assert_eq!(server.stop("-TERM"), Some(0));
    std::fs::rename(path.join("data/nexa.db"), path.join("nexa.db")).unwrap();
    std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap())
}

/// What somebody does to the file, with its triggers out of the way.
pub(super) type Tampering = fn(&Connection);

/// Does it to a copy of `original` and lets `nexa audit verify` judge the copy.
pub(super) fn judge(folder: &Path, original: &str, tampering: Tampering) -> (Option<i32>, Value) {
    let copy = folder.join("tampered.db");
    std::fs::copy(folder.join(original), &copy).unwrap();
    let file = Connection::open(&copy).unwrap();
    let triggers: Vec<String> = file
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'audit%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for trigger in triggers {
        run(&file, &format!("DROP TRIGGER {trigger}"));
    }
    run(&file, "PRAGMA ignore_check_constraints = ON");
    tampering(&file);
    file.close().unwrap();
    let given = [
        "--checkpoint",
        "checkpoint.json",
        "--audit-key",
        "audit.json",
    ];
    verify(
        folder,
        &[&["--database", "tampered.db"], &given[..]].concat(),
    )
}

pub(super) fn run(file: &Connection, sql: &str) {
    file.execute_batch(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The format of the chain, written down a second time.
pub(super) fn chain_anew(file: &Connection) {
    let mut statement = file
        .prepare(
            "SELECT seq, at_ms, tenant_id, actor_kind, act, actor_id, user_id, subject_id, address, salt, commitment
             FROM audit_events ORDER BY seq",
        )
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut before = vec![0; 32];
    while let Some(row) = rows.next().unwrap() {
        let text = |column| row.get::<_, Option<String>>(column).unwrap();
        let mut commitment: Vec<u8> = row.get(10).unwrap();
        if let Some(salt) = row.get::<_, Option<Vec<u8>>>(9).unwrap() {
            let mut bytes = b"nexa audit personal 1\0".to_vec();
            put(&mut bytes, &salt);
            (5..9).for_each(|column| put_optional(&mut bytes, text(column)));
            commitment = Sha256::digest(bytes).to_vec();
        }
        let (seq, at_ms): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let mut bytes = b"nexa audit event 1\0".to_vec();
        bytes.extend(seq.to_be_bytes());
        bytes.extend(at_ms.to_be_bytes());
        put_optional(&mut bytes, text(2));
        put(&mut bytes, text(3).unwrap().as_bytes());
        put(&mut bytes, text(4).unwrap().as_bytes());
        put(&mut bytes, &commitment);
        bytes.extend(&before);
        before = Sha256::digest(bytes).to_vec();
        file.execute(
            "UPDATE audit_events SET commitment = ?2, hash = ?3 WHERE seq = ?1",
            (seq, &commitment, &before),
        )
        .unwrap();
    }
}

fn put(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend(u64::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
}

fn put_optional(bytes: &mut Vec<u8>, text: Option<String>) {
    match text {
        None => bytes.push(0),
        Some(text) => {
            bytes.push(1);
            put(bytes, text.as_bytes());
        }
    }
}

fn other_key() -> SigningKey {
    SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng))
}

/// Puts a checkpoint of event 7 into the file, signed by another key and in the name of `kid`, if that is given.
fn forge_checkpoint(file: &Connection, kid: Option<String>) {
    let key = other_key();
    let hash: Vec<u8> = file
        .query_row("SELECT hash FROM audit_events WHERE seq = 7", [], |row| {
            row.get(0)
        })
        .unwrap();
    let point = AuditCheckpoint {
        seq: 7,
        hash: hash.as_slice().try_into().unwrap(),
        at_ms: 1_800_000_000_000,
    };
    file.execute(
        "INSERT INTO audit_checkpoints VALUES (7, ?1, ?2, ?3, ?4)",
        (
            &hash,
            point.at_ms,
            kid.unwrap_or_else(|| key.kid().to_owned()),
            &point.sign(&key)[..],
        ),
    )
    .unwrap();
}

pub(super) fn forget_checkpoints(file: &Connection) {
    run(file, "DELETE FROM audit_checkpoints");
}

/// Makes room for another event 5.
fn shift_up(file: &Connection) {
    run(
        file,
        "UPDATE audit_events SET seq = -(seq + 1) WHERE seq >= 5; UPDATE audit_events SET seq = -seq WHERE seq < 0",
    );
}

fn insert_copy(file: &Connection, seq: i64) {
    let columns = "at_ms, tenant_id, actor_kind, act, actor_id, user_id, subject_id, address, salt, commitment, hash";
    run(
        file,
        &format!(
            "INSERT INTO audit_events (seq, {columns}) SELECT {seq}, {columns} FROM audit_events WHERE seq = 4"
        ),
    );
}

#[test]
fn every_tampering_before_the_checkpoint_is_found() {
    let scene = scene();
    let folder = scene.path();
    let (code, report) = judge(folder, "nexa.db", |_| {});
    assert_eq!(
        (code, &report["provenUpTo"]),
        (Some(0), &json!(CHECKPOINT)),
        "{report}"
    );

    let cases: &[(&str, Tampering, i64, &str)] = &[
        (
            "a time",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET at_ms = at_ms + 1 WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "a tenant",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET tenant_id = 'other' WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "no tenant",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET tenant_id = NULL WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "a kind of actor",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET actor_kind = 'key' WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "an act",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET act = 'key.deleted' WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "an actor",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET actor_id = 'other' WHERE seq = 5",
                )
            },
            5,
            "personal_changed",
        ),
        (
            "a user",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET user_id = 'other' WHERE seq = 5",
                )
            },
            5,
            "personal_changed",
        ),
        (
            "no user",
            |file| run(file, "UPDATE audit_events SET user_id = NULL WHERE seq = 5"),
            5,
            "personal_changed",
        ),
        (
            "a subject",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET subject_id = '' WHERE seq = 5",
                )
            },
            5,
            "personal_changed",
        ),
        (
            "an address",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET address = '192.0.2.1' WHERE seq = 5",
                )
            },
            5,
            "personal_changed",
        ),
        (
            "a salt",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET salt = randomblob(16) WHERE seq = 5",
                )
            },
            5,
            "personal_changed",
        ),
        (
            "a longer salt",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET salt = randomblob(17) WHERE seq = 5",
                )
            },
            5,
            "personal_changed",
        ),
        (
            "a salt alone",
            |file| run(file, "UPDATE audit_events SET salt = NULL WHERE seq = 5"),
            5,
            "half_erased",
        ),
        (
            "all but an address",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET salt = NULL, actor_id = NULL, user_id = NULL, subject_id = NULL WHERE seq = 5",
                );
            },
            5,
            "half_erased",
        ),
        (
            "all that is personal, of a tenant that lives",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL
                     WHERE seq = 5",
                );
            },
            5,
            "erased_without_erasure",
        ),
        (
            "a commitment",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET commitment = randomblob(32) WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "no commitment",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET commitment = NULL WHERE seq = 5",
                )
            },
            5,
            "not_chained",
        ),
        (
            "a hash",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET hash = randomblob(32) WHERE seq = 5",
                )
            },
            5,
            "changed",
        ),
        (
            "a short hash",
            |file| run(file, "UPDATE audit_events SET hash = x'00' WHERE seq = 5"),
            5,
            "changed",
        ),
        (
            "no hash",
            |file| run(file, "UPDATE audit_events SET hash = NULL WHERE seq = 5"),
            5,
            "not_chained",
        ),
        (
            "a text that is none",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET act = CAST(x'ff' AS TEXT) WHERE seq = 5",
                );
            },
            5,
            "malformed",
        ),
        (
            "one and its commitment",
            |file| {
                run(
                    file,
                    "UPDATE audit_events SET actor_id = 'other', commitment = randomblob(32) WHERE seq = 5",
                );
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "the first",
            |file| run(file, "UPDATE audit_events SET act = 'x' WHERE seq = 1"),
            1,
            "changed",
        ),
        (
            "the first away",
            |file| run(file, "DELETE FROM audit_events WHERE seq = 1"),
            1,
            "removed",
        ),
        (
            "one away",
            |file| run(file, "DELETE FROM audit_events WHERE seq = 5"),
            5,
            "removed",
        ),
        (
            "some away",
            |file| run(file, "DELETE FROM audit_events WHERE seq IN (4, 5, 6)"),
            4,
            "removed",
        ),
        (
            "one away and the others moved up",
            |file| {
                run(
                    file,
                    "DELETE FROM audit_events WHERE seq = 5; UPDATE audit_events SET seq = seq - 1 WHERE seq > 5",
                );
            },
            5,
            "changed",
        ),
        (
            "the checkpoint's own away",
            |file| run(file, "DELETE FROM audit_events WHERE seq = 10"),
            CHECKPOINT,
            "removed",
        ),
        (
            "the end away",
            |file| run(file, "DELETE FROM audit_events WHERE seq >= 10"),
            CHECKPOINT,
            "truncated",
        ),
        (
            "the end and all checkpoints away",
            |file| {
                run(file, "DELETE FROM audit_events WHERE seq >= 10");
                forget_checkpoints(file);
            },
            CHECKPOINT,
            "truncated",
        ),
        (
            "everything away",
            |file| {
                run(file, "DELETE FROM audit_events");
                forget_checkpoints(file);
            },
            CHECKPOINT,
            "truncated",
        ),
        (
            "another end",
            |file| {
                run(file, "DELETE FROM audit_events WHERE seq >= 10");
                forget_checkpoints(file);
                (10..13).for_each(|seq| insert_copy(file, seq));
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "two swapped",
            |file| {
                run(file, "UPDATE audit_events SET seq = -5 WHERE seq = 5; UPDATE audit_events SET seq = 5 WHERE seq = 6;
                UPDATE audit_events SET seq = 6 WHERE seq = -5");
            },
            5,
            "reordered",
        ),
        (
            "two far apart swapped",
            |file| {
                run(file, "UPDATE audit_events SET seq = -4 WHERE seq = 4; UPDATE audit_events SET seq = 4 WHERE seq = 9;
                UPDATE audit_events SET seq = 9 WHERE seq = -4");
            },
            4,
            "reordered",
        ),
        (
            "two swapped and chained anew",
            |file| {
                run(file, "UPDATE audit_events SET seq = -5 WHERE seq = 5; UPDATE audit_events SET seq = 5 WHERE seq = 6;
                UPDATE audit_events SET seq = 6 WHERE seq = -5");
                forget_checkpoints(file);
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "one more",
            |file| {
                shift_up(file);
                insert_copy(file, 5);
            },
            5,
            "reordered",
        ),
        (
            "one more, chained",
            |file| {
                shift_up(file);
                insert_copy(file, 5);
                forget_checkpoints(file);
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "one before the first",
            |file| insert_copy(file, 0),
            0,
            "changed",
        ),
        (
            "one far before the first",
            |file| insert_copy(file, i64::MIN),
            i64::MIN,
            "changed",
        ),
        (
            "one behind the last",
            |file| insert_copy(file, LAST + 1),
            LAST + 1,
            "changed",
        ),
        (
            "one far behind the last",
            |file| insert_copy(file, i64::MAX),
            LAST + 1,
            "removed",
        ),
        (
            "an edit, and all after it chained anew",
            |file| {
                run(file, "UPDATE audit_events SET act = 'x' WHERE seq = 5");
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "one away, and all after it chained anew",
            |file| {
                run(file, "DELETE FROM audit_events WHERE seq = 5");
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "an erasure that was none, and chained anew",
            |file| {
                run(file, "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL,
                act = 'x' WHERE seq = 5");
                chain_anew(file);
            },
            CHECKPOINT,
            "rewritten",
        ),
        (
            "a checkpoint of another key",
            |file| forge_checkpoint(file, None),
            7,
            "checkpoint_foreign",
        ),
        (
            "a checkpoint in the key's name",
            |file| {
                let kid = file.query_row("SELECT kid FROM audit_checkpoints", [], |row| row.get(0));
                forge_checkpoint(file, Some(kid.unwrap()));
            },
            7,
            "checkpoint_forged",
        ),
        (
            "a checkpoint of no form",
            |file| {
                run(
                    file,
                    "UPDATE audit_checkpoints SET signature = x'00' WHERE seq = 14",
                );
            },
            LAST,
            "checkpoint_malformed",
        ),
        (
            "a checkpoint of another time",
            |file| {
                run(
                    file,
                    "UPDATE audit_checkpoints SET at_ms = at_ms + 1 WHERE seq = 14",
                );
            },
            LAST,
            "checkpoint_forged",
        ),
        (
            "a checkpoint moved",
            |file| run(file, "UPDATE audit_checkpoints SET seq = 13 WHERE seq = 14"),
            13,
            "checkpoint_forged",
        ),
    ];
    for (what, tampering, seq, fault) in cases {
        let (code, report) = judge(folder, "nexa.db", *tampering);
        assert_eq!(
            (code, &report["fault"]["seq"], &report["fault"]["code"]),
            (Some(1), &json!(seq), &json!(fault)),
            "{what}: {report}"
        );
        let proven = if *seq > CHECKPOINT {
            json!(CHECKPOINT)
        } else {
            Value::Null
        };
        assert_eq!(report["provenUpTo"], proven, "{what}: {report}");
    }
}

#[test]
fn an_older_copy_is_found_also_when_it_has_gone_on() {
    let scene = scene();
    let (code, report) = judge(scene.path(), "old.db", |_| {});
    assert_eq!(
        (code, &report["fault"]["seq"], &report["fault"]["code"]),
        (Some(1), &json!(CHECKPOINT), &json!("truncated")),
        "{report}"
    );
    let (code, report) = judge(scene.path(), "old.db", |file| {
        (7..20).for_each(|seq| insert_copy(file, seq));
        chain_anew(file);
    });
    assert_eq!(
        (code, &report["fault"]["seq"], &report["fault"]["code"]),
        (Some(1), &json!(CHECKPOINT), &json!("rewritten")),
        "{report}"
    );
}

/// What is promised ends at the exported checkpoint.
#[test]
fn what_no_exported_checkpoint_covers_still_holds() {
    let scene = scene();
    let (code, report) = judge(scene.path(), "nexa.db", |file| {
        run(file, "DELETE FROM audit_events WHERE seq > 10");
        forget_checkpoints(file);
    });
    assert_eq!(
        (code, &report["events"]),
        (Some(0), &json!(CHECKPOINT)),
        "{report}"
    );
    let (code, report) = judge(scene.path(), "nexa.db", |file| {
        run(file, "DELETE FROM audit_events WHERE seq > 12");
    });
    assert_eq!(
        (code, &report["fault"]["seq"], &report["fault"]["code"]),
        (Some(1), &json!(LAST), &json!("checkpoint_of_nothing")),
        "those in the file cover more: {report}"
    );
}

#[test]
fn an_exported_checkpoint_of_another_key_or_another_server_is_refused() {
    let scene = scene();
    let folder = scene.path();
    let text = std::fs::read_to_string(folder.join("checkpoint.json")).unwrap();
    let mut checkpoint: Value = serde_json::from_str(&text).unwrap();
    let judge = |checkpoint: &Value| {
        std::fs::write(folder.join("given.json"), checkpoint.to_string()).unwrap();
        let given = ["--checkpoint", "given.json", "--audit-key", "audit.json"];
        let (code, report) = verify(folder, &[&["--database", "nexa.db"], &given[..]].concat());
        assert_eq!(code, Some(1), "{report}");
        assert_eq!(report["provenUpTo"], Value::Null);
        report["fault"]["code"].as_str().unwrap().to_owned()
    };
    let true_kid = checkpoint["kid"].clone();
    checkpoint["kid"] = json!(other_key().kid());
    assert_eq!(judge(&checkpoint), "checkpoint_foreign");
    checkpoint["kid"] = json!("");
    assert_eq!(judge(&checkpoint), "checkpoint_foreign");
    checkpoint["kid"] = true_kid;
    checkpoint["seq"] = json!(CHECKPOINT - 1);
    assert_eq!(judge(&checkpoint), "checkpoint_forged");
    checkpoint["seq"] = json!(u64::MAX);
    assert_eq!(judge(&checkpoint), "checkpoint_forged");
}
