//! The engine over captures: the same `step`, in a table that grows.
//!
//! The capture's own time drives the timers. Memory follows what is live or
//! lingering, not the length of the file: a slot is reused as soon as its
//! linger is over. A connection's record is handed out at that moment, so that
//! it carries what was seen after the ending as well (a stray RST in the
//! history, the sequel of a TIME_WAIT right behind it).
//!
//! Packets are parsed a few ahead of the engine. A busy capture touches its
//! connections in no order, and each would wait for memory; so the lines that
//! a batch needs are on their way before its first segment is looked at.

mod alarms;
mod huge;
mod index;
mod parse;
mod place;

use termination_common::{
    attention,
    counters::{self, Counters, Event},
    engine::{self, Effects, Flow, closing::is_plain, fast::Taken},
    exchange::Record,
    policy::{Level, Settings, Timers},
    segment::{Fast, Segment, mark},
    slot::Slot,
    state::Snapshot,
    taxonomy::{Outcome, Sequel},
    time::{TICK_SHIFT, tick},
    timer,
    traffic::left_out,
    wire::tunnel,
};

use crate::{
    capture::Packet,
    policy::{HostRules, Policy},
};
use alarms::Alarms;
use index::Index;
use parse::parse;
use place::{NEVER, Places, Waiting, hash, shape};

/// Segments in a batch: more than the processor fetches at once, few enough to
/// stay in the first-level cache.
const AHEAD: usize = 32;
/// Key of the sample: nobody aims at a capture's table, and the same capture has
/// the same sample each time.
const SEED: [u64; 2] = [0; 2];
/// Later than this is drawn to it: 52 days (2^32 ticks) before the end of time, so
/// that every timer still runs out in time.
const LATEST: u64 = u64::MAX - (1 << (32 + TICK_SHIFT));
/// Outdated alarms that are not worth a look.
const OUTDATED: usize = 1 << 12;

/// Tracks the connections of one capture, or of several in order.
pub struct Offline {
    timers: Timers,
    settings: Settings,
    follow: tunnel::Follow,
    /// None: everything is tracked.
    rules: Option<HostRules>,
    index: Index,
    places: Places,
    free: Vec<u32>,
    /// Those count that the place knows of.
    alarms: Alarms,
    counters: Box<Counters>,
    /// How far time has passed.
    clock: u64,
    /// The latest time of any packet.
    latest: u64,
    ahead: Vec<Waiting>,
    level: Level,
}

impl Offline {
    /// An empty tracker. `tunnels`: look for the innermost packet.
    pub fn new(policy: &Policy, tunnels: bool) -> Self {
        Self {
            timers: policy.timers,
            settings: policy.settings,
            follow: if tunnels {
                tunnel::Follow::ALL
            } else {
                tunnel::Follow::LINK
            },
            rules: (!policy.traffic.is_all()).then(|| HostRules::new(&policy.traffic)),
            index: Index::new(),
            places: Places::default(),
            free: Vec::new(),
            alarms: Alarms::default(),
            counters: Box::default(),
            clock: 0,
            latest: 0,
            ahead: Vec::with_capacity(AHEAD),
            level: Level::Full,
        }
    }

    /// The same at a level: as programs in the kernel would see the capture. (By
    /// itself a capture is read at the level `full`, whatever the policy says: what
    /// `closing` saves is saved in the kernel.)
    #[must_use]
    pub fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Connections that have not ended.
    pub fn live(&self) -> usize {
        let live = |&place: &u32| self.places[place].slot.state().is_live();
        (0..self.places.len()).filter(live).count()
    }

    /// Takes one packet; `out` gets the records of what is over, some packets
    /// later.
    #[inline]
    pub fn frame(&mut self, packet: &Packet<'_>, out: &mut impl FnMut(&Record)) {
        let packet = &Packet {
            time: packet.time.min(LATEST),
            ..*packet
        };
        self.latest = self.latest.max(packet.time);
        // Parsed where it waits, for it is large to copy.
        self.ahead.push(Waiting::default());
        let Some(waiting) = self.ahead.last_mut() else {
            return;
        };
        if let Err(skip) = parse(packet, self.follow, &mut waiting.segment) {
            self.ahead.pop();
            self.counters.0[counters::SKIP + skip as usize] += 1;
            return;
        }
        if let Some(rules) = &self.rules {
            let why = left_out(rules, &rules.settings, SEED, &waiting.segment.tuple);
            if why != 0 {
                self.ahead.pop();
                self.counters.0[counters::LEFT_OUT + why as usize] += 1;
                return;
            }
            if rules.settings.sample > 1 {
                waiting.segment.marks |= mark::SAMPLED;
            }
        }
        waiting.clock = self.latest;
        waiting.hash = hash(&waiting.segment.tuple);
        self.index.expect(waiting.hash);
        if self.ahead.len() == AHEAD {
            self.catch_up(out);
        }
    }

    /// Processes what [`Offline::frame`] has taken.
    pub fn catch_up(&mut self, out: &mut impl FnMut(&Record)) {
        let mut ahead = std::mem::take(&mut self.ahead);
        for waiting in &mut ahead {
            // The first with this hash; the others can wait for memory.
            waiting.guess = self.index.find(waiting.hash, |_| true);
            if let Some(place) = waiting.guess {
                self.places[place].expect(waiting.segment.flags);
            }
        }
        for waiting in &ahead {
            self.pass(waiting.clock, out);
            self.track(&waiting.segment, waiting.hash, waiting.guess, out);
        }
        ahead.clear();
        self.ahead = ahead;
        self.pass(self.latest, out);
    }

