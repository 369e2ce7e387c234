//! What Linux alone lets one do to a TCP socket.

use std::{io, mem, net::TcpStream, os::fd::AsRawFd as _, time::Duration};

use socket2::{SockRef, TcpKeepalive};

use crate::{Error, Result, error::Context as _};

/// Lets this end vanish as a host does that loses power: the socket is gone, and
/// nothing was sent (TCP_REPAIR).
///
/// It is gone at once: a close alone takes effect when the last descriptor goes,
/// and a child that another thread has just forked holds them all until it execs.
///
/// # Errors
///
/// What the kernel answered.
pub fn vanish(stream: TcpStream) -> Result<()> {
    set(&stream, libc::TCP_REPAIR, 1).to(|| "let a socket vanish".to_owned())?;
    // In repair, without a word (net/ipv4/tcp.c tcp_disconnect).
    disconnect(&stream)
}

/// How long this end waits in FIN_WAIT_2 once it is closed, in seconds
/// (TCP_LINGER2). Below 0 it does not: it aborts.
///
/// # Errors
///
/// What the kernel answered.
pub fn set_fin_timeout(stream: &TcpStream, seconds: i32) -> Result<()> {
    set(stream, libc::TCP_LINGER2, seconds).to(|| "set TCP_LINGER2".to_owned())
}

/// How long what was sent may stay unacked (TCP_USER_TIMEOUT).
///
/// # Errors
///
/// What the kernel answered.
pub fn set_user_timeout(stream: &TcpStream, timeout: Duration) -> Result<()> {
    SockRef::from(stream)
        .set_tcp_user_timeout(Some(timeout))
        .to(|| "set TCP_USER_TIMEOUT".to_owned())
}

/// Probes after so much silence and at such intervals; so many of them
/// unanswered, and the connection is given up.
///
/// # Errors
///
/// What the kernel answered.
pub fn set_keepalive(stream: &TcpStream, interval: Duration, probes: u32) -> Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(interval)
        .with_interval(interval)
        .with_retries(probes);
    SockRef::from(stream)
        .set_tcp_keepalive(&keepalive)
        .to(|| "set keepalive".to_owned())
}

/// Ends a connection as connect(2) to AF_UNSPEC does: at once, by a RST.
///
/// # Errors
///
/// What the kernel answered.
pub fn disconnect(stream: &TcpStream) -> Result<()> {
    // SAFETY: all zeroes are a valid sockaddr; zero is AF_UNSPEC.
    let address: libc::sockaddr = unsafe { mem::zeroed() };
    // SAFETY: a valid address of the length that is given.
    let result = unsafe {
        libc::connect(
            stream.as_raw_fd(),
            &raw const address,
            size_of_val(&address) as libc::socklen_t,
        )
    };
    if result != 0 {
        return Err(Error::last("disconnect a socket"));
    }
    Ok(())
}

fn set(stream: &TcpStream, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option takes an int, and the length given is that of one.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
