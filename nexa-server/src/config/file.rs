//! The configuration file as it is written, and the rules of its tables.

use std::num::NonZeroU32;
use std::path::PathBuf;

use nexa_core::{Requirement, Scope, ScopeSet};
use serde::Deserialize;

use super::LogFormat;
use super::agents::{FileAgents, FileCredits};
use super::apps::FileApp;
use super::leaks::FileLeaks;
use super::mail::FileMail;
use super::models::FileModel;
use super::mollie::FileMollie;
use super::object_store::ObjectStoreSettings;
use super::plans::FilePlan;
use super::rates::FileRate;
use super::trusted_issuers::FileTrustedIssuer;
use super::webhooks::FileWebhooks;
use crate::domain::keys::{Environments, KeyPolicy};
use crate::domain::rules::{Demand, Rule};
use crate::gate::limit::Allowances;
use crate::http::Limits;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) data: Option<PathBuf>,
    pub(super) log: Option<String>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) metrics_listen: Option<String>,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<String>,
    #[serde(default)]
    pub(super) cors_origins: Vec<String>,
    #[serde(default)]
    pub(super) limits: FileLimits,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    #[serde(default)]
    pub(super) roles: FileRoles,
    #[serde(default)]
    pub(super) credits: FileCredits,
    #[serde(default)]
    pub(super) agents: FileAgents,
    #[serde(default)]
    pub(super) mail: FileMail,
    #[serde(default)]
    pub(super) mollie: FileMollie,
    #[serde(default)]
    pub(super) webhooks: FileWebhooks,
    #[serde(default)]
    pub(super) licenses: FileLicenses,
    #[serde(default)]
    pub(super) apps: Vec<FileApp>,
    #[serde(default)]
    pub(super) plans: Vec<FilePlan>,
    #[serde(default)]
    pub(super) rates: Vec<FileRate>,
    #[serde(default)]
    pub(super) object_store: ObjectStoreSettings,
    #[serde(default)]
    pub(super) models: Vec<FileModel>,
    #[serde(default)]
    pub(super) rules: Vec<FileRule>,
    #[serde(default)]
    pub(super) trusted_issuers: Vec<FileTrustedIssuer>,
    #[serde(default)]
    pub(super) leaks: FileLeaks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileLimits {
    login_per_address_an_hour: NonZeroU32,
    login_per_account_an_hour: NonZeroU32,
    register_per_address_an_hour: NonZeroU32,
    mail_per_address_an_hour: NonZeroU32,
    mail_per_account_an_hour: NonZeroU32,
    invite_per_tenant_an_hour: NonZeroU32,
    mailed_token_per_address_an_hour: NonZeroU32,
    usage_report_per_address_a_minute: NonZeroU32,
    download_per_address_a_minute: NonZeroU32,
    status_per_address_a_minute: NonZeroU32,
    payment_per_tenant_an_hour: NonZeroU32,
    webhook_per_address_a_minute: NonZeroU32,
    leak_report_per_address_a_minute: NonZeroU32,
    resend_per_tenant_an_hour: NonZeroU32,
    pub(super) connections: usize,
    pub(super) websockets: usize,
    pub(super) websockets_per_tenant: usize,
    pub(super) body_bytes: usize,
    pub(super) cached_keys: usize,
}

impl Default for FileLimits {
    fn default() -> Self {
        const fn calls(calls: u32) -> NonZeroU32 {
            NonZeroU32::new(calls).expect("a limit of at least one call")
        }
        Self {
            login_per_address_an_hour: const { calls(30) },
            login_per_account_an_hour: const { calls(10) },
            register_per_address_an_hour: const { calls(20) },
            mail_per_address_an_hour: const { calls(30) },
            mail_per_account_an_hour: const { calls(5) },
            invite_per_tenant_an_hour: const { calls(50) },
            mailed_token_per_address_an_hour: const { calls(20) },
            usage_report_per_address_a_minute: const { calls(600) },
            download_per_address_a_minute: const { calls(30) },
            status_per_address_a_minute: const { calls(600) },
            payment_per_tenant_an_hour: const { calls(60) },
            webhook_per_address_a_minute: const { calls(600) },
            leak_report_per_address_a_minute: const { calls(60) },
            resend_per_tenant_an_hour: const { calls(100) },
            connections: Limits::default().connections,
            websockets: Limits::default().websockets,
            websockets_per_tenant: 100,
            body_bytes: 64 * 1024,
            cached_keys: 100_000,
        }
    }
}

