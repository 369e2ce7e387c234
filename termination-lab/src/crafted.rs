//! A peer that no kernel stands behind: it says exactly what it is told to, and
//! shows what it was answered.
//!
//! Its address belongs to nobody: the server takes it for a neighbour behind
//! the client's interface, and the client's kernel, to whom it is a stranger's,
//! drops what is meant for it. So nobody else answers for it, and the other end
//! of each of its connections is a real socket.

mod cpu;
mod frame;

use std::{
    cell::{Cell, RefCell},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{
    Family, PATIENCE, Pair, Result, Service, Tuple,
    conversation::until_readable,
    error::Context as _,
    inject::{self, Wire},
    packet::{Packet, flag},
    try_wait_for,
};

/// Where crafted peers are, and all that was sent to them.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The server is the other end of every connection here.
    pub pair: &'a Pair,
    /// Which IP version.
    pub family: Family,
    wire: Wire,
    macs: [[u8; 6]; 2],
    came: RefCell<Vec<Answer>>,
    identification: Cell<u16>,
}

/// What the server sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The segment.
    pub packet: Packet,
    /// The identification field of IPv4; of IPv6, which has none, 0.
    pub identification: u16,
}

/// One end of a connection, played by hand.
#[derive(Debug)]
pub struct Peer<'a> {
    stage: &'a Stage<'a>,
    /// Its own address.
    pub local: SocketAddr,
    /// The server's.
    pub remote: SocketAddr,
    /// SND.NXT: what it says next.
    pub next: u32,
    /// RCV.NXT: what it acks.
    pub acked: u32,
    /// Its timestamp clock; `None` where it does without (RFC 7323).
    pub clock: Option<u32>,
    /// The window that it offers.
    pub window: u16,
    /// The server's latest timestamp.
    echo: u32,
    /// How much of what came was looked at.
    looked: usize,
}

/// What a segment carries beside its numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra<'a> {
    /// Its payload.
    pub payload: &'a [u8],
    /// A timestamp other than that of the peer's clock.
    pub clock: Option<u32>,
}

impl<'a> Stage<'a> {
    /// For crafted peers of the pair's server. Keeps the calling thread on its
    /// CPU: each CPU has a queue of its own for what goes through a veth pair, and
    /// order holds within one.
    ///
    /// # Errors
    ///
    /// What `ip` or the kernel answered.
    pub fn new(pair: &'a Pair, family: Family) -> Result<Self> {
        cpu::stay().to(|| "stay on a CPU".to_owned())?;
        let macs = [pair.client.mac()?, pair.server.mac()?];
        let mac = macs[0].map(|byte| format!("{byte:02x}")).join(":");
        let (interface, address) = (&pair.server.interface, stranger(family));
        pair.server.namespace.ip(&format!(
            "neighbour replace {address} lladdr {mac} dev {interface} nud permanent"
        ))?;
        Ok(Self {
            pair,
            family,
            wire: Wire::open(&pair.client)?,
            macs,
            came: RefCell::default(),
            identification: Cell::new(1),
        })
    }

    /// A peer with a port of its own, that has said nothing yet.
    ///
    /// # Errors
    ///
    /// When there is no port left.
    pub fn peer(&'a self, remote: SocketAddr, timestamps: bool) -> Result<Peer<'a>> {
        Ok(Peer {
            stage: self,
            local: SocketAddr::new(stranger(self.family), self.pair.next_port()?),
            remote,
            next: 0x2000_0000,
            acked: 0,
            clock: timestamps.then_some(1_000_000),
            window: 0x7fff,
            echo: 0,
            looked: self.came.borrow().len(),
        })
    }

    /// A port of the server where nobody listens.
    ///
    /// # Errors
    ///
    /// When there is no port left.
    pub fn nowhere(&self) -> Result<SocketAddr> {
        let address = self.pair.server.address(self.family);
        Ok(SocketAddr::new(address, self.pair.next_port()?))
    }

    /// The server has handled all that was sent so far: a closed port answered.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] after [`PATIENCE`].
    pub fn settle(&self) -> Result<()> {
        let mut last = self.peer(self.nowhere()?, false)?;
        last.say(flag::SYN)?;
        last.hear("the answer of a closed port", |packet| packet.is(flag::RST))?;
        Ok(())
    }

    /// All RSTs that the server has sent on a connection.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn resets(&self, tuple: Tuple) -> Result<Vec<Answer>> {
        self.listen()?;
        let ends = [tuple.originator, tuple.responder];
        let came = self.came.borrow();
        let mine = came.iter().filter(|Answer { packet, .. }| {
            ends.contains(&packet.source)
                && ends.contains(&packet.destination)
                && packet.is(flag::RST)
        });
        Ok(mine.cloned().collect())
    }

