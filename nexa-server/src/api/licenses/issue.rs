//! `/api/licenses/issue` and `/api/licenses/{jti}/renew`: licences that begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::LicensePath;
use crate::domain::Error;
use crate::domain::licenses::{self, DeviceFields, NewLicense, Shop};
use crate::http::extract::{Body, Path};
use crate::http::reply::{Created, Repeatable, Secret};
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Issue {
    app_id: String,
    device: Device,
    #[serde(default)]
    ttl_days: Option<u32>,
}

/// It is told from others by its fingerprint or by its components, of which some may have been replaced since it got its
/// seat, as far as the app's device policy allows.
#[derive(Deserialize, JsonSchema)]
struct Device {
    /// 1 to 512 bytes that tell this device from others; only hashes of it are kept. Not beside `components`.
    #[serde(default)]
    fingerprint: Option<String>,
    /// What the device is made of, 1 to 16 kinds (1 to 64 bytes) and their values (1 to 512 bytes); only hashes are kept.
    /// With these, the app's device policy says how many have to match.
    #[serde(default)]
    components: Option<BTreeMap<String, String>>,
    platform: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Issued {
    /// The licence token: shown this once.
    license: String,
    expires_at: UnixMillis,
}

pub(crate) fn issue(
    cx: &mut Cx<'_>,
    Body(body): Body<Issue>,
) -> Result<Secret<Repeatable<Created<Issued>>>, Error> {
    let device = DeviceFields {
        fingerprint: body.device.fingerprint.as_deref(),
        components: body.device.components.as_ref(),
        platform: Some(&body.device.platform),
        name: body.device.name.as_deref(),
    };
    issued(cx, body.app_id, &device, body.ttl_days).map(shown)
}

/// Issues a licence for the caller.
pub(crate) fn issued(
    cx: &mut Cx<'_>,
    app_id: String,
    device: &DeviceFields<'_>,
    ttl_days: Option<u32>,
) -> Result<licenses::Issued, Error> {
    let wanted = NewLicense::new(cx.now, cx.rng, device, ttl_days)?;
    let (shop, attempt) = (shop(cx), cx.attempt.clone());
    cx.write(move |tx, now, origin| {
        let attempt = attempt.as_ref();
        licenses::issue(tx, now, origin, &shop, attempt, &app_id, wanted)
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Renew {
    device: SameDevice,
    #[serde(default)]
    ttl_days: Option<u32>,
}

/// The device that the licence is for, described as when it was issued.
#[derive(Deserialize, JsonSchema)]
struct SameDevice {
    #[serde(default)]
    fingerprint: Option<String>,
    #[serde(default)]
    components: Option<BTreeMap<String, String>>,
    /// As before without it.
    #[serde(default)]
    platform: Option<String>,
    /// As before without it.
    #[serde(default)]
    name: Option<String>,
}

pub(crate) fn renew(
    cx: &mut Cx<'_>,
    (Path(path), Body(body)): (Path<LicensePath>, Body<Renew>),
) -> Result<Secret<Repeatable<Created<Issued>>>, Error> {
    let device = DeviceFields {
        fingerprint: body.device.fingerprint.as_deref(),
        components: body.device.components.as_ref(),
        platform: body.device.platform.as_deref(),
        name: body.device.name.as_deref(),
    };
    let wanted = NewLicense::new(cx.now, cx.rng, &device, body.ttl_days)?;
    let (shop, attempt) = (shop(cx), cx.attempt.clone());
    let issued = cx.write(move |tx, now, origin| {
        let attempt = attempt.as_ref();
        licenses::renew(tx, now, origin, &shop, attempt, &path.jti, wanted)
    })?;
    Ok(shown(issued))
}

fn shop(cx: &Cx<'_>) -> Shop {
    Shop {
        ring: Arc::clone(&cx.services.ring),
        status: Arc::clone(&cx.services.status),
        apps: Arc::clone(&cx.services.apps),
        tariff: Arc::clone(&cx.services.tariff),
    }
}

fn shown(issued: licenses::Issued) -> Secret<Repeatable<Created<Issued>>> {
    Secret(Repeatable {
        reply: Created(Issued {
            license: issued.token,
            expires_at: issued.expires_at,
        }),
        replayed: issued.replayed,
    })
}
