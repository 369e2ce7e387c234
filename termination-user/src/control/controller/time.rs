//! Time passes: what ran out is ended, what is left out is ended, what is said
//! reaches those who listen.

use std::time::Duration;

use anyhow::Context as _;
use termination_common::{
    exchange::{Operation, SWEEP_BATCH},
    slot::SlotId,
};
use tokio::{
    task,
    time::{Instant, sleep, timeout_at},
};

use super::{
    super::{
        kernel::table,
        records::ring::{Pump, TURN},
        timers::{
            clock,
            sweep::{self, Tally},
        },
    },
    Controller,
};
use crate::policy::HostRules;

/// Batches between two looks at the ring: so many slots yield at most a sixth
/// of the records that the smallest default ring holds.
const BATCHES_A_TURN: usize = 32;

/// How long the end waits in all for followers that are behind.
const PATIENCE: Duration = Duration::from_secs(5);

impl Controller {
    /// One look at the timers: finds what is due, has it done, hands on what
    /// comes of it.
    ///
    /// # Errors
    ///
    /// The kernel refused a batch; what was not done is found again next time.
    pub async fn look_at_timers(&self, pump: &mut Pump) -> anyhow::Result<Tally> {
        if self.narrowed.get() {
            self.end_what_is_left_out(pump).await?;
        }
        self.end_what_is_not_watched(pump).await?;
        let ids = self.schedule.borrow_mut().due(
            &self.loaded.table,
            &self.counters()?,
            clock::monotonic()?,
            &self.policy().timers,
        );
        self.act(Operation::Visit, None, ids, pump).await
    }

    /// Nobody watches any more what new rules leave out: that ends, rather than
    /// look silent. What has ended already lingers on by its timer.
    async fn end_what_is_left_out(&self, pump: &mut Pump) -> anyhow::Result<()> {
        let rules = HostRules::new(&self.policy().traffic);
        let table = &self.loaded.table;
        let mut ids = Vec::new();
        let mut passed_over = false;
        for index in table.occupied() {
            match table.slot(index) {
                Some(slot) if slot.state().is_live() => {
                    if rules.leave_out(&slot.cold.tuple, self.loaded.seed) {
                        ids.push(table::id(index, slot.state()));
                    }
                }
                Some(_) => {}
                None => passed_over = true,
            }
        }
        let tally = self.act(Operation::Shutdown, None, ids, pump).await?;
        self.narrowed.set(passed_over || tally.contended > 0);
        Ok(())
    }

    /// Ends what lives and frees the rest. Nothing may be attached any more.
    ///
    /// # Errors
    ///
    /// The kernel refused a batch.
    pub async fn end_all(&self, pump: &mut Pump) -> anyhow::Result<()> {
        // A program may still have been at work when its hook was dropped; a
        // lock that stayed taken and a full ring are asked again.
        const PASSES: usize = 8;
        self.hub.borrow_mut().hurry();
        for _ in 0..PASSES {
            let ids = sweep::everything(&self.loaded.table);
            if ids.is_empty() {
                break;
            }
            self.act(Operation::Shutdown, None, ids, pump).await?;
        }
        self.drain(pump);
        Ok(())
    }

    /// Takes all records that are there, and what is added meanwhile, as far as
    /// they can be taken.
    pub fn drain(&self, pump: &mut Pump) {
        while self.turn(pump) == TURN {}
        self.settle(pump);
    }

    /// Gives the ring back what has arrived, takes records that are there, as far as
    /// they can be taken, and hands them on together. Returns how many.
    pub fn turn(&self, pump: &mut Pump) -> usize {
        self.settle(pump);
        let (room, at) = (self.hub.borrow().room(), std::time::Instant::now());
        let taken = pump.take(room, |record| self.publish(at, record));
        self.hub.borrow_mut().hand_over();
        taken
    }

    /// Gives the ring back what has arrived.
    pub fn settle(&self, pump: &mut Pump) {
        pump.settle(self.hub.borrow().delivered());
    }

    /// Nobody will answer after this: gives those who listen a moment to get
    /// what is on its way.
    pub async fn last_words(&self, pump: &mut Pump) {
        self.drain(pump);
        let progress = self.hub.borrow().progress();
        let until = Instant::now() + PATIENCE;
        while self.hub.borrow().is_behind() && timeout_at(until, progress.notified()).await.is_ok()
        {
        }
        self.settle(pump);
    }

    /// Hands slots to the kernel batch by batch, emptying the ring in between
    /// and letting those who answer questions go on. `at`: as if then, not now.
    pub(super) async fn act(
        &self,
        operation: Operation,
        at: Option<u64>,
        mut ids: Vec<SlotId>,
        pump: &mut Pump,
    ) -> anyhow::Result<Tally> {
        let (sweep, timers) = (self.loaded.sweep(), self.policy().timers);
        let stopping = matches!(operation, Operation::Shutdown);
        let patience = Instant::now() + PATIENCE;
        let mut sum = Tally::default();
        // Once more for those that found the ring full; then the next look.
        for _ in 0..2 {
            for (number, batch) in ids.chunks(SWEEP_BATCH).enumerate() {
                if number > 0 && number.is_multiple_of(BATCHES_A_TURN) {
                    self.drain(pump);
                    if stopping {
                        self.wait_for_followers(patience).await;
                    }
                    task::yield_now().await;
                }
                let now = at.map_or_else(clock::monotonic, Ok)?;
                let tally = sweep::batch(sweep, now, operation, timers, batch)
                    .context("the kernel did not run `sweep` (BPF_PROG_TEST_RUN)")?;
                sum.add(tally);
            }
            ids = std::mem::take(&mut sum.unreported);
            if ids.is_empty() {
                break;
            }
            self.drain(pump);
        }
        Ok(sum)
    }

    /// At the end there is time for those who are behind, as long as they read;
    /// while observing, the timers do not wait for them.
    async fn wait_for_followers(&self, until: Instant) {
        const STEP: Duration = Duration::from_millis(2);
        const STUCK: u32 = 25;
        let (mut last, mut idle) = (u64::MAX, 0);
        while idle < STUCK && Instant::now() < until {
            let backlog = self.hub.borrow().backlog();
            if backlog == 0 {
                return;
            }
            idle = if backlog == last { idle + 1 } else { 0 };
            last = backlog;
            sleep(STEP).await;
        }
    }
}
