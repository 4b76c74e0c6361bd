//! Reports at their longest: nothing of a token that may be read is cut, in whatever form it stands there.

use core::ptr::null;

use serde_json::{Value, json};

use super::{ISSUED_AT, client, expectations, json, memory, payload, problem, signed, verifier};
use crate::client::{NO_MONOTONIC, nexa_client_check};
use crate::expectations::Component;
use crate::report::{
    Report, nexa_report_allows, nexa_report_limit, nexa_report_url, nexa_report_wanted,
};
use crate::status::Status;
use crate::verifier::nexa_verifier_check;

const TOKEN_BYTES: usize = 4096;

/// The longest token that `of` makes with so many repetitions of something; and how many they are.
fn longest(of: impl Fn(usize) -> String) -> (usize, String) {
    let rest = signed("").len();
    let fits = |bytes: &usize| rest + (bytes * 4).div_ceil(3) <= TOKEN_BYTES;
    let most = (0..TOKEN_BYTES).take_while(fits).last().unwrap();
    let count = (1..most)
        .take_while(|count| of(*count).len() <= most)
        .last();
    // Padded with spaces, which nobody reads, to the last byte that is read.
    let mut payload = of(count.unwrap());
    payload.insert_str(1, &" ".repeat(most - payload.len()));
    let token = signed(&payload);
    assert_eq!(token.len(), TOKEN_BYTES);
    (count.unwrap(), token)
}

fn by_client(
    token: &str,
    device: Option<&[Component]>,
) -> (Box<core::mem::MaybeUninit<Report>>, Value) {
    let (mut client, mut report) = (client(&expectations(device)), memory());
    let mut problem = problem();
    // SAFETY: the memory is this test's alone, and the length is the token's.
    let status = unsafe {
        nexa_client_check(
            client.as_mut_ptr(),
            ISSUED_AT,
            NO_MONOTONIC,
            token.as_ptr().cast(),
            token.len(),
            report.as_mut_ptr(),
            &raw mut problem,
        )
    };
    assert_eq!(status, Status::Ok);
    let found = json(&report);
    (report, found)
}

/// What is written twice, once as it stands in the licence and once to be fetched: characters of every length in a token.
#[test]
#[cfg_attr(miri, ignore = "takes an hour there")]
fn a_status_uri_is_whole_however_it_is_written() {
    for (written, read) in [
        ("a", "a"),
        ("ß", "ß"),
        ("😀", "😀"),
        (r"\n", "\n"),
        (r#"\""#, "\""),
        (r"\\", "\\"),
        (r"\u0000", "\0"),
        (r"\u001f", "\u{1f}"),
        (r"\u0061", "a"),
        (r"\ud83d\ude00", "😀"),
        ("\u{7f}", "\u{7f}"),
    ] {
        let (count, token) = longest(|count| {
            let uri = written.repeat(count);
            let status = r#"{"idx":65535,"uri":"#;
            payload(&format!(
                r#","status":{{"status_list":{status}"{uri}/4294967295"}}}}"#
            ))
        });
        let (report, found) = by_client(&token, None);
        let uri = format!("{}/4294967295", read.repeat(count));
        assert_eq!(found["license"]["status_uri"], uri, "{written}");
        assert_eq!(found["wanted"]["url"], format!("{uri}/shard"), "{written}");
        let mut number = 0;
        // SAFETY: the report is alive.
        let document = unsafe { nexa_report_wanted(report.as_ptr(), &raw mut number) };
        assert_eq!(document, 2);
        assert_eq!(number, u32::MAX);
        // SAFETY: as above.
        let url = unsafe { nexa_report_url(report.as_ptr()) };
        // A C text ends at the first zero byte.
        let c_url = super::c_text(url);
        assert_eq!(
            Some(&*c_url),
            format!("{uri}/shard").split('\0').next(),
            "{written}"
        );
    }
}

#[test]
fn entitlements_limits_and_drifted_kinds_are_whole() {
    let limits: Vec<String> = (0..64)
        .map(|n| format!(r#""{n}":9007199254740991"#))
        .collect();
    let kinds: Vec<String> = (0..16)
        .map(|n| format!(r#""{n}\b":"AAAAAAAAAAA""#))
        .collect();
    let kinds = kinds.join(",");
    let (count, token) = longest(|count| {
        let names = vec![r#""\u0001\"""#; count].join(",");
        let lic = format!(
            r#","lic":{{"entitlements":[{names}],"limits":{{{}}}}}"#,
            limits.join(",")
        );
        payload(&lic).replace(r#""fingerprint":"AAAAAAAAAAA""#, &kinds)
    });
    let (report, found) = by_client(&token, Some(&[]));
    assert_eq!(found["code"], "other_device");
    assert_eq!(found["device"]["drifted"].as_array().unwrap().len(), 16);
    assert_eq!(found["device"]["drifted"][15], "15\u{8}");
    assert_eq!(
        found["license"]["entitlements"],
        json!(vec!["\u{1}\""; count])
    );
    assert_eq!(found["license"]["limits"].as_object().unwrap().len(), 64);
    for name in 0..64 {
        assert_eq!(limit(&report, &name.to_string()), Some((1 << 53) - 1));
    }
    assert_eq!(limit(&report, "64"), None);
}

/// Names take more bytes where a report looks them up than in a token: most of all short ones with limits.
#[test]
fn names_are_found_behind_as_many_as_there_can_be() {
    let limits: Vec<String> = (0..64).map(|n| format!(r#""{n}":1"#)).collect();
    let (count, token) = longest(|count| {
        let names = vec![r#""""#; count.min(320)].join(",");
        let last = "x".repeat(1 + count.saturating_sub(320));
        let lic = format!(
            r#"{{"entitlements":[{names},"{last}"],"limits":{{{}}}}}"#,
            limits.join(",")
        );
        payload(&format!(r#","lic":{lic}"#))
    });
    let (verifier, mut report) = (verifier(&expectations(None)), memory());
    // SAFETY: the memory is this test's alone, and the length is the token's.
    let status = unsafe {
        nexa_verifier_check(
            verifier.as_ptr(),
            ISSUED_AT,
            token.as_ptr().cast(),
            token.len(),
            null(),
            0,
            report.as_mut_ptr(),
            core::ptr::null_mut(),
        )
    };
    assert_eq!(status, Status::Ok);
    assert_eq!(json(&report)["code"], "valid");
    for name in ["", &"x".repeat(1 + count.saturating_sub(320))] {
        // SAFETY: the report is alive, and the length is the name's.
        let allows =
            unsafe { nexa_report_allows(report.as_ptr(), name.as_ptr().cast(), name.len()) };
        assert_eq!(allows, 1, "{}", name.len());
    }
    assert_eq!(limit(&report, "63"), Some(1));
}

fn limit(report: &core::mem::MaybeUninit<Report>, name: &str) -> Option<u64> {
    let mut limit = 1;
    // SAFETY: the report is alive, and the length is the name's.
    let status = unsafe {
        nexa_report_limit(
            report.as_ptr(),
            name.as_ptr().cast(),
            name.len(),
            &raw mut limit,
        )
    };
    assert!(status == Status::Ok || (status, limit) == (Status::Missing, 0));
    (status == Status::Ok).then_some(limit)
}
