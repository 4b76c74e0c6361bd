//! Changes keys: what they carry, their value, their end.

use nexa_core::{KeyDigest, KeyFormat, PlainKey};
use rand_core::CryptoRng;

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::events::{self, Event, KeyEnd};
use super::super::key_cache::Weakened;
use super::super::notices;
use super::super::principal::{KeyPower, Member, Role, Via};
use super::listing::{self, KeyFilter, Whose};
use super::terms::{KeyChanges, KeyPolicy};
use super::{NOUN, matching, record};
use crate::store::Tx;
use crate::store::api_keys::{self, ApiKey, Candidate};
use crate::store::users;
use crate::time::UnixMillis;

/// In seconds: 30 days.
const GRACE_MAX_S: u32 = 30 * 24 * 3600;

/// The value that a rotation gives a key.
pub(crate) struct NewValue {
    pub(crate) plain: PlainKey,
    pub(crate) replacement: Replacement,
}

/// What [`rotate`] records of it.
#[derive(Clone)]
pub(crate) struct Replacement {
    digest: KeyDigest,
    prefix: String,
    grace_s: u32,
}

impl NewValue {
    /// Draws a value in the key's own format; the old one passes for another `grace_s` seconds.
    ///
    /// # Errors
    /// `Invalid` for `grace_seconds`.
    pub(crate) fn draw(
        rng: &mut dyn CryptoRng,
        key: &ApiKey,
        grace_s: Option<u32>,
    ) -> Result<Self, Error> {
        let grace_s = grace_s.unwrap_or(0);
        if grace_s > GRACE_MAX_S {
            return Err(Error::invalid(
                "grace_seconds",
                format!("at most {GRACE_MAX_S} (30 days)"),
            ));
        }
        let formats = [KeyFormat::NEXORA, KeyFormat::DIALNEXA];
        let format = formats
            .into_iter()
            .find(|format| key.prefix.starts_with(format.prefix()))
            .unwrap_or(KeyFormat::NEXA);
        let plain = format.generate(rng);
        let replacement = Replacement {
            digest: plain.digest(),
            prefix: plain.prefix().to_owned(),
            grace_s,
        };
        Ok(Self { plain, replacement })
    }
}

/// Changes what a key carries.
///
/// # Errors
/// `NotFound`; `Forbidden`; `Invalid` naming the field.
pub(crate) fn update(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    policy: &KeyPolicy,
    id: &str,
    changes: KeyChanges,
) -> Result<(ApiKey, Weakened), Error> {
    let member = origin.principal.member()?;
    let mut key = listing::find_stored(tx, member, Whose::Managed, id)?;
    require_whole(member)?;
    require_rank(tx, member, &key)?;
    changes.apply(now, member.role, policy, &mut key)?;
    api_keys::update(tx, &key)?;
    record(tx, now, origin, Act::KeyChanged, &key)?;
    let values = api_keys::digests(tx, &key.id)?;
    Ok((key, Weakened::Values(values)))
}

/// Gives a key another value; its id stays.
///
/// # Errors
/// `NotFound`; `Forbidden` for a caller that would gain by it.
pub(crate) fn rotate(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    whose: Whose,
    id: &str,
    new: &Replacement,
) -> Result<(ApiKey, Weakened), Error> {
    let member = origin.principal.member()?;
    let mut key = listing::find_stored(tx, member, whose, id)?;
    // A limited key stays as limited with another value, and so may have one.
    match member.via.key_id() == Some(id) {
        true => require_current(member)?,
        false => require_whole(member)?,
    }
    require_rank(tx, member, &key)?;
    let old_values = api_keys::digests(tx, &key.id)?;
    let old_until = (new.grace_s > 0).then(|| now.plus_seconds(i64::from(new.grace_s)));
    api_keys::replace_value(tx, &key.id, &new.prefix, &new.digest.to_bytes(), old_until)?;
    new.prefix.clone_into(&mut key.prefix);
    record(tx, now, origin, Act::KeyRotated, &key)?;
    let event = Event::KeyRotated {
        key: (&key).into(),
        old_until,
    };
    events::tell(tx, now, &key.tenant_id, &event)?;
    Ok((key, Weakened::Values(old_values)))
}

