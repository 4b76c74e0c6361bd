//! The tables `[credits]` and `[agents]` of the configuration file.

use serde::Deserialize;

use super::plans::{FilePlan, plans};
use super::rates::{FileRate, amount, rates};
use crate::domain::agents::{AgentPolicy, Referral};
use crate::domain::money::Millicents;
use crate::domain::tariff::Tariff;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileCredits {
    currency: String,
    low: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileAgents {
    default_agent: String,
    trial_millicents: i64,
    trial_days: u32,
    referrals: Vec<FileReferral>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileReferral {
    code: String,
    agent: String,
}

impl Default for FileCredits {
    fn default() -> Self {
        Self {
            currency: "EUR".to_owned(),
            low: "0.20".to_owned(),
        }
    }
}

impl Default for FileAgents {
    fn default() -> Self {
        Self {
            default_agent: "openAgent".to_owned(),
            trial_millicents: 500_000,
            trial_days: 7,
            referrals: Vec::new(),
        }
    }
}

impl FileCredits {
    /// What is charged, with what the other tables say of it.
    pub(super) fn tariff(
        self,
        file_plans: Vec<FilePlan>,
        file_rates: Vec<FileRate>,
    ) -> Result<Tariff, String> {
        let is_code =
            self.currency.len() == 3 && self.currency.bytes().all(|b| b.is_ascii_uppercase());
        if !is_code {
            return Err(format!(
                "credits: currency {:?} must be three upper-case letters, such as EUR",
                self.currency
            ));
        }
        let low: Millicents =
            amount("low", &self.low).map_err(|problem| format!("credits: {problem}"))?;
        Ok(Tariff {
            currency: self.currency,
            plans: plans(file_plans)?,
            rates: rates(file_rates)?,
            low_mc: low.units(),
        })
    }
}

impl FileAgents {
    pub(super) fn checked(self) -> Result<AgentPolicy, String> {
        /// 10 million of the currency: sums stay far below what an integer holds.
        const TRIAL_MC_MAX: i64 = 1_000_000_000_000;
        /// A leap year.
        const TRIAL_DAYS_MAX: u32 = 366;
        name("default_agent", &self.default_agent)?;
        if !(0..=TRIAL_MC_MAX).contains(&self.trial_millicents) {
            return Err(format!(
                "agents: trial_millicents must be from 0 to {TRIAL_MC_MAX}, not {}",
                self.trial_millicents
            ));
        }
        if !(1..=TRIAL_DAYS_MAX).contains(&self.trial_days) {
            return Err(format!(
                "agents: trial_days must be from 1 to {TRIAL_DAYS_MAX}, not {}",
                self.trial_days
            ));
        }
        let mut referrals: Vec<Referral> = Vec::new();
        for FileReferral { code, agent } in self.referrals {
            if !(1..=64).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(format!(
                    "agents.referrals: code {code:?} must be 1 to 64 visible ASCII characters"
                ));
            }
            if referrals.iter().any(|known| known.code == code) {
                return Err(format!("agents.referrals: code {code:?} stands twice"));
            }
            name("referrals: agent", &agent)?;
            referrals.push(Referral { code, agent });
        }
        Ok(AgentPolicy {
            default_agent: self.default_agent,
            referrals,
            trial_mc: self.trial_millicents,
            trial_days: self.trial_days,
        })
    }
}

fn name(setting: &str, name: &str) -> Result<(), String> {
    let has_length = (1..=100).contains(&name.chars().count());
    if has_length && name.trim() == name && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(format!(
            "agents: {setting} {name:?} must be 1 to 100 characters, without white space at its ends"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(text: &str) -> Result<AgentPolicy, String> {
        toml::from_str::<FileAgents>(text).unwrap().checked()
    }

    #[test]
    fn what_agents_cannot_be_given_is_named() {
        let code = |code: &str| format!("[[referrals]]\ncode = {code:?}\nagent = \"a\"\n");
        for (text, problem) in [
            (
                "default_agent = ''".to_owned(),
                "agents: default_agent \"\" must be 1 to 100 characters, without white space at its ends",
            ),
            (
                "trial_millicents = -1".to_owned(),
                "agents: trial_millicents must be from 0 to 1000000000000, not -1",
            ),
            (
                "trial_days = 0".to_owned(),
                "agents: trial_days must be from 1 to 366, not 0",
            ),
            (
                "trial_days = 367".to_owned(),
                "agents: trial_days must be from 1 to 366, not 367",
            ),
            (
                code(""),
                "agents.referrals: code \"\" must be 1 to 64 visible ASCII characters",
            ),
            (
                code("a b"),
                "agents.referrals: code \"a b\" must be 1 to 64 visible ASCII characters",
            ),
            (
                code("0345") + &code("0345"),
                "agents.referrals: code \"0345\" stands twice",
            ),
            (
                "[[referrals]]\ncode = 'c'\nagent = ' a'".to_owned(),
                "agents: referrals: agent \" a\" must be 1 to 100 characters, without white space at its ends",
            ),
        ] {
            assert_eq!(agents(&text).unwrap_err(), problem);
        }
        assert!(agents(&code(&"c".repeat(65))).is_err());
        let policy = agents(&(code(&"c".repeat(64)) + &code("C"))).unwrap();
        assert_eq!(policy.referrals.len(), 2);
        assert_eq!((policy.trial_mc, policy.trial_days), (500_000, 7));
    }

    #[test]
    fn a_currency_has_three_letters() {
        for (text, is_good) in [
            ("EUR", true),
            ("CNY", true),
            ("eur", false),
            ("EURO", false),
            ("", false),
            ("\u{20ac}", false),
        ] {
            let file = FileCredits {
                currency: text.to_owned(),
                ..FileCredits::default()
            };
            assert_eq!(
                file.tariff(Vec::new(), Vec::new()).is_ok(),
                is_good,
                "{text}"
            );
        }
    }
}
