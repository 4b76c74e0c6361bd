//! Settings: flag, environment, file, default, in that order.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use nexa_core::{Requirement, Scope, ScopeSet};
use serde::Deserialize;

use crate::domain::apps::{App, TtlDays};
use crate::domain::rules::{Demand, Rule, ScopeRules};
use crate::gate::limit::Allowances;
use crate::http::Limits;

/// The sample configuration: what a server without a configuration file runs on.
pub const SAMPLE: &str = include_str!("../../examples/nexa.toml");

/// Everything a server is told before it starts, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// The URL clients reach this server by: the issuer of every token. `None`: `http://` and the address.
    pub public_url: Option<String>,
    /// The data folder.
    pub data: PathBuf,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) allowances: Allowances,
    pub(crate) http: Limits,
    pub(crate) body_bytes: usize,
    pub(crate) cached_keys: usize,
    pub(crate) scopes: ScopeSet,
    pub(crate) apps: Vec<App>,
    pub(crate) rules: Vec<Rule>,
}

/// Settings that flags and the environment put before the file's.
#[derive(Debug, Default)]
pub struct Overrides {
    /// See [`Config::listen`].
    pub listen: Option<SocketAddr>,
    /// See [`Config::public_url`].
    pub public_url: Option<String>,
    /// See [`Config::data`].
    pub data: Option<PathBuf>,
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

    fn parse(origin: &str, text: &str, overrides: Overrides) -> Result<Self, ConfigError> {
        let refuse = |problem: String| ConfigError {
            origin: origin.to_owned(),
            problem,
        };
        let file: File = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        file.limits.check().map_err(refuse)?;
        let config = Self {
            listen: match (overrides.listen, file.listen) {
                (Some(listen), _) => listen,
                (None, Some(text)) => text
                    .parse()
                    .map_err(|_| refuse(format!("listen: {text:?} is not ADDRESS:PORT")))?,
                (None, None) => SocketAddr::from(([127, 0, 0, 1], 8080)),
            },
            public_url: overrides
                .public_url
                .or(file.public_url)
                .map(|url| public_url(&url))
                .transpose()
                .map_err(refuse)?,
            data: data_folder(overrides.data.or(file.data)).map_err(refuse)?,
            trusted_proxies: file.trusted_proxies,
            cors_origins: file
                .cors_origins
                .iter()
                .map(|origin| cors_origin(origin))
                .collect::<Result<_, _>>()
                .map_err(refuse)?,
            allowances: file.limits.allowances(),
            http: Limits {
                connections: file.limits.connections,
                ..Limits::default()
            },
            body_bytes: file.limits.body_bytes,
            cached_keys: file.limits.cached_keys,
            scopes: ScopeSet::parse(file.scopes.iter().map(String::as_str))
                .map_err(|e| refuse(format!("scopes: {e}")))?,
            apps: apps(file.apps).map_err(refuse)?,
            rules: Vec::new(),
        };
        let rules = file
            .rules
            .into_iter()
            .map(|rule| rule.checked(&config.scopes))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refuse)?;
        ScopeRules::new(rules.clone()).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { rules, ..config })
    }
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    public_url: Option<String>,
    data: Option<PathBuf>,
    #[serde(default)]
    trusted_proxies: Vec<IpNet>,
    #[serde(default)]
    cors_origins: Vec<String>,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    apps: Vec<FileApp>,
    #[serde(default)]
    rules: Vec<FileRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLimits {
    login_per_address_an_hour: NonZeroU32,
    login_per_account_an_hour: NonZeroU32,
    register_per_address_an_hour: NonZeroU32,
    mail_per_account_an_hour: NonZeroU32,
    mailed_token_per_address_an_hour: NonZeroU32,
    usage_report_per_address_a_minute: NonZeroU32,
    download_per_address_a_minute: NonZeroU32,
    connections: usize,
    body_bytes: usize,
    cached_keys: usize,
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
            mail_per_account_an_hour: const { calls(5) },
            mailed_token_per_address_an_hour: const { calls(20) },
            usage_report_per_address_a_minute: const { calls(600) },
            download_per_address_a_minute: const { calls(30) },
            connections: Limits::default().connections,
            body_bytes: 64 * 1024,
            cached_keys: 100_000,
        }
    }
}

