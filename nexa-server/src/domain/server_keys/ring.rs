//! Private halves in memory, and the state of the keys that requests go by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use nexa_core::{KeyUse, LicenseIssuer, SigningKey, VerificationKey};
use rand_core::CryptoRng;

use super::super::error::Error;
use super::super::trust::TrustedIssuers;
use super::files::{draw, load, warn_of_unknown_files};
use super::key_set;
use super::{Issuing, Standing, changes, standing, verification_key};
use crate::store::key_file::RotatedKeys;
use crate::store::server_keys::{self, ServerKey};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// The keys of the server. Shared with the transactions that sign.
pub(crate) struct KeyRing {
    issuer: String,
    opened_at: UnixMillis,
    files: RotatedKeys,
    /// `None` where it is kept elsewhere.
    root: Option<SigningKey>,
    trusted: Arc<TrustedIssuers>,
    /// By kid; a key is here before its row is.
    private: RwLock<BTreeMap<String, SigningKey>>,
    known: RwLock<Arc<Issuing>>,
    /// So that of two changes at once the later one stays.
    reloading: Mutex<()>,
    /// Rows may have changed since `known` was read.
    is_behind: AtomicBool,
}

/// What a ring is made of.
pub(crate) struct Setup {
    /// The public URL.
    pub(crate) issuer: String,
    pub(crate) files: RotatedKeys,
    pub(crate) root: Option<SigningKey>,
    pub(crate) trusted: TrustedIssuers,
    pub(crate) given: Given,
}

/// The keys from files and environment: the first of each use, or those that the operator has put in their place.
pub(crate) struct Given {
    /// `None` where it has been rotated out and moved away.
    pub(crate) license: Option<SigningKey>,
    pub(crate) status: Option<SigningKey>,
    pub(crate) audit: VerificationKey,
}

impl KeyRing {
    /// Takes the given keys in, loads those that came after them, and publishes the key set that says so.
    ///
    /// # Errors
    /// `Invalid` naming the key or the setting: a key that signs is missing or has two uses, the root key is another than
    /// the one that clients may have embedded, `public_url` cannot stand as an issuer.
    pub(crate) fn open(
        store: &Store,
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        setup: Setup,
    ) -> Result<Self, Error> {
        let Setup {
            issuer,
            files,
            root,
            trusted,
            given,
        } = setup;
        let Given {
            license: given_license,
            status: given_status,
            audit,
        } = given;
        let license = given_license.as_ref().map(SigningKey::verification_key);
        let status = given_status.as_ref().map(SigningKey::verification_key);
        let rows = store.read(super::list)?;
        let mut private: BTreeMap<String, SigningKey> = [given_license, given_status]
            .into_iter()
            .flatten()
            .map(|key| (key.kid().to_owned(), key))
            .collect();
        for row in rows
            .iter()
            .filter(|row| row.key_use != KeyUse::Audit.name())
        {
            if !private.contains_key(&row.kid) && standing(row, now).is_in_force() {
                match load(&files, &row.kid)? {
                    Some(key) => drop(private.insert(row.kid.clone(), key)),
                    None if standing(row, now) == Standing::Waiting => tracing::warn!(
                        kid = row.kid,
                        "the file of a key that is to sign is missing; revoke it, so that another one can"
                    ),
                    None => {}
                }
            }
        }
        warn_of_unknown_files(&files, &rows)?;
        let mut drawn = None;
        let status = match status {
            Some(key) => key,
            None => match signing(&rows, now, KeyUse::Status) {
                Some(row) if private.contains_key(&row.kid) => verification_key(row)?,
                // What a lost status key has signed is signed anew.
                row => {
                    if row.is_some() && root.is_none() {
                        tracing::error!(
                            "the status key is missing, and another one was made: clients refuse what it signs until the root \
                             key has signed a key set with it; if the file was only moved, put it back and start again"
                        );
                    }
                    let key = draw(&files, rng)?;
                    let public = key.verification_key();
                    drawn = Some(key.kid().to_owned());
                    private.insert(key.kid().to_owned(), key);
                    public
                }
            },
        };
        let known: BTreeSet<String> = private.keys().cloned().collect();
        let (signer, url) = (root.clone(), issuer.clone());
        // All or nothing: a start that is refused leaves no key behind.
        let published = store.write(move |tx| -> Result<_, Error> {
            let is_here = |kid: &str| known.contains(kid);
            if let Some(license) = &license {
                changes::adopt(tx, now, KeyUse::License, license, is_here)?;
            }
            changes::adopt(tx, now, KeyUse::Status, &status, is_here)?;
            changes::adopt(tx, now, KeyUse::Audit, &audit, is_here)?;
            match &signer {
                Some(root) => key_set::publish_anew(tx, now, root, &url),
                None => key_set::published(tx, now, &url),
            }
        });
        // Where the store failed, nobody knows whether the row is there.
        let is_refused = published
            .as_ref()
            .is_err_and(|error| !matches!(error, Error::Store(_)));
        if let Some(kid) = drawn.filter(|_| is_refused)
            && let Err(error) = files.remove(&kid)
        {
            tracing::warn!(kid, %error, "a key that came to no use could not be removed");
        }
        if !published?.is_current {
            warn_of_old_key_set();
        }
        let trusted = Arc::new(trusted);
        let issuing = show(store, now, &issuer, &trusted, |kid| {
            private.get(kid).cloned()
        })?;
        Ok(Self {
            issuer,
            opened_at: now,
            files,
            root,
            trusted,
            private: RwLock::new(private),
            known: RwLock::new(Arc::new(issuing)),
            reloading: Mutex::new(()),
            is_behind: AtomicBool::new(false),
        })
    }

