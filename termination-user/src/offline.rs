//! The engine over captures: the same `step`, in a table that grows.
//!
//! The capture's own time drives the timers. Memory follows what is live or
//! lingering, not the length of the file: a slot is reused as soon as its
//! linger is over. A connection's record is handed out at that moment, so that
//! it carries what was seen after the ending as well (a stray RST in the
//! history, the sequel of a TIME_WAIT right behind it).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::{BuildHasherDefault, Hash, Hasher},
};

use termination_common::{
    counters::{self, Counters, Event},
    engine::{self, Effects, Flow},
    exchange::Record,
    policy::{Settings, Timers},
    segment::{Segment, mark},
    slot::Slot,
    state::Snapshot,
    taxonomy::{Outcome, Sequel},
    time::{TICK_SHIFT, tick},
    timer,
    tuple::Tuple,
    wire::{self, Context, Skip, ethertype, tunnel},
};

use crate::{
    capture::{Entry, Packet},
    policy::Policy,
};

/// Key of the hash; a capture has no adversary to hide it from.
const SEED: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];

/// A tuple that is hashed by its own function.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(Tuple);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash(SEED));
    }
}

/// Passes a hash on.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// When (nanoseconds), which slot, which generation.
type Alarm = Reverse<(u64, u32, u32)>;

/// Tracks the connections of one capture, or of several in order.
pub struct Offline {
    timers: Timers,
    settings: Settings,
    follow: tunnel::Follow,
    index: HashMap<Key, u32, BuildHasherDefault<Identity>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// At least one for every slot in use, never later than its deadline.
    alarms: BinaryHeap<Alarm>,
    counters: Box<Counters>,
    clock: u64,
}

