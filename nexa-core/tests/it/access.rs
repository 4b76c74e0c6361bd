//! Access tokens: claims, times, kinds.
use nexa_core::{AccessIssuer, NewAccess, Refusal, Scratch, check_access};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::forge::{Forge, ISSUER, NOW, at, payload_of, with_member};

const REQUEST: NewAccess<'static> = NewAccess {
    jti: "token-1",
    subject: "user-1",
    tenant: "tenant-1",
    session: "session-1",
    session_version: 3,
    role: Some("admin"),
    scope: Some("signals reports:*"),
    ttl_s: 1_800,
};

fn issue(forge: &Forge) -> String {
    let issuer = AccessIssuer::new(forge.key.clone(), ISSUER).expect("a good issuer");
    issuer
        .issue(at(NOW), &REQUEST)
        .expect("a good request")
        .token
}

fn code_of(forge: &Forge, now: u64, token: &str) -> &'static str {
    match check_access(
        &forge.keys,
        ISSUER,
        at(now),
        token.as_bytes(),
        &mut Scratch::new(),
    ) {
        Ok(_) => "valid",
        Err(refusal) => refusal.code(),
    }
}

#[test]
fn facts_are_what_was_issued() {
    let forge = Forge::new(5);
    let token = issue(&forge);
    let mut scratch = Scratch::new();
    let access =
        check_access(&forge.keys, ISSUER, at(NOW), token.as_bytes(), &mut scratch).unwrap();
    let claims = access.claims();
    assert_eq!(claims.subject(), "user-1");
    assert_eq!(claims.tenant(), "tenant-1");
    assert_eq!(
        (claims.session(), claims.session_version()),
        ("session-1", 3)
    );
    assert_eq!(
        (claims.role(), claims.scope()),
        (Some("admin"), Some("signals reports:*"))
    );
    assert_eq!(claims.jti(), "token-1");
    assert_eq!(
        (claims.issued_at(), claims.expires_at()),
        (at(NOW), at(NOW + 1_800))
    );
}

#[test]
fn times() {
    let forge = Forge::new(5);
    let token = issue(&forge);
    for (now, code) in [
        (NOW - 301, "issued_in_future"),
        (NOW - 300, "valid"),
        (NOW + 1_799, "valid"),
        (NOW + 1_800, "expired"),
        (NOW + 99_999, "expired"),
    ] {
        assert_eq!(code_of(&forge, now, &token), code, "{now}");
    }
    let mut scratch = Scratch::new();
    let refusal = check_access(
        &forge.keys,
        ISSUER,
        at(NOW + 1_807),
        token.as_bytes(),
        &mut scratch,
    );
    assert_eq!(refusal.unwrap_err(), Refusal::Expired { since_s: 7 });
}

#[test]
fn every_claim_missing_mistyped_or_wrong() {
    let forge = Forge::new(5);
    let claims: Value = serde_json::from_slice(&payload_of(&issue(&forge))).unwrap();
    let check = |path: &str, value: Option<Value>, code: &str| {
        let changed = with_member(&claims, path, value.clone());
        let token = forge.sign(forge.header("at+jwt"), changed.to_string());
        assert_eq!(code_of(&forge, NOW, &token), code, "{path} = {value:?}");
    };
    for name in [
        "iss", "sub", "aud", "type", "tenant", "sid", "sv", "jti", "iat", "exp",
    ] {
        check(name, None, &format!("{name}_missing"));
        check(name, Some(json!(null)), &format!("{name}_type"));
        check(name, Some(json!([claims[name]])), &format!("{name}_type"));
        check(name, Some(json!(true)), &format!("{name}_type"));
    }
    for name in ["iss", "sub", "aud", "type", "tenant", "sid", "jti"] {
        check(name, Some(json!("")), &format!("{name}_wrong"));
    }
    for name in ["role", "scope"] {
        check(name, None, "valid");
        check(name, Some(json!(null)), &format!("{name}_type"));
        check(name, Some(json!(["a"])), &format!("{name}_type"));
        check(name, Some(json!("")), &format!("{name}_wrong"));
    }
    // With neither, nothing says what the token may do.
    let without_role = with_member(&claims, "role", None);
    let powerless = with_member(&without_role, "scope", None).to_string();
    let token = forge.sign(forge.header("at+jwt"), powerless);
    assert_eq!(code_of(&forge, NOW, &token), "role_and_scope_missing");
    for (name, value, code) in [
        ("iss", json!("https://licenses.example/"), "iss_wrong"),
        ("aud", json!("my-app"), "aud_wrong"),
        ("aud", json!("API"), "aud_wrong"),
        ("type", json!("license"), "type_wrong"),
        ("sv", json!("3"), "sv_type"),
        ("sv", json!(-1), "sv_type"),
        ("sv", json!(3.0), "sv_type"),
        ("sv", json!(0), "valid"),
        ("exp", json!("9999999999"), "exp_type"),
        ("exp", json!(NOW as f64 + 60.5), "exp_type"),
        ("exp", json!(NOW + 86_400), "valid"),
        ("exp", json!(NOW + 86_401), "lifetime_too_long"),
        ("exp", json!(NOW), "exp_not_after_iat"),
        ("exp", json!(0), "exp_not_after_iat"),
        ("iat", json!(NOW + 301), "issued_in_future"),
        ("nbf", json!(NOW), "valid"),
        ("nbf", json!(NOW + 1), "not_yet_valid"),
        ("nbf", json!("1"), "nbf_type"),
        ("nbf", json!(null), "nbf_type"),
        ("unknown", json!({"a": [1]}), "valid"),
    ] {
        check(name, Some(value), code);
    }
}

