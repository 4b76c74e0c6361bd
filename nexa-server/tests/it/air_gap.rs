//! A machine without a network: it asks for a licence in a file, and verifies it with files alone. Files are all that passes
//! from one folder to the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Finished, Server, run_in};

const ISSUER: &str = "https://auth.example.com";
const APP: &str = "agentyk-engine";

/// The machine without a network, and what it has been brought.
struct Island(tempfile::TempDir);

impl Island {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        run_in(self.path(), arguments, b"")
    }

    /// The verdict on the licence that was brought, by the keys and the revocation data that were brought.
    fn verdict(&self, more: &[&str]) -> Value {
        let done = self.verify(more);
        serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"))
    }

    fn verify(&self, more: &[&str]) -> Finished {
        let licence = fs::read_to_string(self.path().join("licence.jwt")).unwrap();
        let fixed = [
            "license",
            "verify",
            licence.trim(),
            "--root",
            "root.jwk",
            "--status",
            "status",
            "--issuer",
            ISSUER,
            "--audience",
            APP,
            "--json",
        ];
        self.run(&[&fixed[..], more].concat())
    }

    /// That nothing is known of the licence's revocation, which is said, and no success.
    fn knows_nothing(&self, why: &str) {
        let done = self.verify(&[]);
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(
            (done.code, &report["code"], &report["revocation"]),
            (Some(1), &json!("valid"), &json!("no_data")),
            "{why}"
        );
        assert!(
            done.stderr.contains("was revoked is unknown: ") && done.stderr.contains(why),
            "{why}: {done:?}"
        );
    }
}

fn bring(server: &Server, island: &Island) {
    let data = server.data();
    let to = island.path().join("status");
    let (data, to) = (data.to_str().unwrap(), to.to_str().unwrap());
    let done = run_in(
        island.path(),
        &["status", "export", "--data", data, "--out", to],
        b"",
    );
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_licence_lives_and_dies_without_a_network() {
    let server = Server::start_with(&["--public-url", ISSUER]);
    let owner = server.sign_up("island@example.com");
    let island = Island::new();
    let data = server.data();
    let data = data.to_str().unwrap();

    // Out of the island: what the device is.
    let asked = island.run(&[
        "license",
        "request",
        "--app",
        APP,
        "--component",
        "cpu=0f8b",
        "--component",
        "disk=S3X",
        "--component",
        "board=B-7",
        "--name",
        "Plant 4",
        "-o",
        "request.json",
    ]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let request = fs::read_to_string(island.path().join("request.json")).unwrap();

    // Into it: a licence, the root key, and signed status.
    let issued = server
        .post("/api/licenses/issue", &request)
        .bearer(&owner)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    fs::write(
        island.path().join("licence.jwt"),
        issued.json["license"].as_str().unwrap(),
    )
    .unwrap();
    let root = island.run(&[
        "keyset", "export", "--root", "--data", data, "-o", "root.jwk",
    ]);
    assert_eq!(root.code, Some(0), "{root:?}");
    bring(&server, &island);

    let own = ["--request", "request.json"];
    let report = island.verdict(&own);
    assert_eq!(
        (&report["code"], &report["decision"]),
        (&json!("valid"), &json!("allow"))
    );
    assert_eq!(report["revocation"], "not_revoked", "{report}");
    assert_eq!(report["device"]["matched"], 3);
    let other = island.verdict(&["--component", "cpu=0f8b", "--component", "disk=other"]);
    assert_eq!(other["code"], "other_device");
    assert_eq!(other["device"]["drifted"], json!(["board", "disk"]));

    // Revoked, and the next stick says so.
    let jti = report["jti"].as_str().unwrap();
    let revoked = server
        .post(&format!("/api/licenses/{jti}/revoke"), "{}")
        .bearer(&owner)
        .send();
    assert_eq!(revoked.status, 200);
    assert_eq!(
        island.verdict(&own)["code"],
        "valid",
        "it has not heard of it yet"
    );
    bring(&server, &island);
    assert_eq!(island.verdict(&own)["code"], "revoked");

    // A stick that was tampered with, or that lacks the shard, says nothing, and not in silence.
    let shard = island.path().join("status/shards/0.shard");
    let good = fs::read(&shard).unwrap();
    let mut bytes = good.clone();
    bytes[44] ^= 1;
    fs::write(&shard, bytes).unwrap();
    island.knows_nothing("0.shard: ");
    fs::write(&shard, "garbage").unwrap();
    island.knows_nothing("0.shard: ");
    fs::remove_file(&shard).unwrap();
    island.knows_nothing("0.shard: No such file");
    fs::create_dir(&shard).unwrap();
    island.knows_nothing("0.shard: Is a directory");
    fs::remove_dir(&shard).unwrap();
    fs::write(&shard, good).unwrap();
    assert_eq!(island.verdict(&own)["code"], "revoked");

    let key_set = island.path().join("status/keyset.nexa");
    let mut bytes = fs::read(&key_set).unwrap();
    bytes[40] ^= 1;
    fs::write(&key_set, bytes).unwrap();
    let licence = fs::read_to_string(island.path().join("licence.jwt")).unwrap();
    let refused = island.run(&[
        "license",
        "verify",
        licence.trim(),
        "--root",
        "root.jwk",
        "--status",
        "status",
        "--issuer",
        ISSUER,
        "--audience",
        APP,
    ]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("keyset.nexa: "), "{refused:?}");
}

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        match path.is_dir() {
            true => found.extend(
                files(&path)
                    .into_iter()
                    .map(|(below, bytes)| (name.join(below), bytes)),
            ),
            false => drop(found.insert(name, fs::read(&path).unwrap())),
        }
    }
    found
}

