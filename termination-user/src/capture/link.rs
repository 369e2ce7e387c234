//! Link types, and where the network layer starts behind their headers.
//!
//! Numbers and layouts: <https://www.tcpdump.org/linktypes.html>.

use std::fmt;

/// The link type of an interface (the LINKTYPE_ numbers of pcap and pcapng).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

/// What a packet's link layer leaves to the parser of frames and packets.
///
/// An offset is where the named thing starts in the packet's data, at most
/// their length; nothing behind it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An Ethernet header.
    Ethernet {
        /// Its first byte.
        offset: usize,
    },
    /// What an EtherType announces: IP, a VLAN tag, MPLS, PPPoE or other.
    EtherType {
        /// The type, host order.
        ether_type: u16,
        /// First byte behind the type.
        offset: usize,
    },
    /// An IP header, its version in its first byte.
    Ip {
        /// Its first byte.
        offset: usize,
    },
    /// This packet carries no IP, or is too short to tell.
    NotIp,
    /// The link type is not read, so no packet with it is.
    Unsupported,
}

/// EtherTypes that link layers without EtherTypes stand for.
const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;

impl LinkType {
    /// BSD loopback: address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet II or IEEE 802.3.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without address and control bytes.
    pub const PPP: Self = Self(9);
    /// Raw IP as most systems number it in memory; found in files all the same.
    pub const RAW_DLT: Self = Self(12);
    /// Raw IP as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC-like framing (RFC 1662).
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session header without Ethernet (RFC 2516).
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked, version 1: what `tcpdump -i any` wrote.
    pub const LINUX_SLL: Self = Self(113);
    /// PPP behind a byte of direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked, version 2: what `tcpdump -i any` writes.
    pub const LINUX_SLL2: Self = Self(276);

    /// Packets of this type can be read.
    pub fn is_supported(self) -> bool {
        self.entry(&[]) != Entry::Unsupported
    }

    /// Where the network layer starts in a packet of this type.
    #[inline]
    pub fn entry(self, data: &[u8]) -> Entry {
        if self == Self::ETHERNET {
            return Entry::Ethernet { offset: 0 };
        }
        self.other(data).unwrap_or(Entry::NotIp)
    }

    /// Every type but the common one; `None` for too short or no IP.
    fn other(self, data: &[u8]) -> Option<Entry> {
        match self {
            Self::RAW | Self::RAW_DLT | Self::RAW_OPENBSD | Self::IPV4 | Self::IPV6 => {
                Some(Entry::Ip { offset: 0 })
            }
            Self::NULL | Self::LOOP => loopback(data),
            Self::PPP | Self::PPP_HDLC => ppp(data, 0),
            Self::PPP_WITH_DIR => ppp(data, 1),
            // Version and type, code, session, length.
            Self::PPP_ETHER => match data {
                // Code 0 is session data; others belong to discovery.
                [0x11, 0, ..] => ppp(data, 6),
                _ => None,
            },
            // Address, control, EtherType.
            Self::C_HDLC => ether_type(data, 2, 4),
            // Packet type, ARPHRD, address length, address (8), protocol.
            Self::LINUX_SLL => cooked(data, 2, 14, 16),
            // Protocol, reserved, interface (4), ARPHRD, packet type, address
            // length, address (8).
            Self::LINUX_SLL2 => cooked(data, 8, 0, 20),
            _ => Some(Entry::Unsupported),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NULL => "BSD loopback",
            Self::ETHERNET => "Ethernet",
            Self::PPP | Self::PPP_HDLC | Self::PPP_WITH_DIR => "PPP",
            Self::RAW | Self::RAW_DLT | Self::RAW_OPENBSD => "raw IP",
            Self::PPP_ETHER => "PPPoE",
            Self::C_HDLC => "Cisco HDLC",
            Self::LOOP => "OpenBSD loopback",
            Self::LINUX_SLL => "Linux cooked v1",
            Self::IPV4 => "raw IPv4",
            Self::IPV6 => "raw IPv6",
            Self::LINUX_SLL2 => "Linux cooked v2",
            // The commonest of those that are not read.
            Self(105) => "IEEE 802.11",
            Self(127) => "IEEE 802.11 with radiotap",
            Self(147..=162) => return write!(f, "private link type {}", self.0),
            Self(195 | 230) => "IEEE 802.15.4",
            Self(239) => "Linux netfilter log",
            Self(253) => "Linux netlink",
            Self(189 | 220 | 249) => "USB",
            Self(number) => return write!(f, "link type {number}"),
        })
    }
}

