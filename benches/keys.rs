//! Checking a presented API key, against a bare SHA-256 of the same bytes.
use std::error::Error;
use std::hint::black_box;

use nexa_benches::{Aim, Comparison, compare, is_bench_run};
use nexa_core::KeyFormat;
use prefixed_api_key::{PrefixedApiKey, PrefixedApiKeyController};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    if !is_bench_run() {
        return Ok(());
    }
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let key = KeyFormat::NEXA.generate(&mut rng);
    let presented = key.expose().as_bytes();
    let stored = key.digest();

    // Theirs at its defaults, which make a key of about the same strength.
    let theirs = PrefixedApiKeyController::configure()
        .prefix("nex".to_owned())
        .seam_defaults()
        .finalize()?;
    let (their_key, their_hash) = theirs.generate_key_and_hash();
    let their_presented = their_key.to_string();

    println!("### A presented API key ({} bytes)\n", presented.len());
    println!(
        "Baseline: SHA-256 of the same bytes.\n\n{}",
        Comparison::HEAD
    );
    let bare_hash = || {
        black_box(Sha256::digest(black_box(presented)));
    };
    let check = compare(bare_hash, || {
        assert!(black_box(black_box(&stored).verify(black_box(presented))));
    });
    println!(
        "{}",
        check.row(
            "`KeyDigest::verify`: hash, constant-time compare",
            Aim::Ratio(1.5)
        )
    );
    let check = compare(bare_hash, || {
        let parsed = PrefixedApiKey::from_string(black_box(&their_presented));
        let is_right = parsed.is_ok_and(|parsed| theirs.check_hash(&parsed, &their_hash));
        assert!(black_box(is_right));
    });
    println!(
        "{}",
        check.row("prefixed-api-key: parse, hash, compare", Aim::None)
    );
    Ok(())
}
