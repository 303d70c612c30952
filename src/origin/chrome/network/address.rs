//! Which addresses are public: pure, from the IANA special-purpose registries. Everything that captures or
//! fetches on behalf of a stranger asks here.
//!
//! In IPv6 only what IANA has given out as global unicast (2000::/3) is public, and every form that carries
//! an IPv4 address inside (mapped, NAT64, 6to4, Teredo) is special: it could lead to a private one.

use std::fmt;
use std::net::IpAddr;

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// "This network", `0.0.0.0/8` and `::`.
    Unspecified,
    /// The machine itself.
    Loopback,
    /// RFC 1918 and unique local addresses.
    Private,
    /// One link, among them most clouds' metadata services.
    LinkLocal,
    /// A cloud's metadata service at an address that is none of the others.
    Metadata,
    /// Carrier-grade NAT, RFC 6598.
    Shared,
    /// Multicast and broadcast.
    Multicast,
    /// Documentation and benchmarks.
    Documentation,
    /// IPv4 inside IPv6: mapped, compatible, NAT64, 6to4, Teredo.
    Embedded,
    /// Protocol assignments and what is not given out.
    Reserved,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Special::Unspecified => "unspecified",
            Special::Loopback => "loopback",
            Special::Private => "private",
            Special::LinkLocal => "link-local",
            Special::Metadata => "a metadata service",
            Special::Shared => "shared (carrier-grade NAT)",
            Special::Multicast => "multicast",
            Special::Documentation => "for documentation or benchmarks",
            Special::Embedded => "IPv4 embedded in IPv6",
            Special::Reserved => "reserved",
        })
    }
}

/// Why `address` is not public; `None` if it is.
pub fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(v4) => {
            let bits = u32::from(v4);
            let known = V4.iter().find(|(net, length, _)| (bits ^ net) >> (32 - length) == 0);
            known.map(|&(.., why)| why)
        }
        IpAddr::V6(v6) => {
            let bits = u128::from(v6);
            let known = V6.iter().find(|(net, length, _)| (bits ^ net) >> (128 - length) == 0);
            known.map(|&(.., why)| why).or((bits >> 125 != 0b001).then_some(Special::Reserved))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// Network, prefix length, reason; the first that holds the address wins.
const V4: [(u32, u32, Special); 18] = [
    (v4(0, 0, 0, 0), 8, Special::Unspecified),
    (v4(127, 0, 0, 0), 8, Special::Loopback),
    (v4(10, 0, 0, 0), 8, Special::Private),
    (v4(172, 16, 0, 0), 12, Special::Private),
    (v4(192, 168, 0, 0), 16, Special::Private),
    (v4(169, 254, 0, 0), 16, Special::LinkLocal),
    (v4(100, 100, 100, 200), 32, Special::Metadata),
    (v4(168, 63, 129, 16), 32, Special::Metadata),
    (v4(192, 0, 0, 192), 32, Special::Metadata),
    (v4(100, 64, 0, 0), 10, Special::Shared),
    (v4(224, 0, 0, 0), 4, Special::Multicast),
    (v4(255, 255, 255, 255), 32, Special::Multicast),
    (v4(192, 0, 0, 0), 24, Special::Reserved),
    (v4(192, 0, 2, 0), 24, Special::Documentation),
    (v4(198, 18, 0, 0), 15, Special::Documentation),
    (v4(198, 51, 100, 0), 24, Special::Documentation),
    (v4(203, 0, 113, 0), 24, Special::Documentation),
    (v4(240, 0, 0, 0), 4, Special::Reserved),
];

/// As [`V4`]. 192.88.99.0/24, the 6to4 relays, is ordinary unicast today; its IPv6 side is refused here.
const V6: [(u128, u32, Special); 15] = [
    (0, 128, Special::Unspecified),
    (1, 128, Special::Loopback),
    (0xffff << 32, 96, Special::Embedded),
    (0xffff << 48, 96, Special::Embedded),
    (0, 96, Special::Embedded),
    (0x64_ff9b << 96, 96, Special::Embedded),
    (0x64_ff9b_0001 << 80, 48, Special::Embedded),
    (0x2002 << 112, 16, Special::Embedded),
    (0x2001 << 112, 32, Special::Embedded),
    (0x2001 << 112, 23, Special::Reserved),
    (0x2001_0db8 << 96, 32, Special::Documentation),
    (0x3fff << 112, 20, Special::Documentation),
    (0xfc00 << 112, 7, Special::Private),
    (0xfe80 << 112, 10, Special::LinkLocal),
    (0xff00 << 112, 8, Special::Multicast),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_ranges_are_told_from_public_ones() {
        use Special::*;
        for (address, expected) in [
            ("0.0.0.0", Some(Unspecified)),
            ("0.1.2.3", Some(Unspecified)),
            ("127.0.0.1", Some(Loopback)),
            ("127.255.255.255", Some(Loopback)),
            ("10.0.0.1", Some(Private)),
            ("172.15.255.255", None),
            ("172.16.0.0", Some(Private)),
            ("172.31.255.255", Some(Private)),
            ("172.32.0.0", None),
            ("192.168.1.1", Some(Private)),
            ("169.254.169.254", Some(LinkLocal)),
            ("100.100.100.200", Some(Metadata)),
            ("168.63.129.16", Some(Metadata)),
            ("192.0.0.192", Some(Metadata)),
            ("100.63.255.255", None),
            ("100.64.0.1", Some(Shared)),
            ("100.127.255.255", Some(Shared)),
            ("100.128.0.0", None),
            ("192.0.0.8", Some(Reserved)),
            ("192.0.2.1", Some(Documentation)),
            ("198.17.255.255", None),
            ("198.19.0.1", Some(Documentation)),
            ("198.51.100.7", Some(Documentation)),
            ("203.0.113.7", Some(Documentation)),
            ("224.0.0.1", Some(Multicast)),
            ("239.255.255.255", Some(Multicast)),
            ("240.0.0.1", Some(Reserved)),
            ("255.255.255.255", Some(Multicast)),
            ("1.1.1.1", None),
            ("223.255.255.255", None),
            ("::", Some(Unspecified)),
            ("::1", Some(Loopback)),
            ("::127.0.0.1", Some(Embedded)),
            ("::ffff:127.0.0.1", Some(Embedded)),
            ("::ffff:1.1.1.1", Some(Embedded)),
            ("::ffff:0:10.0.0.1", Some(Embedded)),
            ("64:ff9b::7f00:1", Some(Embedded)),
            ("64:ff9b:1::a00:1", Some(Embedded)),
            ("2002:7f00:1::", Some(Embedded)),
            ("2001::1", Some(Embedded)),
            ("2001:2::1", Some(Reserved)),
            ("2001:1ff::1", Some(Reserved)),
            ("2001:200::1", None),
            ("2001:db8::1", Some(Documentation)),
            ("3fff::1", Some(Documentation)),
            ("3fff:1000::1", None),
            ("fc00::1", Some(Private)),
            ("fd00:ec2::254", Some(Private)),
            ("fe80::1", Some(LinkLocal)),
            ("fec0::1", Some(Reserved)),
            ("ff02::1", Some(Multicast)),
            ("100::1", Some(Reserved)),
            ("4000::1", Some(Reserved)),
            ("2606:4700:4700::1111", None),
            ("2a00:1450::1", None),
        ] {
            let address: IpAddr = address.parse().expect(address);
            assert_eq!(special(address), expected, "{address}");
        }
    }
}
