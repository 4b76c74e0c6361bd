//! The published key set: which keys of this server are for what, as its root key signed it.

use nexa_core::{
    KeySet, KeySetContents, KeySetEntry, NewKeySet, RevokedKey, SignedKeySet, SigningKey,
    UnixSeconds, VerificationKey,
};

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::{Standing, in_force, key_use, standing, verification_key};
use crate::store::Tx;
use crate::store::key_sets::{self, KeySetRow};
use crate::store::server_keys::{self, ServerKey};
use crate::time::UnixMillis;

/// How old a key set gets before the root key, where it is here, signs the next: each one tells clients the time.
const REFRESH_S: u64 = 7 * 24 * 3600;

/// How many key sets are kept, for whoever wants to know what was published.
const KEPT: u32 = 100;

/// What is published.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) seq: u64,
    pub(crate) signed: Vec<u8>,
    /// Whether it says of the keys of this server what is so, for its public URL.
    pub(crate) is_current: bool,
}

/// What a key set is to say now.
#[derive(PartialEq, Eq)]
struct Wanted {
    keys: Vec<KeySetEntry>,
    revoked: Vec<RevokedKey>,
}

impl Wanted {
    fn of(rows: &[ServerKey], now: UnixMillis) -> Result<Self, Error> {
        let time = |seconds| UnixSeconds::new(seconds).unwrap_or(UnixSeconds::MAX);
        let keys: Result<_, Error> = in_force(rows, now)
            .into_iter()
            .map(|row| {
                let is_verifying = standing(row, now) == Standing::Verifying;
                Ok(KeySetEntry {
                    key_use: key_use(row)?,
                    key: verification_key(row)?,
                    not_before: time(row.not_before_s),
                    not_after: is_verifying.then(|| time(row.needed_until_s)),
                })
            })
            .collect();
        let mut revoked: Vec<_> = rows
            .iter()
            .filter_map(|row| row.revoked_at_s.map(|at_s| (at_s, row)))
            .collect();
        // The newest, where there are more than a key set holds: a key that it does not hold is not believed either.
        revoked.sort_by_key(|(at_s, _)| std::cmp::Reverse(*at_s));
        let revoked: Result<_, Error> = (revoked.into_iter().take(KeySet::MAX_REVOKED))
            .map(|(at_s, row)| {
                Ok(RevokedKey {
                    thumbprint: verification_key(row)?.thumbprint(),
                    revoked_at: time(at_s),
                })
            })
            .collect();
        Ok(Self {
            keys: keys?,
            revoked: revoked?,
        })
    }

    fn is_said_by(&self, contents: &KeySetContents<'_>) -> bool {
        contents.keys().eq(self.keys.iter().cloned())
            && contents.revoked().eq(self.revoked.iter().copied())
    }
}

/// The newest key set, and whether it says what is so.
///
/// # Errors
/// `NotFound` before the first start.
pub(crate) fn published(tx: &Tx<'_>, now: UnixMillis, issuer: &str) -> Result<Published, Error> {
    let newest = key_sets::newest(tx)?.ok_or(Error::NotFound { noun: "Key set" })?;
    let wanted = Wanted::of(&server_keys::list(tx)?, now)?;
    let set = SignedKeySet::open(&newest.signed, &root_of(&newest)?, issuer);
    Ok(Published {
        seq: newest.seq,
        is_current: set.is_ok_and(|set| wanted.is_said_by(set.contents())),
        signed: newest.signed,
    })
}

/// Whether a root key that is here has something to sign.
pub(super) fn is_due(tx: &Tx<'_>, now: UnixMillis, issuer: &str) -> Result<bool, Error> {
    let newest_made_at_s = key_sets::newest(tx)?.map_or(0, |newest| newest.made_at_s);
    let is_old = newest_made_at_s + REFRESH_S <= now.seconds().get();
    Ok(is_old || !published(tx, now, issuer)?.is_current)
}

/// Has the root key, where it is here, sign the next key set, unless the newest one says what is so and is not old.
pub(super) fn publish(
    tx: &Tx<'_>,
    now: UnixMillis,
    root: Option<&SigningKey>,
    issuer: &str,
) -> Result<(), Error> {
    match root {
        Some(root) if is_due(tx, now, issuer)? => publish_anew(tx, now, root, issuer).map(|_| ()),
        Some(_) | None => Ok(()),
    }
}

/// Signs and keeps the next key set, whatever was published: what an earlier process has signed may be from a backup, and older
/// than what clients have seen.
///
/// # Errors
/// `Invalid` for `root_key` when it is another than the one that clients may have embedded, or has another use.
pub(super) fn publish_anew(
    tx: &Tx<'_>,
    now: UnixMillis,
    root: &SigningKey,
    issuer: &str,
) -> Result<Published, Error> {
    let newest = key_sets::newest(tx)?;
    check_root(tx, root, newest.as_ref())?;
    let wanted = Wanted::of(&server_keys::list(tx)?, now)?;
    let seq = next_seq(newest.as_ref(), now);
    let new = NewKeySet {
        seq,
        issued_at: now.seconds(),
        keys: &wanted.keys,
        revoked: &wanted.revoked,
    };
    let signed = new
        .sign(root, issuer)
        .map_err(|error| Error::Fault(format!("key set: {error}")))?;
    keep(tx, now, seq, &root.verification_key(), &signed)?;
    Ok(Published {
        seq,
        signed,
        is_current: true,
    })
}

