//! The devices that licences are for: what tells them apart, and which of them have a seat.

use std::collections::BTreeMap;

use nexa_core::DevicePolicy;
use sha2::{Digest, Sha256};

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::fields;
use super::super::principal::Member;
use super::super::status::Signer;
use super::revoke;
use crate::store::Tx;
use crate::store::devices::{self, Device, SeatedDevice};
use crate::store::licenses::{self, License};
use crate::time::UnixMillis;

/// In bytes, of a fingerprint and of a component's value.
const VALUE_MAX: usize = 512;
/// In bytes, of a component's kind.
const KIND_MAX: usize = 64;
const COMPONENTS_MAX: usize = 16;

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
            (Some(components), _) => {
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

/// Gives a device a seat, unless it has one. A device that has one stays whose it is; any other becomes the member's.
///
/// `id` is what a device that is not known yet is called.
///
/// # Errors
/// `DeviceLimit` when as many others have one as there may be; `Invalid` for the platform of a device that is new.
pub(super) fn seat(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
    app_id: &str,
    limit: Option<u32>,
    device: &NewDevice,
    id: &str,
) -> Result<Device, Error> {
    let digest = device.digest(&member.tenant_id);
    let known = devices::find_by_digest(tx, &member.tenant_id, app_id, &digest)?;
    let is_seated = match &known {
        Some(known) => devices::has_seat(tx, now, &known.id)?,
        None => false,
    };
    if !is_seated && let Some(limit) = limit {
        let taken = devices::count_seats(tx, now, &member.tenant_id, app_id, limit)?;
        if taken >= i64::from(limit) {
            return Err(Error::DeviceLimit {
                app_id: app_id.to_owned(),
                limit,
            });
        }
    }
    let own = || Some(member.user_id.clone());
    let seated = match known {
        Some(known) => Device {
            platform: device.platform.clone().unwrap_or(known.platform),
            name: device.name.clone().or(known.name),
            user_id: known.user_id.filter(|_| is_seated).or_else(own),
            last_issued_at: now,
            ..known
        },
        None => Device {
            id: id.to_owned(),
            tenant_id: member.tenant_id.clone(),
            app_id: app_id.to_owned(),
            digest,
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
    Ok(seated)
}

/// The devices with a seat that the member sees, oldest first.
pub(crate) fn list_devices(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
) -> Result<Vec<SeatedDevice>, Error> {
    Ok(devices::list_seated(
        tx,
        now,
        &member.tenant_id,
        member.sees_only(),
        None,
        u32::MAX,
    )?)
}

/// Takes a device out of the list and revokes its licences, whoever has issued them, so that its seat is free.
///
/// # Errors
/// `NotFound`, also for another tenant's device, for one the member does not manage, and for one that was released.
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
    revoke::end(tx, now, origin, signer, &live, Some("device released"))?;
    devices::delete(tx, &device.id)?;
    let (tenant_id, id) = (Some(device.tenant_id.as_str()), Some(device.id.as_str()));
    audit::record(tx, now, origin, Act::DeviceReleased, tenant_id, id)
}
