//! The command line: what it prints, how it ends.

use serde_json::{Value, json};

use crate::harness::{Server, nexa, run, run_in};

const ISSUER: &str = "https://auth.example.com";

/// A folder with a signing key of its own and the JWK set that belongs to it.
struct Offline {
    folder: tempfile::TempDir,
}

impl Offline {
    fn new() -> Self {
        // A first start makes a key; the folder then serves without a server.
        let mut server = Server::start();
        assert_eq!(server.stop("-TERM"), Some(0));
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(
            server.data().join("signing-key.pem"),
            folder.path().join("key.pem"),
        )
        .unwrap();
        let jwks = run_in(folder.path(), &["jwks", "--signing-key", "key.pem"], b"");
        assert_eq!(jwks.code, Some(0), "{jwks:?}");
        std::fs::write(folder.path().join("jwks.json"), &jwks.stdout).unwrap();
        Self { folder }
    }

    fn issue(&self, more: &[&str]) -> crate::harness::Finished {
        let fixed = [
            "license",
            "issue",
            "--signing-key",
            "key.pem",
            "--issuer",
            ISSUER,
            "--app",
            "my-app",
            "--fingerprint",
            "no part of an id",
        ];
        run_in(self.folder.path(), &[&fixed[..], more].concat(), b"")
    }

    fn verify(&self, more: &[&str], input: &[u8]) -> crate::harness::Finished {
        let fixed = [
            "license",
            "verify",
            "--jwks",
            "jwks.json",
            "--issuer",
            ISSUER,
            "--audience",
            "my-app",
        ];
        run_in(self.folder.path(), &[&fixed[..], more].concat(), input)
    }
}

#[test]
fn a_license_is_issued_verified_and_inspected_offline() {
    let offline = Offline::new();
    let issued = offline.issue(&[
        "--subject",
        "acme",
        "--ttl-days",
        "45",
        "--entitlement",
        "pro",
        "--entitlement",
        "export",
    ]);
    assert_eq!(issued.code, Some(0), "{issued:?}");
    let token = issued.stdout.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace), "the token alone");

    let verified = offline.verify(&[token, "--json", "--fingerprint", "no part of an id"], b"");
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let report: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(
        (&report["valid"], &report["code"], &report["decision"]),
        (&json!(true), &json!("valid"), &json!("allow"))
    );
    assert_eq!(
        (&report["subject"], &report["audience"], &report["issuer"]),
        (&json!("acme"), &json!("my-app"), &json!(ISSUER))
    );
    assert_eq!(report["entitlements"], json!(["pro", "export"]));
    assert_eq!(
        report["device"],
        json!({ "checked": true, "matched": 1, "required": 1, "total": 1, "drifted": [] })
    );
    assert_eq!(report["revocation"], "not_checked");

    let text = offline.verify(&[token], b"");
    assert!(
        text.stdout.starts_with("valid: ") && text.stdout.contains("subject acme"),
        "{}",
        text.stdout
    );
    let drifted = offline.verify(&[token, "--json", "--fingerprint", "f-2"], b"");
    let report: Value = serde_json::from_str(&drifted.stdout).unwrap();
    assert_eq!(
        (drifted.code, &report["code"]),
        (Some(1), &json!("other_device"))
    );
    assert_eq!(report["device"]["drifted"], json!(["fingerprint"]));

    let inspected = run(&["license", "inspect", token], "");
    let contents: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(contents["payload"]["sub"], "acme");
    let (iat, nbf, exp) = (
        &contents["payload"]["iat"],
        &contents["payload"]["nbf"],
        &contents["payload"]["exp"],
    );
    assert_eq!(exp.as_u64().unwrap() - iat.as_u64().unwrap(), 45 * 86_400);
    assert_eq!(iat.as_u64().unwrap() - nbf.as_u64().unwrap(), 300);
    assert!(inspected.stderr.contains("not verified"));
    assert!(
        !inspected.stdout.contains("no part of an id"),
        "a licence holds hashes of the device, never the values"
    );

    let rfc3339 = |at: u64| {
        jiff::Timestamp::from_second(i64::try_from(at).unwrap())
            .unwrap()
            .to_string()
    };
    for (at, code) in [
        (nbf.as_u64().unwrap() - 1, "issued_in_future"),
        (nbf.as_u64().unwrap(), "valid"),
        (exp.as_u64().unwrap() - 1, "valid"),
        (exp.as_u64().unwrap(), "expired"),
    ] {
        let verified = offline.verify(&[token, "--json", "--at", &rfc3339(at)], b"");
        let report: Value = serde_json::from_str(&verified.stdout).unwrap();
        assert_eq!(report["code"], code, "{report}");
        assert_eq!(verified.code, Some(i32::from(code != "valid")));
    }
    let never = offline.verify(&[token, "--json", "--at", "9999-12-31T00:00:00Z"], b"");
    assert!(never.stdout.contains(r#""expired""#), "{never:?}");
    for at in ["20990101T00Z", "2099-01-01T00:00:00Z[Europe/Berlin]"] {
        let refused = offline.verify(&[token, "--at", at], b"");
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(2), ""),
            "{at}"
        );
        assert!(refused.stderr.contains("--at"), "{}", refused.stderr);
    }
}

