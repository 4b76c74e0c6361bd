//! `/api/ws/{chat_id}`: a tenant's events as they happen, for as long as the credential stands.

mod hub;
mod listener;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::Cx;
use crate::domain::{Error, events};
use crate::gate::credential::Kept;
use crate::http::extract::{Path, Query};
use crate::http::websocket::{Handshake, Switching};
use crate::time::UnixMillis;
pub(crate) use hub::Hub;
use listener::Listener;

/// In characters.
const CHAT_ID_MAX: usize = 128;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ChatPath {
    /// 1 to 128 characters that the client chooses: it names the stream in the first message, and changes nothing else.
    chat_id: ChatId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct ChatId(#[schemars(length(min = 1, max = CHAT_ID_MAX))] String);

impl TryFrom<String> for ChatId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.chars().count() {
            1..=CHAT_ID_MAX => Ok(Self(text)),
            _ => Err("must have 1 to 128 characters"),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Since {
    /// The id of the last event that the client has seen, at most 30 days old: those after it come first.
    since: Option<String>,
}

/// The first message.
#[derive(Serialize)]
struct Hello<'a> {
    r#type: &'static str,
    chat_id: &'a str,
    tenant_id: &'a str,
    at: UnixMillis,
}

pub(crate) fn open(
    cx: &mut Cx<'_>,
    (handshake, Path(path), Query(query)): (Handshake, Path<ChatPath>, Query<Since>),
) -> Result<Switching, Error> {
    let member = cx.member()?;
    let credential = Kept::of(member, cx.head)?;
    let seen_seq = match &query.since {
        None => None,
        Some(id) => {
            let told = cx
                .read(|tx| events::find(tx, &member.tenant_id, id))?
                .filter(|told| told.is_seen_by(member))
                .ok_or_else(|| {
                    Error::invalid("since", "is the id of no event of the last 30 days")
                })?;
            Some(told.seq)
        }
    };
    // Whoever may lose its place to this one does not lose it to a request that is refused.
    let place = cx.services.places.take(&member.tenant_id)?;
    // It listens before it looks where the events begin: none is lost in between, and none comes twice.
    let subscription = cx.services.hub.subscribe(&member.tenant_id);
    let after_seq = match seen_seq {
        Some(seq) => seq,
        None => events::newest_seq(&cx.services.store)?,
    };
    let hello = Hello {
        r#type: "hello",
        chat_id: &path.chat_id.0,
        tenant_id: &member.tenant_id,
        at: cx.now,
    };
    let hello =
        serde_json::to_string(&hello).map_err(|error| Error::Fault(format!("hello: {error}")))?;
    let listener = Listener::new(cx, subscription, credential, after_seq, hello);
    Ok(handshake.switch(listener.feed(place)))
}
