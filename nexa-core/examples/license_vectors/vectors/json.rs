//! Headers and payloads that are not strict JSON. All are signed by the issuing key.

use super::Case;
use super::mint::{Key, b64, claims, header, quoted};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = duplicates();
    for (part, text) in [("header", header().text()), ("payload", claims().text())] {
        cases.extend(encoding(part, &text));
        cases.extend(grammar(part, &text));
        cases.extend(bounds(part));
    }
    cases.extend(payload_bounds());
    cases
}

fn duplicates() -> Vec<Case> {
    let duplicate = "json_duplicate_member";
    let lic = |json: &str| claims().with("lic", json).token();
    let sign = |header: super::mint::Object| Key::issuing().sign(&header.text(), &claims().text());
    let case =
        |name: &str, token: String| Case::denied(&format!("duplicate/{name}"), token, duplicate);
    vec![
        case("header-alg", sign(header().again("alg", "\"EdDSA\""))),
        case(
            "header-alg-escaped",
            sign(header().again(r"\u0061lg", "\"none\"")),
        ),
        case("header-kid", sign(header().again("kid", "\"other\""))),
        case(
            "claim-exp",
            claims().again("exp", 9_000_000_000_u64).token(),
        ),
        case(
            "claim-exp-escaped",
            claims().again(r"e\u0078p", 9_000_000_000_u64).token(),
        ),
        case(
            "claim-jti-escaped-in-capitals",
            claims().again(r"\u006Ati", "\"licence-2\"").token(),
        ),
        case(
            "claim-slash-escaped",
            claims().again("a/b", 1).again(r"a\/b", 1).token(),
        ),
        case(
            "unknown-claim",
            claims().again("colour", 1).again("colour", 1).token(),
        ),
        case("empty-name", claims().again("", 1).again("", 1).token()),
        case("nested", lic(r#"{"plan":"a","plan":"b"}"#)),
        case("limit", lic(r#"{"limits":{"seats":1,"seats":2}}"#)),
        case(
            "limit-escaped",
            lic(r#"{"limits":{"seats":1,"se\u0061ts":2}}"#),
        ),
        case(
            "in-unknown-object",
            claims().with("x", r#"{"y":[{"z":1,"z":1}]}"#).token(),
        ),
        case(
            "surrogate-pair",
            claims()
                .again("\u{1f680}", 1)
                .again(r"\ud83d\ude80", 1)
                .token(),
        ),
        case(
            "around-other-members",
            claims().again("iss", "\"https://other.example\"").token(),
        ),
    ]
}

fn encoding(part: &str, text: &str) -> Vec<Case> {
    // A claim or member whose value holds the bytes; the closing brace is put back after them.
    let holding = |bytes: &[u8]| {
        let front = text.strip_suffix('}').expect("an object");
        [front.as_bytes(), b",\"x\":\"", bytes, b"\"}"].concat()
    };
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [
        (
            "bom",
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            "json_bom",
        ),
        ("stray-continuation-byte", holding(b"\x80"), "json_utf8"),
        ("overlong-nul", holding(b"\xc0\x80"), "json_utf8"),
        ("surrogate-in-utf-8", holding(b"\xed\xa0\x80"), "json_utf8"),
        ("beyond-unicode", holding(b"\xf4\x90\x80\x80"), "json_utf8"),
        ("cut-character", holding(b"\xe2\x82"), "json_utf8"),
        ("latin-1", holding(b"Gr\xf6\xdfe"), "json_utf8"),
        ("utf-16", utf16, "json_syntax"),
        (
            "lone-high-surrogate",
            holding(br"\ud800"),
            "json_lone_surrogate",
        ),
        (
            "lone-low-surrogate",
            holding(br"\udc00"),
            "json_lone_surrogate",
        ),
        (
            "reversed-surrogates",
            holding(br"\udc00\ud800"),
            "json_lone_surrogate",
        ),
        (
            "high-surrogate-and-letter",
            holding(br"\ud800a"),
            "json_lone_surrogate",
        ),
        (
            "two-high-surrogates",
            holding(br"\ud800\ud800"),
            "json_lone_surrogate",
        ),
    ]
    .map(|(name, document, code)| case(part, name, &document, code))
    .into()
}

fn grammar(part: &str, text: &str) -> Vec<Case> {
    let front = text.strip_suffix('}').expect("an object");
    let value = |json: &str| format!("{front},\"x\":{json}}}");
    let (syntax, trailing) = ("json_syntax", "json_trailing_data");
    [
        ("nan", value("NaN"), syntax),
        ("infinity", value("Infinity"), syntax),
        ("minus-infinity", value("-Infinity"), syntax),
        ("leading-zero", value("01"), syntax),
        ("plus-sign", value("+1"), syntax),
        ("hexadecimal", value("0x10"), syntax),
        ("no-whole-part", value(".5"), syntax),
        ("no-fraction", value("1."), syntax),
        ("no-exponent", value("1e"), syntax),
        ("minus-alone", value("-"), syntax),
        ("undefined", value("undefined"), syntax),
        ("true-in-capitals", value("True"), syntax),
        ("single-quotes", value("'a'"), syntax),
        ("unknown-escape", value(r#""\x41""#), syntax),
        ("short-unicode-escape", value(r#""\u12""#), syntax),
        ("signed-unicode-escape", value(r#""\u+123""#), syntax),
        ("line-feed-in-string", value("\"a\nb\""), syntax),
        ("nul-in-string", value("\"a\0b\""), syntax),
        ("comma-at-the-end", format!("{front},}}"), syntax),
        ("two-commas", format!("{front},,\"x\":1}}"), syntax),
        ("no-comma", format!("{front} \"x\":1}}"), syntax),
        ("no-colon", format!("{front},\"x\" 1}}"), syntax),
        ("bare-name", format!("{front},x:1}}"), syntax),
        ("number-as-name", format!("{front},1:1}}"), syntax),
        ("comment", format!("{front}/* */}}"), syntax),
        ("not-closed", front.to_owned(), syntax),
        ("vertical-tab", format!("\u{b}{text}"), syntax),
        ("second-object", format!("{text}{text}"), trailing),
        ("letter-after", format!("{text}x"), trailing),
        ("nul-after", format!("{text}\0"), trailing),
        ("brace-after", format!("{text}}}"), trailing),
        ("array", format!("[{text}]"), "json_not_object"),
        ("string", quoted(text), "json_not_object"),
        ("null", "null".to_owned(), "json_not_object"),
        ("number", "1".to_owned(), "json_not_object"),
    ]
    .map(|(name, document, code)| case(part, name, document.as_bytes(), code))
    .into()
}

fn bounds(part: &str) -> Vec<Case> {
    let text = if part == "header" { header() } else { claims() };
    let range = "json_number_range";
    let with = |json: &str| text.clone().with("x", json).text();
    let members = |count: usize| {
        (0..count)
            .fold(text.clone(), |text, index| {
                text.with(&format!("x{index}"), 0)
            })
            .text()
    };
    [
        ("number-2-to-53", with("9007199254740992"), range),
        ("number-minus-2-to-53", with("-9007199254740992"), range),
        ("number-2-to-64", with("18446744073709551616"), range),
        ("number-of-17-digits", with("10000000000000000"), range),
        ("number-with-exponent", with("1e16"), range),
        ("number-beyond-doubles", with("1e400"), range),
        ("fraction-past-2-to-53", with("9007199254740992.0"), range),
        (
            "objects-too-deep",
            with(r#"{"a":{"b":{"c":{}}}}"#),
            "json_too_deep",
        ),
        ("arrays-too-deep", with("[[[[]]]]"), "json_too_deep"),
        (
            "mixed-too-deep",
            with(r#"[{"a":[{"b":1}]}]"#),
            "json_too_deep",
        ),
        ("very-deep", with(&"[".repeat(1_000)), "json_too_deep"),
        ("too-many-members", members(65), "json_too_many_members"),
    ]
    .map(|(name, document, code)| case(part, name, document.as_bytes(), code))
    .into()
}

fn payload_bounds() -> Vec<Case> {
    let one_too_many = (0..56).fold(claims(), |claims, index| {
        claims.with(&format!("x{index}"), index)
    });
    let thousand_values = claims().with("x", format!("[{}0]", "0,".repeat(999)));
    vec![
        Case::denied(
            "json/payload-65-members",
            one_too_many.token(),
            "json_too_many_members",
        ),
        Case::denied(
            "json/payload-thousand-values",
            thousand_values.token(),
            "json_too_large",
        ),
    ]
}

fn case(part: &str, name: &str, document: &[u8], code: &'static str) -> Case {
    let (header, payload) = match part {
        "header" => (b64(document), b64(claims().text())),
        _ => (b64(header().text()), b64(document)),
    };
    Case::denied(
        &format!("json/{part}-{name}"),
        Key::issuing().sign_segments(&header, &payload),
        code,
    )
}
