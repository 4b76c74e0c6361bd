//! `nexa license verify`: every verdict with its facts, offline.

use std::path::{Path, PathBuf};

use clap::Args;
use nexa_core::{
    Decision, DeviceExpectation, DeviceMatch, Freshness, KeySet, License, LicenseExpectations,
    LicenseReport, RevocationFeed, RevocationStatus, Revocations, Scratch, UnixSeconds, Verdict,
    check_license,
};
use serde_json::{Map, Value, json};

use super::exit::{Exit, Failure};
use super::input::{each_token, read_document, read_file};
use super::license_request::{DeviceArgs, Request};
use super::output::print_line;
use super::status_folder::StatusFolder;
use crate::serve::now;
use crate::time::{TimeProblem, UnixMillis};

#[derive(Args)]
pub(super) struct Verify {
    /// The token, or - for one token a line on standard input, answered line by line. Exit code 1
    /// when some are not valid; empty input holds none that is not, so it ends with 0.
    token: String,
    /// The keys that may have signed: a JWK set or one JWK.
    #[arg(long, value_name = "FILE", required_unless_present = "root")]
    jwks: Option<PathBuf>,
    /// The root key, as `nexa keyset export --root` prints it: the keys come from the key set in the folder of --status.
    #[arg(
        long,
        value_name = "FILE",
        requires = "status",
        conflicts_with = "jwks"
    )]
    root: Option<PathBuf>,
    /// A folder that `nexa status export` has written: signed keys and signed revocation data. Exit code 1 also when it
    /// lacks the status shard that a licence names.
    #[arg(
        long,
        value_name = "DIR",
        requires = "root",
        conflicts_with = "revocations"
    )]
    status: Option<PathBuf>,
    /// The issuer that must stand in the licence.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The app that the licence must be for.
    #[arg(long, value_name = "APP")]
    audience: String,
    #[command(flatten)]
    device: DeviceArgs,
    /// The device, as it was asked for in this request. Without it and without --fingerprint and --component the device
    /// is not checked.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fingerprint", "components"])]
    request: Option<PathBuf>,
    /// A revocation list as served by /api/licenses/revocations. Without it and --status revocation is not checked.
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
    /// The time to verify at (RFC 3339). Without it: now.
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let at = match &self.at {
            None => now(),
            Some(text) => text.parse().map_err(|problem: TimeProblem| {
                Failure::Usage(format!("--at: {text:?} {problem}"))
            })?,
        };
        let folder = match (&self.root, &self.status) {
            (Some(root), Some(folder)) => Some(StatusFolder::open(folder, root, &self.issuer)?),
            _ => None,
        };
        let keys = match (&folder, &self.jwks) {
            (Some(folder), _) => folder.keys().clone(),
            (None, Some(jwks)) => read_keys(jwks)?,
            (None, None) => return Err(Failure::usage("name --jwks, or --root and --status")),
        };
        let feed_json = self.revocations.as_deref().map(read_document).transpose()?;
        let feed = feed_json.as_deref().map(RevocationFeed::read).transpose();
        let feed = feed.map_err(|error| Failure::Usage(format!("--revocations: {error}")))?;
        let revocations: Option<&dyn Revocations> = match (&folder, &feed) {
            (Some(folder), _) => Some(folder),
            (None, Some(feed)) => Some(feed),
            (None, None) => None,
        };
        let request = self.request.as_deref().map(Request::read).transpose()?;
        let components = match &request {
            Some(request) => request.device.components(),
            None => self.device.components(),
        };
        let device = match components.is_empty() {
            false => DeviceExpectation::Components(&components),
            true => DeviceExpectation::NotChecked,
        };
        let mut expect = LicenseExpectations::new(&self.issuer, &self.audience, device);
        if let Some(revocations) = revocations {
            expect = expect.with_revocations(revocations);
        }
        let mut exit = Exit::Success;
        let mut scratch = Scratch::new();
        each_token(&self.token, |token| {
            let report = check_license(&keys, &expect, at.seconds(), token, &mut scratch);
            if report.verdict() != Verdict::Valid {
                exit = Exit::NotValid;
            }
            print_line(&if self.json {
                as_json(&report).to_string()
            } else {
                as_text(&report)
            })
        })?;
        if folder.is_some_and(|folder| folder.has_failed()) {
            exit = Exit::NotValid;
        }
        Ok(exit)
    }
}

