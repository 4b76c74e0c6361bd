//! Scope rules: what a key needs for a path of the operator's own API.

use matchit::Router;
use nexa_core::Requirement;

use super::error::Error;
use super::original::OriginalRequest;

/// One rule of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Upper-case methods; empty means any.
    pub(crate) methods: Vec<String>,
    /// A path, with `{name}` for one segment and a last `{*rest}` for all that follows.
    pub(crate) path: String,
    pub(crate) demand: Demand,
}

/// What a rule asks of the caller.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    /// Nothing, not even a key.
    Public,
    /// A valid key that meets the requirement.
    Key(Requirement),
}

/// The rules by path. What no rule covers is refused.
pub(crate) struct ScopeRules {
    rules: Vec<Rule>,
    /// Indexes into `rules`, in the order of the configuration.
    by_path: Router<Vec<usize>>,
}

impl ScopeRules {
    /// # Errors
    /// `Invalid` for `rules` when a path is malformed or two patterns overlap so that neither is the closer one.
    pub(crate) fn new(rules: Vec<Rule>) -> Result<Self, Error> {
        let mut by_path: Router<Vec<usize>> = Router::new();
        let mut paths: Vec<(&str, Vec<usize>)> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            match paths.iter_mut().find(|(path, _)| *path == rule.path) {
                Some((_, indexes)) => indexes.push(index),
                None => paths.push((&rule.path, vec![index])),
            }
        }
        for (path, indexes) in paths {
            if !path.starts_with('/') {
                return Err(Error::invalid(
                    "rules",
                    format!("path {path:?} must start with a slash"),
                ));
            }
            by_path
                .insert(path, indexes)
                .map_err(|error| Error::invalid("rules", format!("path {path:?}: {error}")))?;
        }
        Ok(Self { rules, by_path })
    }

    /// What the request demands.
    ///
    /// # Errors
    /// `NoRule` when nothing covers it; `AmbiguousPath` when a closer rule covers the path with a trailing slash more
    /// or less: an upstream may well ignore that slash, and the looser rule must not decide for it.
    pub(crate) fn demand(&self, request: &OriginalRequest) -> Result<&Demand, Error> {
        let exact = self.find(&request.method, &request.path);
        let twin = match request.path.strip_suffix('/') {
            Some("") => None,
            Some(stripped) => self.find(&request.method, stripped),
            None => self.find(&request.method, &format!("{}/", request.path)),
        };
        match (exact, twin) {
            (None, _) => Err(Error::NoRule {
                method: request.method.clone(),
                path: request.path.clone(),
            }),
            (Some(exact), Some(twin)) if twin.closeness() > exact.closeness() => {
                Err(Error::AmbiguousPath {
                    problem: "a closer rule covers it with a trailing slash more or less",
                })
            }
            (Some(exact), _) => Ok(&exact.demand),
        }
    }

    fn find(&self, method: &str, path: &str) -> Option<&Rule> {
        let matched = self.by_path.at(path).ok()?;
        let mut rules = matched
            .value
            .iter()
            .filter_map(|index| self.rules.get(*index));
        rules.find(|rule| {
            rule.methods.is_empty() || rule.methods.iter().any(|known| known == method)
        })
    }
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

impl Rule {
    fn closeness(&self) -> Closeness {
        if self.path.contains("{*") {
            Closeness::Subtree
        } else if self.path.contains('{') {
            Closeness::Pattern
        } else {
            Closeness::Literal
        }
    }
}
