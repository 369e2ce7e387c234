//! Attaching to interfaces: XDP or TCX at the ingress, TCX or tc at the egress.
//!
//! Everything here runs in the network namespace of the interfaces.

use std::fmt;

use super::{
    clsact,
    hook::{EGRESS_TC, Hook, NotTaken, Standing, Via, adopt, chain, make},
    interfaces::Interface,
};
use crate::control::{
    kernel::programs::Programs,
    options::{Hooks, Mode},
    persistence::pins::{HookName, PinError, unpin},
};

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

/// One interface and what is attached to it; see [`Hook`].
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

/// In which ways to attach.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where incoming packets are seen.
    pub mode: Mode,
    /// Use clsact even where TCX exists.
    pub clsact: bool,
}

impl Plan {
    /// The ways for a direction, in the order in which they are tried.
    ///
    /// Native XDP comes before there is a socket buffer. Generic XDP has the kernel
    /// copy whatever is shared, all that a local TCP sends among it (net/core/dev.c
    /// netif_skb_check_for_xdp), and so has native XDP on a veth, whose peer loses
    /// its segmentation offload besides: a quarter of the throughput is left
    /// (docs/scale.md).
    fn ways(self, interface: &Interface, egress: bool) -> Vec<Via> {
        let by_tc: &[Via] = if self.clsact {
            &[Via::Clsact]
        } else {
            &[Via::Tcx, Via::Clsact]
        };
        match self.mode {
            _ if egress => by_tc.to_vec(),
            Mode::Auto if interface.veth => [by_tc, &[Via::Native, Via::Generic]].concat(),
            Mode::Auto => [&[Via::Native], by_tc, &[Via::Generic]].concat(),
            Mode::Native => vec![Via::Native],
            Mode::Generic => vec![Via::Generic],
            Mode::Tcx => by_tc.to_vec(),
        }
    }
}

impl Attachment {
    /// What sees one direction.
    pub const fn hook(&mut self, egress: bool) -> &mut Option<Hook> {
        if egress {
            &mut self.egress
        } else {
            &mut self.ingress
        }
    }

    /// Its hooks still are on this interface: not one of the same index; as far
    /// as they tell without being asked twice ([`Hook::is_on`]).
    pub fn is_alive(&self) -> bool {
        self.hooks().all(|hook| hook.is_on(self.interface.index))
    }

    /// The same in the interface's namespace, where filters are asked for too:
    /// the worst of its hooks.
    pub fn standing(&self) -> Standing {
        let index = self.interface.index;
        let standing = self.hooks().map(|hook| hook.standing(index));
        standing.max().unwrap_or(Standing::Held)
    }

    /// One of its hooks is a filter.
    pub fn has_filter(&self) -> bool {
        self.hooks().any(|hook| hook.via == Via::Clsact)
    }

    fn hooks(&self) -> impl Iterator<Item = &Hook> {
        [&self.ingress, &self.egress].into_iter().flatten()
    }

    /// Frees its hooks, pinned or not.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed; then the others are all the same.
    pub fn detach(self) -> Result<(), PinError> {
        let hooks = [self.ingress, self.egress].into_iter().flatten();
        hooks.map(Hook::detach).fold(Ok(()), Result::and)
    }
}

/// Attaches to one interface of the caller's network namespace. Of `pinned`,
/// the hooks of an earlier controller, it takes over what fits.
///
/// # Errors
///
/// [`AttachError`] with every way that was tried; then nothing is attached that
/// was not before.
pub fn attach(
    programs: &mut Programs,
    interface: &Interface,
    plan: Plan,
    hooks: Hooks,
    pinned: &[HookName],
) -> Result<Attachment, AttachError> {
    // Verification takes seconds. It comes before the first hook, or one direction
    // would be seen alone for so long. (Of another build, all are verified already.)
    if hooks.egress()
        && !programs.is_upgrade()
        && let Err(error) = programs.get(EGRESS_TC)
    {
        let (via, why) = (plan.ways(interface, true)[0], chain(&error));
        return Err(failed(interface, true, vec![Refusal { via, why }]));
    }
    let mut take = |egress, wanted| {
        let mine = |hook: &&HookName| hook.index == interface.index && hook.egress == egress;
        let old = pinned.iter().find(mine).copied();
        if wanted {
            take(programs, interface, egress, plan, old).map(Some)
        } else {
            discard(programs, interface, old).map(|()| None)
        }
    };
    let ingress = take(false, hooks.ingress())?;
    match take(true, hooks.egress()) {
        Ok(egress) => Ok(Attachment {
            interface: interface.clone(),
            ingress,
            egress,
        }),
        Err(error) => {
            if let Some(hook) = ingress {
                hook.undo();
            }
            Err(error)
        }
    }
}

/// Takes a hook by the first way of the plan that works, or takes over the one
/// that is pinned (`old`) if it is held in one of these.
///
/// # Errors
///
/// [`AttachError`] with every way that was tried.
pub fn take(
    programs: &mut Programs,
    interface: &Interface,
    egress: bool,
    plan: Plan,
    old: Option<HookName>,
) -> Result<Hook, AttachError> {
    let ways = plan.ways(interface, egress);
    let mut refused = Vec::new();
    if let Some(old) = old
        && ways.contains(&old.via)
    {
        match adopt(programs, interface, old) {
            Ok(hook) => return Ok(hook),
            Err(NotTaken::Program(why)) => {
                refused.push(Refusal { via: old.via, why });
                return Err(failed(interface, egress, refused));
            }
            // Its link is gone; it is made anew.
            Err(NotTaken::Hook(_)) => {}
        }
    }
    discard(programs, interface, old)?;
    for via in ways {
        let name = HookName {
            index: interface.index,
            egress,
            via,
        };
        match make(programs, interface, name) {
            Ok(mut hook) => {
                hook.refused = refused;
                return Ok(hook);
            }
            Err(NotTaken::Hook(why)) => refused.push(Refusal { via, why }),
            Err(NotTaken::Program(why)) => {
                refused.push(Refusal { via, why });
                return Err(failed(interface, egress, refused));
            }
        }
    }
    Err(failed(interface, egress, refused))
}

fn failed(interface: &Interface, egress: bool, tried: Vec<Refusal>) -> AttachError {
    AttachError {
        interface: interface.name.clone(),
        direction: if egress { "egress" } else { "ingress" },
        tried,
    }
}

/// Frees a pinned hook that is not wanted, if there is one.
fn discard(
    programs: &Programs,
    interface: &Interface,
    old: Option<HookName>,
) -> Result<(), AttachError> {
    let (Some(old), Some(pins)) = (old, programs.pins()) else {
        return Ok(());
    };
    if old.via == Via::Clsact {
        clsact::remove(&interface.name, old);
    }
    unpin(&pins.hook(old)).map_err(|error| {
        let (via, why) = (old.via, chain(&error));
        failed(interface, old.egress, vec![Refusal { via, why }])
    })
}
