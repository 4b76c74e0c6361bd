//! `/api/licenses/*`: licences for devices.

pub(super) mod devices;
pub(super) mod issue;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::Cx;
use crate::domain::Error;
use crate::domain::licenses;
use crate::http::extract::{OptionalBody, Path, Query};
use crate::http::reply::{Ok200, Success};
use crate::store::licenses::License;
use crate::time::UnixMillis;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedLicense {
    jti: String,
    app_id: String,
    device: ListedDevice,
    issued_at: UnixMillis,
    expires_at: UnixMillis,
    revoked_at: Option<UnixMillis>,
}

#[derive(Serialize, JsonSchema)]
struct ListedDevice {
    platform: String,
    name: Option<String>,
}

pub(crate) fn list(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Vec<ListedLicense>>, Error> {
    let member = cx.member()?;
    let licenses = cx.read(|tx| licenses::list(tx, member))?;
    Ok(Ok200(
        licenses.into_iter().map(ListedLicense::from).collect(),
    ))
}

impl From<License> for ListedLicense {
    fn from(license: License) -> Self {
        Self {
            jti: license.jti,
            app_id: license.app_id,
            device: ListedDevice {
                platform: license.device_platform,
                name: license.device_name,
            },
            issued_at: license.issued_at,
            expires_at: license.expires_at,
            revoked_at: license.revoked_at,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct LicensePath {
    jti: String,
}

#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct Revoke {
    /// At most 500 characters; never made public.
    #[serde(default)]
    reason: Option<String>,
}

pub(crate) fn revoke(
    cx: &mut Cx<'_>,
    (Path(path), OptionalBody(body)): (Path<LicensePath>, OptionalBody<Revoke>),
) -> Result<Ok200<Success>, Error> {
    let reason = body.and_then(|body| body.reason);
    cx.write(move |tx, now, origin| {
        licenses::revoke(tx, now, origin, &path.jti, reason.as_deref())
    })?;
    Ok(Ok200(Success))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Since {
    /// Only what was revoked later than this.
    #[serde(default)]
    since: Option<UnixMillis>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevokedLicense {
    jti: String,
    revoked_at: UnixMillis,
}

pub(crate) fn revocations(
    cx: &mut Cx<'_>,
    Query(query): Query<Since>,
) -> Result<Ok200<Vec<RevokedLicense>>, Error> {
    let revocations = cx.read(|tx| licenses::revocations(tx, query.since))?;
    let shown = revocations.into_iter().map(|revocation| RevokedLicense {
        jti: revocation.jti,
        revoked_at: revocation.revoked_at,
    });
    Ok(Ok200(shown.collect()))
}
