//! Erasure: what a tenant leaves is its id, its sums in the ledger, and its place in the audit trail.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::accounts;
use super::audit::{self, Act, Origin};
use super::error::Error;
use super::key_cache::Weakened;
use super::licenses;
use super::principal::Principal;
use super::status::Signer;
use super::tariff::Tariff;
use crate::store::{Store, Tx, erasure, licenses as license_rows, tenants, users};
use crate::time::UnixMillis;

/// Up to this size the file is rewritten for an erasure at once, which takes a moment; beyond it, for all of an hour.
const REWRITTEN_AT_ONCE_BYTES: u64 = 64 << 20;
/// How long rows that are gone may leave traces in a large file, in seconds.
const TRACES_MAX_S: i64 = 3600;
/// Between two rewritings, or tries of one, in seconds: nobody is to keep the server busy by erasing.
const REWRITING_PAUSE_S: i64 = 60;
/// Rows of a table in one turn of the writer.
const PART: u32 = 500;

/// Begins to erase the calling owner's tenant: from here on nobody gets in, nobody's address is taken by it, and its
/// licences are to be revoked. [`finish`] does the rest, now or after a crash.
///
/// # Errors
/// `Forbidden` for anybody but an owner in person.
pub(crate) fn begin_own(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
) -> Result<(String, Weakened), Error> {
    let member = origin.principal.member()?;
    member.require_person()?;
    member.require_owner()?;
    let tenant_id = member.tenant_id.clone();
    let ((), weakened) = begin(tx, now, origin, tariff, &tenant_id)?;
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
    tariff: &Tariff,
    tenant_id: &str,
) -> Result<((), Weakened), Error> {
    let disabled = accounts::enable_tenant(tx, now, origin, tariff, tenant_id, false)?;
    audit::record(tx, now, origin, Act::ErasureBegun, Some(tenant_id), None)?;
    users::clear_log_ins(tx, tenant_id)?;
    tenants::begin_erasing(tx, now, tenant_id)?;
    Ok(disabled)
}

/// When the file may be rewritten again.
#[derive(Default)]
pub(crate) struct Pace {
    next_at_ms: AtomicI64,
}

impl Pace {
    /// Whether it may be now; if so, not again for a while.
    fn begin(&self, now: UnixMillis) -> bool {
        let next_ms = now.plus_seconds(REWRITING_PAUSE_S).ms();
        let begun = self
            .next_at_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at_ms| {
                (at_ms <= now.ms() || at_ms > next_ms).then_some(next_ms)
            });
        begun.is_ok()
    }
}

/// Whether an erasure is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing personal is left in any file.
    Over,
    /// The rows are gone; [`finish_all`] will remove their traces.
    TracesLeft,
}

/// Removes everything of a tenant that is being erased, in turns of the writer that keep nobody waiting for long, and then,
/// unless the file is large or was rewritten just now, what the rows have left in it. Doing it again changes nothing.
///
/// # Errors
/// `Store`; what is left is removed by [`finish_all`].
pub(crate) fn finish(
    store: &Store,
    pace: &Pace,
    now: UnixMillis,
    signer: &Arc<Signer>,
    tenant_id: &str,
) -> Result<Progress, Error> {
    remove(store, now, signer, tenant_id)?;
    if store.sizes()?.total_bytes() > REWRITTEN_AT_ONCE_BYTES || !pace.begin(now) {
        return Ok(Progress::TracesLeft);
    }
    store.scrub()?;
    end(store, tenant_id)?;
    Ok(Progress::Over)
}

/// Finishes what a crash, a reader of the log or the size of the file has left unfinished; answers the tenants whose rows
/// could not be removed, and why.
///
/// # Errors
/// `Store`; what is left is removed by the next call.
pub(crate) fn finish_all(
    store: &Store,
    pace: &Pace,
    now: UnixMillis,
    signer: &Arc<Signer>,
) -> Result<Vec<(String, Error)>, Error> {
    const TENANTS: u32 = 100;
    let mut failed = Vec::new();
    let mut cleared = Vec::new();
    for tenant in store.read(|tx| tenants::erasing(tx, TENANTS))? {
        let removed = match tenant.is_cleared {
            true => Ok(()),
            false => remove(store, now, signer, &tenant.id),
        };
        match removed {
            Ok(()) => cleared.push(tenant),
            Err(error) => failed.push((tenant.id, error)),
        }
    }
    let Some(oldest) = cleared.first() else {
        return Ok(failed);
    };
    let is_due = oldest.since.plus_seconds(TRACES_MAX_S) <= now
        || store.sizes()?.total_bytes() <= REWRITTEN_AT_ONCE_BYTES;
    if is_due && pace.begin(now) {
        store.scrub()?;
        for tenant in &cleared {
            end(store, &tenant.id)?;
        }
    }
    Ok(failed)
}

fn remove(
    store: &Store,
    now: UnixMillis,
    signer: &Arc<Signer>,
    tenant_id: &str,
) -> Result<(), Error> {
    licenses::finish_revoking(store, now, signer)?;
    loop {
        let id = tenant_id.to_owned();
        if store.write(move |tx| erasure::remove_part(tx, &id, PART))? == 0 {
            break;
        }
    }
    let mut last = None;
    loop {
        let id = tenant_id.to_owned();
        last = store.write(move |tx| license_rows::clear_part(tx, &id, last.as_deref(), PART))?;
        if last.is_none() {
            break;
        }
    }
    audit::erase_tenant(store, tenant_id)?;
    let id = tenant_id.to_owned();
    store.write(move |tx| clear(tx, now, &id))
}

/// Leaves the bare tenant; the event that says so names nobody.
fn clear(tx: &Tx<'_>, now: UnixMillis, tenant_id: &str) -> Result<(), Error> {
    if !tenants::clear(tx, now, tenant_id)? {
        return Ok(());
    }
    let machine = Origin {
        principal: Principal::Machine,
        address: None,
    };
    audit::record(tx, now, &machine, Act::AccountErased, Some(tenant_id), None)
}

fn end(store: &Store, tenant_id: &str) -> Result<(), Error> {
    let id = tenant_id.to_owned();
    store.write(move |tx| Ok(tenants::end_erasing(tx, &id)?))
}
