//! Keys and key sets: what is loaded, what is refused and where.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer;
use nexa_core::{KeySet, SignatureError, VerificationKey};
use proptest::prelude::*;
use rand_core::Rng;

use crate::seeded::Seeded;

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn load(document: &str) -> Result<Vec<String>, String> {
    match KeySet::from_jwks(document.as_bytes()) {
        Ok(keys) => Ok(keys.iter().map(|key| key.kid().to_owned()).collect()),
        Err(error) => Err(format!("{:?} {:?}", error.index, error.problem)),
    }
}

/// A JWK of the RFC's key with `members` besides.
fn jwk(members: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{members}}}"#)
}

fn key(seed: u64) -> VerificationKey {
    let mut bytes = [0; 32];
    Seeded::new(seed).fill_bytes(&mut bytes);
    let public = ed25519_dalek::SigningKey::from_bytes(&bytes).verifying_key();
    VerificationKey::from_bytes(&public.to_bytes()).expect("a good key")
}

fn set_of(keys: &[VerificationKey]) -> String {
    let jwks: Vec<_> = keys
        .iter()
        .map(|key| jwk("").replace(X, &encode(key.to_bytes())))
        .collect();
    format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// RFC 8037, appendices A.1 to A.5: key, thumbprint, signature.
#[test]
fn the_example_of_rfc_8037() {
    let keys = KeySet::from_jwks(jwk("").as_bytes()).unwrap();
    let key = keys.find(KID).unwrap();
    assert_eq!(encode(key.to_bytes()), X);
    let seed = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    let signer = ed25519_dalek::SigningKey::from_bytes(&seed);
    let signed = format!(
        "{}.{}",
        encode(r#"{"alg":"EdDSA"}"#),
        encode("Example of Ed25519 signing")
    );
    assert_eq!(
        signed,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    );
    let signature = signer.sign(signed.as_bytes()).to_bytes();
    assert_eq!(
        encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert_eq!(key.verify(signed.as_bytes(), &signature), Ok(()));
    assert_eq!(
        key.verify(b"other", &signature),
        Err(SignatureError::Mismatch)
    );
    assert_eq!(
        key.verify(b"", &signature[1..]),
        Err(SignatureError::Length { bytes: 63 })
    );
}

#[test]
fn documents_that_are_read() {
    let kid = || Ok(vec![KID.to_owned()]);
    for document in [
        jwk(""),
        jwk(&format!(r#","kid":"{KID}","use":"sig","alg":"EdDSA""#)),
        jwk(r#","alg":"Ed25519","key_ops":["verify"]"#),
        jwk(r#","key_ops":["sign","verify"],"unknown":{"a":[1]}"#),
        format!(r#"{{"keys":[{}]}}"#, jwk("")),
        format!(r#" {{ "keys" : [ {} ] , "more": null }} "#, jwk("")),
        format!(
            r#"{{"keys":[{{"kty":"RSA","n":"AQAB","e":"AQAB"}},{},{{"kty":"OKP","crv":"X25519","x":"{X}"}}]}}"#,
            jwk("")
        ),
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed448","x":"AA"}},{}]}}"#,
            jwk("")
        ),
        jwk("").replace("kty", r"\u006bty"),
        format!("{:8192}", jwk("")),
        // Object, three members, one more with its array: nine values, and 503 elements.
        jwk(&format!(r#","more":[{}0]"#, "0,".repeat(502))),
        jwk(&(3..64).map(|n| format!(",\"{n}\":0")).collect::<String>()),
    ] {
        assert_eq!(load(&document), kid(), "{document}");
    }
}

#[test]
fn documents_that_are_refused() {
    let set = |keys: &str| format!(r#"{{"keys":[{keys}]}}"#);
    let member =
        |index: Option<usize>, name: &str| format!("{index:?} Member {{ name: {name:?} }}");
    let weak = encode([0; 32]);
    let identity = encode({
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    });
    let off_curve = encode({
        let mut bytes = [0; 32];
        bytes[0] = 2;
        bytes
    });
    // y = 3 + p, a second spelling of y = 3, which is on the curve and of large order.
    let respelled = encode({
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xf0, 0x7f);
        bytes
    });
    let with_x = |x: &str| jwk("").replace(X, x);
    for (document, expected) in [
        (String::new(), "None Json(Syntax)".to_owned()),
        ("[]".to_owned(), "None NotAJwk".to_owned()),
        (r#"{"keys":{}}"#.to_owned(), "None NotAJwk".to_owned()),
        (set("1"), "Some(0) NotAJwk".to_owned()),
        (set(""), "None Empty".to_owned()),
        (set(r#"{"kty":"RSA"}"#), "None Empty".to_owned()),
        (
            r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
            "None PrivateKey".to_owned(),
        ),
        (
            set(&format!(
                r#"{},{{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}}"#,
                jwk("")
            )),
            "Some(1) PrivateKey".to_owned(),
        ),
        (
            set(&format!(
                r#"{},{{"kty":"OKP","crv":"X25519","x":"{X}","d":"{X}"}}"#,
                jwk("")
            )),
            "Some(1) PrivateKey".to_owned(),
        ),
        (
            jwk(&format!(r#","keys":[{}]"#, jwk(""))),
            "None SetAndKey".to_owned(),
        ),
        (
            format!(r#"{{"keys":[{}],"kty":null}}"#, jwk("")),
            "None SetAndKey".to_owned(),
        ),
        ("{}".to_owned(), member(None, "kty")),
        (set(r#"{"kty":1}"#), member(Some(0), "kty")),
        (r#"{"kty":"OKP"}"#.to_owned(), member(None, "crv")),
        (
            r#"{"kty":"OKP","crv":"Ed25519"}"#.to_owned(),
            member(None, "x"),
        ),
        (with_x("AAAA"), member(None, "x")),
        (with_x(""), member(None, "x")),
        (with_x(&format!("{X}=")), member(None, "x")),
        (with_x(&X.replace('_', "/")), member(None, "x")),
        (
            with_x("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"),
            member(None, "x"),
        ),
        (with_x(&"A".repeat(2_000)), member(None, "x")),
        (jwk("").replace(&format!("\"{X}\""), "7"), member(None, "x")),
        (with_x(&weak), "None Weak".to_owned()),
        (
            set(&format!("{},{}", jwk(""), with_x(&identity))),
            "Some(1) Weak".to_owned(),
        ),
        (with_x(&off_curve), "None NotAPoint".to_owned()),
        (with_x(&respelled), "None NotCanonical".to_owned()),
        (jwk(r#","use":"enc""#), member(None, "use")),
        (jwk(r#","use":null"#), member(None, "use")),
        (jwk(r#","alg":"ES256""#), member(None, "alg")),
        (jwk(r#","alg":7"#), member(None, "alg")),
        (jwk(r#","key_ops":["sign"]"#), member(None, "key_ops")),
        (jwk(r#","key_ops":[]"#), member(None, "key_ops")),
        (jwk(r#","key_ops":"verify""#), member(None, "key_ops")),
        (jwk(r#","key_ops":["verify",1]"#), member(None, "key_ops")),
        (jwk(&format!(r#","d":"{X}""#)), "None PrivateKey".to_owned()),
        (set(&jwk(r#","d":null"#)), "Some(0) PrivateKey".to_owned()),
        (jwk(r#","kid":"key-1""#), "None KidMismatch".to_owned()),
        (jwk(r#","kid":5"#), member(None, "kid")),
        (
            set(&format!("{},{}", jwk(""), jwk(r#","use":"sig""#))),
            "Some(1) Duplicate".to_owned(),
        ),
        (
            jwk(r#","kty":"OKP""#),
            "None Json(DuplicateMember)".to_owned(),
        ),
        (
            format!("{}x", jwk("")),
            "None Json(TrailingData)".to_owned(),
        ),
        (
            format!("{}{}", jwk(""), " ".repeat(8_192)),
            format!("None TooLong {{ bytes: {} }}", jwk("").len() + 8_192),
        ),
        (
            jwk(&format!(r#","more":[{}0]"#, "0,".repeat(503))),
            "None Json(TooLarge)".to_owned(),
        ),
        (
            jwk(&(3..65).map(|n| format!(",\"{n}\":0")).collect::<String>()),
            "None Json(TooManyMembers)".to_owned(),
        ),
    ] {
        assert_eq!(load(&document), Err(expected), "{document}");
    }
}

#[test]
fn sixteen_keys_and_no_more() {
    let keys: Vec<VerificationKey> = (0..17).map(key).collect();
    let loaded = KeySet::from_jwks(set_of(&keys[..16]).as_bytes()).unwrap();
    assert!(loaded.iter().eq(&keys[..16]));
    assert!(
        keys[..16]
            .iter()
            .all(|key| loaded.find(key.kid()) == Some(key))
    );
    assert_eq!(loaded.find(keys[16].kid()), None);
    assert_eq!(load(&set_of(&keys)), Err("Some(16) TooMany".to_owned()));
    assert_eq!(
        KeySet::from_keys(&keys).unwrap_err().to_string(),
        "key 16 of the set: a set has at most 16 keys"
    );
    assert!(KeySet::from_keys(&[]).is_err());
    assert!(KeySet::from_keys(&[keys[0].clone(), keys[0].clone()]).is_err());
}

proptest! {
    #[cfg(feature = "issue")]
    #[test]
    fn what_is_published_is_what_is_loaded(seeds in prop::collection::btree_set(any::<u64>(), 1..=16)) {
        let keys: Vec<VerificationKey> = seeds.iter().map(|seed| key(*seed)).collect();
        let published = nexa_core::public_jwks(&keys);
        let loaded = KeySet::from_jwks(published.as_bytes()).unwrap();
        prop_assert!(loaded.iter().eq(&keys));
        let read: serde_json::Value = serde_json::from_str(&published).unwrap();
        for (key, jwk) in keys.iter().zip(read["keys"].as_array().unwrap()) {
            prop_assert_eq!(jwk["kid"].as_str(), Some(key.kid()));
            prop_assert_eq!(jwk["x"].as_str(), Some(&*encode(key.to_bytes())));
            prop_assert_eq!(jwk.as_object().unwrap().len(), 6);
        }
    }

    #[test]
    fn any_32_bytes_are_a_key_in_one_spelling_or_refused(bytes in any::<[u8; 32]>()) {
        let document = jwk("").replace(X, &encode(bytes));
        match VerificationKey::from_bytes(&bytes) {
            Ok(key) => {
                prop_assert_eq!(key.to_bytes(), bytes);
                prop_assert_eq!(load(&document), Ok(vec![key.kid().to_owned()]));
            }
            Err(error) => prop_assert_eq!(load(&document), Err(format!("None {:?}", error.problem))),
        }
    }

    #[test]
    fn random_documents_never_panic(document in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(KeySet::from_jwks(&document).is_err());
    }
}
