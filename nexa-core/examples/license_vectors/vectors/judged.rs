//! Licences that broke no rule, at other times, revoked, or several of these at once.

use super::Case;
use super::mint::{DAY_S, EXP, FINGERPRINT, NOW, claims};

const REVOKED_AT: u64 = NOW - DAY_S;
const REVOKED_TEXT: &str = "2026-11-20T03:00:00Z";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = times();
    cases.extend(grace());
    cases.extend(revocation());
    cases.extend(combinations());
    cases
}

fn times() -> Vec<Case> {
    let token = claims().token();
    let later = with_later_start("{}");
    vec![
        Case::denied("time/not-yet", later.clone(), "not_yet_valid")
            .fact("starts_in_s", 100)
            .text_fact("jti", "licence-1"),
        Case::denied("time/one-second-before-nbf", later.clone(), "not_yet_valid")
            .at(NOW + 99)
            .fact("starts_in_s", 1),
        Case::valid("time/at-nbf", later).at(NOW + 100),
        Case::valid("time/one-second-before-exp", token.clone()).at(EXP - 1),
        Case::denied("time/at-exp", token.clone(), "expired")
            .at(EXP)
            .fact("since_s", 0)
            .fact("grace_left_s", "null"),
        Case::denied("time/one-second-after-exp", token.clone(), "expired")
            .at(EXP + 1)
            .fact("since_s", 1),
        Case::denied("time/years-after-exp", token.clone(), "expired")
            .at(EXP + 3_650 * DAY_S)
            .fact("since_s", 3_650 * DAY_S)
            .text_fact("subject", "tenant-1"),
        Case::denied("time/the-largest", token.clone(), "expired").at(9_007_199_254_740_991),
        Case::denied("time/zero", token.clone(), "issued_in_future").at(0),
        Case::valid("time/iat-300-s-ahead", token.clone()).at(NOW - 300),
        Case::denied("time/iat-301-s-ahead", token, "issued_in_future").at(NOW - 301),
    ]
}

