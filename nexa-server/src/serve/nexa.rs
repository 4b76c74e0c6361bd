//! A data folder, open in this process.

use std::sync::Arc;

use nexa_core::PlainKey;

use super::background::Background;
use super::call_error::CallError;
use super::open::{self, OpenError, Opened};
use super::shell::Shell;
use crate::config::Config;
use crate::http::Shared;
use crate::sync::{Mutex, lock};

/// An open data folder: its keys, licences and accounts, and the whole HTTP API, without a socket.
///
/// A handle: clones are cheap, share everything, and may be used from any number of threads. A panic in one call spoils
/// none of the others. The folder is held by a lock until the last clone is dropped; a second process, or a second
/// [`Nexa::open`], is refused meanwhile.
///
/// Work in the background (writing down the uses of keys, mails, payments, what ends by the clock) runs on a thread that
/// this starts; no async runtime is needed for it, nor for anything here that is not `async`.
///
/// # What is durable
/// Whatever has been answered with success stands on disk, also after a power cut and when this is dropped without
/// [`Nexa::close`]. When a key was last used, and how often, is written every 5 seconds and at the end: a process that is
/// killed loses that of its last seconds.
///
/// # Time and randomness
/// Those of the operating system.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nexa_server::{Ask, Config, NewKey, Nexa, Overrides, Refusal};
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().to_owned();
///
/// let nexa = Nexa::open(Config::load(None, Overrides {
///     data: Some(data),
///     public_url: Some("https://keys.example.com".to_owned()),
///     ..Overrides::default()
/// })?)?;
/// let agent = nexa.register_agent("Build robot")?;
/// let tenant = nexa.tenant(&agent.tenant_id);
/// let made = tenant.create_key(NewKey::new("ci").scopes(["signals"]))?;
///
/// let facts = nexa.check_key(made.key.expose(), &Ask::new().scope("signals".parse()?))?;
/// assert_eq!(facts.tenant_id(), agent.tenant_id);
///
/// tenant.revoke_key(&made.id)?;
/// let refused = nexa.check_key(made.key.expose(), &Ask::new()).unwrap_err();
/// assert_eq!(refused.refusal(), Some(&Refusal::NotFound));
/// nexa.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Nexa {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared<Shell>>,
    /// Until it is closed.
    background: Mutex<Option<Background>>,
    first_operator_key: Mutex<Option<PlainKey>>,
}

impl Nexa {
    /// Opens the data folder; on an empty one this makes the keys of the server and an operator key. It waits for the disk.
    ///
    /// `listen` of the configuration is not used. Private keys are read as `nexa serve` reads them: from `NEXA_SIGNING_KEY`
    /// and its like in the environment, else from the folder.
    ///
    /// # Errors
    /// [`OpenError::Setting`] also where `public_url` is not set: it is the issuer of every token, and without a listener
    /// there is nothing to guess it from. [`OpenError::Folder`] where the folder is open already.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let Some(public_url) = config.public_url.clone() else {
            return Err(OpenError::Setting(
                "public_url: must be set where there is no listener: tokens name it as their issuer"
                    .to_owned(),
            ));
        };
        Self::open_at(&config, public_url)
    }

    pub(super) fn open_at(config: &Config, public_url: String) -> Result<Self, OpenError> {
        let Opened {
            app,
            first_operator_key,
        } = open::open(config, public_url)?;
        let shell =
            Arc::new(Shell::new(app).map_err(|error| OpenError::Setting(error.to_string()))?);
        let shared = Arc::new(Shared::new(Arc::clone(&shell), config.http.clone())?);
        // Last: a thread that nobody ends would hold the folder.
        let background = Background::start(&shell)?;
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                background: Mutex::new(Some(background)),
                first_operator_key: Mutex::new(first_operator_key),
            }),
        })
    }

    /// The operator key of the first start, once. It is not kept in readable form: who lets it go makes another one with
    /// `nexa operator-key` while the folder is closed.
    pub fn take_first_operator_key(&self) -> Option<PlainKey> {
        lock(&self.inner.first_operator_key).take()
    }

    /// Ends the work in the background and writes what is pending; calls by other clones are refused from now on
    /// ([`CallError::Closed`], and 503 for requests), those under way still end. What runs in the
    /// background is waited for, 5 seconds at most: a webhook whose receiver has not answered by then is sent again when the folder
    /// is opened next. This blocks: in async code run it on a thread that may.
    ///
    /// The folder is free again when the last clone, and the last call under way, is gone. Dropping the last clone closes too.
    ///
    /// # Errors
    /// [`CallError::Store`] when the store has failed while it was open; what was acknowledged is safe.
    pub fn close(self) -> Result<(), CallError> {
        self.inner.close();
        match self.shell().app.services().store.failed() {
            true => Err(CallError::Store("see the log".to_owned())),
            false => Ok(()),
        }
    }

    pub(super) fn open_shell(&self) -> Result<&Arc<Shell>, CallError> {
        match self.shell().is_closed() {
            false => Ok(self.shell()),
            true => Err(CallError::Closed),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<Shell>> {
        &self.inner.shared
    }

    pub(super) fn shell(&self) -> &Arc<Shell> {
        self.inner.shared.service()
    }
}

impl Inner {
    fn close(&self) {
        self.shared.service().close();
        self.shared.stop_websockets();
        let background = lock(&self.background).take();
        if let Some(background) = background {
            background.stop();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
