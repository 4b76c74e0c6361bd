//! Keys and licences in process, on behalf of a tenant's owner.

use std::time::{Duration, SystemTime};

use nexa_core::{KeyFormat, PlainKey};

use super::call_error::CallError;
use super::nexa::Nexa;
use super::shell::{system_time, unix_millis};
use super::{now, rng};
use crate::api::{self, Cx};
use crate::app::Call;
use crate::domain::agents::AgentFields;
use crate::domain::key_usage::RateLimit;
use crate::domain::keys::{self, Environment, Expiry, KeyFields, KeyFilter, KeyTerms, Whose};
use crate::domain::licenses::DeviceFields;
use crate::domain::paging::Page;
use crate::domain::principal::Principal;
use crate::domain::{Error, tenants};
use crate::store::api_keys::ApiKey;

/// An agent that was registered: a tenant of a program, with one user that owns it.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegisteredAgent {
    /// For [`Nexa::tenant`].
    pub tenant_id: String,
    /// The agent's one user.
    pub user_id: String,
    /// A live key with `full_access`, for the HTTP API. Only its digest is kept: this is the one time that it is seen.
    pub api_key: PlainKey,
    /// With the key, for access tokens (`POST /v1/account/token`). Seen this once too.
    pub api_secret: PlainKey,
}

/// A tenant whose keys and licences the program manages, acting for the tenant's longest-standing owner.
///
/// The audit trail names the machine as the actor. What a tenant's people must do in person (team, payments, erasure) goes by the
/// HTTP API alone.
///
/// # Security
/// There is no credential to check: whoever holds a [`Nexa`] holds the folder. Never pass a tenant's id on that a client
/// has chosen; take it from [`KeyFacts`](crate::KeyFacts) or [`MemberFacts`](crate::MemberFacts).
#[derive(Clone)]
pub struct Tenant {
    nexa: Nexa,
    id: String,
}

/// A key to be made.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewKey {
    name: String,
    scopes: Option<Vec<String>>,
    expires_at: Option<SystemTime>,
    terms: KeyTerms,
}

/// A key that was made, or that has a new value.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedKey {
    /// A UUID; it stays through rotations.
    pub id: String,
    /// The key itself. Only its digest is kept: this is the one time that it is seen.
    pub key: PlainKey,
}

/// A key as its tenant sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedKey {
    /// A UUID.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The first characters, to recognise it by.
    pub prefix: String,
    /// As they were given; what its owner may not do (any more) does not count.
    pub scopes: Vec<String>,
    /// Whether it is switched on.
    pub is_enabled: bool,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it ends by itself.
    pub expires_at: Option<SystemTime>,
    /// When it last passed a check; up to date.
    pub last_used_at: Option<SystemTime>,
}

/// A licence to be issued to a device.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewLicense {
    app_id: String,
    fingerprint: String,
    platform: String,
    device_name: Option<String>,
    ttl_days: Option<u32>,
}

/// A licence that was issued.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedLicense {
    /// Its id, for [`Tenant::revoke_license`].
    pub jti: String,
    /// The token, for the device. It is not kept.
    pub token: String,
    /// When it ends.
    pub expires_at: SystemTime,
}

impl Nexa {
    /// Registers an agent, as `POST /v1/account/register` does: a tenant with one user, for a customer that is a program, or
    /// whose people log in elsewhere. It gets the trial credits of the configuration. Safe on disk when this returns.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for a `name` of fewer than 2 or more than 100 characters.
    pub fn register_agent(&self, name: &str) -> Result<RegisteredAgent, CallError> {
        let fields = AgentFields {
            name,
            contact_email: None,
            webhook_url: None,
            description: None,
            referral_code: None,
        };
        let new = self.perform(Principal::Machine, |cx| {
            api::base_v1::account::registered(cx, &fields)
        })?;
        Ok(RegisteredAgent {
            tenant_id: new.tenant_id().to_owned(),
            user_id: new.user_id().to_owned(),
            api_key: new.api_key,
            api_secret: new.api_secret,
        })
    }

