//! The private keys of a server: from the environment, else from files in its data folder.

use std::env::VarError;
use std::path::Path;

use nexa_core::SigningKey;
use zeroize::Zeroizing;

use super::{OpenError, rng};
use crate::store::key_file::KeyFile;

/// The audit key or the key of webhooks: where it is missing, a new one is made. Folders of earlier versions have none, and
/// what a lost one has signed stays valid under its public half.
pub(super) fn own_key(file: KeyFile, data: &Path) -> Result<SigningKey, OpenError> {
    match key(file, data)? {
        Some(key) => Ok(key),
        None => new_key(file, data),
    }
}

/// The first key of a use; it is made while nothing is known of one. Later it may have been replaced and moved away, or, for
/// the root key, be kept elsewhere.
pub(super) fn first_key(
    file: KeyFile,
    data: &Path,
    is_known: bool,
) -> Result<Option<SigningKey>, OpenError> {
    match key(file, data)? {
        None if !is_known => new_key(file, data).map(Some),
        key => Ok(key),
    }
}

/// The key in the environment, else in the data folder, if there is one.
pub(crate) fn key(file: KeyFile, data: &Path) -> Result<Option<SigningKey>, OpenError> {
    if let Some(key) = of_environment(file)? {
        return Ok(Some(key));
    }
    match file.load(data).map_err(|error| refused(file, &error))? {
        Some(pem) => SigningKey::from_pkcs8_pem(&pem)
            .map(Some)
            .map_err(|error| refused(file, &error)),
        None => Ok(None),
    }
}

/// The key in `NEXA_SIGNING_KEY`, `NEXA_AUDIT_KEY`, `NEXA_STATUS_KEY`, `NEXA_ROOT_KEY`, `NEXA_WEBHOOK_KEY` or
/// `NEXA_PREVIOUS_WEBHOOK_KEY` (PKCS#8 PEM), if it is set.
pub(crate) fn of_environment(file: KeyFile) -> Result<Option<SigningKey>, OpenError> {
    let name = match file {
        KeyFile::Signing => "NEXA_SIGNING_KEY",
        KeyFile::Audit => "NEXA_AUDIT_KEY",
        KeyFile::Status => "NEXA_STATUS_KEY",
        KeyFile::Root => "NEXA_ROOT_KEY",
        KeyFile::Webhook => "NEXA_WEBHOOK_KEY",
        KeyFile::PreviousWebhook => "NEXA_PREVIOUS_WEBHOOK_KEY",
    };
    match std::env::var(name).map(Zeroizing::new) {
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(refused(file, &format!("{name} is not UTF-8"))),
        Ok(pem) => SigningKey::from_pkcs8_pem(&pem)
            .map(Some)
            .map_err(|error| refused(file, &format!("{name}: {error}"))),
    }
}

fn new_key(file: KeyFile, data: &Path) -> Result<SigningKey, OpenError> {
    let key = SigningKey::generate(&mut rng());
    let pem = key.to_pkcs8_pem().map_err(|error| refused(file, &error))?;
    file.keep(data, &pem)
        .map_err(|error| refused(file, &error))?;
    Ok(key)
}

fn refused(file: KeyFile, problem: &dyn std::fmt::Display) -> OpenError {
    match file {
        KeyFile::Signing => OpenError::SigningKey(problem.to_string()),
        KeyFile::Audit => OpenError::AuditKey(problem.to_string()),
        KeyFile::Status => OpenError::StatusKey(problem.to_string()),
        KeyFile::Root => OpenError::RootKey(problem.to_string()),
        KeyFile::Webhook | KeyFile::PreviousWebhook => OpenError::WebhookKey(problem.to_string()),
    }
}
