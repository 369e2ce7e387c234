//! A builder of frames, for tests: what it makes is right, checksums and
//! lengths included, unless told otherwise.
//!
//! ```
//! # #[cfg(feature = "build")] {
//! use termination_common::{segment::Flags, wire::build::Frame};
//!
//! let frame = Frame::v4("10.0.0.1:40000", "10.0.0.2:443")
//!     .vlan(5)
//!     .tcp(Flags::SYN)
//!     .seq(1000)
//!     .options(&[2, 4, 5, 180])
//!     .build();
//! assert_eq!(frame.len(), 14 + 4 + 20 + 20 + 4);
//! # }
//! ```

extern crate alloc;

mod zoo;

use alloc::{vec, vec::Vec};
use core::net::{IpAddr, SocketAddr};

use super::{Bytes, checksum::fold, ethertype, ip::protocol};
pub use zoo::zoo;

/// What to put into the TCP checksum field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The checksum.
    Good,
    /// Anything else.
    Bad,
    /// The sum of the pseudo-header alone, as a sender leaves it to hardware.
    Partial,
}

/// A frame to be.
#[derive(Clone, Debug)]
pub struct Frame {
    source: SocketAddr,
    destination: SocketAddr,
    ethernet: bool,
    /// Tags as (EtherType, identifier), outermost first.
    tags: Vec<(u16, u16)>,
    hops: u8,
    traffic_class: u8,
    flow_label: u32,
    identification: u16,
    /// Flags and fragment offset, as in IPv4's field.
    fragment: Option<u16>,
    ip_options: Vec<u8>,
    /// IPv6 extension headers with the number of each.
    extensions: Vec<(u8, Vec<u8>)>,
    protocol: u8,
    ip_length: Option<u16>,
    flags: u8,
    seq: u32,
    ack: u32,
    window: u16,
    options: Vec<u8>,
    data_offset: Option<u8>,
    payload: Vec<u8>,
    checksum: Checksum,
    padding: usize,
}

impl Frame {
    /// Over IPv4, from and to an address with port.
    ///
    /// # Panics
    /// Where that is not what the texts say.
    #[must_use]
    pub fn v4(source: &str, destination: &str) -> Self {
        let frame = Self::between(source.parse().unwrap(), destination.parse().unwrap());
        assert!(frame.source.is_ipv4() && frame.destination.is_ipv4());
        frame
    }

    /// Over IPv6, likewise (`[2001:db8::1]:80`).
    ///
    /// # Panics
    /// Where that is not what the texts say.
    #[must_use]
    pub fn v6(source: &str, destination: &str) -> Self {
        let frame = Self::between(source.parse().unwrap(), destination.parse().unwrap());
        assert!(frame.source.is_ipv6() && frame.destination.is_ipv6());
        frame
    }

