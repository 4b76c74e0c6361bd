//! The tariff: what the operator charges, and the plans it sells.

use super::rates::Rate;

/// Everything that has a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tariff {
    /// Of all amounts; ISO 4217.
    pub(crate) currency: String,
    /// In the order of the configuration, each id once; one at most costs nothing.
    pub(crate) plans: Vec<Plan>,
    pub(crate) rates: Vec<Rate>,
    /// Owners are told when a balance falls below this, in millicents.
    pub(crate) low_mc: i64,
}

/// What a tenant may be subscribed to, month by month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// For a month, in hundredths of the currency; nothing for the plan of those who have no other.
    pub(crate) price_cents: i64,
    /// What is granted each month, in millicents.
    pub(crate) credits_mc: i64,
    /// How far below nothing a balance may go, in millicents.
    pub(crate) overdraft_mc: i64,
}

impl Tariff {
    /// The plan of that name.
    pub(crate) fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == id)
    }

    /// What a tenant has that was given `plan_id`; without any, people have the plan that costs nothing. An agent registers
    /// itself, as often as it likes: it has its trial instead.
    pub(crate) fn plan_of(&self, plan_id: Option<&str>, is_agent: bool) -> Option<&Plan> {
        match plan_id {
            Some(id) => self.plan(id),
            None if is_agent => None,
            None => self.plans.iter().find(|plan| plan.price_cents == 0),
        }
    }
}
