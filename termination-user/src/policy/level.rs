//! How much is tracked: which of a policy and a command line decides, and what
//! goes with what.

use termination_common::policy::Level;
use toml::Spanned;

use super::{Policy, file::Refusal};
use crate::report::names;

/// Why a level cannot be.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    /// What a guard drops has to be graded exactly, and nothing is here.
    #[error(
        "guards cannot judge at the level `closing`, which does not see what an RST would have \
         to fit: set them to \"off\" in the policy, or track at the level `full`"
    )]
    Guards,
    /// It was chosen when the programs were loaded.
    #[error(
        "the level is `{}` since `run` was started, and the policy says `{}`: that takes effect \
         when `run` is started anew", .running.name(), .wanted.name()
    )]
    Running {
        /// The level in effect.
        running: Level,
        /// The level that the policy asks for.
        wanted: Level,
    },
}

/// The word in the file.
pub(super) fn build(word: &Spanned<String>) -> Result<Level, Refusal> {
    Level::from_name(word.get_ref()).ok_or_else(|| {
        let there = names::list(Level::ALL.map(Level::name));
        let message = format!("{:?} is none of {there}", word.get_ref());
        (word.span().start, "level".to_owned(), message)
    })
}

impl Policy {
    /// The level at which `run` starts: as it was asked for, or else as the policy
    /// says.
    ///
    /// # Errors
    ///
    /// [`LevelError::Guards`].
    pub fn starting_level(&self, asked: Option<Level>) -> Result<Level, LevelError> {
        let level = asked.or(self.level).unwrap_or_default();
        self.fits(level).map(|()| level)
    }

    /// The policy can take effect where the level is `running`; `asked`: by the
    /// command line, which comes before.
    ///
    /// # Errors
    ///
    /// [`LevelError`].
    pub fn fits_running(&self, running: Level, asked: bool) -> Result<(), LevelError> {
        let wanted = self.level.unwrap_or_default();
        if !asked && wanted != running {
            return Err(LevelError::Running { running, wanted });
        }
        self.fits(running)
    }

    fn fits(&self, level: Level) -> Result<(), LevelError> {
        if level.is_closing() && !self.guards.are_off() {
            return Err(LevelError::Guards);
        }
        Ok(())
    }
}

/// Consequences that surprise.
pub(super) fn notes(policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    if policy.level == Some(Level::Closing) {
        notes.push(
            "level = \"closing\": RSTs of open connections are graded unverifiable, nobody is \
             half_open_silent, and idle_expired takes up to twice established_idle"
                .to_owned(),
        );
    }
    notes
}
