//! Two peers and a wire: they know enough TCP to make sense, and nothing of
//! the engine.

use std::{collections::VecDeque, net::SocketAddr};

use termination_common::{
    segment::Flags,
    wire::build::{Checksum, Frame},
};

use crate::{
    machine::{Hook, Sight},
    script::{Forgery, Setting, Step},
};

const FIN: u8 = Flags::FIN;
const SYN: u8 = Flags::SYN;
const RST: u8 = Flags::RST;
const PSH: u8 = Flags::PSH;
const ACK: u8 = Flags::ACK;

/// What the machines are to do.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    See(Box<Sight>),
    Sweep(u64),
}

/// A segment under way.
#[derive(Clone, Debug, Default)]
struct Packet {
    flags: u8,
    seq: u32,
    ack: u32,
    payload: u32,
    window: u16,
    sack: Option<(u32, u32)>,
    stamps: Option<(u32, u32)>,
    scale: Option<u8>,
    fragment: bool,
    bad_checksum: bool,
}

impl Packet {
    const fn end(&self) -> u32 {
        let flags = (self.flags & FIN) as u32 + (self.flags & SYN != 0) as u32;
        self.seq.wrapping_add(self.payload).wrapping_add(flags)
    }
}

/// One end.
#[derive(Clone, Debug, Default)]
struct Peer {
    isn: u32,
    next: u32,
    unacked: u32,
    received: u32,
    window: u16,
    stamp: u32,
    echo: u32,
    fin: bool,
    wire: VecDeque<Packet>,
}

/// Both ends, the wire and the clock.
pub(crate) struct World {
    setting: Setting,
    time: u64,
    peers: [Peer; 2],
    acts: Vec<Act>,
}

/// What comes of a sequence.
pub(crate) fn play(setting: &Setting, steps: &[Step]) -> Vec<Act> {
    let mut world = World {
        setting: setting.clone(),
        time: setting.start,
        peers: [0, 1].map(|side| Peer {
            isn: setting.isn[side],
            next: setting.isn[side],
            unacked: setting.isn[side],
            window: 512,
            stamp: u32::MAX - 1000,
            ..Peer::default()
        }),
        acts: Vec::new(),
    };
    for step in steps {
        world.step(step);
    }
    world.acts
}

