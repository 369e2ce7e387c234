//! Connections that end in a known way, between real sockets.
//!
//! Each function makes a connection of its own, ends it, waits until the
//! kernel is through with it at both ends (TIME_WAIT aside), and returns its
//! tuple. Those in [`gated`] need a relay that can hold or lose segments.

pub mod gated;

use std::{
    io::{self, ErrorKind, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::{
    Conversation, Error, PATIENCE, Result, Service, Tuple,
    conversation::{tell, until_fin, until_gone, until_peer_closed, until_readable},
    error::Context as _,
    options::disconnect,
};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connected.
    Client,
    /// Who accepted.
    Server,
}

impl Conversation {
    /// The socket of `side`, then that of its peer.
    fn seen_from(self, side: Side) -> (TcpStream, TcpStream) {
        match side {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        }
    }
}

/// `first` closes, the other end reads the FIN and closes too. `first` holds
/// TIME_WAIT.
///
/// # Errors
///
/// What the kernel did instead.
pub fn closed_first_by(first: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.converse()?;
    let tuple = conversation.tuple;
    let (first, mut second) = conversation.seen_from(first);
    drop(first);
    until_fin(&mut second)?;
    Ok(tuple)
}

/// `first` sends a request and closes its half; the other end reads to the
/// FIN, and only then replies and closes. `first` holds TIME_WAIT.
///
/// # Errors
///
/// What the kernel did instead.
pub fn half_closed_by(first: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.connect()?;
    let tuple = conversation.tuple;
    let (mut first, mut second) = conversation.seen_from(first);
    let request = b"the whole request";
    let reply = b"a reply to the whole request";
    let what = || "use half a connection".to_owned();
    first.write_all(request).to(what)?;
    first.shutdown(Shutdown::Write).to(what)?;
    expect_bytes(request, &until_fin(&mut second)?)?;
    second.write_all(reply).to(what)?;
    drop(second);
    expect_bytes(reply, &until_fin(&mut first)?)?;
    Ok(tuple)
}

/// A request and its answer through a proxy: the user has said all after the request
/// and still listens, the answer comes after that. With `halves` the proxy hands on
/// the end of each half; without, it takes that of one for the end of all and closes
/// both connections, and the backend answers into nowhere. Returns the user's
/// connection and the backend's.
///
/// # Errors
///
/// What the kernel did instead.
pub fn through_a_proxy(halves: bool, service: &Service) -> Result<[Tuple; 2]> {
    let (front, back) = (service.connect()?, service.connect()?);
    let tuples = [front.tuple, back.tuple];
    let (mut user, mut proxy) = (front.client, front.server);
    let (mut onward, mut backend) = (back.client, back.server);
    let (request, answer) = (b"the whole request", b"an answer that takes a while");
    let what = || "speak through a proxy".to_owned();
    user.write_all(request).to(what)?;
    user.shutdown(Shutdown::Write).to(what)?;
    onward.write_all(&until_fin(&mut proxy)?).to(what)?;
    if halves {
        onward.shutdown(Shutdown::Write).to(what)?;
        expect_bytes(request, &until_fin(&mut backend)?)?;
        backend.write_all(answer).to(what)?;
        drop(backend);
        proxy.write_all(&until_fin(&mut onward)?).to(what)?;
        drop(proxy);
        expect_bytes(answer, &until_fin(&mut user)?)?;
    } else {
        drop((proxy, onward));
        expect_bytes(b"", &until_fin(&mut user)?)?;
        expect_bytes(request, &until_fin(&mut backend)?)?;
        backend.write_all(answer).to(what)?;
        let died_of = until_gone(&backend, PATIENCE)?;
        let expected = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        expect_error(died_of, &expected)?;
    }
    Ok(tuples)
}

/// `by` closes with SO_LINGER 0: a RST, nobody holds anything.
///
/// # Errors
///
/// What the kernel did instead.
pub fn aborted_by(by: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.converse()?;
    let tuple = conversation.tuple;
    let (by, other) = conversation.seen_from(by);
    abort(by)?;
    expect_reset(&other)?;
    Ok(tuple)
}

/// `by` disconnects its socket by connect(2) to AF_UNSPEC: a RST.
///
/// # Errors
///
/// What the kernel did instead.
pub fn disconnected_by(by: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.converse()?;
    let tuple = conversation.tuple;
    let (by, other) = conversation.seen_from(by);
    disconnect(&by)?;
    expect_reset(&other)?;
    Ok(tuple)
}

/// `by` closes without having read what it was sent last: a RST.
///
/// # Errors
///
/// What the kernel did instead.
pub fn closed_with_unread_data_by(by: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.converse()?;
    let tuple = conversation.tuple;
    let (by, mut other) = conversation.seen_from(by);
    other.write_all(b"never read").to(|| "write".to_owned())?;
    until_readable(&by)?;
    drop(by);
    expect_reset(&other)?;
    Ok(tuple)
}

/// The peer sends data and closes its half; `by` closes without having read
/// the data: a RST after the peer's FIN.
///
/// # Errors
///
/// What the kernel did instead.
pub fn closed_with_unread_data_after_fin_by(by: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.converse()?;
    let tuple = conversation.tuple;
    let (by, mut other) = conversation.seen_from(by);
    let what = || "write and close a half".to_owned();
    other.write_all(b"never read").to(what)?;
    other.shutdown(Shutdown::Write).to(what)?;
    until_peer_closed(&by)?;
    drop(by);
    expect_reset(&other)?;
    Ok(tuple)
}

/// `by` closes, reading nothing more; the peer sends data all the same and is
/// answered by a RST (RFC 1122, 4.2.2.13).
///
/// # Errors
///
/// What the kernel did instead.
pub fn data_after_close_of(by: Side, service: &Service) -> Result<Tuple> {
    let conversation = service.converse()?;
    let tuple = conversation.tuple;
    let (by, mut other) = conversation.seen_from(by);
    drop(by);
    until_fin(&mut other)?;
    other
        .write_all(b"nobody reads this")
        .to(|| "write".to_owned())?;
    // Its own FIN is not sent yet: only a RST can take it away. In CLOSE_WAIT
    // that reads as EPIPE.
    let died_of = until_gone(&other, PATIENCE)?;
    expect_error(
        died_of,
        &[ErrorKind::BrokenPipe, ErrorKind::ConnectionReset],
    )?;
    Ok(tuple)
}

/// The client connects to a port of the server where nobody listens.
///
/// # Errors
///
/// What the kernel did instead.
pub fn refused(service: &Service) -> Result<Tuple> {
    let (socket, tuple) = service.caller()?;
    let responder = SocketAddr::new(tuple.responder.ip(), service.pair.next_port()?);
    match socket.connect(&responder.into()) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Ok(Tuple { responder, ..tuple })
        }
        other => Err(Error::unexpected(
            "connect to a port without listener",
            "refused",
            other,
        )),
    }
}

