//! `jsonwebtoken` as the oracle: whatever this crate calls a good licence or access token, another reader of JWTs
//! accepts.

use jsonwebtoken::crypto::rust_crypto;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use nexa_core::{
    AccessIssuer, DevicePolicy, KeySet, LicenseIssuer, NewAccess, NewDevice, NewLicense, NewTerms,
    SigningKey, StatusRef, UnixSeconds, VerificationKey,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::seeded::Seeded;
use crate::{conformance, vectors};

const ISSUER: &str = "https://licenses.example";

#[test]
fn every_good_token_of_the_conformance_file_is_accepted() {
    let mut accepted = 0;
    for case in conformance::cases()
        .iter()
        .filter(|case| case["code"] == "valid" && case["expect"].get("key_set").is_none())
    {
        let token = case["token"].as_str().expect("a string");
        let header = decoded(token.split('.').next().expect("a header"));
        // Not yet known to the oracle: RFC 9864 is of 2025.
        if header["alg"] == "Ed25519" {
            assert!(jsonwebtoken::decode_header(token).is_err());
            continue;
        }
        let keys = KeySet::from_jwks(case["keys"].as_str().expect("a string").as_bytes())
            .expect("good keys");
        let key = keys
            .find(header["kid"].as_str().expect("a string"))
            .expect("a known key");
        let read =
            read(token, key, "editor").unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        assert_eq!(read.claims["type"], "license", "{}", case["name"]);
        if let Some(subject) = case["facts"].get("subject") {
            assert_eq!(read.claims["sub"], *subject, "{}", case["name"]);
        }
        accepted += 1;
    }
    assert!(accepted > 70, "{accepted}");
}

/// What the oracle is worth: it refuses what is plainly forged.
#[test]
fn the_oracle_refuses_other_keys_issuers_and_audiences() {
    let (token, key) = issued(1, "tenant-1", "editor", 60, &["export"]);
    assert!(read(&token, &key, "editor").is_ok());
    assert!(read(&token, &key, "viewer").is_err());
    let (_, other_key) = issued(2, "tenant-1", "editor", 60, &[]);
    assert!(read(&token, &other_key, "editor").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_issued_is_accepted(
        seed in any::<u64>(),
        subject in "\\PC{1,40}",
        audience in "[a-z\"\\\\\u{e9}]{1,12}",
        ttl_s in 1_u64..=400 * 86_400,
        entitlements in prop::collection::vec("\\PC{1,12}", 0..4),
    ) {
        let entitlements: Vec<&str> = entitlements.iter().map(String::as_str).collect();
        let (token, key) = issued(seed, &subject, &audience, ttl_s, &entitlements);
        let read = read(&token, &key, &audience).expect("a good licence");
        prop_assert_eq!(&read.claims["sub"], &subject);
        prop_assert_eq!(read.claims["exp"].as_u64(), Some(vectors::NOW + ttl_s));
        prop_assert_eq!(read.header.typ.as_deref(), Some("license+jwt"));
        prop_assert_eq!(read.header.kid.as_deref(), Some(key.kid()));
        if !entitlements.is_empty() {
            prop_assert_eq!(&read.claims["lic"]["entitlements"], &Value::from(entitlements));
        }
    }
}

/// 2096: the oracle reads the system's clock, and these tokens are to end after any that it may show.
const FAR_AHEAD: u64 = 4_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_issued_access_token_is_accepted(
        seed in any::<u64>(),
        (subject, tenant) in ("\\PC{1,40}", "\\PC{1,40}"),
        session_version in 0..(1_u64 << 53),
        role in prop::option::of("\\PC{1,20}"),
        scope in "\\PC{1,40}",
        ttl_s in 1_u64..=86_400,
    ) {
        let key = SigningKey::generate(&mut Seeded::new(seed));
        let issuer = AccessIssuer::new(key, ISSUER).expect("a good issuer");
        let request = NewAccess {
            jti: "token-1",
            subject: &subject,
            tenant: &tenant,
            session: "session-1",
            session_version,
            role: role.as_deref(),
            scope: Some(&scope),
            ttl_s,
        };
        let now = UnixSeconds::new(FAR_AHEAD).expect("below 2^53");
        let token = issuer.issue(now, &request).expect("a good request").token;
        let key = issuer.verification_key();
        let read = read_access(&token, &key, "api").expect("a good access token");
        prop_assert_eq!(&read.claims["sub"], &subject);
        prop_assert_eq!(&read.claims["tenant"], &tenant);
        prop_assert_eq!(read.claims["sv"].as_u64(), Some(session_version));
        prop_assert_eq!(read.claims["role"].as_str(), role.as_deref());
        prop_assert_eq!(&read.claims["scope"], &scope);
        prop_assert_eq!(read.claims["exp"].as_u64(), Some(FAR_AHEAD + ttl_s));
        prop_assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
        prop_assert_eq!(read.header.kid.as_deref(), Some(key.kid()));
        prop_assert!(read_access(&token, &key, "my-app").is_err());
    }
}

/// What the oracle's clock is worth: it refuses an access token whose time has passed.
#[test]
fn the_oracle_refuses_an_access_token_of_the_past() {
    let issuer = AccessIssuer::new(SigningKey::generate(&mut Seeded::new(1)), ISSUER);
    let issuer = issuer.expect("a good issuer");
    for (issued_at, is_accepted) in [(FAR_AHEAD, true), (1_000_000_000, false)] {
        let request = NewAccess {
            jti: "token-1",
            subject: "user-1",
            tenant: "tenant-1",
            session: "session-1",
            session_version: 0,
            role: Some("owner"),
            scope: None,
            ttl_s: 60,
        };
        let now = UnixSeconds::new(issued_at).expect("below 2^53");
        let token = issuer.issue(now, &request).expect("a good request").token;
        let read = read_access(&token, &issuer.verification_key(), "api");
        assert_eq!(read.is_ok(), is_accepted, "{issued_at}");
    }
}

fn issued(
    seed: u64,
    subject: &str,
    audience: &str,
    ttl_s: u64,
    entitlements: &[&str],
) -> (String, VerificationKey) {
    let mut rng = Seeded::new(seed);
    let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), ISSUER).expect("a good issuer");
    let request = NewLicense {
        jti: "licence-1",
        subject,
        audience,
        ttl_s,
        device: NewDevice {
            components: &[("fingerprint", "a1b2"), ("host", "h")],
            policy: DevicePolicy::AtLeast(1),
        },
        terms: NewTerms {
            entitlements,
            grace_s: seed % 1_000,
            ..NewTerms::default()
        },
        status: (seed % 2 == 0).then_some(StatusRef {
            index: 7,
            uri: "https://licenses.example/7",
        }),
    };
    let now = UnixSeconds::new(vectors::NOW).expect("below 2^53");
    let issued = issuer
        .issue(now, &mut rng, &request)
        .expect("a good request");
    (issued.token, issuer.verification_key())
}

/// Reads an access token as the oracle does, its end included.
fn read_access(
    token: &str,
    key: &VerificationKey,
    audience: &str,
) -> jsonwebtoken::errors::Result<TokenData<Value>> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = true;
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    decode(token, key, validation)
}

/// Reads a licence as the oracle does, times aside: it would look at the system's clock.
fn read(
    token: &str,
    key: &VerificationKey,
    audience: &str,
) -> jsonwebtoken::errors::Result<TokenData<Value>> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
    decode(token, key, validation)
}

fn decode(
    token: &str,
    key: &VerificationKey,
    mut validation: Validation,
) -> jsonwebtoken::errors::Result<TokenData<Value>> {
    // More than one provider may be compiled in, and whichever test comes first installs this one.
    let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
    validation.set_issuer(&[ISSUER]);
    jsonwebtoken::decode(
        token,
        &DecodingKey::from_ed_der(&key.to_bytes()),
        &validation,
    )
}

fn decoded(segment: &str) -> Value {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(segment)
        .expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
