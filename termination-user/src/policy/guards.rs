//! How far the guards go.

use termination_common::policy::{Level, setting};
use toml::Spanned;

use super::{
    Policy,
    file::{self, Refusal},
    level::LevelError,
};
use crate::{control::Hooks, report::names};

/// How far a guard goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// It is not there.
    #[default]
    Off,
    /// It counts what it would drop.
    DryRun,
    /// It drops.
    On,
}

impl Guard {
    const ALL: [Self; 3] = [Self::Off, Self::DryRun, Self::On];

    /// The word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry_run",
            Self::On => "on",
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Off => setting::OFF,
            Self::DryRun => setting::DRY_RUN,
            Self::On => setting::ARMED,
        }
    }

    fn build(key: &str, word: Option<Spanned<String>>) -> Result<Self, Refusal> {
        let Some(word) = word else {
            return Ok(Self::Off);
        };
        let found = Self::ALL
            .into_iter()
            .find(|guard| guard.name() == word.get_ref());
        found.ok_or_else(|| {
            let there = names::list(Self::ALL.map(Self::name));
            let message = format!("{:?} is none of {there}", word.get_ref());
            (word.span().start, key.to_owned(), message)
        })
    }
}

/// The guards ([`termination_common::engine::guard`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Against RSTs graded `old` or `future`.
    pub blind: Guard,
    /// Against RSTs into TIME_WAIT (RFC 1337).
    pub time_wait: Guard,
}

impl Guards {
    /// None is there.
    pub const fn are_off(self) -> bool {
        self.flags() == 0
    }

    /// Their part of [`termination_common::policy::Settings::flags`].
    pub const fn flags(self) -> u32 {
        let Self { blind, time_wait } = self;
        blind.bits() << setting::BLIND_SHIFT | time_wait.bits() << setting::TIME_WAIT_SHIFT
    }

    /// Takes the file's table over.
    pub(super) fn build(file: file::Guards, level: Option<Level>) -> Result<Self, Refusal> {
        let file::Guards { blind, time_wait } = file;
        let at = blind.as_ref().or(time_wait.as_ref());
        let at = at.map_or(0, |word| word.span().start);
        let guards = Self {
            blind: Guard::build("guards.blind", blind)?,
            time_wait: Guard::build("guards.time_wait", time_wait)?,
        };
        if level == Some(Level::Closing) && !guards.are_off() {
            return Err((at, "guards".to_owned(), LevelError::Guards.to_string()));
        }
        Ok(guards)
    }
}

/// Consequences that surprise.
pub(super) fn notes(policy: &Policy) -> Vec<String> {
    let Guards { blind, time_wait } = policy.guards;
    let mut notes = Vec::new();
    if matches!(
        policy.interfaces.hooks,
        Some(Hooks::Ingress | Hooks::Egress)
    ) && !policy.guards.are_off()
    {
        notes.push(
            "guards judge nothing where only one direction is observed: hooks = \"both\""
                .to_owned(),
        );
    }
    if [blind, time_wait].contains(&Guard::On) {
        notes.push(
            "a guard that is on drops packets: look at `termination guards` after a dry run first"
                .to_owned(),
        );
    }
    notes
}
