//! `nexa license issue|request|verify|inspect`: the subcommands, and `inspect`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::input::{TOKEN_MAX, each_token};
use super::output::{print_line, remark};
use super::{license_issue, license_request, license_verify};

#[derive(Args)]
pub(super) struct License {
    #[command(subcommand)]
    command: LicenseCommand,
}

#[derive(Subcommand)]
enum LicenseCommand {
    /// Issue a licence and print its token.
    Issue(license_issue::Issue),
    /// Ask for a licence from a machine without a network: write what the device is to a file.
    Request(license_request::MakeRequest),
    /// Verify licences offline.
    Verify(license_verify::Verify),
    /// Show what stands in a token, without verifying anything.
    Inspect {
        /// The token, or - for one token a line on standard input.
        token: String,
    },
}

impl License {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            LicenseCommand::Issue(issue) => issue.run(),
            LicenseCommand::Request(request) => request.run(),
            LicenseCommand::Verify(verify) => verify.run(),
            LicenseCommand::Inspect { token } => inspect(&token),
        }
    }
}

fn inspect(token: &str) -> Result<Exit, Failure> {
    remark("nexa: not verified: anybody can write such a token");
    let mut exit = Exit::Success;
    each_token(token, |line| match contents(line) {
        Some(contents) => print_line(&contents.to_string()),
        None => {
            exit = Exit::NotValid;
            print_line("null")
        }
    })?;
    Ok(exit)
}

/// Header and payload as they stand.
fn contents(token: &[u8]) -> Option<Value> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let mut segments = token.split(|byte| *byte == b'.');
    let (header, payload, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    let part = |segment: &[u8]| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
    };
    if segments.next().is_some() {
        return None;
    }
    Some(json!({ "header": part(header)?, "payload": part(payload)? }))
}
