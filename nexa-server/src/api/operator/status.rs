//! `/api/operator/status`: which status shards there are.

use nexa_core::UnixSeconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::{PageLimit, PageOf};
use crate::domain::Error;
use crate::http::extract::Query;
use crate::store::status_shards::{self, ShardHead};
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ShardsQuery {
    /// Items on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    limit: Option<PageLimit>,
    /// Only shards with a higher number than this; `Link` names the next page.
    #[serde(default)]
    after: Option<u32>,
}

/// A shard, which everybody may read at `/api/licenses/status/{number}/shard`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedShard {
    number: u32,
    /// Its version.
    seq: u64,
    /// How many of its 65,536 places licences have.
    taken: u32,
    /// When it was signed.
    this_update: UnixMillis,
}

/// The shards by number.
pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<ShardsQuery>,
) -> Result<PageOf<ListedShard>, Error> {
    let limit = query.limit.unwrap_or_default();
    let shards = cx.read(|tx| Ok(status_shards::heads(tx, query.after, limit.probe())?))?;
    let number = |shard: &ShardHead| shard.number.to_string();
    Ok(PageOf::rising(cx, limit, shards, number, ListedShard::from))
}

impl From<ShardHead> for ListedShard {
    fn from(shard: ShardHead) -> Self {
        let this_update = UnixSeconds::new(shard.this_update_s).unwrap_or(UnixSeconds::MAX);
        Self {
            number: shard.number,
            seq: shard.seq,
            taken: shard.taken,
            this_update: this_update.into(),
        }
    }
}
