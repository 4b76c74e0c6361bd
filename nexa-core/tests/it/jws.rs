//! Structure, base64url, header, key, signature: what is refused before the payload is looked at.
use nexa_core::{
    DeviceExpectation, KeySet, LicenseExpectations, Scratch, UnixSeconds, check_license,
};

use crate::forge::{AUDIENCE, Forge, ISSUER, NOW, at, encode};

#[test]
fn structure() {
    let forge = Forge::new(1);
    let good = forge.license();
    assert_eq!(forge.code_of(&good), "valid");
    let (header, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    for (token, code) in [
        (String::new(), "not_three_segments"),
        ("x".repeat(4096), "not_three_segments"),
        ("x".repeat(4097), "token_too_long"),
        (format!("{good}{}", " ".repeat(4096)), "token_too_long"),
        (format!("{header}.{payload}"), "not_three_segments"),
        (format!("{good}."), "not_three_segments"),
        (format!(".{good}"), "not_three_segments"),
        (format!("{good}.a.b"), "not_three_segments"),
        ("a.b.c.d.e".to_owned(), "not_three_segments"),
        (
            format!(
                r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#
            ),
            "not_three_segments",
        ),
        (format!(" {good}"), "whitespace"),
        (format!("{good}\n"), "whitespace"),
        (format!("{good}\r\n"), "whitespace"),
        (format!("{header}.\t{payload}.{signature}"), "whitespace"),
        (format!("{header}.{payload}.\u{b}{signature}"), "whitespace"),
        (format!("{header}.{payload}.{signature}\u{c}"), "whitespace"),
        (format!("{good}\u{a0}"), "base64_alphabet"),
        (format!("{good}\0"), "base64_alphabet"),
        ("..".to_owned(), "json_syntax"),
        (format!(".{payload}.{signature}"), "json_syntax"),
        (format!("{header}..{signature}"), "signature_wrong"),
        (format!("{header}.{payload}."), "signature_length"),
    ] {
        assert_eq!(forge.code_of(&token), code, "{token:?}");
    }
}

#[test]
fn a_token_of_exactly_4096_bytes_is_read() {
    let forge = Forge::new(1);
    let mut claims = forge.license_claims();
    let mut longest = 0;
    for length in 2_000..2_600 {
        claims["padding"] = "x".repeat(length).into();
        let token = forge.sign(forge.header("license+jwt"), claims.to_string());
        let code = if token.len() > 4096 {
            "token_too_long"
        } else {
            "valid"
        };
        assert_eq!(forge.code_of(&token), code, "{} bytes", token.len());
        if token.len() <= 4096 {
            longest = token.len();
        }
    }
    assert_eq!(longest, 4096);
}

#[test]
fn base64url_in_each_part() {
    let forge = Forge::new(1);
    let good = forge.license();
    let segments: Vec<&str> = good.split('.').collect();
    for part in 0..3 {
        for (change, code) in [
            (
                &(|s: &str| format!("{s}=")) as &dyn Fn(&str) -> String,
                "base64_padding",
            ),
            (&|s| format!("{s}=="), "base64_padding"),
            (&|s| format!("+{}", &s[1..]), "base64_alphabet"),
            (&|s| format!("/{}", &s[1..]), "base64_alphabet"),
            (&|s| format!("{}é", &s[2..]), "base64_alphabet"),
            (&|s| s[..s.len() / 4 * 4 - 3].to_owned(), "base64_length"),
            (
                &|s| format!("{}B", &s[..s.len() / 4 * 4 - 3]),
                "base64_trailing_bits",
            ),
            (
                &|s| format!("{}AB", &s[..s.len() / 4 * 4 - 3]),
                "base64_trailing_bits",
            ),
        ] {
            let mut changed: Vec<String> = segments.iter().map(|s| (*s).to_owned()).collect();
            changed[part] = change(segments[part]);
            let token = changed.join(".");
            assert_eq!(forge.code_of(&token), code, "{token}");
        }
    }
}

#[test]
fn headers() {
    let forge = Forge::new(1);
    let claims = forge.license_claims().to_string();
    let kid = forge.key.kid();
    let check = |header: String, code: &str| {
        assert_eq!(
            forge.code_of(forge.sign(&header, &claims)),
            code,
            "{header}"
        );
    };
    let with_alg = |alg: &str| format!(r#"{{"alg":{alg},"typ":"license+jwt","kid":"{kid}"}}"#);
    for (alg, code) in [
        (r#""EdDSA""#, "valid"),
        (r#""Ed25519""#, "valid"),
        (r#""\u0045dDSA""#, "valid"),
        (r#""none""#, "alg_none"),
        (r#""None""#, "alg_none"),
        (r#""NONE""#, "alg_none"),
        (r#""nOnE""#, "alg_none"),
        (r#""n\u006fne""#, "alg_none"),
        (r#""none ""#, "alg_not_allowed"),
        (r#""""#, "alg_not_allowed"),
        (r#""HS256""#, "alg_not_allowed"),
        (r#""HS512""#, "alg_not_allowed"),
        (r#""RS256""#, "alg_not_allowed"),
        (r#""ES256""#, "alg_not_allowed"),
        (r#""PS256""#, "alg_not_allowed"),
        (r#""Ed448""#, "alg_not_allowed"),
        (r#""eddsa""#, "alg_not_allowed"),
        (r#""EDDSA""#, "alg_not_allowed"),
        ("null", "alg_type"),
        ("1", "alg_type"),
        (r#"["EdDSA"]"#, "alg_type"),
        ("{}", "alg_type"),
    ] {
        check(with_alg(alg), code);
    }
    let with =
        |member: &str| format!(r#"{{"alg":"EdDSA","typ":"license+jwt","kid":"{kid}",{member}}}"#);
    for (member, code) in [
        (r#""crit":["exp"]"#, "header_crit"),
        (r#""crit":[]"#, "header_crit"),
        (r#""cr\u0069t":[]"#, "header_crit"),
        (r#""b64":false"#, "header_b64"),
        (r#""b64":true"#, "header_b64"),
        (r#""jwk":{"kty":"OKP"}"#, "header_jwk"),
        (r#""jku":"https://attacker.example""#, "header_jku"),
        (r#""x5c":["MIIB"]"#, "header_x5c"),
        (r#""x5u":"https://attacker.example""#, "header_x5u"),
        (r#""zip":"DEF""#, "header_zip"),
        (r#""cty":"JWT""#, "header_unknown_member"),
        (r#""x5t":"AAAA""#, "header_unknown_member"),
        (r#""Kid":"x""#, "header_unknown_member"),
        (r#""":0"#, "header_unknown_member"),
        (
            r#""other":1,"zip":0,"x5u":0,"x5c":0,"jku":0,"jwk":0,"b64":0,"crit":0"#,
            "header_crit",
        ),
        (r#""other":1,"zip":0"#, "header_zip"),
        (r#""kid":"x""#, "json_duplicate_member"),
        (r#""k\u0069d":"x""#, "json_duplicate_member"),
        (r#""alg":"none""#, "json_duplicate_member"),
    ] {
        check(with(member), code);
    }
    for (header, code) in [
        (
            format!(r#"{{"typ":"license+jwt","kid":"{kid}"}}"#),
            "alg_missing",
        ),
        (format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#), "typ_missing"),
        (
            format!(r#"{{"alg":"EdDSA","typ":1,"kid":"{kid}"}}"#),
            "typ_type",
        ),
        (forge.header("at+jwt"), "typ_wrong"),
        (forge.header("JWT"), "typ_wrong"),
        (forge.header("License+JWT"), "typ_wrong"),
        (forge.header("application/license+jwt"), "typ_wrong"),
        (forge.header("license+jwt "), "typ_wrong"),
        (forge.header(""), "typ_wrong"),
        (
            r#"{"alg":"EdDSA","typ":"license+jwt"}"#.to_owned(),
            "kid_missing",
        ),
        (
            r#"{"alg":"EdDSA","typ":"license+jwt","kid":7}"#.to_owned(),
            "kid_type",
        ),
        (
            r#"{"alg":"EdDSA","typ":"license+jwt","kid":null}"#.to_owned(),
            "kid_type",
        ),
        (
            r#"{"alg":"EdDSA","typ":"license+jwt","kid":""}"#.to_owned(),
            "unknown_key",
        ),
        (
            r#"{"alg":"EdDSA","typ":"license+jwt","kid":"' OR 1=1 --"}"#.to_owned(),
            "unknown_key",
        ),
        (
            format!(
                r#"{{"alg":"EdDSA","typ":"license+jwt","kid":"{}"}}"#,
                "k".repeat(400)
            ),
            "unknown_key",
        ),
        (
            format!(
                r#"{{"alg":"EdDSA","typ":"license+jwt","kid":"{}"}}"#,
                &kid[..42]
            ),
            "unknown_key",
        ),
        (
            format!(r#" {{ "kid" : "{kid}", "typ":"license+jwt" , "alg":"EdDSA" }} "#),
            "valid",
        ),
        ("[]".to_owned(), "json_not_object"),
        ("null".to_owned(), "json_not_object"),
        (r#""EdDSA""#.to_owned(), "json_not_object"),
        ("{".to_owned(), "json_syntax"),
        (
            format!("{}{{}}", forge.header("license+jwt")),
            "json_trailing_data",
        ),
        (
            format!("\u{feff}{}", forge.header("license+jwt")),
            "json_bom",
        ),
        (
            format!(
                "{{{}}}",
                (0..17)
                    .map(|n| format!("\"{n}\":0"))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            "json_too_many_members",
        ),
    ] {
        check(header, code);
    }
    // Headers of strangers are held to 512 bytes and 64 values.
    let longest = format!("{:512}", forge.header("license+jwt"));
    check(longest.clone(), "valid");
    check(format!("{longest} "), "json_too_large");
    // Object, three names, three values; `x` and its array; elements.
    let values = |count: usize| with(&format!("\"x\":[{}0]", "0,".repeat(count - 10)));
    check(values(64), "header_unknown_member");
    check(values(65), "json_too_large");
    let members = |count: usize| {
        let more: Vec<_> = (3..count).map(|n| format!("\"{n}\":0")).collect();
        with(&more.join(","))
    };
    check(members(16), "header_unknown_member");
    check(members(17), "json_too_many_members");
    assert_eq!(
        forge.code_of(forge.sign(b"{\"alg\":\"\xff\"}", &claims)),
        "json_utf8"
    );
}

#[test]
fn signatures() {
    let forge = Forge::new(1);
    let good = forge.license();
    let signed = good.rsplit_once('.').unwrap().0;
    let signature: [u8; 64] = {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(good.rsplit_once('.').unwrap().1)
            .unwrap()
            .try_into()
            .unwrap()
    };
    let check = |signature: &[u8], code: &str| {
        let token = format!("{signed}.{}", encode(signature));
        assert_eq!(forge.code_of(&token), code, "{token}");
    };
    check(&signature, "valid");
    check(&[], "signature_length");
    check(&signature[..63], "signature_length");
    check(&[&signature[..], &[0]].concat(), "signature_length");
    check(
        &[&signature[..], &signature[..]].concat(),
        "signature_length",
    );
    check(&[0; 64], "signature_small_order");
    check(&[0xff; 64], "signature_scalar_range");
    let mut swapped = signature;
    swapped.rotate_left(32);
    assert_ne!(
        forge.code_of(format!("{signed}.{}", encode(swapped))),
        "valid"
    );

    // S + L is the same scalar in a second spelling.
    let mut plus_order = signature;
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10_u8,
    ];
    let mut carry = 0;
    for (byte, order) in plus_order[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    check(&plus_order, "signature_scalar_range");

    let other = Forge::new(2);
    assert_eq!(other.code_of(&good), "unknown_key");
    let claims = forge.license_claims().to_string();
    assert_eq!(
        forge.code_of(other.sign(forge.header("license+jwt"), claims)),
        "signature_wrong"
    );
}

#[test]
fn hmac_with_the_public_key_is_refused_whatever_it_signs() {
    let forge = Forge::new(1);
    let header = format!(
        r#"{{"alg":"HS256","typ":"license+jwt","kid":"{}"}}"#,
        forge.key.kid()
    );
    for length in [32, 64] {
        let token = format!(
            "{}.{}.{}",
            encode(&header),
            encode(forge.license_claims().to_string()),
            encode(vec![7; length])
        );
        assert_eq!(forge.code_of(&token), "alg_not_allowed");
    }
}

/// Each token breaks all rules from its own on; the first in the documented order wins.
#[test]
fn the_earliest_rule_wins() {
    let forge = Forge::new(1);
    let bad_json = encode("{");
    let bad_header = encode(r#"{"alg":"none"}"#);
    let unknown = encode(r#"{"alg":"EdDSA","typ":"license+jwt","kid":"?"}"#);
    let known = encode(forge.header("license+jwt"));
    let bad_signature = encode([0; 64]);
    for (token, code) in [
        (format!("{} .=.=.=", "x".repeat(4096)), "token_too_long"),
        (" .=.=.=".to_owned(), "not_three_segments"),
        (" =.=.=".to_owned(), "whitespace"),
        ("a=.+.AB".to_owned(), "base64_padding"),
        (format!("{bad_json}.+.A="), "base64_alphabet"),
        (format!("{bad_json}.{bad_json}.A="), "base64_padding"),
        (format!("{bad_json}.{bad_json}."), "json_syntax"),
        (format!("{bad_header}.{bad_json}."), "alg_none"),
        (format!("{unknown}.{bad_json}."), "unknown_key"),
        (format!("{known}.{bad_json}."), "signature_length"),
        (
            format!("{known}.{bad_json}.{bad_signature}"),
            "signature_small_order",
        ),
        (forge.sign(forge.header("license+jwt"), "{"), "json_syntax"),
        (
            forge.sign(forge.header("license+jwt"), r#"{"exp":"0"}"#),
            "iss_missing",
        ),
    ] {
        assert_eq!(forge.code_of(&token), code, "{token}");
    }
}

#[test]
fn a_key_set_with_several_keys_finds_each() {
    let forges = [Forge::new(1), Forge::new(2), Forge::new(3)];
    let keys = KeySet::from_keys(&forges.each_ref().map(Forge::verification_key)).unwrap();
    let expect = LicenseExpectations::new(ISSUER, AUDIENCE, DeviceExpectation::NotChecked);
    let mut scratch = Scratch::new();
    for forge in &forges {
        let token = forge.license();
        let report = check_license(&keys, &expect, at(NOW), token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict().code(), "valid");
        assert_eq!(report.license().unwrap().claims().kid(), forge.key.kid());
    }
    let stranger = Forge::new(4).license();
    let report = check_license(
        &keys,
        &expect,
        UnixSeconds::MAX,
        stranger.as_bytes(),
        &mut scratch,
    );
    assert_eq!(report.verdict().code(), "unknown_key");
    assert!(report.license().is_none());
}
