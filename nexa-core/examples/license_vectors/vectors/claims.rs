//! Claims that are missing, mistyped or wrong. Everything else about these tokens is in order.

use super::Case;
use super::mint::{DAY_S, EXP, Key, NOW, Object, claims, header, quoted};

/// A claim, the code when it is missing, and values of other types with the code for those.
struct Row {
    claim: &'static str,
    missing: &'static str,
    mistyped: &'static str,
    values: &'static [(&'static str, &'static str)],
}

const NOT_STRINGS: &[(&str, &str)] = &[
    ("null", "null"),
    ("number", "1"),
    ("true", "true"),
    ("array", r#"["a"]"#),
    ("object", "{}"),
];
const NOT_TIMES: &[(&str, &str)] = &[
    ("null", "null"),
    ("string", "\"1795230000\""),
    ("false", "false"),
    ("array", "[1795230000]"),
    ("object", "{}"),
    ("fraction", "1795230000.5"),
    ("whole-fraction", "1795230000.0"),
    ("exponent", "1795230e3"),
    ("negative", "-1"),
    ("minus-zero", "-0"),
];

const ROWS: &[Row] = &[
    Row {
        claim: "iss",
        missing: "iss_missing",
        mistyped: "iss_type",
        values: NOT_STRINGS,
    },
    Row {
        claim: "sub",
        missing: "sub_missing",
        mistyped: "sub_type",
        values: NOT_STRINGS,
    },
    Row {
        claim: "aud",
        missing: "aud_missing",
        mistyped: "aud_type",
        values: NOT_STRINGS,
    },
    Row {
        claim: "type",
        missing: "type_missing",
        mistyped: "type_type",
        values: NOT_STRINGS,
    },
    Row {
        claim: "jti",
        missing: "jti_missing",
        mistyped: "jti_type",
        values: NOT_STRINGS,
    },
    Row {
        claim: "iat",
        missing: "iat_missing",
        mistyped: "iat_type",
        values: NOT_TIMES,
    },
    Row {
        claim: "nbf",
        missing: "nbf_missing",
        mistyped: "nbf_type",
        values: NOT_TIMES,
    },
    Row {
        claim: "exp",
        missing: "exp_missing",
        mistyped: "exp_type",
        values: NOT_TIMES,
    },
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in ROWS {
        cases.push(Case::denied(
            &format!("{}/missing", row.claim),
            claims().without(row.claim).token(),
            row.missing,
        ));
        for (kind, json) in row.values {
            let token = claims().with(row.claim, json).token();
            cases.push(Case::denied(
                &format!("{}/{kind}", row.claim),
                token,
                row.mistyped,
            ));
        }
    }
    cases.extend(wrong_strings());
    cases.extend(times());
    cases.extend(other_tokens());
    cases.extend(precedence());
    cases
}

fn wrong_strings() -> Vec<Case> {
    [
        ("iss", "empty", "", "iss_wrong"),
        ("iss", "other", "https://other.example", "iss_wrong"),
        (
            "iss",
            "trailing-slash",
            "https://licenses.example/",
            "iss_wrong",
        ),
        (
            "iss",
            "in-another-case",
            "https://Licenses.example",
            "iss_wrong",
        ),
        ("iss", "prefix", "https://licenses.exampl", "iss_wrong"),
        (
            "iss",
            "longer",
            "https://licenses.example.attacker.example",
            "iss_wrong",
        ),
        ("iss", "http", "http://licenses.example", "iss_wrong"),
        ("sub", "empty", "", "sub_wrong"),
        ("aud", "empty", "", "aud_wrong"),
        ("aud", "other", "viewer", "aud_wrong"),
        ("aud", "in-another-case", "Editor", "aud_wrong"),
        ("aud", "prefix", "edit", "aud_wrong"),
        ("aud", "longer", "editor-pro", "aud_wrong"),
        ("aud", "list-in-a-string", "editor viewer", "aud_wrong"),
        ("aud", "nul-after", "editor\0", "aud_wrong"),
        ("type", "empty", "", "type_wrong"),
        ("type", "access", "access", "type_wrong"),
        ("type", "in-another-case", "License", "type_wrong"),
        ("jti", "empty", "", "jti_wrong"),
    ]
    .map(|(claim, name, value, code)| {
        case(
            &format!("{claim}/{name}"),
            claims().with(claim, quoted(value)),
            code,
        )
    })
    .into_iter()
    .chain([
        case(
            "aud/array-of-itself",
            claims().with("aud", r#"["editor"]"#),
            "aud_type",
        ),
        case(
            "aud/array-of-two",
            claims().with("aud", r#"["editor","viewer"]"#),
            "aud_type",
        ),
        case(
            "iss/array-of-itself",
            claims().with("iss", r#"["https://licenses.example"]"#),
            "iss_type",
        ),
    ])
    .collect()
}

fn times() -> Vec<Case> {
    let too_long = "lifetime_too_long";
    vec![
        case(
            "exp/equal-to-nbf",
            claims().with("nbf", NOW).with("exp", NOW),
            "exp_not_after_nbf",
        ),
        case(
            "exp/before-nbf",
            claims().with("exp", NOW - 301),
            "exp_not_after_nbf",
        ),
        case(
            "exp/equal-to-iat",
            claims().with("exp", NOW),
            "exp_not_after_iat",
        ),
        case(
            "exp/between-nbf-and-iat",
            claims().with("exp", NOW - 1),
            "exp_not_after_iat",
        ),
        Case::valid(
            "exp/one-second-after-iat",
            claims().with("exp", NOW + 1).token(),
        ),
        case("exp/zero", claims().with("exp", 0), "exp_not_after_nbf"),
        case(
            "exp/one-second-too-far",
            claims().with("exp", NOW + 400 * DAY_S + 1),
            too_long,
        ),
        case(
            "exp/as-far-as-can-be",
            claims().with("exp", 9_007_199_254_740_991_u64),
            too_long,
        ),
        case("exp/beyond-a-shorter-maximum", claims(), too_long).max_lifetime_s(30 * DAY_S - 1),
        Case::valid("exp/at-a-shorter-maximum", claims().token()).max_lifetime_s(30 * DAY_S),
        case(
            "exp/lifetime-counts-from-iat",
            claims().with("iat", 0).with("nbf", NOW),
            too_long,
        ),
        case(
            "iat/301-s-ahead",
            claims().with("iat", NOW + 301),
            "issued_in_future",
        ),
        case(
            "iat/milliseconds",
            claims().with("iat", NOW * 1000),
            "exp_not_after_iat",
        ),
        case(
            "iat/all-times-in-milliseconds",
            claims()
                .with("iat", NOW * 1000)
                .with("nbf", (NOW - 300) * 1000)
                .with("exp", (NOW + 3_600) * 1000),
            "issued_in_future",
        ),
        case(
            "iat/far-ahead-but-not-yet-valid-either",
            claims().with("iat", NOW + 900).with("nbf", NOW + 600),
            "issued_in_future",
        ),
    ]
}

fn other_tokens() -> Vec<Case> {
    let access = claims()
        .without("device")
        .with("aud", "\"api\"")
        .with("type", "\"access\"")
        .with("tenant", "\"tenant-1\"")
        .with("sid", "\"session-1\"")
        .with("sv", 1)
        .with("role", "\"owner\"")
        .with("exp", NOW + 1_800);
    let access_header = header().with("typ", "\"at+jwt\"").text();
    let issuing = Key::issuing();
    vec![
        Case::denied(
            "access-token/as-it-is",
            issuing.sign(&access_header, &access.text()),
            "typ_wrong",
        ),
        case(
            "access-token/with-a-licence-header",
            access.clone(),
            "aud_wrong",
        ),
        case(
            "access-token/with-header-and-audience",
            access.clone().with("aud", "\"editor\""),
            "type_wrong",
        ),
        Case::denied(
            "access-token/licence-with-its-header",
            issuing.sign(&access_header, &claims().text()),
            "typ_wrong",
        ),
    ]
}

/// The claims are judged in a fixed order, and before time, revocation and device.
fn precedence() -> Vec<Case> {
    let broken = claims()
        .with("iss", "1")
        .with("sub", "1")
        .with("aud", "1")
        .with("type", "1")
        .with("jti", "1");
    vec![
        case("order/iss-first", broken.clone(), "iss_type"),
        case(
            "order/aud-before-type",
            claims().with("aud", "1").with("type", "1"),
            "aud_type",
        ),
        case(
            "order/times-before-device",
            claims().with("exp", "1.5").with("device", "1"),
            "exp_type",
        ),
        case(
            "order/nbf-before-iat",
            claims().with("nbf", NOW + 1).with("exp", NOW),
            "exp_not_after_nbf",
        ),
        case(
            "order/iat-before-iat-in-future",
            claims().with("iat", EXP),
            "exp_not_after_iat",
        ),
        case(
            "order/lifetime-before-iat-in-future",
            claims().with("iat", NOW + 301).with("exp", EXP * 2),
            "lifetime_too_long",
        ),
        case(
            "order/device-before-lic",
            claims().with("device", "1").with("lic", "1"),
            "device_type",
        ),
        case(
            "order/claims-before-expiry",
            claims().with("lic", "1"),
            "lic_type",
        )
        .at(EXP + DAY_S),
        case(
            "order/claims-before-revocation",
            claims().with("lic", "1"),
            "lic_type",
        )
        .revocations(&[("licence-1", "2026-11-20T00:00:00Z")]),
    ]
}

fn case(name: &str, claims: Object, code: &'static str) -> Case {
    Case::denied(name, claims.token(), code)
}
