//! `/api/licenses/devices`: the devices that have a seat.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::{PageOf, PageQuery, page};
use crate::domain::Error;
use crate::domain::licenses;
use crate::http::extract::{Path, Query};
use crate::http::reply::{Ok200, Success};
use crate::store::devices::SeatedDevice;
use crate::time::UnixMillis;

/// A device with a licence that is neither revoked nor over.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedDevice {
    id: String,
    app_id: String,
    platform: String,
    name: Option<String>,
    first_issued_at: UnixMillis,
    last_issued_at: UnixMillis,
    /// The latest end of its licences.
    expires_at: UnixMillis,
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<ListedDevice>, Error> {
    let (member, page) = (cx.member()?, page(query.limit, query.before));
    let paged = cx.read(|tx| licenses::list_devices(tx, cx.now, member, &page))?;
    Ok(PageOf::of(cx, paged, ListedDevice::from))
}

impl From<SeatedDevice> for ListedDevice {
    fn from(SeatedDevice { device, expires_at }: SeatedDevice) -> Self {
        Self {
            id: device.id,
            app_id: device.app_id,
            platform: device.platform,
            name: device.name,
            first_issued_at: device.first_issued_at,
            last_issued_at: device.last_issued_at,
            expires_at,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct DevicePath {
    id: String,
}

/// Revokes the device's licences; 404 for one that was released before.
pub(crate) fn release(
    cx: &mut Cx<'_>,
    Path(path): Path<DevicePath>,
) -> Result<Ok200<Success>, Error> {
    let signer = Arc::clone(&cx.services.status);
    cx.write(move |tx, now, origin| licenses::release_device(tx, now, origin, &signer, &path.id))?;
    Ok(Ok200(Success))
}
