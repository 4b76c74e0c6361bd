//! Scope rules: what a key needs for a path of the operator's own API.

use matchit::Router;
use nexa_core::Requirement;

use super::error::Error;
use super::keys::Environments;
use super::original::{OriginalRequest, ambiguity, unescape_bare};

/// One rule of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Upper-case methods; empty means any.
    pub(crate) methods: Vec<String>,
    /// A path, with `{name}` for one segment and a last `{*rest}` for one character or more.
    pub(crate) path: String,
    pub(crate) demand: Demand,
}

/// What a rule asks of the caller.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    /// Nothing, not even a key.
    Public,
    /// A valid key of these environments that meets the requirement.
    Key {
        requirement: Requirement,
        environments: Environments,
    },
}

/// The rules by path. What no rule covers is refused.
pub(crate) struct ScopeRules {
    by_path: Router<PathRules>,
}

/// The rules that share a path.
struct PathRules {
    path: String,
    closeness: Closeness,
    rules: Vec<Rule>,
}

/// How exactly a rule names its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// With `{*rest}`.
    Subtree,
    /// With `{name}`.
    Pattern,
    /// One path, to the letter.
    Literal,
}

impl ScopeRules {
    /// # Errors
    /// `Invalid` for `rules` when a path is malformed or can never be asked for, or two rules cover the same
    /// method of the same path.
    pub(crate) fn new(rules: Vec<Rule>) -> Result<Self, Error> {
        let mut paths: Vec<PathRules> = Vec::new();
        for rule in rules {
            let refuse = |problem: &str| {
                Err(Error::invalid(
                    "rules",
                    format!("path {:?}: {problem}", rule.path),
                ))
            };
            if let Some(problem) = path_problem(&rule.path) {
                return refuse(problem);
            }
            match paths.iter_mut().find(|known| known.path == rule.path) {
                Some(known) if known.rules.iter().any(|other| other.overlaps(&rule)) => {
                    return refuse("two rules cover the same method");
                }
                Some(known) => known.rules.push(rule),
                None => paths.push(PathRules::of(rule)),
            }
        }
        let mut by_path = Router::new();
        for path_rules in paths {
            let path = path_rules.path.clone();
            by_path
                .insert(&path, path_rules)
                .map_err(|error| Error::invalid("rules", format!("path {path:?}: {error}")))?;
        }
        Ok(Self { by_path })
    }

    /// What the request demands.
    ///
    /// # Errors
    /// `NoRule` when nothing covers it; `AmbiguousPath` when another rule, no less close, covers the path as an
    /// upstream may well read it: with a trailing slash more or less, or with needless escapes undone. The looser
    /// rule must not decide for it.
    pub(crate) fn demand(&self, request: &OriginalRequest<'_>) -> Result<&Demand, Error> {
        let no_rule = || Error::NoRule {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
        };
        let exact = self.find(request.path).ok_or_else(no_rule)?;
        if exact.closeness != Closeness::Literal {
            let unescaped = unescape_bare(request.path);
            let readings = [
                unescaped.to_string(),
                toggle_slash(request.path),
                toggle_slash(&unescaped),
            ];
            for twin in readings.iter().filter_map(|reading| self.find(reading)) {
                if twin.path != exact.path && twin.closeness >= exact.closeness {
                    return Err(Error::AmbiguousPath {
                        problem: "an upstream may read it as a path of another rule",
                    });
                }
            }
        }
        exact
            .rules
            .iter()
            .find(|rule| rule.covers(request.method))
            .map(|rule| &rule.demand)
            .ok_or_else(no_rule)
    }

    fn find(&self, path: &str) -> Option<&PathRules> {
        self.by_path.at(path).ok().map(|matched| matched.value)
    }
}

impl PathRules {
    fn of(rule: Rule) -> Self {
        let closeness = if rule.path.contains("{*") {
            Closeness::Subtree
        } else if rule.path.contains('{') {
            Closeness::Pattern
        } else {
            Closeness::Literal
        };
        Self {
            path: rule.path.clone(),
            closeness,
            rules: vec![rule],
        }
    }
}

impl Rule {
    fn covers(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|known| known == method)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.methods.is_empty()
            || other.methods.is_empty()
            || self.methods.iter().any(|method| other.covers(method))
    }
}

