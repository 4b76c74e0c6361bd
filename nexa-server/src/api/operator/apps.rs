//! `/api/operator/apps`: the apps that licences are for, and their terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::apps::{self, App, Source, Terms, Trial};
use crate::http::extract::{Body, Path};
use crate::http::reply::{Ok200, Put, Success};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct AppPath {
    id: String,
}

/// An app's terms. `ttlDaysMin`, `ttlDaysDefault` and `ttlDaysMax` are required, in this order from 1 to 400.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppShape {
    ttl_days_min: u32,
    ttl_days_max: u32,
    ttl_days_default: u32,
    /// The most devices that a tenant may use at once, 1 to 1000000; as many as it likes without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<u32>,
    /// At most 100 names of 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entitlements: Option<Vec<String>>,
    /// At most 64 names of 1 to 64 characters, with whole numbers below 2^53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<BTreeMap<String, u64>>,
    /// For how long a licence works after its end; with `ttlDaysMax` at most 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_days: Option<u32>,
    /// How old revocation data may get before newer should be fetched; at most `maxAgeDays`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fresh_hours: Option<u32>,
    /// How old it may get before `stale` applies, 1 to 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stale: Option<StaleShape>,
    /// When clients should ask for the next licence, 1 to `ttlDaysMin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_days_before_end: Option<u32>,
    /// How many components of a device have to match: `any`, `two`, `most`, `all`, or a number from 1 to 16. `all` without
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DevicePolicySchema>")]
    device_policy: Option<Value>,
    /// For tenants without a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trial: Option<TrialShape>,
    /// At most 100, by name. What a plan does not say is as above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    plans: BTreeMap<String, PlanShape>,
}

/// It begins with a tenant's first licence for the app; every licence of it ends with it, without grace.
#[derive(Deserialize, Serialize, JsonSchema)]
pub(crate) struct TrialShape {
    /// 1 to 400.
    days: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entitlements: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<BTreeMap<String, u64>>,
}

/// What tenants with the plan get in place of what the app says for all.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanShape {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_days_min: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_days_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_days_default: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entitlements: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<BTreeMap<String, u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fresh_hours: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stale: Option<StaleShape>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_days_before_end: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DevicePolicySchema>")]
    device_policy: Option<Value>,
}

/// What a client does when its revocation data is too old.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StaleShape {
    Allow,
    Warn,
    Deny,
}

