//! URLs that a tenant supplies: their syntax alone. Where they lead is asked when they are used.

use std::net::Ipv6Addr;

use super::error::Error;

const BYTES_MAX: usize = 2048;

/// Accepts an absolute http or https URL of at most 2048 bytes in the characters of RFC 3986, with whole escapes: a host in
/// ASCII letters, digits, `-` and `_` (so an internationalised one in its `xn--` form), an IPv4 address or an IPv6 one in
/// brackets, a port from 1 to 65535 if any, no user information and no fragment.
///
/// # Errors
/// `Invalid` for `field`, with the rule.
pub(super) fn check(field: &'static str, url: &str) -> Result<(), Error> {
    if url.contains('#') {
        return Err(Error::invalid(field, "no fragment (#)"));
    }
    check_page(field, url)
}

/// As [`check`] for a URL that a browser is sent to: a page may be told by a fragment.
///
/// # Errors
/// As [`check`].
pub(super) fn check_page(field: &'static str, url: &str) -> Result<(), Error> {
    match problem(url) {
        None => Ok(()),
        Some(rule) => Err(Error::invalid(field, rule)),
    }
}

fn problem(url: &str) -> Option<&'static str> {
    if url.len() > BYTES_MAX {
        return Some("at most 2048 bytes");
    }
    if !url.bytes().all(is_of_url) || !are_escapes_whole(url) {
        return Some("must be a URL; what is no character of one is percent-encoded");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("must start with https:// or http://");
    };
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Some("must start with https:// or http://");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("no user name and no password");
    }
    (!is_host_and_port(authority)).then_some("needs a host name or an address, and a port if any")
}

/// Printable ASCII that RFC 3986 knows. A backslash above all is none of it: some readers take it for a slash.
fn is_of_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn are_escapes_whole(url: &str) -> bool {
    url.split('%').skip(1).all(|after| {
        after
            .get(..2)
            .is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    })
}

fn is_host_and_port(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        return address.parse::<Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    labels.len() <= 253 && labels.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_url_passes() {
        for url in [
            "https://my-server.com/webhook",
            "HTTP://a",
            "http://127.0.0.1:8080/a%20b?c=d&e=%F0",
            "https://[2001:db8::1]:8443/",
            "https://example.com.?x",
            "https://xn--bcher-kva.example/hook",
            &format!("https://example.com/{}", "a".repeat(2028)),
        ] {
            assert!(check("webhook_url", url).is_ok(), "{url}");
            assert!(check_page("redirect_url", url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_page_may_be_told_by_a_fragment() {
        for (url, passes) in [
            ("https://acme.example/app#/billing?done=1", true),
            ("https://acme.example#paid", true),
            ("https://acme.example?x#", true),
            ("https://#@acme.example", false),
            ("https://a@b#c", false),
            ("https://acme.example/#a b", false),
            ("#paid", false),
        ] {
            assert_eq!(check_page("redirect_url", url).is_ok(), passes, "{url}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_its_rule() {
        let long = format!("https://example.com/{}", "a".repeat(2029));
        const HOST: &str = "needs a host name or an address, and a port if any";
        const START: &str = "must start with https:// or http://";
        const CHARACTER: &str = "must be a URL; what is no character of one is percent-encoded";
        for (url, rule) in [
            ("", START),
            ("example.com/webhook", START),
            ("ftp://example.com", START),
            ("javascript:alert(1)", START),
            ("https:example.com", START),
            ("https://", HOST),
            ("https:///path", HOST),
            ("https://:80/", HOST),
            ("https://a:b/", HOST),
            ("https://a:0/", HOST),
            ("https://a:65536/", HOST),
            ("https://a:+80/", HOST),
            ("https://a:80:80/", HOST),
            ("https://a..b/", HOST),
            ("https://-a/", HOST),
            ("https://a%2eb/", HOST),
            ("https://[::1/", HOST),
            ("https://[::1]80/", HOST),
            ("https://[::g]/", HOST),
            ("https://u@a/", "no user name and no password"),
            ("https://u:p@a/", "no user name and no password"),
            ("https://a/#b", "no fragment (#)"),
            ("https://a/b c", CHARACTER),
            (" https://a/", CHARACTER),
            ("https://a/\n", CHARACTER),
            ("https://a\\@b/", CHARACTER),
            ("https://bücher.example/", CHARACTER),
            ("https://a/%", CHARACTER),
            ("https://a/%2", CHARACTER),
            ("https://a/%zz", CHARACTER),
            (&long, "at most 2048 bytes"),
        ] {
            let refused = check("webhook_url", url).map_err(|error| error.to_string());
            assert_eq!(refused, Err(format!("webhook_url: {rule}")), "{url:?}");
        }
    }
}
