//! Attaching to interfaces: XDP or TCX at the ingress, TCX or tc at the egress.
//!
//! Everything here runs in the network namespace of the interfaces. What is
//! attached belongs to this process: links end with their descriptors, however
//! it dies. Only the clsact filters of kernels before 6.6 outlive a `kill -9`;
//! the next start removes them.

use std::{fmt, io};

use aya::{
    Ebpf,
    programs::{
        LinkOrder, Program, ProgramError, SchedClassifier, TcAttachType, Xdp,
        tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError},
    },
};

use super::{
    holder::xdp_holders,
    interfaces::Interface,
    link::{self, XdpLink},
    load::explain_program,
    options::{Hooks, Mode},
};

/// Programs of the object that are attached.
const INGRESS_XDP: &str = "ingress_xdp";
const INGRESS_TC: &str = "ingress_tc";
const EGRESS_TC: &str = "egress_tc";

/// How a hook is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// XDP in the driver.
    Native,
    /// XDP in the network core.
    Generic,
    /// A TCX link (kernel 6.6, commit 053c8e1f235d), first in its chain.
    Tcx,
    /// A filter of the clsact qdisc.
    Clsact,
}

impl Via {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One way that did not work.
#[derive(Debug)]
pub struct Refusal {
    /// Which way.
    pub via: Via,
    /// Why, in words.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.via, self.why)
    }
}

/// Nothing is attached to this interface.
#[derive(Debug, thiserror::Error)]
#[error("cannot attach to the {direction} of {interface} ({})", join(.tried))]
pub struct AttachError {
    /// Its name.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// Every way that was tried, in order.
    pub tried: Vec<Refusal>,
}

fn join(refusals: &[Refusal]) -> String {
    let all: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// A hook that is held until dropped. Drop it in the interface's namespace.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what dropping it does")]
enum Held {
    Xdp(XdpLink),
    Tc(SchedClassifierLink),
}

/// A hook that is held, and how.
#[derive(Debug)]
pub struct Hook {
    /// How it is held.
    pub via: Via,
    /// What was tried before.
    pub refused: Vec<Refusal>,
    _held: Held,
}

/// One interface and what is attached to it, until dropped.
#[derive(Debug)]
pub struct Attachment {
    /// The interface.
    pub interface: Interface,
    /// What sees incoming packets.
    pub ingress: Option<Hook>,
    /// What sees outgoing packets.
    pub egress: Option<Hook>,
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.interface.name;
        let way = |hook: &Option<Hook>, xdp: bool| match hook {
            None => "not observed".to_owned(),
            Some(hook) if xdp && matches!(hook.via, Via::Native | Via::Generic) => {
                format!("XDP {}", hook.via)
            }
            Some(hook) => hook.via.to_string(),
        };
        let (ingress, egress) = (way(&self.ingress, true), way(&self.egress, false));
        write!(f, "{name}: ingress {ingress}, egress {egress}")?;
        for refusal in [&self.ingress, &self.egress]
            .into_iter()
            .flatten()
            .flat_map(|h| &h.refused)
        {
            write!(f, " ({refusal})")?;
        }
        Ok(())
    }
}

/// How to attach.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where incoming packets are seen.
    pub mode: Mode,
    /// Which directions; `None` decides by kind of interface.
    pub hooks: Option<Hooks>,
    /// Use clsact even where TCX exists.
    pub clsact: bool,
}

/// Attaches to one interface of the caller's network namespace.
///
/// # Errors
///
/// [`AttachError`] with every way that was tried; then nothing is attached.
pub fn attach(
    ebpf: &mut Ebpf,
    interface: &Interface,
    plan: Plan,
) -> Result<Attachment, AttachError> {
    // A loopback receives what it sends: one hook sees both directions, two
    // would count every segment twice.
    let hooks = plan.hooks.unwrap_or(if interface.loopback {
        Hooks::Ingress
    } else {
        Hooks::Both
    });
    let ingress = if hooks.ingress() {
        let ways: &[Via] = match plan.mode {
            Mode::Auto => &[Via::Native, Via::Generic, Via::Tcx],
            Mode::Native => &[Via::Native],
            Mode::Generic => &[Via::Generic],
            Mode::Tcx => &[Via::Tcx],
        };
        Some(take(ebpf, interface, "ingress", ways, plan.clsact)?)
    } else {
        None
    };
    let egress = if hooks.egress() {
        Some(take(ebpf, interface, "egress", &[Via::Tcx], plan.clsact)?)
    } else {
        None
    };
    let interface = interface.clone();
    Ok(Attachment {
        interface,
        ingress,
        egress,
    })
}