impl FileLimits {
    /// What fits into an address space and into the counters of the layers below, with room to spare.
    fn check(&self) -> Result<(), String> {
        for (name, value, least, most) in [
            ("connections", self.connections, 1, 1_000_000),
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

    fn allowances(&self) -> Allowances {
        Allowances {
            login_per_address_an_hour: self.login_per_address_an_hour,
            login_per_account_an_hour: self.login_per_account_an_hour,
            register_per_address_an_hour: self.register_per_address_an_hour,
            mail_per_account_an_hour: self.mail_per_account_an_hour,
            mailed_token_per_address_an_hour: self.mailed_token_per_address_an_hour,
            usage_report_per_address_a_minute: self.usage_report_per_address_a_minute,
            download_per_address_a_minute: self.download_per_address_a_minute,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileApp {
    id: String,
    ttl_days_min: u32,
    ttl_days_max: u32,
    ttl_days_default: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
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
}

impl FileRule {
    fn checked(self, known: &ScopeSet) -> Result<Rule, String> {
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
        let demand = if self.public {
            Demand::Public
        } else if self.any_key {
            Demand::Key(Requirement::AnyKey)
        } else if self.any_scope.is_empty() {
            Demand::Key(Requirement::All(parse(&self.all_scopes)?))
        } else {
            Demand::Key(Requirement::Any(parse(&self.any_scope)?))
        };
        Ok(Rule {
            methods: self.methods,
            path: self.path,
            demand,
        })
    }
}

fn apps(entries: Vec<FileApp>) -> Result<Vec<App>, String> {
    /// What a verifier accepts by default.
    const TTL_DAYS_MAX: u32 = 400;
    let mut apps: Vec<App> = Vec::new();
    for FileApp {
        id,
        ttl_days_min,
        ttl_days_max,
        ttl_days_default,
    } in entries
    {
        if id.is_empty() || id.len() > 100 || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!(
                "apps: id {id:?} must be 1 to 100 visible ASCII characters"
            ));
        }
        if apps.iter().any(|app| app.id == id) {
            return Err(format!("apps: id {id:?} stands twice"));
        }
        let is_ordered = 1 <= ttl_days_min
            && ttl_days_min <= ttl_days_default
            && ttl_days_default <= ttl_days_max;
        if !is_ordered || ttl_days_max > TTL_DAYS_MAX {
            return Err(format!(
                "apps: {id:?} needs 1 <= ttl_days_min <= ttl_days_default <= ttl_days_max <= {TTL_DAYS_MAX}"
            ));
        }
        let ttl_days = TtlDays {
            min: ttl_days_min,
            max: ttl_days_max,
            default: ttl_days_default,
        };
        apps.push(App { id, ttl_days });
    }
    Ok(apps)
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

/// An origin with an optional path, without a trailing slash: it is compared byte for byte as `iss`.
pub(crate) fn public_url(url: &str) -> Result<String, String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let is_plausible = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.len() <= 256
        && url
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'"' | b'\\'));
    if !is_plausible {
        return Err(format!(
            "public_url: {url:?} must be an http or https URL without query and fragment"
        ));
    }
    if url.ends_with('/') {
        return Err(format!("public_url: {url:?} must not end with a slash"));
    }
    Ok(url.to_owned())
}

/// RFC 6454 §6.2: scheme, host, port.
fn cors_origin(origin: &str) -> Result<String, String> {
    let rest = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty()
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'?' | b'#' | b'*')) =>
        {
            Ok(origin.to_owned())
        }
        _ => Err(format!(
            "cors_origins: {origin:?} must be an origin such as https://app.example.com"
        )),
    }
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