impl Offline {
    /// An empty tracker. `tunnels`: look for the innermost packet.
    pub fn new(policy: Policy, tunnels: bool) -> Self {
        Self {
            timers: policy.timers,
            settings: policy.settings,
            follow: if tunnels {
                tunnel::Follow::ALL
            } else {
                tunnel::Follow::LINK
            },
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            alarms: BinaryHeap::new(),
            counters: Box::default(),
            clock: 0,
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Connections that have not ended.
    pub fn live(&self) -> usize {
        self.slots
            .iter()
            .filter(|slot| slot.state().is_live())
            .count()
    }

    /// Takes one packet; `out` gets the records of what is over.
    pub fn frame(&mut self, packet: &Packet<'_>, out: &mut impl FnMut(&Record)) {
        self.pass(packet.time, out);
        let mut segment = Segment::default();
        match self.parse(packet, &mut segment) {
            Ok(()) => self.segment(&segment, out),
            Err(skip) => self.counters.0[counters::SKIP + skip as usize] += 1,
        }
    }

    fn parse(&self, packet: &Packet<'_>, segment: &mut Segment) -> Result<(), Skip> {
        let bytes = packet.data;
        let context = Context {
            time: packet.time,
            home: 2,
            packets: 1,
            length: packet.length,
            trimmed: (bytes.len() as u64) < u64::from(packet.length),
            // Which side of the wire the capture was taken on is not known, and
            // what leaves a host has its checksum filled in later.
            verify_checksum: false,
            ..Context::default()
        };
        let (offset, kind) = match packet.entry() {
            Entry::Ethernet { offset } => {
                let Some(kind) = bytes.get(offset + 12..offset + 14) else {
                    return Err(Skip::Runt);
                };
                (offset + 14, u16::from_be_bytes([kind[0], kind[1]]))
            }
            Entry::EtherType { ether_type, offset } => (offset, ether_type),
            Entry::Ip { offset } => match bytes.get(offset).map(|byte| byte >> 4) {
                Some(4) => (offset, ethertype::IPV4),
                Some(6) => (offset, ethertype::IPV6),
                Some(_) => return Err(Skip::BadHeader),
                None => return Err(Skip::Runt),
            },
            Entry::NotIp | Entry::Unsupported => return Err(Skip::NotIp),
        };
        let (offset, kind) = if matches!(kind, ethertype::IPV4 | ethertype::IPV6)
            && self.follow == tunnel::Follow::LINK
        {
            (offset, kind)
        } else {
            tunnel::innermost(bytes, offset, kind, self.follow)
        };
        wire::by_ethertype(bytes, offset, kind, &context, segment)
    }

    /// Takes one segment.
    pub fn segment(&mut self, segment: &Segment, out: &mut impl FnMut(&Record)) {
        self.counters.0[counters::SEGMENTS] += 1;
        if segment.has(mark::ODD_FLAGS) {
            self.counters.0[counters::ODD_FLAGS] += 1;
        }
        let key = Key(segment.tuple);
        let Some(&index) = self.index.get(&key) else {
            self.open(key, segment, out);
            return;
        };
        let settings = self.settings;
        let effects = self.with(index, |flow| engine::step(flow, segment, &settings));
        if effects == Effects::NONE {
            return;
        }
        self.tell(index, segment.time, segment.sender, effects, out);
        if effects.any(Effects::REOPEN) {
            self.hand_out(index, segment.time, effects.sequel_number(), out);
            let again = self.with(index, |flow| engine::reopen(flow, segment));
            self.counters.0[counters::OPENED] += 1;
            self.tell(index, segment.time, segment.sender, again, out);
        }
        self.set_alarm(index, segment.time);
    }

    fn open(&mut self, key: Key, segment: &Segment, out: &mut impl FnMut(&Record)) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 slots fit into memory")
        });
        self.index.insert(key, index);
        let effects = self.with(index, |flow| engine::open(flow, segment));
        let opened = if segment.flags.syn() && !segment.flags.rst() {
            counters::OPENED
        } else {
            counters::MIDSTREAM
        };
        self.counters.0[opened] += 1;
        self.tell(index, segment.time, segment.sender, effects, out);
        self.set_alarm(index, segment.time);
    }

    /// Runs `f` on a slot as if its lock were held.
    fn with<R>(&mut self, index: u32, f: impl FnOnce(&mut Flow<'_>) -> R) -> R {
        let Slot { hot, cold } = &mut self.slots[index as usize];
        let mut flow = Flow {
            state: Snapshot(hot.word),
            hot,
            cold,
        };
        let result = f(&mut flow);
        let word = flow.state.released().0;
        hot.word = word;
        result
    }

    /// Counts what happened, and hands out events (not endings, which wait for
    /// the end of their linger).
    fn tell(
        &mut self,
        index: u32,
        time: u64,
        side: u8,
        effects: Effects,
        out: &mut impl FnMut(&Record),
    ) {
        let count = &mut self.counters.0;
        if effects.any(Effects::JUDGED) {
            count[counters::VERDICT + effects.verdict_number() as usize] += 1;
        }
        if effects.any(Effects::FIN_RESTART) {
            count[counters::FIN_RESTARTS] += 1;
        }
        let slot = &self.slots[index as usize];
        if effects.has(Event::Ending) {
            let ending = Outcome::packed_ending(slot.cold.outcome);
            count[counters::ENDING + ending as usize] += 1;
            count[counters::TIME_WAIT] += u64::from(slot.state().is_time_wait());
        }
        for &event in Event::ALL {
            if event == Event::Ending || !effects.has(event) {
                continue;
            }
            count[counters::EVENT + event as usize] += 1;
            if event == Event::TimeWait {
                count[counters::SEQUEL + effects.sequel_number() as usize] += 1;
            } else if self.settings.events & 1 << event as u32 != 0 {
                out(&Record {
                    event: event as u8,
                    side,
                    detail: effects.verdict_number(),
                    repeated: 0,
                    slot: index,
                    time,
                    copy: *slot,
                });
            }
        }
        // An assassinated TIME_WAIT lingers on; its sequel is known already.
        if effects.has(Event::TimeWait) && !effects.any(Effects::REOPEN) {
            self.hand_out(index, time, effects.sequel_number(), out);
            self.with(index, |flow| flow.state = flow.state.reported());
        }
    }

    /// Hands out the ending of a slot, unless it was, and the sequel if there
    /// is one.
    fn hand_out(&mut self, index: u32, time: u64, sequel: u8, out: &mut impl FnMut(&Record)) {
        let copy = self.slots[index as usize];
        let mut record = Record {
            event: Event::Ending as u8,
            side: 0,
            detail: 0,
            repeated: 0,
            slot: index,
            time: copy.cold.turned_at,
            copy,
        };
        if !copy.state().is_reported() {
            out(&record);
        }
        if sequel != 0 {
            record.event = Event::TimeWait as u8;
            record.detail = sequel;
            record.time = time;
            out(&record);
        }
    }

    /// Makes sure that the slot is looked at by its deadline.
    fn set_alarm(&mut self, index: u32, now: u64) {
        let slot = &self.slots[index as usize];
        let at = timer::deadline(&slot.hot, || slot.cold.pending, &self.timers);
        let ahead = at.wrapping_sub(tick(now)).cast_signed();
        let ahead = u64::from(ahead.max(0).cast_unsigned());
        let time = ((now >> TICK_SHIFT) + ahead) << TICK_SHIFT;
        let generation = slot.state().generation();
        self.alarms.push(Reverse((time, index, generation)));
    }

    /// Lets time pass up to `time`, one deadline after the other, each at its
    /// own moment: a capture may be silent for years.
    fn pass(&mut self, time: u64, out: &mut impl FnMut(&Record)) {
        if time <= self.clock {
            return;
        }
        self.clock = time;
        while let Some(&Reverse((at, index, generation))) = self.alarms.peek() {
            if at > time {
                break;
            }
            self.alarms.pop();
            self.ring(at, index, generation, out);
        }
    }

    /// One alarm: the slot may be due, or busier than was thought.
    fn ring(&mut self, at: u64, index: u32, generation: u32, out: &mut impl FnMut(&Record)) {
        let state = self.slots[index as usize].state();
        if state.is_free() || state.generation() != generation {
            return;
        }
        let timers = self.timers;
        let (effects, over) = self.with(index, |flow| timer::expire(flow, at, &timers));
        if over {
            let sequel = effects.sequel_number();
            if sequel != 0 {
                self.counters.0[counters::SEQUEL + sequel as usize] += 1;
                self.counters.0[counters::EVENT + Event::TimeWait as usize] += 1;
            }
            self.release(index, at, sequel, out);
            return;
        }
        if effects != Effects::NONE {
            self.tell(index, at, 0, effects, out);
        }
        self.set_alarm(index, at);
    }

    fn release(&mut self, index: u32, time: u64, sequel: u8, out: &mut impl FnMut(&Record)) {
        self.hand_out(index, time, sequel, out);
        let tuple = self.slots[index as usize].cold.tuple;
        self.index.remove(&Key(tuple));
        self.with(index, |flow| flow.state = flow.state.transition_to_free());
        self.free.push(index);
    }

    /// The capture is over: what lives ends as `shutdown`.
    pub fn finish(&mut self, out: &mut impl FnMut(&Record)) {
        let now = self.clock;
        for index in 0..self.slots.len() {
            let index = index as u32;
            let state = self.slots[index as usize].state();
            if state.is_free() {
                continue;
            }
            if state.is_live() {
                let timers = self.timers;
                let effects = self.with(index, |flow| stop(flow, now, &timers));
                self.tell(index, now, 0, effects, out);
            }
            let waiting = self.slots[index as usize].state().is_time_wait();
            let sequel = if waiting { Sequel::Shutdown as u8 } else { 0 };
            self.counters.0[counters::SEQUEL + sequel as usize] += u64::from(waiting);
            self.release(index, now, sequel, out);
        }
    }
}

/// An RST in doubt that nothing refuted before the capture ended stands;
/// everything else was open.
fn stop(flow: &mut Flow<'_>, now: u64, timers: &Timers) -> Effects {
    if flow.is_pending(engine::pending::kind::RST) {
        let at = flow.cold.pending.at.wrapping_add(timers.reset_confirm);
        let ahead = at.wrapping_sub(tick(now)).cast_signed().max(0);
        let then = now + ((u64::from(ahead.cast_unsigned()) + 1) << TICK_SHIFT);
        return timer::expire(flow, then, timers).0;
    }
    timer::drop_observed(flow, now, false)
}
