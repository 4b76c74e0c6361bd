//! Erasure: what a tenant leaves is its id, its sums in the ledger, and its place in the audit trail.

use super::accounts;
use super::audit::{self, Act, Origin};
use super::error::Error;
use super::key_cache::Weakened;
use super::principal::Principal;
use crate::store::{Store, Tx, erasure, tenants};
use crate::time::UnixMillis;

/// Begins to erase the calling owner's tenant: from here on nobody gets in, and its licences are revoked. [`finish`] does
/// the rest, now or after a crash.
///
/// # Errors
/// `Forbidden` for anybody but an owner in person.
pub(crate) fn begin_own(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
) -> Result<(String, Weakened), Error> {
    let member = origin.principal.member()?;
    member.require_person()?;
    member.require_owner()?;
    let tenant_id = member.tenant_id.clone();
    let ((), weakened) = begin(tx, now, origin, &tenant_id)?;
    Ok((tenant_id, weakened))
}

/// As [`begin_own`] for any tenant, on the operator's behalf.
///
/// # Errors
/// `NotFound`, also for one that has been erased.
pub(crate) fn begin(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tenant_id: &str,
) -> Result<((), Weakened), Error> {
    let disabled = accounts::enable_tenant(tx, now, origin, tenant_id, false)?;
    tenants::begin_erasing(tx, now, tenant_id)?;
    Ok(disabled)
}

/// Removes everything of a tenant that is being erased, in turns of the writer that keep nobody waiting for long, and then
/// its traces in the log. Doing it again changes nothing.
///
/// # Errors
/// `Store`; what is left is removed by the next call.
pub(crate) fn finish(store: &Store, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    /// Rows of a table in one turn.
    const PART: u32 = 500;
    let tenant = || tenant_id.to_owned();
    loop {
        let id = tenant();
        if store.write(move |tx| erasure::remove_part(tx, &id, PART))? == 0 {
            break;
        }
    }
    let id = tenant();
    store.write(move |tx| clear(tx, now, &id))?;
    store.scrub()?;
    let id = tenant();
    store.write(move |tx| Ok(tenants::end_erasing(tx, &id)?))
}

/// Finishes what a crash or a reader of the log has left unfinished.
pub(crate) fn finish_all(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const AT_ONCE: u32 = 10;
    for tenant_id in store.read(|tx| tenants::erasing(tx, AT_ONCE))? {
        finish(store, now, &tenant_id)?;
    }
    Ok(())
}

fn clear(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    if !tenants::clear(tx, now, tenant_id)? {
        return Ok(());
    }
    let machine = Origin {
        principal: Principal::Machine,
        address: None,
    };
    audit::record(tx, now, &machine, Act::AccountErased, Some(tenant_id), None)?;
    audit::erase_tenant(tx, tenant_id)
}
