//! The published revocation feed.
use nexa_core::{
    FeedProblem, NoRevocations, RevocationFeed, RevocationStatus, Revocations, StatusRef,
    UnixSeconds,
};
use proptest::prelude::*;

/// 2026-11-21T03:00:00Z.
const REVOKED_AT: UnixSeconds = UnixSeconds::new(1_795_230_000).expect("below 2^53");

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
            assert_eq!(
                feed.lookup(other, None),
                RevocationStatus::NotRevoked { as_of: None }
            );
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
    for (json, name, sentence) in [
        (
            r#"[{"jti":"a"}]"#,
            "revokedAt",
            "entry 0 of the revocation list: member revokedAt is missing or not an RFC 3339 timestamp",
        ),
        (
            r#"[{"revokedAt":"2026-11-21T03:00:00Z"}]"#,
            "jti",
            "entry 0 of the revocation list: member jti is missing or not a string",
        ),
    ] {
        let missing = RevocationFeed::read(json.as_bytes()).unwrap_err();
        assert_eq!(missing.problem, FeedProblem::Member { name });
        assert_eq!(missing.to_string(), sentence);
    }
    assert!(RevocationFeed::read(b"[{\"jti\":\"\xff\"}]").is_err());
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
            prop_assert_eq!(feed.lookup(id, None), RevocationStatus::Revoked { at: REVOKED_AT });
        }
        prop_assert_eq!(feed.lookup(ids.first().unwrap(), None), RevocationStatus::NotRevoked { as_of: None });
    }

    #[test]
    fn random_documents_never_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = RevocationFeed::read(&noise);
        let in_brackets = [b"[{", &noise[..], b"}]"].concat();
        prop_assert!(RevocationFeed::read(&in_brackets).is_err());
    }
}