/// Reads a JWK set or one JWK, naming the file in the error.
pub(super) fn read_keys(path: &Path) -> Result<KeySet, Failure> {
    KeySet::from_jwks(&read_file(path)?)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn as_json(report: &LicenseReport<'_>) -> Value {
    let verdict = report.verdict();
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("valid", json!(verdict == Verdict::Valid));
    put("code", json!(verdict.code()));
    put("detail", json!(verdict.to_string()));
    put(
        "decision",
        json!(match report.decision() {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
        }),
    );
    if let Some(license) = report.license() {
        facts(license.claims(), &mut put);
        put("device", device(report.device()));
        put(
            "revocation",
            json!(match report.revocation() {
                RevocationStatus::NotChecked => "not_checked",
                RevocationStatus::NoData => "no_data",
                RevocationStatus::NotRevoked { .. } => "not_revoked",
                RevocationStatus::Revoked { .. } => "revoked",
            }),
        );
        if let Freshness::Fresh { age_s }
        | Freshness::Aging { age_s }
        | Freshness::TooOld { age_s, .. } = report.freshness()
        {
            put("revocationDataAgeSeconds", json!(age_s));
        }
    }
    match verdict {
        Verdict::NotYetValid { starts_in_s } => drop(put("startsInSeconds", json!(starts_in_s))),
        Verdict::Expired {
            since_s,
            grace_left_s,
        } => {
            put("expiredForSeconds", json!(since_s));
            put("graceLeftSeconds", json!(grace_left_s));
        }
        Verdict::Revoked { at } => drop(put("revokedAt", json!(rfc3339(at)))),
        Verdict::RevocationDataOld { max_age_s, .. } => {
            drop(put("revocationDataMaxAgeSeconds", json!(max_age_s)));
        }
        Verdict::Valid
        | Verdict::OtherDevice { .. }
        | Verdict::UnknownKey
        | Verdict::Refused(_) => {}
    }
    Value::Object(object)
}

fn facts(license: &License<'_>, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    put("issuer", json!(license.issuer()));
    put("subject", json!(license.subject()));
    put("audience", json!(license.audience()));
    put("jti", json!(license.jti()));
    put("kid", json!(license.kid()));
    put("issuedAt", json!(rfc3339(license.issued_at())));
    put("notBefore", json!(rfc3339(license.not_before())));
    put("expiresAt", json!(rfc3339(license.expires_at())));
    put("plan", json!(license.terms().plan()));
    put(
        "entitlements",
        json!(license.terms().entitlements().collect::<Vec<_>>()),
    );
    put(
        "limits",
        json!(
            license
                .terms()
                .limits()
                .collect::<std::collections::BTreeMap<_, _>>()
        ),
    );
    put("trial", json!(license.terms().is_trial()));
}

fn device(device: &DeviceMatch<'_>) -> Value {
    match device {
        DeviceMatch::NotChecked => json!({ "checked": false }),
        DeviceMatch::Checked {
            matched,
            required,
            total,
            drifted,
        } => json!({
            "checked": true,
            "matched": matched,
            "required": required,
            "total": total,
            "drifted": drifted.clone().collect::<Vec<_>>(),
        }),
    }
}

fn as_text(report: &LicenseReport<'_>) -> String {
    let verdict = report.verdict();
    match report.license().map(|license| license.claims()) {
        Some(license) => format!(
            "{}: {verdict}; jti {}, subject {}, expires {}",
            verdict.code(),
            license.jti(),
            license.subject(),
            rfc3339(license.expires_at())
        ),
        None => format!("{}: {verdict}", verdict.code()),
    }
}

fn rfc3339(at: UnixSeconds) -> String {
    UnixMillis::from(at).to_rfc3339()
}
