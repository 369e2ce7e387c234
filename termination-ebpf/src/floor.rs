//! What no table of this shape can do without: the parse, a look at one or two
//! lines of fingerprints, the lines of the slot that this kind of segment changes,
//! written under the lock; and where a connection begins or ends, the line's lock,
//! the class in its entry, the clock and the record. No question is asked of the
//! segment.

use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    helpers::bpf_ktime_get_ns,
    programs::{TcContext, XdpContext},
};
use termination_common::{
    attention,
    counters::Event,
    driver::NOWHERE,
    segment::{Fast, Segment},
    slot::{Cold, Half, bit},
    table::{
        Head, HotRef as _, LINE, LOCKS, LineRef as _, Memory as _, Place, SlotRef as _, census,
        entry, pick, position, preferred,
    },
    time::tick,
    wire,
};
use termination_ebpf::{
    memory::{Maps, scratch},
    packet::Linear,
    programs::{self, Live, Source as _, coarse},
};

/// An XDP frame into the table; at the level `closing`, only a look at the filter.
#[inline(always)]
pub(crate) fn xdp(context: &XdpContext) {
    if Maps.level().is_closing() {
        glance(Linear::xdp(context));
    } else if keep_xdp(context.ctx) == 0 && programs::parse_xdp::<Live>(context.ctx) == 0 {
        begin_or_end();
    }
}

/// The same of an skb.
#[inline(always)]
pub(crate) fn skb(context: &TcContext) {
    if keep_skb(context.skb.skb) == 0 && programs::parse_skb::<Live>(context.skb.skb, 0) == 0 {
        begin_or_end();
    }
}

/// The connection's key, and its word of the filter.
#[inline(always)]
fn glance(packet: Linear) {
    if let Some(key) = wire::light(packet, Maps.seed()) {
        // A volatile read, of which nothing is made.
        Maps.attention(attention::index(key, Maps.attention_mask()));
    }
}

/// Not 0 if it was an established segment. A sub-program, for the sake of its stack.
#[inline(never)]
fn keep_xdp(context: *mut xdp_md) -> u32 {
    let context = &XdpContext::new(context);
    wire::fast(Linear::xdp(context)).map_or(0, |segment| keep(segment, Live::xdp(context).1))
}

/// The same of an skb.
#[inline(never)]
fn keep_skb(context: *mut __sk_buff) -> u32 {
    let context = &TcContext::new(context);
    let home = Live::skb(context, false).1;
    wire::fast(Linear::skb(context)).map_or(0, |segment| keep(segment, home))
}

/// Writes an established segment into its half.
#[inline(always)]
fn keep(segment: Fast, home: u32) -> u32 {
    let place = Place::of(&segment.tuple, Maps.seed(), Maps.mask());
    let index = find(&place);
    let Some(hot) = Maps.hot(index) else {
        return 1;
    };
    let state = hot.load();
    if hot.exchange(state, state.locked()) {
        hot.halves(|half| {
            let half = &mut half[segment.side() & 1];
            half.sent = segment.seq.wrapping_add(segment.payload);
            half.acked = segment.ack;
            half.window = segment.window;
            half.home = home;
            half.last = tick(coarse());
        });
        hot.store(state);
    }
    1
}

/// Its slot, or [`NOWHERE`].
#[inline(always)]
fn find(place: &Place) -> u32 {
    let mut number = place.first;
    let mut round = 0;
    while round < 2 {
        if let Some(line) = Maps.line(number) {
            let found = position(&line, place.fingerprint);
            if found < LINE {
                return number * LINE + found;
            }
        }
        number = place.second;
        round += 1;
    }
    NOWHERE
}

/// A SYN, FIN or RST, in SCRATCH; a function that the verifier walks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_or_end() -> u32 {
    let Some(segment) = scratch() else {
        return 0;
    };
    // SAFETY: no arguments.
    segment.time = unsafe { bpf_ktime_get_ns() };
    let place = Place::of(&segment.tuple, Maps.seed(), Maps.mask());
    if let Some(slot) = Maps.slot(place.first * LINE + preferred(place.fingerprint)) {
        slot.fetch();
    }
    let index = find(&place);
    if segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst() {
        let lock = place.first & (LOCKS - 1);
        if Maps.lock_line(lock) {
            let index = if index == NOWHERE {
                room(&place)
            } else {
                index
            };
            begin(index, &place, segment);
            Maps.unlock_line(lock);
        }
    } else if index != NOWHERE {
        go_on_or_end(index, &place, segment);
    }
    0
}

/// A free slot of the two lines, or one that is not.
#[inline(always)]
fn room(place: &Place) -> u32 {
    let mut number = place.first;
    let mut round = 0;
    while round < 2 {
        if let Some(line) = Maps.line(number) {
            let free = census(&line).free;
            if free != 0 {
                return number * LINE + pick(free, preferred(place.fingerprint));
            }
        }
        number = place.second;
        round += 1;
    }
    place.first * LINE
}

/// All of a slot anew, and its entry.
#[inline(always)]
fn begin(index: u32, place: &Place, segment: &Segment) {
    let Some(slot) = Maps.slot(index) else {
        return;
    };
    slot.fetch();
    let state = slot.load();
    if !slot.exchange(state, state.locked()) {
        return;
    }
    slot.with(|half, cold| {
        let words = (&raw mut *half).cast::<u32>();
        let mut word = 0;
        while word < size_of::<[Half; 2]>() / 4 {
            // SAFETY: one of the words of the halves, plain data.
            unsafe { words.add(word).write_volatile(0) };
            word += 1;
        }
        let words = (&raw mut *cold).cast::<u64>();
        let mut word = size_of_val(&segment.tuple) / 8;
        while word < size_of::<Cold>() / 8 {
            // SAFETY: as above, of the rest of the slot.
            unsafe { words.add(word).write_volatile(segment.time) };
            word += 1;
        }
        cold.tuple = segment.tuple;
        half[segment.side() & 1].sent = segment.end();
    });
    if let Some(line) = Maps.line(index / LINE) {
        line.set(index % LINE, place.fingerprint | entry::ATTEMPT);
    }
    slot.store(state.transition_to_live(0).released());
}

/// The slot's lines that the segment changes; an ending's record; the class.
#[inline(always)]
fn go_on_or_end(index: u32, place: &Place, segment: &Segment) {
    let Some(slot) = Maps.slot(index) else {
        return;
    };
    slot.fetch();
    let mut state = slot.load();
    if state.is_locked() || !slot.exchange(state, state.locked()) {
        return;
    }
    let side = segment.side() & 1;
    let closes = slot.with(|half, cold| {
        half[side].sent = segment.end();
        half[side].acked = segment.ack;
        half[side].last = segment.tick();
        cold.history = segment.time;
        cold.half[side].isn = segment.seq;
        if segment.flags.syn() {
            return false;
        }
        half[side].bits |= bit::FIN;
        cold.turned_at = segment.time;
        cold.half[side].fin = segment.seq;
        cold.outcome = segment.seq;
        segment.flags.rst() || half[0].bits & half[1].bits & bit::FIN != 0
    });
    let mut class = 0;
    if closes && state.is_live() {
        class = entry::ENDED;
        state = state.transition_to_ended(false).reported();
        Maps.report(Head {
            event: Event::Ending as u8,
            side: side as u8,
            detail: 0,
            repeated: false,
            slot: index,
            time: segment.time,
            state,
        });
    }
    // Settled by the answer, or ended.
    if (segment.flags.syn() || class != 0)
        && let Some(line) = Maps.line(index / LINE)
    {
        line.set(index % LINE, place.fingerprint | class);
    }
    slot.store(state.released());
}
