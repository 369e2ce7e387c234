//! The file's shape. Whatever a mistake may hide in is kept with its place in
//! the text, so that the refusal can name the line.

use serde::Deserialize;
use toml::{Spanned, Value};

/// A value that is looked at by hand: its refusal says more than a type.
pub(super) type Raw = Spanned<Value>;

/// A refused value: where in the text, key, what is wrong.
pub(super) type Refusal = (usize, String, String);

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// How much is tracked.
    pub(super) level: Option<Spanned<String>>,
    /// Events that are reported beside endings and TIME_WAITs.
    pub(super) events: Option<Spanned<Vec<Spanned<String>>>>,
    /// Endings that become records.
    pub(super) endings: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) timers: Timers,
    #[serde(default)]
    pub(super) interfaces: Interfaces,
    #[serde(default)]
    pub(super) traffic: Traffic,
    #[serde(default)]
    pub(super) guards: Guards,
    #[serde(default)]
    pub(super) benign: Vec<Spanned<Benign>>,
}

/// Timers, in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timers {
    pub(super) syn_sent: Option<Raw>,
    pub(super) syn_received: Option<Raw>,
    pub(super) established_idle: Option<Raw>,
    pub(super) half_open: Option<Raw>,
    pub(super) silent: Option<Raw>,
    pub(super) half_closed: Option<Raw>,
    pub(super) fin_unanswered: Option<Raw>,
    pub(super) last_ack: Option<Raw>,
    pub(super) msl: Option<Raw>,
    pub(super) reset_linger: Option<Raw>,
    pub(super) reset_confirm: Option<Raw>,
}

/// Where to attach.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Interfaces {
    #[serde(default)]
    pub(super) include: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) exclude: Vec<Spanned<String>>,
    pub(super) hooks: Option<Spanned<String>>,
    #[serde(default, rename = "for")]
    pub(super) rules: Vec<Spanned<HooksFor>>,
}

/// The hooks of some interfaces.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HooksFor {
    pub(super) names: Vec<Spanned<String>>,
    pub(super) hooks: Spanned<String>,
}

/// Which connections.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traffic {
    #[serde(default)]
    pub(super) include: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) exclude: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ports: Vec<Raw>,
    #[serde(default)]
    pub(super) exclude_ports: Vec<Raw>,
    pub(super) sample: Option<Raw>,
}

/// Guards, each `off`, `dry_run` or `on`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guards {
    pub(super) blind: Option<Spanned<String>>,
    pub(super) time_wait: Option<Spanned<String>>,
}

/// Endings that are no news.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Benign {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) from: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) to: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ports: Vec<Raw>,
    #[serde(default)]
    pub(super) endings: Vec<Spanned<String>>,
    pub(super) without_data: Option<bool>,
}