/// What is described in place of a device policy.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes what is read by hand")]
enum DevicePolicySchema {
    Name(String),
    Count(u8),
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownApp {
    id: String,
    /// `configuration` or `operator`.
    source: &'static str,
    #[serde(flatten)]
    terms: AppShape,
}

pub(crate) fn list(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Vec<ShownApp>>, Error> {
    let apps = cx.read(|tx| apps::list(tx, &cx.services.apps))?;
    Ok(Ok200(apps.into_iter().map(ShownApp::from).collect()))
}

pub(crate) fn get(cx: &mut Cx<'_>, Path(path): Path<AppPath>) -> Result<Ok200<ShownApp>, Error> {
    let mut apps = cx.read(|tx| apps::list(tx, &cx.services.apps))?.into_iter();
    let found = apps.find(|(app, _)| app.id == path.id);
    found
        .map(|app| Ok200(app.into()))
        .ok_or(Error::NotFound { noun: "App" })
}

pub(crate) fn put(
    cx: &mut Cx<'_>,
    (Path(path), Body(body)): (Path<AppPath>, Body<AppShape>),
) -> Result<Put<ShownApp>, Error> {
    let app = body.app(&path.id)?;
    app.check_size(cx.services.ring.issuer())?;
    let configured = Arc::clone(&cx.services.apps);
    let (app, is_new) = cx.write(move |tx, now, origin| {
        let is_new = apps::put(tx, now, origin, &configured, &app)?;
        Ok((app, is_new))
    })?;
    Ok(Put {
        value: (app, Source::Operator).into(),
        is_new,
    })
}

pub(crate) fn delete(cx: &mut Cx<'_>, Path(path): Path<AppPath>) -> Result<Ok200<Success>, Error> {
    let configured = Arc::clone(&cx.services.apps);
    cx.write(move |tx, now, origin| apps::delete(tx, now, origin, &configured, &path.id))?;
    Ok(Ok200(Success))
}

impl AppShape {
    fn app(self, id: &str) -> Result<App, Error> {
        let base = PlanShape {
            ttl_days_min: Some(self.ttl_days_min),
            ttl_days_max: Some(self.ttl_days_max),
            ttl_days_default: Some(self.ttl_days_default),
            devices: self.devices,
            entitlements: self.entitlements,
            limits: self.limits,
            grace_days: self.grace_days,
            fresh_hours: self.fresh_hours,
            max_age_days: self.max_age_days,
            stale: self.stale,
            renew_days_before_end: self.renew_days_before_end,
            device_policy: self.device_policy,
        };
        let trial = self.trial.map(|trial| Trial {
            days: trial.days,
            terms: Terms {
                devices: trial.devices,
                entitlements: trial.entitlements,
                limits: trial.limits,
                ..Terms::default()
            },
        });
        let plans = self.plans.into_iter().map(|(name, plan)| {
            let terms = plan.terms(&format!("plans.{name}."))?;
            Ok((name, terms))
        });
        App::new(
            id,
            base.terms("")?,
            trial,
            plans.collect::<Result<_, Error>>()?,
        )
    }
}

impl PlanShape {
    fn terms(self, place: &str) -> Result<Terms, Error> {
        let policy = self.device_policy.map(|value| match value {
            Value::String(name) => {
                apps::device_policy(&name).filter(|_| name.parse::<u8>().is_err())
            }
            Value::Number(count) => apps::device_policy(&count.to_string()),
            _ => None,
        });
        let device_policy = match policy {
            Some(None) => {
                return Err(Error::invalid(
                    format!("{place}device_policy"),
                    "must be any, two, most, all, or a number from 1 to 16",
                ));
            }
            Some(Some(policy)) => Some(policy),
            None => None,
        };
        Ok(Terms {
            ttl_days_min: self.ttl_days_min,
            ttl_days_max: self.ttl_days_max,
            ttl_days_default: self.ttl_days_default,
            devices: self.devices,
            entitlements: self.entitlements,
            limits: self.limits,
            grace_days: self.grace_days,
            fresh_hours: self.fresh_hours,
            max_age_days: self.max_age_days,
            stale: self.stale.map(|stale| match stale {
                StaleShape::Allow => nexa_core::StalePolicy::Allow,
                StaleShape::Warn => nexa_core::StalePolicy::Warn,
                StaleShape::Deny => nexa_core::StalePolicy::Deny,
            }),
            renew_days_before_end: self.renew_days_before_end,
            device_policy,
        })
    }
}

impl From<(App, Source)> for ShownApp {
    fn from((app, source): (App, Source)) -> Self {
        let base = PlanShape::from(app.base);
        Self {
            id: app.id,
            source: match source {
                Source::Configuration => "configuration",
                Source::Operator => "operator",
            },
            terms: AppShape {
                // An app without them is not made.
                ttl_days_min: base.ttl_days_min.unwrap_or_default(),
                ttl_days_max: base.ttl_days_max.unwrap_or_default(),
                ttl_days_default: base.ttl_days_default.unwrap_or_default(),
                devices: base.devices,
                entitlements: base.entitlements,
                limits: base.limits,
                grace_days: base.grace_days,
                fresh_hours: base.fresh_hours,
                max_age_days: base.max_age_days,
                stale: base.stale,
                renew_days_before_end: base.renew_days_before_end,
                device_policy: base.device_policy,
                trial: app.trial.map(|trial| TrialShape {
                    days: trial.days,
                    devices: trial.terms.devices,
                    entitlements: trial.terms.entitlements,
                    limits: trial.terms.limits,
                }),
                plans: (app.plans.into_iter())
                    .map(|(name, terms)| (name, terms.into()))
                    .collect(),
            },
        }
    }
}

impl From<Terms> for PlanShape {
    fn from(terms: Terms) -> Self {
        Self {
            ttl_days_min: terms.ttl_days_min,
            ttl_days_max: terms.ttl_days_max,
            ttl_days_default: terms.ttl_days_default,
            devices: terms.devices,
            entitlements: terms.entitlements,
            limits: terms.limits,
            grace_days: terms.grace_days,
            fresh_hours: terms.fresh_hours,
            max_age_days: terms.max_age_days,
            stale: terms.stale.map(|stale| match stale {
                nexa_core::StalePolicy::Allow => StaleShape::Allow,
                nexa_core::StalePolicy::Warn => StaleShape::Warn,
                nexa_core::StalePolicy::Deny => StaleShape::Deny,
            }),
            renew_days_before_end: terms.renew_days_before_end,
            device_policy: terms.device_policy.map(|policy| {
                let name = apps::device_policy_name(policy);
                name.parse::<u8>().map_or(Value::from(name), Value::from)
            }),
        }
    }
}
