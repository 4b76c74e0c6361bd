//! The conformance file: it is what the generator makes, it covers every code, and this crate agrees with it.

use std::collections::BTreeSet;

use nexa_core::{
    Base64Fault, Claim, Decision, DeviceExpectation, DeviceMatch, JsonFault, KeySet,
    LicenseExpectations, LicenseReport, Refusal, RevocationFeed, RevocationStatus, Scratch,
    TokenPart, UnixSeconds, Verdict, check_license,
};
use serde_json::{Value, json};

#[path = "../../examples/license_vectors/vectors/mod.rs"]
mod generator;

/// When the tokens of most cases were issued.
pub(crate) const NOW: u64 = 1_795_230_000;
const FILE: &str = include_str!("../license-vectors.json");
/// The code of a case whose key set must be refused when it is loaded.
const KEY_SET_REFUSED: &str = "key_set_refused";

pub(crate) fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(FILE).expect("the file is JSON");
    assert_eq!(
        file.pointer("/format"),
        Some(&json!("nexa licence vectors 1"))
    );
    let cases = file.pointer("/cases").and_then(Value::as_array);
    cases.expect("a list").clone()
}

#[test]
fn the_file_is_what_the_generator_makes() {
    let generated = generator::document();
    for (line, made) in FILE.lines().zip(generated.lines()) {
        assert_eq!(line, made);
    }
    assert_eq!(FILE.len(), generated.len());
}

#[test]
fn names_are_unique_and_many() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| text(&case["name"])).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 200);
}

