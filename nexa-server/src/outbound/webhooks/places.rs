//! Which addresses are public.
//!
//! The tables are those of the special-purpose registries of IANA (RFC 6890, RFC 8190) as of 2026, of multicast (RFC 5771,
//! RFC 4291 §2.7) and of what is reserved (RFC 1112 §4), except for what those call globally reachable. An IPv6 address that
//! carries an IPv4 one is as public as that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// Blocks by their first address and the length of their prefix.
const SPECIAL_V4: [(u32, u32); 17] = [
    (v4(0, 0, 0, 0), 8), // this network (RFC 791 §3.2); Linux takes 0.0.0.0 for itself
    (v4(10, 0, 0, 0), 8), // private (RFC 1918)
    (v4(100, 64, 0, 0), 10), // carriers' shared space (RFC 6598)
    (v4(127, 0, 0, 0), 8), // loopback (RFC 1122)
    (v4(169, 254, 0, 0), 16), // link-local (RFC 3927); clouds tell secrets at 169.254.169.254
    (v4(172, 16, 0, 0), 12), // private
    (v4(192, 0, 0, 0), 24), // IETF protocol assignments (RFC 6890)
    (v4(192, 0, 2, 0), 24), // documentation (RFC 5737)
    (v4(192, 31, 196, 0), 24), // AS112 (RFC 7535): answered by whoever is near
    (v4(192, 52, 193, 0), 24), // AMT relays (RFC 7450)
    (v4(192, 88, 99, 0), 24), // 6to4 relays (RFC 7526)
    (v4(192, 168, 0, 0), 16), // private
    (v4(192, 175, 48, 0), 24), // AS112 (RFC 7534)
    (v4(198, 18, 0, 0), 15), // benchmarks (RFC 2544)
    (v4(198, 51, 100, 0), 24), // documentation
    (v4(203, 0, 113, 0), 24), // documentation
    (v4(224, 0, 0, 0), 3), // multicast, reserved and broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let is_in = |(first, length): &(u32, u32)| (bits ^ first) >> (32 - length) == 0;
    !SPECIAL_V4.iter().any(is_in)
}

/// Of 2000::/3, which is all that is assigned as global unicast: the blocks that are not.
const SPECIAL_V6: [(u128, u32); 5] = [
    (0x2001_0000 << 96, 23), // IETF protocol assignments (RFC 2928): Teredo, benchmarks, ORCHID, …
    (0x2001_0db8 << 96, 32), // documentation (RFC 3849)
    (0x2620_004f_8000 << 80, 48), // AS112 (RFC 7534)
    (0x3fff_0000 << 96, 20), // documentation (RFC 9637)
    (0x3ffe_0000 << 96, 16), // 6bone, returned (RFC 3701)
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    let is_in = |first: u128, length: u32| (bits ^ first) >> (128 - length) == 0;
    let carried = |shift: u32| {
        let low = u32::try_from((bits >> shift) & u128::from(u32::MAX)).unwrap_or(0);
        is_public_v4(Ipv4Addr::from(low))
    };
    // NAT64 (RFC 6052): its well-known prefix leads to the IPv4 address at the end. That of local use (RFC 8215) leads anywhere.
    if is_in(0x0064_ff9b << 96, 96) {
        return carried(0);
    }
    // 6to4 (RFC 3056): behind the first 16 bits stands the IPv4 address of the router.
    if is_in(0x2002 << 112, 16) {
        return carried(80);
    }
    // ISATAP (RFC 5214 §6.1): the IPv4 address of a machine behind the prefix of a site.
    let interface = (bits >> 32) & u128::from(u32::MAX);
    if matches!(interface, 0x5efe | 0x0200_5efe) && !carried(0) {
        return false;
    }
    // Among the rest are loopback, mapped and compatible addresses, unique local, link-local, site-local and multicast.
    let is_global = is_in(0x2000 << 112, 3);
    is_global
        && !SPECIAL_V6
            .iter()
            .any(|(first, length)| is_in(*first, *length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for (address, expected) in [
            ("1.1.1.1", true),
            ("9.255.255.255", true),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("172.15.255.255", true),
            ("172.32.0.0", true),
            ("192.0.1.0", true),
            ("192.167.255.255", true),
            ("192.169.0.0", true),
            ("198.17.255.255", true),
            ("198.20.0.0", true),
            ("223.255.255.255", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("10.255.255.255", false),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("127.0.0.1", false),
            ("127.255.255.255", false),
            ("169.254.169.254", false),
            ("172.16.0.0", false),
            ("172.31.255.255", false),
            ("192.0.0.1", false),
            ("192.0.0.170", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.168.0.1", false),
            ("198.18.0.0", false),
            ("198.19.255.255", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("239.255.255.250", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("2a00:1450:4001::200e", true),
            ("2001:200::1", true),
            ("2001:4860:4860::8888", true),
            ("64:ff9b::1.1.1.1", true),
            ("2002:101:101::1", true),
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("::127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:1.1.1.1", false),
            ("::ffff:0:127.0.0.1", false),
            ("64:ff9b::127.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::169.254.169.254", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:0:7f00:1::", false),
            ("2001:2::1", false),
            ("2001:10::1", false),
            ("2001:20::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("2002:a00:1::1", false),
            ("2002:c0a8:101::1", false),
            ("2606:4700::5efe:127.0.0.1", false),
            ("2606:4700::200:5efe:10.0.0.1", false),
            ("3fff::1", false),
            ("3ffe::1", false),
            ("4000::1", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(is_public(parsed), expected, "{address}");
        }
    }
}
