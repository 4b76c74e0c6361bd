//! Checking a licence, against a bare signature check of the same message.
use std::collections::HashSet;
use std::error::Error;
use std::hint::black_box;

use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use jwt_simple::algorithms::{Ed25519PublicKey, EdDSAPublicKeyLike as _};
use jwt_simple::common::VerificationOptions;
use nexa_benches::{Aim, Comparison, LicenseSample, compare, is_bench_run};
use nexa_core::{Decision, DeviceExpectation, KeySet, LicenseExpectations, Scratch, check_license};
use serde::Deserialize;

fn main() -> Result<(), Box<dyn Error>> {
    if !is_bench_run() {
        return Ok(());
    }
    let sample = LicenseSample::issue()?;
    good(&sample)?;
    malformed(&sample)
}

/// A good licence, whose signature has to be checked.
fn good(sample: &LicenseSample) -> Result<(), Box<dyn Error>> {
    let bare_key = VerifyingKey::from_bytes(&sample.key.to_bytes())?;
    let bare_signature = Signature::from_bytes(&sample.signature);
    let bare = || {
        let outcome = black_box(&bare_key).verify(black_box(sample.signed()), &bare_signature);
        assert!(black_box(outcome).is_ok());
    };
    println!("### A good licence ({} bytes)\n", sample.token.len());
    println!(
        "Baseline: ed25519-dalek's `verify` of the same message.\n\n{}",
        Comparison::HEAD
    );

    for (name, key, aim) in [
        ("`check_license`", sample.key.clone(), Aim::Ratio(1.05)),
        (
            "`check_license`, feature `tables`",
            sample.key.clone().with_table(),
            Aim::Ratio(0.5),
        ),
    ] {
        let keys = KeySet::from_keys(&[key])?;
        let expect = LicenseExpectations::new(
            LicenseSample::ISSUER,
            LicenseSample::APP,
            DeviceExpectation::Components(&LicenseSample::DEVICE),
        );
        let mut scratch = Scratch::new();
        let found = compare(bare, || {
            let token = black_box(sample.token.as_bytes());
            let report = check_license(&keys, &expect, sample.issued_at, token, &mut scratch);
            assert_eq!(black_box(report.decision()), Decision::Allow);
        });
        println!("{}", found.row(name, aim));
    }

    let provider = install_provider()?;
    let key = jsonwebtoken::DecodingKey::from_ed_der(&sample.key.to_bytes());
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_issuer(&[LicenseSample::ISSUER]);
    rules.set_audience(&[LicenseSample::APP]);
    rules.validate_nbf = true;
    let found = compare(bare, || {
        let decoded = jsonwebtoken::decode::<Claims>(black_box(&sample.token), &key, &rules);
        assert!(black_box(decoded).is_ok_and(|token| token.claims.has_facts()));
    });
    println!(
        "{}",
        found.row(&format!("jsonwebtoken ({provider})"), Aim::None)
    );

    let key = Ed25519PublicKey::from_bytes(&sample.key.to_bytes())?;
    let options = VerificationOptions {
        allowed_issuers: Some(HashSet::from([LicenseSample::ISSUER.to_owned()])),
        allowed_audiences: Some(HashSet::from([LicenseSample::APP.to_owned()])),
        ..VerificationOptions::default()
    };
    let found = compare(bare, || {
        let options = Some(options.clone());
        let decoded = key.verify_token::<CustomClaims>(black_box(&sample.token), options);
        assert!(black_box(decoded).is_ok_and(|claims| claims.custom.lic.plan == "pro"));
    });
    println!("{}\n", found.row("jwt-simple", Aim::None));
    Ok(())
}