#[test]
fn each_line_of_standard_input_gets_one_line_of_answer_in_order() {
    let offline = Offline::new();
    let good = offline.issue(&[]).stdout.trim_end().to_owned();
    let long = "a".repeat(100_000);
    let lines = [
        (good.as_str(), "valid"),
        ("", "not_three_segments"),
        ("a.b", "not_three_segments"),
        (&format!("{good}\r"), "whitespace"),
        (&format!(" {good}"), "whitespace"),
        (&long, "token_too_long"),
        (&good, "valid"),
    ];
    let mut input = lines.map(|(line, _)| line).join("\n").into_bytes();
    let finished = offline.verify(&["-", "--json"], &input);
    assert_eq!(finished.code, Some(1));
    let codes: Vec<Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].clone())
        .collect();
    assert_eq!(
        codes,
        lines.map(|(_, code)| json!(code)),
        "{}",
        finished.stdout
    );
    input.push(b'\n');
    assert_eq!(
        offline.verify(&["-", "--json"], &input).stdout,
        finished.stdout,
        "a last line feed adds no line"
    );
    assert_eq!(
        offline.verify(&["-"], b"").stdout,
        "",
        "no lines, no answers"
    );
    let mut not_utf8 = good.clone().into_bytes();
    not_utf8[3] = 0xff;
    assert_eq!(offline.verify(&["-"], &not_utf8).code, Some(1));
    assert_eq!(
        offline
            .verify(&["-"], format!("{good}\n{good}\n").as_bytes())
            .code,
        Some(0)
    );
}