/// The client connects; the server closes its listener without ever having
/// accepted: a RST by the server.
///
/// # Errors
///
/// What the kernel did instead.
pub fn never_accepted(service: Service) -> Result<Tuple> {
    let (socket, tuple) = service.caller()?;
    socket
        .connect(&tuple.responder.into())
        .to(|| format!("connect to {}", tuple.responder))?;
    until_readable(&service.listener)?;
    drop(service);
    expect_reset(&TcpStream::from(socket))?;
    Ok(tuple)
}

/// The server closes first and so holds TIME_WAIT; then the client opens the
/// same tuple again, which replaces that, and closes first. Two endings.
///
/// # Errors
///
/// What the kernel did instead.
pub fn reused(service: &Service) -> Result<Tuple> {
    let tuple = closed_first_by(Side::Server, service)?;
    // A newer timestamp is what lets the SYN in; their clock ticks each
    // millisecond.
    let closed = Instant::now();
    crate::try_wait_for("the next timestamp", PATIENCE, || {
        (closed.elapsed() > Duration::from_millis(2)).then_some(())
    })?;
    let socket = crate::conversation::bound(service.pair, tuple.originator)?;
    let mut conversation = service.connect_by(socket, tuple)?;
    conversation.exchange()?;
    let (first, mut second) = conversation.seen_from(Side::Client);
    drop(first);
    until_fin(&mut second)?;
    Ok(tuple)
}

/// `by` dies of its own keepalive, `lost` having taken effect after it was set:
/// a probe a second, two of them unanswered, then a RST. Takes some three
/// seconds.
pub(crate) fn keepalive(by: TcpStream, lost: impl FnOnce()) -> Result<()> {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(1))
        .with_interval(Duration::from_secs(1))
        .with_retries(2);
    SockRef::from(&by)
        .set_tcp_keepalive(&keepalive)
        .to(|| "set keepalive".to_owned())?;
    lost();
    expect_error(until_gone(&by, PATIENCE)?, &[ErrorKind::TimedOut])
}

/// Closes with SO_LINGER 0.
///
/// # Errors
///
/// What the kernel answered.
pub fn abort(socket: TcpStream) -> Result<()> {
    SockRef::from(&socket)
        .set_linger(Some(Duration::ZERO))
        .to(|| "set SO_LINGER to 0".to_owned())
}

/// Waits until a RST ends this end's connection.
fn expect_reset(socket: &TcpStream) -> Result<()> {
    expect_error(
        until_gone(socket, PATIENCE)?,
        &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe],
    )
}

fn expect_error(died_of: Option<io::Error>, allowed: &[ErrorKind]) -> Result<()> {
    match died_of {
        Some(error) if allowed.contains(&error.kind()) => Ok(()),
        other => Err(Error::unexpected(
            "the end of a connection",
            &format!("{allowed:?}"),
            other,
        )),
    }
}

fn expect_bytes(expected: &[u8], found: &[u8]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let text = |bytes| format!("{:?}", String::from_utf8_lossy(bytes));
    Err(Error::unexpected(
        "what was read",
        &text(expected),
        text(found),
    ))
}

/// Sends `text` from the client and reads it at the server.
///
/// # Errors
///
/// What the kernel answered.
pub fn client_tells(conversation: &mut Conversation, text: &[u8]) -> Result<()> {
    tell(&mut conversation.client, &mut conversation.server, text).to(|| "send data".to_owned())
}
