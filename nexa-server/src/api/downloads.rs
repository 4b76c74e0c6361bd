//! `/api/downloads/*`: where apps find what their licences open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::Cx;
use crate::domain::{Error, models};
use crate::http::extract::Path;
use crate::http::reply::{Ok200, Secret};
use crate::outbound::object_store::URL_LIFETIME_S;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelPath {
    model_id: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Download {
    /// Whoever has it may GET the object until it expires, without any other credential.
    url: String,
    /// In seconds. A download that has begun goes on.
    expires_in: u64,
    object_key: String,
}

pub(crate) fn model(
    cx: &mut Cx<'_>,
    Path(path): Path<ModelPath>,
) -> Result<Secret<Ok200<Download>>, Error> {
    let model = models::find(&cx.services.models, cx.license()?, &path.model_id)?;
    let store = (cx.services.object_store.as_ref()).ok_or(Error::NotConfigured {
        what: "object store for downloads",
    })?;
    Ok(Secret(Ok200(Download {
        url: store.download_url(cx.now, &model.object_key)?,
        expires_in: URL_LIFETIME_S,
        object_key: model.object_key.clone(),
    })))
}
