//! Settings: flag, environment, file, default, in that order.

mod agents;
mod apps;
mod file;
mod handles;
mod leaks;
mod mail;
mod models;
mod mollie;
mod object_store;
mod plans;
mod rates;
mod trusted_issuers;
mod webhooks;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::domain::agents::AgentPolicy;
use crate::domain::apps::App;
use crate::domain::keys::KeyPolicy;
use crate::domain::leaks::ReportKey;
use crate::domain::models::Model;
use crate::domain::rules::{Rule, ScopeRules};
use crate::domain::tariff::Tariff;
use crate::domain::trust::TrustedIssuer;
use crate::gate::address;
use crate::gate::limit::Allowances;
use crate::http::Limits;
use crate::outbound::jwks::Source;
use crate::outbound::mail::MailSettings;
use crate::outbound::object_store::ObjectStore;
use crate::outbound::payments::MollieSettings;
use crate::outbound::webhooks::AllowedHosts;
use apps::apps;
use file::File;
use models::models;
use trusted_issuers::trusted_issuers;

pub use object_store::ObjectStoreSettings;

/// The sample configuration: what a server without a configuration file runs on.
pub const SAMPLE: &str = include_str!("../../../examples/nexa.toml");

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything a server is told before it starts, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// The URL clients reach this server by: the issuer of every token. `None`: `http://` and the address.
    pub public_url: Option<String>,
    /// The data folder.
    pub data: PathBuf,
    /// How much the program is to log.
    pub log: tracing::Level,
    /// How the program is to log.
    pub log_format: LogFormat,
    /// Where Prometheus asks for metrics; port 0 picks one. `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) allowances: Allowances,
    pub(crate) http: Limits,
    pub(crate) body_bytes: usize,
    pub(crate) cached_keys: usize,
    /// Of one tenant, at once.
    pub(crate) websockets_per_tenant: usize,
    pub(crate) key_policy: KeyPolicy,
    pub(crate) apps: Vec<App>,
    /// How often what is told of revocations is signed anew.
    pub(crate) status_refresh_s: u64,
    pub(crate) agents: AgentPolicy,
    pub(crate) tariff: Tariff,
    pub(crate) object_store: Option<ObjectStore>,
    pub(crate) models: Vec<Model>,
    pub(crate) mail: MailSettings,
    /// Where webhooks may go beside the public internet.
    pub(crate) webhook_hosts: AllowedHosts,
    /// `None`: no money is taken.
    pub(crate) payments: Option<MollieSettings>,
    pub(crate) rules: Vec<Rule>,
    /// Each with the place of its keys.
    pub(crate) trusted_issuers: Vec<(TrustedIssuer, Source)>,
    pub(crate) leak_report_keys: Vec<ReportKey>,
}

/// Settings that flags and the environment put before the file's.
#[derive(Default)]
pub struct Overrides {
    /// See [`Config::listen`].
    pub listen: Option<SocketAddr>,
    /// See [`Config::public_url`].
    pub public_url: Option<String>,
    /// See [`Config::data`].
    pub data: Option<PathBuf>,
    /// See [`Config::log`].
    pub log: Option<tracing::Level>,
    /// See [`Config::log_format`].
    pub log_format: Option<LogFormat>,
    /// See [`Config::metrics_listen`].
    pub metrics_listen: Option<SocketAddr>,
    /// Where mails go: `smtp://…`, `smtps://…`, `file:DIR` or `log:`. It may hold a password.
    pub mail_url: Option<String>,
    /// Where downloads lie; it may hold a secret.
    pub object_store: ObjectStoreSettings,
    /// The key of Mollie's API, a secret.
    pub mollie_api_key: Option<String>,
    /// Where Mollie's API is.
    pub mollie_api_url: Option<String>,
}

/// Without the mail URL, which may hold a password, the object store and the key of Mollie's API.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("data", &self.data)
            .field("log", &self.log)
            .field("log_format", &self.log_format)
            .field("metrics_listen", &self.metrics_listen)
            .field("mollie_api_url", &self.mollie_api_url)
            .finish_non_exhaustive()
    }
}

/// Why a configuration cannot be used; names the setting and the rule.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct ConfigError {
    origin: String,
    problem: String,
}

