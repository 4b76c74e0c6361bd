//! Which URLs are asked at the operator's word: what is said there must not be read or answered by somebody on the way.

use std::net::IpAddr;

use ureq::http::Uri;

/// Accepts https, and http to this machine.
///
/// # Errors
/// The rule that the URL breaks.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    const RULE: &str =
        "must be an https:// URL without user name and fragment, or http:// to this machine";
    let uri: Uri = text.parse().map_err(|_| RULE)?;
    let authority = uri.authority().ok_or(RULE)?.as_str();
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    match uri.scheme_str() {
        _ if host.is_empty() || authority.contains('@') || text.contains('#') => Err(RULE),
        Some("https") => Ok(()),
        Some("http") if is_here => Ok(()),
        Some(_) | None => Err(RULE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_or_of_this_machine() {
        for (url, is_good) in [
            ("https://issuer.example/.well-known/jwks", true),
            ("https://issuer.example:8443/keys?x=y", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://127.9.9.9/keys", true),
            ("http://localhost/keys", true),
            ("http://[::1]:80/keys", true),
            ("http://issuer.example/keys", false),
            ("http://localhost.example/keys", false),
            ("http://10.0.0.1/keys", false),
            ("http://127.0.0.1@issuer.example/", false),
            ("https://user:secret@issuer.example/", false),
            ("https://issuer.example/#a", false),
            ("file:///etc/jwks", false),
            ("ftp://127.0.0.1/", false),
            ("https://", false),
            ("/keys", false),
            ("", false),
        ] {
            assert_eq!(check(url).is_ok(), is_good, "{url}");
        }
    }
}
