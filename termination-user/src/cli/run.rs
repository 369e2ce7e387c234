//! `termination run`.

use std::path::PathBuf;

use clap::ValueEnum;
use termination_common::policy;

use super::Halt;
use crate::control::{self, Mode, RunOptions, Takeover};

/// What to attach to, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Interface by name, pattern ('veth*') or `any`; may be given more than
    /// once; comes before those of the policy
    #[arg(
        short,
        long = "interface",
        value_name = "IFACE",
        required_unless_present = "policy"
    )]
    interfaces: Vec<String>,
    /// Where incoming packets are seen
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Which directions are seen
    #[arg(long, value_enum, default_value_t)]
    hooks: Hooks,
    /// Use the clsact qdisc even where TCX exists, as before Linux 6.6
    #[arg(long)]
    clsact: bool,
    /// Room for this many connections, rounded up to a power of two
    #[arg(long, value_name = "N", default_value_t = RunOptions::CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Room for records that nobody has read yet, in bytes, rounded up to a
    /// power of two; what finds none is reported later, from the table
    #[arg(long, value_name = "BYTES", default_value_t = RunOptions::RING_BYTES)]
    ring_bytes: u32,
    /// Every segment, or only beginnings and ends, which costs next to nothing
    /// and knows less; comes before the policy's  [default: full]
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Policy file (TOML); read again on SIGHUP and `termination reload`
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Network namespace of the interfaces: a name under /run/netns or a path
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
    /// Look into tunnels: IP in IP, GRE, VXLAN, GENEVE, GTP-U, Teredo, MPLS, PPPoE
    #[arg(long)]
    tunnels: bool,
    /// Outlive this process: what is attached stays and goes on counting when it
    /// is killed or gets SIGTERM; the next `run --persist` takes over
    #[arg(long)]
    persist: bool,
    /// Where that is pinned, in a bpffs
    #[arg(long, value_name = "DIR", default_value = control::process::paths::PINS)]
    pin_dir: PathBuf,
    /// What becomes of what is pinned there already
    #[arg(long, value_enum, default_value_t, requires = "persist")]
    takeover: Takeover,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// Which directions are seen.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Hooks {
    /// As the kind of interface suggests: on `lo` ingress, elsewhere both
    #[default]
    Auto,
    /// What the interface receives
    Ingress,
    /// What the interface sends
    Egress,
    /// Both
    Both,
}

impl Hooks {
    const fn chosen(self) -> Option<control::Hooks> {
        match self {
            Self::Auto => None,
            Self::Ingress => Some(control::Hooks::Ingress),
            Self::Egress => Some(control::Hooks::Egress),
            Self::Both => Some(control::Hooks::Both),
        }
    }
}

/// How much is tracked.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// Every segment: exact verdicts, silence, losses
    Full,
    /// SYN, FIN and RST, and all segments while a connection opens or closes
    Closing,
}

impl Level {
    const fn chosen(self) -> policy::Level {
        match self {
            Self::Full => policy::Level::Full,
            Self::Closing => policy::Level::Closing,
        }
    }
}

/// Observes until told to stop.
pub(super) fn main(arguments: Arguments, socket: PathBuf) -> Result<(), Halt> {
    let Arguments {
        interfaces,
        mode,
        hooks,
        clsact,
        connections,
        ring_bytes,
        level,
        policy,
        netns,
        tunnels,
        persist,
        pin_dir,
        takeover,
        quiet,
    } = arguments;
    control::run(RunOptions {
        interfaces,
        mode,
        hooks: hooks.chosen(),
        clsact,
        connections,
        ring_bytes,
        level: level.map(Level::chosen),
        policy,
        netns,
        tunnels,
        persist,
        pins: pin_dir,
        takeover,
        quiet,
        socket,
        ..RunOptions::default()
    })?;
    Ok(())
}
