//! What unit tests share.

use std::sync::{Arc, Mutex};

use hyper::Response;
use hyper::body::Bytes;
use nexa_core::SigningKey;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::app::{App, Keys};
use crate::config::{Config, Overrides};
use crate::domain::Error;
use crate::domain::audit::checkpoint::AuditKey;
use crate::domain::server_keys::{Given, KeyRing, Setup};
use crate::domain::trust::TrustedIssuers;
use crate::domain::webhooks::WebhookKeys;
use crate::http::Outcome;
use crate::outbound::mail::{MailError, Mailer, Message};
use crate::outbound::payments::MollieSettings;
pub(crate) use crate::outbound::payments::imitation as mollie;
use crate::store::key_file::RotatedKeys;
use crate::store::{MIGRATIONS, Store};
use crate::time::UnixMillis;

#[path = "../tests/it/issuer.rs"]
pub(crate) mod issuer;

/// An app on a fresh data folder, with the sample configuration as `change` leaves it: no socket, no clock.
pub(crate) fn app(change: impl FnOnce(&mut Config)) -> (App, tempfile::TempDir) {
    let (app, folder, _) = app_with_mail(change);
    (app, folder)
}

/// As [`app`], with whoever takes its mails.
pub(crate) fn app_with_mail(
    change: impl FnOnce(&mut Config),
) -> (App, tempfile::TempDir, Arc<RecordingMailer>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), MIGRATIONS).unwrap();
    let (app, mailer) = app_on(store, change);
    (app, folder, mailer)
}

/// As [`app_with_mail`], on a store that is open.
pub(crate) fn app_on(
    store: Store,
    change: impl FnOnce(&mut Config),
) -> (App, Arc<RecordingMailer>) {
    let mut config = Config::load(None, Overrides::default()).unwrap();
    change(&mut config);
    let start = UnixMillis::from_ms(1_800_000_000_000);
    let ring = ring(&store, start, &config, Some(root_key())).unwrap();
    app_with(store, &config, ring)
}

/// As [`app_on`], started at another time.
pub(crate) fn app_at(store: Store, now: UnixMillis) -> (App, Arc<RecordingMailer>) {
    let config = Config::load(None, Overrides::default()).unwrap();
    let ring = ring(&store, now, &config, Some(root_key())).unwrap();
    app_with(store, &config, ring)
}

/// As [`app_on`], with the keys that are given.
pub(crate) fn app_with(
    store: Store,
    config: &Config,
    ring: KeyRing,
) -> (App, Arc<RecordingMailer>) {
    let letters = config.mail.letters(ISSUER).unwrap();
    let mailer = Arc::new(RecordingMailer::default());
    let keys = Keys {
        webhooks: WebhookKeys::new(seeded_key(10), None, &[], None).unwrap(),
        audit: AuditKey::new(seeded_key(8)),
        ring,
    };
    let app = App::new(
        config,
        store,
        keys,
        Arc::clone(&mailer) as _,
        letters,
        config.payments.as_ref().map(MollieSettings::client),
    )
    .unwrap();
    (app, mailer)
}

/// What every app in unit tests is reached at.
pub(crate) const ISSUER: &str = "https://auth.example.com";

/// The root key of every app in unit tests.
pub(crate) fn root_key() -> SigningKey {
    seeded_key(6)
}

pub(crate) fn seeded_key(seed: u64) -> SigningKey {
    SigningKey::generate(&mut SeededRng::new(seed))
}

/// The keys of a server; what comes after the first ones stands in the store's folder.
pub(crate) fn ring(
    store: &Store,
    now: UnixMillis,
    config: &Config,
    root: Option<SigningKey>,
) -> Result<KeyRing, Error> {
    let given = Given {
        license: Some(seeded_key(7)),
        status: Some(seeded_key(9)),
        audit: seeded_key(8).verification_key(),
    };
    ring_with(store, now, config, root, given)
}

/// As [`ring`], with these keys from files or environment.
pub(crate) fn ring_with(
    store: &Store,
    now: UnixMillis,
    config: &Config,
    root: Option<SigningKey>,
    given: Given,
) -> Result<KeyRing, Error> {
    let trusted = config.trusted_issuers.iter();
    let setup = Setup {
        issuer: ISSUER.to_owned(),
        files: RotatedKeys::of(store.folder()),
        root,
        trusted: TrustedIssuers::new(trusted.map(|(issuer, _)| issuer.clone()).collect()),
        given,
    };
    KeyRing::open(store, now, &mut SeededRng::new(now.unsigned_ms()), setup)
}

/// Keeps what it is given, or refuses it.
#[derive(Default)]
pub(crate) struct RecordingMailer {
    sent: Mutex<Vec<(String, String)>>,
    is_down: Mutex<bool>,
}

impl RecordingMailer {
    /// The address and the text of every mail.
    pub(crate) fn sent(&self) -> Vec<(String, String)> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) fn break_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }
}

impl Mailer for RecordingMailer {
    fn send(&self, _: UnixMillis, message: &Message) -> Result<(), MailError> {
        if *self.is_down.lock().unwrap() {
            return Err(MailError::NotNow("it is down".to_owned()));
        }
        let mail = (message.to.clone(), message.text.clone());
        self.sent.lock().unwrap().push(mail);
        Ok(())
    }
}

/// The answer with all of its body; `None` for a miss.
pub(crate) fn whole(outcome: Outcome) -> Option<Response<Bytes>> {
    match outcome {
        Outcome::Reply(response) => Some(response),
        Outcome::Stream(response) => Some(response.map(|chunks| {
            let chunks: Result<Vec<Bytes>, String> = chunks.collect();
            chunks.unwrap().concat().into()
        })),
        Outcome::Upgrade(response) => Some(response.map(|_| Bytes::new())),
        Outcome::Miss => None,
    }
}

/// Repeatable randomness: SHA-256 over a seed and a counter. For tests only.
pub(crate) struct SeededRng {
    seed: u64,
    counter: u64,
}

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(self.counter.to_le_bytes());
        hash.finalize().into()
    }
}

impl TryRng for SeededRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let [a, b, c, d, ..] = self.block();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let [a, b, c, d, e, f, g, h, ..] = self.block();
        Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(32) {
            let block = self.block();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}
