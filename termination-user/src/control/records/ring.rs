//! The event pump: records out of the ring buffer.
//!
//! A record is taken from the ring when it is read, but its place is given back
//! only when it was delivered ([`Pump::settle`]): a controller that is killed in
//! between leaves it to the next one. aya's reader gives the place back with the
//! reading, so this is one of its own; the layout is the kernel's
//! (kernel/bpf/ringbuf.c).

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use aya::maps::MapData;
use termination_common::exchange::Record;
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::control::{
    kernel::{
        mapping::{Mapping, page},
        plain::read,
    },
    options::RunOptions,
    persistence::meta::{Meta, Word},
};

/// Records taken at once before others get their turn; reading that many and
/// handing them on takes a few milliseconds.
pub const TURN: usize = 4096;

/// Head of a sample: its length and two flags, and the page it is on.
const HEAD: usize = 8;
const BUSY: u32 = 1 << 31;
const DISCARD: u32 = 1 << 30;

/// The reading end of a ring buffer.
#[derive(Debug)]
pub struct Ring {
    map: MapData,
    /// The consumer's page: one word, its position.
    consumer: Mapping,
    /// The producer's page and the data, twice in a row.
    producer: Mapping,
    page: usize,
    bytes: u64,
    /// Position up to which was read.
    position: u64,
    /// Position up to which places were given back.
    settled: u64,
    /// Position before which a dead controller may have handed over.
    repeated: u64,
    /// Where it is written down for the next controller.
    meta: Option<Meta>,
}

impl Ring {
    /// Maps a ring of `bytes`. With `meta` it goes on where the last reader
    /// stopped, and keeps account there.
    ///
    /// # Errors
    ///
    /// What mmap(2) answered.
    pub fn new(map: MapData, bytes: u32, meta: Option<Meta>) -> io::Result<Self> {
        let page = page();
        let consumer = Mapping::new(map.fd(), 0, page, true)?;
        let producer = Mapping::new(map.fd(), page, page + 2 * bytes as usize, false)?;
        let position = consumer.word(0).load(Ordering::Acquire);
        let repeated = meta
            .as_ref()
            .map_or(position, |meta| meta.get(Word::Handed));
        Ok(Self {
            map,
            consumer,
            producer,
            page,
            bytes: u64::from(bytes),
            position,
            settled: position,
            repeated,
            meta,
        })
    }

    /// Takes the next record. It is marked as repeated if it may have been
    /// handed over by another controller.
    pub fn take(&mut self) -> Option<Record> {
        loop {
            if self.position == self.producer.word(0).load(Ordering::Acquire) {
                return None;
            }
            let at = self.page + (self.position & (self.bytes - 1)) as usize;
            // The kernel clears the flag after the record is written (xchg).
            let head = self.producer.half(at).load(Ordering::Acquire);
            if head & BUSY != 0 {
                return None;
            }
            let length = (head & !DISCARD) as usize;
            let next = self.position + (length + HEAD).next_multiple_of(8) as u64;
            // Another size would be another layout, which the loader rules out.
            let record = if head & DISCARD == 0 && length == size_of::<Record>() {
                self.copy(at + HEAD)
            } else {
                None
            };
            let again = self.position < self.repeated;
            self.position = next;
            if let Some(mut record) = record {
                if let Some(meta) = &self.meta {
                    // Before anybody gets it: killed in between, it was not
                    // handed over and is marked all the same; never the reverse.
                    meta.set(Word::Handed, next);
                }
                if again {
                    record.repeated = 1;
                }
                return Some(record);
            }
        }
    }

