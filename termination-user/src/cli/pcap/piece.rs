//! One file of a capture: what has to be said of it besides its packets.

use crate::{
    capture::{LinkType, Packet},
    report::table,
};

/// Pieces of one capture overlap by less, if at all: a buffer's worth of packets.
const OVERLAP: u64 = 1_000_000_000;

/// What was noticed while a file was read.
#[derive(Debug)]
pub(super) struct Piece {
    packets: u64,
    /// Of the last packet, and whether packets of that link are read.
    link: LinkType,
    reads: bool,
    /// Packets of links that are not.
    unread: Vec<(LinkType, u64)>,
    /// Nanoseconds by which the first packet is before the last one of the files
    /// before.
    early: u64,
}

impl Piece {
    /// A file of which nothing was read yet.
    pub(super) const fn new() -> Self {
        Self {
            packets: 0,
            link: LinkType::ETHERNET,
            reads: true,
            unread: Vec::new(),
            early: 0,
        }
    }

    /// Takes note of a packet; `latest` is the time of the latest one so far.
    #[inline]
    pub(super) fn see(&mut self, packet: &Packet<'_>, latest: u64) {
        if self.packets == 0 {
            self.early = latest.saturating_sub(packet.time);
        }
        self.packets += 1;
        if packet.link != self.link {
            self.link = packet.link;
            self.reads = packet.link.is_supported();
        }
        if !self.reads {
            self.leave_out();
        }
    }

    #[cold]
    fn leave_out(&mut self) {
        let known = self.unread.iter_mut().find(|(link, _)| *link == self.link);
        match known {
            Some((_, count)) => *count += 1,
            None => self.unread.push((self.link, 1)),
        }
    }

    /// It has packets, and not one of them could be read.
    pub(super) fn is_lost(&self) -> bool {
        let unread: u64 = self.unread.iter().map(|(_, count)| count).sum();
        self.packets > 0 && unread == self.packets
    }

    /// What its user should know, a sentence each.
    pub(super) fn remarks(&self, name: &str) -> Vec<String> {
        let unread = self.unread.iter().map(|(link, count)| {
            let count = table::plural(*count, "packet");
            format!("{name}: {count} left out: the link layer, {link}, is not read")
        });
        let early = (self.early > OVERLAP).then(|| {
            let by = table::span(self.early as f64 / 1e9);
            format!(
                "{name}: begins {by} before the end of the files so far: they are read as \
                 one capture, so name its pieces in the order of time (and merge what was \
                 captured in several places: mergecap)"
            )
        });
        unread.chain(early).collect()
    }
}
