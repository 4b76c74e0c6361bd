//! `nexa audit`: what it proves, offline, on a folder, beside its server and on a copy.

mod erasures;
mod tampering;

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Finished, Server, nexa, run_in};

/// `nexa audit verify` in a folder, as JSON.
fn verify(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let fixed = ["audit", "verify", "--json"];
    let done = run_in(folder, &[&fixed[..], arguments].concat(), b"");
    let report = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    (done.code, report)
}

/// A running server whose folder holds `key`, the operator's, `audit.json`, the public audit key.
fn server() -> Server {
    let server = Server::start();
    prepare(&server);
    server
}

fn prepare(server: &Server) {
    let folder = server.folder.path();
    let key = run_in(folder, &["audit", "key", "--data", "data"], b"");
    assert_eq!(key.code, Some(0), "{key:?}");
    std::fs::write(folder.join("audit.json"), key.stdout).unwrap();
    std::fs::write(folder.join("key"), server.operator_key()).unwrap();
}

/// Asks the server for a checkpoint and keeps it; answers the number of its event.
fn export(server: &Server, name: &str) -> i64 {
    let folder = server.folder.path();
    let arguments = [
        "audit",
        "checkpoint",
        "--server",
        &server.url,
        "--key-file",
        "key",
    ];
    let done = run_in(folder, &arguments, b"");
    assert_eq!(done.code, Some(0), "{done:?}");
    std::fs::write(folder.join(name), &done.stdout).unwrap();
    let checkpoint: Value = serde_json::from_str(&done.stdout).unwrap();
    checkpoint["seq"].as_i64().unwrap()
}

#[test]
fn a_trail_is_proven_beside_its_server_on_its_folder_and_on_a_copy() {
    let mut server = server();
    let folder = server.folder.path().to_owned();
    let token = server.sign_up("one@example.com");
    server.make_key(&token, &["signals"]);
    let seq = export(&server, "checkpoint.json");
    server.make_key(&token, &["signals"]);
    let given = [
        "--checkpoint",
        "checkpoint.json",
        "--audit-key",
        "audit.json",
    ];
    let check = |place: &[&str]| {
        let (code, report) = verify(&folder, &[place, &given].concat());
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(
            (&report["holds"], &report["provenUpTo"], &report["fault"]),
            (&json!(true), &json!(seq), &Value::Null)
        );
        assert_eq!(
            (&report["events"], &report["erased"]),
            (&json!(seq + 1), &json!(0))
        );
        report
    };
    check(&["--data", "data"]);
    let copied = run_in(&folder, &["backup", "--data", "data", "copy.db"], b"");
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert!(copied.stderr.contains("audit-key.pem"), "{copied:?}");
    check(&["--database", "copy.db"]);
    assert_eq!(server.stop("-TERM"), Some(0));
    let report = check(&["--data", "data"]);
    assert_eq!(
        report["storedCheckpoint"]["seq"],
        json!(seq + 1),
        "a clean end leaves one"
    );

    // From the folder itself, and in words.
    let own = run_in(&folder, &["audit", "checkpoint", "--data", "data"], b"");
    std::fs::write(folder.join("own.json"), &own.stdout).unwrap();
    let words = run_in(
        &folder,
        &[
            "audit",
            "verify",
            "--data",
            "data",
            "--checkpoint",
            "own.json",
        ],
        b"",
    );
    assert_eq!(words.code, Some(0), "{words:?}");
    assert!(
        words.stdout.starts_with("holds: one chain of 5 events, 0 of them erased\nproven up to event 5 by the checkpoint of 2"),
        "{}",
        words.stdout
    );
    assert!(words.stderr.contains("--audit-key"), "{}", words.stderr);
    let alone = run_in(&folder, &["audit", "verify", "--data", "data"], b"");
    assert_eq!(alone.code, Some(0), "{alone:?}");
    assert!(alone.stderr.contains("--checkpoint"), "{}", alone.stderr);
}

