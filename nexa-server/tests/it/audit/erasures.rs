//! Events without a name: those of a tenant that was erased hold, and somebody with the file can make no others.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::tampering::{Tampering, chain_anew, forget_checkpoints, judge, run};
use super::{export, server};

/// Whether an event is of a tenant that was erased.
const GONE: &str =
    "tenant_id IN (SELECT tenant_id FROM audit_events WHERE act = 'account.erasure_begun')";

/// A folder with `nexa.db`, `checkpoint.json` and `audit.json`: two tenants, and someone unknown who tried to log in, then
/// the checkpoint, then the erasure of the second tenant. Answers the number of the checkpoint's event too.
fn scene() -> (tempfile::TempDir, i64) {
    let mut server = server();
    let path = server.folder.path().to_owned();
    let stays = server.sign_up("one@example.com");
    server.make_key(&stays, &["signals"]);
    let goes = server.sign_up("two@example.com");
    server.make_key(&goes, &["signals"]);
    let unknown = r#"{"email":"three@example.com","password":"correct horse"}"#;
    assert_eq!(server.post("/api/auth/login", unknown).send().status, 401);
    server.make_key(&stays, &["signals"]);
    let checkpoint = export(&server, "checkpoint.json");
    let erased = server
        .delete("/api/account")
        .bearer(&goes)
        .header("Content-Type", "application/json")
        .body(r#"{"password":"correct horse"}"#)
        .send();
    assert_eq!(erased.status, 200);
    server.make_key(&stays, &["signals"]);
    assert_eq!(server.stop("-TERM"), Some(0));
    std::fs::rename(path.join("data/nexa.db"), path.join("nexa.db")).unwrap();
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    (folder, checkpoint)
}

fn number(file: &Connection, of: &str, which: &str) -> i64 {
    let sql = format!("SELECT {of} FROM audit_events WHERE {which}");
    file.query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn erase(file: &Connection, which: &str) {
    run(
        file,
        &format!(
            "UPDATE audit_events SET actor_id = NULL, user_id = NULL, subject_id = NULL, address = NULL, salt = NULL
             WHERE {which}"
        ),
    );
}

/// Appends an event that says that the erasure of the tenant of event `of` was begun.
fn append_begun(file: &Connection, of: &str) {
    run(
        file,
        &format!(
            "INSERT INTO audit_events (seq, at_ms, tenant_id, actor_kind, act, salt, commitment, hash)
             SELECT (SELECT max(seq) + 1 FROM audit_events), at_ms, tenant_id, actor_kind, 'account.erasure_begun',
                 zeroblob(16), commitment, hash
             FROM audit_events WHERE {of} LIMIT 1"
        ),
    );
    chain_anew(file);
}

#[test]
fn what_is_erased_holds_when_its_tenant_was_and_only_then() {
    let (scene, checkpoint) = scene();
    let folder = scene.path();
    let original = Connection::open(folder.join("nexa.db")).unwrap();
    let all = number(&original, "count(*)", "true");
    // The last event of an erasure never named anybody, so nothing of it is erased.
    let gone = number(
        &original,
        "count(*)",
        &format!("{GONE} AND act <> 'account.erased'"),
    );
    assert!(gone > 4);
    assert_eq!(number(&original, "count(*)", "salt IS NULL"), gone);
    let (code, report) = judge(folder, "nexa.db", |_| {});
    assert_eq!(
        (code, &report["events"], &report["erased"]),
        (Some(0), &json!(all), &json!(gone)),
        "{report}"
    );
    assert_eq!(report["provenUpTo"], json!(checkpoint));

    // What is done, and which event is the first that does not hold.
    let lives = &format!("NOT {GONE}");
    let newest = &format!("{lives} ORDER BY seq DESC");
    let cases: &[(&str, Tampering, &str, &str)] = &[
        (
            "one event of a tenant that lives",
            |file| {
                erase(
                    file,
                    &format!("seq = (SELECT min(seq) FROM audit_events WHERE NOT {GONE})"),
                )
            },
            "min(seq)",
            lives,
        ),
        (
            "all events of a tenant that lives, while another one was erased",
            |file| erase(file, &format!("NOT {GONE}")),
            "min(seq)",
            lives,
        ),
        (
            "one after the checkpoint",
            |file| {
                erase(
                    file,
                    &format!("seq = (SELECT max(seq) FROM audit_events WHERE NOT {GONE})"),
                )
            },
            "seq",
            newest,
        ),
        (
            "a log-in of somebody unknown, who has no tenant",
            |file| erase(file, "act = 'login.failed'"),
            "seq",
            "act = 'login.failed' AND tenant_id IS NULL",
        ),
        (
            "one without a tenant, and a beginning that names none",
            |file| {
                erase(file, "act = 'login.failed'");
                append_begun(file, "act = 'login.failed'");
            },
            "seq",
            "act = 'login.failed' AND tenant_id IS NULL",
        ),
        (
            "one of a tenant that lives, and one before it that has no tenant",
            |file| erase(file, &format!("NOT {GONE} OR tenant_id IS NULL")),
            "min(seq)",
            "tenant_id IS NULL",
        ),
        (
            "the end away, with what began the erasure",
            |file| {
                run(
                    file,
                    "DELETE FROM audit_events
                     WHERE seq >= (SELECT seq FROM audit_events WHERE act = 'account.erasure_begun')",
                );
                forget_checkpoints(file);
            },
            "min(seq)",
            GONE,
        ),
    ];
    for (what, tampering, of, which) in cases {
        let (code, report) = judge(folder, "nexa.db", *tampering);
        let seq = number(&original, of, which);
        assert_eq!(
            (code, &report["fault"]["seq"], &report["fault"]["code"]),
            (Some(1), &json!(seq), &json!("erased_without_erasure")),
            "{what}: {report}"
        );
        let proven = match seq > checkpoint {
            true => json!(checkpoint),
            false => Value::Null,
        };
        assert_eq!(
            (&report["events"], &report["provenUpTo"]),
            (&json!(seq - 1), &proven),
            "{what}: {report}"
        );
    }
}

/// What is promised ends here: no checkpoint covers what is appended after it. The number of erased events shows it.
#[test]
fn whoever_can_go_on_with_the_chain_can_begin_an_erasure() {
    let (scene, checkpoint) = scene();
    let (_, before) = judge(scene.path(), "nexa.db", |_| {});
    let (code, report) = judge(scene.path(), "nexa.db", |file| {
        erase(
            file,
            "seq = (SELECT min(seq) FROM audit_events WHERE act = 'key.created' AND salt IS NOT NULL)",
        );
        append_begun(file, "act = 'key.created' AND salt IS NULL");
    });
    assert_eq!(
        (code, &report["provenUpTo"]),
        (Some(0), &json!(checkpoint)),
        "{report}"
    );
    let erased = |report: &Value| report["erased"].as_i64().unwrap();
    assert_eq!(erased(&report), erased(&before) + 1);
}
