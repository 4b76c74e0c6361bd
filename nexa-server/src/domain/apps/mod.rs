//! The apps that licences are for: as the configuration declares them, and as the operator keeps them.

mod offer;
mod stored;
mod terms;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::Error;
use crate::store::Tx;

pub(crate) use offer::{Kind, Offer};
pub(crate) use stored::{delete, list, put, unusable};
pub(crate) use terms::{
    DAYS_MAX, Terms, check_name, device_policy, device_policy_name, stale_policy,
};

/// One app: the audience of its licences, and what they grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) id: String,
    /// What holds where neither a plan nor the trial says something else.
    pub(crate) base: Terms,
    /// For tenants without a plan.
    pub(crate) trial: Option<Trial>,
    /// By name.
    pub(crate) plans: BTreeMap<String, Terms>,
}

/// A while for which tenants without a plan may use an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    /// From the tenant's first licence for the app on.
    pub(crate) days: u32,
    pub(crate) terms: Terms,
}

/// Where an app is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Configuration,
    Operator,
}

impl App {
    /// An app whose every field holds, alone and together with the others.
    ///
    /// # Errors
    /// `Invalid` naming the field and its rule.
    pub(crate) fn new(
        id: &str,
        base: Terms,
        trial: Option<Trial>,
        plans: BTreeMap<String, Terms>,
    ) -> Result<Self, Error> {
        const PLANS_MAX: usize = 100;
        if id.is_empty() || id.len() > 100 || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid(
                "id",
                "must be 1 to 100 visible ASCII characters",
            ));
        }
        if plans.len() > PLANS_MAX {
            return Err(Error::invalid(
                "plans",
                format!("must be at most {PLANS_MAX}"),
            ));
        }
        let app = Self {
            id: id.to_owned(),
            base,
            trial,
            plans,
        };
        if let Some(trial) = &app.trial
            && !(1..=DAYS_MAX).contains(&trial.days)
        {
            return Err(Error::invalid(
                "trial.days",
                format!("must be 1 to {DAYS_MAX}"),
            ));
        }
        for name in app.plans.keys() {
            check_name("plans", name)?;
        }
        for offer in app.offers() {
            offer.terms.check(&offer.kind.place())?;
        }
        Ok(app)
    }

    /// That every licence which the app can have fits into a token of this issuer, whatever device it is for.
    ///
    /// # Errors
    /// `Invalid` naming the terms that do not.
    pub(crate) fn check_size(&self, issuer: &str) -> Result<(), Error> {
        self.offers()
            .try_for_each(|offer| offer.check_size(&self.id, issuer))
    }
}

/// The app of that id; what the configuration declares goes first.
///
/// # Errors
/// `Invalid` for `app_id` when there is none.
pub(crate) fn find<'a>(
    tx: &Tx<'_>,
    configured: &'a [App],
    id: &str,
) -> Result<Cow<'a, App>, Error> {
    let app = match configured.iter().find(|app| app.id == id) {
        Some(app) => Some(Cow::Borrowed(app)),
        None => stored::find(tx, id)?.map(Cow::Owned),
    };
    app.ok_or_else(|| Error::invalid("app_id", "is not an app of this server"))
}
