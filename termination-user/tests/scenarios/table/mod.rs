//! The scenarios: packets in the words of `language`, and the one right answer
//! in those of `judge`.

mod after;
mod agreed;
mod attached;
mod attempts;
mod claimed_fins;
mod claims;
mod closes;
mod closing;
mod discovered;
mod doubts;
mod fine;
mod gaps;
mod guards;
mod holes;
mod late;
mod left_alone;
mod opening;
mod overdue;
mod payload;
mod resets;
mod silence;
mod strange;
mod time_wait;
mod vague;

use termination_common::policy::Level;

use crate::language::{ROUTES, Route};

/// Packets, and what they mean.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) packets: &'static str,
    pub(crate) expected: &'static [&'static str],
    /// Only by this route.
    route: Option<Route>,
    /// Means something only to who knows interfaces, hooks or checksums, or may
    /// leave timers alone.
    pub(crate) needs_hooks: bool,
}

const fn scenario(
    name: &'static str,
    description: &'static str,
    packets: &'static str,
    expected: &'static [&'static str],
) -> Scenario {
    Scenario {
        name,
        description,
        packets,
        expected,
        route: None,
        needs_hooks: false,
    }
}

impl Scenario {
    const fn only(mut self, route: Route) -> Self {
        self.route = Some(route);
        self.needs_hooks = true;
        self
    }

    const fn needs_hooks(mut self) -> Self {
        self.needs_hooks = true;
        self
    }

    pub(crate) fn routes(&self) -> &[Route] {
        self.route.as_ref().map_or(&ROUTES, std::slice::from_ref)
    }
}

/// Those of a level.
pub(crate) fn at(level: Level) -> Vec<&'static Scenario> {
    match level {
        Level::Full => all().collect(),
        Level::Closing => closing::TABLE.iter().chain(left_alone::TABLE).collect(),
    }
}

/// All of the level `full`.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        attempts::TABLE,
        opening::TABLE,
        closes::TABLE,
        resets::TABLE,
        discovered::TABLE,
        doubts::TABLE,
        guards::TABLE,
        overdue::TABLE,
        silence::TABLE,
        time_wait::TABLE,
        after::TABLE,
        vague::TABLE,
        payload::TABLE,
        strange::TABLE,
        fine::TABLE,
        gaps::TABLE,
        holes::TABLE,
        agreed::TABLE,
        claims::TABLE,
        claimed_fins::TABLE,
        late::TABLE,
        attached::TABLE,
    ]
    .into_iter()
    .flatten()
}
