//! TCP headers, read for rules and tests.
//!
//! Deliberately not the parser of `termination-common`: what judges that one
//! must not be that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bits of [`Packet::flags`].
pub mod flag {
    /// No more data from this end.
    pub const FIN: u8 = 0x01;
    /// Opens.
    pub const SYN: u8 = 0x02;
    /// Aborts.
    pub const RST: u8 = 0x04;
    /// The ack number counts.
    pub const ACK: u8 = 0x10;
}

/// A TCP segment in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// [`flag`].
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window, as it stands there.
    pub window: u16,
    /// Options, as they stand there.
    pub options: Vec<u8>,
    /// Bytes of payload, by the length in the IP header.
    pub payload: usize,
}

impl Packet {
    /// Of an Ethernet frame with any 802.1Q tags; `None` if there is no whole
    /// TCP header right after the IP header.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut at = 12;
        while [0x8100, 0x88a8].contains(&u16_at(frame, at)?) {
            at += 4;
        }
        let network = frame.get(at + 2..)?;
        let (source, destination, transport, length): (IpAddr, IpAddr, _, _) =
            match u16_at(frame, at)? {
                0x0800 => {
                    let header = usize::from(network.first()? & 0xf) * 4;
                    if *network.get(9)? != 6 {
                        return None;
                    }
                    let address = |at: usize| Some(Ipv4Addr::from(array::<4>(network, at)?));
                    let length = usize::from(u16_at(network, 2)?).checked_sub(header)?;
                    (
                        address(12)?.into(),
                        address(16)?.into(),
                        network.get(header..)?,
                        length,
                    )
                }
                0x86dd => {
                    if *network.get(6)? != 6 {
                        return None;
                    }
                    let address = |at: usize| Some(Ipv6Addr::from(array::<16>(network, at)?));
                    let length = usize::from(u16_at(network, 4)?);
                    (
                        address(8)?.into(),
                        address(24)?.into(),
                        network.get(40..)?,
                        length,
                    )
                }
                _ => return None,
            };
        let header = usize::from(transport.get(12)? >> 4) * 4;
        Some(Self {
            source: SocketAddr::new(source, u16_at(transport, 0)?),
            destination: SocketAddr::new(destination, u16_at(transport, 2)?),
            flags: *transport.get(13)?,
            seq: u32::from_be_bytes(array(transport, 4)?),
            ack: u32::from_be_bytes(array(transport, 8)?),
            window: u16_at(transport, 14)?,
            options: transport.get(20..header)?.to_vec(),
            payload: length.checked_sub(header)?,
        })
    }

    /// All of `flags` ([`flag`]) are set.
    #[must_use]
    pub const fn is(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_stumps_are_not() {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend([
            0x45, 0, 0, 45, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        frame.extend([
            0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, 0x60, 0x11, 1, 0, 0, 0, 0, 0,
        ]);
        frame.extend([1, 1, 1, 0, b'x']);
        let packet = Packet::parse(&frame).unwrap();
        assert_eq!(packet.source, "10.0.0.1:40000".parse().unwrap());
        assert_eq!(packet.destination, "10.0.0.2:443".parse().unwrap());
        assert!(packet.is(flag::FIN | flag::ACK) && !packet.is(flag::SYN));
        assert_eq!(
            (packet.seq, packet.ack, packet.window, packet.payload),
            (7, 9, 256, 1)
        );
        assert_eq!(packet.options, [1, 1, 1, 0]);
        for length in 0..frame.len() - 1 {
            assert_eq!(Packet::parse(&frame[..length]), None, "{length}");
        }
    }
}
