//! Forward authorization behind the gateways that people use: their programs, `examples/gateways`, a server and an API.

mod call;
mod contract;
mod gateway;
mod identity;
mod passage;
mod paths;
mod upstream;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::json;

use crate::harness::{Request, Server};
use call::{Answer, Call};
use gateway::{ALL, Gateway, Kind};
use upstream::{Seen, Upstream};

/// Rules that the tests need beside those that README and the sample configuration show.
const MORE_RULES: &str = r#"
[[rules]]
path = "/api/v1/agents/{id}"
all_scopes = ["agents"]

[[rules]]
path = "/own/{status}"
any_key = true

[[rules]]
path = "/ws"
methods = ["GET"]
all_scopes = ["signals"]
"#;

/// A gateway between callers and an API, a server that it asks, and a tenant.
struct World {
    kind: Kind,
    nexa: Server,
    gateway: Gateway,
    api: Upstream,
    token: String,
}

/// Each gateway in turn, in a world of its own; a fault behind one hides none behind the others.
fn behind_each_gateway(check: impl Fn(&mut World)) {
    let failed: Vec<Kind> = ALL
        .into_iter()
        .filter(|kind| {
            let run = || check(&mut World::start(*kind));
            catch_unwind(AssertUnwindSafe(run)).is_err()
        })
        .collect();
    assert!(failed.is_empty(), "behind {failed:?}; see above");
}

impl World {
    fn start(kind: Kind) -> Self {
        let nexa = Server::configured(&configuration());
        let api = Upstream::start();
        let gateway = Gateway::start(kind, &nexa.url, api.port);
        let token = nexa.sign_up("owner@example.com");
        Self {
            kind,
            nexa,
            gateway,
            api,
            token,
        }
    }

    fn send(&self, call: &Call) -> Answer {
        call.send(self.gateway.port)
    }

    /// A key with those scopes.
    fn key(&self, scopes: &[&str]) -> String {
        self.nexa.make_key(&self.token, scopes).1
    }

    /// A key for signals that carries a limit of its own.
    fn limited_key(&self, limit: (&str, serde_json::Value)) -> String {
        let mut body = json!({ "name": "limited", "scopes": ["signals"] });
        body[limit.0] = limit.1;
        let made = self.nexa.post("/api/v1/api-keys", &body.to_string());
        let made = made.bearer(&self.token).send();
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["key"].as_str().unwrap().to_owned()
    }

    /// Asserts that the call is answered so, and never reaches the API.
    fn assert_refused(&self, call: &Call, expected: (u16, &str)) -> Answer {
        let answer = self.send(call);
        assert_eq!(answer.refusal(), expected, "{:?}: {call:?}", self.kind);
        let seen = self.api.seen();
        assert!(
            seen.is_empty(),
            "{:?}: {call:?} reached the API: {seen:?}",
            self.kind
        );
        answer
    }

    /// Asserts that the call reaches the API once and is answered by it; answers what the API saw.
    fn assert_passes(&self, call: &Call) -> (Answer, Seen) {
        let answer = self.send(call);
        let seen = self.api.seen();
        assert!(
            answer.status < 300 && seen.len() == 1,
            "{:?}: {call:?}: {answer:?}, seen {seen:?}",
            self.kind
        );
        (answer, seen.into_iter().next().unwrap())
    }
}

/// The configuration that README shows, with the rest of Nexgent's endpoints as the sample has them.
fn configuration() -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(workspace.join("README.md")).unwrap();
    let shown = readme.split("cat > gateway.toml <<'END'\n").nth(1).unwrap();
    let shown = shown.split("\nEND\n").next().unwrap();
    let sample = std::fs::read_to_string(workspace.join("examples/nexa.toml")).unwrap();
    let (_, others) = sample
        .split_once("[[rules]]\npath = \"/api/v1/agents\"\n")
        .unwrap();
    let origins = "cors_origins = [\"https://app.example.com\"]";
    format!("{origins}\n{shown}\n[[rules]]\npath = \"/api/v1/agents\"\n{others}\n{MORE_RULES}")
}

/// A question to Nexa itself, past the gateway.
fn asked<'s>(nexa: &'s Server, method: &str, uri: &str) -> Request<'s> {
    let request = nexa
        .get("/api/authorize")
        .header("X-Original-Method", method);
    request.header("X-Original-URI", uri)
}
