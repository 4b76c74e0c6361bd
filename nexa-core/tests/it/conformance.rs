//! Runs one case of the conformance file. The tests of nexa-verify include this file too, with a check of their own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexa_core::{
    Decision, DeviceExpectation, DeviceMatch, Freshness, KeySet, KeyUse, LicenseReport,
    RevocationFeed, RevocationStatus, Revocations, Scratch, ShardError, SignedKeySet, StatusRef,
    StatusShard, UnixSeconds, Verdict,
};
use serde_json::{Value, json};

/// How many cases there are: a run that skips some is no run.
pub(crate) const CASES: usize = 852;
pub(crate) const FILE: &str = include_str!("../license-vectors.json");
/// The code of a case whose key set must be refused when it is loaded.
pub(crate) const KEY_SET_REFUSED: &str = "key_set_refused";

pub(crate) fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(FILE).expect("the file is JSON");
    let member = |name| file.get(name).expect("format and cases");
    assert_eq!(member("format"), "nexa licence vectors 2");
    member("cases").as_array().expect("a list").clone()
}

/// Where the keys that may have signed the licence come from.
pub(crate) enum Keys<'a> {
    /// The text of an embedded JWK set.
    Embedded(&'a [u8]),
    /// A signed key set, or why it was refused.
    Signed(Box<Result<KeySet, &'static str>>),
}

/// What a case gives a verifier.
pub(crate) struct Given<'a> {
    pub(crate) keys: Keys<'a>,
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) max_lifetime_s: Option<u64>,
    pub(crate) device: DeviceExpectation<'a>,
    pub(crate) revocations: Option<&'a dyn Revocations>,
    pub(crate) now: UnixSeconds,
    pub(crate) token: &'a [u8],
}

/// The case's outcome, with the facts that the case names. `check` answers a code when keys, key set, shard or delta are
/// refused.
pub(crate) fn run(
    case: &Value,
    check: impl for<'s> FnOnce(&Given<'_>, &'s mut Scratch) -> Result<LicenseReport<'s>, &'static str>,
) -> Value {
    let expect = &case["expect"];
    let device: Option<Vec<(&str, &str)>> = expect.get("device").map(|device| {
        let kinds = device.as_object().expect("an object");
        kinds
            .iter()
            .map(|(kind, value)| (kind.as_str(), text(value)))
            .collect()
    });
    let issuer = text(&expect["issuer"]);
    let embedded = text(&case["keys"]).as_bytes();
    let (keys, status_keys) = trusted(expect, issuer, embedded);
    let list = expect.get("revocations").map(Value::to_string);
    let feed = list
        .as_ref()
        .map(|list| RevocationFeed::read(list.as_bytes()).expect("a good list"));
    let documents = ["shard", "delta"].map(|name| expect.get(name).map(bytes));
    let mut rebuilt = [0; StatusShard::MAX_BYTES];
    let shard = match (&documents, &status_keys) {
        ([Some(shard), delta], Some(keys)) => {
            match read_shard(shard, delta.as_deref(), keys, issuer, &mut rebuilt) {
                Ok(shard) => Some(shard),
                Err(error) => return refused(error.code()),
            }
        }
        _ => None,
    };
    let revocations: Option<&dyn Revocations> = match (&feed, &shard) {
        (Some(feed), _) => Some(feed),
        (None, Some(shard)) => Some(shard),
        (None, None) if status_keys.is_some() => Some(&NothingYet),
        (None, None) => None,
    };
    let given = Given {
        keys,
        issuer,
        audience: text(&expect["audience"]),
        max_lifetime_s: expect
            .get("max_lifetime_s")
            .map(|seconds| seconds.as_u64().expect("seconds")),
        device: match &device {
            Some(components) => DeviceExpectation::Components(components),
            None => DeviceExpectation::NotChecked,
        },
        revocations,
        now: UnixSeconds::new(case["time"].as_u64().expect("seconds")).expect("below 2^53"),
        token: text(&case["token"]).as_bytes(),
    };

    let mut scratch = Scratch::new();
    let report = match check(&given, &mut scratch) {
        Ok(report) => report,
        Err(code) => return refused(code),
    };
    let facts: serde_json::Map<String, Value> = case["facts"]
        .as_object()
        .expect("an object")
        .keys()
        .map(|name| (name.clone(), fact(&report, name)))
        .collect();
    let decision = match report.decision() {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    };
    json!({"code": report.verdict().code(), "decision": decision, "facts": facts})
}