#[test]
fn wrong_usage_and_unreadable_input_end_with_two() {
    let offline = Offline::new();
    let token = offline.issue(&[]).stdout.trim_end().to_owned();
    std::fs::write(offline.folder.path().join("bad.json"), r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#).unwrap();
    std::fs::write(offline.folder.path().join("feed.json"), "{}").unwrap();
    for arguments in [
        &["license", "verify", &token][..],
        &[
            "license",
            "verify",
            &token,
            "--jwks",
            "nowhere.json",
            "--issuer",
            ISSUER,
            "--audience",
            "a",
        ],
        &[
            "license",
            "verify",
            &token,
            "--jwks",
            "bad.json",
            "--issuer",
            ISSUER,
            "--audience",
            "a",
        ],
        &[
            "license",
            "verify",
            &token,
            "--jwks",
            "jwks.json",
            "--issuer",
            ISSUER,
            "--audience",
            "a",
            "--at",
            "now",
        ],
        &[
            "license",
            "verify",
            &token,
            "--jwks",
            "jwks.json",
            "--issuer",
            ISSUER,
            "--audience",
            "a",
            "--revocations",
            "feed.json",
        ],
        &[
            "license",
            "issue",
            "--signing-key",
            "jwks.json",
            "--issuer",
            ISSUER,
            "--app",
            "a",
            "--fingerprint",
            "f",
        ],
        &[
            "license",
            "issue",
            "--signing-key",
            "key.pem",
            "--issuer",
            "https://x/",
            "--app",
            "a",
            "--fingerprint",
            "f",
        ],
        &[
            "license",
            "issue",
            "--signing-key",
            "key.pem",
            "--issuer",
            ISSUER,
            "--app",
            "a",
            "--fingerprint",
            "",
        ],
        &[
            "license",
            "issue",
            "--signing-key",
            "key.pem",
            "--issuer",
            ISSUER,
            "--app",
            "a",
            "--fingerprint",
            "f",
            "--ttl-days",
            "401",
        ],
        &["nonsense"],
        &["key", "check", "--sha256", "xyz"],
        &["check-config", "--config", "nowhere.toml"],
    ] {
        let finished = run_in(offline.folder.path(), arguments, b"");
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        assert!(!finished.stderr.is_empty());
        assert_eq!(finished.stdout, "");
    }
    assert_eq!(run(&["--help"], "").code, Some(0));
    assert_eq!(run(&["--version"], "").code, Some(0));
}

#[test]
#[cfg(unix)]
fn a_file_that_never_ends_is_refused() {
    let offline = Offline::new();
    let folder = offline.folder.path();
    for (arguments, max) in [
        (
            &[
                "license",
                "issue",
                "--request",
                "/dev/zero",
                "--signing-key",
                "key.pem",
            ][..],
            65_536,
        ),
        (
            &[
                "license",
                "issue",
                "--app",
                "a",
                "--signing-key",
                "/dev/zero",
            ],
            65_536,
        ),
        (
            &[
                "license",
                "verify",
                "a",
                "--jwks",
                "/dev/zero",
                "--audience",
                "a",
            ],
            65_536,
        ),
        (
            &[
                "license",
                "verify",
                "a",
                "--jwks",
                "jwks.json",
                "--audience",
                "a",
                "--revocations",
                "/dev/zero",
            ],
            16 << 20,
        ),
    ] {
        let arguments = [arguments, &["--issuer", ISSUER]].concat();
        let finished = run_in(folder, &arguments, b"");
        let problem = format!("nexa: /dev/zero: longer than {max} bytes\n");
        assert_eq!(
            (finished.code, finished.stderr),
            (Some(2), problem),
            "{arguments:?}"
        );
    }
}

#[test]
fn keys_are_made_hashed_and_checked() {
    let made = run(&["key", "new", "--json"], "");
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let (key, sha256) = (
        made["key"].as_str().unwrap(),
        made["sha256"].as_str().unwrap(),
    );
    assert_eq!(key.len(), 36);
    assert_eq!(made["prefix"], key[..8]);
    assert_eq!(
        run(&["key", "hash"], &format!("{key}\n")).stdout,
        format!("{sha256}\n")
    );
    let mut typo = key.to_owned();
    typo.replace_range(10..11, if &key[10..11] == "A" { "B" } else { "A" });
    let checked = run(&["key", "check"], &format!("{key}\n{typo}\nnex_short\n"));
    assert_eq!(
        (checked.code, checked.stdout.as_str()),
        (Some(1), "plausible\nwrong_checksum\nwrong_shape\n")
    );
    let matched = run(
        &["key", "check", "--sha256", sha256],
        &format!("{key}\n{typo}\n"),
    );
    assert_eq!(
        (matched.code, matched.stdout.as_str()),
        (Some(1), "match\nno_match\n")
    );
    assert_eq!(
        run(&["key", "check", "--sha256", sha256], key).code,
        Some(0)
    );
    for prefix in ["nex_", "nxr_", "sk_live_"] {
        let made = run(&["key", "new", "--prefix", prefix], "").stdout;
        assert!(made.starts_with(prefix));
        assert_eq!(
            run(&["key", "check", "--prefix", prefix], &made).stdout,
            "plausible\n"
        );
    }
}

#[test]
fn a_wrong_configuration_stops_the_start_with_a_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    for (text, problem) in [
        ("nonsense = 1", "unknown field `nonsense`"),
        ("listen = \"here\"", "listen: \"here\" is not ADDRESS:PORT"),
        ("log = \"loud\"", "log: \"loud\" is not one of"),
        (
            "cors_origins = [\"https://App.example.com\"]",
            "cors_origins",
        ),
        (
            "cors_origins = [\"https://app.example.com:443\"]",
            "cors_origins",
        ),
        ("log = \"loud\"", "log: \"loud\" is not one of"),
        (
            "cors_origins = [\"https://App.example.com\"]",
            "cors_origins",
        ),
        (
            "cors_origins = [\"https://app.example.com:443\"]",
            "cors_origins",
        ),
        ("public_url = \"https://x/\"", "without a trailing slash"),
        (
            "public_url = \"ftp://x\"",
            "starts with https:// or http://",
        ),
        (
            "trusted_proxies = [\"10.0.0.1\", \"10.0.0.0/33\"]",
            "trusted_proxies: \"10.0.0.0/33\" must be an IP address or a CIDR block",
        ),
        ("cors_origins = [\"https://x/path\"]", "cors_origins"),
        ("scopes = [\"Not A Scope\"]", "scopes"),
        (
            "[limits]\nlogin_per_address_an_hour = 0",
            "login_per_address_an_hour",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 10\nttl_days_default = 20",
            "ttl_days_min <= ttl_days_default",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\ndevices = 0",
            "apps: \"a\": devices: must be 1 to 1000000, not 0",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\ngrace_days = 311",
            "apps: \"a\": grace_days: must be at most 400",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\nfresh_hours = 25\nmax_age_days = 1",
            "apps: \"a\": fresh_hours: must be at most max_age_days",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\nstale = \"sometimes\"",
            "apps: \"a\": stale: must be allow, warn or deny",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\ndevice_policy = 17",
            "apps: \"a\": device_policy: must be 1 to 16",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\ndevice_policy = \"some\"",
            "apps: \"a\": device_policy: must be any, two, most, all",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\n[apps.limits]\nx = 9007199254740992",
            "apps: \"a\": limits: \"x\" must be below 2^53",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\n[apps.trial]\ndays = 0",
            "apps: \"a\": trial.days: must be 1 to 400",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\n[apps.plans.pro]\nttl_days_default = 91",
            "apps: \"a\": plans.pro.ttl_days_min: needs 1 <= ttl_days_min",
        ),
        (
            "[[apps]]\nid = \"a\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\n[apps.plans.pro]\ndays = 3",
            "unknown field `days`",
        ),
        ("[[rules]]\npath = \"/a\"", "say exactly one of"),
        (
            "[[rules]]\npath = \"/a\"\npublic = true\nany_key = true",
            "say exactly one of",
        ),
        (
            "[[rules]]\npath = \"a\"\npublic = true",
            "must start with a slash",
        ),
        ("[[rules]]\npath = \"/a/{\"\npublic = true", "path \"/a/{\""),
        (
            "[[rules]]\npath = \"/a\"\nall_scopes = [\"unknown\"]",
            "scope \"unknown\" is not listed",
        ),
        (
            "[[rules]]\npath = \"/a\"\nmethods = [\"get\"]\npublic = true",
            "upper case",
        ),
    ] {
        std::fs::write(folder.path().join("nexa.toml"), text).unwrap();
        for command in ["check-config", "serve"] {
            let finished = run_in(folder.path(), &[command, "--config", "nexa.toml"], b"");
            assert_eq!(finished.code, Some(2), "{text}: {finished:?}");
            assert!(
                finished.stderr.contains(problem),
                "{text}: {}",
                finished.stderr
            );
        }
    }
    assert!(
        !folder.path().join("nexa-data").exists(),
        "nothing was made"
    );
}

