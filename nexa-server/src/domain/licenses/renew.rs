//! Renewal: the next licence of a device, on the terms that hold now.

use super::super::apps;
use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::idempotency::Attempt;
use super::issue::{Issued, NewLicense, grant, once};
use super::{Shop, devices, find_managed};
use crate::store::Tx;
use crate::time::UnixMillis;

/// Issues the licence that follows the one of that id, for the same app and device; the one before stays as it is. It may
/// have expired.
///
/// # Errors
/// `NotFound` as for any licence that is not the member's to manage; `LicenseRevoked`; `OtherDevice`; `Conflict` when its
/// app is gone; else as for issuing one.
pub(crate) fn renew(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    shop: &Shop,
    attempt: Option<&Attempt>,
    jti: &str,
    mut wanted: NewLicense,
) -> Result<Issued, Error> {
    once(tx, now, origin, shop, attempt, || {
        let member = origin.principal.member()?;
        let before = find_managed(tx, member, jti)?;
        if before.revoked_at.is_some() {
            return Err(Error::LicenseRevoked);
        }
        let app = apps::find(tx, &shop.apps, &before.app_id).map_err(|error| match error {
            Error::Invalid { .. } => Error::Conflict {
                rule: "The licence's app is no longer one of this server's",
            },
            error => error,
        })?;
        let tenant_id = member.tenant_id.as_str();
        let is_same = match &before.device_id {
            Some(id) => {
                let policy = shop.offer(tx, &app, tenant_id)?.device_policy();
                devices::known(
                    tx,
                    now,
                    tenant_id,
                    &app.id,
                    policy,
                    &wanted.device,
                    Some(id),
                )?
                .is_some_and(|known| known.device.id == *id)
            }
            // One that was released is known from here alone.
            None => {
                wanted.device.known_from(&before);
                before.device_fingerprint == wanted.device.digest(tenant_id)
            }
        };
        if !is_same {
            return Err(Error::OtherDevice);
        }
        let (signed, tenant_id) = grant(
            tx,
            now,
            origin,
            shop,
            &app,
            wanted,
            before.device_id.as_deref(),
        )?;
        let (tenant_id, jti) = (Some(tenant_id.as_str()), Some(signed.license.jti.as_str()));
        audit::record(tx, now, origin, Act::LicenseRenewed, tenant_id, jti)?;
        Ok(signed)
    })
}
