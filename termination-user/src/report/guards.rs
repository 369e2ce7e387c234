//! `"type":"guards"`: how far the guards go, and what came of it.

use serde::{Deserialize, Serialize};
use termination_common::{
    counters::{self, Counters},
    engine::guard::Guarded,
};

use super::{Kind, SCHEMA, stats::Tally};
use crate::policy;

/// The guards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Guards`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// `off`, `dry_run` or `on`: against RSTs graded `old` or `future`.
    pub blind: String,
    /// The same: against RSTs into TIME_WAIT.
    pub time_wait: String,
    /// RSTs that came in while there was a guard, by what became of them.
    pub resets: Tally,
}

impl Guards {
    /// As policy has them, and as was counted.
    pub fn new(guards: policy::Guards, counters: &Counters) -> Self {
        let policy::Guards { blind, time_wait } = guards;
        Self {
            schema: SCHEMA,
            kind: Kind::Guards,
            blind: blind.name().to_owned(),
            time_wait: time_wait.name().to_owned(),
            resets: tally(counters),
        }
    }
}

/// RSTs at guards.
pub(super) fn tally(counters: &Counters) -> Tally {
    Tally::of(
        counters,
        counters::GUARDED,
        Guarded::ALL,
        |value| value as usize,
        Guarded::name,
    )
}
