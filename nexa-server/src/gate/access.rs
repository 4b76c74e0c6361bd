//! Who may call a route, and the principal behind the credential.

use std::net::IpAddr;
use std::sync::Arc;

use super::client;
use super::credential::{self, Credential, Kept};
use super::license_token;
use super::limit::Limiter;
use super::places::Places;
use crate::domain::key_cache::{CheckedKey, KeyCache};
use crate::domain::keys::{self, Admission, Ask, Environments, KeyPolicy, KeyRefusal, Presented};
use crate::domain::principal::{Member, Principal, Via};
use crate::domain::server_keys::KeyRing;
use crate::domain::{Error, access_tokens, operators};
use crate::store::Store;
use crate::time::UnixMillis;
use hyper::http::request::Parts;
use nexa_core::{KeyDigest, Scope};

/// Who may call a route: a column that every route fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone; a credential is not looked at.
    Public,
    /// An active user, by an access token or by a live key with `full_access`.
    Member,
    /// As `Member`, with a role that manages the tenant.
    Manager,
    /// As `Member`, in person: by a session.
    Person,
    /// As `Manager`, in person.
    ManagerInPerson,
    /// An owner, in person.
    OwnerInPerson,
    /// The operator's key.
    Operator,
    /// A member, within its tenant, or the operator, within all: whoever checks other people's keys.
    Checker,
    /// As `Member`, also by HTTP Basic: an OAuth endpoint.
    OauthMember,
    /// As `Checker`, also by HTTP Basic: an OAuth endpoint.
    OauthChecker,
    /// As `Member`, also by `?token=` of an upgrade: a WebSocket.
    WebsocketMember,
    /// An app on a device, by its licence token.
    License,
    /// The route checks the caller's key itself: forward authorization.
    CallersKey,
}

/// A caller that passed, and the key it came with.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) key: Option<(Arc<CheckedKey>, Admission)>,
}

/// What a credential is checked against.
pub(crate) struct Authority<'a> {
    pub(crate) store: &'a Store,
    pub(crate) cache: &'a KeyCache,
    pub(crate) policy: &'a KeyPolicy,
    pub(crate) ring: &'a KeyRing,
    pub(crate) limiter: &'a Limiter,
    pub(crate) places: &'a Places,
    /// Whether the store may be asked; otherwise only memory.
    pub(crate) may_block: bool,
}

/// Resolves the caller, or refuses it; `address` is where the call comes from, as far as that is known.
///
/// # Errors
/// `CredentialMissing`, `TwoCredentials`, `TokenInvalid`, `ClientInvalid`, `Forbidden`, and what a key or a licence can be
/// refused for.
pub(crate) fn caller(
    authority: &Authority<'_>,
    now: UnixMillis,
    access: Access,
    address: Option<IpAddr>,
    head: &Parts,
) -> Result<Caller, Error> {
    let headers = &head.headers;
    let (takes_members, takes_operators, takes_clients) = match access {
        Access::Public | Access::CallersKey => return Ok(Caller::of(Principal::Anyone)),
        Access::Member
        | Access::Manager
        | Access::Person
        | Access::ManagerInPerson
        | Access::OwnerInPerson
        | Access::WebsocketMember => (true, false, false),
        Access::Operator => (false, true, false),
        Access::Checker => (true, true, false),
        Access::OauthMember => (true, false, true),
        Access::OauthChecker => (true, true, true),
        Access::License => return license_token::caller(authority, now, headers),
    };
    let token = match access == Access::WebsocketMember {
        true => credential::websocket_token(head)?,
        false => None,
    };
    let presented = credential::presented_beside(headers, token.as_deref())?;
    if takes_clients && let Some(client) = client::basic(headers)? {
        return match presented {
            Some(_) => Err(Error::TwoCredentials),
            None => authority.client(now, access, takes_operators, address, &client),
        };
    }
    match presented.ok_or(Error::CredentialMissing)? {
        Credential::Token(token) => {
            let (member, _) = authority.member_by_token(now, &token)?;
            match takes_members {
                true => access
                    .admit(&member)
                    .map(|()| Caller::of(Principal::Member(member))),
                false => Err(OPERATOR_ONLY),
            }
        }
        Credential::Key(presented) => match authority.operator(presented.digest())? {
            Some(key_id) if takes_operators => Ok(Caller::of(Principal::Operator { key_id })),
            Some(_) => Err(MEMBER_ONLY),
            None => {
                let key = authority.key(now, presented)?;
                match takes_members {
                    true => authority.owner(now, access, key, address),
                    false => Err(OPERATOR_ONLY),
                }
            }
        },
    }
}

