//! One hook: how it is taken, held, taken over and freed.
//!
//! What holds it belongs to this process, and ends with its descriptors however
//! it dies, unless it is pinned ([`super::super::persistence`]): then it stays until
//! it is told to go ([`Hook::detach`]). Only the clsact filters of kernels before
//! 6.6 outlive a `kill -9` in any case; the next start takes them over.

use std::{fmt, io, os::fd::OwnedFd, path::PathBuf};

use super::{
    attach::Refusal,
    clsact::{self, Filter},
    holder::xdp_holders,
    interfaces::Interface,
};
use crate::control::{
    kernel::{
        bpf::{self, Place},
        load::LoadError,
        programs::Programs,
    },
    persistence::pins::{HookName, PinError, unpin},
};

/// Programs of the object that are attached.
const INGRESS_XDP: &str = "ingress_xdp";
const INGRESS_TC: &str = "ingress_tc";
pub(super) const EGRESS_TC: &str = "egress_tc";

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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Native, Self::Generic, Self::Tcx, Self::Clsact];

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

/// Whether a hook still is where it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is.
    Held,
    /// Nothing is there any more.
    Gone,
    /// Another program has its place.
    Displaced,
}

/// What holds a hook.
#[derive(Debug)]
enum Held {
    Link(OwnedFd),
    Filter(Filter),
}

/// A hook that is held, and how. To be dropped in the interface's namespace:
/// that frees the hook, unless it is pinned.
#[derive(Debug)]
pub struct Hook {
    /// How it is held.
    pub via: Via,
    /// What was tried before.
    pub refused: Vec<Refusal>,
    held: Held,
    pin: Option<PathBuf>,
    /// An earlier controller took it.
    adopted: bool,
}

impl Hook {
    const fn new(via: Via, held: Held, pin: Option<PathBuf>) -> Self {
        Self {
            via,
            refused: Vec::new(),
            held,
            pin,
            adopted: false,
        }
    }

    const fn adopted(mut self) -> Self {
        self.adopted = true;
        self
    }

    /// It was there, without a break, when this process began.
    pub const fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// Whether it is still on the interface of this index, in the caller's
    /// network namespace.
    pub fn standing(&self, index: u32) -> Standing {
        match &self.held {
            Held::Filter(filter) => filter.standing(index),
            Held::Link(_) if self.is_on(index) => Standing::Held,
            Held::Link(_) => Standing::Gone,
        }
    }

    /// The same at no cost worth mentioning, in any namespace. A filter does not
    /// tell; of what happens to it, rtnetlink does
    /// ([`super::watch::News::filters`]).
    pub fn is_on(&self, index: u32) -> bool {
        match &self.held {
            Held::Link(link) => bpf::index_of(link).is_ok_and(|found| found == index),
            Held::Filter(_) => true,
        }
    }

    /// Whoever has its place now keeps it.
    pub fn yield_to(&mut self, index: u32) {
        if let Held::Filter(filter) = &mut self.held
            && filter.standing(index) == Standing::Displaced
        {
            filter.leave();
        }
    }

    /// Frees the hook unless it was there before.
    pub fn undo(self) {
        if !self.adopted {
            // The error that led here is the one to tell.
            let _ = self.detach();
        }
    }

    /// Frees the hook, pinned or not, in the interface's namespace.
    ///
    /// # Errors
    ///
    /// The pin cannot be removed.
    pub fn detach(mut self) -> Result<(), PinError> {
        match self.pin.take() {
            Some(pin) => unpin(&pin),
            None => Ok(()),
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if self.pin.is_some()
            && let Held::Filter(filter) = &mut self.held
        {
            filter.leave();
        }
    }
}

/// Why a hook was not taken, in words.
pub(super) enum NotTaken {
    /// Another way may work.
    Hook(String),
    /// The program itself is refused; hiding that behind another way would
    /// hide a fault.
    Program(String),
}

impl From<LoadError> for NotTaken {
    fn from(error: LoadError) -> Self {
        Self::Program(chain(&error))
    }
}

impl From<PinError> for NotTaken {
    fn from(error: PinError) -> Self {
        Self::Program(chain(&error))
    }
}

/// The program for a hook.
pub(super) const fn program_of(name: HookName) -> &'static str {
    match (name.via, name.egress) {
        (Via::Native | Via::Generic, _) => INGRESS_XDP,
        (Via::Tcx | Via::Clsact, false) => INGRESS_TC,
        (Via::Tcx | Via::Clsact, true) => EGRESS_TC,
    }
}

/// Takes a hook in one way, and pins what holds it.
pub(super) fn make(
    programs: &mut Programs,
    interface: &Interface,
    name: HookName,
) -> Result<Hook, NotTaken> {
    let pins = programs.pins().cloned();
    let pin = pins.as_ref().map(|pins| pins.hook(name));
    let place = match (name.via, name.egress) {
        (Via::Native, _) => Place::XdpNative,
        (Via::Generic, _) => Place::XdpGeneric,
        (Via::Tcx, false) => Place::TcxIngress,
        (Via::Tcx, true) => Place::TcxEgress,
        (Via::Clsact, _) => {
            // What an earlier controller had there.
            let pinned = pin.as_ref().and_then(|pin| bpf::open(pin).ok());
            let pinned = pinned.and_then(|program| bpf::id_of(program).ok());
            if let (Some(pins), Some(pin)) = (&pins, &pin) {
                // Before the filter, which stays in any case.
                pins.replace(programs.get(program_of(name))?, pin)?;
            }
            return match clsact::take(programs, interface, name) {
                Ok((filter, replaced)) => {
                    let held = Held::Filter(filter);
                    let hook = Hook::new(name.via, held, pin);
                    let unbroken = replaced.is_some() && replaced == pinned;
                    Ok(if unbroken { hook.adopted() } else { hook })
                }
                Err(error) => {
                    if let Some(pin) = &pin {
                        unpin(pin)?;
                    }
                    Err(error)
                }
            };
        }
    };
    let program = programs.get(program_of(name))?;
    let link = bpf::attach(program, interface.index, place).map_err(|error| {
        NotTaken::Hook(match (place, error.raw_os_error()) {
            (Place::XdpNative | Place::XdpGeneric, _) => explain_xdp(&error, interface.index),
            (_, Some(libc::EINVAL)) => "the kernel has no TCX (6.6)".to_owned(),
            _ => error.to_string(),
        })
    })?;
    if let (Some(pins), Some(pin)) = (&pins, &pin) {
        pins.replace(&link, pin)?;
    }
    Ok(Hook::new(name.via, Held::Link(link), pin))
}

/// Takes over a pinned hook: it goes on as it is, or with the new program from
/// the next packet on.
pub(super) fn adopt(
    programs: &mut Programs,
    interface: &Interface,
    name: HookName,
) -> Result<Hook, NotTaken> {
    let Some(pin) = programs.pins().map(|pins| pins.hook(name)) else {
        return Err(NotTaken::Hook("nothing is pinned".to_owned()));
    };
    if name.via == Via::Clsact {
        return make(programs, interface, name);
    }
    let gone = |error: io::Error| NotTaken::Hook(error.to_string());
    let link = bpf::open(&pin).map_err(gone)?;
    if bpf::index_of(&link).map_err(gone)? != interface.index {
        return Err(NotTaken::Hook("its interface is gone".to_owned()));
    }
    if programs.is_upgrade() {
        bpf::update(&link, programs.get(program_of(name))?).map_err(gone)?;
    }
    Ok(Hook::new(name.via, Held::Link(link), Some(pin)).adopted())
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

/// An error and its sources in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
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
