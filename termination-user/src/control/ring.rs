//! The event pump: records out of the ring buffer.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
};

use aya::maps::{MapData, RingBuf};
use termination_common::exchange::Record;
use tokio::io::{Interest, unix::AsyncFd};

use super::plain::read;

/// Records taken at once before others get their turn; reading that many and
/// handing them on takes a few milliseconds.
const TURN: usize = 4096;

/// The descriptor that tokio waits on, and the map behind it.
struct Source(RingBuf<MapData>);

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// The reading end of the ring buffer.
pub struct Pump {
    source: AsyncFd<Source>,
}

impl Pump {
    /// Waits on `ring` with the runtime of the caller.
    ///
    /// # Errors
    ///
    /// What epoll(7) answered.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the map behind `ring` keeps its descriptor, one and the same,
        // until it is dropped with the `AsyncFd` that owns it.
        let source = unsafe { AsyncFd::register_with_interest(Source(ring), Interest::READABLE)? };
        Ok(Self { source })
    }

    /// Waits until there may be records, then takes some.
    ///
    /// Cancel safe: records are taken without waiting.
    ///
    /// # Errors
    ///
    /// What epoll(7) answered.
    pub async fn wait(&mut self, each: impl FnMut(Record)) -> io::Result<usize> {
        let mut ready = self.source.readable_mut().await?;
        let taken = take(&mut ready.get_inner_mut().0, each);
        // With more in the ring, stay ready: the descriptor tells of it once.
        if taken < TURN {
            ready.clear_ready();
        }
        Ok(taken)
    }

    /// Takes what is there now, at most one turn.
    pub fn drain(&mut self, each: impl FnMut(Record)) -> usize {
        take(&mut self.source.get_mut().0, each)
    }

    /// Takes all that is there, and what is added meanwhile.
    pub fn drain_all(&mut self, mut each: impl FnMut(Record)) -> usize {
        let mut all = 0;
        loop {
            let taken = self.drain(&mut each);
            all += taken;
            if taken < TURN {
                return all;
            }
        }
    }
}

/// Up to one turn of records.
fn take(ring: &mut RingBuf<MapData>, mut each: impl FnMut(Record)) -> usize {
    for taken in 0..TURN {
        let Some(item) = ring.next() else {
            return taken;
        };
        // Another size would be another layout, which the loader rules out.
        if let Some(record) = read(&item) {
            each(record);
        }
    }
    TURN
}
