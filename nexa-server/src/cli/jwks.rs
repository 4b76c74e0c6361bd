//! `nexa jwks`.

use std::path::PathBuf;

use clap::Args;
use nexa_core::public_jwks;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::input::read_signing_key;
use super::keyset::read_only;
use super::output::print_line;
use crate::domain::server_keys;
use crate::serve::{keys, now};
use crate::store::DATABASE_FILE;
use crate::store::key_file::KeyFile;

#[derive(Args)]
pub(super) struct Jwks {
    /// The signing key: an Ed25519 private key as PKCS#8 PEM. Without it: what a server on the data folder publishes; where
    /// none was started yet, NEXA_SIGNING_KEY or the data folder's.
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
}

impl Jwks {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let key = match self.signing_key {
            Some(file) => read_signing_key(&file)?,
            None if self.data.path()?.join(DATABASE_FILE).is_file() => {
                return self.of_store();
            }
            None => match keys::of_environment(KeyFile::Signing).map_err(Failure::usage)? {
                Some(key) => key,
                None => read_signing_key(&KeyFile::Signing.path(&self.data.path()?))?,
            },
        };
        print_line(&public_jwks(&[key.verification_key()]))?;
        Ok(Exit::Success)
    }

    fn of_store(&self) -> Result<Exit, Failure> {
        let store = read_only(&self.data.with_store()?)?;
        let keys = store
            .read(|tx| server_keys::published(tx, now()))
            .map_err(Failure::failed)?;
        print_line(&public_jwks(&keys))?;
        Ok(Exit::Success)
    }
}
