//! `GET /api/operator/api-keys/export`: keys with their hashes, as the import reads them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::super::route::Cx;
use super::super::super::v1::api_keys::{Carried, words};
use super::HashAlgorithm;
use crate::domain::Error;
use crate::domain::{keys, tenants};
use crate::http::extract::Query;
use crate::http::lines::LineStream;
use crate::http::reply::Secret;
use crate::store::api_keys::ExportedKey as Row;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExportQuery {
    /// Only the keys of this tenant.
    #[serde(default)]
    tenant: Option<String>,
}

/// One line: a key, with all that an import takes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportedKey {
    hash: String,
    algorithm: HashAlgorithm,
    /// The verified address of the user whose key it is, or else the user's id.
    owner: String,
    name: String,
    scopes: Vec<String>,
    prefix: String,
    created_at: UnixMillis,
    #[serde(flatten)]
    carried: Carried,
}

impl From<Row> for ExportedKey {
    fn from(row: Row) -> Self {
        let (hash, algorithm) = match row.sha512 {
            Some(sha512) => (STANDARD.encode(sha512), HashAlgorithm::Sha512Base64),
            None => (STANDARD.encode(row.digest), HashAlgorithm::Sha256Base64),
        };
        Self {
            hash,
            algorithm,
            carried: Carried::of(&row.key),
            owner: row.owner_email.unwrap_or(row.key.user_id),
            name: row.key.name,
            scopes: words(&row.key.scopes),
            prefix: row.key.prefix,
            created_at: row.key.created_at,
        }
    }
}

pub(crate) fn export(
    cx: &mut Cx<'_>,
    Query(query): Query<ExportQuery>,
) -> Result<Secret<LineStream<ExportedKey>>, Error> {
    let tenant_id = query.tenant.clone();
    cx.write(move |tx, now, origin| {
        if let Some(id) = &tenant_id {
            tenants::require(tx, id)?;
        }
        keys::record_export(tx, now, origin, tenant_id.as_deref())
    })?;
    let pages = keys::exported(&cx.services.store, query.tenant);
    let shown =
        pages.map(|page| page.map(|rows| rows.into_iter().map(ExportedKey::from).collect()));
    Ok(Secret(LineStream::new(shown)))
}
