//! The signed form of the revocation list.
use nexa_core::{
    FeedProblem, JsonFault, KeySet, Refusal, RevocationFeed, RevocationStatus, Revocations,
    SignedFeedError, TokenPart,
};

use crate::forge::{Forge, ISSUER, NOW, at};

const ENTRY: &str = r#"{"jti":"a","revokedAt":"2026-11-21T03:00:00.123Z"}"#;

/// What a list signed by the key of seed 1 says of licence "a", or why it was refused.
fn open(header: &str, payload: &str) -> Result<RevocationStatus, SignedFeedError> {
    let forge = Forge::new(1);
    let token = forge.sign(forge.header(header), payload);
    read(&token, &forge.keys)
}

fn read(token: &str, keys: &KeySet) -> Result<RevocationStatus, SignedFeedError> {
    let mut buffer = vec![0; token.len()];
    RevocationFeed::open(token.as_bytes(), keys, ISSUER, &mut buffer)
        .map(|feed| feed.lookup("a", None))
}

fn payload(list: &str) -> String {
    format!(
        r#"{{"iss":"{ISSUER}","iat":{NOW},"exp":{},"revocations":{list}}}"#,
        NOW + 7_200
    )
}

#[test]
fn a_signed_list_is_read_as_of_its_time() {
    let typ = "revocations+jwt";
    let as_of = Some(at(NOW));
    assert_eq!(
        open(typ, &payload("[]")),
        Ok(RevocationStatus::NotRevoked { as_of })
    );
    let revoked = RevocationStatus::Revoked { at: at(NOW) };
    assert_eq!(open(typ, &payload(&format!("[{ENTRY}]"))), Ok(revoked));

    // Longer than any licence.
    let many: Vec<String> = (0..1_000)
        .map(|n| format!(r#"{{"jti":"{n}","revokedAt":"2026-11-21T03:00:00Z"}}"#))
        .collect();
    let many = format!("[{},{ENTRY}]", many.join(","));
    assert_eq!(open(typ, &payload(&many)), Ok(revoked));
}

#[test]
fn rules_are_refused_by_name() {
    let typ = "revocations+jwt";
    let good = payload("[]");
    let part = TokenPart::Payload;
    for (payload, expected) in [
        (
            good.replace(ISSUER, "https://other.example"),
            SignedFeedError::OtherIssuer,
        ),
        (
            good.replace("\"iat\"", "\"since\":\"x\",\"iat\""),
            SignedFeedError::Partial,
        ),
        (good.replace("\"iat\"", "\"at\""), SignedFeedError::Payload),
        (
            good.replace("\"iat\":", "\"iat\":-"),
            SignedFeedError::Payload,
        ),
        (
            good.replace("revocations", "revoked"),
            SignedFeedError::Payload,
        ),
        ("[]".to_owned(), SignedFeedError::Payload),
        (good.replace("[]}", "[]"), SignedFeedError::Payload),
        (
            good.replace("\"iat\"", "\"iss\":\"\",\"iat\""),
            SignedFeedError::Refused(Refusal::Json {
                part,
                fault: JsonFault::DuplicateMember,
            }),
        ),
        (
            good.replace(
                "\"iat\"",
                &format!("\"x\":\"{}\",\"iat\"", "x".repeat(1_100)),
            ),
            SignedFeedError::Payload,
        ),
    ] {
        assert_eq!(open(typ, &payload), Err(expected), "{payload}");
    }
    for list in ["{}", "[1]", "[{\"jti\":\"a\"}]", "[],\"more\":[]"] {
        let found = open(typ, &payload(list)).err();
        assert!(
            matches!(found, Some(SignedFeedError::Feed(_))),
            "{list}: {found:?}"
        );
    }
    let missing = open(typ, &payload("[{\"jti\":\"a\"}]")).err();
    assert!(matches!(
        missing,
        Some(SignedFeedError::Feed(error)) if error.problem == FeedProblem::Member { name: "revokedAt" }
    ));

    for other in ["license+jwt", "statuslist+jwt"] {
        assert_eq!(
            open(other, &good),
            Err(SignedFeedError::Refused(Refusal::TypWrong))
        );
    }
    let forge = Forge::new(1);
    let token = forge.sign(forge.header(typ), &good);
    assert_eq!(
        read(&token, &Forge::new(2).keys),
        Err(SignedFeedError::Refused(Refusal::KidUnknown))
    );
    let changed = token.replacen('.', ".e", 1);
    assert!(read(&changed, &forge.keys).is_err());
    let needed = token.len();
    let mut short = vec![0; needed - 1];
    assert_eq!(
        RevocationFeed::open(token.as_bytes(), &forge.keys, ISSUER, &mut short).err(),
        Some(SignedFeedError::Buffer { needed })
    );
    assert_eq!(forge.code_of(&token), "typ_wrong", "and it is no licence");
}