    /// From and to these endpoints, of one IP version. An ACK without payload
    /// until told otherwise.
    #[must_use]
    pub const fn between(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            ethernet: true,
            tags: Vec::new(),
            hops: 64,
            traffic_class: 0,
            flow_label: 0,
            identification: 1,
            fragment: None,
            ip_options: Vec::new(),
            extensions: Vec::new(),
            protocol: protocol::TCP,
            ip_length: None,
            flags: 0x10,
            seq: 0,
            ack: 0,
            window: 0xffff,
            options: Vec::new(),
            data_offset: None,
            payload: Vec::new(),
            checksum: Checksum::Good,
            padding: 0,
        }
    }

    /// No Ethernet header, and no tags.
    #[must_use]
    pub const fn raw(mut self) -> Self {
        self.ethernet = false;
        self
    }

    /// One more 802.1Q tag, inside those that are there.
    #[must_use]
    pub fn vlan(self, identifier: u16) -> Self {
        self.tag(ethertype::VLAN, identifier)
    }

    /// One more tag of this EtherType.
    #[must_use]
    pub fn tag(mut self, ethertype: u16, identifier: u16) -> Self {
        self.tags.push((ethertype, identifier));
        self
    }

    /// TTL or hop limit.
    #[must_use]
    pub const fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// Type of service or traffic class.
    #[must_use]
    pub const fn traffic_class(mut self, class: u8) -> Self {
        self.traffic_class = class;
        self
    }

    /// IPv6 flow label.
    #[must_use]
    pub const fn flow_label(mut self, label: u32) -> Self {
        self.flow_label = label & 0xf_ffff;
        self
    }

    /// IPv4 identification.
    #[must_use]
    pub const fn identification(mut self, identification: u16) -> Self {
        self.identification = identification;
        self
    }

    /// A fragment at `offset` (in units of eight bytes), of which there are
    /// `more` or not. The rest stays whole: cut it, if it matters.
    #[must_use]
    pub const fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some(offset & 0x1fff | (more as u16) << 13);
        self
    }

    /// IPv4 options; padded to whole words.
    #[must_use]
    pub fn ip_options(mut self, options: &[u8]) -> Self {
        self.ip_options = padded(options, 4);
        self
    }

    /// One more IPv6 extension header: its number and what comes after its
    /// next-header field.
    #[must_use]
    pub fn extension(mut self, number: u8, content: &[u8]) -> Self {
        self.extensions.push((number, content.to_vec()));
        self
    }

    /// One more IPv6 extension header with nothing in it, of `size` bytes, a
    /// multiple of eight (for an authentication header: of four).
    #[must_use]
    pub fn extension_of(self, number: u8, size: usize) -> Self {
        let mut content = vec![0; size - 1];
        content[0] = match number {
            protocol::AUTHENTICATION => size / 4 - 2,
            _ => size / 8 - 1,
        } as u8;
        self.extension(number, &content)
    }

    /// Another IP protocol number over the same bytes.
    #[must_use]
    pub const fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    /// The IP length field, as it is not.
    #[must_use]
    pub const fn ip_length(mut self, length: u16) -> Self {
        self.ip_length = Some(length);
        self
    }

    /// TCP flags: bits of [`crate::segment::Flags`].
    #[must_use]
    pub const fn tcp(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// Sequence number.
    #[must_use]
    pub const fn seq(mut self, seq: u32) -> Self {
        self.seq = seq;
        self
    }

    /// Acknowledgment number.
    #[must_use]
    pub const fn ack(mut self, ack: u32) -> Self {
        self.ack = ack;
        self
    }

    /// Window field.
    #[must_use]
    pub const fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// TCP options; padded to whole words.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = padded(options, 4);
        self
    }

    /// The TCP options of a data segment of every common stack.
    #[must_use]
    pub fn timestamps(self, value: u32, reply: u32) -> Self {
        let mut options = vec![1, 1, 8, 10];
        options.extend(value.to_be_bytes());
        options.extend(reply.to_be_bytes());
        self.options(&options)
    }

    /// The data offset field in words, as it is not.
    #[must_use]
    pub const fn data_offset(mut self, words: u8) -> Self {
        self.data_offset = Some(words);
        self
    }

    /// Bytes of payload.
    #[must_use]
    pub fn payload(self, length: usize) -> Self {
        self.content(&(0..length).map(|at| at as u8).collect::<Vec<_>>())
    }

    /// This payload.
    #[must_use]
    pub fn content(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// What to put into the checksum field.
    #[must_use]
    pub const fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    /// Bytes of padding behind the packet.
    #[must_use]
    pub const fn padding(mut self, length: usize) -> Self {
        self.padding = length;
        self
    }

    /// The frame.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let tcp = self.segment();
        let (kind, packet) = if self.source.is_ipv4() {
            (ethertype::IPV4, self.packet_v4(&tcp))
        } else {
            (ethertype::IPV6, self.packet_v6(&tcp))
        };
        let mut frame = Vec::new();
        if self.ethernet {
            frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
            for (kind, identifier) in &self.tags {
                frame.extend(kind.to_be_bytes());
                frame.extend(identifier.to_be_bytes());
            }
            frame.extend(kind.to_be_bytes());
        }
        frame.extend(packet);
        frame.resize(frame.len() + self.padding, 0xa5);
        frame
    }

    /// TCP header, options and payload.
    fn segment(&self) -> Vec<u8> {
        let words = 5 + self.options.len() / 4;
        let words = self.data_offset.unwrap_or(words as u8);
        let mut tcp = Vec::new();
        tcp.extend(self.source.port().to_be_bytes());
        tcp.extend(self.destination.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([words << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&self.options);
        tcp.extend(&self.payload);

        let mut pseudo = address(self.source);
        pseudo.extend(address(self.destination));
        pseudo.extend(u32::from(protocol::TCP).to_be_bytes());
        pseudo.extend((tcp.len() as u32).to_be_bytes());
        let pseudo = sum(&pseudo);
        let good = !(fold(u64::from(pseudo) + u64::from(sum(&tcp))) as u16);
        let field = match self.checksum {
            Checksum::Good => good,
            Checksum::Bad => good ^ 0x5555,
            Checksum::Partial => pseudo as u16,
        };
        tcp[16..18].copy_from_slice(&field.to_be_bytes());
        tcp
    }

    fn packet_v4(&self, tcp: &[u8]) -> Vec<u8> {
        let size = 20 + self.ip_options.len();
        let length = self.ip_length.unwrap_or((size + tcp.len()) as u16);
        let mut ip = vec![0x40 | (size / 4) as u8, self.traffic_class];
        ip.extend(length.to_be_bytes());
        ip.extend(self.identification.to_be_bytes());
        ip.extend(self.fragment.unwrap_or(0).to_be_bytes());
        ip.extend([self.hops, self.protocol, 0, 0]);
        ip.extend(address(self.source));
        ip.extend(address(self.destination));
        ip.extend(&self.ip_options);
        let checksum = !(sum(&ip) as u16);
        ip[10..12].copy_from_slice(&checksum.to_be_bytes());
        ip.extend(tcp);
        ip
    }

    fn packet_v6(&self, tcp: &[u8]) -> Vec<u8> {
        let mut headers = self.extensions.clone();
        if let Some(fragment) = self.fragment {
            let place = fragment << 3 | fragment >> 13 & 1;
            let [high, low] = place.to_be_bytes();
            headers.push((protocol::FRAGMENT, vec![0, high, low, 0, 0, 0, 1]));
        }
        let numbers = headers.iter().map(|&(number, _)| number);
        let mut next = numbers.skip(1).chain([self.protocol]);
        let mut after = Vec::new();
        for (_, content) in &headers {
            after.extend(next.next());
            after.extend(content);
        }
        after.extend(tcp);
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label;
        let mut ip = Vec::from(first.to_be_bytes());
        ip.extend(self.ip_length.unwrap_or(after.len() as u16).to_be_bytes());
        ip.push(headers.first().map_or(self.protocol, |&(number, _)| number));
        ip.push(self.hops);
        ip.extend(address(self.source));
        ip.extend(address(self.destination));
        ip.extend(after);
        ip
    }
}

fn address(endpoint: SocketAddr) -> Vec<u8> {
    match endpoint.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.sum(0, bytes.len()).unwrap()
}

fn padded(bytes: &[u8], unit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(unit), 0);
    bytes
}