/// What the root key has to sign, where it is not here; `None` while the published key set says what is so.
///
/// # Errors
/// `NotFound` before the first start.
pub(crate) fn draft(tx: &Tx<'_>, now: UnixMillis, issuer: &str) -> Result<Option<Vec<u8>>, Error> {
    if published(tx, now, issuer)?.is_current {
        return Ok(None);
    }
    unsigned(tx, now).map(Some)
}

/// The next key set without its signature.
///
/// # Errors
/// `NotFound` before the first start.
pub(crate) fn unsigned(tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<u8>, Error> {
    let newest = key_sets::newest(tx)?.ok_or(Error::NotFound { noun: "Key set" })?;
    let wanted = Wanted::of(&server_keys::list(tx)?, now)?;
    let new = NewKeySet {
        seq: next_seq(Some(&newest), now),
        issued_at: now.seconds(),
        keys: &wanted.keys,
        revoked: &wanted.revoked,
    };
    new.unsigned(&root_of(&newest)?)
        .map_err(|error| Error::Fault(format!("key set: {error}")))
}

/// Publishes a key set that the root key has signed elsewhere.
///
/// # Errors
/// `Invalid` for `key_set`: not signed by the root key for this issuer, not newer than the published one, from the future,
/// or about other keys than there are by now.
pub(crate) fn import(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    issuer: &str,
    signed: &[u8],
) -> Result<(), Error> {
    const AHEAD_S: u64 = 300;
    let refused = |rule: String| Error::invalid("key_set", rule);
    let newest = key_sets::newest(tx)?.ok_or(Error::NotFound { noun: "Key set" })?;
    let root = root_of(&newest)?;
    let set = SignedKeySet::open(signed, &root, issuer)
        .map_err(|error| refused(format!("{error} (root key {}, {issuer})", root.kid())))?;
    let contents = set.contents();
    let seq = contents.seq();
    if signed == newest.signed {
        return Ok(());
    }
    if seq <= newest.seq {
        return Err(refused(format!(
            "must be newer than version {}, which is published, and is {seq}",
            newest.seq
        )));
    }
    let ahead_s = now.seconds().get() + AHEAD_S;
    // The versions go on from one that was made while the clock was ahead.
    if contents.issued_at().get() > ahead_s || seq > ahead_s.max(newest.seq + AHEAD_S) {
        return Err(refused("must not be from the future".to_owned()));
    }
    if !Wanted::of(&server_keys::list(tx)?, now)?.is_said_by(contents) {
        return Err(refused(
            "does not say what the keys are by now; export and sign it once more".to_owned(),
        ));
    }
    keep(tx, now, seq, &root, signed)?;
    audit::record(
        tx,
        now,
        origin,
        Act::KeySetImported,
        None,
        Some(&seq.to_string()),
    )
}

/// Whether a root key was ever recorded.
pub(crate) fn has_root(tx: &Tx<'_>) -> Result<bool, Error> {
    Ok(key_sets::newest(tx)?.is_some())
}

/// Keeps a signed key set; the keys in it are published from now on.
fn keep(
    tx: &Tx<'_>,
    now: UnixMillis,
    seq: u64,
    root: &VerificationKey,
    signed: &[u8],
) -> Result<(), Error> {
    let now_s = now.seconds().get();
    let row = KeySetRow {
        seq,
        root: root.to_bytes(),
        signed: signed.to_vec(),
        made_at_s: now_s,
    };
    key_sets::insert(tx, &row)?;
    key_sets::forget_all_but(tx, KEPT)?;
    for key in server_keys::list(tx)? {
        if key.published_at_s.is_none() && standing(&key, now).is_in_force() {
            let key = ServerKey {
                published_at_s: Some(now_s),
                ..key
            };
            server_keys::put(tx, &key)?;
        }
    }
    Ok(())
}

fn check_root(tx: &Tx<'_>, root: &SigningKey, newest: Option<&KeySetRow>) -> Result<(), Error> {
    if let Some(newest) = newest {
        let recorded = root_of(newest)?;
        if root.verification_key() != recorded {
            return Err(Error::invalid(
                "root_key",
                format!(
                    "is {}, and not {}, which clients may have embedded",
                    root.kid(),
                    recorded.kid()
                ),
            ));
        }
    }
    match server_keys::find(tx, root.kid())? {
        Some(key) => Err(Error::invalid(
            "root_key",
            format!("must be another key than the {} key", key.key_use),
        )),
        None => Ok(()),
    }
}

fn next_seq(newest: Option<&KeySetRow>, now: UnixMillis) -> u64 {
    let now_s = now.seconds().get();
    newest.map_or(now_s, |newest| now_s.max(newest.seq + 1))
}

fn root_of(row: &KeySetRow) -> Result<VerificationKey, Error> {
    VerificationKey::from_bytes(&row.root)
        .map_err(|error| Error::Fault(format!("recorded root key: {error}")))
}
