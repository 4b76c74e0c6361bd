//! Licences that hold, among them unusual ones that a verifier must not refuse.

use super::Case;
use super::mint::{
    DAY_S, EXP, FINGERPRINT, Key, NOW, Object, claims, device, header, jwks, kid, quoted,
};

const ROCKET: &str = "\u{1f680}";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = facts();
    cases.extend(spellings());
    cases.extend(limits());
    cases.extend(key_sets());
    cases
}

fn facts() -> Vec<Case> {
    let lic = r#"{"plan":"pro","entitlements":["export","sync"],"limits":{"seats":5,"projects":0},"grace_s":604800,"fresh_s":86400,"max_age_s":2592000,"stale":"warn","renew_after":1796000000,"trial":true}"#;
    vec![
        Case::valid("valid/plain", claims().token())
            .text_fact("issuer", "https://licenses.example")
            .text_fact("subject", "tenant-1")
            .text_fact("audience", "editor")
            .text_fact("jti", "licence-1")
            .text_fact("kid", &Key::issuing().kid())
            .fact("issued_at", NOW)
            .fact("not_before", NOW - 300)
            .fact("expires_at", EXP)
            .fact("grace_s", 0)
            .fact("trial", false),
        Case::valid(
            "valid/alg-ed25519",
            Key::issuing().sign(
                &header().with("alg", "\"Ed25519\"").text(),
                &claims().text(),
            ),
        ),
        Case::valid("valid/terms", claims().with("lic", lic).token())
            .text_fact("plan", "pro")
            .fact("entitlements", r#"["export","sync"]"#)
            .fact("limits", r#"{"seats":5,"projects":0}"#)
            .fact("grace_s", 604_800)
            .fact("fresh_s", 86_400)
            .fact("max_age_s", 2_592_000)
            .text_fact("stale", "warn")
            .fact("renew_after", 1_796_000_000_u64)
            .fact("trial", true),
        lic_case("terms-empty", "{}")
            .fact("entitlements", "[]")
            .fact("limits", "{}")
            .text_fact("stale", "deny"),
        lic_case("terms-unknown-member", r#"{"colour":"red","plan":"basic"}"#)
            .text_fact("plan", "basic"),
        lic_case("terms-stale-allow", r#"{"stale":"allow"}"#).text_fact("stale", "allow"),
        lic_case("terms-stale-deny", r#"{"stale":"deny"}"#).text_fact("stale", "deny"),
        lic_case("terms-no-entitlements", r#"{"entitlements":[]}"#).fact("entitlements", "[]"),
        lic_case(
            "terms-largest-limit",
            r#"{"limits":{"seats":9007199254740991}}"#,
        )
        .fact("limits", r#"{"seats":9007199254740991}"#),
        lic_case(
            "terms-zero-durations",
            r#"{"grace_s":0,"fresh_s":0,"max_age_s":0}"#,
        )
        .fact("fresh_s", 0),
        lic_case("terms-empty-plan", r#"{"plan":""}"#).text_fact("plan", ""),
        status_case("status-first-position", 0),
        status_case("status-last-position", 65_535),
    ]
}

fn spellings() -> Vec<Case> {
    let issuing = Key::issuing();
    let escaped_header = header()
        .without("alg")
        .with(r"\u0061lg", r#""Ed\u0044SA""#)
        .text();
    let escaped_typ = header().with("typ", r#""license\u002bjwt""#).text();
    let spaced_header = header().text().replace(',', " ,\t").replace(':', "\r\n: ");
    let spaced = format!(
        " \n{}\t\r\n",
        claims().text().replace("\",\"", "\" ,\n  \"")
    );
    vec![
        with_claim("unknown-claim", "colour", "\"red\"").text_fact("jti", "licence-1"),
        with_claim("unknown-claim-null", "colour", "null"),
        with_claim("unknown-claim-fraction", "ratio", "0.25"),
        with_claim("unknown-claim-exponent", "ratio", "-1.5E+3"),
        with_claim("unknown-claim-minus-zero", "ratio", "-0"),
        with_claim("unknown-claim-negative", "offset", "-9007199254740991"),
        with_claim("unknown-claim-tiny-exponent", "ratio", "1e-400"),
        with_claim(
            "unknown-claim-array",
            "list",
            r#"[1,"two",[3],{},null,true]"#,
        ),
        with_claim("unknown-claim-named-like-a-nested-one", "salt", "1"),
        with_claim("escape-in-claim", "sub", r#""tenant\u002d1""#).text_fact("subject", "tenant-1"),
        with_claim("escaped-solidus", "iss", r#""https:\/\/licenses.example""#),
        with_claim("all-short-escapes", "sub", r#""\"\\\/\b\f\n\r\t""#)
            .text_fact("subject", "\"\\/\u{8}\u{c}\n\r\t"),
        with_claim("escaped-nul", "sub", r#""a\u0000b""#).text_fact("subject", "a\0b"),
        with_claim("surrogate-pair", "sub", r#""\uD83D\ude80""#).text_fact("subject", ROCKET),
        with_claim("plain-utf-8", "sub", &quoted(ROCKET)).text_fact("subject", ROCKET),
        with_claim("escaped-non-character", "sub", r#""\uffff""#).text_fact("subject", "\u{ffff}"),
        Case::valid(
            "valid/escaped-claim-name",
            claims()
                .without("sub")
                .with(r"s\u0075b", "\"tenant-2\"")
                .token(),
        )
        .text_fact("subject", "tenant-2"),
        Case::valid(
            "valid/escaped-header",
            issuing.sign(&escaped_header, &claims().text()),
        ),
        Case::valid(
            "valid/escaped-typ",
            issuing.sign(&escaped_typ, &claims().text()),
        ),
        Case::valid(
            "valid/white-space-in-json",
            issuing.sign(&spaced_header, &spaced),
        ),
        Case::valid(
            "valid/header-in-another-order",
            issuing.sign(&header().reversed().text(), &claims().text()),
        ),
        Case::valid("valid/claims-in-another-order", claims().reversed().token()),
    ]
}

fn limits() -> Vec<Case> {
    let many = (0..55).fold(claims(), |claims, index| {
        claims.with(&format!("x{index}"), index)
    });
    let lifetime_s = 400 * DAY_S;
    let sixteen: Vec<(String, String)> = (0..16)
        .map(|index| (format!("kind{index}"), format!("value{index}")))
        .collect();
    let sixteen: Vec<(&str, &str)> = sixteen
        .iter()
        .map(|(kind, value)| (kind.as_str(), value.as_str()))
        .collect();
    vec![
        Case::valid("valid/longest-token", token_of_length(4_096)),
        Case::valid(
            "valid/deepest-json",
            claims().with("x", r#"{"y":{"z":{}}}"#).token(),
        ),
        Case::valid("valid/most-members", many.token()),
        with_claim("largest-number", "x", "9007199254740991"),
        with_claim("largest-number-as-an-exponent", "x", "0.9e16"),
        Case::valid(
            "valid/longest-lifetime",
            claims().with("exp", NOW + lifetime_s).token(),
        ),
        Case::valid(
            "valid/longer-lifetime-allowed",
            claims().with("exp", NOW + lifetime_s + 1).token(),
        )
        .max_lifetime_s(lifetime_s + 1),
        Case::valid(
            "valid/issued-300-s-ahead",
            claims().with("iat", NOW + 300).token(),
        )
        .fact("issued_at", NOW + 300),
        Case::valid(
            "valid/issued-long-ago",
            claims().with("iat", NOW - 300 * DAY_S).token(),
        ),
        Case::valid("valid/first-second", claims().with("nbf", NOW).token()),
        Case::valid("valid/last-second", claims().token()).at(EXP - 1),
        Case::valid(
            "valid/one-second-long",
            claims().with("nbf", NOW).with("exp", NOW + 1).token(),
        ),
        Case::valid(
            "valid/largest-times",
            claims().with("exp", 9_007_199_254_740_991_u64).token(),
        )
        .max_lifetime_s(9_007_199_254_740_991),
        Case::valid(
            "valid/sixteen-components",
            claims()
                .with("device", device("\"all\"", &sixteen).text())
                .token(),
        ),
        Case::valid(
            "valid/device-unknown-member",
            claims()
                .with(
                    "device",
                    fingerprint_device().with("name", "\"laptop\"").text(),
                )
                .token(),
        )
        .device(&[("fingerprint", FINGERPRINT)]),
    ]
}

fn key_sets() -> Vec<Case> {
    let (issuing, token) = (Key::issuing(), claims().token());
    let others: Vec<String> = (2..17).map(|seed| Key::new(seed).jwk()).collect();
    let second = Key::new(2);
    let signed_by_second = second.sign(
        &header().with("kid", quoted(&second.kid())).text(),
        &claims().text(),
    );
    let x = super::mint::b64(issuing.public());
    let with_keys = |name: &str, keys: String| Case::valid(name, token.clone()).keys(keys);
    vec![
        with_keys("valid/bare-jwk", issuing.jwk()),
        with_keys(
            "valid/jwk-without-optional-members",
            format!(r#"{{"x":"{x}","crv":"Ed25519","kty":"OKP"}}"#),
        ),
        with_keys(
            "valid/jwk-alg-ed25519",
            issuing.jwk().replace("EdDSA", "Ed25519"),
        ),
        with_keys(
            "valid/jwk-key-ops",
            issuing.jwk().replace('}', r#","key_ops":["verify"]}"#),
        ),
        with_keys(
            "valid/jwk-unknown-member",
            issuing.jwk().replace('}', r#","exp":1,"x5t":"aa"}"#),
        ),
        with_keys(
            "valid/sixteen-keys",
            jwks(&[others, vec![issuing.jwk()]].concat()),
        ),
        with_keys(
            "valid/foreign-keys-are-skipped",
            jwks(&[
                r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
                r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
                format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}"}}"#),
                r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(),
                issuing.jwk(),
            ]),
        ),
        Case::valid("valid/second-key-of-the-set", signed_by_second)
            .keys(jwks(&[issuing.jwk(), second.jwk()]))
            .text_fact("kid", &kid(&second.public())),
    ]
}

fn lic_case(name: &str, lic: &str) -> Case {
    with_claim(name, "lic", lic)
}

fn status_case(name: &str, index: u16) -> Case {
    let uri = "https://licenses.example/status/7";
    let status = format!(r#"{{"status_list":{{"idx":{index},"uri":"{uri}"}}}}"#);
    with_claim(name, "status", &status)
        .fact("status_idx", index)
        .text_fact("status_uri", uri)
}

fn with_claim(name: &str, claim: &str, json: &str) -> Case {
    Case::valid(&format!("valid/{name}"), claims().with(claim, json).token())
}

fn fingerprint_device() -> Object {
    device("\"all\"", &[("fingerprint", FINGERPRINT)])
}

/// A good licence of exactly this many bytes, filled up with an unknown claim. Not every length of a segment
/// exists, so the header may get a space.
pub(super) fn token_of_length(length: usize) -> String {
    let mut candidates = (0..4).flat_map(|spaces| (0..length).map(move |fill| (spaces, fill)));
    let encoded = |bytes: usize| (bytes * 4).div_ceil(3);
    let (bare_header, bare_payload) = (
        header().text().len(),
        claims().with("x", "\"\"").text().len(),
    );
    let (spaces, fill) = candidates
        .find(|(spaces, fill)| {
            encoded(bare_header + spaces) + encoded(bare_payload + fill) + 88 == length
        })
        .expect("some number of spaces and fillers fits");
    let payload = claims().with("x", quoted(&"x".repeat(fill))).text();
    Key::issuing().sign(
        &format!("{}{}", header().text(), " ".repeat(spaces)),
        &payload,
    )
}
