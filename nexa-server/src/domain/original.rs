//! The request that a gateway asks about: read literally, refused when it could be read in two ways.

use std::borrow::Cow;

use super::error::Error;

/// Method and path of the request behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OriginalRequest<'r> {
    pub(crate) method: &'r str,
    /// Without the query.
    pub(crate) path: &'r str,
}

impl<'r> OriginalRequest<'r> {
    /// Takes a method and an origin-form target (RFC 9112 §3.2.1): a path and perhaps a query.
    ///
    /// Nothing is normalized here, because the upstream normalizes by rules of its own. What has more
    /// than one reading is refused instead.
    ///
    /// # Errors
    /// `OriginalRequest` for a malformed method, `AmbiguousPath` for the path.
    pub(crate) fn new(method: &'r str, target: &'r str) -> Result<Self, Error> {
        const METHOD_MAX: usize = 32;
        let is_token = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if method.is_empty() || method.len() > METHOD_MAX || !method.bytes().all(is_token) {
            return Err(Error::OriginalRequest {
                problem: "the original method is not an upper-case token".to_owned(),
            });
        }
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        match ambiguity(path) {
            Some(problem) => Err(Error::AmbiguousPath { problem }),
            None => Ok(Self { method, path }),
        }
    }
}

/// Why the path could be read in two ways whatever the rules say, if it could.
pub(super) fn ambiguity(path: &str) -> Option<&'static str> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some("it does not start with a slash");
    };
    // Once over the bytes, because every request behind the gateway pays for it.
    let (mut is_segment_start, mut needs_look) = (true, false);
    for byte in rest.bytes() {
        match byte {
            b'/' if is_segment_start => return Some("it holds an empty segment"),
            b'\\' | b'#' | b'?' | b';' => {
                return Some("it holds a backslash, a semicolon, a fragment or a query");
            }
            b'%' => needs_look = true,
            b'.' if is_segment_start => needs_look = true,
            _ if !byte.is_ascii_graphic() => {
                return Some("it holds white space or bytes outside ASCII");
            }
            _ => {}
        }
        is_segment_start = byte == b'/';
    }
    if !needs_look {
        return None;
    }
    if rest.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Some("it holds a dot segment");
    }
    rest.split('%').skip(1).find_map(escape_problem)
}

/// Undoes escapes of characters that may stand bare in a path (RFC 3986 §3.3): a reader may, another may not.
pub(super) fn unescape_bare(path: &str) -> Cow<'_, str> {
    let mut parts = path.split('%');
    let Some(first) = parts.next().filter(|first| first.len() < path.len()) else {
        return Cow::Borrowed(path);
    };
    let mut plain = first.to_owned();
    for part in parts {
        match decoded(part)
            .filter(|byte| matches!(byte, b'!' | b'$' | b'&'..=b',' | b':' | b'=' | b'@'))
        {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(part.get(2..).unwrap_or_default());
            }
            None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    Cow::Owned(plain)
}

/// What is wrong with an escape that some servers undo before they choose a handler, and others after;
/// `escape` is what follows the percent sign.
fn escape_problem(escape: &str) -> Option<&'static str> {
    match decoded(escape) {
        None => Some("it holds a broken percent escape"),
        Some(b'/' | b'\\') => Some("it holds an escaped slash"),
        Some(b'%') => Some("it holds an escape of an escape"),
        Some(b'?' | b'#' | b';') => Some("it escapes a delimiter"),
        Some(byte) if byte.is_ascii_control() => Some("it escapes a control character"),
        Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
            Some("it escapes a character that never needs it")
        }
        Some(_) => None,
    }
}

/// The byte that the first two characters spell in hexadecimal.
fn decoded(escape: &str) -> Option<u8> {
    let mut digits = escape.chars().map(|digit| digit.to_digit(16));
    let (high, low) = (digits.next()??, digits.next()??);
    u8::try_from(high * 16 + low).ok()
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
                "/api/v1/trading-signals?limit=5&x=../..;//",
                "/api/v1/trading-signals",
            ),
            ("/a/b/", "/a/b/"),
            ("/a%20b/%C3%A9/%c3%a9", "/a%20b/%C3%A9/%c3%a9"),
            ("/a%40b.c:d@e", "/a%40b.c:d@e"),
            ("/...", "/..."),
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
            "/api//",
            "/api/./agents",
            "/api/../agents",
            "/api/..",
            "/api/.",
            "/..",
            "/api/..;/agents",
            "/api/.;x/agents",
            "/secret;x",
            "/a;v=1/b",
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
            "/api/%\u{e9}1",
            "/api/x%3Fy",
            "/api/x%3by",
            "/api/x%7E",
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
    fn escapes_of_bare_characters_are_undone_and_no_others() {
        for (path, plain) in [
            ("/a", "/a"),
            ("/%40me", "/@me"),
            ("/a%3ab%3Ac", "/a:b:c"),
            ("/%C3%A9%20%28x%29", "/%C3%A9%20(x)"),
        ] {
            assert_eq!(unescape_bare(path), plain);
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