/// The path with a trailing slash more or less; the root has no twin.
fn toggle_slash(path: &str) -> String {
    match path.strip_suffix('/') {
        Some("") => "/".to_owned(),
        Some(stripped) => stripped.to_owned(),
        None => format!("{path}/"),
    }
}

/// Why no request could ever meet the rule, if none could.
fn path_problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("must start with a slash");
    }
    if path.contains('%') {
        return Some("must not hold escapes; use {name} for such a segment");
    }
    // A captured part stands for a plain one, with its braces and asterisk taken away.
    let plain = path.replace("{*", "{").replace(['{', '}'], "");
    if plain.contains('*') {
        return Some("a wildcard is written {name}, or {*rest} at the end");
    }
    ambiguity(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, methods: &[&str], scope: Option<&str>) -> Rule {
        let demand = match scope {
            None => Demand::Public,
            Some(scope) => Demand::Key {
                requirement: Requirement::Scope(nexa_core::Scope::parse(scope).unwrap()),
                environments: Environments::Live,
            },
        };
        Rule {
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
            path: path.to_owned(),
            demand,
        }
    }

    /// `public`, a scope, or what was refused.
    fn ask(rules: &ScopeRules, method: &str, path: &str) -> String {
        match OriginalRequest::new(method, path).and_then(|request| rules.demand(&request).cloned())
        {
            Ok(Demand::Public) => "public".to_owned(),
            Ok(Demand::Key {
                requirement: Requirement::Scope(scope),
                ..
            }) => scope.to_string(),
            Ok(Demand::Key { requirement, .. }) => format!("{requirement:?}"),
            Err(Error::NoRule { .. }) => "no rule".to_owned(),
            Err(Error::AmbiguousPath { .. }) => "ambiguous".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_closest_rule_decides_and_no_other_reading_gets_past_it() -> Result<(), Error> {
        let rules = ScopeRules::new(vec![
            rule("/{*rest}", &[], None),
            rule("/admin", &["POST"], Some("admin")),
            rule("/users/@me", &[], Some("self")),
            rule("/users/{id}", &[], Some("users")),
            rule("/v1/jobs:purge", &[], Some("purge")),
        ])?;
        for (method, path, expected) in [
            ("GET", "/anything", "public"),
            ("GET", "/any/thing/", "public"),
            ("GET", "/", "no rule"),
            ("POST", "/admin", "admin"),
            ("GET", "/admin", "no rule"),
            ("POST", "/admin/", "ambiguous"),
            ("GET", "/admin/", "ambiguous"),
            ("GET", "/users/7", "users"),
            ("GET", "/users/7/", "ambiguous"),
            ("GET", "/users/@me", "self"),
            ("GET", "/users/%40me", "ambiguous"),
            ("GET", "/users/a%40example.com", "users"),
            ("GET", "/v1/jobs%3Apurge", "ambiguous"),
            ("GET", "/v1/jobs%3apurge", "ambiguous"),
            ("GET", "/v1/jobs%3Apurge/", "ambiguous"),
            ("GET", "/caf%C3%A9", "public"),
        ] {
            assert_eq!(ask(&rules, method, path), expected, "{method} {path}");
        }
        Ok(())
    }

    #[test]
    fn rules_that_contradict_or_can_never_be_met_are_refused() {
        for rules in [
            vec![rule("/a", &[], None), rule("/a", &["GET"], Some("x"))],
            vec![
                rule("/a", &["GET", "PUT"], None),
                rule("/a", &["PUT"], Some("x")),
            ],
            vec![rule("a", &[], None)],
            vec![rule("/a?x", &[], None), rule("/a#x", &[], None)],
            vec![rule("/a/../b", &[], None)],
            vec![rule("/a//b", &[], None)],
            vec![rule("/\u{e9}", &[], None)],
            vec![rule("/a/*", &[], None)],
            vec![rule("/a%20b", &[], None)],
            vec![rule("/a/{", &[], None)],
        ] {
            assert!(ScopeRules::new(rules.clone()).is_err(), "{rules:?}");
        }
        let split = vec![rule("/a", &["GET"], None), rule("/a", &["PUT"], Some("x"))];
        assert!(ScopeRules::new(split).is_ok());
    }
}
