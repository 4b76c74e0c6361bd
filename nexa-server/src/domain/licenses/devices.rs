//! The devices that licences are for: what tells them apart, and which of them have a seat.

use std::collections::BTreeMap;

use nexa_core::DevicePolicy;
use sha2::{Digest, Sha256};

use super::super::apps::Offer;
use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::fields;
use super::super::paging::{Page, Paged};
use super::super::principal::Member;
use super::super::status::Signer;
use super::revoke;
use crate::store::Tx;
use crate::store::devices::{self, COMPONENTS_MAX, Device, Likeness, SeatedDevice};
use crate::store::licenses::{self, License};
use crate::time::UnixMillis;

/// In bytes, of a fingerprint and of a component's value.
const VALUE_MAX: usize = 512;
/// In bytes, of a component's kind.
const KIND_MAX: usize = 64;
/// More could not be revoked within one turn of the writer.
const LIVE_MAX: u32 = 1_000;

/// A device as it is described.
pub(crate) struct DeviceFields<'a> {
    pub(crate) fingerprint: Option<&'a str>,
    pub(crate) components: Option<&'a BTreeMap<String, String>>,
    /// As it is known from earlier, where it is left out.
    pub(crate) platform: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

/// A device whose description holds.
pub(crate) struct NewDevice {
    fingerprint: Option<String>,
    components: BTreeMap<String, String>,
    platform: Option<String>,
    name: Option<String>,
}

impl NewDevice {
    /// Checks the fields.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub(crate) fn new(fields: &DeviceFields<'_>) -> Result<Self, Error> {
        if let Some(fingerprint) = fields.fingerprint
            && !(1..=VALUE_MAX).contains(&fingerprint.len())
        {
            return Err(Error::invalid(
                "device.fingerprint",
                format!("must be 1 to {VALUE_MAX} bytes long"),
            ));
        }
        let components = match (fields.components, fields.fingerprint) {
            // A seat goes by what the token is bound to, and by nothing beside it.
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "device.fingerprint",
                    "must not stand beside device.components; it may be one of them",
                ));
            }
            (Some(components), None) => {
                check_components(components)?;
                components.clone()
            }
            (None, Some(fingerprint)) => {
                BTreeMap::from([("fingerprint".to_owned(), fingerprint.to_owned())])
            }
            (None, None) => {
                return Err(Error::invalid(
                    "device.fingerprint",
                    "required, unless there are device.components",
                ));
            }
        };
        let platform = (fields.platform)
            .map(|platform| fields::name("device.platform", platform))
            .transpose()?;
        let name = (fields.name)
            .map(|name| fields::name("device.name", name))
            .transpose()?;
        Ok(Self {
            fingerprint: fields.fingerprint.map(str::to_owned),
            components,
            platform,
            name,
        })
    }

    /// Adds what an earlier licence says of the device, where the description leaves it out.
    pub(super) fn known_from(&mut self, before: &License) {
        let platform = || Some(before.device_platform.clone());
        self.platform = self.platform.take().or_else(platform);
        self.name = self.name.take().or_else(|| before.device_name.clone());
    }

    /// What the token is bound to.
    pub(super) fn components(&self) -> Vec<(&str, &str)> {
        let components = self.components.iter();
        components
            .map(|(kind, value)| (kind.as_str(), value.as_str()))
            .collect()
    }

    /// That there are as many components as the policy of the app wants.
    ///
    /// # Errors
    /// `Invalid` for `device.components`.
    pub(super) fn check_policy(&self, app_id: &str, policy: DevicePolicy) -> Result<(), Error> {
        let wanted = match policy {
            DevicePolicy::Any | DevicePolicy::Most | DevicePolicy::All => 1,
            DevicePolicy::Two => 2,
            DevicePolicy::AtLeast(count) => usize::from(count),
        };
        match self.components.len() >= wanted {
            true => Ok(()),
            false => Err(Error::invalid(
                "device.components",
                format!(
                    "must be {wanted} or more for the app {app_id:?}, not {}",
                    self.components.len()
                ),
            )),
        }
    }

    /// Tells one tenant's devices apart without keeping what they are made of: by the fingerprint, or where there is none
    /// by all components together.
    pub(super) fn digest(&self, tenant_id: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        match &self.fingerprint {
            Some(fingerprint) => {
                hash.update(b"nexa device row v1\0");
                hash.update(tenant_id.as_bytes());
                hash.update([0]);
                hash.update(fingerprint.as_bytes());
            }
            None => {
                hash.update(b"nexa device components row v1\0");
                hash.update(tenant_id.as_bytes());
                // Their lengths keep kinds and values apart.
                for part in self
                    .components()
                    .into_iter()
                    .flat_map(|(kind, value)| [kind, value])
                {
                    hash.update(part.len().to_be_bytes());
                    hash.update(part.as_bytes());
                }
            }
        }
        hash.finalize().into()
    }

    /// Each component by itself, where there may be several; as little of it is kept.
    fn component_digests(&self, tenant_id: &str) -> Vec<[u8; 32]> {
        if self.fingerprint.is_some() {
            return Vec::new();
        }
        let digest = |(kind, value): (&str, &str)| {
            let mut hash = Sha256::new();
            hash.update(b"nexa device component v1\0");
            for part in [tenant_id, kind, value] {
                hash.update(part.len().to_be_bytes());
                hash.update(part.as_bytes());
            }
            hash.finalize().into()
        };
        self.components().into_iter().map(digest).collect()
    }
}

