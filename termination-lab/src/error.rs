//! What can go wrong when a network is built or used.

use std::{io, time::Duration};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a network could not be built or did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What it was for, as in "cannot …".
        what: String,
        /// What the kernel answered.
        source: io::Error,
    },
    /// `ip` failed.
    #[error(
        "`ip -batch` in network namespace {namespace} failed: {output}; the batch was:\n{batch}"
    )]
    Ip {
        /// Where.
        namespace: String,
        /// What it was told.
        batch: String,
        /// What it said.
        output: String,
    },
    /// A condition did not come true.
    #[error("waited {} s in vain for {what}", .patience.as_secs_f64())]
    Timeout {
        /// The condition.
        what: String,
        /// How long it had.
        patience: Duration,
    },
    /// The kernel did something else than expected.
    #[error("{what}: expected {expected}, got {found}")]
    Unexpected {
        /// Where.
        what: String,
        /// What it should have done.
        expected: String,
        /// What it did.
        found: String,
    },
}

impl Error {
    /// The last system call of this thread failed.
    pub(crate) fn last(what: impl Into<String>) -> Self {
        Self::System {
            what: what.into(),
            source: io::Error::last_os_error(),
        }
    }

    /// Something else came than expected.
    pub(crate) fn unexpected(what: &str, expected: &str, found: impl std::fmt::Debug) -> Self {
        Self::Unexpected {
            what: what.to_owned(),
            expected: expected.to_owned(),
            found: format!("{found:?}"),
        }
    }
}

/// Says what a failed system call was for.
pub(crate) trait Context<T> {
    /// `what` completes "cannot …".
    fn to(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn to(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::System {
            what: what(),
            source,
        })
    }
}
