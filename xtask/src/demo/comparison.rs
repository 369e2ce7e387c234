//! Our counts beside the kernel's.

use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::Value;
use termination_lab::{
    Pair,
    kernel::{self, Counters},
};

use super::{ledger::Ledger, observer::Observer};

/// A number for the client and one for the server.
type Ends = [i64; 2];

/// One row: what is counted, the kernel's count, ours.
struct Row {
    what: &'static str,
    kernel: Ends,
    ours: Ends,
}

/// All rows; the first is TIME_WAIT.
pub(super) struct Comparison([Row; 4]);

impl Comparison {
    /// The kernel's counters at both ends.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub(super) fn counters(pair: &Pair) -> Result<[Counters; 2]> {
        Ok([
            Counters::read(&pair.client.namespace)?,
            Counters::read(&pair.server.namespace)?,
        ])
    }

    /// Counts, at this moment. `before` was counted before the first connection.
    ///
    /// # Errors
    ///
    /// When the kernel or the observer does not answer.
    pub(super) fn new(
        pair: &Pair,
        before: &[Counters; 2],
        observer: &Observer,
        ledger: &Ledger,
    ) -> Result<Self> {
        // The two counts of TIME_WAIT first, one right after the other.
        let kernel = [
            kernel::time_wait(&pair.client.namespace)? as i64,
            kernel::time_wait(&pair.server.namespace)? as i64,
        ];
        let time_wait = Row {
            what: "TIME_WAIT held",
            kernel,
            ours: held(observer)?,
        };
        let now = Self::counters(pair)?;
        let since = |name| [0, 1].map(|end: usize| now[end].since(&before[end], name));
        let ours = |of: fn(&Value) -> Ends| ledger.found().map(of).fold([0; 2], add);
        Ok(Self([
            time_wait,
            Row {
                what: "RSTs sent (OutRsts)",
                kernel: since("Tcp.OutRsts"),
                ours: ours(sent),
            },
            Row {
                what: "reset while open (EstabResets)",
                kernel: since("Tcp.EstabResets"),
                ours: ours(hit),
            },
            Row {
                what: "attempts failed (AttemptFails)",
                kernel: since("Tcp.AttemptFails"),
                ours: ours(failed),
            },
        ]))
    }

    /// Both counts of TIME_WAIT are the kernel's.
    pub(super) const fn time_waits_agree(&self) -> bool {
        self.0[0].agrees()
    }
}

impl Row {
    const fn agrees(&self) -> bool {
        self.kernel[0] == self.ours[0] && self.kernel[1] == self.ours[1]
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<32}{:^16}{:^16}", "", "client", "server")?;
        writeln!(
            f,
            "  {:<32}{:>8}{:>8}{:>8}{:>8}",
            "", "kernel", "ours", "kernel", "ours"
        )?;
        for row in &self.0 {
            let Row { what, kernel, ours } = row;
            write!(
                f,
                "  {what:<32}{:>8}{:>8}{:>8}{:>8}",
                kernel[0], ours[0], kernel[1], ours[1]
            )?;
            writeln!(f, "  {}", if row.agrees() { "agree" } else { "differ" })?;
        }
        Ok(())
    }
}

/// TIME_WAITs that the observer says each end holds now.
fn held(observer: &Observer) -> Result<Ends> {
    let mut ends = [0; 2];
    for connection in observer.ask(&["time-wait", "--each", "--json"])? {
        let holder = connection["time_wait"]["holder"].as_str();
        let holds = match holder.context("a connection in TIME_WAIT without holder")? {
            "originator" => [1, 0],
            "responder" => [0, 1],
            "both" => [1, 1],
            _ => [0, 0],
        };
        ends = add(ends, holds);
    }
    Ok(ends)
}

/// Who sent the RST of this ending.
fn sent(ending: &Value) -> Ends {
    match (ending["verdict"].as_str(), ending["by"].as_str()) {
        (Some(_), Some("originator")) => [1, 0],
        (Some(_), Some("responder")) => [0, 1],
        _ => [0, 0],
    }
}

/// Whose socket this ending took out of ESTABLISHED or CLOSE_WAIT: that is what
/// the kernel counts.
fn hit(ending: &Value) -> Ends {
    let [by_client, by_server] = sent(ending);
    match ending["ending"].as_str() {
        Some("reset") => [1, 1],
        // The end that had sent its FIN is past that.
        Some("reset_after_own_fin") => [by_server, by_client],
        Some("reset_after_peer_fin") => [by_client, by_server],
        _ => [0, 0],
    }
}

/// Whose attempt failed.
fn failed(ending: &Value) -> Ends {
    [i64::from(ending["ending"] == "refused"), 0]
}

const fn add(one: Ends, other: Ends) -> Ends {
    [one[0] + other[0], one[1] + other[1]]
}
