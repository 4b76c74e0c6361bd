//! The conformance file of nexa-core: an embedded verifier agrees with every case.
use nexa_verify::Verifier;
use serde_json::Value;

use crate::conformance::{self, CASES, KEY_SET_REFUSED, Keys};

#[test]
fn the_verifier_agrees_with_every_case() {
    assert_eq!(conformance::count_agreeing(run), CASES);
}

fn run(case: &Value) -> Value {
    conformance::run(case, |given, scratch| {
        let (issuer, audience, device) = (given.issuer, given.audience, given.device);
        let mut verifier = match &given.keys {
            Keys::Embedded(jwks) => {
                Verifier::new(jwks, issuer, audience, device).map_err(|_| KEY_SET_REFUSED)?
            }
            Keys::Signed(keys) => {
                Verifier::with_keys(keys.as_ref().clone()?, issuer, audience, device)
            }
        };
        if let Some(max_lifetime_s) = given.max_lifetime_s {
            verifier = verifier.with_max_lifetime_s(max_lifetime_s);
        }
        if let Some(revocations) = given.revocations {
            verifier = verifier.with_revocations(revocations);
        }
        Ok(verifier.check(given.now, given.token, scratch))
    })
}
