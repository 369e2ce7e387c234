//! A listener, connections to it, and what their sockets say.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{Error, PATIENCE, Pair, Result, error::Context as _, kernel::State, try_wait_for};

/// IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A connection's ends, as they are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// Who connected.
    pub originator: SocketAddr,
    /// Who was connected to.
    pub responder: SocketAddr,
}

/// A listener on the server, with a port of its own.
#[derive(Debug)]
pub struct Service<'a> {
    /// Client and server.
    pub pair: &'a Pair,
    /// Where clients come from.
    pub client: IpAddr,
    /// Where it listens.
    pub address: SocketAddr,
    /// The listener.
    pub listener: TcpListener,
}

impl<'a> Service<'a> {
    /// Listens on the server's address of this family.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn open(pair: &'a Pair, family: Family) -> Result<Self> {
        Self::open_between(
            pair,
            pair.client.address(family),
            pair.server.address(family),
            1024,
        )
    }

    /// Listens at `server`, for connections from `client`, with room for
    /// `backlog` + 1 that were not accepted yet.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn open_between(
        pair: &'a Pair,
        client: IpAddr,
        server: IpAddr,
        backlog: i32,
    ) -> Result<Self> {
        let address = SocketAddr::new(server, pair.next_port()?);
        let what = || format!("listen at {address}");
        let listener = pair.server.namespace.enter(|| {
            let socket = Socket::new(
                Domain::for_address(address),
                Type::STREAM,
                Some(Protocol::TCP),
            )?;
            // Its port may still be held by TIME_WAITs of an earlier listener.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(backlog)?;
            Ok(TcpListener::from(socket))
        })?;
        let listener = listener.to(what)?;
        Ok(Self {
            pair,
            client,
            address,
            listener,
        })
    }

    /// An unconnected socket of the client with a port of its own, and the tuple
    /// it will have when it connects here.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn caller(&self) -> Result<(Socket, Tuple)> {
        let originator = SocketAddr::new(self.client, self.pair.next_port()?);
        let tuple = Tuple {
            originator,
            responder: self.address,
        };
        Ok((bound(self.pair, originator)?, tuple))
    }

    /// An unconnected socket of the client that will have this tuple again when
    /// it connects here: what had it is gone, or waits.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn caller_again(&self, tuple: Tuple) -> Result<Socket> {
        bound(self.pair, tuple.originator)
    }

    /// A connection, accepted.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn connect(&self) -> Result<Conversation> {
        let (socket, tuple) = self.caller()?;
        self.connect_by(socket, tuple)
    }

    /// A connection by this socket, accepted.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn connect_by(&self, socket: Socket, tuple: Tuple) -> Result<Conversation> {
        let what = || format!("connect to {}", self.address);
        socket.connect(&self.address.into()).to(what)?;
        let client = TcpStream::from(socket);
        let (server, peer) = self
            .listener
            .accept()
            .to(|| format!("accept at {}", self.address))?;
        if peer != tuple.originator {
            return Err(Error::unexpected(
                "accept",
                &tuple.originator.to_string(),
                peer,
            ));
        }
        for stream in [&client, &server] {
            patient(stream).to(what)?;
        }
        Ok(Conversation {
            client,
            server,
            tuple,
        })
    }

    /// A connection over which a question and its answer have gone.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn converse(&self) -> Result<Conversation> {
        let mut conversation = self.connect()?;
        conversation.exchange()?;
        Ok(conversation)
    }
}

/// A socket of the client, bound to `address`; it fails rather than hangs.
pub(crate) fn bound(pair: &Pair, address: SocketAddr) -> Result<Socket> {
    let socket = pair.client.namespace.enter(|| {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        // Bounds connect(2), too.
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(socket)
    })?;
    socket.to(|| format!("bind {address}"))
}

fn patient(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// Both ends of a connection. All calls on them fail after [`PATIENCE`].
#[derive(Debug)]
pub struct Conversation {
    /// Who connected.
    pub client: TcpStream,
    /// Who accepted.
    pub server: TcpStream,
    /// Their addresses.
    pub tuple: Tuple,
}

impl Conversation {
    /// A question by the client, an answer by the server, both read.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn exchange(&mut self) -> Result<()> {
        let Self {
            client,
            server,
            tuple,
        } = self;
        tell(client, server, b"question").to(|| format!("ask over {tuple:?}"))?;
        tell(server, client, b"the answer").to(|| format!("answer over {tuple:?}"))
    }
}

