//! Random traffic, shortened as far as it still shows what one change to the
//! engine does (`mutation/`); the description is that change. Most of it makes
//! little sense, so unlike elsewhere the answers were not worked out one by one:
//! they are what the engine says, looked at for what must not come of such
//! traffic (an ending, a belief, a byte). A change here is a question.

mod gaps;
mod handshake;
mod pending;
mod reset;
mod stream_1;
mod stream_2;
mod time_wait;

use super::{Scenario, scenario};

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        gaps::TABLE,
        handshake::TABLE,
        pending::TABLE,
        reset::TABLE,
        stream_1::TABLE,
        stream_2::TABLE,
        time_wait::TABLE,
    ]
    .into_iter()
    .flatten()
}