#[test]
fn this_crate_agrees_with_every_case() {
    let disagreements: Vec<String> = cases()
        .iter()
        .filter_map(|case| {
            let expected = expectation(case);
            let found = run(case, |keys| keys);
            (found != expected).then(|| format!("{}: {found} instead of {expected}", case["name"]))
        })
        .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[cfg(feature = "tables")]
#[test]
fn tables_change_no_answer() {
    let tabled = |keys: KeySet| {
        let keys: Vec<_> = keys.iter().map(|key| key.clone().with_table()).collect();
        KeySet::from_keys(&keys).expect("the keys were a set before")
    };
    let mut run_with_tables = 0;
    for case in cases() {
        if text(&case["name"]).starts_with("signature/") {
            assert_eq!(run(&case, tabled), expectation(&case), "{}", case["name"]);
            run_with_tables += 1;
        }
    }
    assert!(run_with_tables > 30);
}

#[test]
fn every_code_has_a_case() {
    let cases = cases();
    let seen: BTreeSet<&str> = cases.iter().map(|case| text(&case["code"])).collect();
    let verdicts = [
        "valid",
        "not_yet_valid",
        "expired",
        "revoked",
        "other_device",
        "unknown_key",
    ];
    let refusals: BTreeSet<&str> = every_refusal().iter().map(Refusal::code).collect();
    let known = refusals
        .iter()
        .copied()
        .chain(verdicts)
        .chain([KEY_SET_REFUSED]);
    let missing: Vec<&str> = known
        .clone()
        .filter(|code| !seen.contains(code) && !is_unreachable(code))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let wrongly_listed: Vec<&str> = known
        .clone()
        .filter(|code| seen.contains(code) && is_unreachable(code))
        .collect();
    assert!(
        wrongly_listed.is_empty(),
        "reached after all: {wrongly_listed:?}"
    );
    let known: BTreeSet<&str> = known.collect();
    let unknown: Vec<_> = seen.difference(&known).collect();
    assert!(unknown.is_empty(), "no such code: {unknown:?}");
}

/// Codes that no licence can get.
fn is_unreachable(code: &str) -> bool {
    // For a licence this is the verdict `unknown_key`.
    if code == "kid_unknown" {
        return true;
    }
    let Some((claim, rule)) = code.rsplit_once('_') else {
        return false;
    };
    match claim {
        // Claims of access tokens.
        "tenant" | "sid" | "sv" | "role" | "scope" => true,
        // Every whole number in range is a time, and what is an object is judged by its members.
        "iat" | "nbf" | "exp" | "device" | "status_list" => rule == "wrong",
        // Optional, and every value of the right type is accepted.
        "status" | "lic" | "lic_plan" | "lic_entitlements" | "lic_limits" | "lic_grace_s"
        | "lic_fresh_s" | "lic_max_age_s" | "lic_renew_after" | "lic_trial" => {
            rule == "missing" || rule == "wrong"
        }
        "lic_stale" => rule == "missing",
        _ => false,
    }
}

/// Lists a closed enum; a variant that is added to it but not here does not compile.
macro_rules! every {
    ($name:ident: $type:ident { $($variant:ident)* }) => {
        const $name: &[$type] = &[$($type::$variant),*];
        const _: fn($type) = |value| match value {
            $($type::$variant => (),)*
        };
    };
}

every!(BASE64_FAULTS: Base64Fault { Padding Alphabet Length TrailingBits });
every!(JSON_FAULTS: JsonFault {
    Utf8 ByteOrderMark Syntax TrailingData DuplicateMember LoneSurrogate TooDeep TooManyMembers TooLarge NumberRange
});
every!(CLAIMS: Claim {
    Iss Sub Aud Jti Iat Nbf Exp Type Tenant Sid Sv Role Scope Device DeviceSalt DevicePolicy DeviceComponents
    Status StatusList StatusIdx StatusUri Lic LicPlan LicEntitlements LicLimits LicGrace LicFresh LicMaxAge
    LicStale LicRenewAfter LicTrial
});

fn every_refusal() -> Vec<Refusal> {
    let part = TokenPart::Header;
    let mut all = vec![
        Refusal::TokenTooLong { bytes: 0 },
        Refusal::NotThreeSegments { segments: 0 },
        Refusal::Whitespace { position: 0 },
        Refusal::NotAnObject { part },
        Refusal::AlgMissing,
        Refusal::AlgType,
        Refusal::AlgNone,
        Refusal::AlgNotAllowed,
        Refusal::HeaderCrit,
        Refusal::HeaderB64,
        Refusal::HeaderJwk,
        Refusal::HeaderJku,
        Refusal::HeaderX5c,
        Refusal::HeaderX5u,
        Refusal::HeaderZip,
        Refusal::HeaderUnknownMember,
        Refusal::TypMissing,
        Refusal::TypType,
        Refusal::TypWrong,
        Refusal::KidMissing,
        Refusal::KidType,
        Refusal::KidUnknown,
        Refusal::SignatureLength { bytes: 0 },
        Refusal::SignatureScalarRange,
        Refusal::SignatureSmallOrder,
        Refusal::SignatureWrong,
        Refusal::ExpNotAfterNbf,
        Refusal::LifetimeTooLong {
            lifetime_s: 0,
            max_s: 0,
        },
        Refusal::IssuedInFuture { ahead_s: 0 },
        Refusal::NotYetValid { starts_in_s: 0 },
        Refusal::Expired { since_s: 0 },
    ];
    all.extend(BASE64_FAULTS.iter().map(|fault| Refusal::Base64 {
        part,
        fault: *fault,
    }));
    all.extend(JSON_FAULTS.iter().map(|fault| Refusal::Json {
        part,
        fault: *fault,
    }));
    for claim in CLAIMS {
        all.extend([
            Refusal::ClaimMissing(*claim),
            Refusal::ClaimType(*claim),
            Refusal::ClaimWrong(*claim),
        ]);
    }
    all.iter().for_each(is_listed_above);
    all
}

/// Does not compile when a variant is added that the list above may lack.
fn is_listed_above(refusal: &Refusal) {
    match refusal {
        Refusal::TokenTooLong { .. }
        | Refusal::NotThreeSegments { .. }
        | Refusal::Whitespace { .. }
        | Refusal::Base64 { .. }
        | Refusal::Json { .. }
        | Refusal::NotAnObject { .. }
        | Refusal::AlgMissing
        | Refusal::AlgType
        | Refusal::AlgNone
        | Refusal::AlgNotAllowed
        | Refusal::HeaderCrit
        | Refusal::HeaderB64
        | Refusal::HeaderJwk
        | Refusal::HeaderJku
        | Refusal::HeaderX5c
        | Refusal::HeaderX5u
        | Refusal::HeaderZip
        | Refusal::HeaderUnknownMember
        | Refusal::TypMissing
        | Refusal::TypType
        | Refusal::TypWrong
        | Refusal::KidMissing
        | Refusal::KidType
        | Refusal::KidUnknown
        | Refusal::SignatureLength { .. }
        | Refusal::SignatureScalarRange
        | Refusal::SignatureSmallOrder
        | Refusal::SignatureWrong
        | Refusal::ClaimMissing(_)
        | Refusal::ClaimType(_)
        | Refusal::ClaimWrong(_)
        | Refusal::ExpNotAfterNbf
        | Refusal::LifetimeTooLong { .. }
        | Refusal::IssuedInFuture { .. }
        | Refusal::NotYetValid { .. }
        | Refusal::Expired { .. } => (),
    }
}

fn expectation(case: &Value) -> Value {
    json!({"code": case["code"], "decision": case["decision"], "facts": case["facts"]})
}

/// The case's outcome, with the facts that the case names.
fn run(case: &Value, prepare: impl Fn(KeySet) -> KeySet) -> Value {
    let Ok(keys) = KeySet::from_jwks(text(&case["keys"]).as_bytes()) else {
        return json!({"code": KEY_SET_REFUSED, "decision": "deny", "facts": {}});
    };
    let keys = prepare(keys);
    let expect = &case["expect"];
    let mut expectations =
        LicenseExpectations::new(text(&expect["issuer"]), text(&expect["audience"]));
    if let Some(max_lifetime_s) = expect.get("max_lifetime_s") {
        expectations = expectations.with_max_lifetime_s(max_lifetime_s.as_u64().expect("seconds"));
    }
    let components: Option<Vec<(&str, &str)>> = expect.get("device").map(|device| {
        let kinds = device.as_object().expect("an object");
        kinds
            .iter()
            .map(|(kind, value)| (kind.as_str(), text(value)))
            .collect()
    });
    if let Some(components) = &components {
        expectations = expectations.with_device(DeviceExpectation::Components(components));
    }
    let list = expect.get("revocations").map(Value::to_string);
    let feed = list
        .as_ref()
        .map(|list| RevocationFeed::read(list.as_bytes()).expect("a good list"));
    if let Some(feed) = &feed {
        expectations = expectations.with_revocations(feed);
    }
    let now = UnixSeconds::new(case["time"].as_u64().expect("seconds")).expect("below 2^53");

    let mut scratch = Scratch::new();
    let token = text(&case["token"]).as_bytes();
    let report = check_license(&keys, &expectations, now, token, &mut scratch);
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
            RevocationStatus::NotRevoked | RevocationStatus::NotChecked => Value::Null,
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

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
