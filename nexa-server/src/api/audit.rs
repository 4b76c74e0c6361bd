//! `/api/audit/*`: what has happened.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::route::Cx;
use super::wire::{ListedId, PageLimit, PageOf, page};
use crate::domain::Error;
use crate::domain::audit::listing::{self, EventsBefore, SeenEvent};
use crate::http::extract::Query;
use crate::time::{TimeProblem, UnixMillis};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct EventsQuery {
    /// Items on one page, 1 to 1000; 100 without it.
    #[serde(default)]
    limit: Option<PageLimit>,
    /// Only events earlier than this time, or older than the event of this id; `Link` names the next page.
    #[serde(default)]
    before: Option<EventsCursor>,
}

/// A time, or the id of an event.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct EventsCursor(EventsBefore);

impl TryFrom<String> for EventsCursor {
    type Error = Cow<'static, str>;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.parse() {
            Ok(at) => Ok(Self(EventsBefore::Instant(at))),
            Err(TimeProblem::NotRfc3339) => match ListedId::try_from(text) {
                Ok(id) => Ok(Self(EventsBefore::Event(id.into()))),
                Err(_) => Err("must be an RFC 3339 timestamp or an id from the list".into()),
            },
            Err(problem @ (TimeProblem::UnescapedPlus | TimeProblem::OutOfRange)) => {
                Err(problem.to_string().into())
            }
        }
    }
}

impl From<EventsCursor> for EventsBefore {
    fn from(EventsCursor(before): EventsCursor) -> Self {
        before
    }
}

impl JsonSchema for EventsCursor {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EventsCursor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "anyOf": [{ "format": "date-time" }, { "format": "uuid" }] })
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedEvent {
    id: String,
    at: UnixMillis,
    /// What happened, as in `key.created`.
    act: String,
    actor: Actor,
    /// On what it was done.
    subject_id: Option<String>,
    /// The client's address.
    address: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Actor {
    /// `user`, `key`, `secret` (an agent's), `issuer` (a trusted one), `operator`, `machine` (the server itself), `anyone`
    /// (who had no credential), or what later versions know.
    kind: String,
    /// Of the user or of the key, or who the issuer says it is; the operator's is not shown.
    id: Option<String>,
}

pub(crate) fn events(
    cx: &mut Cx<'_>,
    Query(query): Query<EventsQuery>,
) -> Result<PageOf<ListedEvent>, Error> {
    let member = cx.member()?;
    let page = page(query.limit, query.before);
    let events = cx.read(|tx| listing::list(tx, member, &page))?;
    Ok(PageOf::of(cx, events, ListedEvent::from))
}

impl From<SeenEvent> for ListedEvent {
    fn from(event: SeenEvent) -> Self {
        Self {
            id: event.id,
            at: event.at,
            act: event.act,
            actor: Actor {
                kind: event.actor_kind,
                id: event.actor_id,
            },
            subject_id: event.subject_id,
            address: event.address,
        }
    }
}
