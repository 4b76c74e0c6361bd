//! Checks a presented key: is it known, does it pass, may it do what is asked, and what does that take of it.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use nexa_core::{KeyDigest, Requirement, Scope, ScopeSet};

use super::super::error::Error;
use super::super::key_cache::{CheckedKey, KeyCache};
use super::super::key_usage::{RateLimit, RateState, Usage};
use super::super::principal::{KeyPower, Role};
use super::presented::Presented;
use super::terms::{Environment, Environments, KeyPolicy, stored_blocks};
use crate::store::api_keys::{self, ApiKey, Candidate};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// What is asked of a key that passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Where the call comes from, as far as that is known.
    pub(crate) address: Option<IpAddr>,
    pub(crate) environments: Environments,
    /// All of them.
    pub(crate) requirements: &'a [&'a Requirement],
}

/// Why a key that is known is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyRefusal {
    /// It was deleted a moment ago.
    Deleted,
    Disabled,
    /// Its owner, or the owner's tenant, is disabled.
    OwnerDisabled,
    Expired,
    /// It may not come from this address.
    Address,
    /// A test key where a live one is wanted, or the other way round.
    Environment,
    ScopeMissing(Scope),
    /// Its rate limit is used up until the window ends.
    Limited(RateState),
    /// It has fewer uses left than this takes.
    UsedUp {
        left: u64,
    },
}

/// What a key that passed has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) rate: Option<RateState>,
    pub(crate) remaining: Option<u64>,
}