fn check_components(components: &BTreeMap<String, String>) -> Result<(), Error> {
    let refused = |rule: String| Err(Error::invalid("device.components", rule));
    if !(1..=COMPONENTS_MAX).contains(&components.len()) {
        return refused(format!("must be 1 to {COMPONENTS_MAX}"));
    }
    for (kind, value) in components {
        // What has to be escaped in a token takes more room than its length says.
        let is_plain = !kind
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '\\'));
        if !(1..=KIND_MAX).contains(&kind.len()) || !is_plain {
            return refused(format!(
                "kinds must be 1 to {KIND_MAX} bytes long, without control characters, quotes and backslashes"
            ));
        }
        if !(1..=VALUE_MAX).contains(&value.len()) {
            return refused(format!("values must be 1 to {VALUE_MAX} bytes long"));
        }
    }
    Ok(())
}

/// A device that is known, and how.
pub(super) struct Known {
    pub(super) device: Device,
    is_seated: bool,
    /// By everything; not by as many components as the policy asks for.
    is_exact: bool,
}

/// Finds the device: by what it is, or, while it has a seat, by as many of the components that it got it with as the policy
/// asks for; of several, `renewed` goes first. Compared with the latest components instead, a seat would wander from machine to
/// machine.
pub(super) fn known(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    app_id: &str,
    policy: DevicePolicy,
    device: &NewDevice,
    renewed: Option<&str>,
) -> Result<Option<Known>, Error> {
    let exact = devices::find_by_digest(tx, tenant_id, app_id, &device.digest(tenant_id))?;
    let exact = match exact {
        Some(device) => Some(Known {
            is_seated: devices::has_seat(tx, now, &device.id)?,
            is_exact: true,
            device,
        }),
        None => None,
    };
    if exact.as_ref().is_some_and(|known| known.is_seated) {
        return Ok(exact);
    }
    let components = device.component_digests(tenant_id);
    let mut alike = devices::alike(tx, tenant_id, app_id, &components)?;
    alike.sort_by_key(|likeness| Some(likeness.id.as_str()) != renewed);
    for Likeness {
        id,
        total,
        matching,
    } in alike
    {
        let total = u8::try_from(total).unwrap_or(u8::MAX);
        if matching >= usize::from(policy.required(total))
            && devices::has_seat(tx, now, &id)?
            && let Some(device) = devices::find(tx, tenant_id, &id)?
        {
            return Ok(Some(Known {
                device,
                is_seated: true,
                is_exact: false,
            }));
        }
    }
    Ok(exact)
}

