//! What checks in process answer: whose a key is and what it has left, or why it does not pass.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use nexa_core::{Scope, ScopeSet};

use super::shell::system_time;
use crate::api::authorize::Passed;
use crate::domain::key_cache::CheckedKey;
use crate::domain::key_usage::RateState;
use crate::domain::keys::{Admission, Environment, KeyRefusal};
use crate::domain::principal::{Member, Role};

/// A key that passed, as it was when it did. It goes on saying so after a revocation: check anew for each request.
#[derive(Clone)]
pub struct KeyFacts {
    key: Arc<CheckedKey>,
    admission: Admission,
}

/// How much of its rate limit a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLeft {
    /// Uses in a window.
    pub limit: u32,
    /// The length of a window, in seconds.
    pub window_s: u32,
    /// Uses left in this window.
    pub remaining: u32,
    /// Until the next window, in whole seconds, rounded up.
    pub resets_in_s: u64,
}

/// Why a key does not pass.
///
/// # Security
/// Show a client no more than that its key is invalid for the first four: they tell a thief what he has found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Nexa does not know it: it was never made, or it has been deleted.
    NotFound,
    /// It is disabled.
    Disabled,
    /// Its owner, or the owner's tenant, is disabled.
    OwnerDisabled,
    /// It has expired.
    Expired,
    /// It may not be used from that address, or is bound to addresses and none was given.
    AddressNotAllowed,
    /// It is a test key where a live one is wanted, or the other way round.
    WrongEnvironment,
    /// It, or its owner, lacks a scope.
    ScopeMissing(Scope),
    /// Its rate limit is used up.
    RateLimited(RateLeft),
    /// It has fewer uses left than this takes.
    UsedUp {
        /// The uses that it has left.
        left: u64,
    },
}

/// A user of a tenant, behind an access token that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberFacts {
    /// The tenant that the user belongs to.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// What the user may do in the tenant.
    pub role: MemberRole,
}

/// What a user may do in its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberRole {
    /// Everything.
    Owner,
    /// Everything but deleting the account and changing owners.
    Admin,
    /// Own keys, licences and usage.
    Member,
}

impl From<Passed> for KeyFacts {
    fn from((key, admission): Passed) -> Self {
        Self { key, admission }
    }
}

impl From<Member> for MemberFacts {
    fn from(member: Member) -> Self {
        Self {
            tenant_id: member.tenant_id,
            user_id: member.user_id,
            role: match member.role {
                Role::Owner => MemberRole::Owner,
                Role::Admin => MemberRole::Admin,
                Role::Member => MemberRole::Member,
            },
        }
    }
}

impl From<KeyRefusal> for Refusal {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::Deleted => Self::NotFound,
            KeyRefusal::Disabled => Self::Disabled,
            KeyRefusal::OwnerDisabled => Self::OwnerDisabled,
            KeyRefusal::Expired => Self::Expired,
            KeyRefusal::Address => Self::AddressNotAllowed,
            KeyRefusal::Environment => Self::WrongEnvironment,
            KeyRefusal::ScopeMissing(scope) => Self::ScopeMissing(scope),
            KeyRefusal::Limited(state) => Self::RateLimited(state.into()),
            KeyRefusal::UsedUp { left } => Self::UsedUp { left },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("unknown"),
            Self::Disabled => f.write_str("disabled"),
            Self::OwnerDisabled => f.write_str("its owner is disabled"),
            Self::Expired => f.write_str("expired"),
            Self::AddressNotAllowed => f.write_str("not allowed from this address"),
            Self::WrongEnvironment => f.write_str("of another environment"),
            Self::ScopeMissing(scope) => write!(f, "lacks the scope {scope}"),
            Self::RateLimited(left) => write!(f, "rate limited for {} s", left.resets_in_s),
            Self::UsedUp { left } => write!(f, "only {left} uses left"),
        }
    }
}

impl From<RateState> for RateLeft {
    fn from(state: RateState) -> Self {
        Self {
            limit: state.rate.limit,
            window_s: state.rate.window_s,
            remaining: state.remaining,
            resets_in_s: state.resets_in_s,
        }
    }
}

impl KeyFacts {
    /// The key's id: a UUID, the same after a rotation.
    pub fn id(&self) -> &str {
        &self.key.id
    }

    /// The tenant that the key belongs to.
    pub fn tenant_id(&self) -> &str {
        &self.key.tenant_id
    }

    /// The user who owns the key.
    pub fn user_id(&self) -> &str {
        &self.key.user_id
    }

    /// What the key's owner calls it.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// The key's scopes within what its owner may do now.
    pub fn scopes(&self) -> &ScopeSet {
        &self.key.scopes
    }

    /// Whether it is a test key, which passes only where [`KeyEnvironments::Test`](super::KeyEnvironments::Test) or `Any` is asked for.
    pub fn is_test(&self) -> bool {
        self.key.environment == Environment::Test
    }

    /// What the key's maker has put on it: a JSON object of at most 4,096 bytes.
    pub fn metadata(&self) -> Option<&str> {
        self.key.metadata.as_deref()
    }

    /// When the key, or the value of it that was presented, stops passing.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.key.expires_at.map(system_time)
    }

    /// The uses left after this one; `None` for a key whose uses are not numbered.
    pub fn remaining(&self) -> Option<u64> {
        self.admission.remaining
    }

    /// What its rate limit has left after this use; `None` for a key without one.
    pub fn rate(&self) -> Option<RateLeft> {
        self.admission.rate.map(RateLeft::from)
    }
}

/// Ids and names; nothing of the key's value.
impl fmt::Debug for KeyFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFacts")
            .field("id", &self.id())
            .field("tenant_id", &self.tenant_id())
            .field("user_id", &self.user_id())
            .field("scopes", self.scopes())
            .finish_non_exhaustive()
    }
}
