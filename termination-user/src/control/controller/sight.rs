//! What hooks that come and go do to the connections that passed them.
//!
//! A connection that had a direction at a hook that goes has gaps from then on:
//! what its ends say until it is seen again is missing, whatever hook comes next.
//! If all of it was at hooks that were let go on purpose, it is looked at again
//! after a while: either it has moved to another hook, or nobody watches it any
//! more, and it ends as `shutdown`, as of when it was last watched.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use termination_common::{
    engine::ELSEWHERE,
    exchange::{Operation, SWEEP_BATCH},
    slot::{Hot, SlotId, bit},
    state::Snapshot,
};

use super::{
    super::{
        kernel::table,
        records::ring::Pump,
        timers::{clock, sweep},
    },
    Controller,
};

/// A direction moves to another hook once its own has been silent for a second;
/// after twice that, whatever has not moved is seen nowhere else, or says nothing.
const MOVED: Duration = Duration::from_secs(2);

/// Tries to read or mark a slot on which a program is at work.
const TRIES: usize = 4;

/// Connections that were seen only at hooks that were let go.
pub(super) struct Orphans {
    since: Instant,
    /// The same on the engine's clock, nanoseconds.
    at: u64,
    ids: Vec<SlotId>,
}

/// What a connection is to hooks that have gone.
enum Sight {
    /// It never passed them.
    Kept,
    /// It did, and passes others too.
    Impaired,
    /// Nothing else is known of it.
    Lost,
}

/// Where its directions are at home, as far as they were seen.
fn homes(hot: &Hot) -> impl Iterator<Item = u32> {
    let seen = hot.half.iter().filter(|half| half.is(bit::SEEN));
    // A SYN that waited to be accepted has left none.
    seen.map(|half| half.home).filter(|&home| home != 0)
}

impl Controller {
    /// Interfaces have come or gone. Returns what has to be known of those that
    /// came.
    ///
    /// # Errors
    ///
    /// The kernel does not list its interfaces, or did not run `sweep`.
    pub fn follow(&self) -> anyhow::Result<Vec<String>> {
        let gone = self.attached.borrow_mut().lose()?;
        // Before a hook comes back, so that no segment precedes the mark.
        if !gone.is_empty() {
            self.miss(|home| gone.contains(&home))?;
        }
        let mut attached = self.attached.borrow_mut();
        let came = attached.gain()?;
        let new = attached.attachments().iter();
        let new = new.filter(|known| came.contains(&known.interface.index));
        Ok(self.policy().guards.blind_spots(new))
    }

    /// After a takeover: what passed hooks that have not been there all the time.
    ///
    /// # Errors
    ///
    /// The kernel did not run `sweep`.
    pub fn look_back(&self) -> anyhow::Result<()> {
        let unbroken = self.attached.borrow().unbroken();
        self.miss(|home| !unbroken.contains(&home))
    }

    /// Hooks with these homes have gone.
    pub(super) fn miss(&self, gone: impl Fn(u32) -> bool) -> anyhow::Result<()> {
        let attached = self.attached.borrow();
        let left = attached.left();
        let sight = |hot: &Hot| {
            if homes(hot).all(|home| left.contains(&home)) {
                Sight::Lost
            } else if homes(hot).any(&gone) {
                Sight::Impaired
            } else {
                Sight::Kept
            }
        };
        let table = &self.loaded.table;
        let (mut lost, mut impaired) = (Vec::new(), Vec::new());
        for index in table.occupied() {
            // One that cannot be read is at work: it may as well be concerned.
            let hot = (0..TRIES).find_map(|_| table.hot(index));
            let state = hot.map_or_else(|| table.state(index), |hot| Snapshot(hot.word));
            if !state.is_live() {
                continue;
            }
            match hot.as_ref().map_or(Sight::Impaired, sight) {
                Sight::Kept => {}
                Sight::Impaired => impaired.push(table::id(index, state)),
                Sight::Lost => lost.push(table::id(index, state)),
            }
        }
        drop(attached);
        if !lost.is_empty() {
            self.orphans.borrow_mut().push(Orphans {
                since: Instant::now(),
                at: clock::monotonic()?,
                ids: lost,
            });
        }
        self.mark(impaired)
    }

    /// Hooks are about to come: what waits for them has gaps.
    pub(super) fn expect_gaps(&self) -> anyhow::Result<()> {
        let orphans = self.orphans.borrow();
        let ids = orphans.iter().flat_map(|some| some.ids.iter().copied());
        let ids = ids.collect();
        drop(orphans);
        self.mark(ids)
    }

    /// Marks connections as having gaps, if they are what they were.
    fn mark(&self, mut ids: Vec<SlotId>) -> anyhow::Result<()> {
        let (program, timers) = (self.loaded.sweep(), self.policy().timers);
        for _ in 0..TRIES {
            let mut again = Vec::new();
            for batch in ids.chunks(SWEEP_BATCH) {
                let now = clock::monotonic()?;
                let tally = sweep::batch(program, now, Operation::Mark, timers, batch)
                    .context("the kernel did not run `sweep` (BPF_PROG_TEST_RUN)")?;
                if tally.contended > 0 {
                    again.extend_from_slice(batch);
                }
            }
            ids = again;
        }
        Ok(())
    }

    /// Ends what is not watched any more, as of when it was. What has moved to
    /// another hook, or is known to pass one, goes on, with gaps.
    pub(super) async fn end_what_is_not_watched(&self, pump: &mut Pump) -> anyhow::Result<()> {
        let ripe = |some: &mut Orphans| some.since.elapsed() >= MOVED;
        let ripe: Vec<_> = self.orphans.borrow_mut().extract_if(.., ripe).collect();
        for Orphans { since, at, ids } in ripe {
            let (mut over, mut goes_on, mut again) = (Vec::new(), Vec::new(), Vec::new());
            for id in ids {
                match self.is_watched(id) {
                    Some(true) => goes_on.push(id),
                    Some(false) => over.push(id),
                    None => again.push(id),
                }
            }
            self.mark(goes_on)?;
            let ended = over.clone();
            let tally = self.act(Operation::Shutdown, Some(at), over, pump).await?;
            if tally.contended > 0 {
                // What has ended is not found again.
                again.extend(ended);
            }
            if !again.is_empty() {
                let ids = again;
                self.orphans.borrow_mut().push(Orphans { since, at, ids });
            }
        }
        Ok(())
    }

    /// Some hook that is there sees the connection; `None` where a program keeps
    /// its lock.
    fn is_watched(&self, id: SlotId) -> Option<bool> {
        let table = &self.loaded.table;
        let hot = table.hot(id.slot)?;
        let attached = self.attached.borrow();
        let left = attached.left();
        let moved = !homes(&hot).all(|home| left.contains(&home));
        let elsewhere = table.outcome(id.slot) & ELSEWHERE != 0;
        Some(moved || elsewhere && !attached.attachments().is_empty())
    }
}
