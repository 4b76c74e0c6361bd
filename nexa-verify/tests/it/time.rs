//! The licence's time against the time that the program passes in.
use nexa_core::{NewLicense, NewTerms};
use nexa_verify::{Decision, DeviceExpectation, Scratch, UnixSeconds, Verdict, Verifier};

use crate::{APP, DAY_S, ISSUED_AT, ISSUER, after, issue};

#[test]
fn valid_from_its_first_second_to_the_one_before_its_end() {
    const LIFE_S: u64 = 30 * DAY_S;
    let issued = issue(|license| NewLicense {
        terms: NewTerms {
            grace_s: 10,
            ..license.terms
        },
        ..license
    });
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
    let first = UnixSeconds::new(ISSUED_AT.get() - 300).unwrap();
    let before = UnixSeconds::new(first.get() - 1).unwrap();
    let expired = |since_s, grace_left_s| Verdict::Expired {
        since_s,
        grace_left_s,
    };
    let mut scratch = Scratch::new();
    for (now, verdict, decision) in [
        (first, Verdict::Valid, Decision::Allow),
        (after(LIFE_S - 1), Verdict::Valid, Decision::Allow),
        (after(LIFE_S), expired(0, Some(10)), Decision::Allow),
        (after(LIFE_S + 9), expired(9, Some(1)), Decision::Allow),
        (after(LIFE_S + 10), expired(10, None), Decision::Deny),
        (after(LIFE_S + 11), expired(11, None), Decision::Deny),
    ] {
        let report = verifier.check(now, issued.token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict(), verdict, "at {}", now.get());
        assert_eq!(report.decision(), decision, "at {}", now.get());
    }
    let report = verifier.check(before, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.verdict().code(), "issued_in_future");
}

#[test]
fn the_longest_life_is_the_verifiers_to_set() {
    let issued = issue(|license| license);
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
    let mut scratch = Scratch::new();
    for (max_lifetime_s, code) in [
        (30 * DAY_S, "valid"),
        (30 * DAY_S - 1, "lifetime_too_long"),
        (0, "lifetime_too_long"),
    ] {
        let verifier = verifier.clone().with_max_lifetime_s(max_lifetime_s);
        let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict().code(), code, "{max_lifetime_s}");
    }
}