/// The keys that may have signed the licence, and those that may have signed its status.
fn trusted<'a>(expect: &Value, issuer: &str, embedded: &'a [u8]) -> (Keys<'a>, Option<KeySet>) {
    let Some(key_set) = expect.get("key_set").map(bytes) else {
        let status_keys = expect
            .get("status_keys")
            .map(|keys| KeySet::from_jwks(text(keys).as_bytes()).expect("good status keys"));
        return (Keys::Embedded(embedded), status_keys);
    };
    let root = KeySet::from_jwks(embedded).expect("a good root key");
    let root = root.iter().next().expect("one key");
    match SignedKeySet::open(&key_set, root, issuer) {
        Ok(key_set) => (
            Keys::Signed(Box::new(key_set.keys(KeyUse::License).ok_or("unknown_key"))),
            key_set.keys(KeyUse::Status),
        ),
        Err(error) => (Keys::Signed(Box::new(Err(error.code()))), None),
    }
}

fn read_shard<'a>(
    shard: &'a [u8],
    delta: Option<&'a [u8]>,
    keys: &KeySet,
    issuer: &str,
    rebuilt: &'a mut [u8],
) -> Result<StatusShard<'a>, ShardError> {
    let shard = StatusShard::open(shard, keys, issuer)?;
    match delta {
        Some(delta) if StatusShard::is_delta(delta) => shard.apply(delta, keys, issuer, rebuilt),
        Some(whole) => StatusShard::open(whole, keys, issuer),
        None => Ok(shard),
    }
}

/// Somebody who asks for the status of licences and has no shard yet.
struct NothingYet;

impl Revocations for NothingYet {
    fn lookup(&self, _: &str, _: Option<&StatusRef<'_>>) -> RevocationStatus {
        RevocationStatus::NoData
    }
}

fn refused(code: &str) -> Value {
    json!({"code": code, "decision": "deny", "facts": {}})
}

/// Runs every case and counts those whose outcome is the expected one.
///
/// # Panics
/// Where some are not, with all of them.
pub(crate) fn count_agreeing(run: impl Fn(&Value) -> Value) -> usize {
    let cases = cases();
    let disagreements: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (found, expected) = (run(case), expectation(case));
            (found != expected).then(|| format!("{}: {found} instead of {expected}", case["name"]))
        })
        .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    cases.len()
}

/// What [`run`] should answer.
pub(crate) fn expectation(case: &Value) -> Value {
    json!({"code": case["code"], "decision": case["decision"], "facts": case["facts"]})
}

fn fact(report: &LicenseReport<'_>, name: &str) -> Value {
    let license = report
        .license()
        .expect("facts are stated of good licences only")
        .claims();
    let terms = license.terms();
    match (name, report.verdict()) {
        ("starts_in_s", Verdict::NotYetValid { starts_in_s }) => json!(starts_in_s),
        ("since_s", Verdict::Expired { since_s, .. }) => json!(since_s),
        ("grace_left_s", Verdict::Expired { grace_left_s, .. }) => json!(grace_left_s),
        ("issuer", _) => json!(license.issuer()),
        ("subject", _) => json!(license.subject()),
        ("audience", _) => json!(license.audience()),
        ("jti", _) => json!(license.jti()),
        ("kid", _) => json!(license.kid()),
        ("issued_at", _) => json!(license.issued_at().get()),
        ("not_before", _) => json!(license.not_before().get()),
        ("expires_at", _) => json!(license.expires_at().get()),
        ("plan", _) => json!(terms.plan()),
        ("entitlements", _) => terms.entitlements().collect(),
        ("limits", _) => terms.limits().collect(),
        ("grace_s", _) => json!(terms.grace_s()),
        ("fresh_s", _) => json!(terms.fresh_s()),
        ("max_age_s", _) => json!(terms.max_age_s()),
        ("stale", _) => json!(terms.stale().name()),
        ("renew_after", _) => json!(terms.renew_after().map(UnixSeconds::get)),
        ("trial", _) => json!(terms.is_trial()),
        ("status_idx", _) => json!(license.status().map(|status| status.index)),
        ("status_uri", _) => json!(license.status().map(|status| status.uri)),
        ("revoked_at", _) => match report.revocation() {
            RevocationStatus::Revoked { at } => json!(at.get()),
            RevocationStatus::NotRevoked { .. }
            | RevocationStatus::NoData
            | RevocationStatus::NotChecked => Value::Null,
        },
        ("revocation_age_s", _) => match report.freshness() {
            Freshness::Fresh { age_s }
            | Freshness::Aging { age_s }
            | Freshness::TooOld { age_s, .. } => json!(age_s),
            Freshness::Unknown => Value::Null,
        },
        ("matched" | "required" | "total" | "drifted", _) => device_fact(report.device(), name),
        (name, verdict) => panic!("no fact {name} of a licence that is {}", verdict.code()),
    }
}

fn device_fact(device: &DeviceMatch<'_>, name: &str) -> Value {
    match (name, device) {
        ("matched", DeviceMatch::Checked { matched, .. }) => json!(matched),
        ("required", DeviceMatch::Checked { required, .. }) => json!(required),
        ("total", DeviceMatch::Checked { total, .. }) => json!(total),
        ("drifted", DeviceMatch::Checked { drifted, .. }) => drifted.clone().collect(),
        _ => Value::Null,
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text(value)).expect("base64url")
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
