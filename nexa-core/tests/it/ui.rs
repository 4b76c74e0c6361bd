//! What must not compile: forged proofs and printed secrets.

#[test]
fn proofs_cannot_be_made_and_secrets_cannot_be_printed() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
