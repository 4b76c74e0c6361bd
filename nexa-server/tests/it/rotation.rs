//! Keys come and go on a real server, killed in between; one client program lives through all of it with the root key alone.

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nexa_core::{KeySet, UnixSeconds};
use nexa_verify::{Client, DeviceExpectation, Scratch, State, Trust};
use serde_json::json;

use crate::harness::{Server, run, run_in};

const ISSUER: &str = "https://auth.example.com";
const PUBLIC_URL: &[&str] = &["--public-url", ISSUER];
const APP: &str = "agentyk-engine";
const HERE: &[(&str, &str)] = &[("fingerprint", "here")];
const DAY_S: u64 = 86_400;

/// A client as it was built: root key, issuer, app and device. Its clock is told, its documents come from the server.
struct Program {
    client: Client<'static>,
    state: State,
    wall_s: u64,
    scratch: Scratch,
}

impl Program {
    fn new(root: &[u8]) -> Self {
        let trust = Trust::root(root).unwrap();
        let device = DeviceExpectation::Components(HERE);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            client: Client::new(trust, ISSUER, APP, device),
            state: State::new(),
            wall_s: now.as_secs(),
            scratch: Scratch::new(),
        }
    }

    /// Checks a licence, and fetches what is wanted until nothing is; the verdict, and how much was fetched.
    fn check(&mut self, server: &Server, token: &str) -> (&'static str, usize) {
        for fetched in 0..8 {
            let now = UnixSeconds::new(self.wall_s).unwrap();
            let checked = (self.client).check(
                &mut self.state,
                now,
                None,
                token.as_bytes(),
                &mut self.scratch,
            );
            let Some(fetch) = checked.next_fetch() else {
                return (checked.verdict().code(), fetched);
            };
            let (url, wanted) = (fetch.to_string(), fetch.document);
            let bytes = server.get(url.strip_prefix(ISSUER).unwrap()).bytes();
            self.client
                .receive(&mut self.state, wanted, &bytes)
                .unwrap();
        }
        panic!("it asks for ever");
    }
}

/// The operator key stands in a file from the first start on.
fn keyset(server: &Server, arguments: &[&str]) -> String {
    let file = server.folder.path().join("operator-key");
    let named = [
        "--server",
        &server.url,
        "--key-file",
        file.to_str().unwrap(),
    ];
    let done = run(&[&["keyset"], arguments, &named].concat(), "");
    assert_eq!(done.code, Some(0), "{done:?}");
    done.stdout.trim().to_owned()
}

/// The id of the key in that state.
fn kid(server: &Server, key_use: &str, state: &str) -> Option<String> {
    let listed = keyset(server, &["show"]);
    let mut lines = listed.lines().map(|line| line.split(' '));
    lines.find_map(|mut words| {
        let kid = words.next()?;
        (words.next()? == key_use && words.next()? == state).then(|| kid.to_owned())
    })
}

