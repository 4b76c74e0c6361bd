//! What a program can read out of a licence, and when.
use nexa_core::{NewLicense, NewTerms};
use nexa_verify::{
    DeviceExpectation, DeviceMatch, FINGERPRINT_KIND, RevocationFeed, Scratch, StatusRef, Verdict,
    Verifier,
};

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
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
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
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
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
    let verifier = Verifier::new(
        short.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::NotChecked,
    )
    .unwrap();
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
        let verifier = Verifier::new(
            issued.jwks.as_bytes(),
            issuer,
            app,
            DeviceExpectation::NotChecked,
        )
        .unwrap();
        let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict().code(), code, "{issuer} {app}");
    }
}

/// One verifier for all threads of a program: it does not compile otherwise.
const fn is_shared<T: Send + Sync>() {}
const _: () = is_shared::<Verifier<'static>>();

#[test]
fn a_verifier_checks_on_several_threads_at_once() {
    let issued = issue(|license| license);
    let feed = RevocationFeed::read(br#"[{"jti":"another","revokedAt":"2026-11-21T03:00:00Z"}]"#);
    let feed = feed.unwrap();
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::Components(&[(FINGERPRINT_KIND, "f-1")]),
    )
    .unwrap()
    .with_revocations(&feed);
    std::thread::scope(|scope| {
        let check = || {
            let mut scratch = Scratch::new();
            verifier
                .check(ISSUED_AT, issued.token.as_bytes(), &mut scratch)
                .verdict()
        };
        let threads = [scope.spawn(check), scope.spawn(check)];
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Verdict::Valid);
        }
    });
}

#[test]
fn a_verifier_shows_what_it_expects_and_nothing_of_the_device() {
    let issued = issue(|license| license);
    let device = DeviceExpectation::Components(&[(FINGERPRINT_KIND, "f-1")]);
    let verifier = Verifier::new(issued.jwks.as_bytes(), ISSUER, APP, device).unwrap();
    let shown = format!("{verifier:?}");
    assert!(shown.contains(ISSUER) && shown.contains(APP), "{shown}");
    assert!(!shown.contains("f-1"), "{shown}");
}

/// Whatever a report or an error holds can be named with this crate alone.
#[test]
fn every_type_that_is_handed_out_has_a_name() {
    use nexa_verify::{
        Base64Fault, Claim, DeviceBinding, DevicePolicy, DriftedKinds, Entitlements, FeedError,
        FeedProblem, JsonFault, KeyError, KeyProblem, Limits, Refusal, SignatureError, StalePolicy,
        TokenPart, VerificationKey,
    };
    let issued = issue(|license| license);
    let device = DeviceExpectation::Components(&[]);
    let verifier = Verifier::new(issued.jwks.as_bytes(), ISSUER, APP, device).unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    let license = report.license().unwrap().claims();
    let binding: &DeviceBinding<'_> = license.device();
    let policy: DevicePolicy = binding.policy();
    let stale: StalePolicy = license.terms().stale();
    assert_eq!((policy, stale), (DevicePolicy::All, StalePolicy::Deny));
    let entitlements: Entitlements<'_> = license.terms().entitlements();
    let limits: Limits<'_> = license.terms().limits();
    assert_eq!((entitlements.count(), limits.count()), (0, 0));
    let DeviceMatch::Checked { drifted, .. } = report.device() else {
        panic!("a device was compared");
    };
    let drifted: DriftedKinds<'_> = drifted.clone();
    assert!(drifted.eq([FINGERPRINT_KIND]));

    let verdict = |token: &[u8]| {
        let mut scratch = Scratch::new();
        verifier.check(ISSUED_AT, token, &mut scratch).verdict()
    };
    let part = TokenPart::Header;
    let fault = Base64Fault::Padding;
    let refused = Verdict::Refused(Refusal::Base64 { part, fault });
    assert_eq!(verdict(b"=.."), refused);
    let fault = JsonFault::Syntax;
    let refused = Verdict::Refused(Refusal::Json { part, fault });
    assert_eq!(verdict(b".."), refused);
    let elsewhere = Verifier::new(issued.jwks.as_bytes(), "https://other", APP, device).unwrap();
    let report = elsewhere.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    let refused = Verdict::Refused(Refusal::ClaimWrong(Claim::Iss));
    assert_eq!(report.verdict(), refused);

    let error: KeyError = VerificationKey::from_bytes(&[0; 32]).unwrap_err();
    assert_eq!(error.problem, KeyProblem::Weak);
    let error: FeedError = RevocationFeed::read(b"{}").unwrap_err();
    assert_eq!(error.problem, FeedProblem::NotAList);
    let key = nexa_verify::KeySet::from_jwks(issued.jwks.as_bytes()).unwrap();
    let short = key.iter().next().unwrap().verify(b"", &[0; 63]);
    assert_eq!(short, Err(SignatureError::Length { bytes: 63 }));
}
