//! Where a delivery may go: https to public addresses, and to the hosts that the operator has named.

use std::fmt;
use std::net::IpAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::places;

/// Hosts that tenants may name although they are not public, and over http too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Host names and addresses, an IPv6 address in brackets, each without scheme and port.
    ///
    /// # Errors
    /// The first that is none, with the rule.
    pub(crate) fn new(hosts: &[String]) -> Result<Self, String> {
        let checked = hosts.iter().map(|host| {
            let whole: Result<Uri, _> = format!("http://{host}/").parse();
            let is_host = whole.is_ok_and(|uri| uri.host() == Some(host.as_str()))
                && !host.is_empty()
                && !host.contains(['@', '*', '%']);
            match is_host {
                true => Ok(normal(host)),
                false => Err(format!(
                    "{host:?} must be a host name or an address, without scheme, port and wildcard"
                )),
            }
        });
        Ok(Self(checked.collect::<Result<_, _>>()?))
    }

    fn has(&self, host: &str) -> bool {
        self.0.contains(&normal(host))
    }
}

/// As hosts are compared: in lower case, without the dot of the root.
fn normal(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    host.strip_suffix('.').map(str::to_owned).unwrap_or(host)
}

/// Looks a name up once for an attempt, and refuses it if any of the addresses is not public. The connection goes to the
/// addresses that were looked at: what the name means a moment later does not matter.
pub(super) struct Guard<R> {
    pub(super) allowed: AllowedHosts,
    pub(super) resolver: R,
}

impl<R> fmt::Debug for Guard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl<R: Resolver> Resolver for Guard<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let blocked = |why: Blocked| ureq::Error::Other(Box::new(why));
        let is_plain = uri
            .authority()
            .is_some_and(|all| !all.as_str().contains('@'));
        let Some(host) = uri.host().filter(|_| is_plain) else {
            return Err(blocked(Blocked::NoHost));
        };
        let is_allowed = self.allowed.has(host);
        if uri.scheme() != Some(&Scheme::HTTPS) && !is_allowed {
            return Err(blocked(Blocked::Http));
        }
        let found = self.resolver.resolve(uri, config, timeout)?;
        let is_public = |address: IpAddr| places::is_public(address);
        match is_allowed || found.iter().all(|address| is_public(address.ip())) {
            true => Ok(found),
            false => Err(blocked(Blocked::Address)),
        }
    }
}

/// Why nothing was sent. It does not say which address a name has: that may be the operator's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    NoHost,
    Http,
    Address,
}

impl Blocked {
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::NoHost => "the URL has no plain host",
            Self::Http => "http:// only goes to hosts that the operator of this server allows",
            Self::Address => "the host has an address that is not public",
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Blocked {}
