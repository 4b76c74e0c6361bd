//! Headers: algorithms, types, key ids, and members that may not be there.

use crate::dice::Dice;
use crate::licences::{self, Licence, STRANGE, trusted};
use crate::members;
use crate::mint::{Object, b64, quoted};

const ALGS: &[&str] = &[
    "none",
    "None",
    "NONE",
    "nOnE",
    "none ",
    "",
    "RS256",
    "ES256",
    "PS256",
    "HS256",
    "HS512",
    "Ed448",
    "ed25519",
    "ED25519",
    "eddsa",
    "EDDSA",
    "EdDSA ",
    " EdDSA",
    "EdDSA\0",
    "Ed25519ph",
    "ES256K",
    "ML-DSA-44",
    "dir",
    "A128KW",
];
const TYPS: &[&str] = &[
    "JWT",
    "jwt",
    "at+jwt",
    "LICENSE+JWT",
    "License+Jwt",
    "application/license+jwt",
    "license+jwt ",
    "license",
    "",
    "statuslist+jwt",
    "license+jwt\0",
    "license+jwt;a=b",
];
/// Names that mean something to readers of tokens, and what an attacker would put there.
const FOREIGN: &[(&str, &str)] = &[
    ("crit", "[]"),
    ("crit", r#"["exp"]"#),
    ("crit", r#"["b64"]"#),
    ("crit", "null"),
    ("b64", "true"),
    ("b64", "false"),
    ("jku", "\"https://attacker.example/keys\""),
    ("x5u", "\"https://attacker.example/keys\""),
    ("x5c", r#"["MIIB"]"#),
    ("zip", "\"DEF\""),
    ("cty", "\"JWT\""),
    ("enc", "\"A128GCM\""),
    ("x5t", "\"AA\""),
    ("iss", "\"https://attacker.example\""),
    ("exp", "1"),
    ("", "1"),
    ("__proto__", r#"{"alg":"none"}"#),
    ("constructor", "1"),
    ("x5t#S256", "\"AA\""),
    ("epk", "{}"),
];

pub(crate) fn change(dice: &mut Dice, licence: &mut Licence) -> &'static str {
    let header = std::mem::replace(&mut licence.header, Object(Vec::new()));
    let (what, header) = match dice.below(12) {
        0 | 1 => ("alg", header.with("alg", quoted(dice.pick(ALGS)))),
        2 => ("typ", header.with("typ", quoted(dice.pick(TYPS)))),
        3 => ("kid", header.with("kid", kid(dice, licence))),
        4 | 5 => {
            let (name, value) = dice.pick(FOREIGN);
            ("foreign", header.with(name, value))
        }
        6 => by_own_key(licence, header),
        _ => members::change(dice, header),
    };
    licence.header = header;
    what
}

/// The attacker's own key in the header, and a signature that fits it.
fn by_own_key(licence: &mut Licence, header: Object) -> (&'static str, Object) {
    licence.signer = STRANGE;
    let jwk = licences::key(STRANGE).key.jwk();
    ("own-key", header.with("jwk", jwk))
}

fn kid(dice: &mut Dice, licence: &Licence) -> String {
    let own = &licences::key(licence.signer).kid;
    let text = match dice.below(10) {
        // Of another key that is trusted, or of none.
        0 | 1 => licences::key(dice.pick(trusted(licence.keys))).kid.clone(),
        2 => licences::key(STRANGE).kid.clone(),
        3 => String::new(),
        4 => format!("{own}="),
        5 => own.to_lowercase(),
        6 => own.chars().take(42).collect(),
        7 => "k".repeat(dice.below(1_500)),
        8 => b64(dice.bytes::<32>()),
        _ => dice
            .pick(&["0", "*", "../../../dev/null", "' OR 1=1 --", "__proto__"])
            .to_string(),
    };
    quoted(&text)
}
