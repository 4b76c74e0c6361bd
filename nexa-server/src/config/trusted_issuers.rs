//! The tables `[[trusted_issuers]]` of the configuration file.

use std::path::PathBuf;

use nexa_core::ScopeSet;
use serde::Deserialize;

use crate::domain::keys::KeyPolicy;
use crate::domain::trust::{
    Algorithm, NotBefore, SubjectPattern, SubjectRule, TrustedIssuer, TrustedIssuers,
};
use crate::outbound::jwks::Source;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTrustedIssuer {
    issuer: String,
    audience: String,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<String>,
    algorithms: Option<Vec<String>>,
    #[serde(default)]
    leeway_seconds: u64,
    #[serde(default = "an_hour")]
    max_age_seconds: u64,
    #[serde(default = "yes")]
    nbf_required: bool,
    subjects: Vec<FileSubject>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSubject {
    pattern: String,
    tenant: String,
    scopes: Vec<String>,
}

const fn an_hour() -> u64 {
    3_600
}

const fn yes() -> bool {
    true
}

/// The trusted issuers, each once and each with the place of its keys.
pub(super) fn trusted_issuers(
    entries: Vec<FileTrustedIssuer>,
    policy: &KeyPolicy,
) -> Result<Vec<(TrustedIssuer, Source)>, String> {
    if entries.len() > TrustedIssuers::COUNT_MAX {
        return Err(format!(
            "trusted_issuers: at most {}, not {}",
            TrustedIssuers::COUNT_MAX,
            entries.len()
        ));
    }
    let mut issuers: Vec<(TrustedIssuer, Source)> = Vec::new();
    for entry in entries {
        let name = entry.issuer.clone();
        if issuers.iter().any(|(known, _)| known.issuer == name) {
            return Err(format!("trusted_issuers: issuer {name:?} stands twice"));
        }
        let checked = entry.checked(policy);
        issuers.push(checked.map_err(|problem| format!("trusted_issuers: {name:?}: {problem}"))?);
    }
    Ok(issuers)
}

impl FileTrustedIssuer {
    fn checked(self, policy: &KeyPolicy) -> Result<(TrustedIssuer, Source), String> {
        const LEEWAY_MAX_S: u64 = 300;
        const AGE_MAX_S: u64 = 24 * 3_600;
        if !self.issuer.starts_with("https://") && !self.issuer.starts_with("http://") {
            return Err("issuer must start with https:// or http://".to_owned());
        }
        for (setting, text) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            let is_short = (1..=TrustedIssuer::BYTES_MAX).contains(&text.len());
            if !is_short || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!(
                    "{setting} must be 1 to {} visible ASCII characters",
                    TrustedIssuer::BYTES_MAX
                ));
            }
        }
        if self.leeway_seconds > LEEWAY_MAX_S {
            return Err(format!(
                "leeway_seconds must be from 0 to {LEEWAY_MAX_S}, not {}",
                self.leeway_seconds
            ));
        }
        if !(1..=AGE_MAX_S).contains(&self.max_age_seconds) {
            return Err(format!(
                "max_age_seconds must be from 1 to {AGE_MAX_S}, not {}",
                self.max_age_seconds
            ));
        }
        if self.subjects.is_empty() {
            return Err("subjects must name at least one".to_owned());
        }
        let subjects = self.subjects.into_iter();
        let issuer = TrustedIssuer {
            issuer: self.issuer,
            audience: self.audience,
            algorithms: algorithms(self.algorithms)?,
            leeway_s: self.leeway_seconds,
            max_age_s: self.max_age_seconds,
            not_before: match self.nbf_required {
                true => NotBefore::Required,
                false => NotBefore::Optional,
            },
            subjects: subjects
                .map(|subject| subject.checked(policy))
                .collect::<Result<_, _>>()?,
        };
        Ok((issuer, source(self.jwks_file, self.jwks_url)?))
    }
}

