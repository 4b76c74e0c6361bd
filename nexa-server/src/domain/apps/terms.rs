//! The terms of an app's licences, and the bounds of every one of them.

use std::collections::{BTreeMap, BTreeSet};

use nexa_core::{DevicePolicy, StalePolicy};

use super::super::error::Error;

/// What a verifier accepts by default, grace included.
pub(crate) const DAYS_MAX: u32 = 400;
const DEVICES_MAX: u32 = 1_000_000;
const ENTITLEMENTS_MAX: usize = 100;
const LIMITS_MAX: usize = 64;
/// In characters.
const NAME_MAX: usize = 64;
/// The largest integer that every JSON reader holds exactly.
const LIMIT_MAX: u64 = (1 << 53) - 1;

/// What licences grant. `None` leaves it to the base policy; where that says nothing either, it is not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) ttl_days_min: Option<u32>,
    pub(crate) ttl_days_max: Option<u32>,
    pub(crate) ttl_days_default: Option<u32>,
    /// The most devices that a tenant may use at once.
    pub(crate) devices: Option<u32>,
    pub(crate) entitlements: Option<Vec<String>>,
    pub(crate) limits: Option<BTreeMap<String, u64>>,
    /// For how long a licence still works after its end.
    pub(crate) grace_days: Option<u32>,
    /// How old revocation data may get before newer should be fetched.
    pub(crate) fresh_hours: Option<u32>,
    /// How old it may get before `stale` applies.
    pub(crate) max_age_days: Option<u32>,
    pub(crate) stale: Option<StalePolicy>,
    /// When clients should ask for the next licence.
    pub(crate) renew_days_before_end: Option<u32>,
    pub(crate) device_policy: Option<DevicePolicy>,
}

impl Terms {
    /// These, and those of `base` where they say nothing.
    pub(crate) fn over(&self, base: &Self) -> Self {
        Self {
            ttl_days_min: self.ttl_days_min.or(base.ttl_days_min),
            ttl_days_max: self.ttl_days_max.or(base.ttl_days_max),
            ttl_days_default: self.ttl_days_default.or(base.ttl_days_default),
            devices: self.devices.or(base.devices),
            entitlements: self.entitlements.clone().or(base.entitlements.clone()),
            limits: self.limits.clone().or(base.limits.clone()),
            grace_days: self.grace_days.or(base.grace_days),
            fresh_hours: self.fresh_hours.or(base.fresh_hours),
            max_age_days: self.max_age_days.or(base.max_age_days),
            stale: self.stale.or(base.stale),
            renew_days_before_end: self.renew_days_before_end.or(base.renew_days_before_end),
            device_policy: self.device_policy.or(base.device_policy),
        }
    }

    /// The days a licence lasts: those asked for, or the default.
    ///
    /// # Errors
    /// `Invalid` for `ttl_days` outside of the bounds.
    pub(crate) fn ttl_days(&self, app_id: &str, asked: Option<u32>) -> Result<u32, Error> {
        let (min, max) = (
            self.ttl_days_min.unwrap_or(1),
            self.ttl_days_max.unwrap_or(DAYS_MAX),
        );
        let days = asked.or(self.ttl_days_default).unwrap_or(max);
        match (min..=max).contains(&days) {
            true => Ok(days),
            false => Err(Error::invalid(
                "ttl_days",
                format!("must be {min} to {max} for the app {app_id:?}"),
            )),
        }
    }