impl World {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Open(x, payload) => self.open(x, payload.into()),
            Step::Handshake(x) => {
                self.open(x, 0);
                self.flush();
            }
            Step::Write(x, payload) => {
                let packet = self.packet(x, PSH | ACK, payload.into());
                self.send(x, packet);
            }
            Step::Close(x) => {
                let packet = self.packet(x, FIN | ACK, 0);
                self.peers[x].fin = true;
                self.send(x, packet);
            }
            Step::Abort(x) => {
                let packet = self.packet(x, RST | ACK, 0);
                self.send(x, packet);
            }
            Step::Ack(x, sack) => {
                let mut packet = self.packet(x, ACK, 0);
                let from = packet.ack.wrapping_add(100);
                packet.sack = sack.then_some((from, self.peers[x ^ 1].next));
                self.send(x, packet);
            }
            Step::Window(x, window) => {
                self.peers[x].window = window;
                let packet = self.packet(x, ACK, 0);
                self.send(x, packet);
            }
            Step::Probe(x, byte) => {
                let mut packet = self.packet(x, ACK, 0);
                packet.seq = packet.seq.wrapping_sub(1);
                packet.payload = byte.into();
                self.peers[x].wire.push_back(packet);
            }
            Step::Retransmit(x) => self.retransmit(x),
            Step::Deliver(x, index, answer) => self.deliver(x, index, answer),
            Step::Flush => self.flush(),
            Step::Lose(x, seen) => {
                if let Some(packet) = self.peers[x].wire.pop_front()
                    && seen
                {
                    self.see(x, &packet, false);
                }
            }
            Step::Duplicate(x, moved) => {
                if let Some(packet) = self.peers[x].wire.front().cloned() {
                    self.see(x, &packet, moved);
                }
            }
            Step::Refuse(x) => self.refuse(x),
            Step::Forge(x, ref forgery) => self.forge(x, forgery),
            Step::Wait(time, sweep) => {
                self.time += u64::from(time) * 1_000_000;
                if sweep {
                    self.acts.push(Act::Sweep(self.time));
                }
            }
        }
    }

    fn packet(&mut self, x: usize, flags: u8, payload: u32) -> Packet {
        let peer = &mut self.peers[x];
        peer.stamp = peer.stamp.wrapping_add(7);
        Packet {
            flags,
            seq: peer.next,
            ack: if flags & ACK == 0 { 0 } else { peer.received },
            payload,
            window: peer.window,
            stamps: self.setting.stamps.then_some((peer.stamp, peer.echo)),
            ..Packet::default()
        }
    }

    /// Onto the wire; SND.NXT follows.
    fn send(&mut self, x: usize, packet: Packet) {
        let peer = &mut self.peers[x];
        if packet.flags & RST == 0 {
            peer.next = packet.end();
        }
        peer.wire.push_back(packet);
    }

    fn open(&mut self, x: usize, payload: u32) {
        let peer = &mut self.peers[x];
        if peer.next != peer.isn {
            // A new connection on the same tuple, further on or not.
            let step = if peer.fin { 100_000 } else { 0x9000_0000 };
            peer.isn = peer.next.wrapping_add(step);
            peer.fin = false;
            peer.wire.clear();
        }
        peer.next = peer.isn;
        peer.unacked = peer.isn;
        let mut packet = self.packet(x, SYN, payload);
        packet.window = u16::MAX;
        packet.scale = self.setting.scale[x];
        self.send(x, packet);
    }

    fn retransmit(&mut self, x: usize) {
        let peer = &self.peers[x];
        let missing = peer.next.wrapping_sub(peer.unacked);
        if missing == 0 || missing > 1 << 20 {
            return;
        }
        let (seq, syn) = (peer.unacked, peer.unacked == peer.isn);
        let fin = u32::from(peer.fin);
        let mut packet = if syn {
            self.packet(x, SYN, 0)
        } else {
            self.packet(x, PSH | ACK, (missing - fin).min(60_000))
        };
        if syn {
            packet.scale = self.setting.scale[x];
        } else if fin == 1 && packet.payload == missing - 1 {
            packet.flags |= FIN;
        }
        packet.seq = seq;
        self.peers[x].wire.push_back(packet);
    }

    fn flush(&mut self) {
        for _ in 0..16 {
            if self.peers[0].wire.is_empty() && self.peers[1].wire.is_empty() {
                return;
            }
            for x in 0..2 {
                self.deliver(x, 0, true);
            }
        }
    }

    fn deliver(&mut self, x: usize, index: usize, answer: bool) {
        let wire = &mut self.peers[x].wire;
        let Some(packet) = wire.remove(index.min(wire.len().saturating_sub(1))) else {
            return;
        };
        self.see(x, &packet, false);
        self.receive(x ^ 1, &packet, answer);
    }

    /// `x` takes it in if it is next, and answers.
    fn receive(&mut self, x: usize, packet: &Packet, answer: bool) {
        if packet.flags & RST != 0 {
            return;
        }
        let fresh = packet.flags & SYN != 0;
        let peer = &mut self.peers[x];
        if packet.flags & ACK != 0 {
            let ahead = packet.ack.wrapping_sub(peer.unacked);
            if ahead <= peer.next.wrapping_sub(peer.unacked) {
                peer.unacked = packet.ack;
            }
        }
        if let Some((stamp, _)) = packet.stamps {
            peer.echo = stamp;
        }
        let in_order = fresh || packet.seq == peer.received;
        if in_order {
            peer.received = packet.end();
        }
        if !answer || packet.end() == packet.seq {
            return;
        }
        let mine = if fresh && packet.flags & ACK == 0 && peer.next == peer.isn {
            SYN | ACK
        } else {
            ACK
        };
        let mut reply = self.packet(x, mine, 0);
        if mine & SYN != 0 {
            reply.window = u16::MAX;
            reply.scale = self.setting.scale[x].filter(|_| packet.scale.is_some());
        }
        self.send(x, reply);
    }

    /// Without a socket: RFC 9293 3.10.7.1.
    fn refuse(&mut self, x: usize) {
        let Some(packet) = self.peers[x ^ 1].wire.pop_front() else {
            return;
        };
        self.see(x ^ 1, &packet, false);
        let reply = if packet.flags & ACK != 0 {
            Packet {
                flags: RST,
                seq: packet.ack,
                ..Packet::default()
            }
        } else {
            Packet {
                flags: RST | ACK,
                ack: packet.end(),
                ..Packet::default()
            }
        };
        self.see(x, &reply, false);
    }

    fn forge(&mut self, x: usize, forgery: &Forgery) {
        let Forgery {
            flags,
            seq,
            ack,
            payload,
            good_checksum,
            fragment,
        } = *forgery;
        let packet = Packet {
            flags,
            seq: self.peers[x].next.wrapping_add_signed(seq),
            ack: self.peers[x ^ 1].next.wrapping_add_signed(ack),
            payload: payload.into(),
            window: self.peers[x].window,
            fragment,
            bad_checksum: !good_checksum,
            ..Packet::default()
        };
        self.see(x, &packet, false);
    }

    /// The observer sees it.
    fn see(&mut self, x: usize, packet: &Packet, moved: bool) {
        /// Longer payload is claimed, not carried.
        const MOST: u32 = 600;
        self.time += 350_000;
        let (source, destination) = self.addresses(x);
        let mut options = Vec::new();
        if let Some(scale) = packet.scale {
            options.extend([1, 3, 3, scale]);
        }
        if let Some((value, echo)) = packet.stamps {
            options.extend([1, 1, 8, 10]);
            options.extend(value.to_be_bytes());
            options.extend(echo.to_be_bytes());
        }
        if let Some((from, to)) = packet.sack {
            options.extend([1, 1, 5, 10]);
            options.extend(from.to_be_bytes());
            options.extend(to.to_be_bytes());
        }
        let mut frame = Frame::between(source, destination)
            .tcp(packet.flags)
            .seq(packet.seq)
            .ack(packet.ack)
            .window(packet.window)
            .options(&options);
        if packet.payload > MOST {
            let ip = if self.setting.six { 0 } else { 20 };
            let most = u32::from(u16::MAX) - 100;
            frame =
                frame.ip_length((packet.payload.min(most) + 20 + options.len() as u32 + ip) as u16);
        }
        frame = frame.payload(packet.payload.min(MOST) as usize);
        if packet.fragment {
            frame = frame.fragment(0, true);
        }
        if packet.bad_checksum {
            frame = frame.checksum(Checksum::Bad);
        }
        let tc = self.setting.hooks[x];
        let sight = Sight {
            frame,
            time: self.time,
            hook: match (tc, x) {
                (false, _) => Hook::Xdp,
                (true, 0) => Hook::Ingress,
                (true, _) => Hook::Egress,
            },
            // The lowest bit is the egress hook.
            home: 2 + 2 * x as u32 + u32::from(moved) * 16 + u32::from(tc && x == 1),
            gso: u32::from(tc) * packet.payload.div_ceil(1400),
        };
        self.acts.push(Act::See(Box::new(sight)));
    }

    fn addresses(&self, x: usize) -> (SocketAddr, SocketAddr) {
        let (a, b) = if self.setting.six {
            ("2001:db8::1", "2001:db8::2")
        } else {
            ("192.0.2.1", "192.0.2.2")
        };
        let a = SocketAddr::new(a.parse().unwrap(), self.setting.port);
        let b = SocketAddr::new(b.parse().unwrap(), 443);
        if x == self.setting.lower {
            (a, b)
        } else {
            (b, a)
        }
    }
}
