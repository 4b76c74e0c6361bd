//! The device inside the licence against the device at hand.
use nexa_core::{DevicePolicy, NewDevice, NewLicense};
use nexa_verify::{Decision, DeviceExpectation, DeviceMatch, Scratch, Verdict, Verifier};

use crate::{APP, ISSUED_AT, ISSUER, Issued, issue};

const LICENSED: [(&str, &str); 4] = [
    ("board", "b-1"),
    ("cpu", "c-1"),
    ("disk", "d-1"),
    ("mac", "m-1"),
];

fn for_four_components(policy: DevicePolicy) -> Issued {
    issue(|license| NewLicense {
        device: NewDevice {
            components: &LICENSED,
            policy,
        },
        ..license
    })
}

#[test]
fn every_policy_counts_what_still_matches() {
    for (policy, required) in [
        (DevicePolicy::Any, 1),
        (DevicePolicy::Two, 2),
        (DevicePolicy::Most, 3),
        (DevicePolicy::All, 4),
        (DevicePolicy::AtLeast(2), 2),
    ] {
        let issued = for_four_components(policy);
        for kept in 0..=LICENSED.len() {
            let present: Vec<_> = LICENSED
                .into_iter()
                .enumerate()
                .map(|(index, (kind, value))| (kind, if index < kept { value } else { "new" }))
                .collect();
            let verifier = Verifier::new(
                issued.jwks.as_bytes(),
                ISSUER,
                APP,
                DeviceExpectation::Components(&present),
            )
            .unwrap();
            let mut scratch = Scratch::new();
            let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
            let matched = u8::try_from(kept).unwrap();
            let (verdict, decision) = if matched >= required {
                (Verdict::Valid, Decision::Allow)
            } else {
                let other = Verdict::OtherDevice {
                    matched,
                    required,
                    total: 4,
                };
                (other, Decision::Deny)
            };
            assert_eq!(report.verdict(), verdict, "{policy:?}, {kept} kept");
            assert_eq!(report.decision(), decision);
            assert_eq!(report.device().is_match(), Some(matched >= required));
        }
    }
}

#[test]
fn the_kinds_that_drifted_are_named() {
    let issued = for_four_components(DevicePolicy::Any);
    let present = [("cpu", "c-1"), ("board", "b-2"), ("mac", "m-1")];
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::Components(&present),
    )
    .unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    match report.device() {
        DeviceMatch::Checked {
            matched: 2,
            drifted,
            ..
        } => {
            // One was replaced, one is gone.
            assert!(drifted.clone().eq(["board", "disk"]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_under_another_kind_is_no_match() {
    let issued = issue(|license| license);
    let present = [("serial", "f-1"), ("fingerprint", "f-2")];
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::Components(&present),
    )
    .unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    assert_eq!(report.verdict().code(), "other_device");
}

#[test]
fn without_a_device_the_report_says_that_none_was_checked() {
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
    assert_eq!(report.verdict(), Verdict::Valid);
    assert_eq!(report.device().is_match(), None);
}

#[test]
fn a_verifier_that_knows_nothing_of_its_device_is_another_device() {
    let issued = issue(|license| license);
    let verifier = Verifier::new(
        issued.jwks.as_bytes(),
        ISSUER,
        APP,
        DeviceExpectation::Components(&[]),
    )
    .unwrap();
    let mut scratch = Scratch::new();
    let report = verifier.check(ISSUED_AT, issued.token.as_bytes(), &mut scratch);
    assert_eq!(
        report.verdict(),
        Verdict::OtherDevice {
            matched: 0,
            required: 1,
            total: 1
        }
    );
}