/// Deletes a key.
///
/// # Errors
/// `NotFound`, also for another tenant's key and for one the member does not manage.
pub(crate) fn delete(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    whose: Whose,
    id: &str,
) -> Result<((), Weakened), Error> {
    remove(tx, now, origin, whose, id).map(|values| ((), Weakened::Values(values)))
}

/// Ends what was presented: a key with the value that it has, or only a value that a rotation has replaced.
///
/// # Errors
/// `NotFound`, as for [`delete`], and for a value that has ended meanwhile.
pub(crate) fn revoke_presented(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    presented: &[KeyDigest],
) -> Result<((), Weakened), Error> {
    let found = matching_any(tx, presented)?.ok_or(Error::NotFound { noun: NOUN })?;
    if found.value_expires_at.is_none() {
        return delete(tx, now, origin, Whose::Managed, &found.key.id);
    }
    let member = origin.principal.member()?;
    let key = listing::find_stored(tx, member, Whose::Managed, &found.key.id)?;
    // A replaced value may still end itself.
    let is_own = matches!(&member.via, Via::Key { digest, .. } if *digest == found.digest);
    if !is_own {
        require_current(member)?;
    }
    api_keys::delete_value(tx, &found.digest)?;
    record(tx, now, origin, Act::KeyValueEnded, &key)?;
    Ok(((), Weakened::Values(vec![found.digest])))
}

