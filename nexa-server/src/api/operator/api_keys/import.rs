//! `POST /api/operator/api-keys/import`: keys that another program has issued, by their hashes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::super::dialect::Dialect;
use super::super::super::route::Cx;
use super::super::super::v1::api_keys::{EnvironmentName, RateLimitShape, encoded};
use super::HashAlgorithm;
use crate::domain::Error;
use crate::domain::keys::{self, ForeignFields, ForeignKey, ImportMode, Imported, KeyTerms};
use crate::http::extract::Query;
use crate::http::lines::Lines;
use crate::http::reply::{Ok200, Secret};
use crate::time::UnixMillis;

/// Keys in one call, and so in one transaction.
const LINES_MAX: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportQuery {
    /// Of lines that name none.
    #[serde(default)]
    algorithm: Option<HashAlgorithm>,
    /// Only says what an import would do.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// One line: a key that another program has issued.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportedKey {
    /// Of the whole key, as it is presented.
    hash: String,
    #[serde(default)]
    algorithm: Option<HashAlgorithm>,
    /// The id of the user whose key it is, or an address that the user has verified.
    owner: String,
    name: String,
    /// At least one; `full_access` covers all.
    scopes: Vec<String>,
    /// What the key begins with, for people to recognise it by: at most 16 characters.
    #[serde(default)]
    prefix: Option<String>,
    /// Now without it.
    #[serde(default)]
    created_at: Option<UnixMillis>,
    /// Without it, the key lasts until it is deleted. One that is over already is imported as that.
    #[serde(default)]
    expires_at: Option<UnixMillis>,
    #[serde(default)]
    rate_limit: Option<RateLimitShape>,
    /// How often the key may still be used; without it, any number of times.
    #[serde(default)]
    remaining: Option<u64>,
    /// Addresses or CIDR blocks that the key may be used from, 1 to 100; without it, any.
    #[serde(default)]
    allowed_ips: Option<Vec<String>>,
    /// `live` without it.
    #[serde(default)]
    environment: Option<EnvironmentName>,
    /// At most 4,096 bytes.
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    /// `true` without it.
    #[serde(default)]
    enabled: Option<bool>,
}

/// What became of the lines.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ImportReport {
    /// Keys that verify from now on, or would.
    imported: u64,
    /// Keys that their tenant has already.
    known: u64,
    refused: Vec<RefusedLine>,
}

#[derive(Serialize, JsonSchema)]
struct RefusedLine {
    /// In the body, from 1.
    line: usize,
    /// The field and its rule.
    error: String,
}

/// Lines that are refused keep none of the others from being imported.
pub(crate) fn import(
    cx: &mut Cx<'_>,
    (Query(query), lines): (Query<ImportQuery>, Lines<ImportedKey>),
) -> Result<Secret<Ok200<ImportReport>>, Error> {
    let mut report = ImportReport {
        imported: 0,
        known: 0,
        refused: Vec::new(),
    };
    let (mut numbers, mut keys) = (Vec::new(), Vec::new());
    for (place, (line, read)) in lines.iter().enumerate() {
        if place == LINES_MAX {
            return Err(Error::invalid("body", format!("at most {LINES_MAX} lines")));
        }
        let key = match read {
            Ok(key) => match key.checked(cx, query.algorithm) {
                Ok(key) => Ok(key),
                Err(error) => Err(sentence(error)?),
            },
            Err(bad) => Err(bad.sentence()),
        };
        match key {
            Ok(key) => {
                numbers.push(line);
                keys.push(key);
            }
            Err(error) => report.refused.push(RefusedLine { line, error }),
        }
    }
    let policy = cx.services.key_policy.clone();
    let became = match query.dry_run {
        Some(true) => {
            cx.read(|tx| keys::import(tx, cx.now, &cx.origin, &policy, keys, ImportMode::Try))?
        }
        Some(false) | None => cx.write(move |tx, now, origin| {
            keys::import(tx, now, origin, &policy, keys, ImportMode::Write)
        })?,
    };
    for (line, became) in numbers.into_iter().zip(became) {
        match became {
            Ok(Imported::Added) => report.imported += 1,
            Ok(Imported::Known) => report.known += 1,
            Err(error) => report.refused.push(RefusedLine {
                line,
                error: sentence(error)?,
            }),
        }
    }
    report.refused.sort_by_key(|refused| refused.line);
    Ok(Secret(Ok200(report)))
}

impl ImportedKey {
    fn checked(
        self,
        cx: &mut Cx<'_>,
        algorithm: Option<HashAlgorithm>,
    ) -> Result<ForeignKey, Error> {
        let form = self.algorithm.or(algorithm).ok_or_else(|| {
            Error::invalid("algorithm", "required: in the line or for all of them")
        })?;
        let fields = ForeignFields {
            form: form.into(),
            hash: &self.hash,
            owner: &self.owner,
            name: &self.name,
            prefix: self.prefix.as_deref().unwrap_or_default(),
            scopes: self.scopes,
            expires_at: self.expires_at,
            created_at: self.created_at,
            terms: KeyTerms {
                environment: self.environment.map_or_else(Default::default, Into::into),
                is_disabled: !self.enabled.unwrap_or(true),
                rate_limit: self.rate_limit.map(Into::into),
                remaining: self.remaining,
                allowed_ips: self.allowed_ips,
                metadata: self.metadata.as_ref().map(encoded),
            },
        };
        ForeignKey::new(cx.now, cx.rng, fields)
    }
}

/// What a line is refused for; anything else ends the call.
fn sentence(error: Error) -> Result<String, Error> {
    match error {
        Error::Invalid { field, rule } => Ok(format!("{}: {rule}", Dialect::Agentyk.field(&field))),
        error => Err(error),
    }
}
