//! The published revocation feed.
use nexa_core::{
    FeedProblem, LicenseExpectations, NoRevocations, RevocationFeed, RevocationStatus, Revocations,
    Scratch, StatusRef, Verdict, check_license,
};
use proptest::prelude::*;

use crate::forge::{AUDIENCE, Forge, ISSUER, NOW, at};

#[test]
fn feeds_that_are_read() {
    for (json, length) in [
        ("[]", 0),
        (" [ ] \n", 0),
        (r#"[{"jti":"a","revokedAt":"2026-11-21T03:00:00Z"}]"#, 1),
        (
            r#"[ {"revokedAt":"2026-11-21T03:00:00.123Z", "jti":"b","more":{"x":["}"]}} ,
            {"jti":"\u0061","revokedAt":"2026-11-21T03:00:01Z"} ]"#,
            2,
        ),
    ] {
        let feed = RevocationFeed::read(json.as_bytes()).unwrap();
        assert_eq!(
            (feed.len(), feed.is_empty()),
            (length, length == 0),
            "{json}"
        );
        let found = feed.lookup("a", None);
        assert_eq!(
            matches!(found, RevocationStatus::Revoked { .. }),
            length > 0,
            "{json}"
        );
        for other in ["", "A", "aa", "}", "\\u0061"] {
            assert_eq!(feed.lookup(other, None), RevocationStatus::NotRevoked);
        }
    }
}

#[test]
fn feeds_that_are_refused() {
    let entry = r#"{"jti":"a","revokedAt":"2026-11-21T03:00:00Z"}"#;
    let long = format!(
        r#"[{{"jti":"{}","revokedAt":"2026-11-21T03:00:00Z"}}]"#,
        "a".repeat(1_024)
    );
    for (json, position) in [
        (String::new(), 0),
        ("{}".to_owned(), 0),
        ("null".to_owned(), 0),
        ("[".to_owned(), 0),
        ("[]]".to_owned(), 0),
        ("[] []".to_owned(), 0),
        ("[1]".to_owned(), 0),
        ("[,]".to_owned(), 0),
        (format!("[{entry}"), 1),
        (format!("[{entry},]"), 1),
        (format!("[{entry} {entry}]"), 1),
        (format!("[{entry}]x"), 1),
        (format!("\u{feff}[{entry}]"), 0),
        (format!("[{entry},{{}}]"), 1),
        (format!("[{entry},{}]", entry.replace("jti", "Jti")), 1),
        (format!("[{entry},{}]", entry.replace("\"a\"", "7")), 1),
        (format!("[{entry},{}]", entry.replace("Z\"", "\"")), 1),
        (
            format!(
                "[{entry},{}]",
                entry.replace("\"2026-11-21T03:00:00Z\"", "1795230000")
            ),
            1,
        ),
        (
            format!("[{entry},{}]", entry.replace("{", "{\"jti\":\"b\",")),
            1,
        ),
        (format!("[{entry},{{\"jti\":\"a}}]"), 1),
        (
            format!("[{entry},{}]", entry.replace("\"a\"", "\"\\ud800\"")),
            1,
        ),
        (long, 0),
    ] {
        let error = RevocationFeed::read(json.as_bytes()).unwrap_err();
        assert_eq!(error.entry, position, "{json} {error}");
    }
    let missing = RevocationFeed::read(br#"[{"jti":"a"}]"#).unwrap_err();
    assert_eq!(missing.problem, FeedProblem::Member { name: "revokedAt" });
    assert_eq!(
        missing.to_string(),
        "entry 0 of the revocation list: member revokedAt is not an RFC 3339 timestamp"
    );
    assert!(RevocationFeed::read(b"[{\"jti\":\"\xff\"}]").is_err());
}

#[test]
fn a_listed_licence_is_revoked_and_its_neighbour_is_not() {
    let forge = Forge::new(1);
    let token = forge.license();
    for (jti, verdict, status) in [
        (
            "licence-1",
            Verdict::Revoked { at: at(NOW - 60) },
            RevocationStatus::Revoked { at: at(NOW - 60) },
        ),
        ("licence-10", Verdict::Valid, RevocationStatus::NotRevoked),
        ("licence-", Verdict::Valid, RevocationStatus::NotRevoked),
    ] {
        let json = format!(r#"[{{"jti":"{jti}","revokedAt":"2026-11-21T02:59:00Z"}}]"#);
        let feed = RevocationFeed::read(json.as_bytes()).unwrap();
        let expect = LicenseExpectations::new(ISSUER, AUDIENCE).with_revocations(&feed);
        let mut scratch = Scratch::new();
        let report = check_license(
            &forge.keys,
            &expect,
            at(NOW),
            token.as_bytes(),
            &mut scratch,
        );
        assert_eq!((report.verdict(), report.revocation()), (verdict, status));
        assert_eq!(report.license().unwrap().claims().jti(), "licence-1");
    }
}

#[test]
fn no_data_is_not_the_same_as_not_revoked() {
    let status = StatusRef { index: 1, uri: "u" };
    assert_eq!(
        NoRevocations.lookup("a", Some(&status)),
        RevocationStatus::NotChecked
    );
}

proptest! {
    #[test]
    fn every_listed_id_is_found_and_no_other(ids in prop::collection::btree_set(any::<String>(), 1..20), seconds in 0..4_000_000_000_u64) {
        let listed: Vec<_> = ids.iter().skip(1).collect();
        let entries: Vec<_> = listed
            .iter()
            .map(|id| serde_json::json!({"jti": id, "revokedAt": "2026-11-21T03:00:00Z", "n": seconds}))
            .collect();
        let json = serde_json::to_vec(&entries).unwrap();
        let feed = RevocationFeed::read(&json).unwrap();
        prop_assert_eq!(feed.len(), listed.len());
        for id in &listed {
            prop_assert_eq!(feed.lookup(id, None), RevocationStatus::Revoked { at: at(NOW) });
        }
        prop_assert_eq!(feed.lookup(ids.first().unwrap(), None), RevocationStatus::NotRevoked);
    }

    #[test]
    fn random_documents_never_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = RevocationFeed::read(&noise);
        let in_brackets = [b"[{", &noise[..], b"}]"].concat();
        prop_assert!(RevocationFeed::read(&in_brackets).is_err());
    }
}
