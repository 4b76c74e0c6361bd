//! What unit tests share.

use nexa_core::SigningKey;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::config::{Config, Overrides};
use crate::domain::audit::checkpoint::AuditKey;
use crate::domain::issuing::Issuing;
use crate::store::{MIGRATIONS, Store};

/// An app on a fresh data folder, with the sample configuration as `change` leaves it: no socket, no clock.
pub(crate) fn app(change: impl FnOnce(&mut Config)) -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), MIGRATIONS).unwrap();
    let signing_key = SigningKey::generate(&mut SeededRng::new(7));
    let issuing = Issuing::new(&signing_key, "https://auth.example.com").unwrap();
    let audit_key = audit_key(&issuing);
    let mut config = Config::load(None, Overrides::default()).unwrap();
    change(&mut config);
    (
        App::new(&config, store, issuing, audit_key).unwrap(),
        folder,
    )
}

/// A key for checkpoints beside the issuing one.
pub(crate) fn audit_key(issuing: &Issuing) -> AuditKey {
    AuditKey::new(SigningKey::generate(&mut SeededRng::new(8)), issuing).unwrap()
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
