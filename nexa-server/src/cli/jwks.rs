//! `nexa jwks`.

use std::path::PathBuf;

use clap::Args;
use nexa_core::{SigningKey, public_jwks};
use zeroize::Zeroizing;

use super::exit::{Exit, Failure};
use super::input::{print_line, read_text};

#[derive(Args)]
pub(super) struct Jwks {
    /// The signing key: an Ed25519 private key as PKCS#8 PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    signing_key: Option<PathBuf>,
    /// The data folder whose signing key is meant.
    #[arg(
        long,
        env = "NEXA_DATA",
        value_name = "FOLDER",
        default_value = "./nexa-data"
    )]
    data: PathBuf,
}

impl Jwks {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let path = self
            .signing_key
            .unwrap_or_else(|| crate::store::signing_key::path(&self.data));
        let pem = Zeroizing::new(read_text(&path)?);
        let key = SigningKey::from_pkcs8_pem(&pem)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        print_line(&public_jwks(&[key.verification_key()]))?;
        Ok(Exit::Success)
    }
}
