//! `nexa key import` and `nexa key export`: foreign hashes in, and all hashes out.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::{Finished, Server, run, run_in};

/// `printf %s acme_live_1 | sha512sum`, and so on, by another program than ours: openssl.
fn hashed(algorithm: &str, key: &str) -> Vec<u8> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut openssl = Command::new("openssl")
        .args(["dgst", &format!("-{algorithm}"), "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl
        .stdin
        .take()
        .unwrap()
        .write_all(key.as_bytes())
        .unwrap();
    openssl.wait_with_output().unwrap().stdout
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// `nexa key` with the operator key from a file; `lines` stand in the file `keys`.
fn key(server: &Server, arguments: &[&str], lines: &str) -> Finished {
    let folder = server.folder.path();
    std::fs::write(folder.join("key"), server.operator_key()).unwrap();
    std::fs::write(folder.join("keys"), lines).unwrap();
    let fixed = ["--server", &server.url, "--key-file", "key"];
    run_in(
        folder,
        &[&["key"], arguments, &fixed].concat(),
        lines.as_bytes(),
    )
}

fn user_of(server: &Server, session: &str) -> String {
    let me = server.get("/api/auth/me").bearer(session).send();
    me.json["user"]["id"].as_str().unwrap().to_owned()
}

fn status(server: &Server, key: &str) -> u16 {
    server.get("/api/auth/me").key(key).send().status
}

#[test]
fn foreign_keys_verify_at_once_on_every_route_and_carrier() {
    let server = Server::start();
    let session = server.sign_up("owner@example.com");
    let owner = user_of(&server, &session);
    for (algorithm, digest, write) in [
        ("sha256-hex", "sha256", hex as fn(&[u8]) -> String),
        ("sha256-base64", "sha256", base64),
        ("sha512-hex", "sha512", hex),
        ("sha512-base64", "sha512", base64),
    ] {
        let foreign = format!("acme_{algorithm}/~+=:;{}", "x".repeat(200));
        let hash = write(&hashed(digest, &foreign));
        // Whatever remembers that it was unknown must not go on.
        let authorize = || {
            server
                .get("/api/authorize?scope=signals")
                .key(&foreign)
                .send()
                .status
        };
        let verify = |key: &str| {
            let question = json!({ "key": key }).to_string();
            let answer = server.post("/api/v1/api-keys/verify", &question);
            answer.key(&server.operator_key()).send().json["code"].clone()
        };
        let introspect = |path: &str, key: &str| {
            let form = server.request("POST", path).body(&format!(
                "token={}",
                key.replace('+', "%2B")
                    .replace('=', "%3D")
                    .replace('&', "%26")
            ));
            form.header("Content-Type", "application/x-www-form-urlencoded")
                .bearer(&session)
                .send()
        };
        for _ in 0..2 {
            assert_eq!((authorize(), verify(&foreign)), (401, json!("not_found")));
        }
        let arguments = [
            "import",
            "keys",
            "--algorithm",
            algorithm,
            "--owner",
            &owner,
            "--scope",
            "full_access",
            "--prefix",
            "acme_",
        ];
        let done = key(&server, &arguments, &hash);
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(0), "imported 1, known before 0, refused 0\n"),
            "{}",
            done.stderr
        );
        for _ in 0..2 {
            assert_eq!(
                (authorize(), verify(&foreign)),
                (200, json!("valid")),
                "{algorithm}"
            );
            assert_eq!(status(&server, &foreign), 200);
            assert_eq!(
                server.get("/api/auth/me").bearer(&foreign).send().status,
                200
            );
            assert_eq!(
                introspect("/api/oauth/introspect", &foreign).json["active"],
                true
            );
            // Neither what was imported nor what stands in the file is a key.
            assert_eq!(
                (status(&server, &hash), verify(&hash)),
                (401, json!("not_found"))
            );
        }
        let listed = server.get("/api/v1/api-keys").bearer(&session).send();
        let (id, prefix) = (
            listed.json[0]["id"].as_str().unwrap(),
            &listed.json[0]["prefix"],
        );
        assert_eq!(prefix, "acme_");
        // By HTTP Basic too, as any key.
        let basic = base64(format!("{id}:{}", foreign.replace('+', "%2B")).as_bytes());
        let asked = server
            .request("POST", "/api/oauth/introspect")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Authorization", &format!("Basic {basic}"))
            .body("token=x")
            .send();
        assert_eq!(asked.status, 200, "{}", asked.text);
        match digest {
            "sha256" => {
                let gone = server
                    .delete(&format!("/api/v1/api-keys/{id}"))
                    .bearer(&session)
                    .send();
                assert_eq!(gone.status, 200);
            }
            _ => assert_eq!(introspect("/api/oauth/revoke", &foreign).status, 200),
        }
        assert_eq!(
            (authorize(), status(&server, &foreign), verify(&foreign)),
            (401, 401, json!("not_found"))
        );
    }
}