fn grace() -> Vec<Case> {
    let with_grace = |grace_s: u64| {
        claims()
            .with("lic", format!(r#"{{"grace_s":{grace_s}}}"#))
            .token()
    };
    let allowed =
        |name: &str, token: String| Case::new(&format!("grace/{name}"), token, "expired", "allow");
    let denied =
        |name: &str, token: String| Case::denied(&format!("grace/{name}"), token, "expired");
    vec![
        Case::valid("grace/not-needed", with_grace(DAY_S))
            .at(EXP - 1)
            .fact("grace_s", DAY_S),
        allowed("first-second", with_grace(DAY_S))
            .at(EXP)
            .fact("since_s", 0)
            .fact("grace_left_s", DAY_S),
        allowed("last-second", with_grace(DAY_S))
            .at(EXP + DAY_S - 1)
            .fact("since_s", DAY_S - 1)
            .fact("grace_left_s", 1),
        denied("used-up", with_grace(DAY_S))
            .at(EXP + DAY_S)
            .fact("since_s", DAY_S)
            .fact("grace_left_s", "null"),
        denied("long-gone", with_grace(DAY_S))
            .at(EXP + 30 * DAY_S)
            .fact("grace_left_s", "null"),
        denied("of-zero-seconds", with_grace(0))
            .at(EXP)
            .fact("grace_left_s", "null"),
        allowed("on-its-own-device", with_grace(DAY_S))
            .at(EXP)
            .device(&[("fingerprint", FINGERPRINT)])
            .fact("matched", 1),
        denied("on-another-device", with_grace(DAY_S))
            .at(EXP)
            .device(&[("fingerprint", "other")])
            .fact("matched", 0),
        // Whatever the issuer wrote, grace ends 400 days after iat, or where the verifier's shorter maximum ends.
        allowed("longest", with_grace(9_007_199_254_740_991))
            .at(EXP + 1)
            .fact("grace_s", 9_007_199_254_740_991_u64)
            .fact("grace_left_s", 370 * DAY_S - 1),
        allowed("longest-last-second", with_grace(9_007_199_254_740_991))
            .at(NOW + 400 * DAY_S - 1)
            .fact("grace_left_s", 1),
        denied("longest-used-up", with_grace(9_007_199_254_740_991))
            .at(NOW + 400 * DAY_S)
            .fact("since_s", 370 * DAY_S)
            .fact("grace_left_s", "null"),
        allowed("within-a-shorter-maximum", with_grace(DAY_S))
            .at(EXP)
            .max_lifetime_s(30 * DAY_S + 60)
            .fact("grace_left_s", 60),
        denied("beyond-a-shorter-maximum", with_grace(DAY_S))
            .at(EXP)
            .max_lifetime_s(30 * DAY_S)
            .fact("grace_left_s", "null"),
        Case::denied(
            "grace/does-not-come-before-nbf",
            with_later_start(r#"{"grace_s":86400}"#),
            "not_yet_valid",
        ),
    ]
}

fn revocation() -> Vec<Case> {
    let token = claims().token();
    let escaped = claims().with("jti", r#""licence\u002d1""#).token();
    let valid = |name: &str, revoked: &[(&'static str, &'static str)]| {
        Case::valid(&format!("revocation/{name}"), token.clone()).revocations(revoked)
    };
    vec![
        Case::denied("revocation/revoked", token.clone(), "revoked")
            .revocations(&[("licence-1", REVOKED_TEXT)])
            .fact("revoked_at", REVOKED_AT)
            .text_fact("jti", "licence-1"),
        Case::denied("revocation/among-others", token.clone(), "revoked")
            .revocations(&[
                ("licence-0", REVOKED_TEXT),
                ("licence-1", "2026-11-20T03:00:00.999Z"),
                ("licence-2", REVOKED_TEXT),
            ])
            .fact("revoked_at", REVOKED_AT),
        Case::denied(
            "revocation/effective-before-its-time",
            token.clone(),
            "revoked",
        )
        .revocations(&[("licence-1", "2027-01-01T00:00:00Z")])
        .fact("revoked_at", 1_798_761_600_u64),
        Case::denied("revocation/jti-with-escape", escaped, "revoked")
            .revocations(&[("licence-1", REVOKED_TEXT)]),
        valid("nobody-revoked", &[]),
        valid(
            "others-revoked",
            &[
                ("licence-0", REVOKED_TEXT),
                ("licence-10", REVOKED_TEXT),
                ("licence", REVOKED_TEXT),
            ],
        ),
        valid("jti-in-another-case", &[("Licence-1", REVOKED_TEXT)]),
        valid("subject-is-no-jti", &[("tenant-1", REVOKED_TEXT)]),
        Case::valid("revocation/no-data", token.clone()),
    ]
}

/// Precedence: revoked, not yet valid, expired, other device.
fn combinations() -> Vec<Case> {
    let token = claims().token();
    let grace = claims().with("lic", r#"{"grace_s":86400}"#).token();
    let other: &[(&str, &str)] = &[("fingerprint", "other")];
    let revoked = |name: &str, token: &str| {
        Case::denied(&format!("both/{name}"), token.to_owned(), "revoked")
            .revocations(&[("licence-1", REVOKED_TEXT)])
    };
    vec![
        revoked("revoked-and-expired", &token).at(EXP + 1),
        revoked("revoked-and-within-grace", &grace).at(EXP + 1),
        revoked("revoked-and-not-yet-valid", &with_later_start("{}")),
        revoked("revoked-and-on-another-device", &token)
            .device(other)
            .fact("drifted", r#"["fingerprint"]"#),
        Case::denied(
            "both/not-yet-valid-and-on-another-device",
            with_later_start("{}"),
            "not_yet_valid",
        )
        .device(other),
        Case::denied("both/expired-and-on-another-device", token, "expired")
            .at(EXP)
            .device(other)
            .fact("matched", 0),
    ]
}

/// Issued now, valid from 100 s later on.
fn with_later_start(lic: &str) -> String {
    claims().with("nbf", NOW + 100).with("lic", lic).token()
}
