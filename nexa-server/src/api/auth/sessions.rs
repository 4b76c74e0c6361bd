//! `/api/auth/sessions`: the caller's own sessions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::{PageOf, PageQuery, page};
use crate::domain::principal::Via;
use crate::domain::{Error, sessions};
use crate::http::extract::{Path, Query};
use crate::http::reply::{Ok200, Success};
use crate::time::UnixMillis;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedSession {
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    /// Where it was refreshed from last.
    address: Option<String>,
    /// What the client calls itself.
    user_agent: Option<String>,
    created_at: UnixMillis,
    refreshed_at: UnixMillis,
    expires_at: UnixMillis,
}

pub(crate) fn list(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<ListedSession>, Error> {
    let member = cx.member()?;
    let page = page(query.limit, query.before);
    let found = cx.read(|tx| sessions::list(tx, cx.now, member, &page))?;
    let own = match &member.via {
        Via::Session { id, .. } => Some(id),
        Via::Key { .. } | Via::Secret { .. } | Via::Issuer { .. } | Via::Program => None,
    };
    Ok(PageOf::of(cx, found, |session| ListedSession {
        current: own == Some(&session.id),
        id: session.id,
        address: session.address,
        user_agent: session.user_agent,
        created_at: session.created_at,
        refreshed_at: session.refreshed_at,
        expires_at: session.expires_at,
    }))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct SessionPath {
    id: String,
}

pub(crate) fn end(cx: &mut Cx<'_>, Path(path): Path<SessionPath>) -> Result<Ok200<Success>, Error> {
    cx.write(move |tx, now, origin| sessions::end(tx, now, origin, &path.id))?;
    Ok(Ok200(Success))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Ended {
    /// How many sessions there were beside the one that asked.
    ended: usize,
}

pub(crate) fn end_others(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Ended>, Error> {
    let ended = cx.write(sessions::end_others)?;
    Ok(Ok200(Ended { ended }))
}