    /// The tenant of that id. Nothing is looked up yet: each call asks whether it is there and active.
    pub fn tenant(&self, id: impl Into<String>) -> Tenant {
        Tenant {
            nexa: self.clone(),
            id: id.into(),
        }
    }

    fn perform<T>(
        &self,
        principal: Principal,
        work: impl FnOnce(&mut Cx<'_>) -> Result<T, Error>,
    ) -> Result<T, CallError> {
        let call = Call {
            now: now(),
            rng: &mut rng(),
            peer: [127, 0, 0, 1].into(),
            may_block: true,
        };
        Ok(self.open_shell()?.app.perform(call, principal, work)?)
    }
}

impl Tenant {
    /// Makes a key. Safe on disk when this returns.
    ///
    /// # Errors
    /// [`CallError::Invalid`] naming the field: `name`, `scopes`, `expires_at`, `rate_limit.limit`,
    /// `rate_limit.window_seconds`, `remaining`, `allowed_ips`. [`CallError::NotFound`] for a tenant that is unknown or
    /// disabled.
    pub fn create_key(&self, new: NewKey) -> Result<IssuedKey, CallError> {
        let expires_at = new.expires_at.map(unix_millis);
        self.perform(|cx| {
            let fields = KeyFields {
                format: KeyFormat::NEXA,
                name: &new.name,
                scopes: new.scopes.as_deref(),
                expiry: expires_at.map_or(Expiry::Never, Expiry::At),
                terms: new.terms,
            };
            api::keys::create(cx, fields).map(IssuedKey::of)
        })
    }

    /// Gives a key another value. The old one is dead when this returns, or passes for `grace` more, at most 30 days.
    ///
    /// # Errors
    /// [`CallError::NotFound`], also for another tenant's key; [`CallError::Invalid`] for `grace_seconds`.
    pub fn rotate_key(&self, id: &str, grace: Duration) -> Result<IssuedKey, CallError> {
        let grace_s = u32::try_from(grace.as_secs()).unwrap_or(u32::MAX);
        self.perform(|cx| {
            api::keys::rotate(cx, Whose::Managed, id.to_owned(), Some(grace_s)).map(IssuedKey::of)
        })
    }

    /// Deletes a key. Once this has returned, no check passes, in process or over HTTP.
    ///
    /// # Errors
    /// [`CallError::NotFound`], also for another tenant's key.
    pub fn revoke_key(&self, id: &str) -> Result<(), CallError> {
        self.perform(|cx| api::keys::delete(cx, Whose::Managed, id.to_owned()).map(drop))
    }

    /// Keys of the tenant, newest first: at most `limit` (1 to 1,000) of those that are older than the one of the id `before`.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for `limit`.
    pub fn keys(&self, before: Option<&str>, limit: u32) -> Result<Vec<ListedKey>, CallError> {
        if !(1..=1000).contains(&limit) {
            return Err(Error::invalid("limit", "must be from 1 to 1000").into());
        }
        let page = Page {
            limit,
            before: before.map(str::to_owned),
        };
        let keys = self.perform(|cx| {
            let (member, cache) = (cx.member()?, &cx.services.cache);
            let filter = KeyFilter::default();
            cx.read(|tx| keys::list(tx, cache, member, Whose::Managed, &filter, &page))
        })?;
        Ok(keys.items.into_iter().map(ListedKey::from).collect())
    }

    /// Issues a licence for an app of the configuration, on the terms of the tenant's plan. Safe on disk when this returns.
    ///
    /// # Errors
    /// [`CallError::Invalid`] naming the field; [`CallError::Refused`] with the codes `device_limit_reached` and `trial_over`.
    pub fn issue_license(&self, new: &NewLicense) -> Result<IssuedLicense, CallError> {
        let device = DeviceFields {
            fingerprint: Some(&new.fingerprint),
            components: None,
            platform: Some(&new.platform),
            name: new.device_name.as_deref(),
        };
        let issued = self.perform(|cx| {
            api::licenses::issue::issued(cx, new.app_id.clone(), &device, new.ttl_days)
        })?;
        Ok(IssuedLicense {
            jti: issued.jti,
            token: issued.token,
            expires_at: system_time(issued.expires_at),
        })
    }

