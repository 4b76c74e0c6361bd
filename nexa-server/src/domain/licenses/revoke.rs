//! Revocation: of one licence, of all that a tenant has, and the feed that tells of it.

use std::sync::Arc;

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::events::{self, Event};
use super::super::fields;
use super::super::status::{self, Signer};
use super::find_managed;
use crate::store::licenses::{self, License, Revocation};
use crate::store::{Store, Tx, tenants};
use crate::time::UnixMillis;

/// In characters.
const REASON_MAX: usize = 500;

/// Revokes a licence; doing it again changes nothing.
///
/// # Errors
/// `NotFound`, also for another tenant's licence and for one the member does not manage; `Invalid` for `reason`.
pub(crate) fn revoke(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    signer: &Signer,
    jti: &str,
    reason: Option<&str>,
) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let reason = reason
        .map(|reason| fields::text_up_to("reason", reason, REASON_MAX))
        .transpose()?;
    let license = find_managed(tx, member, jti)?;
    match license.revoked_at {
        Some(_) => Ok(()),
        None => end(tx, now, origin, signer, &[license], reason.as_deref()),
    }
}

/// Revokes some that are not revoked yet: the one way of it, whatever the cause.
pub(super) fn end(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    signer: &Signer,
    ended: &[License],
    reason: Option<&str>,
) -> Result<(), Error> {
    let mut places = Vec::new();
    for license in ended {
        places.extend(licenses::revoke(tx, now, &license.jti, reason)?);
        audit::record(
            tx,
            now,
            origin,
            Act::LicenseRevoked,
            Some(&license.tenant_id),
            Some(&license.jti),
        )?;
        let event = Event::LicenseRevoked {
            license: license.into(),
            reason: reason.map(str::to_owned),
        };
        events::tell(tx, now, &license.tenant_id, &event)?;
    }
    status::revoked(tx, now, signer, &places)
}

/// Lays down that the tenant's licences are to be revoked, whose end it is; [`finish_revoking`] does it, now or after a
/// crash.
pub(in crate::domain) fn begin_revoking(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tenant_id: &str,
) -> Result<(), Error> {
    tenants::begin_revoking(tx, now, tenant_id)?;
    let tenant_id = Some(tenant_id);
    audit::record(tx, now, origin, Act::LicensesRevoked, tenant_id, tenant_id)
}

/// Revokes the licences of every tenant for which that was laid down, in turns of the writer that keep nobody waiting for
/// long. Doing it again changes nothing.
///
/// # Errors
/// `Store`; what is left is revoked by the next call.
pub(crate) fn finish_revoking(
    store: &Store,
    now: UnixMillis,
    signer: &Arc<Signer>,
) -> Result<(), Error> {
    const TENANTS: u32 = 10;
    const PART: u32 = 1_000;
    loop {
        let found = store.read(|tx| tenants::revoking(tx, TENANTS))?;
        for (tenant_id, since) in &found {
            let mut last: Option<String> = None;
            loop {
                let (id, since, signer) = (tenant_id.clone(), *since, Arc::clone(signer));
                last = store.write(move |tx| -> Result<_, Error> {
                    let (last, places) =
                        licenses::revoke_part(tx, now, &id, since, last.as_deref(), PART)?;
                    status::revoked(tx, now, &signer, &places)?;
                    if last.is_none() {
                        tenants::end_revoking(tx, since, &id)?;
                    }
                    Ok(last)
                })?;
                if last.is_none() {
                    break;
                }
            }
        }
        if found.is_empty() {
            return Ok(());
        }
    }
}

/// What was revoked later than `since`, oldest first: for everybody, so without tenants and reasons, and without licences that
/// have been over for so long that nobody asks about them.
pub(crate) fn revocations(
    tx: &Tx<'_>,
    now: UnixMillis,
    since: Option<UnixMillis>,
) -> Result<Vec<Revocation>, Error> {
    Ok(licenses::revocations(tx, now, since)?)
}
