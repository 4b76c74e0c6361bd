//! The embedded keys: what is taken, what is refused when it is loaded.
use nexa_core::{KeyProblem, SigningKey, public_jwks};
use nexa_verify::{Decision, DeviceExpectation, KeySet, Scratch, Verdict, Verifier};

use crate::seeded::Seeded;
use crate::{APP, ISSUED_AT, ISSUER, issue};

#[test]
fn a_set_a_single_key_and_loaded_keys_are_the_same() {
    let issued = issue(|license| license);
    let set = KeySet::from_jwks(issued.jwks.as_bytes()).unwrap();
    let only = issued.jwks.find("[{").unwrap() + 1..issued.jwks.rfind("}]").unwrap() + 1;
    let verifiers = [
        Verifier::new(
            issued.jwks.as_bytes(),
            ISSUER,
            APP,
            DeviceExpectation::NotChecked,
        )
        .unwrap(),
        Verifier::new(
            issued.jwks[only].as_bytes(),
            ISSUER,
            APP,
            DeviceExpectation::NotChecked,
        )
        .unwrap(),
        Verifier::with_keys(set, ISSUER, APP, DeviceExpectation::NotChecked),
    ];
    let mut scratch = Scratch::new();
    for verifier in verifiers {
        let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict(), Verdict::Valid);
    }
}

#[test]
fn a_key_that_is_not_embedded_is_unknown() {
    let issued = issue(|license| license);
    let other = SigningKey::generate(&mut Seeded::new(3)).verification_key();
    let jwks = public_jwks(&[other]);
    let verifier =
        Verifier::new(jwks.as_bytes(), ISSUER, APP, DeviceExpectation::NotChecked).unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.verdict(), Verdict::UnknownKey);
    assert_eq!(report.decision(), Decision::Deny);
    assert!(report.license().is_none());
}

#[test]
fn weak_private_and_missing_keys_are_refused_when_they_are_loaded() {
    let jwk = |x: &str, rest: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{rest}}}"#);
    // The neutral element: every signature with R = s·B holds under it.
    let weak = jwk("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "");
    let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let private = jwk(
        good,
        r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#,
    );
    let encryption = jwk(good, r#","use":"enc""#);
    for (document, problem) in [
        (weak, KeyProblem::Weak),
        (private, KeyProblem::PrivateKey),
        (encryption, KeyProblem::Member { name: "use" }),
        (r#"{"keys":[]}"#.to_owned(), KeyProblem::Empty),
    ] {
        let error = Verifier::new(
            document.as_bytes(),
            ISSUER,
            APP,
            DeviceExpectation::NotChecked,
        )
        .err()
        .unwrap();
        assert_eq!(error.problem, problem, "{document}");
    }
}

/// What the crate's documentation says about memory.
#[test]
fn a_small_stack_is_enough() {
    let issued = issue(|license| license);
    let on_stack_of = |kib: usize, work: Box<dyn FnOnce() + Send + '_>| {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(kib * 1024);
            thread.spawn_scoped(scope, work).unwrap().join().unwrap();
        });
    };
    let jwks = issued.jwks.as_bytes();
    // Too small a stack ends the whole process. Twice what is documented, because other platforms need more.
    on_stack_of(
        128,
        Box::new(|| {
            assert!(Verifier::new(jwks, ISSUER, APP, DeviceExpectation::NotChecked).is_ok());
        }),
    );
    let verifier = Verifier::new(jwks, ISSUER, APP, DeviceExpectation::NotChecked).unwrap();
    let mut scratch = Box::new(Scratch::new());
    on_stack_of(
        32,
        Box::new(|| {
            let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
            assert_eq!(report.verdict(), Verdict::Valid);
        }),
    );
    assert!(size_of::<Verifier<'_>>() <= 5_128 && size_of::<Scratch>() <= 7_178);
}