impl FileSubject {
    fn checked(self, policy: &KeyPolicy) -> Result<SubjectRule, String> {
        let refuse = |problem: String| format!("subjects: pattern {:?}: {problem}", self.pattern);
        let pattern = SubjectPattern::parse(&self.pattern)
            .map_err(|rule| format!("subjects: pattern {:?} {rule}", self.pattern))?;
        if !is_id(&self.tenant) {
            let problem = format!("tenant {:?} must be the id of a tenant", self.tenant);
            return Err(refuse(problem));
        }
        let scopes = ScopeSet::parse(self.scopes.iter().map(String::as_str))
            .map_err(|error| refuse(format!("scopes: {error}")))?;
        if !(1..=SubjectRule::SCOPES_MAX).contains(&scopes.len()) {
            let most = SubjectRule::SCOPES_MAX;
            return Err(refuse(format!("scopes must be 1 to {most}")));
        }
        for scope in scopes.iter() {
            if !scope.is_full_access() && !policy.known.contains(scope) {
                return Err(refuse(format!("{scope} is not listed under scopes")));
            }
            // A token stands for an owner.
            if !policy.owner.covers(scope) {
                return Err(refuse(format!("{scope} is more than roles: owner allows")));
            }
        }
        Ok(SubjectRule {
            pattern,
            tenant_id: self.tenant,
            scopes,
        })
    }
}

fn algorithms(names: Option<Vec<String>>) -> Result<Vec<Algorithm>, String> {
    let Some(names) = names else {
        return Ok(Algorithm::ALL.to_vec());
    };
    if names.is_empty() {
        return Err("algorithms must name RS256, ES256 or both".to_owned());
    }
    let parse = |name: &String| {
        Algorithm::parse(name).ok_or_else(|| format!("algorithms: {name:?} is not RS256 or ES256"))
    };
    names.iter().map(parse).collect()
}

/// A file has to be there, and to hold keys; a URL is asked for the first time when a token comes.
fn source(file: Option<PathBuf>, url: Option<String>) -> Result<Source, String> {
    match (file, url) {
        (Some(path), None) => {
            let shown = path.display().to_string();
            Source::file(path).map_err(|problem| format!("jwks_file {shown}: {problem}"))
        }
        (None, Some(url)) => Source::url(&url).map_err(|rule| format!("jwks_url {url:?} {rule}")),
        (None, None) | (Some(_), Some(_)) => Err("say one of jwks_file and jwks_url".to_owned()),
    }
}

