//! Which row of the route table a request means: the path first, then the method.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hyper::Method;
use hyper::header::HeaderValue;

/// Finds rows by path and method.
///
/// Paths are literal segments, `{name}` for one segment and `{*name}` for the rest. A literal wins
/// over a name, a name over the rest.
pub(crate) struct Router {
    paths: matchit::Router<Methods>,
}

/// The rows that share a path.
struct Methods {
    exact: Vec<(Method, usize)>,
    any: Option<usize>,
    catch_all: bool,
    allow: HeaderValue,
}

/// What a method and a path lead to.
#[derive(Debug)]
pub(crate) enum Found<'r> {
    /// The row, by its place in the table, and what its path captured.
    Row {
        /// Counted from zero in the order the rows were given.
        index: usize,
        /// The captured parts of the path.
        params: Params<'r>,
    },
    /// The path exists, but not for this method.
    WrongMethod {
        /// The methods it exists for, ready for the `Allow` header (RFC 9110 §10.2.1).
        allow: HeaderValue,
    },
    /// There is no such path.
    Missing,
}

/// A route table that cannot be served.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum RouterError {
    /// Two rows have this path and this method.
    #[error("two routes for {method} {path}")]
    Twice {
        /// The method, or `*` for any.
        method: String,
        /// The path they share.
        path: String,
    },
    /// The path is malformed, or collides with another one.
    #[error("route {path}: {problem}")]
    Path {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Router {
    /// Builds the table from (method, path) rows; `None` stands for any method.
    ///
    /// # Errors
    /// When two rows answer the same request, or a path is malformed.
    pub(crate) fn new<'a>(
        rows: impl Iterator<Item = (Option<Method>, &'a str)>,
    ) -> Result<Self, RouterError> {
        let mut grouped: Vec<(&str, Methods)> = Vec::new();
        for (index, (method, path)) in rows.enumerate() {
            let known = grouped.iter().position(|(known, _)| *known == path);
            let place = known.unwrap_or(grouped.len());
            if known.is_none() {
                grouped.push((path, Methods::of(path)));
            }
            if let Some((_, methods)) = grouped.get_mut(place) {
                methods.add(index, method, path)?;
            }
        }
        let mut paths = matchit::Router::new();
        for (path, mut methods) in grouped {
            methods.allow = methods.allow_header();
            paths
                .insert(path, methods)
                .map_err(|error| RouterError::Path {
                    path: path.to_owned(),
                    problem: error.to_string(),
                })?;
        }
        Ok(Self { paths })
    }

    /// The row for a request; HEAD falls back to GET (RFC 9110 §9.3.2).
    pub(crate) fn find<'r>(&'r self, method: &Method, path: &'r str) -> Found<'r> {
        let Ok(found) = self.paths.at(path) else {
            return Found::Missing;
        };
        let Some(index) = found.value.row(method) else {
            return Found::WrongMethod {
                allow: found.value.allow.clone(),
            };
        };
        match Params::decode(&found.params, found.value.catch_all) {
            Some(params) => Found::Row { index, params },
            None => Found::Missing,
        }
    }
}

impl Methods {
    fn of(path: &str) -> Self {
        let catch_all = path.contains("{*");
        Self {
            exact: Vec::new(),
            any: None,
            catch_all,
            allow: HeaderValue::from_static(""),
        }
    }

    fn add(&mut self, index: usize, method: Option<Method>, path: &str) -> Result<(), RouterError> {
        let taken = match &method {
            Some(method) => self.exact.iter().any(|(known, _)| known == method),
            None => self.any.is_some(),
        };
        if taken {
            let method = method.map_or_else(|| "*".to_owned(), |method| method.to_string());
            return Err(RouterError::Twice {
                method,
                path: path.to_owned(),
            });
        }
        match method {
            Some(method) => self.exact.push((method, index)),
            None => self.any = Some(index),
        }
        Ok(())
    }

    fn row(&self, method: &Method) -> Option<usize> {
        self.exact(method)
            .or_else(|| {
                if method == Method::HEAD {
                    self.exact(&Method::GET)
                } else {
                    None
                }
            })
            .or(self.any)
    }

    fn exact(&self, method: &Method) -> Option<usize> {
        self.exact
            .iter()
            .find(|(known, _)| known == method)
            .map(|(_, index)| *index)
    }

    fn allow_header(&self) -> HeaderValue {
        let mut names: BTreeSet<&str> = self.exact.iter().map(|(name, _)| name.as_str()).collect();
        if names.contains("GET") {
            names.insert("HEAD");
        }
        let list = names.into_iter().collect::<Vec<_>>().join(", ");
        HeaderValue::from_str(&list).expect("method names are tokens, so visible ASCII")
    }
}

/// The captured parts of a path, in its order.
///
/// `{name}` is percent-decoded once, so it may hold a slash. `{*rest}` stands as it came: decoding
/// it would hide an encoded slash from whoever has to judge the path.
#[derive(Debug, Default)]
pub(crate) struct Params<'r> {
    items: Vec<(&'r str, Cow<'r, str>)>,
}

impl<'r> Params<'r> {
    /// The most bytes of one decoded part; ids and names are far below.
    const PART_BYTES_MAX: usize = 512;

    /// All parts as (name, value).
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.items
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
    }

    /// `None` when a part is not percent-encoded UTF-8, or too long: no such resource exists.
    fn decode<'k: 'r>(captured: &matchit::Params<'k, 'r>, catch_all: bool) -> Option<Self> {
        let mut items = Vec::with_capacity(captured.len());
        for (place, (name, raw)) in captured.iter().enumerate() {
            let is_rest = catch_all && place + 1 == captured.len();
            let value = if is_rest {
                Cow::Borrowed(raw)
            } else {
                super::pairs::percent_decode(raw)?
            };
            if !is_rest && value.len() > Self::PART_BYTES_MAX {
                return None;
            }
            items.push((name, value));
        }
        Some(Self { items })
    }
}
