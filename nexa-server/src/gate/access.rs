//! Who may call a route, and the principal behind the credential.

use std::sync::Arc;

use super::credential::Credential;
use crate::domain::issuing::Issuing;
use crate::domain::key_cache::{CheckedKey, KeyCache};
use crate::domain::principal::{Member, Principal, Via};
use crate::domain::{Error, keys, operators, sessions};
use crate::store::Store;
use crate::time::UnixMillis;
use nexa_core::{KeyDigest, Scope};

/// Who may call a route: a column that every route fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone; a credential is not looked at.
    Public,
    /// An active user, by an access token or by a key with `full_access`.
    Member,
    /// The operator's key.
    Operator,
    /// The route checks the caller's key itself: forward authorization.
    CallersKey,
}

/// What a credential is checked against.
pub(crate) struct Authority<'a> {
    pub(crate) store: &'a Store,
    pub(crate) cache: &'a KeyCache,
    pub(crate) issuing: &'a Issuing,
    /// Whether the store may be asked; otherwise only memory.
    pub(crate) may_block: bool,
}

/// Resolves the caller, or refuses it.
///
/// # Errors
/// `CredentialMissing`, `TokenInvalid`, `KeyInvalid`, `ScopeMissing`, `Forbidden`.
pub(crate) fn principal(
    authority: &Authority<'_>,
    now: UnixMillis,
    access: Access,
    credential: Option<Credential>,
) -> Result<Principal, Error> {
    match access {
        Access::Public | Access::CallersKey => Ok(Principal::Anyone),
        Access::Member => match credential.ok_or(Error::CredentialMissing)? {
            Credential::AccessToken(token) => {
                member_by_token(authority, now, &token).map(Principal::Member)
            }
            Credential::Key(presented) => match authority.key(now, &presented) {
                Ok(key) => full_access_owner(&key).map(Principal::Member),
                Err(Error::KeyInvalid) if authority.operator(&presented)?.is_some() => {
                    Err(Error::Forbidden {
                        rule: "This needs a user of a tenant, not the operator key",
                    })
                }
                Err(error) => Err(error),
            },
        },
        Access::Operator => {
            const RULE: &str = "This needs the operator key";
            match credential.ok_or(Error::CredentialMissing)? {
                Credential::AccessToken(token) => {
                    member_by_token(authority, now, &token)?;
                    Err(Error::Forbidden { rule: RULE })
                }
                Credential::Key(presented) => match authority.operator(&presented)? {
                    Some(key_id) => Ok(Principal::Operator { key_id }),
                    None => {
                        authority.key(now, &presented)?;
                        Err(Error::Forbidden { rule: RULE })
                    }
                },
            }
        }
    }
}

impl Authority<'_> {
    /// The valid key behind a presented one, from memory or from the store.
    ///
    /// # Errors
    /// `KeyInvalid`; `NotInMemory` when the store would have to be asked and may not be.
    pub(crate) fn key(
        &self,
        now: UnixMillis,
        presented: &KeyDigest,
    ) -> Result<Arc<CheckedKey>, Error> {
        match self.cache.find(now, presented) {
            Some(key) => Ok(key),
            None if self.may_block => keys::check(self.store, self.cache, now, presented),
            None => Err(Error::NotInMemory),
        }
    }
}

impl Authority<'_> {
    /// The id of the operator key that was presented, if it is one.
    fn operator(&self, presented: &KeyDigest) -> Result<Option<String>, Error> {
        self.store.read(|tx| operators::find(tx, presented))
    }
}

fn member_by_token(
    authority: &Authority<'_>,
    now: UnixMillis,
    token: &str,
) -> Result<Member, Error> {
    authority
        .store
        .read(|tx| sessions::member(tx, now, authority.issuing, token))
}

/// A key stands for its owner only with `full_access`.
fn full_access_owner(key: &CheckedKey) -> Result<Member, Error> {
    let full_access = Scope::full_access();
    if !key.scopes.contains(&full_access) {
        return Err(Error::ScopeMissing { scope: full_access });
    }
    Ok(Member {
        tenant_id: key.tenant_id.clone(),
        user_id: key.user_id.clone(),
        role: key.role,
        via: Via::Key { id: key.id.clone() },
    })
}
