//! `nexa credits show|grant`: what tenants of a running server may spend.

use clap::{Args, Subcommand};
use nexa_core::uuid_v7;
use serde_json::{Value, json};
use ureq::http::Method;

use super::exit::{Exit, Failure};
use super::output::{print_json, print_line, remark, shown};
use super::running_server::RunningServer;
use super::tenants::{PATH, escaped, text};
use crate::domain::money::shown_millicents;
use crate::serve::{now, rng};

/// How many entries of the ledger are shown.
const ENTRIES: usize = 20;

#[derive(Args)]
pub(super) struct Credits {
    #[command(subcommand)]
    command: CreditsCommand,
}

#[derive(Subcommand)]
enum CreditsCommand {
    /// Show what a tenant may spend, and the newest entries of its ledger, one a line: time, cause, change, and balance after
    /// it, with tabs between them.
    Show(Show),
    /// Grant a tenant credits that stay until they are spent.
    Grant(Grant),
}

#[derive(Args)]
struct Show {
    /// The id of the tenant.
    tenant: String,
    /// One JSON object instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: RunningServer,
}

#[derive(Args)]
struct Grant {
    /// The id of the tenant.
    tenant: String,
    /// In the currency of the server, such as 12.50.
    amount: String,
    /// Such as the number of an invoice: what is granted to a tenant under one reference is granted once.
    #[arg(long)]
    reference: Option<String>,
    /// One JSON object instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: RunningServer,
}

impl Credits {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            CreditsCommand::Show(show) => show.run()?,
            CreditsCommand::Grant(grant) => grant.run()?,
        }
        Ok(Exit::Success)
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let path = path(&self.tenant);
        let (mut credits, mut lines) = self.server.tell(Method::GET, &path, None, |body| {
            Some((body.as_object()?.clone(), balances(body)?))
        })?;
        let currency = credits.get("currency").and_then(Value::as_str);
        let currency = currency.unwrap_or_default().to_owned();
        let newest = format!("{path}/transactions?limit={ENTRIES}");
        let (entries, ledger) = self.server.tell(Method::GET, &newest, None, |body| {
            let entries = body.as_array()?.iter();
            let lines: Option<Vec<String>> =
                entries.map(|entry| entry_line(entry, &currency)).collect();
            Some((body.clone(), lines?))
        })?;
        if self.json {
            credits.insert("entries".to_owned(), entries);
            return print_json(&Value::Object(credits));
        }
        lines.extend(ledger);
        lines.iter().try_for_each(|line| print_line(line))
    }
}

impl Grant {
    /// A reference that nobody has named is drawn here and said before anything is sent: so a call whose answer was lost can be
    /// made again.
    fn run(self) -> Result<(), Failure> {
        let reference = self.reference.unwrap_or_else(|| {
            let drawn = uuid_v7(now().unsigned_ms(), &mut rng());
            remark(&format!("nexa: granting under --reference {drawn}"));
            drawn
        });
        let body = json!({ "amount": self.amount, "reference": reference });
        let path = path(&self.tenant);
        let (granted, line) = self
            .server
            .tell(Method::POST, &path, Some(&body), |granted| {
                Some((granted.clone(), said(granted)?))
            })?;
        match self.json {
            true => print_json(&granted),
            false => print_line(&line),
        }
    }
}

fn path(tenant: &str) -> String {
    format!("{PATH}/{}/credits", escaped(tenant))
}

/// What has come of a grant.
fn said(granted: &Value) -> Option<String> {
    let currency = text(granted, "currency")?;
    let reference = shown(&text(granted, "reference")?);
    let total = amount(granted.get("balance")?, "totalMillicents", &currency)?;
    let begun = match granted.get("granted")?.as_bool()? {
        true => "granted",
        false => "granted before",
    };
    Some(format!("{begun}, reference {reference}; now {total}"))
}

/// The plan and the balances, a line for each.
fn balances(credits: &Value) -> Option<Vec<String>> {
    let currency = text(credits, "currency")?;
    let monthly = amount(credits, "monthlyMillicents", &currency)?;
    let until = text(credits, "monthlyResetsAt").map(|at| format!(" until {}", shown(&at)));
    let mut lines = Vec::new();
    if let Some(plan) = text(credits, "plan") {
        lines.push(format!("plan: {}", shown(&plan)));
    }
    lines.push(format!("monthly: {monthly}{}", until.unwrap_or_default()));
    for (name, member) in [("topup", "topupMillicents"), ("total", "totalMillicents")] {
        lines.push(format!("{name}: {}", amount(credits, member, &currency)?));
    }
    Some(lines)
}

/// An entry of the ledger as one line.
fn entry_line(entry: &Value, currency: &str) -> Option<String> {
    let sum = |monthly: &str, topup: &str| {
        let sum = millicents(entry, monthly)?.checked_add(millicents(entry, topup)?)?;
        Some(shown_millicents(sum, currency))
    };
    let columns = [
        text(entry, "at")?,
        text(entry, "cause")?,
        sum("monthlyMillicents", "topupMillicents")?,
        sum("monthlyAfterMillicents", "topupAfterMillicents")?,
    ];
    Some(columns.map(|column| shown(&column)).join("\t"))
}

fn amount(value: &Value, name: &str, currency: &str) -> Option<String> {
    Some(shown(&shown_millicents(millicents(value, name)?, currency)))
}

fn millicents(value: &Value, name: &str) -> Option<i64> {
    value.get(name)?.as_i64()
}