/// Takes a hook by the first of `ways` that works; clsact comes after TCX.
fn take(
    ebpf: &mut Ebpf,
    interface: &Interface,
    direction: &'static str,
    ways: &[Via],
    clsact: bool,
) -> Result<Hook, AttachError> {
    let fail = |tried| AttachError {
        interface: interface.name.clone(),
        direction,
        tried,
    };
    let mut refused = Vec::new();
    for &way in ways {
        let by_tc: &[Via] = if clsact {
            &[Via::Clsact]
        } else {
            &[Via::Tcx, Via::Clsact]
        };
        let ways = if way == Via::Tcx { by_tc } else { &[way] };
        for &via in ways {
            let held = match via {
                Via::Native | Via::Generic => take_xdp(ebpf, interface, via),
                Via::Tcx | Via::Clsact => take_tc(ebpf, interface, direction, via),
            };
            match held {
                Ok(held) => {
                    return Ok(Hook {
                        via,
                        refused,
                        _held: held,
                    });
                }
                Err(NotTaken::Hook(why)) => refused.push(Refusal { via, why }),
                Err(NotTaken::Program(why)) => {
                    refused.push(Refusal { via, why });
                    return Err(fail(refused));
                }
            }
        }
    }
    Err(fail(refused))
}

/// Why a hook was not taken, in words.
enum NotTaken {
    /// Another way may work.
    Hook(String),
    /// The program itself is refused; hiding that behind another way would
    /// hide a fault.
    Program(String),
}

/// Takes the XDP hook.
fn take_xdp(ebpf: &mut Ebpf, interface: &Interface, via: Via) -> Result<Held, NotTaken> {
    let program: &mut Xdp = program(ebpf, INGRESS_XDP)?;
    load_once(program.load())?;
    let fd = program
        .fd()
        .map_err(|error| NotTaken::Program(chain(&error)))?;
    match link::attach_xdp(fd, interface.index, via == Via::Native) {
        Ok(link) => Ok(Held::Xdp(link)),
        Err(error) => Err(NotTaken::Hook(explain_xdp(&error, interface.index))),
    }
}

/// What an errno of BPF_LINK_CREATE on an XDP hook means.
fn explain_xdp(error: &io::Error, index: u32) -> String {
    match error.raw_os_error() {
        // EEXIST: native and generic exclude each other (dev_xdp_attach).
        Some(libc::EBUSY | libc::EEXIST) => match xdp_holders(index) {
            Ok(holders) if !holders.is_empty() => {
                let names: Vec<_> = holders.iter().map(ToString::to_string).collect();
                format!("the XDP hook is held by {}", names.join(" and "))
            }
            _ => format!("another program holds the XDP hook ({error})"),
        },
        Some(libc::EOPNOTSUPP) => "the driver has no native XDP".to_owned(),
        Some(libc::EINVAL | libc::ERANGE | libc::ENOMEM | libc::ENOSPC) => {
            format!("the driver refused; MTU, queues or offloads (`dmesg` may say) ({error})")
        }
        _ => error.to_string(),
    }
}

/// Takes a TCX or clsact hook.
fn take_tc(
    ebpf: &mut Ebpf,
    interface: &Interface,
    direction: &'static str,
    via: Via,
) -> Result<Held, NotTaken> {
    let (name, side) = if direction == "egress" {
        (EGRESS_TC, TcAttachType::Egress)
    } else {
        (INGRESS_TC, TcAttachType::Ingress)
    };
    let program: &mut SchedClassifier = program(ebpf, name)?;
    load_once(program.load())?;
    let options = if via == Via::Tcx {
        TcAttachOptions::TcxOrder(LinkOrder::first())
    } else {
        prepare_clsact(interface, side, name).map_err(NotTaken::Hook)?;
        // Priority 1: before every filter that did not ask for the same.
        TcAttachOptions::Netlink(NlOptions {
            priority: 1,
            ..NlOptions::default()
        })
    };
    program
        .attach_with_options(&interface.name, side, options)
        .and_then(|id| program.take_link(id))
        .map(Held::Tc)
        .map_err(|error| match errno(&error) {
            Some(libc::EINVAL) if via == Via::Tcx => "the kernel has no TCX (6.6)".to_owned(),
            _ => chain(&error),
        })
        .map_err(NotTaken::Hook)
}

/// Makes the qdisc and removes the filter that a killed controller left.
fn prepare_clsact(interface: &Interface, side: TcAttachType, name: &str) -> Result<(), String> {
    match tc::qdisc_add_clsact(&interface.name) {
        Ok(()) => {}
        // EEXIST: it is there, for others too; it stays when we go.
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
        Err(error) => return Err(format!("cannot add the clsact qdisc: {}", chain(&error))),
    }
    match tc::qdisc_detach_program(&interface.name, side, name) {
        Ok(()) => Ok(()),
        Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!(
            "cannot remove the filter that was left: {}",
            chain(&error)
        )),
    }
}

fn program<'a, T>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut T, NotTaken>
where
    &'a mut T: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or_else(|| NotTaken::Program(format!("the object has no program {name}")))?
        .try_into()
        .map_err(|error| NotTaken::Program(chain(&error)))
}

/// Each program is loaded when the first interface needs it.
fn load_once(result: Result<(), ProgramError>) -> Result<(), NotTaken> {
    match result {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(()),
        Err(error) => Err(NotTaken::Program(explain_program(&error))),
    }
}

/// The errno at the root of an aya error.
fn errno(error: &ProgramError) -> Option<i32> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::TcError(TcError::NetlinkError(error)) | ProgramError::NetlinkError(error) => {
            error.raw_os_error()
        }
        _ => None,
    }
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = error.source();
    }
    text
}