#[test]
fn a_running_server_elsewhere_fills_the_same_folder() {
    let server = Server::start_with(&["--public-url", ISSUER]);
    let owner = server.sign_up("mirror@example.com");
    let island = Island::new();
    fs::write(island.path().join("key"), server.operator_key()).unwrap();
    fs::write(island.path().join("wrong"), "nex_nobody").unwrap();
    for device in 0..3 {
        let body = json!({ "appId": APP, "device": { "fingerprint": format!("{device}"), "platform": "x" } });
        let issued = server
            .post("/api/licenses/issue", &body.to_string())
            .bearer(&owner)
            .send();
        assert_eq!(issued.status, 201, "{}", issued.text);
    }
    let listed = server.get("/api/licenses").bearer(&owner).send().json;
    for licence in &listed.as_array().unwrap()[1..] {
        let path = format!("/api/licenses/{}/revoke", licence["jti"].as_str().unwrap());
        assert_eq!(server.post(&path, "{}").bearer(&owner).send().status, 200);
    }
    bring(&server, &island);
    let export = |key: &str, out: &str| {
        island.run(&[
            "status",
            "export",
            "--server",
            &server.url,
            "--key-file",
            key,
            "--out",
            out,
        ])
    };
    let done = export("key", "mirror");
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (Some(0), "nexa: key set and 1 shards written\n"),
        "{done:?}"
    );
    let (near, far) = (
        files(&island.path().join("status")),
        files(&island.path().join("mirror")),
    );
    assert_eq!(near, far);
    let names = ["keyset.nexa", "revocations.json", "shards/0.shard"];
    assert_eq!(
        far.into_keys().collect::<Vec<_>>(),
        names.map(PathBuf::from)
    );

    // Another time nothing else is left there; who is no operator changes nothing.
    let stale = island.path().join("mirror/shards/9.shard");
    fs::write(&stale, "of another server").unwrap();
    let refused = export("wrong", "mirror");
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(
        refused.stderr.contains("/api/operator/status"),
        "{refused:?}"
    );
    assert!(stale.exists());
    assert_eq!(export("key", "mirror").code, Some(0));
    assert_eq!(files(&island.path().join("mirror")), near);
}