    /// Takes one segment, at once.
    pub fn segment(&mut self, segment: &Segment, out: &mut impl FnMut(&Record)) {
        self.catch_up(out);
        self.track(segment, hash(&segment.tuple), None, out);
    }

    #[inline]
    fn track(
        &mut self,
        segment: &Segment,
        hash: u32,
        guess: Option<u32>,
        out: &mut impl FnMut(&Record),
    ) {
        let plain = self.level.is_closing() && is_plain(segment);
        if !plain {
            self.counters.0[counters::SEGMENTS] += 1;
        }
        if segment.has(mark::ODD_FLAGS) {
            self.counters.0[counters::ODD_FLAGS] += 1;
        }
        let places = &self.places;
        let same = |place: u32| places[place].slot.cold.tuple.is(&segment.tuple);
        // It may have been released meanwhile, and belong to another since.
        let guess = guess.filter(|&place| same(place) && !places[place].slot.state().is_free());
        let Some(index) = guess.or_else(|| self.index.find(hash, same)) else {
            if !plain {
                self.open(hash, segment, out);
            }
            return;
        };
        if plain {
            if !attention::wanted(self.places[index].slot.state()) {
                return;
            }
            self.counters.0[counters::SEGMENTS] += 1;
        } else if let Some(fast) = Fast::of(segment) {
            let slot = &mut self.places[index].slot;
            if engine::fast::applies(slot.state()) {
                let taken = engine::fast::step(&mut slot.hot.half, &fast);
                if taken == Taken::ButForNote {
                    engine::fast::note(&mut slot.cold, &fast);
                }
                if taken != Taken::No {
                    // The alarm that is set is early enough.
                    return;
                }
            }
        }
        let settings = self.settings;
        let before = shape(&self.places[index].slot.hot);
        let level = self.level;
        let step = |flow: &mut Flow<'_>| engine::step_at(level, flow, segment, &settings);
        let effects = self.with(index, step);
        if effects != Effects::NONE {
            self.tell(index, segment.time, segment.sender, effects, out);
            if effects.any(Effects::REOPEN) {
                self.hand_out(index, segment.time, effects.sequel_number(), out);
                let again = self.with(index, |flow| engine::reopen(flow, segment));
                self.counters.0[counters::OPENED] += 1;
                self.tell(index, segment.time, segment.sender, again, out);
            }
        } else if before == shape(&self.places[index].slot.hot) {
            // Only the time was renewed: the alarm that is set is early enough.
            return;
        }
        self.set_alarm(index, segment.time);
    }

    fn open(&mut self, hash: u32, segment: &Segment, out: &mut impl FnMut(&Record)) {
        let index = self.free.pop().unwrap_or_else(|| self.places.push());
        self.index.insert(hash, index);
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
    #[inline(always)]
    fn with<R>(&mut self, index: u32, f: impl FnOnce(&mut Flow<'_>) -> R) -> R {
        let Slot { hot, cold } = &mut self.places[index].slot;
        let mut flow = Flow {
            state: Snapshot(hot.word),
            half: &mut hot.half,
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
        let slot = &self.places[index].slot;
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
                    side: effects.side_of(event as u32, side),
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
        let copy = self.places[index].slot;
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
        let place = &mut self.places[index];
        let Slot { hot, cold } = &place.slot;
        let at = timer::deadline(hot, || cold.pending, &self.timers);
        let ahead = at.wrapping_sub(tick(now)).cast_signed();
        let ahead = u64::from(ahead.max(0).cast_unsigned());
        let time = ((now >> TICK_SHIFT) + ahead) << TICK_SHIFT;
        if time >= place.alarm {
            return;
        }
        place.alarm = time;
        self.alarms.push(time, index);
        if self.alarms.len() > 2 * self.index.len() + OUTDATED {
            // Long timers of what is long over: memory follows what is alive.
            let places = &self.places;
            self.alarms.retain(|(at, index)| places[index].alarm == at);
        }
    }

    /// Lets time pass up to `time`, one deadline after the other, each at its
    /// own moment: a capture may be silent for years.
    #[inline]
    fn pass(&mut self, time: u64, out: &mut impl FnMut(&Record)) {
        if time <= self.clock {
            return;
        }
        self.clock = time;
        while let Some((at, index)) = self.alarms.pop(time) {
            let place = &mut self.places[index];
            if place.alarm == at {
                place.alarm = NEVER;
                self.ring(at, index, out);
            }
        }
    }

    /// One alarm: the slot may be due, or busier than was thought.
    fn ring(&mut self, at: u64, index: u32, out: &mut impl FnMut(&Record)) {
        let timers = self.timers;
        let level = self.level;
        let expire = |flow: &mut Flow<'_>| timer::expire_at(level, flow, at, &timers);
        let (effects, over) = self.with(index, expire);
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
        let place = &mut self.places[index];
        place.alarm = NEVER;
        self.index.remove(hash(&place.slot.cold.tuple), index);
        self.with(index, |flow| flow.state = flow.state.transition_to_free());
        self.free.push(index);
    }

    /// The capture is over: what lives ends as `shutdown`.
    pub fn finish(&mut self, out: &mut impl FnMut(&Record)) {
        self.catch_up(out);
        let now = self.clock;
        for index in 0..self.places.len() {
            let state = self.places[index].slot.state();
            if state.is_free() {
                continue;
            }
            if state.is_live() {
                let timers = self.timers;
                let effects = self.with(index, |flow| stop(flow, now, &timers));
                self.tell(index, now, 0, effects, out);
            }
            let waiting = self.places[index].slot.state().is_time_wait();
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