#[test]
fn what_cannot_be_read_is_neither_proven_nor_refuted() {
    let mut server = server();
    export(&server, "checkpoint.json");
    assert_eq!(server.stop("-TERM"), Some(0));
    let folder = server.folder.path();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let checkpoint = read("checkpoint.json");
    for (name, text) in [
        ("text", "no database".to_owned()),
        ("empty", String::new()),
        ("more", checkpoint.replace('{', r#"{"more":1,"#)),
        ("twice", checkpoint.replace('{', r#"{"seq":1,"#)),
        ("padded", checkpoint.replace("\"}", "==\"}")),
        (
            "short",
            checkpoint
                .replace("\"}", "")
                .replace("\"signature\":\"", "\"signature\":\"\"}#")
                .split('#')
                .next()
                .unwrap()
                .to_owned(),
        ),
        ("negative", checkpoint.replace("\"seq\":", "\"seq\":-")),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    for (arguments, reason) in [
        (&["--data", "nowhere"][..], "nowhere"),
        (&["--data", "data", "--checkpoint", "missing"], "missing"),
        (&["--data", "data", "--checkpoint", "text"], "no checkpoint"),
        (
            &["--data", "data", "--checkpoint", "empty"],
            "no checkpoint",
        ),
        (&["--data", "data", "--checkpoint", "more"], "unknown field"),
        (
            &["--data", "data", "--checkpoint", "twice"],
            "duplicate field",
        ),
        (
            &["--data", "data", "--checkpoint", "padded"],
            "signature must be 64 bytes",
        ),
        (
            &["--data", "data", "--checkpoint", "short"],
            "signature must be 64 bytes",
        ),
        (
            &["--data", "data", "--checkpoint", "negative"],
            "no checkpoint",
        ),
        (
            &["--data", "data", "--checkpoint", "audit.json"],
            "no checkpoint",
        ),
        (
            &["--data", "data", "--audit-key", "checkpoint.json"],
            "member kty is missing",
        ),
        (&["--database", "data/nexa.db"], "--audit-key"),
        (&["--database", "text", "--audit-key", "audit.json"], "text"),
        (
            &["--database", "empty", "--audit-key", "audit.json"],
            "version",
        ),
        (
            &["--database", "missing", "--audit-key", "audit.json"],
            "missing",
        ),
    ] {
        let done = run_in(folder, &[&["audit", "verify"], arguments].concat(), b"");
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(
            done.stderr.contains(reason),
            "{arguments:?}: {}",
            done.stderr
        );
        assert_eq!(done.stdout, "", "{arguments:?}");
    }
    assert!(!folder.join("nowhere").exists() && !folder.join("missing").exists());
    for arguments in [&["audit", "key"], &["audit", "checkpoint"]] {
        let done = run_in(
            folder,
            &[&arguments[..], &["--data", "nowhere"]].concat(),
            b"",
        );
        assert_eq!(done.code, Some(2), "{done:?}");
    }
}

/// Runs `nexa serve` on a folder with an audit key in the environment, until it has said something.
fn serve_with_key(folder: &Path, pem: &str) -> Finished {
    use std::io::{BufRead, BufReader, Read};
    let mut child = nexa()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder)
        .env("NEXA_AUDIT_KEY", pem)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut stdout).unwrap();
    let pid = child.id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    let code = child.wait().unwrap().code();
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    Finished {
        code,
        stdout,
        stderr,
    }
}

#[test]
fn the_audit_key_has_one_use_and_can_be_replaced() {
    let mut server = server();
    let folder = server.folder.path().to_owned();
    assert_eq!(server.stop("-TERM"), Some(0));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let other = tempfile::tempdir().unwrap();

    let refused = serve_with_key(&folder.join("data"), &read("data/signing-key.pem"));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("must be another key than the signing key"),
        "{refused:?}"
    );
    let refused = serve_with_key(&folder.join("data"), "no key");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("NEXA_AUDIT_KEY"), "{refused:?}");

    // From the environment no file is made.
    let fresh = other.path().join("data");
    let served = serve_with_key(&fresh, &read("data/audit-key.pem"));
    assert_eq!(served.code, Some(0), "{served:?}");
    assert!(fresh.join("signing-key.pem").exists() && !fresh.join("audit-key.pem").exists());

    // A lost one is made anew; what both have signed is proven by both together.
    std::fs::remove_file(folder.join("data/audit-key.pem")).unwrap();
    let moved = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    let mut server = Server::start_on(moved, &[]);
    assert!(
        server.stderr().contains("signed by another key"),
        "{}",
        server.stderr()
    );
    server.sign_up("one@example.com");
    assert_eq!(server.stop("-TERM"), Some(0));
    let (code, report) = verify(&folder, &["--data", "data"]);
    assert_eq!(
        (code, &report["fault"]["code"]),
        (Some(1), &json!("checkpoint_foreign")),
        "{report}"
    );
    let key = run_in(&folder, &["audit", "key", "--data", "data"], b"");
    std::fs::write(folder.join("new.json"), key.stdout).unwrap();
    let both = [
        "--data",
        "data",
        "--audit-key",
        "audit.json",
        "--audit-key",
        "new.json",
    ];
    let (code, report) = verify(&folder, &both);
    assert_eq!(code, Some(0), "{report}");
}

#[test]
fn a_folder_of_the_version_before_gets_a_key_and_a_chain_at_its_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = rusqlite::Connection::open(data.join("nexa.db")).unwrap();
    for sql in [
        include_str!("../../../src/store/sql/0001_init.sql"),
        include_str!("../../../src/store/sql/0002_keys.sql"),
        include_str!("../../../src/store/sql/0003_agents.sql"),
        "INSERT INTO audit_events (at_ms, actor_kind, act) VALUES (1, 'machine', 'a'), (2, 'machine', 'b');
         PRAGMA application_id = 1313167425; PRAGMA user_version = 3;",
    ] {
        file.execute_batch(sql).unwrap();
    }
    file.close().unwrap();
    let early = run_in(folder.path(), &["audit", "key", "--data", "data"], b"");
    assert_eq!(early.code, Some(2), "{early:?}");
    assert!(
        early.stderr.contains("audit-key.pem is missing"),
        "{early:?}"
    );

    let server = Server::start_on(folder, &[]);
    prepare(&server);
    assert_eq!(export(&server, "checkpoint.json"), 3);
    let given = ["--data", "data", "--checkpoint", "checkpoint.json"];
    let (code, report) = verify(server.folder.path(), &given);
    assert_eq!(
        (code, &report["provenUpTo"]),
        (Some(0), &json!(3)),
        "{report}"
    );
}