#[test]
fn an_export_waits_where_the_server_asks_it_to() {
    let server = Server::configured(
        "[limits]\nstatus_per_address_a_minute = 60\n\
         [[apps]]\nid = \"sdk\"\nttl_days_min = 1\nttl_days_max = 2\nttl_days_default = 2\n",
    );
    let owner = server.sign_up("mirror@example.com");
    let body = r#"{"appId":"sdk","device":{"fingerprint":"f","platform":"x"}}"#;
    let issued = server
        .post("/api/licenses/issue", body)
        .bearer(&owner)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    while server.get("/api/licenses/revocations").send().status == 200 {}
    let island = Island::new();
    fs::write(island.path().join("key"), server.operator_key()).unwrap();
    let arguments = [
        "status",
        "export",
        "--server",
        &server.url,
        "--key-file",
        "key",
        "--out",
        "mirror",
    ];
    let done = island.run(&arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(files(&island.path().join("mirror")).len(), 3);
}

#[test]
fn an_issuer_without_a_server_answers_the_same_request() {
    let mut server = Server::start();
    assert_eq!(server.stop("-TERM"), Some(0));
    let island = Island::new();
    let key = server.data().join("signing-key.pem");
    let key = key.to_str().unwrap();
    let asked = island.run(&[
        "license",
        "request",
        "--app",
        "editor",
        "--component",
        "cpu=1",
        "--component",
        "disk=2",
        "--component",
        "mac=3",
        "-o",
        "request.json",
    ]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let issued = island.run(&[
        "license",
        "issue",
        "--request",
        "request.json",
        "--signing-key",
        key,
        "--issuer",
        ISSUER,
        "--device-policy",
        "most",
        "-o",
        "licence.jwt",
    ]);
    assert_eq!(
        (issued.code, issued.stdout.as_str()),
        (Some(0), ""),
        "{issued:?}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let kept = fs::metadata(island.path().join("licence.jwt")).unwrap();
        assert_eq!(
            kept.permissions().mode() & 0o777,
            0o600,
            "whoever has it uses it"
        );
    }
    let jwks = island.run(&["jwks", "--signing-key", key]);
    fs::write(island.path().join("jwks.json"), jwks.stdout).unwrap();
    let licence = fs::read_to_string(island.path().join("licence.jwt")).unwrap();
    let verify = |more: &[&str]| {
        let fixed = [
            "license",
            "verify",
            licence.trim(),
            "--jwks",
            "jwks.json",
            "--issuer",
            ISSUER,
            "--audience",
            "editor",
        ];
        island.run(&[&fixed[..], more].concat())
    };
    assert_eq!(verify(&["--request", "request.json"]).code, Some(0));
    let drifted = [
        "--component",
        "cpu=1",
        "--component",
        "disk=new",
        "--component",
        "mac=3",
    ];
    assert_eq!(
        verify(&drifted).code,
        Some(0),
        "two of three are most of them"
    );
    let other = [
        "--component",
        "cpu=1",
        "--component",
        "disk=new",
        "--component",
        "mac=new",
    ];
    assert_eq!(verify(&other).code, Some(1));
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    let island = Island::new();
    for (arguments, expected) in [
        (
            &["license", "request", "--app", "a"][..],
            "name a --fingerprint or a --component",
        ),
        (
            &["license", "request", "--app", "a", "--component", "cpu"],
            "must be KIND=VALUE",
        ),
        (
            &["license", "request", "--app", "a", "--component", "=1"],
            "must be KIND=VALUE",
        ),
        (
            &[
                "license",
                "request",
                "--app",
                "a",
                "--component",
                "cpu=1",
                "--component",
                "cpu=2",
            ],
            "--component \"cpu\" appears twice",
        ),
    ] {
        let done = island.run(arguments);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.stderr.contains(expected), "{done:?}");
    }
    let key = island.path().join("key.pem");
    let signing = nexa_core::SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    fs::write(&key, signing.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let issue_with = |request: &str, more: &[&str]| {
        fs::write(island.path().join("r.json"), request).unwrap();
        let fixed = [
            "license",
            "issue",
            "--request",
            "r.json",
            "--signing-key",
            "key.pem",
            "--issuer",
            ISSUER,
        ];
        island.run(&[&fixed[..], more].concat())
    };
    let issue = |request: &str| issue_with(request, &[]);
    let good = r#"{"format":"nexa licence request 1","appId":"a","device":{"fingerprint":"f","platform":"x"}}"#;
    assert_eq!(issue(good).code, Some(0));
    for (request, expected) in [
        ("", "r.json: "),
        ("{}", "format: required"),
        (&good.replace("request 1", "request 2"), "format is not"),
        (
            &good.replace("\"f\",", "\"f\",\"components\":{\"cpu\":\"c\"},"),
            "both fingerprint and components",
        ),
        (
            &good.replace("\"fingerprint\":\"f\",", ""),
            "neither fingerprint nor components",
        ),
        (&good.replace("\"f\"", "7"), "fingerprint: must be a string"),
        (
            &good.replace(
                "\"platform\"",
                r#""components":{"cpu":"1","cpu":"2"},"platform""#,
            ),
            "device.components.cpu: appears twice",
        ),
        (
            &good.replace("\"device\"", r#""appId":"b","device""#),
            "appId: appears twice",
        ),
        (&good.replace("\"f\"", "\"\""), "1 to 512 bytes"),
    ] {
        let done = issue(request);
        assert_eq!(done.code, Some(2), "{request}: {done:?}");
        assert!(done.stderr.contains(expected), "{request}: {done:?}");
    }

    // The operator pins the app, and sees what is signed.
    let esc = good.replace("\"x\"", r#""x\u001b[2J\u202e","name":"Plant\n4""#);
    let pinned = issue_with(&esc, &["--app", "a"]);
    assert_eq!(pinned.code, Some(0), "{pinned:?}");
    assert_eq!(
        pinned.stderr,
        "nexa: app \"a\", platform \"x\\u{1b}[2J\\u{202e}\", \"Plant\\n4\"\n"
    );
    let other = issue_with(good, &["--app", "b"]);
    assert_eq!((other.code, other.stdout.as_str()), (Some(2), ""));
    assert_eq!(
        other.stderr,
        "nexa: r.json: it asks for app \"a\", not for \"b\"\n"
    );
    let both = issue_with(good, &["--fingerprint", "f"]);
    assert_eq!(both.code, Some(2), "one device, not two");
}