fn be16(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

/// An EtherType at `at`, what it announces at `offset`.
fn ether_type(data: &[u8], at: usize, offset: usize) -> Option<Entry> {
    let ether_type = be16(data, at)?;
    // Below 0x600 it is a length, or a number of Linux's own (ETH_P_802_2).
    (ether_type >= 0x600 && data.len() >= offset).then_some(Entry::EtherType { ether_type, offset })
}

fn loopback(data: &[u8]) -> Option<Entry> {
    let family = u32::from_le_bytes(*data.first_chunk()?);
    // The file may be from another machine than its section says, so either
    // order will do: families are small.
    match family.min(family.swap_bytes()) {
        // AF_INET; AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD,
        // macOS.
        2 | 10 | 23 | 24 | 28 | 30 => Some(Entry::Ip { offset: 4 }),
        _ => None,
    }
}

fn ppp(data: &[u8], start: usize) -> Option<Entry> {
    let mut at = start;
    match data.get(at..)? {
        // Address "all stations" and control "unnumbered information"
        // (RFC 1662 3.1); may be left out (RFC 1661 6.6).
        [0xff, 0x03, ..] => at += 2,
        // Cisco HDLC on a serial line (unicast, multicast), told by its
        // address.
        [0x0f | 0x8f, 0x00, ..] => return ether_type(data, at + 2, at + 4),
        _ => {}
    }
    // A protocol is even in its first byte and odd in its second; compressed,
    // the first is left out (RFC 1661 6.5).
    let first = *data.get(at)?;
    let protocol = if first & 1 == 1 {
        at += 1;
        u16::from(first)
    } else {
        let protocol = be16(data, at)?;
        at += 2;
        protocol
    };
    let offset = at;
    match protocol {
        // IPv4 (RFC 1332) and IPv6 (RFC 5072).
        0x0021 | 0x0057 => Some(Entry::Ip { offset }),
        // RFC 3032 4.3.
        0x0281 => Some(Entry::EtherType {
            ether_type: MPLS,
            offset,
        }),
        0x0283 => Some(Entry::EtherType {
            ether_type: MPLS_MULTICAST,
            offset,
        }),
        _ => None,
    }
}

/// A Linux cooked header with the device's ARPHRD at `arphrd`, the protocol at
/// `protocol`, `size` bytes in all.
fn cooked(data: &[u8], arphrd: usize, protocol: usize, size: usize) -> Option<Entry> {
    match be16(data, arphrd)? {
        // What follows, and what the protocol field means, is another thing:
        // frame relay (ARPHRD_FRAD), 802.11 with radiotap
        // (ARPHRD_IEEE80211_RADIOTAP), netlink (ARPHRD_NETLINK).
        770 | 803 | 824 => None,
        // ARPHRD_IPGRE holds a GRE protocol type, which is an EtherType; any
        // other (ARPHRD_LOOPBACK, ARPHRD_ETHER, ARPHRD_NONE, ...) an EtherType
        // or a number of Linux's own below 0x600.
        _ => ether_type(data, protocol, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ip(offset: usize) -> Entry {
        Entry::Ip { offset }
    }

    const fn ether(ether_type: u16, offset: usize) -> Entry {
        Entry::EtherType { ether_type, offset }
    }

    fn sll(arphrd: u16, protocol: u16) -> Vec<u8> {
        let mut data = vec![0, 4];
        data.extend(arphrd.to_be_bytes());
        data.extend([0, 6, 1, 2, 3, 4, 5, 6, 0, 0]);
        data.extend(protocol.to_be_bytes());
        data
    }

    fn sll2(arphrd: u16, protocol: u16) -> Vec<u8> {
        let mut data = protocol.to_be_bytes().to_vec();
        data.extend([0, 0, 0, 0, 0, 7]);
        data.extend(arphrd.to_be_bytes());
        data.extend([4, 6, 1, 2, 3, 4, 5, 6, 0, 0]);
        data
    }

    #[test]
    fn entries() {
        let table: &[(&str, LinkType, &[u8], Entry)] = &[
            ("Ethernet", LinkType(1), &[], Entry::Ethernet { offset: 0 }),
            ("raw", LinkType(101), &[0x45], ip(0)),
            ("raw by number 12", LinkType(12), &[0x45], ip(0)),
            ("raw by number 14", LinkType(14), &[0x60], ip(0)),
            ("raw IPv4", LinkType(228), &[0x45], ip(0)),
            ("raw IPv6", LinkType(229), &[0x60], ip(0)),
            ("BSD IPv4, little", LinkType(0), &[2, 0, 0, 0], ip(4)),
            ("BSD IPv4, big", LinkType(0), &[0, 0, 0, 2], ip(4)),
            ("NetBSD IPv6", LinkType(0), &[24, 0, 0, 0], ip(4)),
            ("FreeBSD IPv6", LinkType(0), &[28, 0, 0, 0], ip(4)),
            ("macOS IPv6", LinkType(0), &[30, 0, 0, 0, 0x60], ip(4)),
            ("macOS IPv6, big", LinkType(0), &[0, 0, 0, 30], ip(4)),
            ("Windows IPv6", LinkType(0), &[23, 0, 0, 0], ip(4)),
            ("OpenBSD IPv4", LinkType(108), &[0, 0, 0, 2], ip(4)),
            ("OpenBSD IPv6", LinkType(108), &[0, 0, 0, 24], ip(4)),
            ("AF_UNIX", LinkType(0), &[1, 0, 0, 0], Entry::NotIp),
            ("BSD, short", LinkType(0), &[2, 0, 0], Entry::NotIp),
            ("PPP", LinkType(9), &[0xff, 3, 0, 0x21], ip(4)),
            ("PPP bare", LinkType(9), &[0, 0x57], ip(2)),
            ("PPP one byte", LinkType(9), &[0x21, 0x45], ip(1)),
            ("PPP HDLC", LinkType(50), &[0xff, 3, 0x21], ip(3)),
            ("PPP MPLS", LinkType(9), &[2, 0x81], ether(0x8847, 2)),
            ("PPP MPLS many", LinkType(9), &[2, 0x83], ether(0x8848, 2)),
            ("PPP LCP", LinkType(9), &[0xff, 3, 0xc0, 0x21], Entry::NotIp),
            ("PPP, short", LinkType(9), &[0xff, 3, 0], Entry::NotIp),
            ("PPP, empty", LinkType(9), &[], Entry::NotIp),
            ("PPP way", LinkType(204), &[1, 0xff, 3, 0, 0x21], ip(5)),
            ("PPP way, empty", LinkType(204), &[], Entry::NotIp),
            ("Cisco", LinkType(50), &[0x0f, 0, 8, 0], ether(0x800, 4)),
            (
                "Cisco alone",
                LinkType(104),
                &[0x8f, 0, 0x86, 0xdd],
                ether(0x86dd, 4),
            ),
            (
                "PPPoE",
                LinkType(51),
                &[0x11, 0, 0, 1, 0, 9, 0, 0x21],
                ip(8),
            ),
            (
                "PPPoE discovery",
                LinkType(51),
                &[0x11, 9, 0, 0, 0, 4, 0, 0x21],
                Entry::NotIp,
            ),
            ("PPPoE, short", LinkType(51), &[0x11, 0, 0], Entry::NotIp),
            ("802.11", LinkType(105), &[0; 64], Entry::Unsupported),
        ];
        for (name, link, data, expected) in table {
            assert_eq!(link.entry(data), *expected, "{name}");
        }
    }

    #[test]
    fn cooked_headers() {
        let (v1, v2) = (LinkType::LINUX_SLL, LinkType::LINUX_SLL2);
        // ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE (tun), ARPHRD_IPGRE.
        for arphrd in [1, 772, 0xfffe, 778] {
            for protocol in [0x0800, 0x86dd, 0x8100, 0x8847, 0x8864] {
                let (one, two) = (sll(arphrd, protocol), sll2(arphrd, protocol));
                assert_eq!(v1.entry(&one), ether(protocol, 16));
                assert_eq!(v2.entry(&two), ether(protocol, 20));
                assert_eq!(v1.entry(&one[..15]), Entry::NotIp);
                assert_eq!(v2.entry(&two[..19]), Entry::NotIp);
            }
        }
        // Netlink, and IEEE 802.2 by Linux's number.
        assert_eq!(v1.entry(&sll(824, 0x0800)), Entry::NotIp);
        assert_eq!(v2.entry(&sll2(824, 0x0800)), Entry::NotIp);
        assert_eq!(v1.entry(&sll(1, 4)), Entry::NotIp);
    }

    #[test]
    fn any_bytes_of_any_type() {
        let patterns = [[0; 24], [0xff; 24], [0x11; 24], [0x21; 24], [2; 24]];
        for number in 0..=300 {
            for data in patterns {
                for length in 0..data.len() {
                    let offset = match LinkType(number).entry(&data[..length]) {
                        Entry::Ethernet { offset }
                        | Entry::EtherType { offset, .. }
                        | Entry::Ip { offset } => offset,
                        Entry::NotIp | Entry::Unsupported => 0,
                    };
                    assert!(offset <= length);
                }
            }
        }
    }

    #[test]
    fn names() {
        assert!(LinkType::ETHERNET.is_supported());
        assert!(LinkType::PPP.is_supported());
        assert!(!LinkType(127).is_supported());
        assert_eq!(LinkType(276).to_string(), "Linux cooked v2");
        assert_eq!(LinkType(999).to_string(), "link type 999");
    }
}