    /// Revokes a licence; doing so again changes nothing. It stands in its status shard and in the public list when this
    /// returns. `reason` is at most 500 characters and never made public.
    ///
    /// # Errors
    /// [`CallError::NotFound`], also for another tenant's licence; [`CallError::Invalid`] for `reason`.
    pub fn revoke_license(&self, jti: &str, reason: Option<&str>) -> Result<(), CallError> {
        let (jti, reason) = (jti.to_owned(), reason.map(str::to_owned));
        self.perform(|cx| api::licenses::revoke_one(cx, jti, reason))
    }

    /// Does `work` for the owner that the tenant has now; every write asks again, in its transaction, whether it still has it.
    fn perform<T>(
        &self,
        work: impl FnOnce(&mut Cx<'_>) -> Result<T, Error>,
    ) -> Result<T, CallError> {
        self.nexa.perform(Principal::Machine, |cx| {
            let owner = cx.read(|tx| tenants::represented(tx, &self.id))?;
            cx.origin.principal = Principal::Member(owner);
            work(cx)
        })
    }
}

impl NewKey {
    /// A live key with `full_access` that never ends, in the format `nex_…`; `name` is 1 to 100 characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scopes: None,
            expires_at: None,
            terms: KeyTerms::default(),
        }
    }

    /// Only these scopes, which the configuration has to know.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// It ends by itself, in the future.
    pub fn expires_at(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// So many uses in each window; at least 1, in 1 second to 31 days.
    pub fn rate_limit(mut self, limit: u32, window: Duration) -> Self {
        let window_s = u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
        self.terms.rate_limit = Some(RateLimit { limit, window_s });
        self
    }

    /// So many uses altogether. Each is then written to disk before its check answers.
    pub fn remaining(mut self, uses: u64) -> Self {
        self.terms.remaining = Some(uses);
        self
    }

    /// Only from these addresses or CIDR blocks, 1 to 100 of them.
    pub fn allowed_ips<S: Into<String>>(mut self, blocks: impl IntoIterator<Item = S>) -> Self {
        self.terms.allowed_ips = Some(blocks.into_iter().map(Into::into).collect());
        self
    }

    /// A test key: it passes only where [`KeyEnvironments::Test`](crate::KeyEnvironments::Test) or `Any` is asked for.
    pub fn test(mut self) -> Self {
        self.terms.environment = Environment::Test;
        self
    }
}

impl NewLicense {
    /// For a device of that platform (1 to 32 characters, `linux` say), told from others by a fingerprint of 1 to 512 bytes, of which only hashes are
    /// kept.
    pub fn new(
        app_id: impl Into<String>,
        fingerprint: impl Into<String>,
        platform: impl Into<String>,
    ) -> Self {
        Self {
            app_id: app_id.into(),
            fingerprint: fingerprint.into(),
            platform: platform.into(),
            device_name: None,
            ttl_days: None,
        }
    }

    /// What the tenant's people call the device.
    pub fn device_name(mut self, name: impl Into<String>) -> Self {
        self.device_name = Some(name.into());
        self
    }

    /// So many days, within what the app allows; otherwise the app's own number.
    pub fn ttl_days(mut self, days: u32) -> Self {
        self.ttl_days = Some(days);
        self
    }
}

impl IssuedKey {
    fn of((row, key): (ApiKey, PlainKey)) -> Self {
        Self { id: row.id, key }
    }
}

impl From<ApiKey> for ListedKey {
    fn from(key: ApiKey) -> Self {
        Self {
            scopes: key.scopes.split_whitespace().map(str::to_owned).collect(),
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            is_enabled: key.is_enabled,
            created_at: system_time(key.created_at),
            expires_at: key.expires_at.map(system_time),
            last_used_at: key.last_used_at.map(system_time),
        }
    }
}