/// Gives a device a seat, unless it has one. A device that has one stays whose it is, and nobody else renames it; any other
/// becomes the member's.
///
/// `id` is what a device that is not known yet is called, `renewed` the device whose licence is renewed.
///
/// # Errors
/// `DeviceLimit` when as many others have one as there may be, also for a device that got one later than those when there
/// might be more; `Conflict` when it has a thousand licences; `Invalid` for the platform of a device that is new.
pub(super) fn seat(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
    app_id: &str,
    offer: &Offer<'_>,
    device: &NewDevice,
    (id, renewed): (&str, Option<&str>),
) -> Result<Device, Error> {
    let tenant_id = member.tenant_id.as_str();
    let policy = offer.device_policy();
    let known = known(tx, now, tenant_id, app_id, policy, device, renewed)?;
    let is_seated = known.as_ref().is_some_and(|known| known.is_seated);
    if let Some(limit) = offer.terms.devices {
        let seated = known.as_ref().filter(|_| is_seated);
        let before = seated.map(|known| &known.device);
        let taken = devices::count_seats(tx, now, (tenant_id, app_id), before, limit)?;
        if taken >= i64::from(limit) {
            return Err(Error::DeviceLimit {
                app_id: app_id.to_owned(),
                limit,
            });
        }
    }
    let own = || Some(member.user_id.clone());
    let is_exact = known.as_ref().is_none_or(|known| known.is_exact);
    let seated = match known {
        Some(Known { device: known, .. }) => {
            if devices::count_live(tx, now, &known.id, LIVE_MAX)? >= LIVE_MAX {
                return Err(Error::Conflict {
                    rule: "The device has 1000 licences that are neither over nor revoked",
                });
            }
            let owner = known.user_id.as_deref().filter(|_| is_seated);
            let (platform, name) = match owner.is_none_or(|owner| member.manages(owner)) {
                true => (device.platform.clone(), device.name.clone()),
                false => (None, None),
            };
            Device {
                platform: platform.unwrap_or(known.platform),
                name: name.or(known.name),
                user_id: known.user_id.filter(|_| is_seated).or_else(own),
                last_issued_at: now,
                ..known
            }
        }
        None => Device {
            id: id.to_owned(),
            tenant_id: member.tenant_id.clone(),
            app_id: app_id.to_owned(),
            digest: device.digest(tenant_id),
            platform: device
                .platform
                .clone()
                .ok_or_else(|| Error::invalid("device.platform", "required for a new device"))?,
            name: device.name.clone(),
            user_id: own(),
            first_issued_at: now,
            last_issued_at: now,
        },
    };
    devices::put(tx, &seated)?;
    if is_exact {
        devices::set_components(tx, &seated, &device.component_digests(tenant_id))?;
    }
    Ok(seated)
}

/// One page of the devices with a seat that the member sees, newest first.
pub(crate) fn list_devices(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
    page: &Page,
) -> Result<Paged<SeatedDevice>, Error> {
    let (tenant_id, before) = (&member.tenant_id, page.before.as_deref());
    let found = devices::list_seated(tx, now, tenant_id, member.sees_only(), before, page.probe())?;
    Ok(Paged::new(found, page, |seated| &seated.device.id))
}

/// Takes a device out of the list and revokes its licences, so that its seat is free.
///
/// # Errors
/// `NotFound`, also for another tenant's device, for one the member does not manage, and for one that was released;
/// `Conflict` when somebody has issued licences for it whose licences the member does not manage.
pub(crate) fn release_device(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    signer: &Signer,
    id: &str,
) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let device = devices::find(tx, &member.tenant_id, id)?
        .filter(|device| match &device.user_id {
            Some(user_id) => member.manages(user_id),
            None => member.role.manages_tenant(),
        })
        .ok_or(Error::NotFound { noun: "Device" })?;
    let live = licenses::live_of_device(tx, now, &device.id)?;
    if !live
        .iter()
        .all(|license| super::is_managed(member, license))
    {
        return Err(Error::Conflict {
            rule: "The device has licences of others; they, or whoever manages them, can release it",
        });
    }
    revoke::end(tx, now, origin, signer, &live, Some("device released"))?;
    devices::delete(tx, &device.id)?;
    let (tenant_id, id) = (Some(device.tenant_id.as_str()), Some(device.id.as_str()));
    audit::record(tx, now, origin, Act::DeviceReleased, tenant_id, id)
}
