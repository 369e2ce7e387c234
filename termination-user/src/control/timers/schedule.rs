//! When which part of the table has to be looked at again, so that a look at
//! the timers is not a look at every slot.
//!
//! Of each line is known until when nothing in it can run out. That follows from
//! the deadlines of what is in it, and from the shortest timer: whatever a
//! segment changes or opens from now on runs out no sooner than that timer from
//! now. Except where a deadline comes back from further on: an RST in doubt gives
//! way, a SYN that waited turns out to have opened a connection when it was sent, a
//! forged segment changes what is waited for. That is noticed late, by the shortest
//! timer at most, and told with its own time all the same.

use std::cmp::min;

use termination_common::{
    counters::{self, Counters, Loss},
    policy::Timers,
    slot::SlotId,
    state::Snapshot,
    time::{Tick, tick},
    timer,
};

use crate::control::kernel::table::{Table, id};

/// What is known of each line.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Nothing in the line runs out before; empty: nothing is known.
    next: Vec<Tick>,
    /// By these timers.
    timers: Option<Timers>,
    /// Records that had found no room in the ring by then.
    unreported: u64,
}

impl Schedule {
    /// Ids of the slots that have something to do at `now` (nanoseconds on the
    /// engine's clock), in the order of the table: as [`super::sweep::due`].
    ///
    /// `counters` were read before; they tell whether an ending found no room in
    /// the ring, and so has to be told from the table. What is due is looked at
    /// again the next time, whatever becomes of it.
    pub fn due(
        &mut self,
        table: &Table,
        counters: &Counters,
        now: u64,
        timers: &Timers,
    ) -> Vec<SlotId> {
        let now = tick(now);
        let unreported = counters.0[counters::LOSS + Loss::RingFull as usize];
        if self.timers != Some(*timers) || self.unreported != unreported {
            self.next = vec![now; table.lines() as usize];
            self.timers = Some(*timers);
            self.unreported = unreported;
        }
        let latest = now.wrapping_add(shortest(timers));
        let mut ids = Vec::new();
        for (line, next) in (0..).zip(&mut self.next) {
            if now.wrapping_sub(*next).cast_signed() < 0 {
                continue;
            }
            *next = latest;
            let mut again = false;
            for slot in table.occupied_in(line) {
                match look(table, slot, now, timers) {
                    Look::Due => {
                        ids.push(id(slot, table.state(slot)));
                        again = true;
                    }
                    Look::Busy => again = true,
                    Look::Later(at) => *next = sooner(now, *next, at),
                }
            }
            if again {
                *next = now;
            }
        }
        ids
    }
}

/// What a slot has to do.
enum Look {
    /// Something, now.
    Due,
    /// Something, then.
    Later(Tick),
    /// A program is at work on it, so it is not idle; or it becomes free, or
    /// used, at this moment.
    Busy,
}

#[inline]
fn look(table: &Table, slot: u32, now: Tick, timers: &Timers) -> Look {
    let Some(hot) = table.hot(slot) else {
        return Look::Busy;
    };
    let state = Snapshot(hot.word);
    if state.is_free() {
        return Look::Busy;
    }
    let at = timer::deadline(&hot, || table.pending(slot), timers);
    let unreported = state.is_ended() && !state.is_reported();
    if unreported || now.wrapping_sub(at).cast_signed() >= 0 {
        Look::Due
    } else {
        Look::Later(at)
    }
}

/// The one of two moments after `now` that comes first.
fn sooner(now: Tick, one: Tick, other: Tick) -> Tick {
    now.wrapping_add(min(one.wrapping_sub(now), other.wrapping_sub(now)))
}

/// The shortest of all timers: within it, nothing new runs out, and nothing is
/// noticed later by more than this.
pub fn shortest(timers: &Timers) -> Tick {
    let Timers {
        syn_sent,
        syn_received,
        established_idle,
        half_open,
        half_closed,
        fin_unanswered,
        last_ack,
        time_wait,
        reset_linger,
        reset_confirm,
    } = *timers;
    [
        syn_sent,
        syn_received,
        established_idle,
        half_open,
        half_closed,
        fin_unanswered,
        last_ack,
        time_wait,
        reset_linger,
        reset_confirm,
    ]
    .into_iter()
    .fold(Tick::MAX / 4, min)
}
