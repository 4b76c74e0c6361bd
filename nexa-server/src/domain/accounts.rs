//! Accounts: a tenant and the user that owns it.

use nexa_core::{KeyDigest, uuid_v7};
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::email::EmailAddress;
use super::error::Error;
use super::fields;
use super::key_cache::Weakened;
use super::mailed_tokens::{self, Purpose};
use super::mails::{self, Addressee, MailKind};
use super::password::Password;
use super::principal::Role;
use super::tariff::Tariff;
use super::{apps, credits, keys, licenses, payments, sessions, webhooks};
use crate::store::tenants::{self, Tenant};
use crate::store::users::{self, User};
use crate::store::{StoreError, Tx, agents, invites, sessions as session_rows, subscriptions};
use crate::time::UnixMillis;

/// A registration whose fields hold and whose password is hashed.
pub(crate) struct NewAccount {
    tenant: Tenant,
    owner: User,
    mail_id: String,
    /// Whether a user who has the address already hears of it.
    tells_holder: bool,
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
        tells_holder: bool,
    ) -> Result<Self, Error> {
        let name = fields::name("tenant_name", tenant_name)?;
        let tenant_id = uuid_v7(now.unsigned_ms(), rng);
        let owner = User {
            id: uuid_v7(now.unsigned_ms(), rng),
            tenant_id: tenant_id.clone(),
            email: Some(email.normal.clone()),
            email_given: Some(email.given.clone()),
            email_verified_at: None,
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
        Ok(Self {
            mail_id: uuid_v7(now.unsigned_ms(), rng),
            tenant,
            owner,
            tells_holder,
        })
    }
}

/// Registers the account and mails its owner a token, or mails the owner of the address that there is one already: the
/// caller learns no difference.
pub(crate) fn register(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    account: &NewAccount,
) -> Result<(), Error> {
    let (tenant, owner, mail_id) = (&account.tenant, &account.owner, &account.mail_id);
    let holder = match &owner.email {
        Some(email) => users::find_by_email(tx, email)?,
        None => None,
    };
    if let Some(holder) = holder {
        let to = match account.tells_holder {
            true => Addressee::User(&holder.id),
            false => Addressee::Nobody,
        };
        mails::enqueue(tx, now, origin, mail_id, MailKind::AlreadyRegistered, to)?;
        return record(tx, now, origin, Act::AccountRegisteredAgain, &holder);
    }
    tenants::insert(tx, tenant)?;
    users::insert(tx, owner)?;
    let to = Addressee::User(&owner.id);
    mails::enqueue(tx, now, origin, mail_id, MailKind::VerifyEmail, to)?;
    record(tx, now, origin, Act::AccountRegistered, owner)
}

/// Whether the token would verify an address: asked before anything is written.
///
/// # Errors
/// `MailedTokenInvalid`.
pub(crate) fn require_verification_token(
    tx: &Tx<'_>,
    now: UnixMillis,
    token: &KeyDigest,
) -> Result<(), Error> {
    mailed_tokens::user_of(tx, now, Purpose::VerifyEmail, token).map(drop)
}

/// Notes that the address to which the token was mailed is read.
///
/// # Errors
/// `MailedTokenInvalid`.
pub(crate) fn verify_email(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    token: &KeyDigest,
) -> Result<(), Error> {
    let user_id = mailed_tokens::redeem(tx, now, Purpose::VerifyEmail, token)?;
    let user = users::find(tx, &user_id)?
        .filter(|user| user.is_active)
        .ok_or(Error::MailedTokenInvalid)?;
    users::set_email_verified(tx, now, &user.id)?;
    record(tx, now, origin, Act::EmailVerified, &user)
}

/// Queues another mail with a token for the caller's address; nothing where it is verified, or where there is none.
pub(crate) fn resend_verification(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    mail_id: &str,
) -> Result<(), Error> {
    let user = &origin.principal.member()?.user_id;
    let to = Addressee::User(user);
    mails::enqueue(tx, now, origin, mail_id, MailKind::VerifyEmail, to)
}

