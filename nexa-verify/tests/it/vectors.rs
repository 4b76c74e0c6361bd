//! The conformance file: an embedded verifier agrees with every case.
use nexa_verify::Verifier;
use serde_json::Value;

use crate::conformance::{self, KEY_SET_REFUSED, cases, expectation, text};

#[test]
fn the_verifier_agrees_with_every_case() {
    let disagreements: Vec<String> = cases()
        .iter()
        .filter_map(|case| {
            let (found, expected) = (run(case), expectation(case));
            (found != expected).then(|| format!("{}: {found} instead of {expected}", case["name"]))
        })
        .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn the_file_has_cases_of_every_kind() {
    let cases = cases();
    assert!(cases.len() >= 200);
    for code in ["valid", "revoked", "other_device", KEY_SET_REFUSED] {
        assert!(
            cases.iter().any(|case| text(&case["code"]) == code),
            "{code}"
        );
    }
}

fn run(case: &Value) -> Value {
    conformance::run(case, |given, scratch| {
        let mut verifier = Verifier::new(given.keys, given.issuer, given.audience).ok()?;
        if let Some(max_lifetime_s) = given.max_lifetime_s {
            verifier = verifier.with_max_lifetime_s(max_lifetime_s);
        }
        if let Some(device) = given.device {
            verifier = verifier.with_device(device);
        }
        if let Some(feed) = given.revocations {
            verifier = verifier.with_revocations(feed);
        }
        Some(verifier.check(given.now, given.token, scratch))
    })
}
