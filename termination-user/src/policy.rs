//! Policy: a TOML file, strict, in seconds.
//!
//! ```toml
//! events = ["half_closed", "rst_rejected"]
//!
//! [timers]
//! msl = 30
//! reset_confirm = 2.5
//! ```
//!
//! An unknown key, a wrong value or timers that contradict each other are
//! refused with line and key, and nothing of the file takes effect. The
//! reference with every key, its default and its consequence is
//! `docs/policy.toml`.
//!
//! | module | what |
//! |---|---|
//! | [`traffic`] | which connections |
//! | [`endings`] | which endings become records, which are no news |
//! | [`interfaces`] | where to attach |
//! | [`guards`] | which RSTs are dropped |
//! | [`level`] | how much is tracked |
//! | [`summary`] | a policy in words |

pub mod endings;
mod file;
pub mod guards;
pub mod interfaces;
pub mod level;
pub mod summary;
mod timers;
pub mod traffic;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use termination_common::{
    exchange::Record,
    policy::{Level, Settings, Timers},
};

pub use endings::{Benign, Endings, Opinion};
use file::{File, Refusal};
pub use guards::{Guard, Guards};
pub use interfaces::Interfaces;
pub use summary::Summary;
pub use traffic::{HostRules, MOST_PREFIXES, Traffic};

/// What a policy file says, in effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The timers of the engine.
    pub timers: Timers,
    /// What the engine needs to know; without the rules for traffic and the
    /// guards.
    pub settings: Settings,
    /// Endings that become records; the others are only counted.
    pub endings: Endings,
    /// Endings that are no news.
    pub benign: Vec<Benign>,
    /// Which connections are tracked.
    pub traffic: Traffic,
    /// Where to attach.
    pub interfaces: Interfaces,
    /// Which RSTs are dropped.
    pub guards: Guards,
    /// How much is tracked, where the command line does not say. It takes effect
    /// when the programs are loaded.
    pub level: Option<Level>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timers: Timers::DEFAULT,
            settings: Settings::DEFAULT,
            endings: Endings::ALL,
            benign: Vec::new(),
            traffic: Traffic::default(),
            interfaces: Interfaces::default(),
            guards: Guards::default(),
            level: None,
        }
    }
}

/// Why a policy is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy {}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no TOML, or has an unknown key or a value of another type. The
    /// text shows line, column and key.
    #[error("the policy {} is refused: {message}", .path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
    /// A value cannot be.
    #[error("the policy {} is refused: line {line}: {key}: {message}", .path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Its key, with the table's name.
        key: String,
        /// What is wrong, and what would be right.
        message: String,
    },
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], naming file, line and key.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let text = fs::read_to_string(path).map_err(|source| PolicyError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a policy; `path` is for the messages.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Syntax`] and [`PolicyError::Value`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|error| PolicyError::Syntax {
            path: path.to_path_buf(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        Self::build(file).map_err(|(at, key, message)| PolicyError::Value {
            path: path.to_path_buf(),
            line: 1 + text.as_bytes()[..at.min(text.len())]
                .iter()
                .filter(|&&c| c == b'\n')
                .count(),
            key,
            message,
        })
    }

    fn build(file: File) -> Result<Self, Refusal> {
        let File {
            level,
            events,
            endings,
            timers,
            interfaces,
            traffic,
            guards,
            benign,
        } = file;
        let mut policy = Self::default();
        timers::build(&mut policy, timers)?;
        policy.level = level.as_ref().map(level::build).transpose()?;
        if let Some(events) = events {
            policy.settings.events = endings::events(events.get_ref())?;
        }
        if let Some(endings) = endings {
            policy.endings = Endings::build("endings", endings.get_ref())?;
        }
        policy.interfaces = Interfaces::build(interfaces)?;
        policy.traffic = Traffic::build(traffic)?;
        policy.guards = Guards::build(guards, policy.level)?;
        policy.benign = Benign::build_all(benign)?;
        Ok(policy)
    }

    /// What it says of a record.
    pub fn opinion(&self, record: &Record) -> Opinion<'_> {
        endings::judge(self, record)
    }
}