/// As this server writes ids: a UUID in lower case.
fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    const SUBJECT: &str = "[[trusted_issuers.subjects]]
pattern = 'repo:acme/app:*'
tenant = '0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa'
scopes = ['signals']
";

    fn entry(lines: &str) -> String {
        let start = "[[trusted_issuers]]\nissuer = 'https://a.example'\naudience = 'b'\n";
        format!("{start}{lines}\n{SUBJECT}")
    }

    fn url(lines: &str) -> String {
        entry(&format!("jwks_url = 'https://a.example/keys'\n{lines}"))
    }

    fn parse(text: &str) -> Result<Vec<(TrustedIssuer, Source)>, String> {
        let known = "scopes = ['signals', 'agents']\n";
        let roles = "[roles]\nowner = ['signals']\n";
        Config::parse(
            "here",
            &format!("{known}{text}{roles}"),
            Overrides::default(),
        )
        .map(|config| config.trusted_issuers)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_strict() {
        let issuers = parse(&url("")).unwrap();
        let (issuer, source) = issuers.first().unwrap();
        assert_eq!((issuer.leeway_s, issuer.max_age_s), (0, 3_600));
        assert_eq!(issuer.not_before, NotBefore::Required);
        assert_eq!(issuer.algorithms, Algorithm::ALL);
        assert_eq!(source.to_string(), "https://a.example/keys");
        let lines = "nbf_required = false\nalgorithms = ['ES256']\nleeway_seconds = 300\nmax_age_seconds = 86400";
        let issuers = parse(&url(lines)).unwrap();
        let (issuer, _) = issuers.first().unwrap();
        assert_eq!((issuer.leeway_s, issuer.max_age_s), (300, 86_400));
        assert_eq!(issuer.not_before, NotBefore::Optional);
        assert_eq!(issuer.algorithms, [Algorithm::Es256]);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn the_issuer_that_the_sample_describes_can_be_trusted() {
        let start = crate::config::SAMPLE.find("# [[trusted_issuers]]").unwrap();
        let block = &crate::config::SAMPLE[start..];
        let lines = block.lines().take_while(|line| line.starts_with('#'));
        let text: String = lines
            .map(|line| format!("{}\n", line.trim_start_matches(['#', ' '])))
            .filter(|line| line.contains('=') || line.starts_with('['))
            .collect();
        let text = format!("scopes = ['signals']\n{text}");
        let config = Config::parse("here", &text, Overrides::default()).unwrap();
        let (issuer, _) = config.trusted_issuers.first().unwrap();
        assert_eq!(issuer.subjects.len(), 2);
        assert_eq!((issuer.leeway_s, issuer.max_age_s), (0, 3_600));
        assert_eq!(issuer.not_before, NotBefore::Required);
    }

    #[test]
    fn what_cannot_be_trusted_is_named() {
        let swap = |old: &str, new: &str| {
            let text = url("");
            assert!(text.contains(old));
            text.replacen(old, new, 1)
        };
        let subject = |problem: &str| {
            format!("here: trusted_issuers: \"https://a.example\": subjects: pattern {problem}")
        };
        let of_entry =
            |problem: &str| format!("here: trusted_issuers: \"https://a.example\": {problem}");
        let long = "a".repeat(201);
        for (text, problem) in [
            (entry(""), of_entry("say one of jwks_file and jwks_url")),
            (
                url("jwks_file = 'a'"),
                of_entry("say one of jwks_file and jwks_url"),
            ),
            (
                entry("jwks_url = 'http://a.example/keys'"),
                of_entry(
                    "jwks_url \"http://a.example/keys\" must be an https:// URL without user name and fragment, or http:// to this machine",
                ),
            ),
            (
                url("leeway_seconds = 301"),
                of_entry("leeway_seconds must be from 0 to 300, not 301"),
            ),
            (
                url("max_age_seconds = 0"),
                of_entry("max_age_seconds must be from 1 to 86400, not 0"),
            ),
            (
                url("max_age_seconds = 86401"),
                of_entry("max_age_seconds must be from 1 to 86400, not 86401"),
            ),
            (
                url("algorithms = []"),
                of_entry("algorithms must name RS256, ES256 or both"),
            ),
            (
                url("algorithms = ['HS256']"),
                of_entry("algorithms: \"HS256\" is not RS256 or ES256"),
            ),
            (
                swap("'b'", "''"),
                of_entry("audience must be 1 to 200 visible ASCII characters"),
            ),
            (
                swap("'b'", "'a b'"),
                of_entry("audience must be 1 to 200 visible ASCII characters"),
            ),
            (
                swap("'b'", &format!("'{long}'")),
                of_entry("audience must be 1 to 200 visible ASCII characters"),
            ),
            (
                swap("https://a.example", "a.example"),
                "here: trusted_issuers: \"a.example\": issuer must start with https:// or http://"
                    .to_owned(),
            ),
            (
                url("") + &url(""),
                "here: trusted_issuers: issuer \"https://a.example\" stands twice".to_owned(),
            ),
            (
                swap("repo:acme/app:*", "*"),
                subject(
                    "\"*\" must not begin with *: every subject of the issuer would be trusted",
                ),
            ),
            (
                swap("0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa", "acme"),
                subject("\"repo:acme/app:*\": tenant \"acme\" must be the id of a tenant"),
            ),
            (
                swap("['signals']", "[]"),
                subject("\"repo:acme/app:*\": scopes must be 1 to 24"),
            ),
            (
                swap("['signals']", "['nonsense']"),
                subject("\"repo:acme/app:*\": nonsense is not listed under scopes"),
            ),
            (
                swap("['signals']", "['agents']"),
                subject("\"repo:acme/app:*\": agents is more than roles: owner allows"),
            ),
            (
                swap("['signals']", "['full_access']"),
                subject("\"repo:acme/app:*\": full_access is more than roles: owner allows"),
            ),
            (
                swap(SUBJECT, "subjects = []\n"),
                of_entry("subjects must name at least one"),
            ),
        ] {
            assert_eq!(parse(&text).unwrap_err(), problem);
        }
        let many: String = (0..17)
            .map(|number| {
                url("").replace("https://a.example'", &format!("https://a{number}.example'"))
            })
            .collect();
        assert_eq!(
            parse(&many).unwrap_err(),
            "here: trusted_issuers: at most 16, not 17"
        );
        let missing = parse(&entry("jwks_file = '/nowhere/jwks.json'")).unwrap_err();
        assert!(
            missing.starts_with(&of_entry("jwks_file /nowhere/jwks.json: ")),
            "{missing}"
        );
        assert!(
            parse(&url("unknown = 1"))
                .unwrap_err()
                .contains("unknown field")
        );
    }
}