fn wait_for(server: &Server, signing: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while kid(server, "license", "signing").as_deref() != Some(signing) {
        assert!(Instant::now() < end, "the next key never signs");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The server after a SIGKILL and a new start.
fn killed(mut server: Server) -> Server {
    server.stop("-KILL");
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    Server::start_on(folder, PUBLIC_URL)
}

fn issue(server: &Server, key: &str) -> String {
    let body = json!({ "appId": APP, "device": { "fingerprint": "here", "platform": "linux" } });
    let issued = server
        .post("/api/licenses/issue", &body.to_string())
        .key(key)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    issued.json["license"].as_str().unwrap().to_owned()
}

#[test]
fn one_client_program_lives_through_rotation_revocation_and_a_root_key_that_moves_away() {
    let server = Server::start_with(PUBLIC_URL);
    fs::write(
        server.folder.path().join("operator-key"),
        server.operator_key(),
    )
    .unwrap();
    let token = server.sign_up("ada@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let data = server.data();
    let root = run(
        &[
            "keyset",
            "export",
            "--root",
            "--data",
            data.to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(root.code, Some(0), "{root:?}");
    let mut program = Program::new(root.stdout.as_bytes());

    let first = issue(&server, &key);
    assert_eq!(
        program.check(&server, &first),
        ("valid", 2),
        "key set and shard"
    );
    let old = kid(&server, "license", "signing").unwrap();
    let new = keyset(&server, &["rotate", "--use", "license", "--lead", "0"]);

    // Killed before the new one signs.
    let server = killed(server);
    wait_for(&server, &new);
    let second = issue(&server, &key);
    program.wall_s += 120;
    assert_eq!(program.check(&server, &first), ("valid", 0));
    assert_eq!(
        program.check(&server, &second),
        ("valid", 1),
        "an unknown key, so a key set"
    );
    assert_eq!(server.get("/api/auth/me").bearer(&token).send().status, 200);

    keyset(&server, &["revoke", &old]);
    let server = killed(server);
    assert_eq!(server.get("/api/auth/me").bearer(&token).send().status, 401);
    let jwks =
        KeySet::from_jwks(server.get("/.well-known/jwks.json").send().text.as_bytes()).unwrap();
    assert!(jwks.find(&old).is_none() && jwks.find(&new).is_some());
    assert_eq!(
        program.check(&server, &first).0,
        "valid",
        "it has not heard of it"
    );
    program.wall_s += DAY_S;
    assert_eq!(program.check(&server, &first).0, "kid_revoked");
    assert_eq!(program.check(&server, &second).0, "valid");

    // The root key goes where no network is.
    let vault = tempfile::tempdir().unwrap();
    let root_key = vault.path().join("root-key.pem");
    fs::rename(server.data().join("root-key.pem"), &root_key).unwrap();
    let server = killed(server);
    let third_kid = keyset(&server, &["rotate", "--use", "license", "--lead", "0"]);
    let status_kid = keyset(&server, &["rotate", "--use", "status", "--lead", "0"]);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(
        kid(&server, "license", "signing"),
        Some(new.clone()),
        "not before it is signed"
    );
    let data = server.data();
    let run = |arguments: &[&str]| {
        let done = run_in(vault.path(), &[&["keyset"], arguments].concat(), b"");
        assert_eq!(done.code, Some(0), "{done:?}");
        done.stderr
    };
    run(&[
        "export",
        "--unsigned",
        "--data",
        data.to_str().unwrap(),
        "-o",
        "draft",
    ]);
    let said = run(&[
        "sign",
        "draft",
        "--root-key",
        "root-key.pem",
        "--issuer",
        ISSUER,
        "-o",
        "signed",
    ]);
    for kid in [&old, &new, &third_kid, &status_kid] {
        assert!(said.contains(kid.as_str()), "{said}");
    }
    let signed = vault.path().join("signed");
    keyset(&server, &["import", signed.to_str().unwrap()]);
    wait_for(&server, &third_kid);
    let third = issue(&server, &key);
    program.wall_s += 120;
    assert_eq!(program.check(&server, &third).0, "valid");
    assert_eq!(program.check(&server, &second).0, "valid");

    // A day later it fetches shards by the new status key too, and a revocation arrives.
    let jti = |token: &str| {
        let inspected = crate::harness::run(&["license", "inspect", token], "");
        let inspected: serde_json::Value = serde_json::from_str(&inspected.stdout).unwrap();
        inspected["payload"]["jti"].as_str().unwrap().to_owned()
    };
    let path = format!("/api/licenses/{}/revoke", jti(&third));
    assert_eq!(server.post(&path, "{}").key(&key).send().status, 200);
    program.wall_s += DAY_S;
    assert_eq!(program.check(&server, &third).0, "revoked");
    assert_eq!(program.check(&server, &second).0, "valid");
}

#[test]
fn a_key_is_revoked_whatever_its_id_begins_with() {
    let finished = crate::harness::run(
        &[
            "keyset",
            "revoke",
            "-trdcCXb",
            "--server",
            "http://127.0.0.1:1",
        ],
        "",
    );
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.stderr.contains("NEXA_OPERATOR_KEY"),
        "{finished:?}"
    );
}
