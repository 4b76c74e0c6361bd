//! The client's address: the peer's, or what a proxy we trust says of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of whoever sent the request.
///
/// `X-Forwarded-For` is read from the right, as long as the hop that wrote it is a trusted proxy.
/// From any other peer the header says nothing.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
    for hop in lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.rsplit(','))
    {
        match parse(hop.trim()) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Whether a peer we do not trust claims to forward for somebody: behind an undeclared proxy
/// everybody would share one limit, which the operator should hear of.
pub(crate) fn is_undeclared_proxy(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    headers.contains_key(&X_FORWARDED_FOR)
        && !trusted.iter().any(|net| net.contains(&peer.to_canonical()))
}

/// What limits count by: an IPv4 address, or the /64 of an IPv6 one, since a /64 is one subscriber's.
pub(crate) fn limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// An address, or an address with a port as some proxies write it.
fn parse(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_trusted_hops_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["6.6.6.6, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            assert_eq!(
                client(peer.parse().unwrap(), &headers, &trusted),
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {forwarded:?}"
            );
        }
    }

    #[test]
    fn one_subscriber_has_one_key() {
        for (address, expected) in [
            ("198.51.100.1", "198.51.100.1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(
                limit_key(address.parse().unwrap()),
                expected.parse::<IpAddr>().unwrap()
            );
        }
    }
}