pub(super) const MEMBER_ONLY: Error = Error::Forbidden {
    rule: "This needs a user of a tenant, not the operator key",
};

const OPERATOR_ONLY: Error = Error::Forbidden {
    rule: "This needs the operator key",
};

impl Access {
    /// Whether that member may pass, as far as its role and the kind of its credential go.
    ///
    /// # Errors
    /// `Forbidden`.
    fn admit(self, member: &Member) -> Result<(), Error> {
        match self {
            Self::Manager => member.require_manager(),
            Self::Person => member.require_person(),
            Self::ManagerInPerson => {
                member.require_person()?;
                member.require_manager()
            }
            Self::OwnerInPerson => {
                member.require_person()?;
                member.require_owner()
            }
            Self::Public
            | Self::Member
            | Self::Operator
            | Self::Checker
            | Self::OauthMember
            | Self::OauthChecker
            | Self::WebsocketMember
            | Self::License
            | Self::CallersKey => Ok(()),
        }
    }
}

impl Caller {
    pub(super) const fn of(principal: Principal) -> Self {
        Self {
            principal,
            key: None,
        }
    }
}

impl Authority<'_> {
    /// A presented key, from memory or from the store, whether it passes or not.
    ///
    /// # Errors
    /// `NotInMemory` when the store would have to be asked and may not be.
    pub(crate) fn find(&self, presented: Presented<'_>) -> Result<Option<Arc<CheckedKey>>, Error> {
        let mut remembered = presented
            .digests()
            .filter_map(|digest| self.cache.find(&digest));
        match remembered.next() {
            Some(key) => Ok(Some(key)),
            None if self.may_block => {
                keys::find_presented(self.store, self.cache, self.policy, presented)
            }
            None => Err(Error::NotInMemory),
        }
    }

    /// The key behind a presented one, if it passes.
    ///
    /// # Errors
    /// `KeyInvalid`; `NotInMemory` as for [`Authority::find`].
    pub(crate) fn key(
        &self,
        now: UnixMillis,
        presented: Presented<'_>,
    ) -> Result<Arc<CheckedKey>, Error> {
        let key = self.find(presented)?;
        let key = key.ok_or_else(|| self.refused(KeyRefusal::Deleted))?;
        key.stands(now).map_err(|refusal| self.refused(refusal))?;
        Ok(key)
    }

    /// What a refusal is for the client; it is noted.
    fn refused(&self, refusal: KeyRefusal) -> Error {
        self.cache.checks().refused(&refusal);
        refusal.into()
    }

    /// Judges a key for what is asked, counts one use of it, and notes that it was used.
    ///
    /// # Errors
    /// As [`Authority::take`]; why the key itself is refused stands in the answer.
    pub(crate) fn admit(
        &self,
        now: UnixMillis,
        key: &CheckedKey,
        ask: &Ask<'_>,
        cost: u64,
    ) -> Result<Result<Admission, KeyRefusal>, Error> {
        let admitted = match keys::judge(now, key, ask) {
            Ok(()) => self.take(now, key, cost)?,
            Err(refusal) => Err(refusal),
        };
        match &admitted {
            Ok(_) => self.cache.note_use(now, key),
            Err(refusal) => self.cache.checks().refused(refusal),
        }
        Ok(admitted)
    }

    /// Counts one use of a key that may do what is asked: against its rate limit, and its numbered uses by `cost`. What
    /// it has too little of stands in the answer.
    ///
    /// # Errors
    /// `NotInMemory`, with nothing counted, when the store would have to be written.
    fn take(
        &self,
        now: UnixMillis,
        key: &CheckedKey,
        cost: u64,
    ) -> Result<Result<Admission, KeyRefusal>, Error> {
        if key.is_numbered && !self.may_block {
            return Err(Error::NotInMemory);
        }
        let rate = match key.count(now) {
            Ok(rate) => rate,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !key.is_numbered {
            let remaining = None;
            return Ok(Ok(Admission { rate, remaining }));
        }
        let costs = vec![(KeyDigest::from_bytes(key.digest), cost)];
        let spent = keys::spend(self.store, now, costs)
            .map(|spent| spent.into_iter().next().unwrap_or(Ok(None)))
            .inspect_err(|_| key.give_back(rate.as_ref()))?;
        Ok(spent
            .map(|remaining| Admission { rate, remaining })
            .inspect_err(|_| key.give_back(rate.as_ref())))
    }

    /// The id of the operator key that was presented, if it is one.
    ///
    /// Memory answers no only for a key that it knows as a tenant's.
    pub(super) fn operator(&self, presented: &KeyDigest) -> Result<Option<String>, Error> {
        if let Some(id) = self.cache.find_operator(presented) {
            return Ok(Some(id.as_ref().to_owned()));
        }
        if self.cache.find(presented).is_some() {
            return Ok(None);
        }
        if !self.may_block {
            return Err(Error::NotInMemory);
        }
        let epoch = self.cache.epoch(presented);
        let found = self.store.read(|tx| operators::find(tx, presented))?;
        if let Some(id) = &found {
            self.cache.remember_operator(epoch, presented, id);
        }
        Ok(found)
    }

    /// The member behind an access token, and until when that token lasts.
    ///
    /// # Errors
    /// `TokenInvalid`; `NotInMemory` where the store may not be asked.
    pub(crate) fn member_by_token(
        &self,
        now: UnixMillis,
        token: &str,
    ) -> Result<(Member, UnixMillis), Error> {
        if !self.may_block {
            return Err(Error::NotInMemory);
        }
        self.store
            .read(|tx| access_tokens::member(tx, now, &self.ring.issuing(), token))
    }

    /// Whether a credential that was let in still would be, by the rules of the first time; nothing is counted. The member
    /// as it is now, and until when the credential lasts by itself.
    ///
    /// # Errors
    /// As [`caller`].
    pub(crate) fn again(
        &self,
        now: UnixMillis,
        access: Access,
        address: Option<IpAddr>,
        kept: &Kept,
    ) -> Result<(Member, Option<UnixMillis>), Error> {
        match kept {
            Kept::Token(token) => {
                let (member, until) = self.member_by_token(now, token)?;
                access.admit(&member)?;
                Ok((member, Some(until)))
            }
            Kept::Key(digest) => {
                // Not from memory: it forgets what was weakened a moment after the COMMIT.
                let found = keys::find_in_store(self.store, self.cache, self.policy, digest)?;
                let key = found.ok_or(Error::KeyInvalid)?;
                let member = self.owner_of(now, access, &key, address)?;
                Ok((member, key.expires_at))
            }
        }
    }

    /// The owner that a key stands for, and one use of it.
    pub(super) fn owner(
        &self,
        now: UnixMillis,
        access: Access,
        key: Arc<CheckedKey>,
        address: Option<IpAddr>,
    ) -> Result<Caller, Error> {
        let member = self.owner_of(now, access, &key, address)?;
        // What this call still needs may make it run again, and it must be counted once.
        if key.is_limited() && !self.may_block {
            return Err(Error::NotInMemory);
        }
        if access == Access::WebsocketMember {
            // Who finds no place pays nothing for that.
            self.places.check(&member.tenant_id)?;
        }
        let admission = self.take(now, &key, 1)??;
        Ok(Caller {
            principal: Principal::Member(member),
            key: Some((key, admission)),
        })
    }

    /// A key stands for its owner only if it is live and has `full_access`.
    fn owner_of(
        &self,
        now: UnixMillis,
        access: Access,
        key: &CheckedKey,
        address: Option<IpAddr>,
    ) -> Result<Member, Error> {
        let ask = Ask {
            address,
            environments: Environments::Live,
            requirements: &[],
        };
        keys::judge(now, key, &ask)?;
        if !key.has_full_access {
            return Err(Error::ScopeMissing {
                scope: Scope::full_access(),
            });
        }
        let member = Member {
            tenant_id: key.tenant_id.clone(),
            user_id: key.user_id.clone(),
            role: key.role,
            via: Via::Key {
                id: key.id.clone(),
                digest: key.digest,
                power: key.power,
            },
        };
        access.admit(&member)?;
        Ok(member)
    }
}
