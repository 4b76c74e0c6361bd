//! The published feed of revoked licences.
use nexa_verify::{
    Decision, DeviceExpectation, RevocationFeed, RevocationStatus, Scratch, Verdict, Verifier,
};

use crate::{APP, DAY_S, ISSUED_AT, ISSUER, after, issue};

#[test]
fn a_licence_on_the_feed_is_revoked_and_the_next_one_is_not() {
    let issued = issue(|license| license);
    let mut scratch = Scratch::new();
    for (jti, verdict, status) in [
        (
            "licence-1",
            Verdict::Revoked { at: ISSUED_AT },
            RevocationStatus::Revoked { at: ISSUED_AT },
        ),
        (
            "licence-12",
            Verdict::Valid,
            RevocationStatus::NotRevoked { as_of: None },
        ),
        (
            "licence-",
            Verdict::Valid,
            RevocationStatus::NotRevoked { as_of: None },
        ),
    ] {
        let json = format!(
            r#"[{{"jti":"another","revokedAt":"2026-01-01T00:00:00.000Z"}},
                {{"jti":"{jti}","revokedAt":"2026-11-21T03:00:00.000Z"}}]"#
        );
        let feed = RevocationFeed::read(json.as_bytes()).unwrap();
        let verifier = Verifier::new(
            issued.jwks.as_bytes(),
            ISSUER,
            APP,
            DeviceExpectation::NotChecked,
        )
        .unwrap()
        .with_revocations(&feed);
        let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict(), verdict, "{jti}");
        assert_eq!(report.revocation(), status);
        // The facts stay readable: the program may want to say which licence was revoked.
        assert!(report.license().is_some());
    }
}

#[test]
fn revocation_wins_over_expiry_and_leaves_no_grace() {
    let issued = issue(|license| nexa_core::NewLicense {
        terms: nexa_core::NewTerms {
            grace_s: DAY_S,
            ..license.terms
        },
        ..license
    });
    let feed = RevocationFeed::read(br#"[{"jti":"licence-1","revokedAt":"2026-11-21T03:00:00Z"}]"#)
        .unwrap();
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
    let late = after(30 * DAY_S);
    let mut scratch = Scratch::new();
    let report = verifier.check(late, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.verdict().code(), "expired");
    assert_eq!(report.decision(), Decision::Allow);
    let verifier = verifier.with_revocations(&feed);
    let report = verifier.check(late, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.verdict(), Verdict::Revoked { at: ISSUED_AT });
    assert_eq!(report.decision(), Decision::Deny);
}

#[test]
fn without_a_feed_the_report_says_that_nothing_was_checked() {
    let issued = issue(|license| license);
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.revocation(), RevocationStatus::NotChecked);
}

#[test]
fn a_feed_that_cannot_be_read_is_an_error_and_never_an_empty_one() {
    for json in [
        "",
        "{}",
        "null",
        "[",
        r#"[{"jti":"licence-1"}]"#,
        r#"[{"jti":"licence-1","revokedAt":"yesterday"}]"#,
        r#"[{"jti":"a","revokedAt":"2026-11-21T03:00:00Z"}] and more"#,
    ] {
        assert!(RevocationFeed::read(json.as_bytes()).is_err(), "{json}");
    }
    assert!(RevocationFeed::read(b"[]").unwrap().is_empty());
}