/// Tokens that a stranger may send by the million: each is refused before any arithmetic.
fn malformed(sample: &LicenseSample) -> Result<(), Box<dyn Error>> {
    let kid = sample.key.kid();
    let with_alg = |alg: &str| {
        sample.with_header(&format!(
            r#"{{"alg":"{alg}","typ":"license+jwt","kid":"{kid}"}}"#
        ))
    };
    let with_member = |member: &str| {
        sample.with_header(&format!(
            r#"{{"alg":"EdDSA","typ":"license+jwt","kid":"{kid}",{member}}}"#
        ))
    };
    // 59 of the 64 values that a header may have, in all the members that it may have.
    let arrays: Vec<String> = (3..16).map(|n| format!(r#""{n}":[0,0]"#)).collect();
    let late_fault = format!("{}!{}.A.A", "A".repeat(3_900), "A".repeat(190));
    let shifted_scalar = {
        let mut signature = sample.signature;
        if let Some(last) = signature.last_mut() {
            *last |= 0xf0;
        }
        signature
    };
    let neutral_point = {
        let mut signature = sample.signature;
        if let Some(point) = signature.first_chunk_mut::<32>() {
            *point = [0; 32];
            point[0] = 1;
        }
        signature
    };
    let cases = [
        ("empty", String::new(), "not_three_segments"),
        ("4,097 bytes", "A".repeat(4_097), "token_too_long"),
        (
            "4,096 bytes without a dot",
            "A".repeat(4_096),
            "not_three_segments",
        ),
        (
            "a line feed at the end",
            format!("{}\n", sample.token),
            "whitespace",
        ),
        (
            "padding at the end",
            format!("{}=", sample.token),
            "base64_padding",
        ),
        (
            "a header that is not JSON",
            sample.with_header("not JSON at all"),
            "json_syntax",
        ),
        ("`alg` none", with_alg("none"), "alg_none"),
        ("`alg` HS256", with_alg("HS256"), "alg_not_allowed"),
        (
            "an unknown key",
            sample.with_header(r#"{"alg":"EdDSA","typ":"license+jwt","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}"#),
            "unknown_key",
        ),
        (
            "a header of 512 array values",
            with_member(&format!(r#""x":[{}0]"#, "0,".repeat(511))),
            "json_too_large",
        ),
        (
            "a header of 16 members, 13 of them arrays",
            with_member(&arrays.join(",")),
            "header_unknown_member",
        ),
        (
            "480 escapes in `alg`",
            with_alg(&r"\n".repeat(480)),
            "json_too_large",
        ),
        (
            "as many escapes in `alg` as fit a header",
            with_alg(&r"\n".repeat(200)),
            "alg_not_allowed",
        ),
        (
            "a bad character at byte 3,900",
            late_fault,
            "base64_alphabet",
        ),
        (
            "a signature of 63 bytes",
            sample.with_signature(sample.signature.split_last().ok_or("64 bytes")?.1),
            "signature_length",
        ),
        (
            "a scalar S past the group order",
            sample.with_signature(&shifted_scalar),
            "signature_scalar_range",
        ),
        (
            "a point R of small order",
            sample.with_signature(&neutral_point),
            "signature_small_order",
        ),
    ];

    println!("### Malformed tokens\n");
    println!(
        "Baseline: `check_license` of the good licence.\n\n{}",
        Comparison::HEAD
    );
    let keys = KeySet::from_keys(std::slice::from_ref(&sample.key))?;
    let expect = LicenseExpectations::new(
        LicenseSample::ISSUER,
        LicenseSample::APP,
        DeviceExpectation::Components(&LicenseSample::DEVICE),
    );
    let mut good_scratch = Scratch::new();
    let mut scratch = Scratch::new();
    for (name, token, code) in cases {
        let now = sample.issued_at;
        let report = check_license(&keys, &expect, now, token.as_bytes(), &mut scratch);
        assert_eq!(report.verdict().code(), code, "{name}");
        let found = compare(
            || {
                let token = black_box(sample.token.as_bytes());
                let report = check_license(&keys, &expect, now, token, &mut good_scratch);
                assert_eq!(black_box(report.decision()), Decision::Allow);
            },
            || {
                let token = black_box(token.as_bytes());
                let report = check_license(&keys, &expect, now, token, &mut scratch);
                assert_eq!(black_box(report.decision()), Decision::Deny);
            },
        );
        println!(
            "{}",
            found.row(&format!("{name}: `{code}`"), Aim::TimeNs(1_000.0))
        );
    }
    println!();
    Ok(())
}

/// Chooses what jsonwebtoken computes with, and names it.
fn install_provider() -> Result<&'static str, Box<dyn Error>> {
    #[cfg(feature = "aws-lc")]
    let (provider, name) = (&jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER, "aws_lc");
    #[cfg(not(feature = "aws-lc"))]
    let (provider, name) = (
        &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER,
        "rust_crypto",
    );
    provider
        .install_default()
        .map_err(|_| "a provider was installed before")?;
    Ok(name)
}

/// What jsonwebtoken hands back: the claims as one would declare them for this licence.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    jti: String,
    lic: Terms,
}

impl Claims {
    fn has_facts(&self) -> bool {
        !self.sub.is_empty() && !self.jti.is_empty() && self.lic.entitlements.len() == 3
    }
}

/// jwt-simple reads the registered claims itself.
#[derive(Deserialize)]
struct CustomClaims {
    lic: Terms,
}

#[derive(Deserialize)]
struct Terms {
    plan: String,
    entitlements: Vec<String>,
}