    /// The public URL.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When this process began.
    pub(crate) const fn opened_at(&self) -> UnixMillis {
        self.opened_at
    }

    /// The state of the keys as of the last change that was answered.
    pub(crate) fn issuing(&self) -> Arc<Issuing> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs for this use, as the transaction sees it.
    pub(crate) fn signing_key(&self, tx: &Tx<'_>, key_use: KeyUse) -> Result<SigningKey, Error> {
        let row = server_keys::signing(tx, key_use.name())?;
        row.and_then(|row| self.private(&row.kid))
            .ok_or_else(|| Error::Fault(format!("no key signs for {}", key_use.name())))
    }

    /// Who issues licences, as the transaction sees it.
    pub(crate) fn license_issuer(&self, tx: &Tx<'_>) -> Result<LicenseIssuer, Error> {
        self.issuer_with(self.signing_key(tx, KeyUse::License)?)
    }

    /// Who issued licences with that key; `None` when the key is not to be used any more, or is not here.
    pub(crate) fn license_issuer_of(
        &self,
        tx: &Tx<'_>,
        now: UnixMillis,
        kid: &str,
    ) -> Result<Option<LicenseIssuer>, Error> {
        let row = server_keys::find(tx, kid)?;
        let key = row
            .filter(|row| row.key_use == KeyUse::License.name() && standing(row, now).is_in_force())
            .and_then(|row| self.private(&row.kid));
        key.map(|key| self.issuer_with(key)).transpose()
    }

    /// A new key, in its file and in memory, whose row is still to be written.
    ///
    /// # Errors
    /// `Fault` when the file cannot be written.
    pub(crate) fn draw(&self, rng: &mut dyn CryptoRng) -> Result<VerificationKey, Error> {
        let key = draw(&self.files, rng)?;
        let public = key.verification_key();
        self.will_change();
        self.write_private().insert(key.kid().to_owned(), key);
        Ok(public)
    }

    /// Goes by what the rows say after a change for which `new` was drawn; `done` says whether the change has made use of it.
    ///
    /// # Errors
    /// What `done` says.
    pub(crate) fn settle<T>(
        &self,
        store: &Store,
        now: UnixMillis,
        new: &VerificationKey,
        done: Result<(T, bool), Error>,
    ) -> Result<T, Error> {
        match &done {
            // Where the store failed, nobody knows whether the row is there.
            Ok((_, true)) | Err(Error::Store(_)) => {}
            Ok((_, false)) | Err(_) => {
                let kid = new.kid();
                self.write_private().remove(kid);
                if let Err(error) = self.files.remove(kid) {
                    tracing::warn!(kid, %error, "a key that came to no use could not be removed");
                }
            }
        }
        let (answer, _) = done?;
        self.reload(store, now)?;
        Ok(answer)
    }

