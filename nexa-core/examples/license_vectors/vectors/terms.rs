//! The optional claims `status` and `lic`, mistyped or wrong.

use super::Case;
use super::mint::{Object, claims};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = status();
    cases.extend(terms());
    cases
}

fn status() -> Vec<Case> {
    let list = |list: &str| format!(r#"{{"status_list":{list}}}"#);
    let entry = |idx: &str, uri: &str| list(&format!(r#"{{"idx":{idx},"uri":{uri}}}"#));
    [
        ("null", "null".to_owned(), "status_type"),
        ("string", "\"ok\"".to_owned(), "status_type"),
        ("array", "[]".to_owned(), "status_type"),
        ("list-missing", "{}".to_owned(), "status_list_missing"),
        ("list-null", list("null"), "status_list_type"),
        ("list-array", list("[]"), "status_list_type"),
        ("idx-missing", list(r#"{"uri":"u"}"#), "status_idx_missing"),
        ("idx-null", entry("null", "\"u\""), "status_idx_type"),
        ("idx-string", entry("\"1\"", "\"u\""), "status_idx_type"),
        ("idx-fraction", entry("1.0", "\"u\""), "status_idx_type"),
        ("idx-negative", entry("-1", "\"u\""), "status_idx_type"),
        (
            "idx-past-the-end",
            entry("65536", "\"u\""),
            "status_idx_wrong",
        ),
        ("uri-missing", list(r#"{"idx":1}"#), "status_uri_missing"),
        ("uri-number", entry("1", "1"), "status_uri_type"),
        ("uri-empty", entry("1", "\"\""), "status_uri_wrong"),
    ]
    .map(|(name, json, code)| {
        case(
            &format!("status/{name}"),
            claims().with("status", json),
            code,
        )
    })
    .into()
}

fn terms() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("null", "null"),
        ("string", "\"pro\""),
        ("array", "[]"),
        ("true", "true"),
    ]
    .map(|(name, json)| {
        case(
            &format!("lic/{name}"),
            claims().with("lic", json),
            "lic_type",
        )
    })
    .into();
    let durations = [
        ("null", "null"),
        ("string", "\"1\""),
        ("fraction", "1.5"),
        ("negative", "-1"),
        ("true", "true"),
    ];
    for (member, code) in [
        ("grace_s", "lic_grace_s_type"),
        ("fresh_s", "lic_fresh_s_type"),
        ("max_age_s", "lic_max_age_s_type"),
        ("renew_after", "lic_renew_after_type"),
    ] {
        cases.extend(
            durations.map(|(name, json)| lic(&format!("{member}-{name}"), member, json, code)),
        );
    }
    cases.extend([
        lic("plan-null", "plan", "null", "lic_plan_type"),
        lic("plan-number", "plan", "1", "lic_plan_type"),
        lic("plan-array", "plan", r#"["pro"]"#, "lic_plan_type"),
        lic(
            "entitlements-null",
            "entitlements",
            "null",
            "lic_entitlements_type",
        ),
        lic(
            "entitlements-string",
            "entitlements",
            "\"export\"",
            "lic_entitlements_type",
        ),
        lic(
            "entitlements-object",
            "entitlements",
            "{}",
            "lic_entitlements_type",
        ),
        lic(
            "entitlements-with-number",
            "entitlements",
            r#"["export",1]"#,
            "lic_entitlements_type",
        ),
        lic(
            "entitlements-with-null",
            "entitlements",
            "[null]",
            "lic_entitlements_type",
        ),
        lic(
            "entitlements-nested",
            "entitlements",
            r#"[["export"]]"#,
            "lic_entitlements_type",
        ),
        lic("limits-null", "limits", "null", "lic_limits_type"),
        lic("limits-array", "limits", "[1]", "lic_limits_type"),
        lic(
            "limits-with-string",
            "limits",
            r#"{"seats":"5"}"#,
            "lic_limits_type",
        ),
        lic(
            "limits-with-fraction",
            "limits",
            r#"{"seats":5.5}"#,
            "lic_limits_type",
        ),
        lic(
            "limits-with-negative",
            "limits",
            r#"{"seats":-1}"#,
            "lic_limits_type",
        ),
        lic(
            "limits-with-null",
            "limits",
            r#"{"seats":null}"#,
            "lic_limits_type",
        ),
        lic("stale-null", "stale", "null", "lic_stale_type"),
        lic("stale-true", "stale", "true", "lic_stale_type"),
        lic("stale-unknown", "stale", "\"ignore\"", "lic_stale_wrong"),
        lic(
            "stale-in-another-case",
            "stale",
            "\"Allow\"",
            "lic_stale_wrong",
        ),
        lic("stale-empty", "stale", "\"\"", "lic_stale_wrong"),
        lic("trial-null", "trial", "null", "lic_trial_type"),
        lic("trial-number", "trial", "1", "lic_trial_type"),
        lic("trial-string", "trial", "\"true\"", "lic_trial_type"),
    ]);
    cases
}

fn lic(name: &str, member: &str, json: &str, code: &'static str) -> Case {
    case(
        &format!("lic/{name}"),
        claims().with("lic", format!(r#"{{"{member}":{json}}}"#)),
        code,
    )
}

fn case(name: &str, claims: Object, code: &'static str) -> Case {
    Case::denied(name, claims.token(), code)
}