#[test]
fn errors_name_the_line_and_lose_none_of_the_others() {
    let server = Server::start();
    let (a, b) = (
        server.sign_up_verified("a@example.com"),
        server.sign_up("b@example.com"),
    );
    let other = hex(&hashed("sha256", "others"));
    let arguments = [
        "import",
        "-",
        "--algorithm",
        "sha256-hex",
        "--owner",
        &user_of(&server, &b),
        "--scope",
        "signals",
    ];
    assert_eq!(key(&server, &arguments, &other).code, Some(0));
    let hash = |text: &str| hex(&hashed("sha256", text));
    let good = json!({ "hash": hash("good"), "owner": "A@Example.com", "name": "good", "scopes": ["signals"] });
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line["hash"] = hash(field).into();
        line[field] = value;
        line.to_string()
    };
    let operators = hash(&server.operator_key());
    let lines = [
        (good.to_string(), ""),
        (
            with("hash", json!("abc")),
            "hash: must be 64 hexadecimal digits",
        ),
        (with("hash", json!(7)), "hash: must be a string"),
        (
            with("hash", json!(other)),
            "hash: is that of another tenant's key",
        ),
        (
            with("hash", json!(operators)),
            "hash: is that of an operator key",
        ),
        (
            with("owner", json!("b@example.com")),
            "owner: no active user is known to read that address",
        ),
        (
            with("owner", json!("nobody")),
            "owner: no active user has that id",
        ),
        (
            with("scopes", json!([])),
            "scopes: must not be empty; full_access covers all",
        ),
        (
            with("scopes", json!(["nonsense"])),
            "scopes: unknown scope nonsense; known are full_access agents balances history positions signals transactions",
        ),
        (with("name", json!(" ")), "name: must not be empty"),
        (
            with("prefix", json!("eyJhbGciOi")),
            "prefix: must not begin with eyJ: what has the shape of a token is never looked up as a key",
        ),
        (
            with("algorithm", json!("md5")),
            "algorithm: must be one of sha256-hex, sha256-base64, sha512-hex, sha512-base64",
        ),
        (
            with("createdAt", json!("2999-01-01T00:00:00Z")),
            "createdAt: must not lie in the future",
        ),
        (
            with("rateLimit", json!({ "limit": 0, "windowSeconds": 1 })),
            "rateLimit.limit: must be at least 1",
        ),
        (
            with("allowedIps", json!(["x"])),
            "allowedIps[0]: must be an IP address or a CIDR block",
        ),
        (
            with("metadata", json!({ "a": "b".repeat(5_000) })),
            "metadata: at most 4096 bytes of JSON",
        ),
        (String::new(), ""),
        ("{".to_owned(), "body: "),
        (
            "zz".repeat(32),
            "owner: required; give --owner for a line that is a hash alone",
        ),
        ("{".repeat(20_000), "line: at most 16384 bytes"),
        (good.to_string(), ""),
        (with("last", json!(1)), ""),
    ];
    let text: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let text = text.join("\n");
    let refused = lines.iter().filter(|(_, rule)| !rule.is_empty()).count();
    let tried = key(
        &server,
        &["import", "keys", "--algorithm", "sha256-hex", "--dry-run"],
        &text,
    );
    assert_eq!(
        tried.stdout,
        format!("would be imported 2, known before 1, refused {refused}\n"),
        "{}",
        tried.stderr
    );
    assert_eq!(status(&server, "good"), 401);
    for (imported, known) in [(2, 1), (0, 3)] {
        let done = key(
            &server,
            &["import", "keys", "--algorithm", "sha256-hex", "--json"],
            &text,
        );
        let said: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(
            said,
            json!({ "imported": imported, "known": known, "refused": refused })
        );
        assert_eq!(done.code, Some(1));
        for (number, (_, rule)) in lines.iter().enumerate() {
            let line = format!("keys:{}: {rule}", number + 1);
            assert_eq!(
                done.stderr.lines().any(|found| found.starts_with(&line)),
                !rule.is_empty(),
                "{line}\n{}",
                done.stderr
            );
        }
        assert_eq!(
            (status(&server, "good"), status(&server, "others")),
            (403, 403)
        );
        // A hash that is another tenant's stays that tenant's.
        assert_eq!(
            server
                .get("/api/v1/api-keys")
                .bearer(&b)
                .send()
                .json
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
    assert_eq!(
        server
            .get("/api/v1/api-keys")
            .bearer(&a)
            .send()
            .json
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_byte_order_mark_before_the_first_line_is_none_of_it() {
    let server = Server::start();
    let owner = user_of(&server, &server.sign_up("owner@example.com"));
    let hash = |key: &str| hex(&hashed("sha256", key));
    let line = |key: &str| json!({ "hash": hash(key), "owner": owner, "name": "a", "scopes": ["full_access"] });
    let mark = "\u{feff}";
    let arguments = ["import", "keys", "--algorithm", "sha256-hex"];
    let lines = format!("{mark}{}\r\n{mark}{}\n", line("first"), line("second"));
    let done = key(&server, &arguments, &lines);
    assert_eq!(
        done.stdout, "imported 1, known before 0, refused 1\n",
        "{}",
        done.stderr
    );
    assert!(done.stderr.starts_with("keys:2: "), "{}", done.stderr);
    assert_eq!(
        (status(&server, "first"), status(&server, "second")),
        (200, 401)
    );
    let alone = [
        &arguments[..],
        &["--owner", &owner, "--scope", "full_access"],
    ]
    .concat();
    let done = key(&server, &alone, &format!("{mark}{}\n", hash("third")));
    assert_eq!(
        done.stdout, "imported 1, known before 0, refused 0\n",
        "{}",
        done.stderr
    );
    assert_eq!(status(&server, "third"), 200);
}

#[test]
fn what_is_exported_is_imported_elsewhere_and_exported_alike() {
    let (here, there) = (Server::start(), Server::start());
    let session = here.sign_up_verified("owner@example.com");
    let owner = user_of(&here, &session);
    there.sign_up_verified("owner@example.com");
    let body = json!({
        "name": "all", "scopes": ["signals", "agents"], "expiresAt": "2999-01-01T00:00:00.000Z", "remaining": 5,
        "rateLimit": { "limit": 9, "windowSeconds": 60 }, "allowedIps": ["127.0.0.1"], "environment": "test",
        "metadata": { "a": [1, "é"] }, "enabled": false,
    });
    let made = here
        .post("/api/v1/api-keys", &body.to_string())
        .bearer(&session)
        .send();
    assert_eq!(made.status, 201, "{}", made.text);
    let (_, ours) = here.make_key(&session, &["full_access"]);
    let line = json!({
        "hash": hex(&hashed("sha512", "foreign")), "owner": owner, "name": "foreign", "scopes": ["full_access"],
        "createdAt": "2001-02-03T04:05:06.789Z", "expiresAt": null, "prefix": "for",
    });
    let over = json!({
        "hash": base64(&hashed("sha256", "over")), "algorithm": "sha256-base64", "owner": owner, "name": "over",
        "scopes": ["full_access"], "expiresAt": "2001-02-03T04:05:06.789Z",
    });
    let done = key(
        &here,
        &["import", "-", "--algorithm", "sha512-hex"],
        &format!("{line}\n{over}\n"),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let exported = key(&here, &["export"], "");
    assert_eq!(
        (exported.code, exported.stdout.lines().count()),
        (Some(0), 4),
        "{}",
        exported.stderr
    );
    assert!(!exported.stdout.contains(&ours));
    let done = key(&there, &["import", "keys"], &exported.stdout);
    assert_eq!(
        done.stdout, "imported 4, known before 0, refused 0\n",
        "{}",
        done.stderr
    );
    for foreign in [ours.as_str(), "foreign"] {
        assert_eq!(status(&there, foreign), 200, "{foreign}");
    }
    assert_eq!(status(&there, "over"), 401);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(
        sorted(&key(&there, &["export"], "").stdout),
        sorted(&exported.stdout)
    );
    // Back home they are known.
    let done = key(&here, &["import", "keys"], &exported.stdout);
    assert_eq!(
        done.stdout, "imported 0, known before 4, refused 0\n",
        "{}",
        done.stderr
    );
    // One tenant's alone, by the operator alone.
    here.sign_up("other@example.com");
    let tenant = here.get("/api/auth/me").bearer(&session).send().json["tenant"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        key(&here, &["export", "--tenant", &tenant], "").stdout,
        exported.stdout
    );
    assert_eq!(
        key(&here, &["export", "--tenant", "nobody"], "").code,
        Some(3)
    );
    let raw = here
        .get("/api/operator/api-keys/export")
        .key(&here.operator_key())
        .send();
    assert_eq!(raw.header("cache-control"), Some("no-store"));
    assert_eq!(
        here.get("/api/operator/api-keys/export")
            .key(&ours)
            .send()
            .status,
        403
    );
}

#[test]
fn an_import_that_was_cut_off_is_run_again() {
    let mut server = Server::start();
    let owner = user_of(&server, &server.sign_up("owner@example.com"));
    let hashes = |range: std::ops::Range<u32>| {
        range.fold(String::new(), |mut lines, n| {
            let digest = nexa_core::KeyDigest::of(format!("acme_{n}").as_bytes());
            let _ = writeln!(lines, "{}", digest.to_hex());
            lines
        })
    };
    const KEYS: u32 = 20_000;
    let arguments = [
        "import",
        "keys",
        "--algorithm",
        "sha256-hex",
        "--owner",
        &owner,
        "--scope",
        "full_access",
    ];
    let folder = server.folder.path().to_owned();
    let url = server.url.clone();
    std::fs::write(folder.join("key"), server.operator_key()).unwrap();
    std::fs::write(folder.join("keys"), hashes(0..KEYS)).unwrap();
    let whole: Vec<String> = ["key"]
        .iter()
        .chain(&arguments)
        .chain(&["--server", &url, "--key-file", "key"])
        .map(|part| (*part).to_owned())
        .collect();
    let importing = std::thread::spawn(move || {
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        run_in(&folder, &whole, b"")
    });
    // Killed as soon as some are in and others are not.
    while status(&server, "acme_500") == 401 && !importing.is_finished() {}
    server.stop("-KILL");
    let cut = importing.join().unwrap();
    let words = server.first_words.clone();
    let mut server = server.restart_with(&[]);
    server.first_words = words;
    if cut.code != Some(0) {
        assert_eq!(cut.code, Some(3), "{cut:?}");
        assert!(cut.stderr.contains("run it again"), "{cut:?}");
    }
    let done = key(&server, &arguments, &hashes(0..KEYS));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let numbers: Vec<u32> = done
        .stdout
        .split([' ', ',', '\n'])
        .filter_map(|word| word.parse().ok())
        .collect();
    assert_eq!(
        (numbers[0] + numbers[1], numbers[2]),
        (KEYS, 0),
        "{}",
        done.stdout
    );
    for n in [0, 500, KEYS / 2, KEYS - 1] {
        assert_eq!(status(&server, &format!("acme_{n}")), 200, "{n}");
    }
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
fn what_is_no_import_is_refused_whole() {
    let server = Server::start();
    let lines = "{}\n".repeat(1_001);
    let post = |body: &str, media_type: &str, key: &str| {
        let request = server
            .request("POST", "/api/operator/api-keys/import")
            .body(body);
        request.header("Content-Type", media_type).key(key).send()
    };
    let operator = server.operator_key();
    let (_, tenants) = server.make_key(&server.sign_up("owner@example.com"), &["full_access"]);
    assert_eq!(
        post(&lines, "application/x-ndjson", &operator).refusal(),
        (400, "body: at most 1000 lines")
    );
    assert_eq!(post(&lines, "application/json", &operator).status, 415);
    assert_eq!(post("{}", "application/x-ndjson", &tenants).status, 403);
    assert_eq!(
        post(
            &"x".repeat((1 << 20) + 1),
            "application/x-ndjson",
            &operator
        )
        .status,
        413
    );
    assert_eq!(
        post("", "application/x-ndjson", &operator).json,
        json!({ "imported": 0, "known": 0, "refused": [] })
    );
    let missing = run(&["key", "import", "nowhere", "--server", &server.url], "");
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("nowhere"), "{missing:?}");
}

#[test]
fn the_operator_key_follows_no_redirect() {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = stranger.local_addr().unwrap();
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&visits);
    std::thread::spawn(move || {
        for visitor in stranger.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(visitor);
        }
    });
    let named = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", named.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "nex_operator").unwrap();
    let fixed = ["--server", &url, "--key-file", "key"];
    for command in [
        &["key", "export"][..],
        &["key", "import", "-", "--owner", "a", "--scope", "signals"],
        &["credits", "show", "a"],
    ] {
        let finished = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (stream, _) = named.accept().unwrap();
                let mut lines = BufReader::new(&stream).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                write!(
                    &stream,
                    "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                .unwrap();
            });
            let arguments = [command, &fixed].concat();
            run_in(folder.path(), &arguments, b"00\n")
        });
        assert_eq!(visits.load(Ordering::SeqCst), 0, "{command:?}");
        assert!(finished.stderr.contains("302"), "{}", finished.stderr);
    }
}