/// The stored key that is known by one of the digests of what was presented.
fn matching_any(tx: &Tx<'_>, digests: &[KeyDigest]) -> Result<Option<Candidate>, Error> {
    for digest in digests {
        if let Some(found) = matching(tx, digest)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Deletes a key; answers the digests of its values.
fn remove(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    whose: Whose,
    id: &str,
) -> Result<Vec<[u8; 32]>, Error> {
    let member = origin.principal.member()?;
    let key = listing::find_stored(tx, member, whose, id)?;
    require_current(member)?;
    let values = api_keys::digests(tx, &key.id)?;
    end(tx, now, &key, KeyEnd::Deleted)?;
    record(tx, now, origin, Act::KeyDeleted, &key)?;
    Ok(values)
}

/// Ends what was found where others can read it: a key with the value that it has, or only a value that a rotation has
/// replaced, since the one that replaced it is not known to anybody by that. Answers the digests of what has ended; none when
/// it had ended before.
pub(crate) fn end_leaked(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    digest: &KeyDigest,
    url: Option<&str>,
) -> Result<Vec<[u8; 32]>, Error> {
    let Some(Candidate {
        key,
        digest,
        value_expires_at,
        ..
    }) = matching(tx, digest)?
    else {
        return Ok(Vec::new());
    };
    let is_replaced = value_expires_at.is_some();
    let ended = match is_replaced {
        true => {
            api_keys::delete_value(tx, &digest)?;
            let event = Event::OldValueLeaked {
                key: (&key).into(),
                url: url.map(str::to_owned),
            };
            events::tell(tx, now, &key.tenant_id, &event)?;
            vec![digest]
        }
        false => {
            let values = api_keys::digests(tx, &key.id)?;
            let url = url.map(str::to_owned);
            end(tx, now, &key, KeyEnd::Leaked { url })?;
            values
        }
    };
    record(tx, now, origin, Act::KeyLeaked, &key)?;
    notices::tell_of_leak(tx, now, &key, url, is_replaced)?;
    Ok(ended)
}

/// Removes a key and tells of it: the one way of it, whatever the cause.
fn end(tx: &Tx<'_>, now: UnixMillis, key: &ApiKey, reason: KeyEnd) -> Result<(), Error> {
    api_keys::delete(tx, &key.id)?;
    let event = Event::KeyRevoked {
        key: key.into(),
        reason,
    };
    events::tell(tx, now, &key.tenant_id, &event)
}

/// Deletes the last keys of a user that [`delete_part_of_user`] has left, and notes it; its caller drops them from memory.
pub(crate) fn delete_of_user(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tenant_id: &str,
    user_id: &str,
) -> Result<(), Error> {
    end_of_user(tx, now, user_id, u32::MAX)?;
    let (tenant_id, user_id) = (Some(tenant_id), Some(user_id));
    audit::record(tx, now, origin, Act::KeysDeleted, tenant_id, user_id)
}

/// Deletes some keys of a user who is on the way out; answers whether there are more than a few left, which
/// [`delete_of_user`] can take.
pub(crate) fn delete_part_of_user(
    tx: &Tx<'_>,
    now: UnixMillis,
    user_id: &str,
) -> Result<(bool, Weakened), Error> {
    const PART: u32 = 500;
    let is_full = end_of_user(tx, now, user_id, PART)? == PART as usize;
    Ok((is_full, Weakened::User(user_id.to_owned())))
}

/// Removes keys of a user who goes, at most `limit`; answers how many.
fn end_of_user(tx: &Tx<'_>, now: UnixMillis, user_id: &str, limit: u32) -> Result<usize, Error> {
    let keys = api_keys::list_of_user(tx, user_id, limit)?;
    for key in &keys {
        end(tx, now, key, KeyEnd::OwnerGone)?;
    }
    Ok(keys.len())
}

/// One part of many keys that have been deleted.
pub(crate) struct DeletedPart {
    pub(crate) deleted: u64,
    /// Where the next part begins, if there may be one.
    pub(crate) next: Option<String>,
}

/// Deletes the keys that a filter means now, below `before`, as many as keep nobody waiting for long. The calling key is
/// spared unless `includes_caller`: what calls with it ends there.
pub(crate) fn delete_part(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    filter: &KeyFilter,
    before: Option<&str>,
    includes_caller: bool,
) -> Result<(DeletedPart, Weakened), Error> {
    const PART: u32 = 200;
    let member = origin.principal.member()?;
    let spared = member.via.key_id().filter(|_| !includes_caller);
    let ids = listing::select(member, Whose::Managed, filter, before, |selection| {
        Ok(api_keys::ids(tx, &selection, spared, PART)?)
    })?;
    let mut values = Vec::new();
    for id in &ids {
        values.extend(remove(tx, now, origin, Whose::Managed, id)?);
    }
    let is_full = ids.len() == PART as usize;
    let part = DeletedPart {
        deleted: ids.len() as u64,
        next: ids.last().filter(|_| is_full).cloned(),
    };
    Ok((part, Weakened::Values(values)))
}

/// A key makes and changes keys only if it carries no limit: what it makes would not carry it.
pub(super) fn require_whole(member: &Member) -> Result<(), Error> {
    let rule = match (member.via.key_power(), &member.via) {
        (KeyPower::Whole, _) => return Ok(()),
        (_, Via::Issuer { .. }) => "The token of an identity makes and changes no keys",
        (KeyPower::Limited | KeyPower::Replaced, _) => "A limited key makes and changes no keys",
    };
    Err(Error::Forbidden { rule })
}

/// A value that has been replaced decides nothing about credentials any more: it may be the one that leaked.
pub(crate) fn require_current(member: &Member) -> Result<(), Error> {
    match member.via.key_power() {
        KeyPower::Whole | KeyPower::Limited => Ok(()),
        KeyPower::Replaced => Err(Error::Forbidden {
            rule: "The replaced value of a key manages no keys and no secrets",
        }),
    }
}

/// A key stands for its owner: whoever changes it or learns its value must not gain by it.
fn require_rank(tx: &Tx<'_>, member: &Member, key: &ApiKey) -> Result<(), Error> {
    let owner = users::find(tx, &key.user_id)?.ok_or(Error::NotFound { noun: NOUN })?;
    if Role::parse(&owner.role)?.outranks(member.role) {
        return Err(Error::Forbidden {
            rule: "The key's owner has a higher role: the key can be deleted, not changed",
        });
    }
    Ok(())
}
