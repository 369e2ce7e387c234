//! Reports for people: pure functions from objects to text.
//!
//! Every line of every table fits into 80 columns as long as both addresses
//! are IPv4. Nothing is cut; the rules by which things are shortened:
//!
//! | what | how | in full |
//! |---|---|---|
//! | roles | `O` originator, `R` responder, `B` both, `-` nobody, `*` observer | `--json` |
//! | numbers in rows | three digits and `k`, `M`, `G`, `T`, `P`, rounded down | `--json` |
//! | numbers of the statistics | in full; as in rows where the name leaves no room | `--json` |
//! | durations | five characters, the two largest units | `--json` |
//! | times | UTC, seconds; the date on a line of its own when it changes | `--json` |
//! | bytes of a row | both directions together | `--json` |
//! | a row too long for its columns | goes on in the next line, same columns | |

mod connections;
mod events;
mod guards;
mod layout;
mod number;
mod stats;
mod summary;
mod time_wait;

pub use connections::connections;
pub use events::Events;
pub use guards::guards;
pub use layout::Style;
pub(in crate::report) use number::grouped;
pub(crate) use number::{plural, span};
pub use stats::stats;
pub use summary::{Source, summary};
pub use time_wait::{groups, sockets};

#[cfg(test)]
mod tests;