impl FileLimits {
    /// What fits into an address space and into the counters of the layers below, with room to spare.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, least, most) in [
            ("connections", self.connections, 1, 1_000_000),
            ("websockets", self.websockets, 1, 1_000_000),
            (
                "websockets_per_tenant",
                self.websockets_per_tenant,
                1,
                1_000_000,
            ),
            ("body_bytes", self.body_bytes, 1_024, 16 * 1024 * 1024),
            ("cached_keys", self.cached_keys, 1, 10_000_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "limits: {name} must be from {least} to {most}, not {value}"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn allowances(&self) -> Allowances {
        Allowances {
            login_per_address_an_hour: self.login_per_address_an_hour,
            login_per_account_an_hour: self.login_per_account_an_hour,
            register_per_address_an_hour: self.register_per_address_an_hour,
            mail_per_address_an_hour: self.mail_per_address_an_hour,
            mail_per_account_an_hour: self.mail_per_account_an_hour,
            invite_per_tenant_an_hour: self.invite_per_tenant_an_hour,
            mailed_token_per_address_an_hour: self.mailed_token_per_address_an_hour,
            usage_report_per_address_a_minute: self.usage_report_per_address_a_minute,
            download_per_address_a_minute: self.download_per_address_a_minute,
            status_per_address_a_minute: self.status_per_address_a_minute,
            payment_per_tenant_an_hour: self.payment_per_tenant_an_hour,
            webhook_per_address_a_minute: self.webhook_per_address_a_minute,
            leak_report_per_address_a_minute: self.leak_report_per_address_a_minute,
            resend_per_tenant_an_hour: self.resend_per_tenant_an_hour,
        }
    }
}

/// What holds for licences of all apps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileLicenses {
    status_refresh_minutes: u32,
}

impl Default for FileLicenses {
    fn default() -> Self {
        Self {
            status_refresh_minutes: 60,
        }
    }
}

impl FileLicenses {
    pub(super) fn status_refresh_s(&self) -> Result<u64, String> {
        match self.status_refresh_minutes {
            minutes @ 1..=1_440 => Ok(u64::from(minutes) * 60),
            minutes => Err(format!(
                "licenses: status_refresh_minutes must be from 1 to 1440, not {minutes}"
            )),
        }
    }
}

/// What keys may do at most, by the role of their owner.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileRoles {
    owner: Vec<String>,
    admin: Vec<String>,
    member: Vec<String>,
}

impl Default for FileRoles {
    fn default() -> Self {
        let all = || vec![Scope::full_access().as_str().to_owned()];
        Self {
            owner: all(),
            admin: all(),
            member: all(),
        }
    }
}

impl FileRoles {
    pub(super) fn policy(&self, scopes: &[String]) -> Result<KeyPolicy, String> {
        let parse = |name: &str, scopes: &[String]| {
            ScopeSet::parse(scopes.iter().map(String::as_str))
                .map_err(|error| format!("{name}: {error}"))
        };
        let known = parse("scopes", scopes)?;
        let ceiling = |name: &str, scopes: &[String]| {
            let ceiling = parse(&format!("roles: {name}"), scopes)?;
            match ceiling
                .iter()
                .find(|scope| !scope.is_full_access() && !known.contains(scope))
            {
                Some(scope) => Err(format!("roles: {name}: {scope} is not listed under scopes")),
                None => Ok(ceiling),
            }
        };
        Ok(KeyPolicy {
            owner: ceiling("owner", &self.owner)?,
            admin: ceiling("admin", &self.admin)?,
            member: ceiling("member", &self.member)?,
            known,
        })
    }
}

/// The environment whose keys a rule takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileEnvironment {
    Live,
    Test,
    Any,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRule {
    path: String,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    public: bool,
    #[serde(default)]
    any_key: bool,
    #[serde(default)]
    all_scopes: Vec<String>,
    #[serde(default)]
    any_scope: Vec<String>,
    environment: Option<FileEnvironment>,
}

impl FileRule {
    pub(super) fn checked(self, known: &ScopeSet) -> Result<Rule, String> {
        let refuse = |problem: &str| format!("rules: path {:?}: {problem}", self.path);
        let parse = |names: &[String]| -> Result<Vec<Requirement>, String> {
            names
                .iter()
                .map(|name| {
                    let scope = Scope::parse(name).map_err(|error| refuse(&error.to_string()))?;
                    if scope.is_full_access() || known.contains(&scope) {
                        Ok(Requirement::Scope(scope))
                    } else {
                        Err(refuse(&format!(
                            "scope {name:?} is not listed under scopes"
                        )))
                    }
                })
                .collect()
        };
        let demands = [
            self.public,
            self.any_key,
            !self.all_scopes.is_empty(),
            !self.any_scope.is_empty(),
        ];
        if demands.iter().filter(|is_set| **is_set).count() != 1 {
            return Err(refuse(
                "say exactly one of public, any_key, all_scopes, any_scope",
            ));
        }
        if let Some(method) = self
            .methods
            .iter()
            .find(|m| m.is_empty() || !m.bytes().all(|b| b.is_ascii_uppercase()))
        {
            return Err(refuse(&format!("method {method:?} must be in upper case")));
        }
        if self.public && self.environment.is_some() {
            return Err(refuse("environment needs a rule that asks for a key"));
        }
        let environments = match self.environment {
            None | Some(FileEnvironment::Live) => Environments::Live,
            Some(FileEnvironment::Test) => Environments::Test,
            Some(FileEnvironment::Any) => Environments::Any,
        };
        let requirement = if self.any_key {
            Requirement::AnyKey
        } else if self.any_scope.is_empty() {
            Requirement::All(parse(&self.all_scopes)?)
        } else {
            Requirement::Any(parse(&self.any_scope)?)
        };
        let demand = match self.public {
            true => Demand::Public,
            false => Demand::Key {
                requirement,
                environments,
            },
        };
        Ok(Rule {
            methods: self.methods,
            path: self.path,
            demand,
        })
    }
}
