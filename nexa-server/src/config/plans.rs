//! The tables `[[plans]]` of the configuration file.

use serde::Deserialize;

use super::rates::{amount, optional};
use crate::domain::apps::check_name;
use crate::domain::money::{Cents, Millicents};
use crate::domain::tariff::Plan;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePlan {
    id: String,
    name: String,
    description: Option<String>,
    price: String,
    credits: Option<String>,
    overdraft: Option<String>,
}

/// The plans, each id once.
pub(super) fn plans(entries: Vec<FilePlan>) -> Result<Vec<Plan>, String> {
    let mut plans: Vec<Plan> = Vec::new();
    for entry in entries {
        let place = format!("plans: {:?}", entry.id);
        let plan = entry
            .checked()
            .map_err(|problem| format!("{place}: {problem}"))?;
        if plans.iter().any(|other| other.id == plan.id) {
            return Err(format!("{place}: stands twice"));
        }
        let is_free = |plan: &Plan| plan.price_cents == 0;
        if is_free(&plan) && plans.iter().any(is_free) {
            return Err(format!("{place}: only one plan may cost nothing"));
        }
        plans.push(plan);
    }
    Ok(plans)
}

impl FilePlan {
    fn checked(self) -> Result<Plan, String> {
        check_name("id", &self.id).map_err(|error| error.to_string())?;
        shown("name", &self.name, 100)?;
        if let Some(description) = &self.description {
            shown("description", description, 500)?;
        }
        let price: Cents = amount("price", &self.price)?;
        let credits: Option<Millicents> = optional("credits", self.credits.as_deref())?;
        let overdraft: Option<Millicents> = optional("overdraft", self.overdraft.as_deref())?;
        if price.units() == 0 && overdraft.is_some_and(|overdraft| overdraft.units() > 0) {
            return Err("overdraft must not stand in a plan that costs nothing".to_owned());
        }
        Ok(Plan {
            id: self.id,
            name: self.name,
            description: self.description,
            price_cents: price.units(),
            credits_mc: credits.map_or(0, Millicents::units),
            overdraft_mc: overdraft.map_or(0, Millicents::units),
        })
    }
}

/// What stands on a page for people, and in letters.
fn shown(field: &str, text: &str, most: usize) -> Result<(), String> {
    let is_plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    match is_plain && text.chars().count() <= most {
        true => Ok(()),
        false => Err(format!(
            "{field} must be 1 to {most} characters, none of them a control character"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Plan>, String> {
        #[derive(Deserialize)]
        struct File {
            plans: Vec<FilePlan>,
        }
        plans(toml::from_str::<File>(text).unwrap().plans)
    }

    #[test]
    fn a_plan_is_read_to_the_last_decimal() {
        let read = read(
            "[[plans]]\nid = 'pro'\nname = 'Pro'\nprice = '19.99'\ncredits = '25.00001'\noverdraft = '0.5'\n\
             [[plans]]\nid = 'free'\nname = 'Free'\nprice = '0'",
        );
        let plans = read.unwrap();
        let amounts = plans
            .iter()
            .map(|plan| (plan.price_cents, plan.credits_mc, plan.overdraft_mc));
        assert!(amounts.eq([(1_999, 2_500_001, 50_000), (0, 0, 0)]));
    }

    #[test]
    fn what_cannot_be_a_plan_is_named() {
        let free = "[[plans]]\nid = 'free'\nname = 'Free'\nprice = '0'\n";
        for (text, problem) in [
            (format!("{free}{free}"), "plans: \"free\": stands twice"),
            (
                format!("{free}[[plans]]\nid = 'gratis'\nname = 'Gratis'\nprice = '0.00'"),
                "plans: \"gratis\": only one plan may cost nothing",
            ),
            (
                "[[plans]]\nid = ''\nname = 'A'\nprice = '1'".to_owned(),
                "plans: \"\": id: names must have 1 to 64 characters, none of them a control character",
            ),
            (
                format!("{free}overdraft = '1'"),
                "plans: \"free\": overdraft must not stand in a plan that costs nothing",
            ),
            (
                "[[plans]]\nid = 'a'\nname = ' '\nprice = '1'".to_owned(),
                "plans: \"a\": name must be 1 to 100 characters, none of them a control character",
            ),
            (
                "[[plans]]\nid = 'a'\nname = 'A'\nprice = '1.999'".to_owned(),
                "plans: \"a\": price \"1.999\" must be a decimal below 1000000, with at most 2 decimals, such as \"0.25\"",
            ),
            (
                "[[plans]]\nid = 'a'\nname = 'A'\nprice = '1'\ncredits = '-1'".to_owned(),
                "plans: \"a\": credits \"-1\" must be a decimal below 1000000, with at most 5 decimals, such as \"0.25\"",
            ),
        ] {
            assert_eq!(read(&text).unwrap_err(), problem);
        }
    }
}