/// Sends `text` and reads it at the other end.
pub(crate) fn tell(from: &mut TcpStream, to: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    from.write_all(text)?;
    let mut read = vec![0; text.len()];
    to.read_exact(&mut read)
}

/// Reads until the peer's FIN.
///
/// # Errors
///
/// [`Error::System`] when a reset comes instead, or nothing.
pub fn until_fin(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    stream
        .read_to_end(&mut read)
        .to(|| "read until the peer's FIN".to_owned())?;
    Ok(read)
}

/// Waits until the connection is gone at this end: reset, timed out, or closed
/// by both. Then tells the error that the socket died of, if any.
///
/// # Errors
///
/// [`Error::Timeout`] when it lives on for `patience`.
pub fn until_gone(stream: &TcpStream, patience: Duration) -> Result<Option<io::Error>> {
    // POLLHUP: nothing can be read or written any more.
    poll(
        stream,
        0,
        libc::POLLHUP,
        "the end of a connection",
        patience,
    )?;
    stream
        .take_error()
        .to(|| "ask a socket for its error".to_owned())
}

/// Waits until there is something to read.
///
/// # Errors
///
/// [`Error::Timeout`] after [`PATIENCE`].
pub fn until_readable(socket: &impl std::os::fd::AsFd) -> Result<()> {
    poll(socket, libc::POLLIN, libc::POLLIN, "data", PATIENCE)
}

/// Waits until the peer's FIN is here, whether or not all before it was read.
///
/// # Errors
///
/// [`Error::Timeout`] after [`PATIENCE`].
pub fn until_peer_closed(stream: &TcpStream) -> Result<()> {
    poll(
        stream,
        libc::POLLRDHUP,
        libc::POLLRDHUP,
        "the peer's FIN",
        PATIENCE,
    )
}

/// Waits until this end is in such a state.
///
/// # Errors
///
/// [`Error::Timeout`] after [`PATIENCE`].
pub fn until_state(stream: &TcpStream, wanted: State) -> Result<()> {
    try_wait_for(&format!("state {wanted:?} of a socket"), PATIENCE, || {
        (state(stream).ok()? == wanted).then_some(())
    })
}

/// Waits until the peer has acked all that this end sent.
///
/// # Errors
///
/// [`Error::Timeout`] after [`PATIENCE`].
pub fn until_acked(stream: &TcpStream) -> Result<()> {
    /// Of `tcpi_unacked`, segments, in `struct tcp_info` of linux/tcp.h.
    const UNACKED: std::ops::Range<usize> = 24..28;
    try_wait_for("the ACK of all that was sent", PATIENCE, || {
        (info(stream).ok()?.get(UNACKED)? == [0; 4]).then_some(())
    })
}

/// The state that the kernel has this end in (TCP_INFO). A socket in TIME_WAIT
/// shows as [`State::Close`]: what is left of it is no longer the socket.
///
/// # Errors
///
/// What the kernel answered.
pub fn state(stream: &TcpStream) -> Result<State> {
    let what = || "read TCP_INFO".to_owned();
    let number = *info(stream).to(what)?.first().unwrap_or(&0);
    State::from_number(number).ok_or_else(|| Error::unexpected("TCP_INFO", "a state", number))
}

/// `struct tcp_info`, as long as the kernel has it.
fn info(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; 512];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the buffer is writable for `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    bytes.truncate(length as usize);
    Ok(bytes)
}

fn poll(
    socket: &impl std::os::fd::AsFd,
    ask: i16,
    wanted: i16,
    what: &str,
    patience: Duration,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    let timeout = || Error::Timeout {
        what: what.to_owned(),
        patience,
    };
    loop {
        let mut fd = libc::pollfd {
            fd: socket.as_fd().as_raw_fd(),
            events: ask,
            revents: 0,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let milliseconds = left.as_millis().min(i32::MAX as u128) as i32;
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&raw mut fd, 1, milliseconds) };
        if ready < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return Err(Error::last(format!("wait for {what}")));
        }
        if ready > 0 && fd.revents & wanted != 0 {
            return Ok(());
        }
        if ready > 0 && fd.revents & libc::POLLHUP != 0 {
            return Err(Error::unexpected(
                "a socket",
                what,
                "the end of its connection",
            ));
        }
        if left.is_zero() {
            return Err(timeout());
        }
    }
}
