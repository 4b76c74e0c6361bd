//! `nexa jwks`.

use std::path::PathBuf;

use clap::Args;
use nexa_core::public_jwks;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::input::read_signing_key;
use super::output::print_line;
use crate::serve::keys;
use crate::store::key_file::KeyFile;

#[derive(Args)]
pub(super) struct Jwks {
    /// The signing key: an Ed25519 private key as PKCS#8 PEM. Without it: NEXA_SIGNING_KEY, or the data folder's.
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
}

impl Jwks {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let key = match self.signing_key {
            Some(file) => read_signing_key(&file)?,
            None => match keys::of_environment(KeyFile::Signing).map_err(Failure::usage)? {
                Some(key) => key,
                None => read_signing_key(&KeyFile::Signing.path(&self.data.path()?))?,
            },
        };
        print_line(&public_jwks(&[key.verification_key()]))?;
        Ok(Exit::Success)
    }
}
