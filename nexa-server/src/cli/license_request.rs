//! `nexa license request`: what a machine without a network says of itself, in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use nexa_core::FINGERPRINT_KIND;
use serde::{Deserialize, Serialize};

use super::exit::{Exit, Failure};
use super::input::read_file;
use super::output::write_file;
use crate::http::read_json;

const FORMAT: &str = "nexa licence request 1";

/// The file: a body for POST /api/licenses/issue, which ignores `format`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    format: String,
    pub(super) app_id: String,
    pub(super) device: RequestedDevice,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RequestedDevice {
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    components: BTreeMap<String, String>,
    platform: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Request {
    /// Reads a request from a file, naming it in the error, as strictly as the server reads it: no member may stand twice,
    /// so that what a person sees is what is signed.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |problem: &dyn std::fmt::Display| {
            Failure::Usage(format!("{}: {problem}", path.display()))
        };
        let request: Self =
            read_json(&read_file(path)?).map_err(|error| refused(&error.sentence()))?;
        if request.format != FORMAT {
            return Err(refused(&format!("format is not {FORMAT:?}")));
        }
        if request.device.components().is_empty() {
            return Err(refused(&"device has neither fingerprint nor components"));
        }
        if request.device.fingerprint.is_some() && !request.device.components.is_empty() {
            return Err(refused(&"device has both fingerprint and components"));
        }
        Ok(request)
    }

    /// For which app, and for what, in one line; the device wrote it, so nothing in it may act on a terminal.
    pub(super) fn in_words(&self) -> String {
        let platform = &self.device.platform;
        match &self.device.name {
            Some(name) => format!("app {:?}, platform {platform:?}, {name:?}", self.app_id),
            None => format!("app {:?}, platform {platform:?}", self.app_id),
        }
    }
}

impl RequestedDevice {
    /// What a licence for it is bound to.
    pub(super) fn components(&self) -> Vec<(&str, &str)> {
        bound_to(self.components.iter(), self.fingerprint.as_deref())
    }
}

/// The components, or the fingerprint alone.
fn bound_to<'a>(
    components: impl Iterator<Item = (&'a String, &'a String)>,
    fingerprint: Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    let components: Vec<_> = components
        .map(|(kind, value)| (kind.as_str(), value.as_str()))
        .collect();
    match (components.is_empty(), fingerprint) {
        (true, Some(fingerprint)) => vec![(FINGERPRINT_KIND, fingerprint)],
        (true, None) | (false, _) => components,
    }
}

#[derive(Args)]
pub(super) struct MakeRequest {
    /// The app that the licence is for.
    #[arg(long)]
    app: String,
    #[command(flatten)]
    device: DeviceArgs,
    /// The machine's name, for lists of devices.
    #[arg(long)]
    name: Option<String>,
    /// Where to write the request; to standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl MakeRequest {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let mut components = BTreeMap::new();
        for (kind, value) in self.device.components {
            if components.contains_key(&kind) {
                return Err(Failure::Usage(format!(
                    "--component {kind:?} appears twice"
                )));
            }
            components.insert(kind, value);
        }
        let request = Request {
            format: FORMAT.to_owned(),
            app_id: self.app,
            device: RequestedDevice {
                components,
                fingerprint: self.device.fingerprint,
                platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
                name: self.name,
            },
        };
        if request.device.components().is_empty() {
            return Err(Failure::usage("name a --fingerprint or a --component"));
        }
        let mut text = serde_json::to_string_pretty(&request).map_err(Failure::failed)?;
        text.push('\n');
        write_file(self.output.as_deref(), text.as_bytes())?;
        Ok(Exit::Success)
    }
}

/// What tells a device from others.
#[derive(Args)]
pub(super) struct DeviceArgs {
    /// What tells the device from others, 1 to 512 bytes.
    #[arg(long, conflicts_with = "components")]
    pub(super) fingerprint: Option<String>,
    /// A component of the device, such as cpu=0f8b; may be repeated, up to 16 kinds, each once.
    #[arg(long = "component", value_name = "KIND=VALUE", value_parser = component)]
    pub(super) components: Vec<(String, String)>,
}

impl DeviceArgs {
    /// What a licence for it is bound to.
    pub(super) fn components(&self) -> Vec<(&str, &str)> {
        let components = self.components.iter().map(|(kind, value)| (kind, value));
        bound_to(components, self.fingerprint.as_deref())
    }
}

fn component(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((kind, value)) if !kind.is_empty() && !value.is_empty() => {
            Ok((kind.to_owned(), value.to_owned()))
        }
        Some(_) | None => Err("must be KIND=VALUE, both not empty".to_owned()),
    }
}
