//! `/v1/account/*`: accounts of agents.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use super::super::wire::present;
use crate::domain::Error;
use crate::domain::agents::{self, AgentChanges, AgentFields, AgentInfo, NewAgent};
use crate::domain::money::MILLICENTS_A_UNIT;
use crate::http::extract::Body;
use crate::http::reply::{Created, Ok200, Secret};
use crate::time::UnixMillis;

mod exchange;
mod token;
pub(crate) mod webhooks;

pub(crate) use token::token;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct AgentRegistration {
    /// 2 to 100 characters.
    name: String,
    contact_email: Option<String>,
    /// Where events are sent as signed webhooks: https, or http to a host that the operator allows.
    webhook_url: Option<String>,
    /// Up to 500 characters.
    description: Option<String>,
    referral_code: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RegisteredAgent {
    /// For `X-API-Key`: shown this once.
    api_key: String,
    /// For access tokens, with the key: shown this once.
    api_secret: String,
    trial: TrialBalance,
    /// Only when a referral code was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<Assigned>,
}

#[derive(Serialize, JsonSchema)]
struct TrialBalance {
    /// In units of the currency.
    balance: f64,
    /// ISO 4217.
    currency: String,
    expires_at: UnixMillis,
}

#[derive(Serialize, JsonSchema)]
struct Assigned {
    code: String,
    /// The agent that the account is assigned to.
    agent: String,
}

pub(crate) fn register(
    cx: &mut Cx<'_>,
    Body(body): Body<AgentRegistration>,
) -> Result<Secret<Created<RegisteredAgent>>, Error> {
    let fields = AgentFields {
        name: &body.name,
        contact_email: body.contact_email.as_deref(),
        webhook_url: body.webhook_url.as_deref(),
        description: body.description.as_deref(),
        referral_code: body.referral_code.as_deref(),
    };
    let new = registered(cx, &fields)?;
    Ok(Secret(Created(RegisteredAgent {
        api_key: new.api_key.expose().to_owned(),
        api_secret: new.api_secret.expose().to_owned(),
        trial: trial(cx, new.trial.amount_mc, new.trial.ends_at),
        referral: new.referral.map(|referral| Assigned {
            code: referral.code,
            agent: referral.agent,
        }),
    })))
}

/// Registers an agent.
pub(crate) fn registered(cx: &mut Cx<'_>, fields: &AgentFields<'_>) -> Result<NewAgent, Error> {
    let services = cx.services;
    let (policy, key_policy) = (&services.agents, &services.key_policy);
    let new = NewAgent::new(cx.now, cx.rng, policy, key_policy, fields)?;
    let tariff = Arc::clone(&services.tariff);
    cx.write(move |tx, now, origin| agents::register(tx, now, origin, &tariff, &new).map(|()| new))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct AgentAccount {
    id: String,
    name: String,
    contact_email: Option<String>,
    webhook_url: Option<String>,
    description: Option<String>,
    referral: Referral,
    /// Null once it is over.
    trial: Option<TrialBalance>,
    created_at: UnixMillis,
}

#[derive(Serialize, JsonSchema)]
struct Referral {
    /// Null where none was sent.
    code: Option<String>,
    agent: String,
}

pub(crate) fn info(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<AgentAccount>, Error> {
    let member = cx.member()?;
    let info = cx.read(|tx| agents::info(tx, cx.now, &cx.services.tariff, member))?;
    Ok(Ok200(shown(cx, info)))
}

/// What is left out stays; null clears.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct AccountChanges {
    /// 2 to 100 characters; never null.
    #[serde(default, deserialize_with = "present")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    contact_email: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    webhook_url: Option<Option<String>>,
    /// Up to 500 characters.
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
}

pub(crate) fn update(
    cx: &mut Cx<'_>,
    Body(body): Body<AccountChanges>,
) -> Result<Ok200<AgentAccount>, Error> {
    let changes = AgentChanges {
        name: body.name,
        contact_email: body.contact_email,
        webhook_url: body.webhook_url,
        description: body.description,
    };
    let tariff = Arc::clone(&cx.services.tariff);
    let info =
        cx.write(move |tx, now, origin| agents::update(tx, now, origin, &tariff, &changes))?;
    Ok(Ok200(shown(cx, info)))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RotatedSecret {
    /// Shown this once; the one before it is dead, and so is every token of it.
    api_secret: String,
}

pub(crate) fn rotate_secret(
    cx: &mut Cx<'_>,
    (): (),
) -> Result<Secret<Ok200<RotatedSecret>>, Error> {
    let secret = agents::new_secret(cx.rng);
    let digest = secret.digest();
    cx.write(move |tx, now, origin| agents::rotate_secret(tx, now, origin, &digest))?;
    Ok(Secret(Ok200(RotatedSecret {
        api_secret: secret.expose().to_owned(),
    })))
}

fn shown(cx: &Cx<'_>, info: AgentInfo) -> AgentAccount {
    let AgentInfo {
        tenant,
        agent,
        trial: running,
    } = info;
    let running = running.and_then(|balance| Some((balance.monthly_mc, balance.period?.ends_at)));
    AgentAccount {
        id: tenant.id,
        name: tenant.name,
        contact_email: agent.contact_email,
        webhook_url: agent.webhook_url,
        description: agent.description,
        referral: Referral {
            code: agent.referral_code,
            agent: agent.referral_agent,
        },
        trial: running.map(|(balance_mc, ends_at)| trial(cx, balance_mc, ends_at)),
        created_at: tenant.created_at,
    }
}

fn trial(cx: &Cx<'_>, balance_mc: i64, expires_at: UnixMillis) -> TrialBalance {
    TrialBalance {
        balance: balance_mc as f64 / MILLICENTS_A_UNIT as f64,
        currency: cx.services.tariff.currency.clone(),
        expires_at,
    }
}
