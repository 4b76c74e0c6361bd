//! What a licence grants: the private claim `lic`.
use core::fmt;

use crate::claims::{optional, optional_integer, optional_text};
use crate::json::{Elements, Members, Object, Value};
use crate::refusal::{Claim, Refusal};
use crate::time::UnixSeconds;

/// The terms of a licence; everything in it is optional.
#[derive(Clone, Copy, Default)]
pub struct LicenseTerms<'b> {
    plan: Option<&'b str>,
    entitlements: Option<Elements<'b>>,
    limits: Option<Members<'b>>,
    grace_s: u64,
    fresh_s: Option<u64>,
    max_age_s: Option<u64>,
    stale: StalePolicy,
    renew_after: Option<UnixSeconds>,
    is_trial: bool,
}

impl<'b> LicenseTerms<'b> {
    /// The plan's name.
    #[must_use]
    pub const fn plan(&self) -> Option<&'b str> {
        self.plan
    }

    /// What the licence allows, in the issuer's order.
    #[must_use]
    pub fn entitlements(&self) -> Entitlements<'b> {
        Entitlements(self.entitlements)
    }

    /// Whether the licence lists exactly this entitlement.
    #[must_use]
    pub fn allows(&self, entitlement: &str) -> bool {
        self.entitlements().any(|found| found == entitlement)
    }

    /// The licence's limits by name, in the issuer's order.
    #[must_use]
    pub fn limits(&self) -> Limits<'b> {
        Limits(self.limits)
    }

    /// The limit of this name; `None` where the licence states none.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<u64> {
        self.limits()
            .find_map(|(found, limit)| (found == name).then_some(limit))
    }

    /// How long after `exp` the default decision still allows, in seconds; 0 unless stated. It ends earlier where the
    /// verifier's longest life ends.
    #[must_use]
    pub const fn grace_s(&self) -> u64 {
        self.grace_s
    }

    /// How old revocation data may get before newer should be fetched, in seconds. No verdict depends on it.
    #[must_use]
    pub const fn fresh_s(&self) -> Option<u64> {
        self.fresh_s
    }

    /// How old revocation data may get before [`stale`](Self::stale) applies, in seconds.
    #[must_use]
    pub const fn max_age_s(&self) -> Option<u64> {
        self.max_age_s
    }

    /// What the default decision is when revocation data is older than [`max_age_s`](Self::max_age_s).
    #[must_use]
    pub const fn stale(&self) -> StalePolicy {
        self.stale
    }

    /// From when on the client should ask for the next licence.
    #[must_use]
    pub const fn renew_after(&self) -> Option<UnixSeconds> {
        self.renew_after
    }

    /// Whether this is a trial.
    #[must_use]
    pub const fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// Reads the claim `lic`. Unknown members are ignored, so that an older reader takes a newer licence.
    pub(super) fn read(claims: &Object<'b>) -> Result<Self, Refusal> {
        let Some(lic) = optional(claims, "lic", Claim::Lic, Value::as_object)? else {
            return Ok(Self::default());
        };
        let plan = optional_text(&lic, "plan", Claim::LicPlan)?;
        let entitlements = optional(&lic, "entitlements", Claim::LicEntitlements, |value| {
            let array = value.as_array()?;
            array
                .into_iter()
                .all(|name| name.as_str().is_some())
                .then_some(array)
        })?;
        let limits = optional(&lic, "limits", Claim::LicLimits, |value| {
            let members = value.as_object()?.members();
            members
                .into_iter()
                .all(|(_, limit)| limit.as_integer().is_some())
                .then_some(members)
        })?;
        let grace_s = optional_integer(&lic, "grace_s", Claim::LicGrace)?.unwrap_or(0);
        let fresh_s = optional_integer(&lic, "fresh_s", Claim::LicFresh)?;
        let max_age_s = optional_integer(&lic, "max_age_s", Claim::LicMaxAge)?;
        let stale = match optional_text(&lic, "stale", Claim::LicStale)? {
            Some(name) => {
                StalePolicy::from_name(name).ok_or(Refusal::ClaimWrong(Claim::LicStale))?
            }
            None => StalePolicy::default(),
        };
        let renew_after = optional_integer(&lic, "renew_after", Claim::LicRenewAfter)?;
        let is_trial = optional(&lic, "trial", Claim::LicTrial, Value::as_bool)?.unwrap_or(false);
        Ok(Self {
            plan,
            entitlements,
            limits,
            grace_s,
            fresh_s,
            max_age_s,
            stale,
            renew_after: renew_after.and_then(UnixSeconds::new),
            is_trial,
        })
    }
}

impl fmt::Debug for LicenseTerms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LicenseTerms")
            .field("plan", &self.plan)
            .field("entitlements", &self.entitlements())
            .field("limits", &self.limits())
            .field("grace_s", &self.grace_s)
            .field("fresh_s", &self.fresh_s)
            .field("max_age_s", &self.max_age_s)
            .field("stale", &self.stale)
            .field("renew_after", &self.renew_after)
            .field("is_trial", &self.is_trial)
            .finish()
    }
}

/// What the issuer wants when a client's revocation data is too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StalePolicy {
    /// Go on.
    Allow,
    /// Go on and tell the user.
    Warn,
    /// Stop. The default: an issuer who limits the age of revocation data means it.
    #[default]
    Deny,
}

impl StalePolicy {
    /// The policy's name in the token.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Allow, Self::Warn, Self::Deny]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// Iterator over a licence's entitlements.
#[derive(Clone)]
pub struct Entitlements<'b>(Option<Elements<'b>>);

impl<'b> Iterator for Entitlements<'b> {
    type Item = &'b str;

    fn next(&mut self) -> Option<&'b str> {
        self.0.as_mut()?.next()?.as_str()
    }
}

impl fmt::Debug for Entitlements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Iterator over a licence's limits, as (name, limit).
#[derive(Clone)]
pub struct Limits<'b>(Option<Members<'b>>);

impl<'b> Iterator for Limits<'b> {
    type Item = (&'b str, u64);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, limit) = self.0.as_mut()?.next()?;
        Some((name, limit.as_integer()?))
    }
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}
