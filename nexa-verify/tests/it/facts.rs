//! What a program can read out of a licence, and when.
use nexa_core::{NewLicense, NewTerms};
use nexa_verify::{Scratch, StatusRef, Verdict, Verifier};

use crate::{APP, DAY_S, ISSUED_AT, ISSUER, after, issue};

#[test]
fn every_fact_of_a_licence_is_there() {
    let status = StatusRef {
        index: 65_535,
        uri: "https://auth.example.com/api/licenses/shards/1",
    };
    let issued = issue(|license| NewLicense {
        terms: NewTerms {
            plan: Some("pro"),
            entitlements: &["export", "naïve \"quotes\""],
            limits: &[("seats", 5), ("rows", (1 << 53) - 1)],
            grace_s: 3 * DAY_S,
            renew_after: Some(after(25 * DAY_S)),
            is_trial: true,
            ..NewTerms::default()
        },
        status: Some(status),
        ..license
    });
    let verifier = Verifier::new(issued.jwks.as_bytes(), ISSUER, APP).unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.verdict(), Verdict::Valid);

    let license = report.license().unwrap().claims();
    assert_eq!(license.issuer(), ISSUER);
    assert_eq!(license.subject(), "tenant-1");
    assert_eq!(license.audience(), APP);
    assert_eq!(license.jti(), "licence-1");
    assert!(issued.jwks.contains(license.kid()));
    assert_eq!(license.issued_at(), ISSUED_AT);
    assert_eq!(ISSUED_AT.since(license.not_before()), Some(300));
    assert_eq!(license.expires_at(), after(30 * DAY_S));
    assert_eq!(license.status(), Some(status));

    let terms = license.terms();
    assert_eq!(terms.plan(), Some("pro"));
    assert!(terms.entitlements().eq(["export", "naïve \"quotes\""]));
    assert!(terms.allows("export") && !terms.allows("expor"));
    assert!(
        terms
            .limits()
            .eq([("seats", 5), ("rows", 9_007_199_254_740_991)])
    );
    assert_eq!(terms.limit("seats"), Some(5));
    assert_eq!(terms.limit("seat"), None);
    assert_eq!(terms.grace_s(), 3 * DAY_S);
    assert_eq!(terms.renew_after(), Some(after(25 * DAY_S)));
    assert!(terms.is_trial());
}

#[test]
fn a_refused_token_yields_no_facts() {
    let issued = issue(|license| license);
    let verifier = Verifier::new(issued.jwks.as_bytes(), ISSUER, APP).unwrap();
    let mut scratch = Scratch::new();
    // Any one character of payload or signature: whatever it becomes, nothing of it is believed.
    let payload = issued.token.find('.').unwrap() + 1;
    for position in payload..issued.token.len() {
        let mut forged = issued.token.clone().into_bytes();
        forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
        let report = verifier.check(ISSUED_AT, &forged, &mut scratch);
        assert!(
            matches!(report.verdict(), Verdict::Refused(_)),
            "{position}"
        );
        assert!(report.license().is_none());
    }
}

#[test]
fn a_scratch_keeps_nothing_of_the_token_before() {
    let long = issue(|license| NewLicense {
        jti: "a licence with a longer name than the next",
        ..license
    });
    let short = issue(|license| license);
    let verifier = Verifier::new(short.jwks.as_bytes(), ISSUER, APP).unwrap();
    let mut scratch = Scratch::new();
    for (token, jti) in [
        (&long.token, "a licence with a longer name than the next"),
        (&short.token, "licence-1"),
    ] {
        let report = verifier.check(ISSUED_AT, token.as_bytes(), &mut scratch);
        assert_eq!(report.license().unwrap().claims().jti(), jti);
    }
}

#[test]
fn an_issuer_or_app_of_another_name_is_refused() {
    let issued = issue(|license| license);
    let mut scratch = Scratch::new();
    for (issuer, app, code) in [
        ("https://auth.example.com/", APP, "iss_wrong"),
        ("https://auth.example.org", APP, "iss_wrong"),
        (ISSUER, "my-app2", "aud_wrong"),
        (ISSUER, "", "aud_wrong"),
    ] {
        let verifier = Verifier::new(issued.jwks.as_bytes(), issuer, app).unwrap();
        let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict().code(), code, "{issuer} {app}");
    }
}
