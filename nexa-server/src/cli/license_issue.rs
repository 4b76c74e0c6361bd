//! `nexa license issue`: an issuer without a server.

use std::path::PathBuf;

use clap::Args;
use nexa_core::{DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, uuid_v7};

use super::exit::{Exit, Failure};
use super::input::read_signing_key;
use super::output::print_line;
use crate::serve::{now, rng};

#[derive(Args)]
pub(super) struct Issue {
    /// The signing key: an Ed25519 private key as PKCS#8 PEM.
    #[arg(long, value_name = "FILE")]
    signing_key: PathBuf,
    /// The issuer: the URL that verifiers expect as `iss`.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The app that the licence is for: its audience.
    #[arg(long)]
    app: String,
    /// What tells the device from others, 1 to 512 bytes.
    #[arg(long)]
    fingerprint: String,
    /// Whom the licence is issued to: a tenant's id.
    #[arg(long, default_value = "local")]
    subject: String,
    /// How many days it lasts.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=400))]
    ttl_days: u32,
    /// What the licence entitles to; may be repeated.
    #[arg(long = "entitlement", value_name = "NAME")]
    entitlements: Vec<String>,
}

impl Issue {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let key = read_signing_key(&self.signing_key)?;
        let issuer = LicenseIssuer::new(key, &self.issuer)
            .map_err(|error| Failure::Usage(format!("--issuer: {error}")))?;
        let entitlements: Vec<&str> = self.entitlements.iter().map(String::as_str).collect();
        let (now, mut rng) = (now(), rng());
        let request = NewLicense {
            jti: &uuid_v7(now.unsigned_ms(), &mut rng),
            subject: &self.subject,
            audience: &self.app,
            ttl_s: u64::from(self.ttl_days) * 24 * 3600,
            device: NewDevice {
                components: &[("fingerprint", &self.fingerprint)],
                policy: DevicePolicy::All,
            },
            terms: NewTerms {
                entitlements: &entitlements,
                ..NewTerms::default()
            },
            status: None,
        };
        let issued = issuer
            .issue(now.seconds(), &mut rng, &request)
            .map_err(Failure::usage)?;
        print_line(&issued.token)?;
        Ok(Exit::Success)
    }
}
