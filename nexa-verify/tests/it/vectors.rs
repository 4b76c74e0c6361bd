//! The conformance file of nexa-core: an embedded verifier agrees with every case.
use nexa_verify::Verifier;
use serde_json::Value;

use crate::conformance::{self, CASES};

#[test]
fn the_verifier_agrees_with_every_case() {
    assert_eq!(conformance::count_agreeing(run), CASES);
}

fn run(case: &Value) -> Value {
    conformance::run(case, |given, scratch| {
        let mut verifier =
            Verifier::new(given.keys, given.issuer, given.audience, given.device).ok()?;
        if let Some(max_lifetime_s) = given.max_lifetime_s {
            verifier = verifier.with_max_lifetime_s(max_lifetime_s);
        }
        if let Some(feed) = given.revocations {
            verifier = verifier.with_revocations(feed);
        }
        Some(verifier.check(given.now, given.token, scratch))
    })
}
