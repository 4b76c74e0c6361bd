//! How a key comes and goes. Each change commits with the key set that says so, if the root key is here to sign it.

use nexa_core::{KeySet, KeyUse, VerificationKey};

use super::super::access_tokens::ACCESS_TTL_S;
use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::principal::Principal;
use super::{Standing, standing};
use crate::store::server_keys::{self, ServerKey};
use crate::store::{Tx, licenses};
use crate::time::UnixMillis;

const DAY_S: u64 = 24 * 3600;
/// By how much a clock may be set back, and for how long a signature may be on its way, in seconds.
const MARGIN_S: u64 = 300;
/// Kept free in a key set by rotation: one for each use.
const SPARE_PLACES: usize = 2;

/// A rotation that is wanted, its fields checked.
pub(crate) struct Rotation {
    key_use: KeyUse,
    lead_s: u64,
    keep_s: u64,
}

impl Rotation {
    /// `key_use` is `license` or `status`; `in_hours`, how long the next key is published before it signs; `keep_days`, how
    /// long the one before verifies at least from then on, for what it signed elsewhere.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub(crate) fn new(key_use: &str, in_hours: u32, keep_days: u32) -> Result<Self, Error> {
        let key_use = match key_use {
            "license" => KeyUse::License,
            "status" => KeyUse::Status,
            _ => return Err(Error::invalid("use", "must be license or status")),
        };
        let within = |field: &'static str, value: u32, max: u32| match value <= max {
            true => Ok(u64::from(value)),
            false => Err(Error::invalid(field, format!("must be 0 to {max}"))),
        };
        Ok(Self {
            key_use,
            lead_s: within("in_hours", in_hours, 8_760)? * 3600,
            keep_s: within("keep_days", keep_days, 800)? * DAY_S,
        })
    }
}

/// Puts up the key that is to sign next.
///
/// # Errors
/// `Conflict` when one waits already, or when as many keys are needed as leave no room for those that take over at once.
pub(crate) fn rotate(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    rotation: &Rotation,
    new: &VerificationKey,
) -> Result<(), Error> {
    let name = rotation.key_use.name();
    if server_keys::waiting(tx, name)?.is_some() {
        return Err(Error::Conflict {
            rule: "A key for this use is waiting to sign already",
        });
    }
    let in_force = |key: &&ServerKey| standing(key, now).is_in_force();
    if server_keys::list(tx)?.iter().filter(in_force).count() >= KeySet::MAX_KEYS - SPARE_PLACES {
        return Err(Error::Conflict {
            rule: "A key set holds 16 keys: 14 are still needed, and two places are for keys that take over at once",
        });
    }
    let row = ServerKey {
        lead_s: rotation.lead_s,
        keep_s: rotation.keep_s,
        ..row(now, rotation.key_use, new)
    };
    server_keys::put(tx, &row)?;
    audit::record(tx, now, origin, Act::ServerKeyAdded, None, Some(&row.kid))
}

/// Ends all trust in a key; answers whether `spare` has taken its place. Where a key waits whose private half is here, it signs at
/// once instead: to wait would be to sign with a key that others may have.
///
/// # Errors
/// `NotFound`; `Invalid` for an audit key.
pub(crate) fn revoke(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    kid: &str,
    spare: &VerificationKey,
    is_here: impl Fn(&str) -> bool,
) -> Result<bool, Error> {
    let mut key = super::find(tx, kid)?;
    let key_use = super::key_use(&key)?;
    if key_use == KeyUse::Audit {
        return Err(Error::invalid(
            "kid",
            "is an audit key, which is replaced by putting another file in its place",
        ));
    }
    let before = standing(&key, now);
    if before == Standing::Revoked {
        return Ok(false);
    }
    key.revoked_at_s = Some(now.seconds().get());
    server_keys::put(tx, &key)?;
    audit::record(tx, now, origin, Act::ServerKeyRevoked, None, Some(kid))?;
    if before != Standing::Signing {
        return Ok(false);
    }
    let waiting = server_keys::waiting(tx, key_use.name())?;
    let waiting = waiting.filter(|waiting| is_here(&waiting.kid));
    let is_spare = waiting.is_none();
    let next = waiting.unwrap_or_else(|| row(now, key_use, spare));
    sign_from_now_on(tx, now, origin, next)?;
    Ok(is_spare)
}

/// Lets the keys sign that have been published for long enough.
pub(super) fn take_over(
    tx: &Tx<'_>,
    now: UnixMillis,
    is_here: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    for key_use in [KeyUse::License, KeyUse::Status] {
        let Some(waiting) = server_keys::waiting(tx, key_use.name())? else {
            continue;
        };
        if !is_ready(&waiting, now) || !is_here(&waiting.kid) {
            continue;
        }
        if let Some(signing) = server_keys::signing(tx, key_use.name())? {
            retire(tx, now, key_use, signing, waiting.keep_s)?;
        }
        sign_from_now_on(tx, now, &machine(), waiting)?;
    }
    Ok(())
}

/// Brings back to now what was noted of keys while the clock was ahead: what they sign would be refused, and those that wait
/// would wait for that time to come.
pub(super) fn heal(tx: &Tx<'_>, now: UnixMillis) -> Result<(), Error> {
    let now_s = now.seconds().get();
    for key in server_keys::list(tx)? {
        if is_early(&key, now) {
            let key = ServerKey {
                not_before_s: key.not_before_s.min(now_s.saturating_sub(MARGIN_S)),
                published_at_s: key.published_at_s.map(|at_s| at_s.min(now_s)),
                ..key
            };
            server_keys::put(tx, &key)?;
        }
    }
    Ok(())
}