    /// Signs the key set that the rows ask for, if the root key is here; within the transaction that changes them.
    pub(crate) fn publish(&self, tx: &Tx<'_>, now: UnixMillis) -> Result<(), Error> {
        key_set::publish(tx, now, self.root.as_ref(), &self.issuer)
    }

    /// Has the next round go by what the rows say, if whoever changes them does not come to it.
    pub(crate) fn will_change(&self) {
        self.is_behind.store(true, Ordering::SeqCst);
    }

    /// Whether the private half of that key is here.
    pub(crate) fn is_here(&self, kid: &str) -> bool {
        self.private(kid).is_some()
    }

    /// Goes by what the rows say.
    pub(crate) fn reload(&self, store: &Store, now: UnixMillis) -> Result<(), Error> {
        let _one = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.is_behind.store(false, Ordering::SeqCst);
        match show(store, now, &self.issuer, &self.trusted, |kid| {
            self.private(kid)
        }) {
            Ok(issuing) => {
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(issuing);
                Ok(())
            }
            Err(error) => {
                self.will_change();
                Err(error)
            }
        }
    }

    /// What is due by the clock: keys that take over, keys that are over, a key set that is no longer what it should be.
    pub(crate) fn go_on(self: &Arc<Self>, store: &Store, now: UnixMillis) -> Result<(), Error> {
        let is_due = store.read(|tx| -> Result<_, Error> {
            let is_due = |row: &ServerKey| {
                changes::is_early(row, now)
                    || (changes::is_ready(row, now) && self.is_here(&row.kid))
            };
            let is_outdated = self.root.is_some() && key_set::is_due(tx, now, &self.issuer)?;
            Ok(is_outdated || super::list(tx)?.iter().any(is_due))
        })?;
        if is_due {
            self.will_change();
            let ring = Arc::clone(self);
            store.write(move |tx| -> Result<(), Error> {
                changes::heal(tx, now)?;
                changes::take_over(tx, now, |kid| ring.is_here(kid))?;
                ring.publish(tx, now)
            })?;
        }
        let known = self.issuing();
        let now_s = now.seconds().get();
        let is_over = known.over_at_s.is_some_and(|over_at_s| over_at_s <= now_s);
        if is_over || self.is_behind.load(Ordering::SeqCst) {
            self.reload(store, now)?;
            if known.key_set.is_current && !self.issuing().key_set.is_current {
                warn_of_old_key_set();
            }
        }
        Ok(())
    }

    fn issuer_with(&self, key: SigningKey) -> Result<LicenseIssuer, Error> {
        LicenseIssuer::new(key, &self.issuer)
            .map_err(|error| Error::Fault(format!("issuer of licences: {error}")))
    }

    fn private(&self, kid: &str) -> Option<SigningKey> {
        self.private
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(kid)
            .cloned()
    }

    fn write_private(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, SigningKey>> {
        self.private.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that clients go by an older key set than this server's keys.
fn warn_of_old_key_set() {
    tracing::warn!(
        "the published key set is not current, and the root key is not here to sign: nexa keyset export --unsigned, sign, import"
    );
}

/// What the rows say; `private` is asked after they are read, since a key is in memory before its row is there.
fn show(
    store: &Store,
    now: UnixMillis,
    issuer: &str,
    trusted: &Arc<TrustedIssuers>,
    private: impl FnOnce(&str) -> Option<SigningKey>,
) -> Result<Issuing, Error> {
    let (rows, key_set) = store.read(|tx| -> Result<_, Error> {
        Ok((super::list(tx)?, key_set::published(tx, now, issuer)?))
    })?;
    let key = signing(&rows, now, KeyUse::License)
        .and_then(|row| private(&row.kid))
        .ok_or_else(|| Error::Fault("no key signs tokens".to_owned()))?;
    Issuing::new(now, key, &rows, key_set, issuer, trusted)
}

fn signing(rows: &[ServerKey], now: UnixMillis, key_use: KeyUse) -> Option<&ServerKey> {
    let mut rows = rows.iter().filter(|row| row.key_use == key_use.name());
    rows.find(|row| standing(row, now) == Standing::Signing)
}
