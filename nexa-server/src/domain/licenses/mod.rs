//! Licences: issued to a device for an app, listed, revoked.

mod devices;
mod issue;
mod revoke;

use super::error::Error;
use super::principal::Member;
use crate::store::Tx;
use crate::store::licenses::{self, License};

pub(crate) use issue::{LicenseFields, NewLicense, issue};
pub(super) use revoke::begin_revoking;
pub(crate) use revoke::{finish_revoking, revocations, revoke};

/// The licences the member sees, oldest first; never their tokens, which are not kept.
pub(crate) fn list(tx: &Tx<'_>, member: &Member) -> Result<Vec<License>, Error> {
    Ok(licenses::list(
        tx,
        &member.tenant_id,
        member.sees_only(),
        None,
        u32::MAX,
    )?)
}
