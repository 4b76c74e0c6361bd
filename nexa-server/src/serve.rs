//! The shell around the app: data folder, clock, randomness, sockets, signals.

mod background;
mod call_error;
mod check;
mod facts;
pub(crate) mod keys;
pub(crate) mod log;
mod mask;
mod metrics;
mod mount;
mod nexa;
mod open;
mod requests;
mod shell;
mod tenant;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use getrandom::SysRng;
use nexa_core::PlainKey;
use rand_core::{CryptoRng, UnwrapErr};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::http::{Shared, listen};
use crate::time::UnixMillis;
pub use call_error::CallError;
pub use check::{Ask, CheckError, KeyEnvironments, RefusedRequest};
pub use facts::{KeyFacts, MemberFacts, MemberRole, RateLeft, Refusal};
use metrics::Page;
pub use mount::Body;
pub use nexa::Nexa;
pub use open::OpenError;
pub(crate) use open::{causes, new_operator_key, open_store};
pub use tenant::{
    IssuedKey, IssuedLicense, ListedKey, NewKey, NewLicense, RegisteredAgent, Tenant,
};

/// Why a server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The data folder could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The store failed while serving; what was acknowledged is safe.
    #[error("the store failed; see the log")]
    StoreFailed,
    /// The runtime could not be set up.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A [`Nexa`] with a port of its own, ready to serve.
pub struct Server {
    listener: TcpListener,
    /// Where metrics are asked for.
    metrics_listener: Option<TcpListener>,
    nexa: Nexa,
    address: SocketAddr,
}

impl Server {
    /// Binds the address and opens the data folder. On an empty folder this makes the keys of the server and an
    /// operator key.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left half-open.
    pub async fn open(config: Config) -> Result<Self, ServeError> {
        let listener = bind(config.listen).await?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let address = listener.local_addr()?;
        let public_url = match &config.public_url {
            Some(url) => url.clone(),
            None => {
                let url = format!("http://{address}");
                if address.ip().is_unspecified() || config.listen.port() == 0 {
                    tracing::warn!(
                        public_url = url,
                        "public_url is not set: this is what tokens name as their issuer"
                    );
                }
                url
            }
        };
        let nexa = Nexa::open_at(&config, public_url)?;
        if let Some(listener) = &metrics_listener {
            let address = listener.local_addr()?;
            tracing::info!("metrics on http://{address}/metrics");
        }
        Ok(Self {
            listener,
            metrics_listener,
            nexa,
            address,
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same data folder for calls in process.
    pub fn nexa(&self) -> &Nexa {
        &self.nexa
    }

    /// The operator key of the first start, once.
    pub fn take_first_operator_key(&mut self) -> Option<PlainKey> {
        self.nexa.take_first_operator_key()
    }

    /// Serves until `shutdown` resolves, then lets running requests finish and writes what is pending.
    ///
    /// # Errors
    /// [`ServeError::StoreFailed`] when the store can no longer be trusted to keep what it is given.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let shared = Arc::clone(self.nexa.shared());
        let failed = Arc::new(tokio::sync::Notify::new());
        let failure = Arc::clone(&failed);
        let store = &shared.service().app.services().store;
        store.on_failure(move || failure.notify_one());
        let stop = async {
            tokio::select! {
                () = shutdown => {}
                () = failed.notified() => {}
            }
        };
        let done = Arc::new(tokio::sync::Notify::new());
        let page = match self.metrics_listener {
            None => None,
            Some(listener) => {
                let page = Arc::new(Page(Arc::clone(shared.service())));
                let page = Arc::new(Shared::new(page, metrics::LIMITS)?);
                let done = Arc::clone(&done);
                let stop = async move { done.notified().await };
                Some(tokio::spawn(listen(listener, page, stop)))
            }
        };
        listen(self.listener, shared, stop).await?;
        done.notify_one();
        if let Some(page) = page {
            page.await.map_err(io::Error::other)??;
        }
        let nexa = self.nexa;
        let closed = tokio::task::spawn_blocking(move || nexa.close()).await;
        closed
            .map_err(io::Error::other)?
            .map_err(|_| ServeError::StoreFailed)
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    (TcpListener::bind(address).await).map_err(|error| ServeError::Listen { address, error })
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the shell is where time enters")]
pub(crate) fn now() -> UnixMillis {
    shell::unix_millis(SystemTime::now())
}

/// The operating system's random source. Without it nothing can be issued, so its failure is fatal.
pub(crate) fn rng() -> impl CryptoRng {
    UnwrapErr(SysRng)
}
