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
//! refused with line and key, and nothing of the file takes effect.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use termination_common::{
    counters::Event,
    policy::{Settings, Timers},
    time::ticks_from_seconds,
};
use toml::Spanned;

/// Longest timer, seconds: ages are compared modulo 52 days, so a timer must
/// stay well below half of that.
const LONGEST: f64 = 20.0 * 86_400.0;

/// A tuple lingers at most this long after its ending, seconds (the taxonomy's
/// bound on strays that keep it alive).
const LINGER_MAX: f64 = 300.0;

/// What a policy file says, in effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// The timers of the engine.
    pub timers: Timers,
    /// What the kernel programs need to know.
    pub settings: Settings,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timers: Timers::DEFAULT,
            settings: Settings::DEFAULT,
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

/// The file's shape.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    timers: Seconds,
    /// Events that are reported beside endings and TIME_WAITs.
    events: Option<Spanned<Vec<Spanned<String>>>>,
}

/// Timers as they are written, in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    syn_sent: Option<Spanned<f64>>,
    syn_received: Option<Spanned<f64>>,
    established_idle: Option<Spanned<f64>>,
    half_open: Option<Spanned<f64>>,
    silent: Option<Spanned<f64>>,
    half_closed: Option<Spanned<f64>>,
    fin_unanswered: Option<Spanned<f64>>,
    last_ack: Option<Spanned<f64>>,
    msl: Option<Spanned<f64>>,
    reset_linger: Option<Spanned<f64>>,
    reset_confirm: Option<Spanned<f64>>,
}

/// A refused value: where in the text, key, what is wrong.
type Refusal = (usize, String, String);

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
        let mut policy = Self::default();
        let Self { timers, settings } = &mut policy;
        let Seconds {
            syn_sent,
            syn_received,
            established_idle,
            half_open,
            silent,
            half_closed,
            fin_unanswered,
            last_ack,
            msl,
            reset_linger,
            reset_confirm,
        } = file.timers;
        for (key, value, timer) in [
            ("syn_sent", syn_sent, &mut timers.syn_sent),
            ("syn_received", syn_received, &mut timers.syn_received),
            (
                "established_idle",
                established_idle,
                &mut timers.established_idle,
            ),
            ("half_open", half_open, &mut timers.half_open),
            ("silent", silent, &mut settings.silent),
            ("half_closed", half_closed, &mut timers.half_closed),
            ("fin_unanswered", fin_unanswered, &mut timers.fin_unanswered),
            ("last_ack", last_ack, &mut timers.last_ack),
            ("reset_confirm", reset_confirm, &mut timers.reset_confirm),
        ] {
            if let Some(value) = value {
                *timer = ticks_from_seconds(within(key, &value, LONGEST)?);
            }
        }
        // What lingers is bounded, so a longer wait would be cut short.
        if let Some(msl) = msl {
            timers.time_wait = ticks_from_seconds(2.0 * within("msl", &msl, LINGER_MAX / 2.0)?);
        }
        if let Some(linger) = reset_linger {
            timers.reset_linger = ticks_from_seconds(within("reset_linger", &linger, LINGER_MAX)?);
        }
        settings.reset_linger = timers.reset_linger;
        if let Some(events) = file.events {
            // Endings and TIME_WAITs are records, not a matter of choice.
            settings.events = 1 << Event::Ending as u32 | 1 << Event::TimeWait as u32;
            for name in events.into_inner() {
                settings.events |= 1 << event(&name)? as u32;
            }
        }
        Ok(policy)
    }
}

/// A duration in (0, most] seconds.
fn within(key: &str, value: &Spanned<f64>, most: f64) -> Result<f64, Refusal> {
    let seconds = *value.get_ref();
    // NaN is in no range.
    if seconds > 0.0 && seconds <= most {
        return Ok(seconds);
    }
    let message = format!("{seconds} is not a number of seconds above 0 and at most {most}");
    Err((value.span().start, format!("timers.{key}"), message))
}

fn event(name: &Spanned<String>) -> Result<Event, Refusal> {
    Event::from_name(name.get_ref()).ok_or_else(|| {
        let names: Vec<_> = Event::ALL.iter().map(|event| event.name()).collect();
        let message = format!(
            "no event is called {:?}; there are: {}",
            name.get_ref(),
            names.join(", ")
        );
        (name.span().start, "events".to_owned(), message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, String> {
        Policy::parse(text, Path::new("p.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(parse(""), Ok(Policy::default()));
        assert_eq!(parse("[timers]\n"), Ok(Policy::default()));
    }

    #[test]
    fn what_is_said_takes_effect() {
        let policy =
            parse("events = ['implausible']\n[timers]\nmsl = 1\nsilent = 0.5\nreset_linger = 2\n")
                .unwrap();
        assert_eq!(policy.timers.time_wait, ticks_from_seconds(2.0));
        assert_eq!(policy.settings.silent, ticks_from_seconds(0.5));
        assert_eq!(policy.settings.reset_linger, policy.timers.reset_linger);
        assert_eq!(policy.settings.events, 1 << 1 | 1 << 2 | 1 << 9);
        assert_eq!(policy.timers.syn_sent, Timers::DEFAULT.syn_sent);
    }

    #[test]
    fn every_refusal_names_line_and_key() {
        for (text, line, word) in [
            ("[timers]\n\nmls = 3\n", "line 3", "mls"),
            ("[timers]\nmsl = '3s'\n", "line 2", "msl"),
            ("[timers]\nmsl = 0\n", "line 2", "timers.msl"),
            ("[timers]\nmsl = 200\n", "line 2", "at most 150"),
            ("[timers]\nsyn_sent = nan\n", "line 2", "timers.syn_sent"),
            ("[timers]\nhalf_open = -1\n", "line 2", "timers.half_open"),
            ("[timer]\n", "line 1", "timer"),
            ("\nevents = [\n'sleepy']\n", "line 3", "sleepy"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(
                message.contains(line) && message.contains(word),
                "{text:?}: {message}"
            );
        }
    }
}
