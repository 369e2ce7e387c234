//! The question about TIME_WAIT: two walks over the table at most, in pieces,
//! so that nobody else has to wait.

use std::time::Duration;

use anyhow::Context as _;
use termination_common::slot::Slot;
use tokio::task;

use super::ephemeral;
use crate::control::{controller::Controller, hooks::netns, timers::clock};
use crate::report::waits::{Census, Group, Measure, Waits};

/// Slots walked before others get their turn.
const PIECE: u32 = 4096;

/// The rates are over so long, unless asked otherwise.
const WINDOW: Duration = Duration::from_secs(10);

/// The sums and the groups: the largest first, at most `limit`. Rates are over
/// `window`, but not over more than was observed, nor than TIME_WAIT.
///
/// # Errors
///
/// The namespace of the interfaces cannot be entered.
pub async fn groups(
    controller: &Controller,
    limit: Option<u64>,
    window: Option<u64>,
) -> anyhow::Result<(Waits, impl Iterator<Item = Group>)> {
    let facts = controller.facts();
    let now = clock::monotonic().context("cannot read the clock")?;
    let (wall, policy) = (controller.clock(), controller.policy());
    let observed = Duration::from_nanos(wall.at(now).0.saturating_sub(facts.started_at.0));
    let window = window.map_or(WINDOW, Duration::from_secs).min(observed);
    let measure = Measure {
        now,
        time_wait: policy.timers.time_wait,
        window: window.max(Duration::from_secs(1)).as_nanos() as u64,
    };
    // Without them, all but the ports can be told.
    let ephemeral = netns::within(facts.namespace.as_deref(), ephemeral::read)?.ok();
    let mut census = Census::new(measure, ephemeral);
    walk(controller, |slot| census.count(slot)).await;
    if census.wants_more() {
        walk(controller, |slot| census.count_ending(slot)).await;
    }
    let limit = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let one_in = Some(policy.traffic.sample).filter(|&one_in| one_in > 1);
    Ok(census.finish(&wall, limit, one_in))
}

/// Every slot in use, each consistent in itself.
async fn walk(controller: &Controller, mut each: impl FnMut(&Slot)) {
    let table = &controller.loaded().table;
    let mut from = 0;
    while from < table.slots() {
        let to = from.saturating_add(PIECE);
        for index in table.occupied_from(from, to) {
            if let Some(slot) = table.slot(index) {
                each(&slot);
            }
        }
        task::yield_now().await;
        from = to;
    }
}