    /// Takes in what has come.
    fn listen(&self) -> Result<()> {
        while let Some(frame) = self.wire.receive()? {
            if let Some(packet) = Packet::parse(&frame) {
                let identification = match self.family {
                    Family::V4 => frame::identification(&frame),
                    Family::V6 => 0,
                };
                self.came.borrow_mut().push(Answer {
                    packet,
                    identification,
                });
            }
        }
        Ok(())
    }
}

/// The address of crafted peers.
fn stranger(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, 9).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9).into(),
    }
}

impl<'a> Peer<'a> {
    /// Connects to a service; the server's end is accepted.
    ///
    /// # Errors
    ///
    /// What the kernel did instead.
    pub fn connect(
        stage: &'a Stage<'a>,
        service: &Service,
        timestamps: bool,
    ) -> Result<(Self, TcpStream)> {
        let mut peer = stage.peer(service.address, timestamps)?;
        peer.open()?;
        peer.say(flag::ACK)?;
        until_readable(&service.listener)?;
        let (socket, _) = service
            .listener
            .accept()
            .to(|| "accept a crafted peer".to_owned())?;
        Ok((peer, socket))
    }

    /// SYN and SYN-ACK; what is left of the handshake is the ACK.
    ///
    /// # Errors
    ///
    /// What the kernel did instead.
    pub fn open(&mut self) -> Result<Packet> {
        self.say(flag::SYN)?;
        let answer = self.hear("a SYN-ACK", |packet| packet.is(flag::SYN | flag::ACK))?;
        self.acked = answer.seq.wrapping_add(1);
        Ok(answer)
    }

    /// A socket of the server that has sent its SYN here, not answered yet.
    ///
    /// # Errors
    ///
    /// What the kernel did instead.
    pub fn called(stage: &'a Stage<'a>, timestamps: bool) -> Result<(Self, Socket)> {
        let mut peer = stage.peer(stage.nowhere()?, timestamps)?;
        let socket = stage.pair.server.namespace.enter(|| {
            let kind = Domain::for_address(peer.remote);
            let socket = Socket::new(kind, Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&peer.remote.into())?;
            socket.set_nonblocking(true)?;
            match socket.connect(&SockAddr::from(peer.local)) {
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
                other => other,
            }?;
            socket.set_nonblocking(false)?;
            Ok::<_, io::Error>(socket)
        })?;
        let socket = socket.to(|| format!("connect to {}", peer.local))?;
        let syn = peer.hear("a SYN", |packet| packet.flags & 0x3f == flag::SYN)?;
        peer.acked = syn.seq.wrapping_add(1);
        Ok((peer, socket))
    }

    /// The tuple, if this end was the originator.
    #[must_use]
    pub const fn tuple(&self) -> Tuple {
        Tuple {
            originator: self.local,
            responder: self.remote,
        }
    }

    /// The tuple, if the server was the originator.
    #[must_use]
    pub const fn called_tuple(&self) -> Tuple {
        Tuple {
            originator: self.remote,
            responder: self.local,
        }
    }

