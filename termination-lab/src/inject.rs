//! Raw frames, sent and received on one interface (packet(7)).

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    time::Duration,
};

use crate::{End, Error, Namespace, Result, error::Context as _, pair, try_wait_for};

/// Longer than any frame, super-segments included.
const LONGEST: usize = 1 << 17;

/// Frames that one [`Wire::send`] takes at most.
const MOST: usize = 100_000;

/// A raw socket on one interface. Receives what comes in there, not what goes
/// out.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
    interface: String,
}

impl Wire {
    /// On the interface of one end.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn open(end: &End) -> Result<Self> {
        Self::open_in(&end.namespace, &end.interface)
    }

    /// On an interface of a namespace.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn open_in(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace.enter(|| Self::open_here(interface))?
    }

    /// On an interface of the calling thread's namespace.
    fn open_here(interface: &str) -> Result<Self> {
        let what = || format!("open a raw socket on interface {interface}");
        let index = pair::index(interface)?;
        // No protocol yet: until it is bound it receives nothing, rather than
        // the frames of all interfaces.
        // SAFETY: a plain system call; the result is checked.
        let socket = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                0,
            )
        };
        if socket < 0 {
            return Err(Error::last(what()));
        }
        // SAFETY: a new descriptor that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1).to(what)?;
        // What the reader is late for is kept; the limit of others does not
        // bind root.
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 8 << 20).to(what)?;

        // SAFETY: all zeroes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index.cast_signed();
        // SAFETY: a valid address of the length that is given.
        let result = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if result != 0 {
            return Err(Error::last(what()));
        }
        Ok(Self {
            socket,
            interface: interface.to_owned(),
        })
    }

    /// Sends frames, Ethernet header first, in this order.
    ///
    /// # Errors
    ///
    /// What the kernel answered, or [`Error::Unexpected`] when there are too
    /// many.
    pub fn send<F: AsRef<[u8]>>(&self, frames: impl IntoIterator<Item = F>) -> Result<()> {
        let what = || format!("send a frame on interface {}", self.interface);
        for (number, frame) in frames.into_iter().enumerate() {
            if number == MOST {
                return Err(Error::unexpected(
                    "frames to send",
                    "at most 100,000",
                    "more",
                ));
            }
            let frame = frame.as_ref();
            // A full queue empties by itself.
            try_wait_for("room in the queue of an interface", crate::PATIENCE, || {
                // SAFETY: the buffer is readable for its length.
                let sent = unsafe {
                    libc::send(
                        self.socket.as_raw_fd(),
                        frame.as_ptr().cast(),
                        frame.len(),
                        0,
                    )
                };
                let error = io::Error::last_os_error();
                let again = [Some(libc::EAGAIN), Some(libc::ENOBUFS), Some(libc::EINTR)];
                match sent {
                    0.. => Some(Ok(())),
                    _ if again.contains(&error.raw_os_error()) => None,
                    _ => Some(Err(error)),
                }
            })?
            .to(what)?;
        }
        Ok(())
    }

    /// The next frame that came in, or `None` if none is there.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn receive(&self) -> Result<Option<Vec<u8>>> {
        let mut frame = vec![0_u8; LONGEST];
        // SAFETY: the buffer is writable for its length.
        let length = unsafe {
            libc::recv(
                self.socket.as_raw_fd(),
                frame.as_mut_ptr().cast(),
                frame.len(),
                0,
            )
        };
        if let Ok(length) = usize::try_from(length) {
            frame.truncate(length);
            return Ok(Some(frame));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            // The interface was down for a moment.
            _ if error.raw_os_error() == Some(libc::ENETDOWN) => Ok(None),
            _ => Err(error).to(|| format!("receive on interface {}", self.interface)),
        }
    }

    /// The next frame that `wanted` makes something of; those before it are
    /// thrown away.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when none comes for `patience`; `what` names it.
    pub fn expect<T>(
        &self,
        what: &str,
        patience: Duration,
        mut wanted: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<T> {
        try_wait_for(what, patience, || {
            loop {
                match self.receive() {
                    Err(error) => return Some(Err(error)),
                    Ok(None) => return None,
                    Ok(Some(frame)) => {
                        if let Some(found) = wanted(&frame) {
                            return Some(Ok(found));
                        }
                    }
                }
            }
        })?
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Puts link-layer addresses into an Ethernet frame: what is not addressed to
/// an interface reaches no socket behind it.
pub fn address(frame: &mut [u8], source: [u8; 6], destination: [u8; 6]) {
    if let Some(header) = frame.first_chunk_mut::<12>() {
        header[..6].copy_from_slice(&destination);
        header[6..].copy_from_slice(&source);
    }
}

fn set(socket: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option takes an int, and the length given is that of an int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
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