/// Whether something about this one is noted for a time that is still to come.
pub(super) fn is_early(key: &ServerKey, now: UnixMillis) -> bool {
    let latest_s = key.published_at_s.unwrap_or(0).max(key.not_before_s);
    standing(key, now).is_in_force() && latest_s > now.seconds().get()
}

/// Whether this one waits and has been published for long enough.
pub(super) fn is_ready(key: &ServerKey, now: UnixMillis) -> bool {
    standing(key, now) == Standing::Waiting
        && key.published_at_s.is_some_and(|published_at_s| {
            published_at_s.saturating_add(key.lead_s) <= now.seconds().get()
        })
}

/// Takes in the key that the operator has given for a use: the first one there is, one that is known, or one that is put in
/// the place of the one before.
///
/// # Errors
/// `Invalid` for a key that has another use.
pub(super) fn adopt(
    tx: &Tx<'_>,
    now: UnixMillis,
    key_use: KeyUse,
    given: &VerificationKey,
    is_here: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let signing = server_keys::signing(tx, key_use.name())?;
    let known = server_keys::find(tx, given.kid())?;
    if let Some(known) = &known {
        if known.key_use != key_use.name() {
            let other = file_name(super::key_use(known)?);
            return Err(Error::invalid(
                format!("{} key", file_name(key_use)),
                format!("must be another key than the {other} key"),
            ));
        }
        // The first key of a use stays in its file when others have followed, unless those are gone, or were made because it was
        // missing and nobody knows them; an audit key is the one in the file.
        let is_needed = match key_use {
            KeyUse::Audit => true,
            _ => signing.as_ref().is_none_or(|signing| {
                let is_known = known.published_at_s.is_some();
                let is_better = is_known && signing.published_at_s.is_none();
                is_better || !is_here(&signing.kid)
            }),
        };
        let standing = standing(known, now);
        if !is_needed || matches!(standing, Standing::Signing | Standing::Revoked) {
            return Ok(());
        }
    }
    let known = known.map(|known| ServerKey {
        retired_at_s: None,
        ..known
    });
    let new = known.unwrap_or_else(|| row(now, key_use, given));
    if let Some(signing) = signing {
        tracing::warn!(
            key_use = key_use.name(),
            kid = new.kid,
            before = signing.kid,
            "another key has been put in the place of the one that signed; the one before still verifies"
        );
        retire(tx, now, key_use, signing, 0)?;
        return sign_from_now_on(tx, now, &machine(), new);
    }
    // What it signed before there was a record of it counts too.
    let (over_at, asked_until) = licenses::last_ends(tx)?;
    let last = match key_use {
        KeyUse::License => over_at,
        KeyUse::Status | KeyUse::Audit | KeyUse::Webhook => asked_until,
    };
    let now_s = now.seconds().get();
    let first = ServerKey {
        not_before_s: 0,
        signs_since_s: Some(now_s),
        needed_until_s: last.map_or(now_s, |last| last.seconds().get().max(now_s)),
        ..new
    };
    Ok(server_keys::put(tx, &first)?)
}

fn sign_from_now_on(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    key: ServerKey,
) -> Result<(), Error> {
    let key = ServerKey {
        signs_since_s: Some(now.seconds().get()),
        ..key
    };
    server_keys::put(tx, &key)?;
    audit::record(tx, now, origin, Act::ServerKeySigns, None, Some(&key.kid))
}

fn retire(
    tx: &Tx<'_>,
    now: UnixMillis,
    key_use: KeyUse,
    mut key: ServerKey,
    keep_s: u64,
) -> Result<(), Error> {
    // Somebody may be signing with it at this moment, and what was signed by it is in caches.
    let tail_s = match key_use {
        KeyUse::License => ACCESS_TTL_S + MARGIN_S,
        KeyUse::Status => DAY_S,
        KeyUse::Audit | KeyUse::Webhook => 0,
    };
    let now_s = now.seconds().get();
    key.retired_at_s = Some(now_s);
    key.needed_until_s = match key_use {
        KeyUse::License | KeyUse::Status => key.needed_until_s.max(now_s + tail_s.max(keep_s)),
        // Checkpoints are kept by whoever wants to prove something, with the key.
        KeyUse::Audit | KeyUse::Webhook => now_s,
    };
    Ok(server_keys::put(tx, &key)?)
}

/// A key that nobody knows yet.
fn row(now: UnixMillis, key_use: KeyUse, key: &VerificationKey) -> ServerKey {
    let now_s = now.seconds().get();
    ServerKey {
        kid: key.kid().to_owned(),
        key_use: key_use.name().to_owned(),
        public: key.to_bytes(),
        not_before_s: now_s.saturating_sub(MARGIN_S),
        lead_s: 0,
        keep_s: 0,
        published_at_s: None,
        signs_since_s: None,
        retired_at_s: None,
        needed_until_s: now_s,
        revoked_at_s: None,
    }
}

/// What the operator knows the key of a use by.
const fn file_name(key_use: KeyUse) -> &'static str {
    match key_use {
        KeyUse::License => "signing",
        KeyUse::Status | KeyUse::Audit | KeyUse::Webhook => key_use.name(),
    }
}

fn machine() -> Origin {
    Origin {
        principal: Principal::Machine,
        address: None,
    }
}
