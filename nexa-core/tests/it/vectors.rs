//! The conformance file: it is what the generator makes, and this crate agrees with it.

use std::collections::BTreeSet;

use nexa_core::{KeySet, LicenseExpectations, check_license};
use serde_json::Value;

use crate::conformance::{self, CASES, FILE, KEY_SET_REFUSED, Keys, cases, text};

#[path = "../../examples/license_vectors/vectors/mod.rs"]
mod generator;

/// When the tokens of most cases were issued.
#[cfg(feature = "issue")]
pub(crate) const NOW: u64 = 1_795_230_000;
/// How many cases are about signatures.
#[cfg(feature = "tables")]
const SIGNATURE_CASES: usize = 42;

#[test]
fn the_file_is_what_the_generator_makes() {
    let generated = generator::document();
    for (line, made) in FILE.lines().zip(generated.lines()) {
        assert_eq!(line, made);
    }
    assert_eq!(FILE.len(), generated.len());
}

#[test]
fn names_are_unique() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| text(&case["name"])).collect();
    assert_eq!(names.len(), CASES);
}

#[test]
fn this_crate_agrees_with_every_case() {
    let agreeing = conformance::count_agreeing(|case| run(case, |keys| keys));
    assert_eq!(agreeing, CASES);
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
            assert_eq!(
                run(&case, tabled),
                conformance::expectation(&case),
                "{}",
                case["name"]
            );
            run_with_tables += 1;
        }
    }
    assert_eq!(run_with_tables, SIGNATURE_CASES);
}

/// The case's outcome by `check_license`, with keys that went through `prepare`.
fn run(case: &Value, prepare: impl Fn(KeySet) -> KeySet) -> Value {
    conformance::run(case, |given, scratch| {
        let keys = prepare(match &given.keys {
            Keys::Embedded(jwks) => KeySet::from_jwks(jwks).map_err(|_| KEY_SET_REFUSED)?,
            Keys::Signed(keys) => keys.as_ref().clone()?,
        });
        let mut expect = LicenseExpectations::new(given.issuer, given.audience, given.device);
        if let Some(max_lifetime_s) = given.max_lifetime_s {
            expect = expect.with_max_lifetime_s(max_lifetime_s);
        }
        if let Some(revocations) = given.revocations {
            expect = expect.with_revocations(revocations);
        }
        Ok(check_license(
            &keys,
            &expect,
            given.now,
            given.token,
            scratch,
        ))
    })
}
