//! Headers and payloads that are not strict JSON. All are signed by the issuing key.

use super::Case;
use super::mint::{Key, Object, b64, claims, header, quoted};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = duplicates();
    for (part, text) in [("header", header().text()), ("payload", claims().text())] {
        cases.extend(encoding(part, &text));
        cases.extend(grammar(part, &text));
        cases.extend(bounds(part));
    }
    cases.extend(header_edges());
    cases.extend(payload_edges());
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
        ("very-deep", with(&"[".repeat(400)), "json_too_deep"),
    ]
    .map(|(name, document, code)| case(part, name, document.as_bytes(), code))
    .into()
}

/// A header has at most 512 bytes, 64 values (names are values too) and 16 members.
fn header_edges() -> Vec<Case> {
    let of_bytes = |count: usize| format!("{:count$}", header().text());
    // The object, three names and their values, one more name and its array: nine. The rest are elements.
    let of_values = |count: usize| header().with("x", zeros(count - 9)).text();
    let of_members = |count: usize| with_members(header(), count - 3).text();
    let edge = |name: &str, document: String, code| case("header", name, document.as_bytes(), code);
    let longest = Key::issuing().sign(&of_bytes(512), &claims().text());
    vec![
        Case::valid("json/header-512-bytes", longest),
        edge("513-bytes", of_bytes(513), "json_too_large"),
        edge("64-values", of_values(64), "header_unknown_member"),
        edge("65-values", of_values(65), "json_too_large"),
        edge("16-members", of_members(16), "header_unknown_member"),
        edge("17-members", of_members(17), "json_too_many_members"),
    ]
}

/// A payload has at most 512 values (names are values too), and an object in it at most 64 members.
fn payload_edges() -> Vec<Case> {
    // The object, nine names and nine values; three names and three values in `device`, one of each in its
    // components: 27. One more name and its array: 29. The rest are elements.
    let of_values = |count: usize| claims().with("x", zeros(count - 29)).token();
    let of_members = |count: usize| with_members(claims(), count - 9).token();
    let limits = |count: usize| {
        let limits: Vec<String> = (0..count).map(|index| format!("\"l{index}\":1")).collect();
        let lic = format!(r#"{{"limits":{{{}}}}}"#, limits.join(","));
        claims().with("lic", lic).token()
    };
    vec![
        Case::valid("json/payload-512-values", of_values(512)),
        Case::denied("json/payload-513-values", of_values(513), "json_too_large"),
        Case::denied(
            "json/payload-thousand-values",
            of_values(1_000),
            "json_too_large",
        ),
        Case::valid("json/payload-64-members", of_members(64)),
        Case::denied(
            "json/payload-65-members",
            of_members(65),
            "json_too_many_members",
        ),
        Case::valid("json/payload-64-limits", limits(64)),
        Case::denied(
            "json/payload-65-limits",
            limits(65),
            "json_too_many_members",
        ),
    ]
}

fn zeros(count: usize) -> String {
    format!("[{}]", vec!["0"; count].join(","))
}

fn with_members(object: Object, count: usize) -> Object {
    (0..count).fold(object, |object, index| object.with(&format!("x{index}"), 0))
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
