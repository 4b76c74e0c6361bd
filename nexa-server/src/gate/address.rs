//! The client's address: the peer's, or what a proxy we trust says of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

use crate::domain::keys;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of whoever sent the request; `None` when a trusted proxy names it in a way that cannot be read.
///
/// `X-Forwarded-For` is read from the right, as long as the hop that wrote it is a trusted proxy.
/// From any other peer the header says nothing, and a trusted one without it speaks for itself.
///
/// # Security
/// Clients choose what stands to the left of the hop that a proxy appends, down to single bytes. Nothing they
/// write may make a proxy's own address pass for theirs: keys can be bound to it.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = peer.to_canonical();
    let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    while is_trusted(client, trusted)
        && let Some(hop) = hops.next()
    {
        client = parse(hop.trim_ascii())?.to_canonical();
    }
    Some(client)
}

/// Whether a hop is one of the proxies that are believed.
pub(crate) fn is_trusted(hop: IpAddr, trusted: &[IpNet]) -> bool {
    let hop = hop.to_canonical();
    trusted.iter().any(|net| net.contains(&hop))
}

/// Reads what an operator declares as trusted: a block, or one address.
///
/// # Errors
/// The rule.
pub(crate) fn trusted(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>();
    let block = address.map_or_else(|_| text.parse(), |one| Ok(IpNet::from(one)));
    let block = block.map_err(|_| {
        format!("{text:?} must be an IP address or a CIDR block, such as 10.0.0.1 or 10.0.0.0/8")
    })?;
    match keys::canonical(block) {
        // It would trust nobody that it seems to name.
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => Err(format!(
            "{text:?} must be an IPv4 block, or have a prefix of 96 bits at least: it is of IPv4-mapped addresses"
        )),
        block => Ok(block),
    }
}

/// Whether a peer we do not trust claims to forward for somebody: behind an undeclared proxy
/// everybody would share one limit, which the operator should hear of.
pub(crate) fn is_undeclared_proxy(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    headers.contains_key(&X_FORWARDED_FOR) && !is_trusted(peer, trusted)
}

/// What limits count by: an IPv4 address, or the /64 of an IPv6 one, since a /64 is one subscriber's.
pub(crate) fn limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// An address, or an address with a port as some proxies write it.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    hop.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_address_is_trusted_as_well_as_a_block() {
        for (declared, hop, is_trusted) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:10.0.0.1/128", "::ffff:10.0.0.1", true),
            ("::ffff:0:0/96", "203.0.113.9", true),
            ("::/0", "2001:db8::1", true),
        ] {
            let trusted = [super::trusted(declared).unwrap()];
            let found = super::is_trusted(hop.parse().unwrap(), &trusted);
            assert_eq!(found, is_trusted, "{declared} {hop}");
        }
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0.1:80", "[::1]"] {
            let problem = super::trusted(bad).unwrap_err();
            assert!(
                problem.contains("an IP address or a CIDR block"),
                "{problem}"
            );
        }
        let problem = super::trusted("::ffff:10.0.0.0/8").unwrap_err();
        assert!(problem.contains("a prefix of 96 bits"), "{problem}");
    }

    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_trusted_hops_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, forwarded, expected) in [
            (
                "203.0.113.9",
                &[&b"198.51.100.1"[..]][..],
                Some("203.0.113.9"),
            ),
            ("203.0.113.9", &[b"\xff"], Some("203.0.113.9")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &[b"198.51.100.1"], Some("198.51.100.1")),
            (
                "10.0.0.1",
                &[b"6.6.6.6, 198.51.100.1, 10.0.0.2"],
                Some("198.51.100.1"),
            ),
            (
                "10.0.0.1",
                &[b"6.6.6.6", b"198.51.100.1"],
                Some("198.51.100.1"),
            ),
            ("10.0.0.1", &[b"10.0.0.3,\t10.0.0.2 "], Some("10.0.0.3")),
            ("10.0.0.1", &[b"198.51.100.1:4711"], Some("198.51.100.1")),
            ("::ffff:10.0.0.1", &[b"2001:db8::1"], Some("2001:db8::1")),
            ("::1", &[b"[2001:db8::1]:4711"], Some("2001:db8::1")),
            // What a client wrote says nothing once its own hop is known.
            ("10.0.0.1", &[b"\xff, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &[b"\xff", b"203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &[b",unknown, 203.0.113.9"], Some("203.0.113.9")),
            // What a trusted proxy claims is known or unknown, and never the proxy itself.
            ("10.0.0.1", &[b"\xff"], None),
            ("10.0.0.1", &[b"203.0.113.9\xff"], None),
            ("10.0.0.1", &[b"203.0.113.9, \xff"], None),
            ("10.0.0.1", &[b"203.0.113.9", b"\xff"], None),
            ("10.0.0.1", &[b"\xff, 10.0.0.2"], None),
            ("10.0.0.1", &[b"203.0.113.9, unknown"], None),
            ("10.0.0.1", &[b"203.0.113.9,"], None),
            ("10.0.0.1", &[b"203.0.113.9", b""], None),
            ("10.0.0.1", &[b""], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
            }
            let lines: Vec<_> = forwarded.iter().map(|line| line.escape_ascii()).collect();
            assert_eq!(
                client(peer.parse().unwrap(), &headers, &trusted),
                expected.map(|address| address.parse::<IpAddr>().unwrap()),
                "{peer} {lines:?}"
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