#[test]
fn the_sample_configuration_starts_as_it_stands() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/nexa.toml");
    let checked = run(&["check-config", "--config", sample], "");
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked.stdout.contains("6 scopes, 1 apps, 8 rules"),
        "{}",
        checked.stdout
    );
    let server = Server::start_with(&["--config", sample]);
    assert_eq!(server.get("/healthz").send().status, 200);
}

#[test]
fn a_port_in_use_and_a_folder_in_use_end_with_three() {
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap();
    let other = tempfile::tempdir().unwrap();
    let taken = run_in(other.path(), &["serve", "--listen", address], b"");
    assert_eq!(taken.code, Some(3), "{taken:?}");
    assert!(
        taken.stderr.contains("cannot listen on"),
        "{}",
        taken.stderr
    );
    let owned = run(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            server.data().to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(owned.code, Some(3), "{owned:?}");
    assert!(owned.stderr.contains("in use"), "{}", owned.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_first_start_that_cannot_show_its_key_says_how_to_get_another() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = nexa()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(full.unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let told = "nexa: standard output: No space left on device (os error 28); ";
    assert!(stderr.contains(told), "{stderr}");
    assert!(stderr.contains("nexa operator-key makes another"));
    let output = nexa()
        .args(["operator-key", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"nex_"));
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let unread = || std::io::pipe().unwrap().1;
    let folder = tempfile::tempdir().unwrap();
    let mut child = crate::harness::nexa()
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "trace"])
        .arg("--data")
        .arg(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(unread())
        .spawn()
        .unwrap();
    let ready = crate::harness::until_ready(&mut child);
    let health = ready
        .as_ref()
        .map(|(_, url)| ureq::get(format!("{url}/healthz")).call().unwrap().status());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        health.map(|status| status.as_u16()),
        Some(200),
        "the start has much to log"
    );
    for (arguments, code) in [
        (&["license", "inspect", "x"][..], 1),
        (&["license", "inspect"], 2),
        (&["check-config", "--config", "nowhere.toml"], 2),
    ] {
        let status = crate::harness::nexa()
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(unread())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn an_issuer_follows_the_rule_of_the_public_url() {
    let offline = Offline::new();
    let issue = |issuer: &str| {
        let arguments = [
            "license",
            "issue",
            "--signing-key",
            "key.pem",
            "--issuer",
            issuer,
            "--app",
            "a",
            "--fingerprint",
            "f",
        ];
        run_in(offline.folder.path(), &arguments, b"")
    };
    for issuer in [
        "notaurl",
        "ftp://x",
        "https://",
        "https://x/",
        "https://x?y",
        "https://x#y",
    ] {
        let issued = issue(issuer);
        assert_eq!(
            (issued.code, issued.stdout.as_str()),
            (Some(2), ""),
            "{issuer}"
        );
        assert!(issued.stderr.contains("--issuer"), "{}", issued.stderr);
        let served = run(&["check-config", "--public-url", issuer], "");
        assert_eq!(served.code, Some(2), "{issuer}: one rule for both");
    }
    assert_eq!(issue("http://localhost:8080/auth").code, Some(0));
}

#[test]
fn a_folder_without_a_store_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["operator-key", "--data", "typo"][..],
        &["backup", "copy.db", "--data", "typo"],
    ] {
        let finished = run_in(folder.path(), arguments, b"");
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        assert_eq!(
            (finished.stdout.as_str(), finished.stderr.as_str()),
            ("", "nexa: there is no Nexa store in typo\n")
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was made"
    );
    let mut server = Server::start();
    assert_eq!(server.stop("-TERM"), Some(0));
    let data = server.data();
    let made = run(&["operator-key", "--data", data.to_str().unwrap()], "");
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.starts_with("nex_"));
}

#[test]
fn what_no_request_could_carry_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good"), "nex_0123\n").unwrap();
    for (name, content) in [
        ("two-lines", "nex_a\nnex_b\n"),
        ("accent", "nex_\u{e9}"),
        ("blank", " \n"),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
        let asked = ["operator-key", "--server", "http://127.0.0.1:9"];
        let finished = run_in(
            folder.path(),
            &[&asked[..], &["--key-file", name]].concat(),
            b"",
        );
        assert_eq!(finished.code, Some(2), "{name}: {finished:?}");
        assert!(finished.stderr.contains("the operator key must be"));
        assert!(!finished.stderr.contains("nex_"), "{}", finished.stderr);
    }
    for url in [
        "notaurl",
        "127.0.0.1:9",
        "ftp://127.0.0.1:9",
        "http://",
        "http://a b",
        "http://a?b",
        "http://a#b",
        "http://[a",
        "",
    ] {
        let arguments = ["operator-key", "--server", url, "--key-file", "good"];
        let finished = run_in(folder.path(), &arguments, b"");
        assert_eq!(finished.code, Some(2), "{url}: {finished:?}");
        assert!(finished.stderr.contains("--server"), "{}", finished.stderr);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", port.local_addr().unwrap());
    drop(port);
    let arguments = ["operator-key", "--server", &nobody, "--key-file", "good"];
    let finished = run_in(folder.path(), &arguments, b"");
    assert_eq!(
        finished.code,
        Some(3),
        "a server that does not answer is no wrong usage: {finished:?}"
    );

    let long = "k".repeat(257);
    for line in [
        "nex_a\r\n",
        " nex_a\n",
        "nex_a \n",
        "nex a\n",
        "nex_a\t\n",
        "\n",
        "\u{e9}\n",
        &long,
    ] {
        let finished = run(&["key", "hash"], line);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(2), ""),
            "{line:?}"
        );
    }
    assert_eq!(run(&["key", "hash"], &"k".repeat(256)).code, Some(0));
}

