//! What `termination run` can be asked to do.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use termination_common::policy::Level;

/// Where incoming packets are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Native XDP, else TCX ingress, else generic XDP; on a veth, TCX first.
    #[default]
    Auto,
    /// XDP in the driver, before the kernel builds a socket buffer.
    Native,
    /// XDP in the network core: works with any driver, after GRO.
    Generic,
    /// The TCX (or tc clsact) ingress hook, beside another XDP program.
    Tcx,
}

/// Which directions are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hooks {
    /// What the interface receives. On a loopback or mirror port that is
    /// both directions.
    Ingress,
    /// What the interface sends.
    Egress,
    /// Both.
    Both,
}

impl Hooks {
    /// Received packets are seen.
    pub const fn ingress(self) -> bool {
        matches!(self, Self::Ingress | Self::Both)
    }

    /// Sent packets are seen.
    pub const fn egress(self) -> bool {
        matches!(self, Self::Egress | Self::Both)
    }
}

/// What becomes of a table that an earlier controller left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Takeover {
    /// Go on with it.
    #[default]
    Continue,
    /// Forget it and the connections in it; start anew.
    Fresh,
}

/// Everything [`super::run::run`] needs to know.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Interfaces by name, pattern (`veth*`) or `any`; at least one.
    pub interfaces: Vec<String>,
    /// Where incoming packets are seen.
    pub mode: Mode,
    /// Which directions; `None` decides by kind of interface: on `lo` ingress
    /// alone, elsewhere both.
    pub hooks: Option<Hooks>,
    /// Use the clsact qdisc even where TCX exists, as kernels before 6.6 must.
    pub clsact: bool,
    /// Room for this many connections, rounded up to a power of two.
    pub connections: u32,
    /// Room for this many bytes of records that user space has not read yet,
    /// rounded up to a power of two.
    pub ring_bytes: u32,
    /// Look into tunnels: IP in IP, GRE, VXLAN, GENEVE, GTP-U, Teredo, MPLS, PPPoE.
    pub tunnels: bool,
    /// How much is tracked; `None`: as the policy says, or every segment.
    pub level: Option<Level>,
    /// Policy file; `None` for the defaults.
    pub policy: Option<PathBuf>,
    /// Control socket; see [`super::process::paths::socket`].
    pub socket: PathBuf,
    /// Network namespace of the interfaces: a name under `/run/netns` or a path.
    pub netns: Option<String>,
    /// How often timers are looked at.
    pub tick: Duration,
    /// Pin everything: it outlives this process, unless it is told to detach.
    pub persist: bool,
    /// Where it is pinned, in a bpffs; see [`super::process::paths::PINS`].
    pub pins: PathBuf,
    /// What becomes of what is pinned there already.
    pub takeover: Takeover,
    /// Say nothing on stderr but errors.
    pub quiet: bool,
}

impl RunOptions {
    /// Default of `connections`: 52 MiB of table.
    pub const CONNECTIONS: u32 = 262_144;
    /// Default of `ring_bytes`: 74,898 records of 216 bytes and their headers.
    pub const RING_BYTES: u32 = 16 << 20;
    /// Default of `tick`.
    pub const TICK: Duration = Duration::from_millis(250);
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            mode: Mode::Auto,
            hooks: None,
            clsact: false,
            connections: Self::CONNECTIONS,
            ring_bytes: Self::RING_BYTES,
            tunnels: false,
            level: None,
            policy: None,
            socket: super::process::paths::socket(None),
            netns: None,
            tick: Self::TICK,
            persist: false,
            pins: super::process::paths::PINS.into(),
            takeover: Takeover::Continue,
            quiet: false,
        }
    }
}
