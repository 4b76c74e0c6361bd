//! What the operator sees of its customers.

use super::email::EmailAddress;
use super::error::Error;
use super::paging::{Page, Paged};
use super::principal::{Member, Role, Via};
use super::subscriptions::{self, Own};
use super::tariff::Tariff;
use crate::store::Tx;
use crate::store::tenants::{self, SeenTenant};
use crate::store::users::{self, User};

/// A tenant, and whom to talk to about it.
pub(crate) struct Tenant {
    pub(crate) seen: SeenTenant,
    /// How many users it has.
    pub(crate) users: i64,
    /// The longest-standing first, a hundred at most.
    pub(crate) owners: Vec<User>,
    /// Its plan and its subscription.
    pub(crate) own: Own,
}

/// The tenants, newest first; with an address only the one whose user has it. One that is erased, or is about to be, is no
/// tenant any more: there is nothing to see of it and nothing to be done with it, and its name is gone. The audit trail
/// says that there was one.
pub(crate) fn list(
    tx: &Tx<'_>,
    email: Option<&EmailAddress>,
    page: &Page,
) -> Result<Paged<SeenTenant>, Error> {
    let before = page.before.as_deref();
    let tenants = match email {
        None => tenants::list(tx, before, page.probe())?,
        Some(email) => {
            let user = users::find_by_email(tx, &email.normal)?;
            let id = user.map(|user| user.tenant_id);
            let id = id.filter(|id| before.is_none_or(|before| id.as_str() < before));
            let tenant = id.map(|id| tenants::seen(tx, &id)).transpose()?;
            tenant.flatten().into_iter().collect()
        }
    };
    Ok(Paged::new(tenants, page, |tenant| &tenant.id))
}

/// That there is such a tenant.
///
/// # Errors
/// `NotFound`, also for one that is erased or about to be.
pub(crate) fn require(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    match tenants::seen(tx, id)? {
        Some(_) => Ok(()),
        None => Err(Error::NotFound { noun: "Tenant" }),
    }
}

/// The program that holds the data folder, acting for the longest-standing owner of a tenant.
///
/// # Errors
/// `NotFound` for a tenant without an active owner: it is disabled, erased or unknown.
pub(crate) fn represented(tx: &Tx<'_>, id: &str) -> Result<Member, Error> {
    let owner = users::oldest_active_owner(tx, id)?.ok_or(Error::NotFound { noun: "Tenant" })?;
    Ok(Member {
        tenant_id: owner.tenant_id,
        user_id: owner.id,
        role: Role::Owner,
        via: Via::Program,
    })
}

/// One tenant.
///
/// # Errors
/// `NotFound`, also for one that is erased or about to be.
pub(crate) fn find(tx: &Tx<'_>, tariff: &Tariff, id: &str) -> Result<Tenant, Error> {
    const OWNERS: u32 = 100;
    let seen = tenants::seen(tx, id)?.ok_or(Error::NotFound { noun: "Tenant" })?;
    Ok(Tenant {
        own: subscriptions::own(tx, tariff, id)?,
        users: users::count(tx, id)?,
        owners: users::owners(tx, id, OWNERS)?,
        seen,
    })
}
