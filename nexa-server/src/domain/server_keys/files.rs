//! Private halves in files: what is here, what is missing, what is new.

use nexa_core::{KeyUse, SigningKey};
use rand_core::CryptoRng;

use super::super::error::Error;
use crate::store::Tx;
use crate::store::key_file::RotatedKeys;
use crate::store::server_keys::{self, ServerKey};

/// What the operator knows the first key by.
const FIRST_KEY: &str = "signing-key.pem";

/// Whether the key that signs tokens is here, or `given` takes its place; before anything else is made or written.
///
/// # Errors
/// `Invalid` for `signing_key`.
pub(crate) fn require_signing_key(
    tx: &Tx<'_>,
    files: &RotatedKeys,
    given: Option<&SigningKey>,
) -> Result<(), Error> {
    let missing = |file: &dyn std::fmt::Display| {
        let rule = format!(
            "{file} is missing; put it back, since a new key would invalidate all that was issued"
        );
        Err(Error::invalid("signing_key", rule))
    };
    let Some(signing) = server_keys::signing(tx, KeyUse::License.name())? else {
        return given.map_or_else(|| missing(&FIRST_KEY), |_| Ok(()));
    };
    // One that is known signs again where the one that followed is gone, unless it was revoked.
    let takes_over = match given {
        Some(given) => {
            server_keys::find(tx, given.kid())?.is_none_or(|known| known.revoked_at_s.is_none())
        }
        None => false,
    };
    match takes_over || load(files, &signing.kid)?.is_some() {
        true => Ok(()),
        false if signing.is_first() => missing(&FIRST_KEY),
        false => missing(&files.path(&signing.kid).display()),
    }
}

/// Says so when there are files that the store does not know: of an older backup, perhaps.
pub(super) fn warn_of_unknown_files(files: &RotatedKeys, rows: &[ServerKey]) -> Result<(), Error> {
    let kids = files
        .kids()
        .map_err(|error| Error::Fault(format!("keys: {error}")))?;
    for kid in kids {
        if !rows.iter().any(|row| row.kid == kid) {
            tracing::warn!(
                kid,
                "a key in keys/ is unknown to the store: a rotation may be lost with the backup that was restored"
            );
        }
    }
    Ok(())
}

/// The key of that id, if its file is here.
pub(super) fn load(files: &RotatedKeys, kid: &str) -> Result<Option<SigningKey>, Error> {
    let refused = |problem: &dyn std::fmt::Display| {
        Error::invalid(
            "server key",
            format!("{}: {problem}", files.path(kid).display()),
        )
    };
    let pem = files.load(kid).map_err(|error| refused(&error))?;
    let key = pem.map(|pem| SigningKey::from_pkcs8_pem(&pem));
    match key.transpose().map_err(|error| refused(&error))? {
        Some(key) if key.kid() != kid => Err(refused(&format!("holds key {}", key.kid()))),
        key => Ok(key),
    }
}

/// A new key, in its file.
pub(super) fn draw(files: &RotatedKeys, rng: &mut dyn CryptoRng) -> Result<SigningKey, Error> {
    let key = SigningKey::generate(rng);
    let fault = |error: &dyn std::fmt::Display| {
        Error::Fault(format!("{}: {error}", files.path(key.kid()).display()))
    };
    let pem = key.to_pkcs8_pem().map_err(|error| fault(&error))?;
    files.keep(key.kid(), &pem).map_err(|error| fault(&error))?;
    Ok(key)
}
