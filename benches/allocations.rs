//! What one check takes from the heap. Apart from the timings, because counting slows every allocation.
use std::error::Error;
use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use nexa_benches::{LicenseSample, is_bench_run};
use nexa_core::{
    Decision, DeviceExpectation, KeyFormat, KeySet, LicenseExpectations, Scratch, check_license,
};
use prefixed_api_key::{PrefixedApiKey, PrefixedApiKeyController};

fn main() -> Result<(), Box<dyn Error>> {
    if !is_bench_run() {
        return Ok(());
    }
    println!("### Heap\n\n| one check | allocations | bytes | aim |\n|---|---:|---:|---|");
    keys()?;
    licenses()
}

fn keys() -> Result<(), Box<dyn Error>> {
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let key = KeyFormat::NEXA.generate(&mut rng);
    let stored = key.digest();
    let ours = measure(|| assert!(black_box(&stored).verify(black_box(key.expose().as_bytes()))));
    row("`KeyDigest::verify`", ours, Some(0));

    let theirs = PrefixedApiKeyController::configure()
        .prefix("nex".to_owned())
        .seam_defaults()
        .finalize()?;
    let (key, hash) = theirs.generate_key_and_hash();
    let presented = key.to_string();
    let found = measure(|| {
        let parsed = PrefixedApiKey::from_string(black_box(&presented));
        assert!(parsed.is_ok_and(|parsed| theirs.check_hash(&parsed, &hash)));
    });
    row("prefixed-api-key", found, None);
    Ok(())
}

fn licenses() -> Result<(), Box<dyn Error>> {
    let sample = LicenseSample::issue()?;
    let expect = LicenseExpectations::new(
        LicenseSample::ISSUER,
        LicenseSample::APP,
        DeviceExpectation::Components(&LicenseSample::DEVICE),
    );
    let mut scratch = Scratch::new();
    let tabled = sample.key.clone().with_table();
    for (name, key, token, decision, aim) in [
        (
            "`check_license`, good",
            sample.key.clone(),
            sample.token.clone(),
            Decision::Allow,
            Some(0),
        ),
        (
            "`check_license`, good, `tables`",
            tabled,
            sample.token.clone(),
            Decision::Allow,
            Some(0),
        ),
        (
            "`check_license`, a wrong signature",
            sample.key.clone(),
            sample.with_signature(&[1; 64]),
            Decision::Deny,
            // ed25519-dalek boxes the error where there is an allocator.
            None,
        ),
        (
            "`check_license`, not a token",
            sample.key.clone(),
            "not a token".to_owned(),
            Decision::Deny,
            Some(0),
        ),
    ] {
        let keys = KeySet::from_keys(&[key])?;
        let found = measure(|| {
            let token = black_box(token.as_bytes());
            let report = check_license(&keys, &expect, sample.issued_at, token, &mut scratch);
            assert_eq!(report.decision(), decision);
        });
        row(name, found, aim);
    }

    let key = jsonwebtoken::DecodingKey::from_ed_der(&sample.key.to_bytes());
    jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER
        .install_default()
        .map_err(|_| "a provider was installed before")?;
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_issuer(&[LicenseSample::ISSUER]);
    rules.set_audience(&[LicenseSample::APP]);
    let found = measure(|| {
        let decoded = jsonwebtoken::decode::<Subject>(black_box(&sample.token), &key, &rules);
        assert!(decoded.is_ok_and(|token| !token.claims.sub.is_empty()));
    });
    row("jsonwebtoken, good, reading `sub` alone", found, None);
    println!();
    Ok(())
}

#[derive(serde::Deserialize)]
struct Subject {
    sub: String,
}

fn row(name: &str, found: AllocationInfo, aim: Option<u64>) {
    let aim = match aim {
        None => "–",
        Some(most) if found.bytes_total <= most => "none: met",
        Some(_) => "none: **missed**",
    };
    println!(
        "| {name} | {} | {} | {aim} |",
        found.count_total, found.bytes_total
    );
}
