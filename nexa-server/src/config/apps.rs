//! The apps of the configuration file.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::Error;
use crate::domain::apps::{self, App, Terms, Trial};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileApp {
    id: String,
    ttl_days_min: u32,
    ttl_days_max: u32,
    ttl_days_default: u32,
    devices: Option<u32>,
    entitlements: Option<Vec<String>>,
    limits: Option<BTreeMap<String, u64>>,
    grace_days: Option<u32>,
    fresh_hours: Option<u32>,
    max_age_days: Option<u32>,
    stale: Option<String>,
    renew_days_before_end: Option<u32>,
    device_policy: Option<toml::Value>,
    trial: Option<FileTrial>,
    #[serde(default)]
    plans: BTreeMap<String, FilePlan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTrial {
    days: u32,
    devices: Option<u32>,
    entitlements: Option<Vec<String>>,
    limits: Option<BTreeMap<String, u64>>,
}

/// What a plan says in place of the app.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePlan {
    ttl_days_min: Option<u32>,
    ttl_days_max: Option<u32>,
    ttl_days_default: Option<u32>,
    devices: Option<u32>,
    entitlements: Option<Vec<String>>,
    limits: Option<BTreeMap<String, u64>>,
    grace_days: Option<u32>,
    fresh_hours: Option<u32>,
    max_age_days: Option<u32>,
    stale: Option<String>,
    renew_days_before_end: Option<u32>,
    device_policy: Option<toml::Value>,
}

/// The apps, each id once. `issuer` is the URL that their licences will name.
pub(super) fn apps(entries: Vec<FileApp>, issuer: &str) -> Result<Vec<App>, String> {
    let mut apps: Vec<App> = Vec::new();
    for entry in entries {
        let id = entry.id.clone();
        let refused = |error: Error| format!("apps: {id:?}: {error}");
        let app = entry.checked().map_err(refused)?;
        app.check_size(issuer).map_err(refused)?;
        if apps.iter().any(|other| other.id == app.id) {
            return Err(format!("apps: id {:?} stands twice", app.id));
        }
        apps.push(app);
    }
    Ok(apps)
}

impl FileApp {
    fn checked(self) -> Result<App, Error> {
        let base = FilePlan {
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
        let plans = plans.collect::<Result<_, Error>>()?;
        App::new(&self.id, base.terms("")?, trial, plans)
    }
}

impl FilePlan {
    fn terms(self, place: &str) -> Result<Terms, Error> {
        let stale = match self.stale.as_deref().map(apps::stale_policy) {
            Some(None) => {
                return Err(Error::invalid(
                    format!("{place}stale"),
                    "must be allow, warn or deny",
                ));
            }
            Some(stale) => stale,
            None => None,
        };
        let policy = self.device_policy.as_ref().map(|value| match value {
            toml::Value::String(name) => {
                apps::device_policy(name).filter(|_| name.parse::<u8>().is_err())
            }
            toml::Value::Integer(count) => apps::device_policy(&count.to_string()),
            _ => None,
        });
        let device_policy = match policy {
            Some(None) => {
                return Err(Error::invalid(
                    format!("{place}device_policy"),
                    "must be any, two, most, all, or a number from 1 to 16",
                ));
            }
            Some(policy) => policy,
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
            stale,
            renew_days_before_end: self.renew_days_before_end,
            device_policy,
        })
    }
}
