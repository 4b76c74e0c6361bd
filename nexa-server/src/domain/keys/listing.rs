//! Which keys a member sees.

use super::super::error::Error;
use super::super::key_cache::KeyCache;
use super::super::paging::{Page, Paged};
use super::super::principal::Member;
use super::NOUN;
use super::terms::Environment;
use crate::store::Tx;
use crate::store::api_keys::{self, ApiKey, Selection};
use crate::time::UnixMillis;

/// Whose keys a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// All that the member may manage: the tenant's, or only its own.
    Managed,
    /// Its own, whatever its role.
    Own,
}

/// Which of them; what is `None` does not choose.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFilter {
    /// Part of the name or of the prefix, in any case.
    pub(crate) search: Option<String>,
    pub(crate) environment: Option<Environment>,
    pub(crate) is_enabled: Option<bool>,
    pub(crate) owner_id: Option<String>,
    /// Not used since then, or never.
    pub(crate) unused_since: Option<UnixMillis>,
}

impl KeyFilter {
    /// # Errors
    /// `Invalid` for `search`: a name has no more than 100 characters, and nothing is part of every name.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        const SEARCH_MAX: usize = 100;
        match &self.search {
            Some(text) if text.trim().is_empty() || text.chars().count() > SEARCH_MAX => Err(
                Error::invalid("search", format!("must have 1 to {SEARCH_MAX} characters")),
            ),
            _ => Ok(self),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        let Self {
            search,
            environment,
            is_enabled,
            owner_id,
            unused_since,
        } = self;
        search.is_none()
            && environment.is_none()
            && is_enabled.is_none()
            && owner_id.is_none()
            && unused_since.is_none()
    }
}

/// One page of keys, newest first, with uses that are not yet written.
pub(crate) fn list(
    tx: &Tx<'_>,
    cache: &KeyCache,
    member: &Member,
    whose: Whose,
    filter: &KeyFilter,
    page: &Page,
) -> Result<Paged<ApiKey>, Error> {
    let mut keys = select(member, whose, filter, page.before.as_deref(), |selection| {
        Ok(api_keys::list(tx, &selection, page.probe())?)
    })?;
    for key in &mut keys {
        overlay(cache, key);
    }
    Ok(Paged::new(keys, page, |key| &key.id))
}

/// The key of that id.
///
/// # Errors
/// `NotFound`, also for another tenant's key and for one that is not the member's to see.
pub(crate) fn find(
    tx: &Tx<'_>,
    cache: &KeyCache,
    member: &Member,
    whose: Whose,
    id: &str,
) -> Result<ApiKey, Error> {
    let mut key = find_stored(tx, member, whose, id)?;
    overlay(cache, &mut key);
    Ok(key)
}

/// As [`find`], with uses as they were last written.
pub(super) fn find_stored(
    tx: &Tx<'_>,
    member: &Member,
    whose: Whose,
    id: &str,
) -> Result<ApiKey, Error> {
    api_keys::find(tx, &member.tenant_id, id)?
        .filter(|key| match whose {
            Whose::Managed => member.manages(&key.user_id),
            Whose::Own => member.user_id == key.user_id,
        })
        .ok_or(Error::NotFound { noun: NOUN })
}

/// Hands the rows that a filter means to `read`.
pub(super) fn select<T>(
    member: &Member,
    whose: Whose,
    filter: &KeyFilter,
    before: Option<&str>,
    read: impl FnOnce(Selection<'_>) -> Result<Vec<T>, Error>,
) -> Result<Vec<T>, Error> {
    let only = match whose {
        Whose::Managed => member.sees_only(),
        Whose::Own => Some(member.user_id.as_str()),
    };
    let user_id = match (only, filter.owner_id.as_deref()) {
        (Some(own), Some(asked)) if own != asked => return Ok(Vec::new()),
        (own, asked) => own.or(asked),
    };
    let pattern = filter.search.as_deref().map(pattern);
    read(Selection {
        tenant_id: &member.tenant_id,
        user_id,
        pattern: pattern.as_deref(),
        environment: filter.environment.map(Environment::as_str),
        is_enabled: filter.is_enabled,
        unused_since: filter.unused_since,
        before,
    })
}

/// A pattern that means the text to the letter, anywhere.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

fn overlay(cache: &KeyCache, key: &mut ApiKey) {
    key.last_used_at = key.last_used_at.max(cache.last_use(&key.id));
}
