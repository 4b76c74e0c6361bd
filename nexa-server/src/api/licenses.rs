//! `/api/licenses/*`: licences for devices.

pub(super) mod devices;
pub(crate) mod issue;
pub(crate) mod status;

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderValue, VARY};
use hyper::{Response, StatusCode};
use nexa_core::{NewRevocationList, SigningKey};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::route::Cx;
use super::wire::{PageOf, PageQuery, page};
use crate::domain::Error;
use crate::domain::licenses;
use crate::domain::status::Signer;
use crate::http::extract::{OptionalBody, Path, Query};
use crate::http::media_type::is_preferred_to_json;
use crate::http::openapi::Operation;
use crate::http::reply::{Content, Ok200, Respond, Success};
use crate::store::licenses::{License, Revocation};
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

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<ListedLicense>, Error> {
    let (member, page) = (cx.member()?, page(query.limit, query.before));
    let paged = cx.read(|tx| licenses::list(tx, member, &page))?;
    Ok(PageOf::of(cx, paged, ListedLicense::from))
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
    revoke_one(cx, path.jti, body.and_then(|body| body.reason)).map(|()| Ok200(Success))
}

/// Revokes a licence of the caller's tenant.
pub(crate) fn revoke_one(cx: &Cx<'_>, jti: String, reason: Option<String>) -> Result<(), Error> {
    let signer = Arc::clone(&cx.services.status);
    cx.write(move |tx, now, origin| {
        licenses::revoke(tx, now, origin, &signer, &jti, reason.as_deref())
    })
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

/// The list, or its signed form where that is preferred.
pub(crate) fn revocations(
    cx: &mut Cx<'_>,
    Query(query): Query<Since>,
) -> Result<RevocationList, Error> {
    let signer = &cx.services.status;
    let (revocations, key) = cx.read(|tx| {
        let revocations = licenses::revocations(tx, cx.now, query.since)?;
        Ok((revocations, signer.key(tx)?))
    })?;
    Ok(match is_preferred_to_json(&cx.head.headers, SIGNED_LIST) {
        true => {
            let list = signed_list(signer, &key, cx.now, query.since, &revocations);
            RevocationList::Signed(list)
        }
        false => {
            let shown = revocations.into_iter().map(|revocation| RevokedLicense {
                jti: revocation.jti,
                revoked_at: revocation.revoked_at,
            });
            RevocationList::Plain(shown.collect())
        }
    })
}

fn signed_list(
    signer: &Signer,
    key: &SigningKey,
    now: UnixMillis,
    since: Option<UnixMillis>,
    revocations: &[Revocation],
) -> String {
    let since = since.map(UnixMillis::to_rfc3339);
    let times: Vec<String> = revocations
        .iter()
        .map(|revocation| revocation.revoked_at.to_rfc3339())
        .collect();
    let list = NewRevocationList {
        issuer: signer.issuer(),
        issued_at: now.seconds(),
        expires_at: signer.next_update(now.seconds()),
        since: since.as_deref(),
    };
    let entries = revocations.iter().zip(&times);
    let entries = entries.map(|(revocation, at)| (revocation.jti.as_str(), at.as_str()));
    list.sign(key, entries)
}

/// The media type of the signed form.
const SIGNED_LIST: &str = "application/revocations+jwt";

/// The list in one of its forms.
pub(crate) enum RevocationList {
    Plain(Vec<RevokedLicense>),
    Signed(String),
}

impl Respond for RevocationList {
    fn respond(self) -> Response<Content> {
        let mut response = match self {
            Self::Plain(list) => Ok200(list).respond(),
            Self::Signed(token) => {
                let mut response = Response::new(Content::Whole(token.into()));
                let value = HeaderValue::from_static(SIGNED_LIST);
                response.headers_mut().insert(CONTENT_TYPE, value);
                response
            }
        };
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        response
    }

    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        Ok200::<Vec<RevokedLicense>>::describe(operation, schemas);
        operation.other_form(StatusCode::OK, SIGNED_LIST);
    }
}
