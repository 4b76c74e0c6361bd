//! `/v1/account/webhooks*`: where an agent's events go, and the log of their delivery.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::super::events;
use super::super::super::route::Cx;
use super::super::super::wire::{PageOf, PageQuery, page};
use crate::domain::Error;
use crate::domain::paging::Paged;
use crate::domain::webhooks::{self, Logged};
use crate::gate::limit::Limit;
use crate::http::extract::{Path, Query};
use crate::http::reply::{Ok200, Success};
use crate::time::UnixMillis;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Webhooks {
    /// Null where none is set.
    url: Option<String>,
    /// Whether events go there.
    enabled: bool,
    /// When its receiver answered 410; nothing goes there until `webhook_url` is set again.
    gone_at: Option<UnixMillis>,
    /// The keys that sign, the newest first, as libraries of Standard Webhooks take them.
    public_keys: Vec<String>,
}

pub(crate) fn get(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Webhooks>, Error> {
    let member = cx.member()?;
    let agent = cx.read(|tx| webhooks::receiver(tx, member))?;
    let keys = cx.services.webhook_keys.public();
    Ok(Ok200(Webhooks {
        enabled: agent.webhook_url.is_some() && agent.webhook_gone_at.is_none(),
        url: agent.webhook_url,
        gone_at: agent.webhook_gone_at,
        public_keys: keys.map(|key| webhooks::written(&key)).collect(),
    }))
}

/// An event on its way to the receiver.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownDelivery {
    /// Of the event: the header `webhook-id`, the same at every attempt.
    id: String,
    r#type: &'static str,
    /// `waiting`, `delivered`, `failed` (after the last attempt) or `cancelled`.
    state: String,
    /// Since it was told or last sent again by hand.
    attempts: i64,
    last_attempt_at: Option<UnixMillis>,
    /// That the receiver answered then.
    last_status: Option<i64>,
    /// Why that attempt came to nothing.
    last_error: Option<String>,
    /// While it waits.
    next_attempt_at: Option<UnixMillis>,
    delivered_at: Option<UnixMillis>,
    /// What is sent.
    payload: Value,
}

impl ShownDelivery {
    pub(crate) fn new(logged: Logged) -> Result<Self, Error> {
        let Logged { delivery, told } = logged;
        Ok(Self {
            id: delivery.event_id,
            r#type: told.event.kind(),
            next_attempt_at: (delivery.state == "waiting").then_some(delivery.due_at),
            state: delivery.state,
            attempts: delivery.attempts,
            last_attempt_at: delivery.tried_at,
            last_status: delivery.status,
            last_error: delivery.problem,
            delivered_at: delivery.delivered_at,
            payload: events::value(&told)?,
        })
    }
}

pub(crate) fn deliveries(
    cx: &mut Cx<'_>,
    Query(query): Query<PageQuery>,
) -> Result<PageOf<ShownDelivery>, Error> {
    let member = cx.member()?;
    let page = page(query.limit, query.before);
    let Paged { items, next } = cx.read(|tx| webhooks::list(tx, member, &page))?;
    let items: Result<Vec<_>, _> = items.into_iter().map(ShownDelivery::new).collect();
    let shown = Paged {
        items: items?,
        next,
    };
    Ok(PageOf::of(cx, shown, |delivery| delivery))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct DeliveryPath {
    id: String,
}

pub(crate) fn resend(
    cx: &mut Cx<'_>,
    Path(DeliveryPath { id }): Path<DeliveryPath>,
) -> Result<Ok200<Success>, Error> {
    let tenant_id = &cx.member()?.tenant_id;
    cx.limit(Limit::ResendPerTenant, tenant_id)?;
    cx.write(move |tx, now, origin| webhooks::resend(tx, now, origin, &id))?;
    cx.wake_webhooks();
    Ok(Ok200(Success))
}