#[test]
fn other_kinds_and_keys_do_not_pass() {
    let forge = Forge::new(5);
    assert_eq!(code_of(&forge, NOW, &forge.license()), "typ_wrong");
    let claims = payload_of(&issue(&forge));
    for typ in ["license+jwt", "JWT", "AT+JWT", "application/at+jwt"] {
        assert_eq!(
            code_of(&forge, NOW, &forge.sign(forge.header(typ), &claims)),
            "typ_wrong"
        );
    }
    assert_eq!(code_of(&Forge::new(6), NOW, &issue(&forge)), "unknown_key");
    assert_eq!(code_of(&forge, NOW, ""), "not_three_segments");
}

#[test]
fn no_flipped_bit_survives() {
    let forge = Forge::new(5);
    let token = issue(&forge);
    let mut scratch = Scratch::new();
    for index in 0..token.len() {
        for bit in 0..8 {
            let mut flipped = token.clone().into_bytes();
            flipped[index] ^= 1 << bit;
            let checked = check_access(&forge.keys, ISSUER, at(NOW), &flipped, &mut scratch);
            assert!(checked.is_err(), "byte {index}, bit {bit}");
        }
    }
}

/// A role, a scope, or both.
fn powers() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    let text = || "\\PC{1,40}";
    prop_oneof![
        text().prop_map(|role| (Some(role), None)),
        text().prop_map(|scope| (None, Some(scope))),
        (text(), text()).prop_map(|(role, scope)| (Some(role), Some(scope))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_issued_token_is_valid(
        seed in any::<u64>(),
        (jti, subject, tenant, session) in ("\\PC{1,40}", "\\PC{1,40}", "\\PC{1,40}", ".{1,20}"),
        session_version in 0..(1_u64 << 53),
        (role, scope) in powers(),
        now in 0..(1_u64 << 52),
        ttl_s in 1..=86_400_u64,
    ) {
        let forge = Forge::new(seed);
        let request = NewAccess {
            jti: &jti,
            subject: &subject,
            tenant: &tenant,
            session: &session,
            session_version,
            role: role.as_deref(),
            scope: scope.as_deref(),
            ttl_s,
        };
        let issued = AccessIssuer::new(forge.key.clone(), ISSUER).unwrap().issue(at(now), &request).unwrap();
        let mut scratch = Scratch::new();
        let last = issued.expires_at.get() - 1;
        for now in [now, last] {
            let access = check_access(&forge.keys, ISSUER, at(now), issued.token.as_bytes(), &mut scratch).unwrap();
            let claims = access.claims();
            prop_assert_eq!((claims.subject(), claims.tenant()), (&*subject, &*tenant));
            prop_assert_eq!((claims.session(), claims.session_version()), (&*session, session_version));
            prop_assert_eq!((claims.role(), claims.scope()), (role.as_deref(), scope.as_deref()));
        }
        prop_assert_eq!(code_of(&forge, last + 1, &issued.token), "expired");
    }
}