    /// The bounds of every field, and those of fields together. `place` stands before the names of fields in an error.
    pub(super) fn check(&self, place: &str) -> Result<(), Error> {
        let refused =
            |field: &str, rule: String| Err(Error::invalid(format!("{place}{field}"), rule));
        let within = |field: &str, value: Option<u32>, least: u32, most: u32| match value {
            Some(value) if !(least..=most).contains(&value) => {
                refused(field, format!("must be {least} to {most}, not {value}"))
            }
            Some(_) | None => Ok(()),
        };
        let (Some(min), Some(max), Some(default)) =
            (self.ttl_days_min, self.ttl_days_max, self.ttl_days_default)
        else {
            return refused(
                "ttl_days_min",
                "ttl_days_min, ttl_days_default and ttl_days_max are required".to_owned(),
            );
        };
        if !(1 <= min && min <= default && default <= max && max <= DAYS_MAX) {
            return refused(
                "ttl_days_min",
                format!(
                    "needs 1 <= ttl_days_min <= ttl_days_default <= ttl_days_max <= {DAYS_MAX}, not {min}, {default}, {max}"
                ),
            );
        }
        within("devices", self.devices, 1, DEVICES_MAX)?;
        within("grace_days", self.grace_days, 0, DAYS_MAX)?;
        if max.saturating_add(self.grace_days.unwrap_or(0)) > DAYS_MAX {
            return refused(
                "grace_days",
                format!("must be at most {DAYS_MAX} together with ttl_days_max ({max})"),
            );
        }
        within("fresh_hours", self.fresh_hours, 1, DAYS_MAX * 24)?;
        within("max_age_days", self.max_age_days, 1, DAYS_MAX)?;
        if let (Some(fresh_hours), Some(max_age_days)) = (self.fresh_hours, self.max_age_days)
            && fresh_hours > max_age_days * 24
        {
            return refused(
                "fresh_hours",
                format!("must be at most max_age_days ({max_age_days}) in hours"),
            );
        }
        if self.stale.is_some() && self.max_age_days.is_none() {
            return refused(
                "stale",
                "needs max_age_days, after which it applies".to_owned(),
            );
        }
        within("renew_days_before_end", self.renew_days_before_end, 1, min)?;
        if let Some(DevicePolicy::AtLeast(count)) = self.device_policy
            && !(1..=16).contains(&count)
        {
            return refused("device_policy", format!("must be 1 to 16, not {count}"));
        }
        let entitlements = self.entitlements.as_deref().unwrap_or_default();
        if entitlements.len() > ENTITLEMENTS_MAX {
            return refused(
                "entitlements",
                format!("must be at most {ENTITLEMENTS_MAX}"),
            );
        }
        let mut seen = BTreeSet::new();
        for name in entitlements {
            check_name(&format!("{place}entitlements"), name)?;
            if !seen.insert(name) {
                return refused("entitlements", format!("{name:?} stands twice"));
            }
        }
        let limits = self.limits.iter().flatten();
        for (count, (name, limit)) in limits.enumerate() {
            if count >= LIMITS_MAX {
                return refused("limits", format!("must be at most {LIMITS_MAX}"));
            }
            check_name(&format!("{place}limits"), name)?;
            if *limit > LIMIT_MAX {
                return refused("limits", format!("{name:?} must be below 2^53"));
            }
        }
        Ok(())
    }
}

/// The rule of names: 1 to 64 characters, none of them a control character.
///
/// # Errors
/// `Invalid` for `field`.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), Error> {
    let holds =
        (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    match holds {
        true => Ok(()),
        false => Err(Error::invalid(
            field.to_owned(),
            format!("names must have 1 to {NAME_MAX} characters, none of them a control character"),
        )),
    }
}

/// The policy of that name: any, two, most, all, or a number.
pub(crate) fn device_policy(name: &str) -> Option<DevicePolicy> {
    match name {
        "any" => Some(DevicePolicy::Any),
        "two" => Some(DevicePolicy::Two),
        "most" => Some(DevicePolicy::Most),
        "all" => Some(DevicePolicy::All),
        count => count.parse().ok().map(DevicePolicy::AtLeast),
    }
}

/// The reverse of [`device_policy`].
pub(crate) fn device_policy_name(policy: DevicePolicy) -> String {
    match policy {
        DevicePolicy::Any => "any".to_owned(),
        DevicePolicy::Two => "two".to_owned(),
        DevicePolicy::Most => "most".to_owned(),
        DevicePolicy::All => "all".to_owned(),
        DevicePolicy::AtLeast(count) => count.to_string(),
    }
}

/// The policy of that name.
pub(crate) fn stale_policy(name: &str) -> Option<StalePolicy> {
    [StalePolicy::Allow, StalePolicy::Warn, StalePolicy::Deny]
        .into_iter()
        .find(|policy| policy.name() == name)
}
