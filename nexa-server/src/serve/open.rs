//! Opening a data folder: its store, its keys, and the app over them.

use std::path::Path;

use nexa_core::{KeyUse, PlainKey};

use super::{keys, now, rng};
use crate::app::{App, Keys};
use crate::config::Config;
use crate::domain::Error;
use crate::domain::apps;
use crate::domain::audit::checkpoint::{self, AuditKey};
use crate::domain::audit::{self, Origin};
use crate::domain::operators::{self, NewOperatorKey};
use crate::domain::principal::Principal;
use crate::domain::server_keys::{self, Given, KeyRing, Setup, key_set};
use crate::domain::trust::TrustedIssuers;
use crate::domain::webhooks::WebhookKeys;
use crate::outbound::mail::MailUrl;
use crate::outbound::payments::MollieSettings;
use crate::store::key_file::{KeyFile, RotatedKeys};
use crate::store::{self, Store};

/// Why a data folder could not be opened. Nothing is left half-open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data folder cannot be used: another process has it open, it belongs to a newer version, or the system said no.
    #[error("{0}")]
    Folder(String),
    /// The signing key could not be read or made.
    #[error("signing key: {0}")]
    SigningKey(String),
    /// The audit key could not be read or made.
    #[error("audit key: {0}")]
    AuditKey(String),
    /// The status key could not be read or made.
    #[error("status key: {0}")]
    StatusKey(String),
    /// The root key could not be read or made.
    #[error("root key: {0}")]
    RootKey(String),
    /// The key of webhooks, or the one before it, could not be read or made.
    #[error("webhook key: {0}")]
    WebhookKey(String),
    /// A setting does not hold together with the others.
    #[error("{0}")]
    Setting(String),
    /// The system gave no thread for the work in the background.
    #[error("cannot start the work in the background: {0}")]
    Thread(#[from] std::io::Error),
}

/// An app over an open data folder, and the operator key of its first start.
pub(super) struct Opened {
    pub(super) app: App,
    /// To be shown once.
    pub(super) first_operator_key: Option<PlainKey>,
}

/// Opens the data folder of a server that is reached at `public_url`. On an empty folder this makes the keys of the server
/// and an operator key.
pub(super) fn open(config: &Config, public_url: String) -> Result<Opened, OpenError> {
    if config.mail.url == MailUrl::Log {
        tracing::warn!(
            "mail.url is log: mails are not sent but logged, links and their tokens included; NEXA_MAIL_URL or \
             [mail] url names a mail server"
        );
    }
    if let Some(mollie) = &config.payments {
        mollie
            .check_public_url(&public_url)
            .map_err(|rule| OpenError::Setting(format!("public_url: {rule}")))?;
    }
    if (config.payments.as_ref()).is_some_and(MollieSettings::takes_no_money) {
        tracing::warn!("mollie.api_key is a test key: payments succeed without any money");
    }
    let mailer = config
        .mail
        .mailer(&public_url)
        .map_err(OpenError::Setting)?;
    let letters = config
        .mail
        .letters(&public_url)
        .map_err(OpenError::Setting)?;
    let setting = |error: Error| OpenError::Setting(error.to_string());
    let store = open_store(&config.data)?;
    let is_first_start = store.read(operators::list).map_err(setting)?.is_empty();
    let files = RotatedKeys::of(&config.data);
    let license = keys::first_key(KeyFile::Signing, &config.data, !is_first_start)?;
    store
        .read(|tx| server_keys::require_signing_key(tx, &files, license.as_ref()))
        .map_err(setting)?;
    let known = store.read(server_keys::list).map_err(setting)?;
    let has_status_key = known.iter().any(|key| key.key_use == KeyUse::Status.name());
    let audit_key = AuditKey::new(keys::own_key(KeyFile::Audit, &config.data)?);
    let has_root = store.read(key_set::has_root).map_err(setting)?;
    let root = keys::first_key(KeyFile::Root, &config.data, has_root)?;
    let root_kid = root.as_ref().map(|root| root.kid().to_owned());
    let webhook_key = keys::own_key(KeyFile::Webhook, &config.data)?;
    let previous_webhook_key = keys::key(KeyFile::PreviousWebhook, &config.data)?;
    let trusted = config.trusted_issuers.iter();
    let setup = Setup {
        issuer: public_url.clone(),
        files,
        root,
        trusted: TrustedIssuers::new(trusted.map(|(issuer, _)| issuer.clone()).collect()),
        given: Given {
            license,
            status: keys::first_key(KeyFile::Status, &config.data, has_status_key)?,
            audit: audit_key.verification_key(),
        },
    };
    let ring = KeyRing::open(&store, now(), &mut rng(), setup).map_err(setting)?;
    warn_of_other_audit_key(&store, &audit_key).map_err(setting)?;
    warn_of_apps(&store, &config.apps, &public_url).map_err(setting)?;
    let known = store.read(server_keys::list).map_err(setting)?;
    let keys = Keys {
        ring,
        audit: audit_key,
        webhooks: WebhookKeys::new(
            webhook_key,
            previous_webhook_key,
            &known,
            root_kid.as_deref(),
        )
        .map_err(setting)?,
    };
    let payments = config.payments.as_ref().map(MollieSettings::client);
    let app = App::new(config, store, keys, mailer, letters, payments).map_err(setting)?;
    // Last: a key that is made and never shown would be lost.
    let first_operator_key = match is_first_start {
        true => Some(new_operator_key(&app.services().store).map_err(setting)?),
        false => None,
    };
    Ok(Opened {
        app,
        first_operator_key,
    })
}

/// Opens the store of a data folder and chains what an earlier version has recorded; the error carries every cause.
pub(crate) fn open_store(data: &Path) -> Result<Store, OpenError> {
    let store =
        Store::open(data, store::MIGRATIONS).map_err(|error| OpenError::Folder(causes(&error)))?;
    audit::adopt(&store).map_err(|error| OpenError::Folder(causes(&error)))?;
    Ok(store)
}

/// An error and all that caused it.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Says so when the newest checkpoint is another key's: it was replaced, or lost, or these are not the folders of one
/// server.
fn warn_of_other_audit_key(store: &Store, key: &AuditKey) -> Result<(), Error> {
    let own_kid = key.verification_key();
    if let Some(kid) = store.read(checkpoint::newest_kid)?
        && kid != own_kid.kid()
    {
        tracing::warn!(
            kid,
            "the newest checkpoint of the audit trail is signed by another key; give both to nexa audit verify"
        );
    }
    Ok(())
}

/// Says which of the operator's apps in the store do not count, or not fully.
fn warn_of_apps(store: &Store, configured: &[apps::App], issuer: &str) -> Result<(), Error> {
    for (app, problem) in store.read(|tx| apps::unusable(tx, configured, issuer))? {
        tracing::warn!(
            app,
            problem,
            "an app that the operator keeps in the store cannot be used as it is"
        );
    }
    Ok(())
}

/// Adds an operator key on the command line's behalf.
pub(crate) fn new_operator_key(store: &Store) -> Result<PlainKey, Error> {
    let now = now();
    let NewOperatorKey { plain, row } = NewOperatorKey::new(now, &mut rng());
    let digest = plain.digest();
    let origin = Origin {
        principal: Principal::Machine,
        address: None,
    };
    store.write(move |tx| operators::create(tx, now, &origin, &row, &digest))?;
    Ok(plain)
}