#[test]
fn no_lines_are_no_failure_as_the_help_says() {
    let offline = Offline::new();
    for finished in [
        offline.verify(&["-"], b""),
        run(&["key", "check"], ""),
        run(&["key", "hash"], ""),
    ] {
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), ""));
    }
    for command in [["license", "verify"], ["key", "check"]] {
        let help = run(&[&command[..], &["--help"]].concat(), "").stdout;
        let words: Vec<&str> = help.split_whitespace().collect();
        assert!(
            words
                .join(" ")
                .contains("empty input holds none that is not"),
            "{help}"
        );
    }
}

#[test]
fn settings_go_flag_before_environment_before_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("nexa.toml"),
        "listen = \"127.0.0.1:1001\"\ndata = \"from-file\"\n",
    )
    .unwrap();
    let check = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = crate::harness::nexa();
        command
            .current_dir(folder.path())
            .arg("check-config")
            .args(arguments)
            .envs(environment.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(
        check(&[], &["--config", "nexa.toml"]).contains("listen 127.0.0.1:1001, data from-file")
    );
    let environment = [
        ("NEXA_CONFIG", "nexa.toml"),
        ("NEXA_LISTEN", "127.0.0.1:1002"),
        ("NEXA_DATA", "from-environment"),
    ];
    assert!(check(&environment, &[]).contains("listen 127.0.0.1:1002, data from-environment"));
    assert!(
        check(&environment, &["--listen", "127.0.0.1:1003"])
            .contains("listen 127.0.0.1:1003, data from-environment")
    );
    assert!(check(&[], &[]).contains("listen 127.0.0.1:8080, data ./nexa-data"));
}

