//! `nexa license issue`: an issuer without a server, or a server asked for a licence.

use std::path::{Path, PathBuf};

use clap::Args;
use nexa_core::{DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, uuid_v7};

use super::exit::{Exit, Failure};
use super::input::read_signing_key;
use super::license_request::{DeviceArgs, Request};
use super::output::{remark, write_private_file};
use crate::serve::{now, rng};

#[derive(Args)]
pub(super) struct Issue {
    /// The signing key: an Ed25519 private key as PKCS#8 PEM.
    #[arg(long, value_name = "FILE")]
    signing_key: PathBuf,
    /// The issuer: the URL that verifiers expect as `iss`.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// A request from the device, as `nexa license request` writes it: it names the app and the device.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fingerprint", "components"])]
    request: Option<PathBuf>,
    /// The app that the licence is for: its audience. Beside --request, the app that it must ask for.
    #[arg(long, required_unless_present = "request")]
    app: Option<String>,
    #[command(flatten)]
    device: DeviceArgs,
    /// How many of the device's components have to match: any, two, most, all or a number.
    #[arg(long, value_name = "POLICY", default_value = "all", value_parser = policy)]
    device_policy: DevicePolicy,
    /// Whom the licence is issued to: a tenant's id.
    #[arg(long, default_value = "local")]
    subject: String,
    /// How many days it lasts.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=400))]
    ttl_days: u32,
    /// What the licence entitles to; may be repeated.
    #[arg(long = "entitlement", value_name = "NAME")]
    entitlements: Vec<String>,
    /// Where to write the token, for its owner alone to read; to standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Issue {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let key = read_signing_key(&self.signing_key)?;
        let issuer = LicenseIssuer::new(key, &self.issuer)
            .map_err(|error| Failure::Usage(format!("--issuer: {error}")))?;
        let request = (self.request.as_deref())
            .map(|file| requested(file, self.app.as_deref()))
            .transpose()?;
        let (audience, components) = match &request {
            Some(request) => (request.app_id.as_str(), request.device.components()),
            None => (
                self.app.as_deref().unwrap_or_default(),
                self.device.components(),
            ),
        };
        let entitlements: Vec<&str> = self.entitlements.iter().map(String::as_str).collect();
        let (now, mut rng) = (now(), rng());
        let request = NewLicense {
            jti: &uuid_v7(now.unsigned_ms(), &mut rng),
            subject: &self.subject,
            audience,
            ttl_s: u64::from(self.ttl_days) * 24 * 3600,
            device: NewDevice {
                components: &components,
                policy: self.device_policy,
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
        write_private_file(
            self.output.as_deref(),
            format!("{}\n", issued.token).as_bytes(),
        )?;
        Ok(Exit::Success)
    }
}

/// Reads a request, which is to be for `app` where that is given, and says what it asks for.
fn requested(file: &Path, app: Option<&str>) -> Result<Request, Failure> {
    let request = Request::read(file)?;
    if let Some(app) = app.filter(|app| *app != request.app_id) {
        return Err(Failure::Usage(format!(
            "{}: it asks for app {:?}, not for {app:?}",
            file.display(),
            request.app_id
        )));
    }
    remark(&format!("nexa: {}", request.in_words()));
    Ok(request)
}

fn policy(text: &str) -> Result<DevicePolicy, String> {
    match text {
        "any" => Ok(DevicePolicy::Any),
        "two" => Ok(DevicePolicy::Two),
        "most" => Ok(DevicePolicy::Most),
        "all" => Ok(DevicePolicy::All),
        number => number
            .parse()
            .map(DevicePolicy::AtLeast)
            .map_err(|_| "must be any, two, most, all or a number".to_owned()),
    }
}
