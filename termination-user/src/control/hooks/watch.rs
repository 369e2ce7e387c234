//! Interfaces and filters that come and go, as rtnetlink(7) tells: only that
//! something has changed; what, is asked afresh.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

use super::netlink;

/// Ears on the interfaces of the namespace it was made in, and on their filters.
pub struct Watch {
    socket: AsyncFd<OwnedFd>,
}

/// The socket, in the caller's network namespace.
///
/// # Errors
///
/// What the kernel answered.
pub fn socket() -> io::Result<OwnedFd> {
    let socket = netlink::socket(libc::SOCK_NONBLOCK)?;
    // SAFETY: all zeroes are a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = (libc::RTMGRP_LINK | libc::RTMGRP_TC) as u32;
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
    pub async fn changed(&mut self) -> io::Result<News> {
        let mut ready = self.socket.readable_mut().await?;
        let mut buffer = [0_u8; 16 << 10];
        let mut news = News::default();
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
            match usize::try_from(read) {
                Ok(read) => news.hear(&buffer[..read]),
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock => break,
                // Some found no room (ENOBUFS), whatever they said.
                Err(_) => news = News::ALL,
            }
        }
        ready.clear_ready();
        Ok(news)
    }
}

/// What has changed, perhaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Interfaces.
    pub links: bool,
    /// Filters, or the qdiscs that they are in.
    pub filters: bool,
}

impl News {
    const ALL: Self = Self {
        links: true,
        filters: true,
    };

    /// Of what is said of traffic control, hosts that change it all the time say a
    /// lot; who has no filter there need not listen.
    fn hear(&mut self, messages: &[u8]) {
        for kind in netlink::types(messages) {
            match kind {
                libc::RTM_NEWLINK | libc::RTM_DELLINK => self.links = true,
                _ => self.filters = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_filters_is_not_of_interfaces() {
        let message = |kind: u16| {
            let mut bytes = [0_u8; 16];
            bytes[0..4].copy_from_slice(&16_u32.to_ne_bytes());
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes
        };
        let mut news = News::default();
        news.hear(&[]);
        assert_eq!(news, News::default());
        news.hear(&message(libc::RTM_DELTFILTER));
        news.hear(&message(libc::RTM_DELQDISC));
        assert!(news.filters && !news.links);
        news.hear(&[message(libc::RTM_NEWTFILTER), message(libc::RTM_NEWLINK)].concat());
        assert_eq!(news, News::ALL);
    }
}
