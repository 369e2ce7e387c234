//! Frames out of an interface (packet(7)), many a call.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use termination_lab::End;

use crate::{frame::Kind, harness::Result};

/// Frames a call.
const BATCH: usize = 64;
/// Bytes of a frame at most.
const LONGEST: usize = 256;
/// Destination and source: nobody here.
const STATIONS: [u8; 12] = [2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 1];

/// A raw socket that only sends, past the queueing discipline.
pub(super) struct Sender {
    socket: OwnedFd,
    frames: [[u8; LONGEST]; BATCH],
    lengths: [usize; BATCH],
    /// How many of them wait.
    count: usize,
}

impl Sender {
    /// On the interface of one end.
    pub(super) fn open(end: &End) -> Result<Self> {
        let index = end.index()?.cast_signed();
        Ok(Self {
            socket: end.namespace.enter(|| open(index))??,
            frames: [[0; LONGEST]; BATCH],
            lengths: [0; BATCH],
            count: 0,
        })
    }

    /// Frame `number` of this kind, of `1 << shift` connections; it leaves with
    /// its batch. What finds no room is dropped, and not sent again.
    pub(super) fn put(&mut self, kind: &Kind, shift: u32, number: u64) -> Result<()> {
        let length = kind.frame.len();
        let frame = &mut self.frames[self.count][..length];
        frame.copy_from_slice(&kind.frame);
        frame[..12].copy_from_slice(&STATIONS);
        kind.draw(shift, number, frame);
        self.lengths[self.count] = length;
        self.count += 1;
        if self.count == BATCH {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) -> Result<()> {
        let mut vectors = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; BATCH];
        // SAFETY: all zeroes are valid messages.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        let frames = self.frames.iter_mut().zip(&self.lengths);
        let parts = vectors.iter_mut().zip(&mut messages);
        for ((frame, &length), (vector, message)) in frames.zip(parts) {
            vector.iov_base = frame.as_mut_ptr().cast();
            vector.iov_len = length;
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let mut left = &mut messages[..self.count];
        self.count = 0;
        while !left.is_empty() {
            let sent = self.batch(left)?;
            left = &mut left[sent..];
        }
        Ok(())
    }

    /// As many as go at once, one at least.
    fn batch(&self, messages: &mut [libc::mmsghdr]) -> Result<usize> {
        // SAFETY: as many messages as said; their vectors and frames are alive,
        // and the kernel only reads them.
        let sent = unsafe {
            libc::sendmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                messages.len() as u32,
                0,
            )
        };
        match usize::try_from(sent) {
            Ok(sent) => Ok(sent.max(1)),
            Err(_) => match io::Error::last_os_error() {
                // The other end's ring is full; that frame is lost.
                error if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(1),
                error => Err(format!("cannot send frames: {error}").into()),
            },
        }
    }
}

/// In the calling thread's namespace.
fn open(index: i32) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the result is checked. Without a protocol it
    // receives nothing.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let on = 1_i32;
    // SAFETY: the option takes an int, and the length given is that of an int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeroes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index;
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
