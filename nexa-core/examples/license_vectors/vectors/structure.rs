//! Tokens that are not three canonical base64url segments.

use super::Case;
use super::mint::{Key, b64, claims, header};
use super::valid::token_of_length;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = segments();
    cases.extend(white_space());
    cases.extend(
        ["header", "payload"]
            .iter()
            .flat_map(|part| base64_of_signed(part)),
    );
    cases.extend(base64_of_signature());
    cases
}

fn segments() -> Vec<Case> {
    let token = claims().token();
    let (signed, signature) = token.rsplit_once('.').expect("a token has dots");
    let (head, payload) = signed.split_once('.').expect("a token has dots");
    let flattened =
        format!(r#"{{"protected":"{head}","payload":"{payload}","signature":"{signature}"}}"#);
    let general = format!(
        r#"{{"payload":"{payload}","signatures":[{{"protected":"{head}","signature":"{signature}"}}]}}"#
    );
    let three = "not_three_segments";
    let case =
        |name: &str, token: String, code| Case::denied(&format!("structure/{name}"), token, code);
    vec![
        case("empty", String::new(), three),
        case("one-segment", head.to_owned(), three),
        case("no-signature", signed.to_owned(), three),
        case("four-segments", format!("{token}.{signature}"), three),
        case("dot-at-the-end", format!("{token}."), three),
        case("dot-at-the-front", format!(".{token}"), three),
        case(
            "jwe",
            format!("{head}.{payload}.{payload}.{payload}.{signature}"),
            three,
        ),
        case("json-flattened", flattened, three),
        case("json-general", general, three),
        case("only-dots", "..".to_owned(), "json_syntax"),
        case(
            "empty-header",
            Key::issuing().sign("", &claims().text()),
            "json_syntax",
        ),
        case(
            "empty-payload",
            Key::issuing().sign(&header().text(), ""),
            "json_syntax",
        ),
        case("empty-signature", format!("{signed}."), "signature_length"),
        case(
            "one-byte-too-long",
            token_of_length(4_097),
            "token_too_long",
        ),
        case("too-long-and-no-token", "x".repeat(5_000), "token_too_long"),
        case(
            "too-long-wins-over-white-space",
            format!("{} ", token_of_length(4_096)),
            "token_too_long",
        ),
        case("in-quotes", format!("\"{token}\""), "base64_alphabet"),
        case("percent-encoded", token.replacen('.', "%2E", 1), three),
    ]
}

fn white_space() -> Vec<Case> {
    let token = claims().token();
    let in_middle = |space: &str| {
        let (front, back) = token.split_at(token.len() / 2);
        format!("{front}{space}{back}")
    };
    let case = |name: &str, token: String| {
        Case::denied(&format!("white-space/{name}"), token, "whitespace")
    };
    vec![
        case("before", format!(" {token}")),
        case("after", format!("{token} ")),
        case("line-feed-after", format!("{token}\n")),
        case("crlf-after", format!("{token}\r\n")),
        case("tab-before", format!("\t{token}")),
        case("space-inside", in_middle(" ")),
        case("line-feed-inside", in_middle("\n")),
        case("carriage-return-inside", in_middle("\r")),
        case("form-feed-inside", in_middle("\u{c}")),
        case("vertical-tab-inside", in_middle("\u{b}")),
        case("after-a-dot", token.replacen('.', ". ", 1)),
        case("bearer-prefix", format!("Bearer {token}")),
        Case::denied(
            "white-space/segments-are-counted-first",
            format!("{token}. "),
            "not_three_segments",
        ),
        Case::denied(
            "white-space/no-break-space",
            in_middle("\u{a0}"),
            "base64_alphabet",
        ),
    ]
}

/// The signature is made over the odd segments as they are: whoever reads them leniently finds it good.
fn base64_of_signed(part: &str) -> Vec<Case> {
    let is_header = part == "header";
    let sign = |segment: &str| match is_header {
        true => Key::issuing().sign_segments(segment, &b64(claims().text())),
        false => Key::issuing().sign_segments(&b64(header().text()), segment),
    };
    // Spaces at the end of the document bring its last character to the wanted position.
    let segment = |rest: usize| {
        let mut text = if is_header {
            header().text()
        } else {
            claims().text()
        };
        while text.len() % 3 != rest {
            text.push(' ');
        }
        b64(text)
    };
    let case = |name: &str, segment: String, code| {
        Case::denied(&format!("base64/{part}-{name}"), sign(&segment), code)
    };
    let spoilt = |with: &str| format!("{with}{}", segment(0).split_at(1).1);
    vec![
        case("padding-one", format!("{}=", segment(2)), "base64_padding"),
        case("padding-two", format!("{}==", segment(1)), "base64_padding"),
        case(
            "padding-needless",
            format!("{}====", segment(0)),
            "base64_padding",
        ),
        case("plus", spoilt("+"), "base64_alphabet"),
        case("slash", spoilt("/"), "base64_alphabet"),
        case("not-ascii", spoilt("é"), "base64_alphabet"),
        case("control-character", spoilt("\u{1}"), "base64_alphabet"),
        case("length", format!("{}A", segment(0)), "base64_length"),
        case(
            "two-loose-bits",
            with_loose_bit(&segment(2)),
            "base64_trailing_bits",
        ),
        case(
            "four-loose-bits",
            with_loose_bit(&segment(1)),
            "base64_trailing_bits",
        ),
    ]
}

fn base64_of_signature() -> Vec<Case> {
    let token = claims().token();
    let (signed, signature) = token.rsplit_once('.').expect("a token has dots");
    let case = |name: &str, signature: String, code| {
        Case::denied(
            &format!("base64/signature-{name}"),
            format!("{signed}.{signature}"),
            code,
        )
    };
    let spoilt = |with: &str| format!("{with}{}", signature.split_at(1).1);
    let both = format!("{}=.{signature}=", signed);
    vec![
        case("padding", format!("{signature}=="), "base64_padding"),
        case("plus", spoilt("+"), "base64_alphabet"),
        case("slash", spoilt("/"), "base64_alphabet"),
        case("not-ascii", spoilt("é"), "base64_alphabet"),
        case("length", format!("{signature}AAA"), "base64_length"),
        case(
            "loose-bits",
            with_loose_bit(signature),
            "base64_trailing_bits",
        ),
        Case::denied(
            "base64/leftmost-segment-is-named",
            both.replacen("ey", "+y", 1),
            "base64_alphabet",
        ),
    ]
}

/// The same bytes for a decoder that ignores the bits after the last byte.
fn with_loose_bit(segment: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut front = segment.to_owned();
    let last = front.pop().expect("a segment is not empty");
    let next = alphabet.chars().skip_while(|digit| *digit != last).nth(1);
    front.push(next.expect("a last character with loose bits is not the last of the alphabet"));
    front
}
