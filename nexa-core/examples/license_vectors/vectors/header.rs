//! Headers that are anything but `alg`, `typ` and `kid` as they should be.

use sha2::{Digest, Sha256};

use super::Case;
use super::mint::{Key, Object, b64, claims, header, jwks, quoted};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = algorithms();
    cases.extend(hmac_with_public_key());
    cases.extend(foreign_members());
    cases.extend(types());
    cases.extend(key_ids());
    cases.extend(precedence());
    cases
}

fn algorithms() -> Vec<Case> {
    let not_allowed = "alg_not_allowed";
    let mut cases: Vec<Case> = [
        ("none", "none", "alg_none"),
        ("none-title-case", "None", "alg_none"),
        ("none-upper-case", "NONE", "alg_none"),
        ("none-mixed-case", "nOnE", "alg_none"),
        ("none-with-space", "none ", not_allowed),
        ("empty", "", not_allowed),
        ("rs256", "RS256", not_allowed),
        ("rs512", "RS512", not_allowed),
        ("es256", "ES256", not_allowed),
        ("es256k", "ES256K", not_allowed),
        ("ps256", "PS256", not_allowed),
        ("hs512", "HS512", not_allowed),
        ("ed448", "Ed448", not_allowed),
        ("ed25519ph", "Ed25519ph", not_allowed),
        ("eddsa-lower-case", "eddsa", not_allowed),
        ("ed25519-lower-case", "ed25519", not_allowed),
        ("eddsa-with-space", "EdDSA ", not_allowed),
        ("eddsa-with-nul", "EdDSA\0", not_allowed),
        ("dir", "dir", not_allowed),
    ]
    .map(|(name, alg, code)| {
        case(
            &format!("alg/{name}"),
            header().with("alg", quoted(alg)),
            code,
        )
    })
    .into();
    cases.extend(
        [
            ("null", "null"),
            ("number", "1"),
            ("array", r#"["EdDSA"]"#),
            ("object", r#"{"alg":"EdDSA"}"#),
            ("true", "true"),
        ]
        .map(|(name, json)| {
            case(
                &format!("alg/{name}"),
                header().with("alg", json),
                "alg_type",
            )
        }),
    );
    let unsigned = format!(
        "{}.{}.",
        b64(header().with("alg", "\"none\"").text()),
        b64(claims().text())
    );
    cases.push(case("alg/missing", header().without("alg"), "alg_missing"));
    cases.push(case(
        "alg/in-another-case",
        header().without("alg").with("Alg", "\"EdDSA\""),
        "alg_missing",
    ));
    cases.push(Case::denied(
        "alg/none-without-signature",
        unsigned,
        "alg_none",
    ));
    cases
}

/// The classic confusion: what is public becomes the secret of an HMAC.
fn hmac_with_public_key() -> Vec<Case> {
    let issuing = Key::issuing();
    let secrets: [(&str, Vec<u8>); 3] = [
        ("bytes", issuing.public().to_vec()),
        ("base64url", b64(issuing.public()).into_bytes()),
        ("jwks", jwks(&[issuing.jwk()]).into_bytes()),
    ];
    secrets
        .iter()
        .map(|(name, secret)| {
            let signed = format!(
                "{}.{}",
                b64(header().with("alg", "\"HS256\"").text()),
                b64(claims().text())
            );
            let token = format!("{signed}.{}", b64(hmac(secret, &signed)));
            Case::denied(
                &format!("alg/hs256-secret-is-public-key-{name}"),
                token,
                "alg_not_allowed",
            )
        })
        .collect()
}

fn foreign_members() -> Vec<Case> {
    let stranger = Key::strange();
    let jwk = stranger.jwk();
    let url = "\"https://attacker.example/keys\"";
    let mut cases: Vec<Case> = [
        ("crit-exp", "crit", r#"["exp"]"#, "header_crit"),
        ("crit-unknown", "crit", r#"["nexa"]"#, "header_crit"),
        ("crit-empty", "crit", "[]", "header_crit"),
        ("crit-null", "crit", "null", "header_crit"),
        ("b64-false", "b64", "false", "header_b64"),
        ("b64-true", "b64", "true", "header_b64"),
        ("jku", "jku", url, "header_jku"),
        ("x5u", "x5u", url, "header_x5u"),
        ("x5c", "x5c", r#"["MIIB"]"#, "header_x5c"),
        ("zip", "zip", "\"DEF\"", "header_zip"),
        ("cty", "cty", "\"JWT\"", "header_unknown_member"),
        ("x5t", "x5t", "\"AA\"", "header_unknown_member"),
        ("epk", "epk", "{}", "header_unknown_member"),
        ("exp", "exp", "1", "header_unknown_member"),
        ("empty-name", "", "1", "header_unknown_member"),
        ("escaped-crit", r"cr\u0069t", "[]", "header_crit"),
    ]
    .map(|(name, member, json, code)| {
        case(&format!("header/{name}"), header().with(member, json), code)
    })
    .into();
    // The attacker's own key, with a signature that fits it.
    let by_stranger = |header: Object| stranger.sign(&header.text(), &claims().text());
    cases.push(Case::denied(
        "header/jwk-of-the-signer",
        by_stranger(header().with("jwk", &jwk)),
        "header_jwk",
    ));
    cases.push(Case::denied(
        "header/jwk-and-its-kid",
        by_stranger(
            header()
                .with("kid", quoted(&stranger.kid()))
                .with("jwk", &jwk),
        ),
        "header_jwk",
    ));
    cases
}

fn types() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("jwt", "JWT"),
        ("access-token", "at+jwt"),
        ("upper-case", "LICENSE+JWT"),
        ("media-type", "application/license+jwt"),
        ("empty", ""),
        ("prefix", "license"),
        ("status-list", "statuslist+jwt"),
        ("space", "license+jwt "),
    ]
    .map(|(name, typ)| {
        case(
            &format!("typ/{name}"),
            header().with("typ", quoted(typ)),
            "typ_wrong",
        )
    })
    .into();
    cases.push(case("typ/missing", header().without("typ"), "typ_missing"));
    cases.push(case("typ/null", header().with("typ", "null"), "typ_type"));
    cases.push(case(
        "typ/array",
        header().with("typ", r#"["license+jwt"]"#),
        "typ_type",
    ));
    cases
}

fn key_ids() -> Vec<Case> {
    let (issuing, stranger) = (Key::issuing(), Key::strange());
    let kid = issuing.kid();
    let other_case: String = kid
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let mut cases: Vec<Case> = [
        ("empty", ""),
        ("shortened", kid.split_at(42).0),
        ("padded", &format!("{kid}=")),
        ("in-another-case", &other_case),
        ("sql", "' OR 1=1 --"),
        ("path", "../../../dev/null"),
        ("huge", &"k".repeat(400)),
        ("star", "*"),
    ]
    .map(|(name, kid)| {
        case(
            &format!("kid/{name}"),
            header().with("kid", quoted(kid)),
            "unknown_key",
        )
    })
    .into();
    cases.push(case(
        "kid/beyond-the-header",
        header().with("kid", quoted(&"k".repeat(1_500))),
        "json_too_large",
    ));
    let of_stranger = header().with("kid", quoted(&stranger.kid())).text();
    cases.push(Case::denied(
        "kid/of-a-strange-key",
        stranger.sign(&of_stranger, &claims().text()),
        "unknown_key",
    ));
    cases.push(
        Case::denied("kid/rotated-out", claims().token(), "unknown_key")
            .keys(jwks(&[Key::new(2).jwk(), Key::new(3).jwk()])),
    );
    cases.push(case("kid/missing", header().without("kid"), "kid_missing"));
    cases.push(case("kid/null", header().with("kid", "null"), "kid_type"));
    cases.push(case("kid/number", header().with("kid", "0"), "kid_type"));
    cases.push(case(
        "kid/array",
        header().with("kid", format!("[{}]", quoted(&kid))),
        "kid_type",
    ));
    cases
}

/// Several rules broken at once: the order of the answers is part of the contract.
fn precedence() -> Vec<Case> {
    let unsigned_garbage = format!("{}.{}.AAAA", b64(header().text()), b64("{\"iss\":"));
    vec![
        case(
            "order/alg-before-foreign-members",
            header().with("alg", "\"none\"").with("crit", "[]"),
            "alg_none",
        ),
        case(
            "order/crit-before-jwk",
            header().with("jwk", "{}").with("crit", "[]"),
            "header_crit",
        ),
        case(
            "order/named-members-before-unknown",
            header().with("abc", "1").with("zip", "1"),
            "header_zip",
        ),
        case(
            "order/foreign-members-before-typ",
            header().without("typ").with("abc", "1"),
            "header_unknown_member",
        ),
        case(
            "order/typ-before-kid",
            header().with("typ", "\"JWT\"").with("kid", "\"other\""),
            "typ_wrong",
        ),
        Case::denied(
            "order/signature-before-payload",
            unsigned_garbage,
            "signature_length",
        ),
        case(
            "order/kid-before-claims",
            header().with("kid", "\"other\""),
            "unknown_key",
        )
        .at(1),
    ]
}

fn case(name: &str, header: Object, code: &'static str) -> Case {
    Case::denied(
        name,
        Key::issuing().sign(&header.text(), &claims().text()),
        code,
    )
}

/// HMAC-SHA-256, RFC 2104.
fn hmac(secret: &[u8], message: &str) -> Vec<u8> {
    let mut key = if secret.len() > 64 {
        Sha256::digest(secret).to_vec()
    } else {
        secret.to_vec()
    };
    key.resize(64, 0);
    let pad = |byte: u8| key.iter().map(|key| key ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), message.as_bytes().to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}
