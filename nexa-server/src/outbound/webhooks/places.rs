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
