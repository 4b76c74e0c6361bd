//! What a licensed program does when it starts: one check, without a network.
//!
//! ```text
//! cargo run -p nexa-examples --example offline_verify -- JWKS LICENCE ISSUER APP FINGERPRINT [REVOCATIONS]
//! ```
//!
//! JWKS, LICENCE and REVOCATIONS are files. A real program embeds the key set with `include_bytes!` instead
//! of reading it from a file that its user could replace.

use std::error::Error;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use nexa_verify::{Decision, DeviceExpectation, RevocationFeed, Scratch, UnixSeconds, Verifier};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [jwks, licence, issuer, app, fingerprint, revocations @ ..] = arguments.as_slice() else {
        return Err(
            "usage: offline_verify JWKS LICENCE ISSUER APP FINGERPRINT [REVOCATIONS]".into(),
        );
    };

    let components = [("fingerprint", fingerprint.as_str())];
    let device = DeviceExpectation::Components(&components);
    let mut verifier = Verifier::new(&fs::read(jwks)?, issuer, app, device)?;
    let feed_file = revocations.first().map(fs::read).transpose()?;
    let feed = feed_file.as_deref().map(RevocationFeed::read).transpose()?;
    if let Some(feed) = &feed {
        verifier = verifier.with_revocations(feed);
    }
    let (token, mut scratch) = (fs::read_to_string(licence)?, Scratch::new());
    let report = verifier.check(now()?, token.trim_end().as_bytes(), &mut scratch);

    println!("{}: {}", report.verdict().code(), report.verdict());
    // Facts stand even for a licence that has expired or was revoked; a refused token has none.
    if let Some(license) = report.license().map(|verified| verified.claims()) {
        let expires_at = license.expires_at().get();
        println!(
            "licence {} of {}, until {expires_at} (Unix time)",
            license.jti(),
            license.subject()
        );
        println!(
            "plan {:?}, entitlements {:?}",
            license.terms().plan(),
            license.terms().entitlements()
        );
        println!(
            "same device: {:?}, revocation: {:?}",
            report.device().is_match(),
            report.revocation()
        );
    }
    Ok(match report.decision() {
        Decision::Allow => ExitCode::SUCCESS,
        Decision::Deny => ExitCode::FAILURE,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program is where the clock is read; the library takes the time as an argument"
)]
fn now() -> Result<UnixSeconds, Box<dyn Error>> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(UnixSeconds::new(seconds).ok_or("the clock is out of range")?)
}
