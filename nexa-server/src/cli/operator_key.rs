//! `nexa operator-key`.

use std::path::PathBuf;

use clap::Args;
use nexa_core::PlainKey;
use nexa_core::check_issuer;
use serde_json::Value;
use ureq::http::{HeaderValue, Uri};

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::input::read_text;
use super::output::print_line;
use crate::serve::{new_operator_key, open_store};

#[derive(Args)]
pub(super) struct OperatorKey {
    #[command(flatten)]
    data: DataFolder,
    /// A running server. The operator key comes from NEXA_OPERATOR_KEY or from --key-file.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file that holds the operator key for --server.
    #[arg(long, value_name = "FILE", requires = "server")]
    key_file: Option<PathBuf>,
}

impl OperatorKey {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match &self.server {
            Some(server) => self.ask(server),
            None => {
                let store = open_store(&self.data.with_store()?).map_err(|error| {
                    Failure::Failed(format!(
                        "{error}; of a running server, ask with --server URL"
                    ))
                })?;
                let key = new_operator_key(&store).map_err(Failure::failed)?;
                print_line(key.expose())?;
                Ok(Exit::Success)
            }
        }
    }

    /// Asks a running server.
    fn ask(&self, server: &str) -> Result<Exit, Failure> {
        let key = match &self.key_file {
            Some(file) => read_text(file)?,
            None => std::env::var("NEXA_OPERATOR_KEY")
                .map_err(|_| Failure::usage("set NEXA_OPERATOR_KEY or name a --key-file"))?,
        };
        let key = operator_key_header(key.trim())?;
        let server = server.trim_end_matches('/');
        let url = format!("{}/api/operator/keys", http_url(server)?);
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build(),
        );
        let mut response = agent
            .post(&url)
            .header("X-API-Key", key)
            .send_empty()
            .map_err(|error| Failure::Failed(format!("{url}: {error}")))?;
        let body = response
            .body_mut()
            .read_to_string()
            .map_err(|error| Failure::Failed(format!("{url}: {error}")))?;
        let body: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        match body.get("key").and_then(Value::as_str) {
            Some(key) => {
                print_line(key)?;
                Ok(Exit::Success)
            }
            None => {
                let reason = body
                    .get("error")
                    .and_then(Value::as_str)
                    .unwrap_or("an answer that is none of ours");
                Err(Failure::Failed(format!(
                    "{url}: {}: {reason}",
                    response.status()
                )))
            }
        }
    }
}

/// A URL that a request can be sent to.
fn http_url(url: &str) -> Result<&str, Failure> {
    check_issuer(url).map_err(|error| Failure::Usage(format!("--server: {url:?}: {error}")))?;
    match url.parse::<Uri>() {
        Ok(_) => Ok(url),
        Err(error) => Err(Failure::Usage(format!("--server: {url:?}: {error}"))),
    }
}

/// The operator key as a header value; what cannot be one is not repeated, it may be some other secret.
fn operator_key_header(key: &str) -> Result<HeaderValue, Failure> {
    match PlainKey::from_presented(key).map(|key| HeaderValue::from_str(key.expose())) {
        Some(Ok(mut value)) => {
            value.set_sensitive(true);
            Ok(value)
        }
        Some(Err(_)) | None => Err(Failure::usage(
            "the operator key must be 1 to 256 printable ASCII characters without spaces",
        )),
    }
}
