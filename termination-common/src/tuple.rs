//! The identity of a connection: two endpoints in canonical order.

/// One endpoint: address and port. IPv4 is held as an IPv4-mapped IPv6
/// address (RFC 4291 2.5.5.2) so that every tuple has one shape; [`Tuple`]
/// keeps the family beside it, so a real `::ffff:0:0/96` packet never meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address as two big-endian halves.
    pub address: [u64; 2],
    /// The port in host order.
    pub port: u16,
}

impl Endpoint {
    /// An IPv4 endpoint from the address in host order.
    #[inline(always)]
    pub const fn v4(address: u32, port: u16) -> Self {
        Self {
            address: [0, 0xffff_0000_0000 | address as u64],
            port,
        }
    }

    /// An IPv6 endpoint from the address's sixteen bytes.
    #[inline(always)]
    pub const fn v6(address: [u8; 16], port: u16) -> Self {
        let value = u128::from_be_bytes(address);
        Self {
            address: [(value >> 64) as u64, value as u64],
            port,
        }
    }
}

/// IP version of a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 4,
    /// IPv6.
    V6 = 6,
}

/// Index of an endpoint (and of the half of a connection it sends) within the
/// canonical order of a [`Tuple`]: 0 for the lower endpoint, 1 for the higher.
pub type Side = usize;

/// Both endpoints in canonical order (lower first), the IP version and the
/// zone: 40 bytes, the same for both directions of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Tuple {
    /// Address of endpoint 0, address of endpoint 1, then
    /// `port0 | port1 << 16 | zone << 32 | family << 48`.
    pub words: [u64; 5],
}

impl Tuple {
    /// Orders two endpoints. Returns the tuple and the side of `source`, or
    /// `None` when both are equal (LAND, self-connect: counted, not tracked).
    #[inline(always)]
    pub fn new(
        source: Endpoint,
        destination: Endpoint,
        family: Family,
        zone: u16,
    ) -> Option<(Self, Side)> {
        let lower = if source.address[0] != destination.address[0] {
            source.address[0] < destination.address[0]
        } else if source.address[1] != destination.address[1] {
            source.address[1] < destination.address[1]
        } else if source.port != destination.port {
            source.port < destination.port
        } else {
            return None;
        };
        let (first, second) = if lower {
            (source, destination)
        } else {
            (destination, source)
        };
        let tail = u64::from(first.port)
            | u64::from(second.port) << 16
            | u64::from(zone) << 32
            | (family as u64) << 48;
        let words = [
            first.address[0],
            first.address[1],
            second.address[0],
            second.address[1],
            tail,
        ];
        Some((Self { words }, usize::from(!lower)))
    }

    /// The same tuple. Without a branch between the words: a comparison of this
    /// size becomes a call of `memcmp`, which BPF has only byte by byte.
    #[inline(always)]
    pub const fn is(&self, other: &Self) -> bool {
        let [a, b, c, d, e] = self.words;
        let [v, w, x, y, z] = other.words;
        (a ^ v) | (b ^ w) | (c ^ x) | (d ^ y) | (e ^ z) == 0
    }

    /// The endpoint of one side.
    #[inline(always)]
    pub const fn endpoint(&self, side: Side) -> Endpoint {
        let [a0, a1, b0, b1, tail] = self.words;
        if side == 0 {
            Endpoint {
                address: [a0, a1],
                port: tail as u16,
            }
        } else {
            Endpoint {
                address: [b0, b1],
                port: (tail >> 16) as u16,
            }
        }
    }

    /// The zone that policy gave the interface (0 unless set).
    pub const fn zone(&self) -> u16 {
        (self.words[4] >> 32) as u16
    }

    /// The IP version.
    pub const fn family(&self) -> Family {
        if (self.words[4] >> 48) as u8 == Family::V6 as u8 {
            Family::V6
        } else {
            Family::V4
        }
    }

    /// A keyed 64-bit hash, equal for both directions. Multiply, fold, add:
    /// five rounds of 64-bit arithmetic, since BPF has no 128-bit product.
    /// With the seed secret, a sender cannot aim at a line of the table.
    #[inline(always)]
    pub const fn hash(&self, seed: [u64; 2]) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let [a, b, c, d, e] = self.words;
        let mut h = seed[0];
        h = (h ^ a).wrapping_mul(ODD);
        h ^= h >> 29;
        h = (h ^ b ^ seed[1]).wrapping_mul(ODD);
        h ^= h >> 32;
        h = (h ^ c).wrapping_mul(ODD);
        h ^= h >> 29;
        h = (h ^ d ^ seed[1].rotate_left(32)).wrapping_mul(ODD);
        h ^= h >> 32;
        h = (h ^ e).wrapping_mul(ODD);
        h ^ (h >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_one_tuple() {
        let a = Endpoint::v4(0x0a00_0001, 40000);
        let b = Endpoint::v4(0x0a00_0002, 443);
        let (forward, side_a) = Tuple::new(a, b, Family::V4, 0).unwrap();
        let (backward, side_b) = Tuple::new(b, a, Family::V4, 0).unwrap();
        assert_eq!(forward, backward);
        assert_eq!((side_a, side_b), (0, 1));
        assert_eq!(forward.endpoint(0), a);
        assert_eq!(forward.endpoint(1), b);
        assert_eq!(forward.hash([1, 2]), backward.hash([1, 2]));
        assert_ne!(forward.hash([1, 2]), forward.hash([1, 3]));
    }

    #[test]
    fn the_port_orders_equal_addresses_and_equal_endpoints_are_refused() {
        let a = Endpoint::v4(1, 9);
        let b = Endpoint::v4(1, 8);
        assert_eq!(Tuple::new(a, b, Family::V4, 0).unwrap().1, 1);
        assert!(Tuple::new(a, a, Family::V4, 0).is_none());
    }

    #[test]
    fn zone_and_family_separate_tuples() {
        let a = Endpoint::v4(1, 9);
        let b = Endpoint::v4(2, 8);
        let (plain, _) = Tuple::new(a, b, Family::V4, 0).unwrap();
        let (zoned, _) = Tuple::new(a, b, Family::V4, 7).unwrap();
        let (mapped, _) = Tuple::new(a, b, Family::V6, 0).unwrap();
        assert_ne!(plain, zoned);
        assert_ne!(plain, mapped);
        assert_eq!(zoned.zone(), 7);
        assert_eq!(mapped.family(), Family::V6);
    }
}