impl Config {
    /// Reads the file, or the sample when none is named, and puts the overrides first.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, an unknown setting, or a value that breaks its rule.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        match file {
            None => {
                // The sample names a URL to show how; who names no file has not chosen it.
                let public_url = overrides.public_url.clone();
                let sample = Self::parse("the sample configuration", SAMPLE, overrides)?;
                let public_url = sample.public_url.filter(|_| public_url.is_some());
                Ok(Self {
                    public_url,
                    ..sample
                })
            }
            Some(path) => {
                let origin = path.display().to_string();
                let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
                    origin: origin.clone(),
                    problem: error.to_string(),
                })?;
                Self::parse(&origin, &text, overrides)
            }
        }
    }

    /// As [`Config::load`], out of text in the format of the file ([`SAMPLE`] shows all of it): for a program that keeps its
    /// settings elsewhere.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown setting or a value that breaks its rule.
    pub fn from_toml(text: &str, overrides: Overrides) -> Result<Self, ConfigError> {
        Self::parse("the configuration", text, overrides)
    }

    fn parse(origin: &str, text: &str, overrides: Overrides) -> Result<Self, ConfigError> {
        let refuse = |problem: String| ConfigError {
            origin: origin.to_owned(),
            problem,
        };
        let file: File = toml::from_str(text).map_err(|error| refuse(syntax(text, &error)))?;
        file.limits.check().map_err(refuse)?;
        let listen = match (overrides.listen, file.listen) {
            (Some(listen), _) => listen,
            (None, Some(text)) => address("listen", &text).map_err(refuse)?,
            (None, None) => SocketAddr::from(([127, 0, 0, 1], 8080)),
        };
        let public_url = overrides
            .public_url
            .or(file.public_url)
            .map(|url| public_url(&url))
            .transpose()
            .map_err(refuse)?;
        // What is tried here is built once more when the port is known.
        let links_begin = public_url
            .clone()
            .unwrap_or_else(|| format!("http://{listen}"));
        let mail_url = overrides.mail_url.as_deref();
        let tariff = file
            .credits
            .tariff(file.plans, file.rates)
            .map_err(refuse)?;
        let config = Self {
            listen,
            public_url,
            log: log_level(overrides.log, file.log.as_deref()).map_err(refuse)?,
            log_format: overrides.log_format.or(file.log_format).unwrap_or_default(),
            metrics_listen: match (overrides.metrics_listen, file.metrics_listen) {
                (Some(address), _) => Some(address),
                (None, Some(text)) => Some(address("metrics_listen", &text).map_err(refuse)?),
                (None, None) => None,
            },
            data: data_folder(overrides.data.or(file.data)).map_err(refuse)?,
            trusted_proxies: (file.trusted_proxies.iter())
                .map(|text| address::trusted(text))
                .collect::<Result<_, _>>()
                .map_err(|problem| refuse(format!("trusted_proxies: {problem}")))?,
            cors_origins: file
                .cors_origins
                .iter()
                .map(|origin| cors_origin(origin))
                .collect::<Result<_, _>>()
                .map_err(refuse)?,
            allowances: file.limits.allowances(),
            http: Limits {
                connections: file.limits.connections,
                websockets: file.limits.websockets,
                other_handles: handles::OTHERS,
                ..Limits::default()
            },
            body_bytes: file.limits.body_bytes,
            cached_keys: file.limits.cached_keys,
            websockets_per_tenant: file.limits.websockets_per_tenant,
            key_policy: file.roles.policy(&file.scopes).map_err(refuse)?,
            apps: apps(file.apps, &links_begin).map_err(refuse)?,
            status_refresh_s: file.licenses.status_refresh_s().map_err(refuse)?,
            agents: file.agents.checked().map_err(refuse)?,
            object_store: (file.object_store.checked(overrides.object_store)).map_err(refuse)?,
            models: models(file.models).map_err(refuse)?,
            payments: (file.mollie)
                .checked(
                    overrides.mollie_api_key,
                    overrides.mollie_api_url,
                    &tariff.currency,
                )
                .map_err(refuse)?,
            tariff,
            webhook_hosts: file.webhooks.checked().map_err(refuse)?,
            mail: file.mail.checked(mail_url, &links_begin).map_err(refuse)?,
            rules: Vec::new(),
            trusted_issuers: Vec::new(),
            leak_report_keys: file.leaks.checked().map_err(refuse)?,
        };
        let rules = file
            .rules
            .into_iter()
            .map(|rule| rule.checked(&config.key_policy.known))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refuse)?;
        ScopeRules::new(rules.clone()).map_err(|error| refuse(error.to_string()))?;
        let trusted_issuers =
            trusted_issuers(file.trusted_issuers, &config.key_policy).map_err(refuse)?;
        Ok(Self {
            rules,
            trusted_issuers,
            ..config
        })
    }
}