    /// A record's bytes, word by word.
    fn copy(&self, at: usize) -> Option<Record> {
        const WORDS: usize = size_of::<Record>() / 8;
        let mut bytes = [0; size_of::<Record>()];
        for (word, to) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *to = self
                .producer
                .word(at + word * 8)
                .load(Ordering::Relaxed)
                .to_ne_bytes();
        }
        const { assert!(WORDS * 8 == size_of::<Record>()) };
        read(&bytes)
    }

    /// Gives back the places of what was read up to `position`.
    fn give_back(&mut self, position: u64) {
        self.settled = position;
        self.consumer.word(0).store(position, Ordering::Release);
        // Either the next look sees a new record, or its producer sees this
        // position and wakes us.
        fence(Ordering::SeqCst);
    }

    /// Gives back the places of all that was read.
    pub fn settle_all(&mut self) {
        self.give_back(self.position);
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// So long nothing is read after something was read, so that records come many at a
/// time: each wake-up costs as much as to write and read a hundred of them. A ring of
/// the default size takes 3.7 million a second meanwhile.
const REST: Duration = Duration::from_millis(20);

/// The same for small rings, which are full sooner: no less than this.
const SHORT_REST: Duration = Duration::from_millis(1);

/// When there is something to do.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// The kernel tells: everything was read, and its place given back. It wakes a
    /// reader for a record that finds the ring empty, and for no other
    /// (kernel/bpf/ringbuf.c, bpf_ringbuf_commit).
    Told,
    /// After a rest. Meanwhile the place of something that was read is not given
    /// back, so the kernel does not wake.
    At(Instant),
    /// Now: there may be more.
    Now,
}

/// The ring in an event loop.
pub struct Pump {
    source: AsyncFd<Ring>,
    due: Due,
    /// How long it rests.
    rest: Duration,
    /// Records that were taken.
    taken: u64,
    /// Once so many were delivered, the ring is free up to this position.
    marks: VecDeque<(u64, u64)>,
}

/// A mark is made every so many records.
const STRIDE: u64 = 64;

impl Pump {
    /// Waits on `ring` with the runtime of the caller.
    ///
    /// # Errors
    ///
    /// What epoll(7) answered.
    pub fn new(ring: Ring) -> io::Result<Self> {
        let rest = REST.mul_f64(ring.bytes as f64 / f64::from(RunOptions::RING_BYTES));
        // SAFETY: the map behind `ring` keeps its descriptor, one and the same,
        // until it is dropped with the `AsyncFd` that owns it.
        let source = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE)? };
        Ok(Self {
            source,
            due: Due::Told,
            rest: rest.clamp(SHORT_REST, REST),
            taken: 0,
            marks: VecDeque::new(),
        })
    }

    /// Waits until there may be something to do: records to take, or places to give
    /// back.
    ///
    /// Cancel safe: whoever is not told waits again.
    ///
    /// # Errors
    ///
    /// What epoll(7) answered.
    pub async fn due(&mut self) -> io::Result<()> {
        match self.due {
            // Before the look at the ring: what comes after it is told again.
            Due::Told => self.source.readable_mut().await?.clear_ready(),
            Due::At(until) => sleep_until(until).await,
            Due::Now => yield_now().await,
        }
        Ok(())
    }

    /// Takes what is there now, at most `limit` and one turn ([`TURN`]). To be asked
    /// after [`Pump::settle`], so that the ring is not kept longer than it has to be.
    pub fn take(&mut self, limit: usize, mut each: impl FnMut(Record)) -> usize {
        let Self {
            source,
            due,
            rest,
            taken: count,
            marks,
        } = self;
        let ring = source.get_mut();
        let limit = limit.min(TURN);
        let mut taken = 0;
        while taken < limit
            && let Some(record) = ring.take()
        {
            taken += 1;
            *count += 1;
            if count.is_multiple_of(STRIDE) {
                marks.push_back((*count, ring.position));
            }
            each(record);
        }
        *due = if taken == limit {
            Due::Now
        } else if ring.settled != ring.position {
            Due::At(Instant::now() + *rest)
        } else {
            Due::Told
        };
        taken
    }

    /// Gives back the places of what was delivered: of all records that were
    /// taken, the first `delivered` have arrived where they were sent.
    ///
    /// Who is behind by more than a quarter of the ring is not waited for: its
    /// records stay in its queue, and would be lost to it with this process.
    pub fn settle(&mut self, delivered: u64) {
        let ring = self.source.get_mut();
        if delivered >= self.taken || ring.position - ring.settled > ring.bytes / 4 {
            self.marks.clear();
            if ring.position != ring.settled {
                ring.settle_all();
            }
            return;
        }
        let mut free = None;
        while let Some(&(number, position)) = self.marks.front()
            && number <= delivered
        {
            free = Some(position);
            self.marks.pop_front();
        }
        if let Some(position) = free {
            ring.give_back(position);
        }
    }
}