    /// As [`Peer::tell`], without payload.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn say(&mut self, flags: u8) -> Result<()> {
        self.tell(flags, b"")
    }

    /// A segment in order.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn tell(&mut self, flags: u8, payload: &[u8]) -> Result<()> {
        let extra = Extra {
            payload,
            ..Extra::default()
        };
        self.send(flags, self.next, self.acked, extra)?;
        let counts = u32::from(flags & flag::SYN != 0) + u32::from(flags & flag::FIN != 0);
        self.next = self.next.wrapping_add(payload.len() as u32 + counts);
        Ok(())
    }

    /// Any segment; what this end says and acks next is not changed by it.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn send(&self, flags: u8, seq: u32, ack: u32, extra: Extra<'_>) -> Result<()> {
        let mut options = Vec::new();
        if flags & flag::SYN != 0 {
            options.extend([2, 4, 5, 180]);
        }
        if let Some(clock) = extra.clock.or(self.clock) {
            options.extend([1, 1, 8, 10]);
            options.extend(clock.to_be_bytes());
            options.extend(self.echo.to_be_bytes());
        }
        let ack = if flags & flag::ACK != 0 { ack } else { 0 };
        let stage = self.stage;
        let packet = Packet {
            source: self.local,
            destination: self.remote,
            flags,
            seq,
            ack,
            window: self.window,
            options,
            payload: extra.payload.len(),
        };
        let identification = stage.identification.get();
        stage.identification.set(identification.wrapping_add(1));
        let mut frame = frame::build(&packet, extra.payload, identification);
        inject::address(&mut frame, stage.macs[0], stage.macs[1]);
        stage.wire.send([frame])
    }

    /// The next segment of the server on this connection that is `wanted`.
    /// Those before it were looked at.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] after [`PATIENCE`]; `what` names it.
    pub fn hear(&mut self, what: &str, wanted: impl Fn(&Packet) -> bool) -> Result<Packet> {
        try_wait_for(what, PATIENCE, || self.next_answer(&wanted).transpose())?
    }

    fn next_answer(&mut self, wanted: impl Fn(&Packet) -> bool) -> Result<Option<Packet>> {
        self.stage.listen()?;
        let came = self.stage.came.borrow();
        while let Some(Answer { packet, .. }) = came.get(self.looked) {
            self.looked += 1;
            if self.is_mine(packet) {
                if let Some(&[.., a, b, c, d, _, _, _, _]) = timestamp(&packet.options) {
                    self.echo = u32::from_be_bytes([a, b, c, d]);
                }
                if wanted(packet) {
                    return Ok(Some(packet.clone()));
                }
            }
        }
        Ok(None)
    }

    /// What the server says to what was sent so far, once it has handled that.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn answers(&mut self) -> Result<Vec<Packet>> {
        self.stage.settle()?;
        let mut all = Vec::new();
        while let Some(packet) = self.next_answer(|_| true)? {
            all.push(packet);
        }
        Ok(all)
    }

    /// Whether the server has sent no RST on this connection.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn is_spared(&self) -> Result<bool> {
        Ok(self.stage.resets(self.tuple())?.is_empty())
    }

    /// Waits for what has these flags, and takes it in: the next ACK acks it.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] after [`PATIENCE`].
    pub fn take(&mut self, flags: u8) -> Result<Packet> {
        let packet = self.hear("a segment to take in", |packet| packet.is(flags))?;
        let counts = u32::from(packet.is(flag::FIN)) + packet.payload as u32;
        self.acked = packet.seq.wrapping_add(counts);
        Ok(packet)
    }

    fn is_mine(&self, packet: &Packet) -> bool {
        packet.source == self.remote && packet.destination == self.local
    }
}

/// The timestamp option, as Linux places it.
fn timestamp(options: &[u8]) -> Option<&[u8]> {
    let at = options.windows(2).position(|pair| pair == [8, 10])?;
    options.get(at..at + 10)
}
