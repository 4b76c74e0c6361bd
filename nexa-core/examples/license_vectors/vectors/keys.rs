//! Key sets that must be refused when they are loaded, whatever the token; and the largest that are read.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;

use super::Case;
use super::mint::{Key, b64, claims, header, jwk, jwks, kid, quoted};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = weak();
    cases.extend(not_canonical());
    cases.extend(members());
    cases.extend(documents());
    cases.extend(secrets());
    cases.extend(edges());
    cases
}

/// With a key of small order, S = 0 and R = 0 make a signature that fits one message in eight or more.
fn weak() -> Vec<Case> {
    let neutral = [[1_u8].as_slice(), &[0; 63]].concat();
    EIGHT_TORSION
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let public = point.compress().to_bytes();
            let head = header().with("kid", quoted(&kid(&public))).text();
            let token = format!("{}.{}.{}", b64(head), b64(claims().text()), b64(&neutral));
            Case::denied(&format!("keys/small-order-{index}"), token, CODE)
                .keys(jwks(&[jwk(&public)]))
        })
        .collect()
}

fn not_canonical() -> Vec<Case> {
    // The field's order is 2^255 − 19, so y from 0 to 18 can be written with 2^255 − 19 added.
    let past_field = |y: u8| {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xed + y;
        bytes[31] = 0x7f;
        bytes
    };
    let is_point = |bytes: &[u8; 32]| CompressedEdwardsY(*bytes).decompress().is_some();
    let second_spelling = (2..19)
        .map(past_field)
        .find(is_point)
        .expect("half of the y are on the curve");
    let off_curve = (2..19)
        .map(|y| [[y].as_slice(), &[0; 31]].concat())
        .find_map(|bytes| {
            let bytes: [u8; 32] = bytes.try_into().ok()?;
            (!is_point(&bytes)).then_some(bytes)
        });
    vec![
        refused("second-spelling", jwks(&[jwk(&second_spelling)])),
        refused(
            "not-on-the-curve",
            jwks(&[jwk(&off_curve.expect("half of the y are not on the curve"))]),
        ),
        refused(
            "second-spelling-beside-a-good-key",
            jwks(&[Key::issuing().jwk(), jwk(&second_spelling)]),
        ),
    ]
}

fn members() -> Vec<Case> {
    let good = Key::issuing().jwk();
    let x = b64(Key::issuing().public());
    let with = |member: &str| format!("{},{member}}}", good.trim_end_matches('}'));
    let with_x = |x: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    [
        ("private", with(&format!(r#""d":"{x}""#))),
        (
            "for-encryption",
            good.replace(r#""use":"sig""#, r#""use":"enc""#),
        ),
        ("for-another-algorithm", good.replace("EdDSA", "ES256")),
        ("alg-number", good.replace("\"EdDSA\"", "1")),
        ("for-signing-only", with(r#""key_ops":["sign"]"#)),
        ("key-ops-string", with(r#""key_ops":"verify""#)),
        (
            "kid-of-another-key",
            good.replace(&Key::issuing().kid(), &Key::new(2).kid()),
        ),
        (
            "kid-number",
            good.replace(&quoted(&Key::issuing().kid()), "1"),
        ),
        ("x-missing", r#"{"kty":"OKP","crv":"Ed25519"}"#.to_owned()),
        (
            "x-number",
            r#"{"kty":"OKP","crv":"Ed25519","x":1}"#.to_owned(),
        ),
        ("x-empty", with_x("")),
        ("x-of-31-bytes", with_x(&b64([7; 31]))),
        ("x-of-33-bytes", with_x(&b64([7; 33]))),
        ("x-padded", with_x(&format!("{x}="))),
        (
            "x-standard-alphabet",
            with_x(&x.replacen(|c: char| c.is_ascii_alphabetic(), "+", 1)),
        ),
        ("kty-missing", format!(r#"{{"crv":"Ed25519","x":"{x}"}}"#)),
        ("crv-missing", format!(r#"{{"kty":"OKP","x":"{x}"}}"#)),
        ("duplicate-member", with(&format!(r#""x":"{x}""#))),
        (
            "duplicate-member-escaped",
            with(&format!(r#""\u0078":"{x}""#)),
        ),
    ]
    .map(|(name, jwk)| refused(name, jwks(&[jwk])))
    .into()
}

fn documents() -> Vec<Case> {
    let good = Key::issuing().jwk();
    let seventeen: Vec<String> = (1..18).map(|seed| Key::new(seed).jwk()).collect();
    [
        ("none", jwks(&[])),
        (
            "foreign-only",
            jwks(&[r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned()]),
        ),
        ("seventeen", jwks(&seventeen)),
        ("twice", jwks(&[good.clone(), good.clone()])),
        ("no-array", format!(r#"{{"keys":{good}}}"#)),
        (
            "set-and-key",
            format!(r#"{},"keys":[{good}]}}"#, good.trim_end_matches('}')),
        ),
        (
            "set-with-a-type",
            format!(r#"{{"keys":[{good}],"kty":"OKP"}}"#),
        ),
        ("array-of-texts", r#"{"keys":["key"]}"#.to_owned()),
        ("bare-array", format!("[{good}]")),
        ("empty-document", String::new()),
        ("null", "null".to_owned()),
        ("bom", format!("\u{feff}{good}")),
        ("trailing-data", format!("{good}{good}")),
        ("comment", format!("{good}// key")),
    ]
    .map(|(name, keys)| refused(name, keys))
    .into()
}

/// A secret has no business in a verifier's key set, in a key that is skipped for its type either.
fn secrets() -> Vec<Case> {
    let good = Key::issuing().jwk();
    let x = b64(Key::issuing().public());
    [
        (
            "rsa",
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}"#.to_owned(),
        ),
        (
            "x25519",
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}","d":"{x}"}}"#),
        ),
        ("hmac", r#"{"kty":"oct","k":"AAAA"}"#.to_owned()),
        ("of-no-type", format!(r#"{{"d":"{x}"}}"#)),
    ]
    .map(|(name, jwk)| refused(&format!("secret-{name}"), jwks(&[good.clone(), jwk])))
    .into()
}

/// A document has at most 8,192 bytes, 512 values (names are values too) and 64 members in an object.
fn edges() -> Vec<Case> {
    let good = Key::issuing().jwk();
    let with = |members: &str| format!("{}{members}}}", good.trim_end_matches('}'));
    let of_bytes = |count: usize| format!("{good:count$}");
    // The object, six names and their values, one more name and its array: 15. The rest are elements.
    let of_values =
        |count: usize| with(&format!(r#","more":[{}]"#, vec!["0"; count - 15].join(",")));
    let of_members = |count: usize| {
        with(
            &(6..count)
                .map(|n| format!(r#","x{n}":0"#))
                .collect::<String>(),
        )
    };
    let read = |name: &str, keys: String| {
        Case::valid(&format!("keys/{name}"), claims().token()).keys(keys)
    };
    vec![
        read("8192-bytes", of_bytes(8_192)),
        refused("8193-bytes", of_bytes(8_193)),
        read("512-values", of_values(512)),
        refused("513-values", of_values(513)),
        read("64-members", of_members(64)),
        refused("65-members", of_members(65)),
    ]
}

const CODE: &str = "key_set_refused";

fn refused(name: &str, keys: String) -> Case {
    Case::denied(&format!("keys/{name}"), claims().token(), CODE).keys(keys)
}
