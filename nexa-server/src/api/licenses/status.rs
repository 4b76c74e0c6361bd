//! `/api/licenses/status/*`: what clients ask about revocations, in two forms.

use hyper::body::Bytes;
use miniz_oxide::deflate::compress_to_vec_zlib;
use nexa_core::NewStatusList;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::route::Cx;
use crate::domain::Error;
use crate::domain::status::{self, Signer};
use crate::http::document::{Document, MediaType};
use crate::http::extract::{Path, Query};
use crate::store::status_shards::Shard;
use crate::time::UnixMillis;

/// How long anyone may keep an answer, in seconds: revocations are not to be hidden by caches for long.
const MAX_AGE_S: u32 = 300;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ShardPath {
    shard: u32,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Since {
    /// The version that is there already: the answer may be a delta then.
    #[serde(default)]
    since: Option<u64>,
}

/// A shard or a delta; the first bytes tell which.
pub(crate) struct ShardBytes;

impl MediaType for ShardBytes {
    const NAME: &'static str = "application/vnd.nexa.status-shard";
}

/// A status list token (OAuth Token Status List, section 5.1).
pub(crate) struct StatusListToken;

impl MediaType for StatusListToken {
    const NAME: &'static str = "application/statuslist+jwt";
}

/// `/api/licenses/status/{shard}/shard`.
pub(crate) fn shard(
    cx: &mut Cx<'_>,
    (Path(path), Query(query)): (Path<ShardPath>, Query<Since>),
) -> Result<Document<ShardBytes>, Error> {
    let signer = &cx.services.status;
    let answer = cx.read(|tx| status::since(tx, signer, path.shard, query.since))?;
    let (seq, max_age_s) = (answer.shard.seq, max_age_s(cx.now, signer, &answer.shard));
    Ok(Document::new(cx.head, seq, max_age_s, || {
        Bytes::from(answer.delta.unwrap_or(answer.shard.signed))
    }))
}

/// `/api/licenses/status/{shard}`.
pub(crate) fn list(
    cx: &mut Cx<'_>,
    Path(path): Path<ShardPath>,
) -> Result<Document<StatusListToken>, Error> {
    let signer = &cx.services.status;
    let (shard, revoked, key) = cx.read(|tx| {
        let shard = status::find(tx, path.shard)?;
        let revoked = status::revoked_positions(tx, path.shard)?;
        Ok((shard, revoked, signer.key(tx)?))
    })?;
    let max_age_s = max_age_s(cx.now, signer, &shard);
    Ok(Document::new(cx.head, shard.seq, max_age_s, || {
        let issued_at = shard.this_update();
        let list = NewStatusList {
            uri: &signer.uri(shard.number),
            issued_at,
            expires_at: signer.next_update(issued_at),
            ttl_s: MAX_AGE_S.into(),
            zlib: &compressed(&revoked),
        };
        Bytes::from(list.sign(&key))
    }))
}

/// One bit a position, the first in the lowest bit of the first byte (section 4.1), compressed.
fn compressed(revoked: &[u16]) -> Vec<u8> {
    const LEVEL: u8 = 9;
    let mut bits = vec![0_u8; (usize::from(u16::MAX) + 1) / 8];
    for position in revoked {
        if let Some(byte) = bits.get_mut(usize::from(*position) / 8) {
            *byte |= 1 << (position % 8);
        }
    }
    compress_to_vec_zlib(&bits, LEVEL)
}

/// Not beyond the moment when a newer one is promised.
fn max_age_s(now: UnixMillis, signer: &Signer, shard: &Shard) -> u32 {
    let left_s = signer.next_update(shard.this_update()).since(now.seconds());
    u32::try_from(left_s.unwrap_or(0)).map_or(MAX_AGE_S, |left_s| left_s.min(MAX_AGE_S))
}
