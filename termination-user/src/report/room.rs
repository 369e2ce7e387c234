//! Room for connections and records: asked for, and given.

use serde::{Deserialize, Serialize};

use super::table::grouped;

/// What was asked for, and what the kernel gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// What was asked for when the table was made, rounded up.
    pub asked: u64,
    /// What there is.
    pub given: u64,
}

/// The `room` of [`super::Stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Connections, and tuples that linger.
    pub connections: Extent,
    /// Bytes of the ring for records.
    pub ring_bytes: Extent,
    /// What both take of the kernel's memory.
    pub memory_bytes: u64,
}

impl Room {
    /// A line for each that is less than was asked for.
    pub fn shortage(&self) -> Vec<String> {
        let Self {
            connections,
            ring_bytes,
            memory_bytes: _,
        } = self;
        let short = |Extent { asked, given }: Extent, what: &str| {
            (given < asked).then(|| {
                format!(
                    "room for {} {what} of {} asked for: memory was refused",
                    grouped(given),
                    grouped(asked)
                )
            })
        };
        let connections = short(*connections, "connections");
        let ring = short(*ring_bytes, "bytes of records");
        connections.into_iter().chain(ring).collect()
    }
}
