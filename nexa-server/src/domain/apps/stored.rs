//! The apps that the operator keeps in the store.

use std::collections::BTreeMap;

use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::{App, Source, Terms, Trial, device_policy, device_policy_name, stale_policy};
use crate::store::Tx;
use crate::store::apps::{self, AppRow, TermsRow};
use crate::time::UnixMillis;

const BASE: &str = "base";
const TRIAL: &str = "trial";
const PLAN: &str = "plan";

/// Every app with where it is declared, by id. A stored one that the configuration declares too does not count.
pub(crate) fn list(tx: &Tx<'_>, configured: &[App]) -> Result<Vec<(App, Source)>, Error> {
    let mut found: BTreeMap<String, (App, Source)> = BTreeMap::new();
    for row in apps::list(tx)? {
        let app = app(row)?;
        found.insert(app.id.clone(), (app, Source::Operator));
    }
    for app in configured {
        found.insert(app.id.clone(), (app.clone(), Source::Configuration));
    }
    Ok(found.into_values().collect())
}

/// The stored app of that id.
pub(super) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<App>, Error> {
    apps::find(tx, id)?.map(app).transpose()
}

/// Keeps an app, in place of the one of its id if there is one; answers whether it is new.
///
/// # Errors
/// `Conflict` when the configuration declares it.
pub(crate) fn put(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    configured: &[App],
    app: &App,
) -> Result<bool, Error> {
    check_own(configured, &app.id)?;
    let existed = apps::put(tx, now, &row(app))?;
    let act = match existed {
        true => Act::AppChanged,
        false => Act::AppCreated,
    };
    audit::record(tx, now, origin, act, None, Some(&app.id))?;
    Ok(!existed)
}

/// Removes an app. Licences that were issued for it stay valid.
///
/// # Errors
/// `Conflict` when the configuration declares it, `NotFound` when nobody does.
pub(crate) fn delete(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    configured: &[App],
    id: &str,
) -> Result<(), Error> {
    check_own(configured, id)?;
    if !apps::delete(tx, id)? {
        return Err(Error::NotFound { noun: "App" });
    }
    audit::record(tx, now, origin, Act::AppDeleted, None, Some(id))
}

/// The stored apps that no licence, or not every one, will be issued by, and why.
pub(crate) fn unusable(
    tx: &Tx<'_>,
    configured: &[App],
    issuer: &str,
) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    for row in apps::list(tx)? {
        let app = app(row)?;
        if configured.iter().any(|other| other.id == app.id) {
            found.push((
                app.id,
                "the configuration declares it too, and goes first".to_owned(),
            ));
        } else if let Err(error) = app.check_size(issuer) {
            found.push((app.id, error.to_string()));
        }
    }
    Ok(found)
}

fn check_own(configured: &[App], id: &str) -> Result<(), Error> {
    match configured.iter().any(|app| app.id == id) {
        true => Err(Error::Conflict {
            rule: "The configuration declares this app; change it there",
        }),
        false => Ok(()),
    }
}

fn app(row: AppRow) -> Result<App, Error> {
    let damaged = || Error::Fault(format!("the stored app {:?} is damaged", row.id));
    let (mut base, mut trial, mut plans) = (None, None, BTreeMap::new());
    for stored in &row.terms {
        let terms = terms(stored).ok_or_else(damaged)?;
        match stored.kind.as_str() {
            BASE => base = Some(terms),
            TRIAL => {
                let days = stored.trial_days.and_then(|days| u32::try_from(days).ok());
                trial = Some(Trial {
                    days: days.ok_or_else(damaged)?,
                    terms,
                });
            }
            PLAN => {
                plans.insert(stored.name.clone(), terms);
            }
            _ => return Err(damaged()),
        }
    }
    Ok(App {
        base: base.ok_or_else(damaged)?,
        trial,
        plans,
        id: row.id,
    })
}

fn row(app: &App) -> AppRow {
    let base = terms_row(BASE, "", None, &app.base);
    let trial = app.trial.iter();
    let trial = trial.map(|trial| terms_row(TRIAL, "", Some(trial.days), &trial.terms));
    let plans = app.plans.iter();
    let plans = plans.map(|(name, terms)| terms_row(PLAN, name, None, terms));
    AppRow {
        id: app.id.clone(),
        terms: std::iter::once(base).chain(trial).chain(plans).collect(),
    }
}

/// `None` for what was never written so. Names have no ends of lines, so one a line they stand in one text.
fn terms(row: &TermsRow) -> Option<Terms> {
    let number = |stored: Option<i64>| stored.map(u32::try_from).transpose().ok();
    let limit = |line: &str| {
        let (limit, name) = line.split_once(' ')?;
        Some((name.to_owned(), limit.parse().ok()?))
    };
    Some(Terms {
        ttl_days_min: number(row.ttl_days_min)?,
        ttl_days_max: number(row.ttl_days_max)?,
        ttl_days_default: number(row.ttl_days_default)?,
        devices: number(row.devices)?,
        entitlements: (row.entitlements.as_ref())
            .map(|names| names.lines().map(str::to_owned).collect()),
        limits: match &row.limits {
            Some(limits) => Some(limits.lines().map(limit).collect::<Option<_>>()?),
            None => None,
        },
        grace_days: number(row.grace_days)?,
        fresh_hours: number(row.fresh_hours)?,
        max_age_days: number(row.max_age_days)?,
        stale: match &row.stale {
            Some(name) => Some(stale_policy(name)?),
            None => None,
        },
        renew_days_before_end: number(row.renew_days_before_end)?,
        device_policy: match &row.device_policy {
            Some(name) => Some(device_policy(name)?),
            None => None,
        },
    })
}

fn terms_row(kind: &str, name: &str, trial_days: Option<u32>, terms: &Terms) -> TermsRow {
    let lines = |lines: &mut dyn Iterator<Item = String>| lines.collect::<Vec<_>>().join("\n");
    TermsRow {
        kind: kind.to_owned(),
        name: name.to_owned(),
        trial_days: trial_days.map(i64::from),
        ttl_days_min: terms.ttl_days_min.map(i64::from),
        ttl_days_max: terms.ttl_days_max.map(i64::from),
        ttl_days_default: terms.ttl_days_default.map(i64::from),
        devices: terms.devices.map(i64::from),
        entitlements: (terms.entitlements.as_ref()).map(|names| names.join("\n")),
        limits: (terms.limits.as_ref())
            .map(|limits| lines(&mut limits.iter().map(|(name, limit)| format!("{limit} {name}")))),
        grace_days: terms.grace_days.map(i64::from),
        fresh_hours: terms.fresh_hours.map(i64::from),
        max_age_days: terms.max_age_days.map(i64::from),
        stale: terms.stale.map(|stale| stale.name().to_owned()),
        renew_days_before_end: terms.renew_days_before_end.map(i64::from),
        device_policy: terms.device_policy.map(device_policy_name),
    }
}
