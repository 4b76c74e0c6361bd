//! What unit tests share.

use std::sync::{Arc, Mutex};

use hyper::Response;
use hyper::body::Bytes;
use nexa_core::SigningKey;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::config::{Config, Overrides};
use crate::domain::audit::checkpoint::AuditKey;
use crate::domain::issuing::Issuing;
use crate::domain::key_set::{self, Keys, Published};
use crate::domain::status::Signer;
use crate::http::Outcome;
use crate::outbound::mail::{MailError, Mailer, Message};
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
    let signing_key = SigningKey::generate(&mut SeededRng::new(7));
    let issuing = issuing(&signing_key);
    let audit_key = audit_key(&issuing);
    let key_set = published(&store, &issuing, &audit_key);
    let mut config = Config::load(None, Overrides::default()).unwrap();
    change(&mut config);
    let letters = config.mail.letters("https://auth.example.com").unwrap();
    let mailer = Arc::new(RecordingMailer::default());
    let app = App::new(
        &config,
        store,
        issuing,
        key_set,
        audit_key,
        Arc::clone(&mailer) as _,
        letters,
    )
    .unwrap();
    (app, mailer)
}

/// A server's keys, the status key beside the issuing one.
pub(crate) fn issuing(signing_key: &SigningKey) -> Issuing {
    let status_key = SigningKey::generate(&mut SeededRng::new(9));
    let status = Signer::new(status_key, "https://auth.example.com", 3600);
    Issuing::new(signing_key, status, "https://auth.example.com").unwrap()
}

/// The key set of these keys under a root key.
fn published(store: &Store, issuing: &Issuing, audit_key: &AuditKey) -> Published {
    let root = SigningKey::generate(&mut SeededRng::new(6));
    let keys = Keys {
        license: issuing.licenses.verification_key(),
        status: issuing.status.key().verification_key(),
        audit: audit_key.verification_key(),
    };
    let now = UnixMillis::from_ms(1_800_000_000_000);
    key_set::publish(store, now, Some(&root), &issuing.issuer, &keys).unwrap()
}

/// A key for checkpoints beside the issuing one.
pub(crate) fn audit_key(issuing: &Issuing) -> AuditKey {
    AuditKey::new(SigningKey::generate(&mut SeededRng::new(8)), issuing).unwrap()
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
