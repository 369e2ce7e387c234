//! Interfaces that come and go, as rtnetlink(7) tells: only that something has
//! changed; what, is asked afresh.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Ears on the interfaces of the namespace it was made in.
pub struct Watch {
    socket: AsyncFd<OwnedFd>,
}

/// The socket, in the caller's network namespace.
///
/// # Errors
///
/// What the kernel answered.
pub fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: a plain system call; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: all zeroes are a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = libc::RTMGRP_LINK as u32;
    // SAFETY: a valid address of the length that is given.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(socket)
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Watch {
    /// Listens with the runtime of the caller.
    ///
    /// # Errors
    ///
    /// What epoll(7) answered.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` keeps its descriptor until it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(Self { socket })
    }

    /// Waits until something has changed. Cancel safe.
    ///
    /// # Errors
    ///
    /// What epoll(7) answered.
    pub async fn changed(&mut self) -> io::Result<()> {
        let mut ready = self.socket.readable_mut().await?;
        let mut buffer = [0_u8; 16 << 10];
        // Every message says the same here; one that found no room (ENOBUFS)
        // does, too.
        loop {
            // SAFETY: the buffer is writable for its length.
            let read = unsafe {
                libc::recv(
                    ready.get_inner().as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    0,
                )
            };
            if read < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock {
                break;
            }
        }
        ready.clear_ready();
        Ok(())
    }
}