/// Takes the address from a user who never showed that it is theirs, with every way in that hangs on it. A tenant that loses
/// its last owner so goes to the one who follows; one without any other user is left to the operator.
pub(super) fn give_up_address(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    user: &User,
) -> Result<Weakened, Error> {
    keys::delete_of_user(tx, now, origin, &user.tenant_id, &user.id)?;
    sessions::end_all(tx, &user.id)?;
    mailed_tokens::forget(tx, &user.id)?;
    invites::delete_of_inviter(tx, &user.id)?;
    users::clear_log_in(tx, &user.id)?;
    users::set_active(tx, &user.id, false)?;
    record(tx, now, origin, Act::AddressGivenUp, user)?;
    if let Some(heir) = users::heir(tx, &user.tenant_id)?
        && heir.role != Role::Owner.as_str()
    {
        users::set_role(tx, &heir.id, Role::Owner.as_str())?;
        record(tx, now, origin, Act::MemberRoleChanged, &heir)?;
    }
    // What the heir could do is cached too.
    Ok(Weakened::Tenant(user.tenant_id.clone()))
}

/// Enables or disables a tenant, and with it every key of its users. With the first disabling sessions and tokens end, its
/// licences are revoked, its subscription is cancelled and it is no customer of the payment provider any more; enabling
/// revives none of these.
///
/// # Errors
/// `NotFound`.
pub(crate) fn enable_tenant(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
    id: &str,
    is_enabled: bool,
) -> Result<((), Weakened), Error> {
    if !tenants::set_active(tx, id, is_enabled)? {
        return Err(Error::NotFound { noun: "Tenant" });
    }
    if !is_enabled {
        users::raise_session_versions(tx, id)?;
        session_rows::delete_of_tenant(tx, id)?;
        agents::raise_secret_version(tx, id)?;
        mailed_tokens::forget_tenant(tx, id)?;
        invites::delete_of_tenant(tx, id)?;
        licenses::begin_revoking(tx, now, origin, id)?;
        payments::end_tenant(tx, now, tariff, id)?;
        webhooks::cancel(tx, id)?;
    }
    let act = match is_enabled {
        true => Act::TenantEnabled,
        false => Act::TenantDisabled,
    };
    audit::record(tx, now, origin, act, Some(id), Some(id))?;
    Ok(((), Weakened::Tenant(id.to_owned())))
}

/// Gives a tenant a plan, or takes it: which terms its next licences have, of every app that knows the plan, and which credits
/// it is granted.
///
/// # Errors
/// `Invalid` for `plan`; `NotFound`; `Conflict` while the tenant is subscribed.
pub(crate) fn set_plan(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
    id: &str,
    plan: Option<&str>,
) -> Result<(), Error> {
    if let Some(plan) = plan {
        apps::check_name("plan", plan)?;
    }
    if !tenants::set_plan(tx, id, plan)? {
        return Err(Error::NotFound { noun: "Tenant" });
    }
    if subscriptions::live(tx, id)?.is_some() {
        return Err(Error::Conflict {
            rule: "The tenant pays for its plan; its subscription has to end first",
        });
    }
    credits::plan_changed(tx, now, tariff, id)?;
    audit::record(tx, now, origin, Act::TenantPlanChanged, Some(id), Some(id))
}

/// How a tenant stands: whether it is enabled, and its plan.
///
/// # Errors
/// `NotFound`.
pub(crate) fn standing(tx: &Tx<'_>, id: &str) -> Result<(bool, Option<String>), Error> {
    let is_enabled = tenants::is_active(tx, id)?.ok_or(Error::NotFound { noun: "Tenant" })?;
    Ok((is_enabled, tenants::plan(tx, id)?))
}

/// Enables or disables a user, and with it every key it has. Its sessions and tokens, mailed ones too, end with the first disabling, and
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
        sessions::end_all(tx, id)?;
        mailed_tokens::forget(tx, id)?;
        invites::delete_of_inviter(tx, id)?;
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

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    user: &User,
) -> Result<(), Error> {
    let (tenant_id, user_id) = (Some(user.tenant_id.as_str()), Some(user.id.as_str()));
    audit::record(tx, now, origin, act, tenant_id, user_id)
}
