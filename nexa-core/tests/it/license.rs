//! Licences: claims, verdicts and their precedence, devices, grace, facts.
use nexa_core::{
    Decision, DeviceExpectation, DeviceMatch, DevicePolicy, LicenseExpectations, NewDevice,
    NewLicense, NewTerms, RevocationFeed, RevocationStatus, Revocations, Scratch, StalePolicy,
    StatusRef, Verdict, check_license,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::forge::{AUDIENCE, DEVICE, Forge, ISSUER, NOW, at, full_license, with_member};
use crate::seeded::Seeded;

#[test]
fn every_claim_missing_mistyped_or_wrong() {
    let forge = Forge::new(1);
    let claims = forge.license_claims();
    let check = |path: &str, value: Option<Value>, code: &str| {
        let changed = with_member(&claims, path, value.clone());
        assert_eq!(
            forge.code_of_payload(changed.to_string()),
            code,
            "{path} = {value:?}"
        );
    };
    for (path, code) in [
        ("iss", "iss_missing"),
        ("sub", "sub_missing"),
        ("aud", "aud_missing"),
        ("type", "type_missing"),
        ("jti", "jti_missing"),
        ("iat", "iat_missing"),
        ("nbf", "nbf_missing"),
        ("exp", "exp_missing"),
        ("device", "device_missing"),
        ("device.salt", "device_salt_missing"),
        ("device.policy", "device_policy_missing"),
        ("device.components", "device_components_missing"),
        ("status", "valid"),
        ("status.status_list", "status_list_missing"),
        ("status.status_list.idx", "status_idx_missing"),
        ("status.status_list.uri", "status_uri_missing"),
        ("lic", "valid"),
        ("lic.plan", "valid"),
        ("lic.entitlements", "valid"),
        ("lic.limits", "valid"),
        ("lic.grace_s", "valid"),
        ("lic.stale", "valid"),
        ("lic.trial", "valid"),
    ] {
        check(path, None, code);
    }
    let none_is_absent = json!(null);
    for (path, code) in [
        ("iss", "iss_type"),
        ("sub", "sub_type"),
        ("aud", "aud_type"),
        ("type", "type_type"),
        ("jti", "jti_type"),
        ("iat", "iat_type"),
        ("nbf", "nbf_type"),
        ("exp", "exp_type"),
        ("device", "device_type"),
        ("device.salt", "device_salt_type"),
        ("device.policy", "device_policy_type"),
        ("device.components", "device_components_type"),
        ("device.components.cpu", "device_components_type"),
        ("status", "status_type"),
        ("status.status_list", "status_list_type"),
        ("status.status_list.idx", "status_idx_type"),
        ("status.status_list.uri", "status_uri_type"),
        ("lic", "lic_type"),
        ("lic.plan", "lic_plan_type"),
        ("lic.entitlements", "lic_entitlements_type"),
        ("lic.limits", "lic_limits_type"),
        ("lic.limits.seats", "lic_limits_type"),
        ("lic.grace_s", "lic_grace_s_type"),
        ("lic.fresh_s", "lic_fresh_s_type"),
        ("lic.max_age_s", "lic_max_age_s_type"),
        ("lic.stale", "lic_stale_type"),
        ("lic.renew_after", "lic_renew_after_type"),
        ("lic.trial", "lic_trial_type"),
    ] {
        check(path, Some(none_is_absent.clone()), code);
        check(
            path,
            Some(json!([])),
            if path == "lic.entitlements" {
                "valid"
            } else {
                code
            },
        );
    }
    for (path, value, code) in [
        ("iss", json!("https://licenses.example/"), "iss_wrong"),
        ("iss", json!("https://LICENSES.example"), "iss_wrong"),
        ("iss", json!("https://licenses.exampl"), "iss_wrong"),
        ("iss", json!(""), "iss_wrong"),
        ("iss", json!([ISSUER]), "iss_type"),
        ("sub", json!(""), "sub_wrong"),
        ("sub", json!(7), "sub_type"),
        ("aud", json!("my-app2"), "aud_wrong"),
        ("aud", json!("my-ap"), "aud_wrong"),
        ("aud", json!("My-App"), "aud_wrong"),
        ("aud", json!([AUDIENCE]), "aud_type"),
        ("aud", json!([AUDIENCE, "other"]), "aud_type"),
        ("type", json!("access"), "type_wrong"),
        ("type", json!("License"), "type_wrong"),
        ("jti", json!(""), "jti_wrong"),
        ("iat", json!(NOW + 300), "valid"),
        ("iat", json!(NOW + 301), "issued_in_future"),
        ("iat", json!("1795230000"), "iat_type"),
        ("iat", json!(-1), "iat_type"),
        ("iat", json!(NOW as f64 + 0.5), "iat_type"),
        ("exp", json!("9999999999"), "exp_type"),
        ("exp", json!(true), "exp_type"),
        ("exp", json!(-1), "exp_type"),
        ("exp", json!([NOW + 60]), "exp_type"),
        ("exp", json!(1_u64 << 53), "json_number_range"),
        ("exp", json!((1_u64 << 53) - 1), "lifetime_too_long"),
        ("exp", json!(NOW + 400 * 86_400), "valid"),
        ("exp", json!(NOW + 400 * 86_400 + 1), "lifetime_too_long"),
        ("exp", json!(NOW - 300), "exp_not_after_nbf"),
        ("exp", json!(NOW - 301), "exp_not_after_nbf"),
        ("exp", json!(NOW - 299), "exp_not_after_iat"),
        ("exp", json!(NOW), "exp_not_after_iat"),
        ("exp", json!(NOW + 1), "valid"),
        ("nbf", json!(NOW), "valid"),
        ("nbf", json!(NOW + 1), "not_yet_valid"),
        ("nbf", json!(NOW as f64 - 0.5), "nbf_type"),
        ("nbf", json!(0), "valid"),
        ("device", json!("fp"), "device_type"),
        ("device.salt", json!("AAAAAAAAAAAAAAAAAAAAAA"), "valid"),
        (
            "device.salt",
            json!("AAAAAAAAAAAAAAAAAAAAAA=="),
            "device_salt_wrong",
        ),
        (
            "device.salt",
            json!("AAAAAAAAAAAAAAAAAAAAAB"),
            "device_salt_wrong",
        ),
        ("device.salt", json!("AAAA"), "device_salt_wrong"),
        ("device.salt", json!(""), "device_salt_wrong"),
        ("device.policy", json!("any"), "valid"),
        ("device.policy", json!("most"), "valid"),
        ("device.policy", json!("all"), "valid"),
        ("device.policy", json!("some"), "device_policy_wrong"),
        ("device.policy", json!("Any"), "device_policy_wrong"),
        ("device.policy", json!(0), "device_policy_wrong"),
        ("device.policy", json!(1), "valid"),
        ("device.policy", json!(3), "valid"),
        ("device.policy", json!(4), "device_policy_wrong"),
        ("device.policy", json!(257), "device_policy_wrong"),
        ("device.policy", json!(-1), "device_policy_type"),
        ("device.policy", json!(1.5), "device_policy_type"),
        ("device.components", json!({}), "device_components_wrong"),
        ("device.components", json!({"a": "AAAAAAAAAAA"}), "valid"),
        (
            "device.components",
            json!({"": "AAAAAAAAAAA"}),
            "device_components_wrong",
        ),
        (
            "device.components",
            json!({"a": "AAAAAAAAAAB"}),
            "device_components_wrong",
        ),
        (
            "device.components",
            json!({"a": "AAAAAAAAAAA="}),
            "device_components_wrong",
        ),
        (
            "device.components",
            json!({"a": "AAAA"}),
            "device_components_wrong",
        ),
        (
            "device.components",
            json!({"a": ["AAAAAAAAAAA"]}),
            "device_components_type",
        ),
        ("device.components", components(16), "valid"),
        (
            "device.components",
            components(17),
            "device_components_wrong",
        ),
        ("status.status_list.idx", json!(0), "valid"),
        ("status.status_list.idx", json!(65_535), "valid"),
        ("status.status_list.idx", json!(65_536), "status_idx_wrong"),
        ("status.status_list.idx", json!(-1), "status_idx_type"),
        ("status.status_list.idx", json!("1"), "status_idx_type"),
        ("status.status_list.uri", json!(""), "status_uri_wrong"),
        ("lic", json!({}), "valid"),
        ("lic", json!("pro"), "lic_type"),
        ("lic.entitlements", json!(["a", 1]), "lic_entitlements_type"),
        ("lic.entitlements", json!("a"), "lic_entitlements_type"),
        ("lic.limits", json!({}), "valid"),
        ("lic.limits", json!({"a": 1.5}), "lic_limits_type"),
        ("lic.limits", json!({"a": -1}), "lic_limits_type"),
        ("lic.grace_s", json!("60"), "lic_grace_s_type"),
        ("lic.stale", json!("never"), "lic_stale_wrong"),
        ("lic.trial", json!("true"), "lic_trial_type"),
        ("lic.trial", json!(1), "lic_trial_type"),
        ("lic.trial", json!(false), "valid"),
        ("lic.unknown", json!({"deep": [1]}), "valid"),
        ("unknown", json!([1, {"a": null}]), "valid"),
        ("cnf", json!({"jwk": {}}), "valid"),
    ] {
        check(path, Some(value), code);
    }
}

fn components(count: usize) -> Value {
    (0..count)
        .map(|index| (format!("kind{index}"), json!("AAAAAAAAAAA")))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn payloads_that_are_not_strict_json() {
    let forge = Forge::new(1);
    let good = forge.license_claims().to_string();
    let insert = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    for (payload, code) in [
        (insert(r#""exp":1"#), "json_duplicate_member"),
        (insert(r#""\u0065xp":1"#), "json_duplicate_member"),
        (insert(r#""x":{"a":1,"\u0061":2}"#), "json_duplicate_member"),
        (insert(r#""x":"\ud800""#), "json_lone_surrogate"),
        (insert(r#""x":"\udc00\ud800""#), "json_lone_surrogate"),
        (insert(r#""x":"\ud83d\ude00""#), "valid"),
        (insert(r#""x":NaN"#), "json_syntax"),
        (insert(r#""x":Infinity"#), "json_syntax"),
        (insert(r#""x":+1"#), "json_syntax"),
        (insert(r#""x":01"#), "json_syntax"),
        (insert(r#""x":.5"#), "json_syntax"),
        (insert(r#""x":'a'"#), "json_syntax"),
        (insert(r#""x":9007199254740992"#), "json_number_range"),
        (insert(r#""x":-9007199254740992"#), "json_number_range"),
        (insert(r#""x":1e16"#), "json_number_range"),
        (
            insert(r#""x":1e999999999999999999999"#),
            "json_number_range",
        ),
        (insert(r#""x":1e-999999999999999999999"#), "valid"),
        (insert(r#""x":9007199254740991"#), "valid"),
        (insert(r#""x":[[[1]]]"#), "valid"),
        (insert(r#""x":[[[[1]]]]"#), "json_too_deep"),
        (insert(r#""x":{"a":{"b":{"c":{}}}}"#), "json_too_deep"),
        (
            insert(&format!(r#""x":[{}0]"#, "0,".repeat(512))),
            "json_too_large",
        ),
        (
            insert(
                &(0..64)
                    .map(|n| format!("\"{n}\":0"))
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            "json_too_many_members",
        ),
        (format!("{good}{good}"), "json_trailing_data"),
        (format!("{good},"), "json_trailing_data"),
        (format!("{good}\0"), "json_trailing_data"),
        (format!(" {good}\r\n"), "valid"),
        (format!("\u{feff}{good}"), "json_bom"),
        (format!("{good} // comment"), "json_trailing_data"),
        (good[..good.len() - 1].to_owned(), "json_syntax"),
        (String::new(), "json_syntax"),
        ("[]".to_owned(), "json_not_object"),
        ("null".to_owned(), "json_not_object"),
        (good.replace("1795230000", "1795230000.0"), "iat_type"),
        (good.replace("1795230000", "17952300e2"), "iat_type"),
        (good.replace("1795229700", "-0"), "nbf_type"),
        (good.replace("my-app", r"\u006dy\u002dapp"), "valid"),
        (good.replace("\"jti\"", "\"\\u006at\\u0069\""), "valid"),
    ] {
        assert_eq!(forge.code_of_payload(&payload), code, "{payload}");
    }
    let not_utf8 = [
        good.trim_end_matches('}').as_bytes(),
        b",\"x\":\"\xc3\x28\"}",
    ]
    .concat();
    assert_eq!(forge.code_of_payload(not_utf8), "json_utf8");
    let overlong = [
        good.trim_end_matches('}').as_bytes(),
        b",\"x\":\"\xc0\xaf\"}",
    ]
    .concat();
    assert_eq!(forge.code_of_payload(overlong), "json_utf8");
}

#[test]
fn facts_are_what_was_issued() {
    let forge = Forge::new(1);
    let token = forge.license();
    let mut scratch = Scratch::new();
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let report = check_license(
        &forge.keys,
        &expect,
        at(NOW),
        token.as_bytes(),
        &mut scratch,
    );
    assert_eq!(report.verdict(), Verdict::Valid);
    assert_eq!(report.decision(), Decision::Allow);
    assert_eq!(report.revocation(), RevocationStatus::NotChecked);
    assert!(matches!(report.device(), DeviceMatch::NotChecked));
    assert_eq!(report.device().is_match(), None);
    let license = report.license().unwrap().claims();
    assert_eq!(license.issuer(), ISSUER);
    assert_eq!(license.subject(), "tenant-1");
    assert_eq!(license.audience(), AUDIENCE);
    assert_eq!(license.jti(), "licence-1");
    assert_eq!(license.kid(), forge.key.kid());
    assert_eq!(license.issued_at(), at(NOW));
    assert_eq!(license.not_before(), at(NOW - 300));
    assert_eq!(license.expires_at(), at(NOW + 30 * 86_400));
    assert_eq!(
        license.status(),
        Some(StatusRef {
            index: 65_535,
            uri: "https://licenses.example/shards/1"
        })
    );
    let terms = license.terms();
    assert_eq!(terms.plan(), Some("pro"));
    assert_eq!(
        terms.entitlements().collect::<Vec<_>>(),
        full_license().terms.entitlements
    );
    assert!(terms.allows("export") && terms.allows("žluťoučký"));
    assert!(!terms.allows("expor") && !terms.allows("") && !terms.allows("EXPORT"));
    assert_eq!(
        terms.limits().collect::<Vec<_>>(),
        [("seats", 5), ("most", (1 << 53) - 1)]
    );
    assert_eq!(
        (terms.limit("seats"), terms.limit("cores")),
        (Some(5), None)
    );
    assert_eq!(terms.grace_s(), 3_600);
    assert_eq!(
        (terms.fresh_s(), terms.max_age_s()),
        (Some(60), Some(7_200))
    );
    assert_eq!(terms.stale(), StalePolicy::Warn);
    assert_eq!(terms.renew_after(), Some(at(NOW + 86_400)));
    assert!(terms.is_trial());
    assert_eq!(license.device().policy(), DevicePolicy::Two);
    assert_eq!(
        license.device().kinds().collect::<Vec<_>>(),
        ["fingerprint", "cpu", "mac"]
    );
}

#[test]
fn a_licence_without_terms_states_none() {
    let forge = Forge::new(1);
    let request = NewLicense {
        terms: NewTerms::default(),
        status: None,
        ..full_license()
    };
    let issued = forge
        .license_issuer()
        .issue(at(NOW), &mut Seeded::new(1), &request)
        .unwrap();
    let mut scratch = Scratch::new();
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let report = check_license(
        &forge.keys,
        &expect,
        at(NOW),
        issued.token.as_bytes(),
        &mut scratch,
    );
    let license = report.license().unwrap().claims();
    let terms = license.terms();
    assert_eq!(license.status(), None);
    assert_eq!(
        (terms.plan(), terms.renew_after(), terms.grace_s()),
        (None, None, 0)
    );
    assert_eq!(
        (terms.entitlements().count(), terms.limits().count()),
        (0, 0)
    );
    assert_eq!(terms.stale(), StalePolicy::Deny);
    assert!(!terms.is_trial());
}

/// Revokes everything.
struct AllRevoked;

impl Revocations for AllRevoked {
    fn lookup(&self, jti: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus {
        assert_eq!(jti, "licence-1");
        assert_eq!(status.map(|status| status.index), Some(65_535));
        RevocationStatus::Revoked { at: at(77) }
    }
}

const OTHER_DEVICE: DeviceExpectation<'_> =
    DeviceExpectation::Components(&[("fingerprint", "a1b2"), ("cpu", "arm"), ("mac", "02:01")]);

#[test]
fn verdicts_and_which_one_wins() {
    let forge = Forge::new(1);
    let token = forge.license();
    let end = NOW + 30 * 86_400;
    let on = |device| LicenseExpectations::new(ISSUER, AUDIENCE, device);
    let plain = on(DeviceExpectation::NotChecked);
    let same_device = on(DeviceExpectation::Components(DEVICE));
    let other_device = on(OTHER_DEVICE);
    let revoked = other_device.with_revocations(&AllRevoked);
    let other = Verdict::OtherDevice {
        matched: 1,
        required: 2,
        total: 3,
    };
    let early = Verdict::NotYetValid { starts_in_s: 1 };
    let expired = |since_s, grace_left_s| Verdict::Expired {
        since_s,
        grace_left_s,
    };
    let gone = Verdict::Revoked { at: at(77) };
    use Decision::{Allow, Deny};
    for (expect, now, verdict, code, decision) in [
        (plain, NOW, Verdict::Valid, "valid", Allow),
        (plain, NOW - 300, Verdict::Valid, "valid", Allow),
        (
            plain,
            NOW - 301,
            Verdict::Refused(nexa_core::Refusal::IssuedInFuture { ahead_s: 301 }),
            "issued_in_future",
            Deny,
        ),
        (plain, end - 1, Verdict::Valid, "valid", Allow),
        (plain, end, expired(0, Some(3_600)), "expired", Allow),
        (
            plain,
            end + 3_599,
            expired(3_599, Some(1)),
            "expired",
            Allow,
        ),
        (plain, end + 3_600, expired(3_600, None), "expired", Deny),
        (plain, end + 9_999, expired(9_999, None), "expired", Deny),
        (same_device, NOW, Verdict::Valid, "valid", Allow),
        (same_device, end, expired(0, Some(3_600)), "expired", Allow),
        (other_device, NOW, other, "other_device", Deny),
        (other_device, end, expired(0, Some(3_600)), "expired", Deny),
        (revoked, NOW, gone, "revoked", Deny),
        (revoked, end, gone, "revoked", Deny),
    ] {
        let mut scratch = Scratch::new();
        let report = check_license(
            &forge.keys,
            &expect,
            at(now),
            token.as_bytes(),
            &mut scratch,
        );
        assert_eq!(report.verdict(), verdict);
        assert_eq!(report.verdict().code(), code);
        assert_eq!(report.decision(), decision, "{verdict:?}");
        let has_facts = !matches!(verdict, Verdict::Refused(_));
        assert_eq!(report.license().is_some(), has_facts);
    }
    // Later than the issuer's own skew: not yet valid wins over the device, revoked wins over both.
    let mut claims = forge.license_claims();
    claims["nbf"] = json!(NOW + 1);
    let token = forge.sign(forge.header("license+jwt"), claims.to_string());
    for (expect, verdict) in [(other_device, early), (revoked, gone)] {
        let mut scratch = Scratch::new();
        let report = check_license(
            &forge.keys,
            &expect,
            at(NOW),
            token.as_bytes(),
            &mut scratch,
        );
        assert_eq!((report.verdict(), report.decision()), (verdict, Deny));
    }
}

/// A grace that an issuer should not have given: the verifier's longest life ends it.
#[test]
fn grace_ends_with_the_longest_life() {
    let forge = Forge::new(1);
    let mut claims = forge.license_claims();
    claims["lic"]["grace_s"] = json!(100 * 365 * 86_400_u64);
    let token = forge.sign(forge.header("license+jwt"), claims.to_string());
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let life_s = 30 * 86_400;
    for (max_s, age_s, grace_left_s, decision) in [
        (400 * 86_400, life_s, Some(370 * 86_400), Decision::Allow),
        (400 * 86_400, 400 * 86_400 - 1, Some(1), Decision::Allow),
        (400 * 86_400, 400 * 86_400, None, Decision::Deny),
        (life_s + 60, life_s, Some(60), Decision::Allow),
        (life_s, life_s, None, Decision::Deny),
        (
            u64::MAX,
            400 * 86_400,
            Some(36_130 * 86_400),
            Decision::Allow,
        ),
    ] {
        let expect = expect.with_max_lifetime_s(max_s);
        let mut scratch = Scratch::new();
        let now = at(NOW + age_s);
        let report = check_license(&forge.keys, &expect, now, token.as_bytes(), &mut scratch);
        let expired = Verdict::Expired {
            since_s: age_s - life_s,
            grace_left_s,
        };
        assert_eq!((report.verdict(), report.decision()), (expired, decision));
    }
}

#[test]
fn the_verifier_limits_the_lifetime() {
    let forge = Forge::new(1);
    let token = forge.license();
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    for (max_s, code) in [
        (30 * 86_400, "valid"),
        (30 * 86_400 - 1, "lifetime_too_long"),
        (0, "lifetime_too_long"),
    ] {
        let expect = expect.with_max_lifetime_s(max_s);
        let mut scratch = Scratch::new();
        let report = check_license(
            &forge.keys,
            &expect,
            at(NOW),
            token.as_bytes(),
            &mut scratch,
        );
        assert_eq!(report.verdict().code(), code);
    }
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
        (
            "licence-10",
            Verdict::Valid,
            RevocationStatus::NotRevoked { as_of: None },
        ),
        (
            "licence-",
            Verdict::Valid,
            RevocationStatus::NotRevoked { as_of: None },
        ),
    ] {
        let json = format!(r#"[{{"jti":"{jti}","revokedAt":"2026-11-21T02:59:00Z"}}]"#);
        let feed = RevocationFeed::read(json.as_bytes()).unwrap();
        let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked)
            .with_revocations(&feed);
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
fn drift_is_named() {
    let forge = Forge::new(1);
    let token = forge.license();
    let drift = |present: &[(&str, &str)]| {
        let expect =
            LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::Components(present));
        let mut scratch = Scratch::new();
        let report = check_license(
            &forge.keys,
            &expect,
            at(NOW),
            token.as_bytes(),
            &mut scratch,
        );
        let DeviceMatch::Checked {
            matched,
            required,
            total,
            drifted,
        } = report.device().clone()
        else {
            panic!("a device was presented");
        };
        assert_eq!((required, total), (2, 3));
        assert_eq!(report.device().is_match(), Some(matched >= 2));
        assert_eq!(report.verdict() == Verdict::Valid, matched >= 2);
        drifted.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(drift(DEVICE), [""; 0]);
    assert_eq!(drift(&[]), ["fingerprint", "cpu", "mac"]);
    assert_eq!(drift(&[("cpu", "x86"), ("mac", "02:00")]), ["fingerprint"]);
    assert_eq!(
        drift(&[("mac", "02:00"), ("gpu", "x86")]),
        ["fingerprint", "cpu"]
    );
    // A value counts under its own kind only, and byte by byte.
    assert_eq!(
        drift(&[("cpu", "a1b2"), ("fingerprint", "x86"), ("mac", "02:00 ")]),
        ["fingerprint", "cpu", "mac"]
    );
    // Of several values of one kind, one has to match.
    assert_eq!(
        drift(&[("mac", "02:01"), ("mac", "02:00"), ("cpu", "x86")]),
        ["fingerprint"]
    );
}

#[test]
fn an_access_token_is_no_licence() {
    let forge = Forge::new(1);
    let claims = forge.license_claims();
    assert_eq!(
        forge.code_of(forge.sign(forge.header("at+jwt"), claims.to_string())),
        "typ_wrong"
    );
    let posing = with_member(&claims, "type", Some(json!("access")));
    assert_eq!(forge.code_of_payload(posing.to_string()), "type_wrong");
}

/// Any text, with a taste for what JSON has to escape.
fn text(max: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![3 => any::<char>(), 1 => prop::char::range('\0', '\u{7f}')];
    prop::collection::vec(character, 1..max).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_issued_licence_is_valid(
        seed in any::<u64>(),
        (jti, subject, audience) in (text(40), text(40), text(40)),
        now in 0..(1_u64 << 52),
        ttl_s in 1..=400 * 86_400_u64,
        components in prop::collection::btree_map(text(12), text(40), 1..=16),
        policy in 0..5_u8,
        count in any::<prop::sample::Index>(),
        plan in prop::option::of(text(20)),
        entitlements in prop::collection::vec(text(8), 0..6),
        limits in prop::collection::btree_map(text(8), 0..(1_u64 << 53), 0..6),
        grace in any::<prop::sample::Index>(),
        is_trial in any::<bool>(),
    ) {
        let forge = Forge::new(seed);
        let components: Vec<(&str, &str)> = components.iter().map(|(k, v)| (&**k, &**v)).collect();
        let entitlements: Vec<&str> = entitlements.iter().map(String::as_str).collect();
        let limits: Vec<(&str, u64)> = limits.iter().map(|(k, v)| (&**k, *v)).collect();
        // With the life itself at most 400 days.
        let grace_s = grace.index(usize::try_from(400 * 86_400 - ttl_s + 1).unwrap()) as u64;
        let policy = [
            DevicePolicy::Any,
            if components.len() < 2 { DevicePolicy::All } else { DevicePolicy::Two },
            DevicePolicy::Most,
            DevicePolicy::All,
            DevicePolicy::AtLeast(u8::try_from(count.index(components.len()) + 1).unwrap()),
        ][usize::from(policy)];
        let request = NewLicense {
            jti: &jti,
            subject: &subject,
            audience: &audience,
            ttl_s,
            device: NewDevice { components: &components, policy },
            terms: NewTerms {
                plan: plan.as_deref(),
                entitlements: &entitlements,
                limits: &limits,
                grace_s,
                is_trial,
                ..NewTerms::default()
            },
            status: None,
        };
        let issued = forge.license_issuer().issue(at(now), &mut Seeded::new(seed), &request);
        let issued = match issued {
            Err(nexa_core::IssueError::TooLong { bytes }) => {
                prop_assert!(bytes > 4096);
                return Ok(());
            }
            issued => issued.unwrap(),
        };
        prop_assert_eq!(&issued.jti, &jti);
        let expect = LicenseExpectations::new(ISSUER, &audience, DeviceExpectation::Components(&components));
        let mut scratch = Scratch::new();
        for now in [issued.not_before.get().max(now.saturating_sub(300)), now, issued.expires_at.get() - 1] {
            let report = check_license(&forge.keys, &expect, at(now), issued.token.as_bytes(), &mut scratch);
            prop_assert_eq!(report.verdict(), Verdict::Valid);
            let license = report.license().unwrap().claims();
            prop_assert_eq!((license.jti(), license.subject()), (&*jti, &*subject));
            prop_assert_eq!(license.device().policy(), policy);
            prop_assert_eq!(license.terms().plan(), plan.as_deref());
            prop_assert_eq!(license.terms().entitlements().collect::<Vec<_>>(), &*entitlements);
            prop_assert_eq!(license.terms().limits().collect::<Vec<_>>(), &*limits);
            prop_assert_eq!(license.terms().grace_s(), grace_s);
        }
        let report = check_license(&forge.keys, &expect, issued.expires_at, issued.token.as_bytes(), &mut scratch);
        prop_assert_eq!(report.verdict().code(), "expired");
    }

    #[test]
    fn random_tokens_never_panic(token in prop::collection::vec(any::<u8>(), 0..200), text in "[A-Za-z0-9_=.{}\" -]{0,120}") {
        let forge = Forge::new(1);
        prop_assert_ne!(forge.code_of(&token), "valid");
        prop_assert_ne!(forge.code_of(&text), "valid");
        prop_assert_ne!(forge.code_of_payload(&token), "valid");
    }
}

#[test]
fn any_audience_is_one_string_and_everything_else_still_counts() {
    let forge = Forge::new(1);
    let claims = forge.license_claims();
    let expect = LicenseExpectations::for_any_audience(ISSUER, DeviceExpectation::NotChecked);
    let mut scratch = Scratch::new();
    for (path, value, code) in [
        ("aud", Some(json!("my-app")), "valid"),
        ("aud", Some(json!("another app")), "valid"),
        ("aud", Some(json!("")), "aud_wrong"),
        ("aud", Some(json!([AUDIENCE])), "aud_type"),
        ("aud", None, "aud_missing"),
        ("iss", Some(json!("https://others.example")), "iss_wrong"),
        ("type", Some(json!("access")), "type_wrong"),
        ("exp", Some(json!(NOW + 1)), "valid"),
        ("exp", Some(json!(NOW)), "exp_not_after_iat"),
    ] {
        let changed = with_member(&claims, path, value.clone()).to_string();
        let token = forge.sign(forge.header("license+jwt"), changed);
        let report = check_license(
            &forge.keys,
            &expect,
            at(NOW),
            token.as_bytes(),
            &mut scratch,
        );
        assert_eq!(report.verdict().code(), code, "{path} = {value:?}");
        if let ("aud", "valid") = (path, code) {
            let license = report.license().unwrap().claims();
            assert_eq!(Some(license.audience()), value.as_ref().unwrap().as_str());
        }
    }
    let other = Forge::new(2);
    let report = check_license(
        &forge.keys,
        &expect,
        at(NOW),
        other.license().as_bytes(),
        &mut scratch,
    );
    assert_eq!(report.verdict().code(), "unknown_key");
}

/// Every bit of header, payload and signature, one at a time: never valid, and never a licence to look at.
#[test]
fn no_flipped_bit_survives() {
    let forge = Forge::new(1);
    let token = forge.license();
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let mut scratch = Scratch::new();
    for index in 0..token.len() {
        for bit in 0..8 {
            let mut flipped = token.clone().into_bytes();
            flipped[index] ^= 1 << bit;
            let report = check_license(&forge.keys, &expect, at(NOW), &flipped, &mut scratch);
            assert!(report.license().is_none(), "byte {index}, bit {bit}");
            assert_eq!(report.decision(), Decision::Deny);
        }
    }
}

#[test]
fn no_shortened_or_doubled_token_survives() {
    let forge = Forge::new(1);
    let token = forge.license();
    for length in 0..token.len() {
        assert_ne!(forge.code_of(&token[..length]), "valid");
        assert_ne!(forge.code_of(&token[length + 1..]), "valid");
    }
    assert_ne!(forge.code_of(format!("{token}{token}")), "valid");
}