/// What is wrong, in which line and under which key; not the line itself, which may hold a password.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    let number = before.split('\n').count();
    let line = text.split('\n').nth(number - 1).unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim());
    let is_bare = |key: &&str| {
        key.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    match key.filter(is_bare) {
        Some(key) => format!("line {number}: {key}: {}", error.message()),
        None => format!("line {number}: {}", error.message()),
    }
}

fn address(name: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("{name}: {text:?} is not ADDRESS:PORT"))
}

fn data_folder(given: Option<PathBuf>) -> Result<PathBuf, String> {
    match given {
        None => Ok(PathBuf::from("./nexa-data")),
        Some(folder) if folder.as_os_str().is_empty() => {
            Err("data: must name a folder, and is empty".to_owned())
        }
        Some(folder) => Ok(folder),
    }
}

/// An http or https URL without query, fragment and trailing slash: it is compared byte for byte as `iss`.
fn public_url(url: &str) -> Result<String, String> {
    match nexa_core::check_issuer(url) {
        Ok(()) => Ok(url.to_owned()),
        Err(error) => Err(format!("public_url: {url:?}: {error}")),
    }
}

fn log_level(first: Option<tracing::Level>, file: Option<&str>) -> Result<tracing::Level, String> {
    match (first, file) {
        (Some(level), _) => Ok(level),
        (None, None) => Ok(tracing::Level::INFO),
        (None, Some(text)) => text
            .parse()
            .map_err(|_| format!("log: {text:?} is not one of error, warn, info, debug, trace")),
    }
}

/// Scheme, host, port.
fn cors_origin(origin: &str) -> Result<String, String> {
    let (rest, default_port) = match origin.strip_prefix("https://") {
        Some(rest) => (rest, ":443"),
        None => (origin.strip_prefix("http://").unwrap_or_default(), ":80"),
    };
    // As browsers write it (RFC 6454 §6.2): anything else could never match.
    let is_written_so = |b: u8| {
        b.is_ascii_lowercase()
            || b.is_ascii_digit()
            || matches!(b, b'.' | b'-' | b':' | b'[' | b']')
    };
    if rest.is_empty() || rest.ends_with(default_port) || !rest.bytes().all(is_written_so) {
        let rule = "must be an origin as browsers write it, such as https://app.example.com";
        return Err(format!("cors_origins: {origin:?} {rule}"));
    }
    Ok(origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("here", text, Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_limit_that_cannot_be_served_is_named() {
        for (name, least, most) in [
            ("connections", 1_usize, 1_000_000_usize),
            ("websockets", 1, 1_000_000),
            ("websockets_per_tenant", 1, 1_000_000),
            ("body_bytes", 1_024, 16 << 20),
            ("cached_keys", 1, 10_000_000),
        ] {
            let with = |value: usize| parse(&format!("[limits]\n{name} = {value}\n"));
            for value in [least, most] {
                assert!(with(value).is_ok(), "{name} = {value}");
            }
            for value in [0, least - 1, most + 1, i64::MAX as usize] {
                let expected =
                    format!("here: limits: {name} must be from {least} to {most}, not {value}");
                assert_eq!(with(value).unwrap_err(), expected);
            }
        }
    }

    #[test]
    fn a_fault_of_syntax_is_placed_and_its_line_not_shown() {
        for (text, problem) in [
            (
                "\n[mail]\nurl = \"smtp://me:secret@mx\n",
                "here: line 3: url: invalid basic string, expected `\"`",
            ),
            (
                "[mail]\nurl = \"smtp://me:secret@mx\" from = \"a@b.example\"",
                "here: line 2: url: unexpected key or value, expected newline, `#`",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), problem);
        }
        let unknown = parse("\nlisten_on = \"x\"").unwrap_err();
        assert!(
            unknown.starts_with("here: line 2: listen_on: unknown field `listen_on`"),
            "{unknown}"
        );
    }

    #[test]
    fn the_data_folder_has_a_name() {
        let refused = "here: data: must name a folder, and is empty";
        assert_eq!(parse("data = \"\"").unwrap_err(), refused);
        let flag = Overrides {
            data: Some(PathBuf::new()),
            ..Overrides::default()
        };
        let error = Config::parse("here", "data = \"d\"", flag).unwrap_err();
        assert_eq!(error.to_string(), refused);
        assert_eq!(parse("data = \"d\"").unwrap().data, Path::new("d"));
        assert_eq!(parse("").unwrap().data, Path::new("./nexa-data"));
    }
}
