//! Licences: issued to a device for an app, renewed, listed, revoked.

mod devices;
mod issue;
mod renew;
mod revoke;

use std::sync::Arc;

use super::apps::{App, Offer};
use super::error::Error;
use super::paging::{Page, Paged};
use super::principal::Member;
use super::server_keys::KeyRing;
use super::status::Signer;
use super::tariff::Tariff;
use crate::store::licenses::{self, License};
use crate::store::{StoreError, Tx, tenants};

pub(crate) use devices::{DeviceFields, list_devices, release_device};
pub(crate) use issue::{Issued, NewLicense, issue};
pub(crate) use renew::renew;
pub(super) use revoke::begin_revoking;
pub(crate) use revoke::{finish_revoking, revocations, revoke};

/// What licences are issued with: the keys, the apps of the configuration, and the plans.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) status: Arc<Signer>,
    pub(crate) apps: Arc<Vec<App>>,
    pub(crate) tariff: Arc<Tariff>,
}

impl Shop {
    /// What a tenant gets of an app. The plan that costs nothing counts where the app has terms for it; elsewhere whoever has
    /// no other one may try the app.
    fn offer<'a>(&self, tx: &Tx<'_>, app: &'a App, tenant_id: &str) -> Result<Offer<'a>, Error> {
        let given = tenants::plan(tx, tenant_id)?;
        if given.is_some() {
            return Ok(app.offer(given.as_deref()));
        }
        let tenant = tenants::find(tx, tenant_id)?.ok_or(StoreError::NoRow)?;
        let free = self.tariff.plan_of(None, tenant.kind == "agent");
        let free = free.map(|plan| plan.id.as_str());
        Ok(app.offer(free.filter(|id| app.plans.contains_key(*id))))
    }
}

/// One page of the licences the member sees, newest first; never their tokens, which are not kept.
pub(crate) fn list(tx: &Tx<'_>, member: &Member, page: &Page) -> Result<Paged<License>, Error> {
    let (tenant_id, before) = (&member.tenant_id, page.before.as_deref());
    let found = licenses::newest(tx, tenant_id, member.sees_only(), before, page.probe())?;
    Ok(Paged::new(found, page, |license| &license.jti))
}

/// The licence of that id, if it is the member's to manage.
///
/// # Errors
/// `NotFound`, also for another tenant's licence and for one the member does not manage.
fn find_managed(tx: &Tx<'_>, member: &Member, jti: &str) -> Result<License, Error> {
    licenses::find(tx, &member.tenant_id, jti)?
        .filter(|license| is_managed(member, license))
        .ok_or(Error::NotFound { noun: "License" })
}

fn is_managed(member: &Member, license: &License) -> bool {
    match &license.user_id {
        Some(user_id) => member.manages(user_id),
        None => member.role.manages_tenant(),
    }
}
