//! The keys of one trusted issuer, with a turn for whoever has to fetch them.

use std::sync::Arc;

use crate::domain::Error;
use crate::domain::identity::IssuerKey;
use crate::gate::permits::Permits;
use crate::outbound::jwks::{Found, Jwks, NotRead, Source};
use crate::time::UnixMillis;

/// An issuer that hangs keeps one thread for the seconds that a fetch may take, and a few that wait for it: the blocking
/// pool goes on serving others.
pub(crate) struct IssuerKeys {
    jwks: Jwks,
    turns: Permits,
}

const WAITING_MAX: usize = 8;

impl IssuerKeys {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            jwks: Jwks::new(source),
            turns: Permits::new(1, WAITING_MAX),
        }
    }

    /// The key of that id, if the issuer has one. Blocks while a set is fetched.
    ///
    /// # Errors
    /// `IssuerSilent` when the keys had to be read and could not be; `Busy` when too many wait for that.
    pub(crate) fn find(
        &self,
        now: UnixMillis,
        key_id: &str,
    ) -> Result<Option<Arc<IssuerKey>>, Error> {
        let old = match self.jwks.find(now, key_id) {
            Found::Fresh(key) => return Ok(Some(key)),
            Found::Old(key) => Some(key),
            Found::Unknown => None,
        };
        let read = match self.turns.enter() {
            Ok(_turn) => match self.jwks.find(now, key_id) {
                // Whoever went before has read it.
                Found::Fresh(key) => return Ok(Some(key)),
                Found::Old(_) | Found::Unknown => self.jwks.refresh(now).map_err(silent),
            },
            Err(busy) => Err(busy),
        };
        match (self.jwks.find(now, key_id), read) {
            (Found::Fresh(key) | Found::Old(key), _) => Ok(Some(key)),
            // The set that was read has lost it.
            (Found::Unknown, Ok(())) => Ok(None),
            (Found::Unknown, Err(error)) => old.map(Some).ok_or(error),
        }
    }
}

fn silent(not_read: NotRead) -> Error {
    Error::IssuerSilent {
        retry_after_s: not_read.retry_after_s,
    }
}