#[test]
fn a_backup_of_a_running_server_serves() {
    let server = Server::start();
    let token = server.sign_up("backup@example.com");
    let (_, key) = server.make_key(&token, &["signals"]);
    let restored = tempfile::tempdir().unwrap();
    let data = restored.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let copy = data.join("nexa.db");
    let made = run(
        &[
            "backup",
            copy.to_str().unwrap(),
            "--data",
            server.data().to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(
        run(
            &[
                "backup",
                copy.to_str().unwrap(),
                "--data",
                server.data().to_str().unwrap()
            ],
            ""
        )
        .code,
        Some(2),
        "never over a file"
    );
    let alone = run(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data.to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(alone.code, Some(2), "without its signing key: {alone:?}");
    assert!(
        alone.stderr.contains("signing-key.pem is missing"),
        "{}",
        alone.stderr
    );
    std::fs::copy(
        server.data().join("signing-key.pem"),
        data.join("signing-key.pem"),
    )
    .unwrap();
    let second = Server::start_on(restored, &[]);
    assert_eq!(
        second
            .get("/api/authorize?scope=signals")
            .key(&key)
            .send()
            .status,
        200
    );
}

#[test]
fn the_openapi_document_does_not_drift() {
    let printed = run(&["openapi"], "");
    let document: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| &operation["operationId"])
        .collect();
    let unique: std::collections::BTreeSet<String> = ids.iter().map(|id| id.to_string()).collect();
    assert_eq!(unique.len(), ids.len(), "an id names one operation");
    insta::assert_json_snapshot!(document, { ".info.version" => "[version]" });
    let server = Server::start();
    assert_eq!(
        server.get("/openapi.json").send().json,
        document,
        "the server shows the same"
    );
}
