//! The shell around the app: data folder, clock, randomness, sockets, signals.

mod background;
pub(crate) mod keys;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use getrandom::SysRng;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use nexa_core::{KeyUse, PlainKey};
use rand_core::{CryptoRng, UnwrapErr};
use tokio::net::TcpListener;

use crate::app::{App, Call};
use crate::config::Config;
use crate::domain::Error;
use crate::domain::apps;
use crate::domain::audit::checkpoint::{self, AuditKey};
use crate::domain::audit::{self, Origin};
use crate::domain::operators::{self, NewOperatorKey};
use crate::domain::principal::Principal;
use crate::domain::server_keys::{self, Given, KeyRing, Setup, key_set};
use crate::domain::trust::TrustedIssuers;
use crate::http::{BodyProblem, Outcome, Plan, Serve, listen};
use crate::job;
use crate::outbound::mail::MailUrl;
use crate::outbound::payments::MollieSettings;
use crate::store::key_file::{KeyFile, RotatedKeys};
use crate::store::{self, Store};
use crate::time::UnixMillis;
use background::Background;

/// Why a server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder could not be opened.
    #[error("{0}")]
    Open(String),
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
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A setting does not hold together with the others.
    #[error("{0}")]
    Setting(String),
    /// The store failed while serving; what was acknowledged is safe.
    #[error("the store failed; see the log")]
    StoreFailed,
    /// The runtime could not be set up.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A server that holds its port and its data folder, ready to serve.
pub struct Server {
    listener: TcpListener,
    shell: Arc<Shell>,
    limits: crate::http::Limits,
    /// The operator key that the first start made: to be shown once.
    first_operator_key: Option<PlainKey>,
    address: SocketAddr,
}

struct Shell {
    app: App,
    /// Whether the work in the background is to end.
    is_stopping: AtomicBool,
}

impl Server {
    /// Opens the data folder and binds the address. On an empty folder this makes the keys of the server and an
    /// operator key.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left half-open.
    pub async fn open(config: Config) -> Result<Self, ServeError> {
        let listener =
            TcpListener::bind(config.listen)
                .await
                .map_err(|error| ServeError::Listen {
                    address: config.listen,
                    error,
                })?;
        let address = listener.local_addr()?;
        let public_url = config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}"));
        if config.public_url.is_none()
            && (address.ip().is_unspecified() || config.listen.port() == 0)
        {
            tracing::warn!(
                public_url,
                "public_url is not set: this is what tokens name as their issuer"
            );
        }
        if config.mail.url == MailUrl::Log {
            tracing::warn!(
                "mail.url is log: mails are not sent but logged, links and their tokens included; NEXA_MAIL_URL or \
                 [mail] url names a mail server"
            );
        }
        if let Some(mollie) = &config.payments {
            mollie
                .check_public_url(&public_url)
                .map_err(|rule| ServeError::Setting(format!("public_url: {rule}")))?;
        }
        if (config.payments.as_ref()).is_some_and(MollieSettings::takes_no_money) {
            tracing::warn!("mollie.api_key is a test key: payments succeed without any money");
        }
        let mailer = config
            .mail
            .mailer(&public_url)
            .map_err(ServeError::Setting)?;
        let letters = config
            .mail
            .letters(&public_url)
            .map_err(ServeError::Setting)?;
        let setting = |error: Error| ServeError::Setting(error.to_string());
        let store = open_store(&config.data)?;
        let is_first_start = store.read(operators::list).map_err(setting)?.is_empty();
        let files = RotatedKeys::of(&config.data);
        let license = keys::first_key(KeyFile::Signing, &config.data, !is_first_start)?;
        store
            .read(|tx| server_keys::require_signing_key(tx, &files, license.as_ref()))
            .map_err(setting)?;
        let known = store.read(server_keys::list).map_err(setting)?;
        let has_status_key = known.iter().any(|key| key.key_use == KeyUse::Status.name());
        let audit_key = AuditKey::new(keys::audit_key(&config.data)?);
        let has_root = store.read(key_set::has_root).map_err(setting)?;
        let trusted = config.trusted_issuers.iter();
        let setup = Setup {
            issuer: public_url.clone(),
            files,
            root: keys::first_key(KeyFile::Root, &config.data, has_root)?,
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
        let payments = config.payments.as_ref().map(MollieSettings::client);
        let app = App::new(&config, store, ring, audit_key, mailer, letters, payments)
            .map_err(setting)?;
        // Last: a key that is made and never shown would be lost.
        let first_operator_key = match is_first_start {
            true => Some(new_operator_key(&app.services().store).map_err(setting)?),
            false => None,
        };
        Ok(Self {
            listener,
            shell: Arc::new(Shell {
                app,
                is_stopping: AtomicBool::new(false),
            }),
            limits: config.http,
            first_operator_key,
            address,
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The operator key of the first start, once.
    pub fn take_first_operator_key(&mut self) -> Option<PlainKey> {
        self.first_operator_key.take()
    }

    /// Serves until `shutdown` resolves, then lets running requests finish and writes what is pending.
    ///
    /// # Errors
    /// [`ServeError::StoreFailed`] when the store can no longer be trusted to keep what it is given.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let (shell, store) = (
            Arc::clone(&self.shell),
            self.shell.app.services().store.clone(),
        );
        let background = Background::start(&shell);
        let failed = Arc::new(tokio::sync::Notify::new());
        let failure = Arc::clone(&failed);
        store.on_failure(move || failure.notify_one());
        let stop = async {
            tokio::select! {
                () = shutdown => {}
                () = failed.notified() => {}
            }
        };
        listen(self.listener, Arc::clone(&shell), self.limits, stop).await?;
        background.stop(&shell);
        let last = Arc::clone(&shell);
        tokio::task::spawn_blocking(move || job::last_tick(last.app.services(), now()))
            .await
            .map_err(io::Error::other)?;
        if store.failed() {
            Err(ServeError::StoreFailed)
        } else {
            Ok(())
        }
    }
}

impl Serve for Shell {
    fn plan(&self, head: &Parts) -> Plan {
        self.app.plan(head)
    }

    fn handle(&self, peer: SocketAddr, head: &Parts, body: &Bytes, may_block: bool) -> Outcome {
        let mut rng = rng();
        self.app.handle(
            Call {
                now: now(),
                rng: &mut rng,
                peer: peer.ip(),
                may_block,
            },
            head,
            body,
        )
    }

    fn refuse(&self, head: Option<&Parts>, problem: BodyProblem) -> Response<Bytes> {
        self.app.refuse(head, problem)
    }
}

/// Opens the store of a data folder and chains what an earlier version has recorded; the error carries every cause.
pub(crate) fn open_store(data: &Path) -> Result<Store, ServeError> {
    let store =
        Store::open(data, store::MIGRATIONS).map_err(|error| ServeError::Open(causes(&error)))?;
    audit::adopt(&store).map_err(|error| ServeError::Open(causes(&error)))?;
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

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the shell is where time enters")]
pub(crate) fn now() -> UnixMillis {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The operating system's random source. Without it nothing can be issued, so its failure is fatal.
pub(crate) fn rng() -> impl CryptoRng {
    UnwrapErr(SysRng)
}
