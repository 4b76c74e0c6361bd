//! The cases of the conformance file. Tokens are made with nothing of nexa-core's; every expectation is written by hand.

mod claims;
mod device;
mod forged;
mod header;
mod json;
mod judged;
mod key_sets;
mod keys;
mod mint;
mod shards;
mod signature;
mod signed;
mod structure;
mod terms;
mod valid;

use mint::{AUDIENCE, ISSUER, Key, NOW, b64, jwks, quoted};

/// The whole file: one case per line, so that a change shows as the lines it changes.
pub(crate) fn document() -> String {
    let groups = [
        valid::cases(),
        structure::cases(),
        header::cases(),
        json::cases(),
        claims::cases(),
        terms::cases(),
        device::cases(),
        signature::cases(),
        keys::cases(),
        judged::cases(),
        shards::cases(),
        key_sets::cases(),
    ];
    let lines: Vec<String> = groups.iter().flatten().map(Case::line).collect();
    format!(
        "{{\"format\":\"nexa licence vectors 2\",\"cases\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

/// One token, what its verifier expects, and what it must answer.
struct Case {
    name: String,
    token: String,
    /// The text of the key set.
    keys: String,
    expect: Expect,
    time: u64,
    code: &'static str,
    decision: &'static str,
    /// Names and JSON values.
    facts: Vec<(&'static str, String)>,
}

#[derive(Clone, Default)]
struct Expect {
    max_lifetime_s: Option<u64>,
    device: Option<Vec<(&'static str, &'static str)>>,
    /// Ids and times.
    revocations: Option<Vec<(&'static str, &'static str)>>,
    key_set: Option<Vec<u8>>,
    status_keys: Option<String>,
    shard: Option<Vec<u8>>,
    delta: Option<Vec<u8>>,
}

impl Case {
    fn new(name: &str, token: String, code: &'static str, decision: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            token,
            keys: jwks(&[Key::issuing().jwk()]),
            expect: Expect::default(),
            time: NOW,
            code,
            decision,
            facts: Vec::new(),
        }
    }

    fn valid(name: &str, token: String) -> Self {
        Self::new(name, token, "valid", "allow")
    }

    fn denied(name: &str, token: String, code: &'static str) -> Self {
        Self::new(name, token, code, "deny")
    }

    fn keys(mut self, keys: String) -> Self {
        self.keys = keys;
        self
    }

    fn at(mut self, time: u64) -> Self {
        self.time = time;
        self
    }

    fn max_lifetime_s(mut self, seconds: u64) -> Self {
        self.expect.max_lifetime_s = Some(seconds);
        self
    }

    fn device(mut self, components: &[(&'static str, &'static str)]) -> Self {
        self.expect.device = Some(components.to_vec());
        self
    }

    fn revocations(mut self, revoked: &[(&'static str, &'static str)]) -> Self {
        self.expect.revocations = Some(revoked.to_vec());
        self
    }

    /// Trusts the root key alone, and the keys of this key set with it.
    fn key_set(mut self, bytes: Vec<u8>) -> Self {
        self.keys = signed::root().jwk();
        self.expect.key_set = Some(bytes);
        self
    }

    /// Asks for the status of the licence, and has nothing to look it up in.
    fn status(self) -> Self {
        self.status_keys(signed::status_key().jwk())
    }

    fn status_keys(mut self, keys: String) -> Self {
        self.expect.status_keys = Some(keys);
        self
    }

    /// Has this shard, and the status key embedded.
    fn shard(self, bytes: Vec<u8>) -> Self {
        self.status().shard_under_key_set(bytes)
    }

    /// Has this shard; the status key comes from the key set.
    fn shard_under_key_set(mut self, bytes: Vec<u8>) -> Self {
        self.expect.shard = Some(bytes);
        self
    }

    /// Applies this delta to the shard first.
    fn delta(mut self, bytes: Vec<u8>) -> Self {
        self.expect.delta = Some(bytes);
        self
    }

    fn fact(mut self, name: &'static str, json: impl ToString) -> Self {
        self.facts.push((name, json.to_string()));
        self
    }

    fn text_fact(self, name: &'static str, text: &str) -> Self {
        self.fact(name, quoted(text))
    }

    fn line(&self) -> String {
        let members = [
            ("name", quoted(&self.name)),
            ("token", quoted(&self.token)),
            ("keys", quoted(&self.keys)),
            ("expect", self.expect.json()),
            ("time", self.time.to_string()),
            ("code", quoted(self.code)),
            ("decision", quoted(self.decision)),
            ("facts", object(&self.facts)),
        ];
        object(&members)
    }
}

impl Expect {
    fn json(&self) -> String {
        let mut members = vec![("issuer", quoted(ISSUER)), ("audience", quoted(AUDIENCE))];
        if let Some(seconds) = self.max_lifetime_s {
            members.push(("max_lifetime_s", seconds.to_string()));
        }
        if let Some(components) = &self.device {
            let components: Vec<_> = components
                .iter()
                .map(|(kind, value)| (*kind, quoted(value)))
                .collect();
            members.push(("device", object(&components)));
        }
        if let Some(revoked) = &self.revocations {
            let entry = |(jti, at): &(&str, &str)| {
                object(&[("jti", quoted(jti)), ("revokedAt", quoted(at))])
            };
            let entries: Vec<String> = revoked.iter().map(entry).collect();
            members.push(("revocations", format!("[{}]", entries.join(","))));
        }
        if let Some(keys) = &self.status_keys {
            members.push(("status_keys", quoted(keys)));
        }
        let documents = [
            ("key_set", &self.key_set),
            ("shard", &self.shard),
            ("delta", &self.delta),
        ];
        for (name, document) in documents {
            if let Some(bytes) = document {
                members.push((name, quoted(&b64(bytes))));
            }
        }
        object(&members)
    }
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, json)| format!("{}:{json}", quoted(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}
