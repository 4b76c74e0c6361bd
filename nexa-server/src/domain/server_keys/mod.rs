//! The keys that sign for this server: which one does, which one will, and which ones still verify.
//!
//! A key of a use waits until clients can know it, signs, then verifies until the last thing that it signed is over; or it
//! is revoked. Rows say how far each has come, files hold the private halves, and [`KeyRing`] has both in memory. What is
//! signed in a transaction asks the row there for the key, so that nothing is signed by a key that was revoked before.

mod changes;
mod files;
mod issuing;
pub(crate) mod key_set;
mod ring;

use nexa_core::{KeySet, KeyUse, VerificationKey};

use super::error::Error;
use crate::store::Tx;
use crate::store::server_keys::{self, ServerKey};
use crate::time::UnixMillis;

pub(crate) use changes::{Rotation, revoke, rotate};
pub(crate) use files::require_signing_key;
pub(crate) use issuing::Issuing;
pub(crate) use ring::{Given, KeyRing, Setup};

/// How far a key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It signs when clients have had the time to learn of it.
    Waiting,
    Signing,
    /// It signs no more, and what it signed counts.
    Verifying,
    /// The last thing that it signed is over.
    Over,
    Revoked,
}

impl Standing {
    /// Whether what it signed is believed.
    pub(crate) const fn is_in_force(self) -> bool {
        matches!(self, Self::Waiting | Self::Signing | Self::Verifying)
    }
}

/// How far this key has come by now.
pub(crate) fn standing(key: &ServerKey, now: UnixMillis) -> Standing {
    match (key.signs_since_s, key.retired_at_s, key.revoked_at_s) {
        (_, _, Some(_)) => Standing::Revoked,
        (_, Some(_), None) if key.needed_until_s <= now.seconds().get() => Standing::Over,
        (_, Some(_), None) => Standing::Verifying,
        (Some(_), None, None) => Standing::Signing,
        (None, None, None) => Standing::Waiting,
    }
}

/// All keys that there ever were.
pub(crate) fn list(tx: &Tx<'_>) -> Result<Vec<ServerKey>, Error> {
    Ok(server_keys::list(tx)?)
}

/// The keys that verify licences and access tokens, the one that signs first.
pub(crate) fn published(tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<VerificationKey>, Error> {
    let rows = server_keys::list(tx)?;
    in_jwks(&rows, now).map(verification_key).collect()
}

/// Those of the published JWK set, in its order.
fn in_jwks(rows: &[ServerKey], now: UnixMillis) -> impl Iterator<Item = &ServerKey> {
    let license = |row: &&ServerKey| row.key_use == KeyUse::License.name();
    in_force(rows, now).into_iter().filter(license)
}

/// The keys that are believed, as many as a key set holds: of more, those go first whose end is nearest.
fn in_force(rows: &[ServerKey], now: UnixMillis) -> Vec<&ServerKey> {
    let is_in_force = |row: &&ServerKey| standing(row, now).is_in_force();
    let mut found: Vec<_> = rows.iter().filter(is_in_force).collect();
    while found.len() > KeySet::MAX_KEYS {
        let verifying = found.iter().enumerate();
        let verifying = verifying.filter(|(_, row)| standing(row, now) == Standing::Verifying);
        match verifying.min_by_key(|(_, row)| row.needed_until_s) {
            Some((place, _)) => drop(found.remove(place)),
            None => break,
        }
    }
    found
}

/// The key of that id.
///
/// # Errors
/// `NotFound`.
pub(crate) fn find(tx: &Tx<'_>, kid: &str) -> Result<ServerKey, Error> {
    server_keys::find(tx, kid)?.ok_or(Error::NotFound { noun: "Server key" })
}

/// The public half.
pub(crate) fn verification_key(key: &ServerKey) -> Result<VerificationKey, Error> {
    VerificationKey::from_bytes(&key.public)
        .map_err(|error| Error::Fault(format!("server key {}: {error}", key.kid)))
}

/// What the key is for.
pub(crate) fn key_use(key: &ServerKey) -> Result<KeyUse, Error> {
    match key.key_use.as_str() {
        "license" => Ok(KeyUse::License),
        "status" => Ok(KeyUse::Status),
        "audit" => Ok(KeyUse::Audit),
        other => Err(Error::Fault(format!("server key for {other}"))),
    }
}

/// Notes that a licence was issued: the keys behind it are needed as long as it counts, and as long as it is asked for.
pub(crate) fn issued(
    tx: &Tx<'_>,
    license_kid: &str,
    over_at: UnixMillis,
    asked_until: UnixMillis,
) -> Result<(), Error> {
    server_keys::need_until(tx, license_kid, over_at.seconds().get())?;
    if let Some(status) = server_keys::signing(tx, KeyUse::Status.name())? {
        server_keys::need_until(tx, &status.kid, asked_until.seconds().get())?;
    }
    Ok(())
}
