//! The request that a gateway asks about: read literally, refused when it could be read in two ways.

use super::error::Error;

/// Method and path of the request behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginalRequest {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
}

impl OriginalRequest {
    /// Takes a method and an origin-form target (RFC 9112 §3.2.1): a path and perhaps a query.
    ///
    /// Nothing is normalized here, because the upstream normalizes by rules of its own. What has more
    /// than one reading is refused instead.
    ///
    /// # Errors
    /// `OriginalRequest` for a malformed method, `AmbiguousPath` for the path.
    pub(crate) fn new(method: &str, target: &str) -> Result<Self, Error> {
        if method.is_empty()
            || method.len() > 32
            || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        {
            return Err(Error::OriginalRequest {
                problem: "the original method is not an upper-case token".to_owned(),
            });
        }
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if let Some(problem) = ambiguity(path) {
            return Err(Error::AmbiguousPath { problem });
        }
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// Why the path could be read in two ways, if it could.
fn ambiguity(path: &str) -> Option<&'static str> {
    let rest = match path.strip_prefix('/') {
        Some(rest) => rest,
        None => return Some("it does not start with a slash"),
    };
    if path
        .bytes()
        .any(|b| !b.is_ascii_graphic() || matches!(b, b'\\' | b'#'))
    {
        return Some("it holds a backslash, a fragment, white space or bytes outside ASCII");
    }
    let segments = || rest.split('/');
    let last = segments().count().saturating_sub(1);
    for (index, segment) in segments().enumerate() {
        // An empty last segment is a trailing slash.
        if segment.is_empty() && index < last {
            return Some("it holds an empty segment");
        }
        let bare = segment.split_once(';').map_or(segment, |(bare, _)| bare);
        if matches!(bare, "." | "..") {
            return Some("it holds a dot segment");
        }
        if let Some(problem) = escape_problem(segment) {
            return Some(problem);
        }
    }
    None
}

/// Escapes that some servers decode before they choose a handler, and others after.
fn escape_problem(segment: &str) -> Option<&'static str> {
    for escape in segment.split('%').skip(1) {
        let decoded = escape
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        // from_str_radix also takes a sign.
        let is_hex = escape.bytes().take(2).all(|b| b.is_ascii_hexdigit());
        match decoded.filter(|_| is_hex) {
            None => return Some("it holds a broken percent escape"),
            Some(b'/' | b'\\') => return Some("it holds an escaped slash"),
            Some(b'%') => return Some("it holds an escape of an escape"),
            Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') => {
                return Some("it escapes a character that needs no escape");
            }
            Some(b) if b.is_ascii_control() => return Some("it escapes a control character"),
            Some(b'?' | b'#' | b';') => return Some("it escapes a delimiter"),
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_taken_as_it_is() -> Result<(), Error> {
        for (target, path) in [
            ("/", "/"),
            ("/api/v1/trading-signals", "/api/v1/trading-signals"),
            (
                "/api/v1/trading-signals?limit=5&x=../..",
                "/api/v1/trading-signals",
            ),
            ("/a/b/", "/a/b/"),
            ("/a%20b/%C3%A9", "/a%20b/%C3%A9"),
            ("/a;v=1/b", "/a;v=1/b"),
        ] {
            assert_eq!(OriginalRequest::new("GET", target)?.path, path);
        }
        Ok(())
    }

    #[test]
    fn what_two_servers_may_read_differently_is_refused() {
        for target in [
            "",
            "api",
            "*",
            "http://host/api",
            "//api",
            "/api//agents",
            "/api/./agents",
            "/api/../agents",
            "/api/..",
            "/api/.",
            "/api/..;/agents",
            "/api/.;x/agents",
            "/api/%2e%2e/agents",
            "/api/%2E/agents",
            "/api%2Fagents",
            "/api%2fagents",
            "/api%5cagents",
            "/api\\agents",
            "/api/%61gents",
            "/api/agents%00",
            "/api/agents%0a",
            "/api/%",
            "/api/%4",
            "/api/%zz",
            "/api/%+1",
            "/api/%252e",
            "/api/agents#x",
            "/api/a b",
            "/api/\u{e9}",
            "/api/x%3Fy",
            "/api/x%3by",
        ] {
            assert!(
                matches!(
                    OriginalRequest::new("GET", target),
                    Err(Error::AmbiguousPath { .. })
                ),
                "{target:?} was taken"
            );
        }
    }

    #[test]
    fn a_method_is_an_upper_case_token() {
        for method in ["", "get", "GE T", "GET\n", &"A".repeat(33)] {
            assert!(
                matches!(
                    OriginalRequest::new(method, "/"),
                    Err(Error::OriginalRequest { .. })
                ),
                "{method:?}"
            );
        }
    }
}
