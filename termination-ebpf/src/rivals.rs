//! What one would write without the slot table: the same segment kept in the
//! kernel's own hash maps, for comparison; and the ring buffer by itself.

use core::ptr::write_volatile;

use aya_ebpf::{
    btf_maps::{HashMap, LruHashMap},
    helpers::bpf_ktime_get_coarse_ns,
    macros::btf_map,
    programs::XdpContext,
};
use termination_common::{
    counters::{self, Loss},
    exchange::Record,
    segment::Segment,
    table::Memory as _,
    tuple::Tuple,
};

use termination_ebpf::{
    maps::EVENTS,
    memory::{Maps, scratch},
    programs::{Source, parse_only},
};

/// A direction as a hash map would hold it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Half {
    time: u64,
    segments: u64,
    sent: u32,
    acked: u32,
    window: u32,
    flags: u32,
}

/// A connection: 64 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Kept {
    lower: Half,
    higher: Half,
}

const _: () = assert!(size_of::<Kept>() == 64 && size_of::<Tuple>() == 40);

/// Set at load, to as many as the slot table has slots.
const ENTRIES: usize = 1;

/// By tuple.
#[btf_map]
pub(crate) static HASH: HashMap<Tuple, Kept, ENTRIES> = HashMap::new();

/// By tuple; forgets what was not used for long.
#[btf_map]
pub(crate) static LRU: LruHashMap<Tuple, Kept, ENTRIES> = LruHashMap::new();

macro_rules! rival {
    ($(#[$doc:meta])* $name:ident, $map:ident) => {
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name<S: Source>(context: &XdpContext) -> u32 {
            let verdict = parse_only::<S>(context);
            if let Some(segment) = scratch() {
                // SAFETY: no arguments.
                segment.time = unsafe { bpf_ktime_get_coarse_ns() };
                if let Some(kept) = $map.get_ptr_mut(&segment.tuple) {
                    // SAFETY: a map value; like every program that counts in a
                    // hash map, this one takes no lock.
                    unsafe { keep(&mut *kept, segment) };
                    if segment.flags.rst() {
                        let _ = $map.remove(&segment.tuple);
                    }
                } else {
                    const NONE: Half = Half {
                        time: 0,
                        segments: 0,
                        sent: 0,
                        acked: 0,
                        window: 0,
                        flags: 0,
                    };
                    let mut kept = Kept {
                        lower: NONE,
                        higher: NONE,
                    };
                    keep(&mut kept, segment);
                    let _ = $map.insert(&segment.tuple, &kept, 0);
                }
            }
            verdict
        }
    };
}

rival! {
    /// The segment into [`HASH`].
    hash, HASH
}
rival! {
    /// The segment into [`LRU`].
    lru, LRU
}

#[inline(always)]
fn keep(kept: &mut Kept, segment: &Segment) {
    // A branch, for the verifier forbids arithmetic with pointers to the stack.
    let half = if segment.side() == 0 {
        &mut kept.lower
    } else {
        &mut kept.higher
    };
    half.time = segment.time;
    half.segments = half.segments.wrapping_add(1);
    half.sent = segment.end();
    half.acked = segment.ack;
    half.window = segment.window.into();
    half.flags |= u32::from(segment.flags.0);
}

/// A record of the size of ours into the ring: what handing over takes by
/// itself. What finds no room is counted as ours are.
#[inline(always)]
pub(crate) fn record() {
    let Some(mut entry) = EVENTS.reserve(0) else {
        Maps.count(counters::LOSS + Loss::RingFull as usize);
        return;
    };
    let to = entry.as_mut_ptr().cast::<u64>();
    let mut word = 0;
    while word < size_of::<Record>() / 8 {
        // SAFETY: one of the words of the record that was reserved.
        unsafe { write_volatile(to.add(word), 1) };
        word += 1;
    }
    entry.submit(0);
}
