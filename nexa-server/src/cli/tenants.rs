//! `nexa tenants list|show|disable|enable`: the operator's customers on a running server.

use clap::{Args, Subcommand};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use ureq::http::Method;

use super::exit::{Exit, Failure};
use super::output::{print_json, print_line, shown};
use super::running_server::RunningServer;

pub(super) const PATH: &str = "/api/operator/tenants";

/// What needs no escape in a path or a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

#[derive(Args)]
pub(super) struct Tenants {
    #[command(subcommand)]
    command: TenantsCommand,
}

#[derive(Subcommand)]
enum TenantsCommand {
    /// List tenants, newest first, one a line: id, kind, state, when it was made, plan or -, and name, with tabs between
    /// them.
    List(List),
    /// Show one tenant and its owners.
    Show(One),
    /// Disable a tenant: every session and token ends, its licences are revoked, its subscription and auto-recharge end, also
    /// what is paid, and the payment provider forgets it, for good; its keys stop until it is enabled again.
    Disable(One),
    /// Enable a tenant: its keys work again, and nothing else of what has ended.
    Enable(One),
}

#[derive(Args)]
struct List {
    /// Only the tenant whose user has this address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// One JSON array instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: RunningServer,
}

#[derive(Args)]
struct One {
    /// Its id.
    id: String,
    /// One JSON object instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: RunningServer,
}

impl Tenants {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            TenantsCommand::List(list) => list.run()?,
            TenantsCommand::Show(one) => one.show()?,
            TenantsCommand::Disable(one) => one.enable(false)?,
            TenantsCommand::Enable(one) => one.enable(true)?,
        }
        Ok(Exit::Success)
    }
}

impl List {
    /// Page by page, each line as soon as it is known.
    fn run(self) -> Result<(), Failure> {
        const LIMIT: usize = 500;
        let mut path = format!("{PATH}?limit={LIMIT}");
        if let Some(email) = &self.email {
            path.push_str(&format!("&email={}", escaped(email)));
        }
        let mut all = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let before = last.as_deref().map(escaped);
            let before = before.map_or(String::new(), |id| format!("&before={id}"));
            let page = format!("{path}{before}");
            let (tenants, lines) = self.server.tell(Method::GET, &page, None, |body| {
                let tenants = body.as_array()?;
                let lines: Option<Vec<String>> = tenants.iter().map(line).collect();
                Some((tenants.clone(), lines?))
            })?;
            let is_last = tenants.len() < LIMIT;
            last = tenants.last().and_then(|tenant| text(tenant, "id"));
            match self.json {
                true => all.extend(tenants),
                false => lines.iter().try_for_each(|line| print_line(line))?,
            }
            if is_last {
                break;
            }
        }
        match self.json {
            true => print_json(&Value::Array(all)),
            false => Ok(()),
        }
    }
}

impl One {
    fn path(&self) -> String {
        format!("{PATH}/{}", escaped(&self.id))
    }

    fn show(self) -> Result<(), Failure> {
        let (tenant, lines) = self.server.tell(Method::GET, &self.path(), None, |body| {
            Some((body.clone(), described(body)?))
        })?;
        match self.json {
            true => print_json(&tenant),
            false => lines.iter().try_for_each(|line| print_line(line)),
        }
    }

    fn enable(self, is_enabled: bool) -> Result<(), Failure> {
        let body = json!({ "enabled": is_enabled });
        let path = self.path();
        let (tenant, line) = self
            .server
            .tell(Method::PATCH, &path, Some(&body), |tenant| {
                let line = format!("{} {}", shown(&text(tenant, "id")?), state(tenant)?);
                Some((tenant.clone(), line))
            })?;
        match self.json {
            true => print_json(&tenant),
            false => print_line(&line),
        }
    }
}

pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A tenant as one line. Its name comes last; a tab in it, or in a plan, is escaped.
fn line(tenant: &Value) -> Option<String> {
    let columns = [
        text(tenant, "id")?,
        text(tenant, "kind")?,
        state(tenant)?.to_owned(),
        text(tenant, "createdAt")?,
        text(tenant, "plan").unwrap_or_else(|| "-".to_owned()),
        text(tenant, "name")?,
    ];
    Some(columns.map(|column| shown(&column)).join("\t"))
}

/// A tenant as a line for each of what it is.
fn described(tenant: &Value) -> Option<Vec<String>> {
    let mut lines = vec![
        format!("id: {}", shown(&text(tenant, "id")?)),
        format!("name: {}", shown(&text(tenant, "name")?)),
        format!("kind: {}", shown(&text(tenant, "kind")?)),
        format!("state: {}", state(tenant)?),
    ];
    if let Some(plan) = text(tenant, "plan") {
        lines.push(format!("plan: {}", shown(&plan)));
    }
    lines.extend(subscription(tenant.get("subscription")?)?);
    lines.push(format!("made: {}", shown(&text(tenant, "createdAt")?)));
    lines.push(format!("users: {}", tenant.get("users")?.as_i64()?));
    for owner in tenant.get("owners")?.as_array()? {
        let mut line = format!("owner: {}", shown(&text(owner, "id")?));
        if let Some(email) = text(owner, "email") {
            line.push_str(&format!(" {}", shown(&email)));
        }
        if state(owner)? == DISABLED {
            line.push_str(&format!(" {DISABLED}"));
        }
        lines.push(line);
    }
    Some(lines)
}

/// What a tenant pays for, if it does.
fn subscription(paid: &Value) -> Option<Option<String>> {
    let status = text(paid, "status")?;
    if status == "none" {
        return Some(None);
    }
    let (plan, until) = (text(paid, "planId")?, text(paid, "paidUntil")?);
    let [plan, status, until] = [plan, status, until].map(|column| shown(&column));
    Some(Some(format!(
        "subscription: {plan}, {status}, paid until {until}"
    )))
}

pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

const DISABLED: &str = "disabled";

fn state(value: &Value) -> Option<&'static str> {
    match value.get("enabled")?.as_bool()? {
        true => Some("enabled"),
        false => Some(DISABLED),
    }
}