/// Finds a presented key in the store, whether it passes or not, and remembers it in the cache if it may.
pub(crate) fn find_presented(
    store: &Store,
    cache: &KeyCache,
    policy: &KeyPolicy,
    presented: Presented<'_>,
) -> Result<Option<Arc<CheckedKey>>, Error> {
    for digest in presented.digests() {
        let found = find_in_store(store, cache, policy, &digest)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// As [`find_presented`], by one digest that a key may be known by.
pub(crate) fn find_in_store(
    store: &Store,
    cache: &KeyCache,
    policy: &KeyPolicy,
    digest: &KeyDigest,
) -> Result<Option<Arc<CheckedKey>>, Error> {
    cache.read_through(digest, || {
        let found = store.read(|tx| matching(tx, digest))?;
        found
            .map(|found| checked(cache, policy, found).map(Arc::new))
            .transpose()
    })
}

/// The stored key whose value has that digest, compared in constant time.
pub(crate) fn matching(tx: &Tx<'_>, digest: &KeyDigest) -> Result<Option<Candidate>, Error> {
    let candidates = api_keys::candidates(tx, &digest.to_bytes())?;
    Ok(candidates
        .into_iter()
        .find(|candidate| KeyDigest::from_bytes(candidate.digest).matches(digest)))
}

/// Whether a key may do what is asked, by everything that does not change with its use.
///
/// # Errors
/// The first of: state and expiry, address, environment, scopes.
pub(crate) fn judge(now: UnixMillis, key: &CheckedKey, ask: &Ask<'_>) -> Result<(), KeyRefusal> {
    key.stands(now)?;
    if !key.allows(ask.address) {
        return Err(KeyRefusal::Address);
    }
    if !ask.environments.take(key.environment) {
        return Err(KeyRefusal::Environment);
    }
    let mut missing = ask
        .requirements
        .iter()
        .filter_map(|requirement| key.scopes.missing(requirement));
    match missing.next() {
        Some(scope) => Err(KeyRefusal::ScopeMissing(scope.clone())),
        None => Ok(()),
    }
}

/// Takes uses from keys whose uses are numbered; each answer is what is left, in the order of the question.
///
/// One write for all: it is durable before anybody is told. A key that no longer passes is refused.
pub(crate) fn spend(
    store: &Store,
    now: UnixMillis,
    costs: Vec<(KeyDigest, u64)>,
) -> Result<Vec<Result<Option<u64>, KeyRefusal>>, Error> {
    store.write(move |tx| {
        let spent = costs.iter().map(|(value, cost)| {
            let Some(found) = matching(tx, value)? else {
                return Ok(Err(KeyRefusal::Deleted));
            };
            if let Err(refusal) = stands(now, &found) {
                return Ok(Err(refusal));
            }
            match found.key.remaining {
                // The number was taken away a moment ago.
                None => Ok(Ok(None)),
                Some(left) => Ok(api_keys::spend(tx, &found.key.id, *cost)?
                    .map(Some)
                    .ok_or(KeyRefusal::UsedUp { left })),
            }
        });
        spent.collect::<Result<Vec<_>, Error>>()
    })
}

/// Whether a stored key passes at all now.
///
/// # Errors
/// `Disabled`, `OwnerDisabled` or `Expired`.
pub(crate) fn stands(now: UnixMillis, found: &Candidate) -> Result<(), KeyRefusal> {
    if let Some(refusal) = standing_refusal(&found.key, found.owner_is_active) {
        return Err(refusal);
    }
    match earlier(found.key.expires_at, found.value_expires_at) {
        Some(at) if at <= now => Err(KeyRefusal::Expired),
        _ => Ok(()),
    }
}

/// Whether a stored key may stand for its owner on Nexa's own routes: it passes, is live, and has `full_access`.
pub(crate) fn stands_for_its_owner(now: UnixMillis, key: &ApiKey) -> bool {
    let full_access = Scope::full_access();
    key.is_enabled
        && key.expires_at.is_none_or(|at| now < at)
        && key.environment == Environment::Live.as_str()
        && key
            .scopes
            .split_whitespace()
            .any(|scope| scope == full_access.as_str())
}

fn standing_refusal(key: &ApiKey, owner_is_active: bool) -> Option<KeyRefusal> {
    match (key.is_enabled, owner_is_active) {
        (false, _) => Some(KeyRefusal::Disabled),
        (true, false) => Some(KeyRefusal::OwnerDisabled),
        (true, true) => None,
    }
}

/// How far a value of a key may manage keys.
pub(crate) fn power(found: &Candidate) -> KeyPower {
    match (found.value_expires_at, is_limited(&found.key)) {
        (Some(_), _) => KeyPower::Replaced,
        (None, true) => KeyPower::Limited,
        (None, false) => KeyPower::Whole,
    }
}

/// Whether a stored key carries a limit that what it makes would not carry.
pub(crate) fn is_limited(key: &ApiKey) -> bool {
    let ApiKey {
        expires_at,
        rate_limit,
        remaining,
        allowed_ips,
        ..
    } = key;
    expires_at.is_some() || rate_limit.is_some() || remaining.is_some() || allowed_ips.is_some()
}

fn earlier(a: Option<UnixMillis>, b: Option<UnixMillis>) -> Option<UnixMillis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn checked(cache: &KeyCache, policy: &KeyPolicy, found: Candidate) -> Result<CheckedKey, Error> {
    let power = power(&found);
    let Candidate {
        key,
        digest,
        value_expires_at,
        owner_role,
        owner_is_active,
    } = found;
    let role = Role::parse(&owner_role)?;
    let granted = ScopeSet::parse(key.scopes.split_whitespace())
        .map_err(|error| Error::Fault(format!("stored scopes of key {}: {error}", key.id)))?;
    let scopes = granted.intersection(policy.ceiling(role));
    Ok(CheckedKey {
        digest,
        refusal: standing_refusal(&key, owner_is_active),
        usage: cache.usage(&key.id, || {
            Usage::new(&key.id, key.last_used_at, key.window)
        }),
        role,
        has_full_access: granted.contains(&Scope::full_access()),
        scopes_text: scopes.to_strings().join(" "),
        scopes,
        environment: Environment::parse(&key.environment)?,
        created_at: key.created_at,
        power,
        expires_at: earlier(key.expires_at, value_expires_at),
        rate_limit: key
            .rate_limit
            .map(|(limit, window_s)| RateLimit { limit, window_s }),
        is_numbered: key.remaining.is_some(),
        remaining: key.remaining,
        allowed_ips: stored_blocks(key.allowed_ips.as_deref())?,
        metadata: key.metadata.map(String::into_boxed_str),
        derived: OnceLock::new(),
        id: key.id,
        tenant_id: key.tenant_id,
        user_id: key.user_id,
        name: key.name,
    })
}

impl From<KeyRefusal> for Error {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            // The client learns no more than that it does not pass.
            KeyRefusal::Deleted
            | KeyRefusal::Disabled
            | KeyRefusal::OwnerDisabled
            | KeyRefusal::Expired => Self::KeyInvalid,
            KeyRefusal::Address => Self::AddressNotAllowed,
            KeyRefusal::Environment => Self::WrongEnvironment,
            KeyRefusal::ScopeMissing(scope) => Self::ScopeMissing { scope },
            KeyRefusal::Limited(state) => Self::KeyLimited { state },
            KeyRefusal::UsedUp { .. } => Self::UsedUp,
        }
    }
}
