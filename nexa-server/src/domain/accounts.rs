//! Accounts: a tenant and the user that owns it.

use nexa_core::uuid_v7;
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::email::EmailAddress;
use super::error::Error;
use super::fields;
use super::key_cache::Weakened;
use super::password::Password;
use super::principal::Role;
use crate::store::tenants::{self, Tenant};
use crate::store::users::{self, User};
use crate::store::{StoreError, Tx, agents, sessions};
use crate::time::UnixMillis;

/// A registration whose fields hold and whose password is hashed.
pub(crate) struct NewAccount {
    tenant: Tenant,
    owner: User,
}

impl NewAccount {
    /// Checks the fields and does the slow part, outside any transaction.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        email: &EmailAddress,
        password: &Password,
        tenant_name: &str,
    ) -> Result<Self, Error> {
        let name = fields::name("tenant_name", tenant_name)?;
        let tenant_id = uuid_v7(now.unsigned_ms(), rng);
        let owner = User {
            id: uuid_v7(now.unsigned_ms(), rng),
            tenant_id: tenant_id.clone(),
            email: Some(email.normal.clone()),
            email_given: Some(email.given.clone()),
            password_hash: Some(password.hash(rng)?),
            role: Role::Owner.as_str().to_owned(),
            session_version: 1,
            created_at: now,
            is_active: true,
        };
        let tenant = Tenant {
            id: tenant_id,
            name,
            kind: "workspace".to_owned(),
            created_at: now,
        };
        Ok(Self { tenant, owner })
    }
}

/// Registers the account, or does nothing when the address is taken: the caller learns no difference.
pub(crate) fn register(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    account: &NewAccount,
) -> Result<(), Error> {
    if let Some(email) = &account.owner.email
        && users::find_by_email(tx, email)?.is_some()
    {
        return Ok(());
    }
    tenants::insert(tx, &account.tenant)?;
    users::insert(tx, &account.owner)?;
    audit::record(
        tx,
        now,
        origin,
        Act::AccountRegistered,
        Some(&account.tenant.id),
        Some(&account.owner.id),
    )
}

/// Enables or disables a tenant, and with it every key of its users. Sessions and tokens end with the first disabling, and
/// enabling revives none.
///
/// # Errors
/// `NotFound`.
pub(crate) fn enable_tenant(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
    is_enabled: bool,
) -> Result<((), Weakened), Error> {
    if !tenants::set_active(tx, id, is_enabled)? {
        return Err(Error::NotFound { noun: "Tenant" });
    }
    if !is_enabled {
        users::raise_session_versions(tx, id)?;
        sessions::delete_of_tenant(tx, id)?;
        agents::raise_secret_version(tx, id)?;
    }
    let act = match is_enabled {
        true => Act::TenantEnabled,
        false => Act::TenantDisabled,
    };
    audit::record(tx, now, origin, act, Some(id), Some(id))?;
    Ok(((), Weakened::Tenant(id.to_owned())))
}

/// Enables or disables a user, and with it every key it has. Its sessions and tokens end with the first disabling, and
/// enabling revives none.
///
/// # Errors
/// `NotFound`.
pub(crate) fn enable_user(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    id: &str,
    is_enabled: bool,
) -> Result<((), Weakened), Error> {
    let user = users::find(tx, id)?.ok_or(Error::NotFound { noun: "User" })?;
    users::set_active(tx, id, is_enabled)?;
    if !is_enabled {
        users::raise_session_version(tx, id)?;
        sessions::delete_of_user(tx, id)?;
        agents::raise_secret_version(tx, &user.tenant_id)?;
    }
    let act = match is_enabled {
        true => Act::UserEnabled,
        false => Act::UserDisabled,
    };
    audit::record(tx, now, origin, act, Some(&user.tenant_id), Some(id))?;
    Ok(((), Weakened::User(id.to_owned())))
}

/// A user and its tenant, as `GET /api/auth/me` shows them.
pub(crate) fn profile(tx: &Tx<'_>, user_id: &str) -> Result<(User, Tenant), Error> {
    let user = users::find(tx, user_id)?.ok_or(Error::NotFound { noun: "User" })?;
    let tenant = tenants::find(tx, &user.tenant_id)?.ok_or(StoreError::NoRow)?;
    Ok((user, tenant))
}
