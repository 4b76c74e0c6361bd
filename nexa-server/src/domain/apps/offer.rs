//! What a tenant gets of an app: the terms of its plan, of the trial, or of everybody.

use nexa_core::{
    DevicePolicy, IssueError, LicenseIssuer, NewDevice, NewLicense, NewTerms, StatusRef,
    UnixSeconds,
};

use super::super::error::Error;
use super::{App, Terms};

const SECONDS_AN_HOUR: u64 = 3600;
const SECONDS_A_DAY: u64 = 24 * SECONDS_AN_HOUR;

/// Terms in which nothing is left to others.
#[derive(Clone, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) terms: Terms,
}

/// Why a tenant gets the terms that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    Base,
    /// It has this plan.
    Plan(&'a str),
    /// It has none, and the app may be tried for so many days.
    Trial {
        days: u32,
    },
}

impl Kind<'_> {
    /// What stands before the names of such terms' fields.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Base => String::new(),
            Self::Plan(name) => format!("plans.{name}."),
            Self::Trial { .. } => "trial.".to_owned(),
        }
    }
}

impl App {
    /// What a tenant with that plan gets. A plan that the app does not know is none of the trial's business: whoever pays
    /// for something gets the base policy.
    pub(crate) fn offer(&self, plan: Option<&str>) -> Offer<'_> {
        match (plan, &self.trial) {
            (Some(plan), _) => match self.plans.get_key_value(plan) {
                Some((name, terms)) => Offer::plan(name, terms, &self.base),
                None => self.base_offer(),
            },
            (None, Some(trial)) => Offer::trial(trial, &self.base),
            (None, None) => self.base_offer(),
        }
    }

    /// Everything that anybody can get.
    pub(super) fn offers(&self) -> impl Iterator<Item = Offer<'_>> {
        let plans = self.plans.iter();
        let trial = self.trial.iter();
        std::iter::once(self.base_offer())
            .chain(trial.map(|trial| Offer::trial(trial, &self.base)))
            .chain(plans.map(|(name, terms)| Offer::plan(name, terms, &self.base)))
    }

    fn base_offer(&self) -> Offer<'_> {
        Offer {
            kind: Kind::Base,
            terms: self.base.clone(),
        }
    }
}

impl<'a> Offer<'a> {
    fn plan(name: &'a str, terms: &Terms, base: &Terms) -> Self {
        Self {
            kind: Kind::Plan(name),
            terms: terms.over(base),
        }
    }

    /// A trial has no grace: it would last longer than it says.
    fn trial(trial: &super::Trial, base: &Terms) -> Self {
        Self {
            kind: Kind::Trial { days: trial.days },
            terms: Terms {
                grace_days: None,
                ..trial.terms.over(base)
            },
        }
    }

    /// How long after its end a licence works, in seconds.
    pub(crate) fn grace_s(&self) -> u64 {
        u64::from(self.terms.grace_days.unwrap_or(0)) * SECONDS_A_DAY
    }

    /// How old revocation data may get, in seconds.
    pub(crate) fn max_age_s(&self) -> Option<u64> {
        let days = self.terms.max_age_days;
        days.map(|days| u64::from(days) * SECONDS_A_DAY)
    }

    pub(crate) fn device_policy(&self) -> DevicePolicy {
        self.terms.device_policy.unwrap_or(DevicePolicy::All)
    }

    /// Calls `f` with the terms of a licence that lasts `ttl_s` from `now` on.
    pub(crate) fn with_terms<T>(
        &self,
        now: UnixSeconds,
        ttl_s: u64,
        f: impl FnOnce(NewTerms<'_>) -> T,
    ) -> T {
        let entitlements = self.terms.entitlements.iter().flatten();
        let entitlements: Vec<&str> = entitlements.map(String::as_str).collect();
        let limits = self.terms.limits.iter().flatten();
        let limits: Vec<(&str, u64)> = limits
            .map(|(name, limit)| (name.as_str(), *limit))
            .collect();
        let is_trial = matches!(self.kind, Kind::Trial { .. });
        f(NewTerms {
            plan: match self.kind {
                Kind::Plan(name) => Some(name),
                Kind::Base | Kind::Trial { .. } => None,
            },
            entitlements: &entitlements,
            limits: &limits,
            grace_s: self.grace_s(),
            fresh_s: (self.terms.fresh_hours).map(|hours| u64::from(hours) * SECONDS_AN_HOUR),
            max_age_s: self.max_age_s(),
            stale: self.terms.stale,
            renew_after: self
                .terms
                .renew_days_before_end
                .and_then(|days| now.plus(ttl_s.saturating_sub(u64::from(days) * SECONDS_A_DAY))),
            is_trial,
        })
    }

    /// That a licence of these terms fits into a token whatever its device is.
    pub(super) fn check_size(&self, app_id: &str, issuer: &str) -> Result<(), Error> {
        let fault = |problem: &str| Error::Fault(format!("size of a licence: {problem}"));
        // Ten digits, as until the year 2286.
        let now = UnixSeconds::new(1_800_000_000).ok_or_else(|| fault("a time"))?;
        let kinds: Vec<String> = (0..16).map(|number| format!("{number:0>64}")).collect();
        let components: Vec<(&str, &str)> = kinds.iter().map(|kind| (kind.as_str(), "v")).collect();
        let id = "0".repeat(36);
        let uri = format!("{issuer}/api/licenses/status/{}", u32::MAX);
        let ttl_s = u64::from(self.terms.ttl_days_max.unwrap_or(super::DAYS_MAX)) * SECONDS_A_DAY;
        let bytes = self.with_terms(now, ttl_s, |terms| {
            let request = NewLicense {
                jti: &id,
                subject: &id,
                audience: app_id,
                ttl_s,
                device: NewDevice {
                    components: &components,
                    policy: self.device_policy(),
                },
                terms,
                status: Some(StatusRef {
                    index: u16::MAX,
                    uri: &uri,
                }),
            };
            LicenseIssuer::token_bytes(issuer, now, &request)
        });
        match bytes {
            Ok(_) => Ok(()),
            Err(IssueError::TooLong { bytes }) => Err(Error::invalid(
                format!("{}entitlements", self.kind.place()),
                format!(
                    "a licence with these entitlements and limits could have {bytes} bytes, and at most 4096 are read"
                ),
            )),
            Err(error) => Err(Error::invalid(
                format!("{}entitlements", self.kind.place()),
                error.to_string(),
            )),
        }
    }
}