#[test]
fn a_trail_that_was_killed_at_any_moment_is_proven() {
    let mut server = server();
    let token = server.sign_up("one@example.com");
    let mut least = 3;
    for round in 0..6 {
        let name = format!("checkpoint-{round}.json");
        let exported = export(&server, &name);
        assert!(exported >= least, "{exported} after {least} were answered");
        let (told, answers) = std::sync::mpsc::channel();
        let (url, token) = (format!("{}/api/v1/api-keys", server.url), &token);
        let answered = std::thread::scope(|scope| {
            for _ in 0..4 {
                let (told, url) = (told.clone(), url.as_str());
                scope.spawn(move || {
                    let agent = ureq::Agent::new_with_defaults();
                    loop {
                        let made = agent
                            .post(url)
                            .header("Authorization", &format!("Bearer {token}"))
                            .header("Content-Type", "application/json")
                            .send(r#"{"name":"k","scopes":["signals"]}"#);
                        if made.is_err() || told.send(()).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(told);
            let before = answers.iter().take(20 + 13 * round).count();
            server.stop("-KILL");
            before + answers.iter().count()
        });
        least = exported + i64::try_from(answered).unwrap();
        let folder = server.folder.path().to_owned();
        let given = [
            "--data",
            "data",
            "--audit-key",
            "audit.json",
            "--checkpoint",
            &name,
        ];
        let (code, report) = verify(&folder, &given);
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["provenUpTo"], json!(exported));
        let events = report["events"].as_i64().unwrap();
        assert!(
            (least..=least + 4).contains(&events),
            "{events}, {least} were answered"
        );
        let moved = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
        server = Server::start_on(moved, &[]);
    }
}
