//! What is attached where: keeps to the interfaces that were asked for while
//! they come and go, and takes over what an earlier controller left.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, bail};

use super::{
    attach::{self, Attachment, Plan},
    clsact,
    hook::{Hook, Standing, Via},
    interfaces::{self, Interface},
    netns::{self, Netns},
    wanted::{Named, Wanted},
};
use crate::control::{
    kernel::{bpf, load, programs::Programs},
    persistence::pins::{HookName, PinError, Pins, unpin},
    process::voice::Voice,
};
use crate::policy::Interfaces;

mod change;

pub use change::Change;

/// Interfaces and their hooks. Dropping it leaves what is pinned attached, and
/// detaches all else.
pub struct Attached {
    programs: Programs,
    plan: Plan,
    named: Named,
    wanted: Wanted,
    netns: Option<Arc<Netns>>,
    attachments: Vec<Attachment>,
    /// Indices that could not be attached to: said once.
    refused: BTreeSet<u32>,
    /// Homes ([`home`]) of hooks that were let go on purpose, for good so far.
    left: BTreeSet<u32>,
    voice: Voice,
}

/// A hook as a connection's half remembers it
/// ([`termination_common::slot::Half::home`]).
const fn home(index: u32, egress: bool) -> u32 {
    index << 1 | egress as u32
}

/// Homes of its hooks.
fn homes(known: &Attachment) -> impl Iterator<Item = u32> + use<> {
    let index = known.interface.index;
    let hooks = [
        (known.ingress.is_some(), false),
        (known.egress.is_some(), true),
    ];
    let held = hooks.into_iter().filter(|&(held, _)| held);
    held.map(move |(_, egress)| home(index, egress))
}

impl Attached {
    /// Nothing yet. `named`: what the command line says.
    ///
    /// # Errors
    ///
    /// Neither that nor the policy names an interface.
    pub fn new(
        programs: Programs,
        plan: Plan,
        named: Named,
        policy: &Interfaces,
        netns: Option<Arc<Netns>>,
        voice: Voice,
    ) -> anyhow::Result<Self> {
        let wanted = named.with(policy)?;
        Ok(Self {
            programs,
            plan,
            named,
            wanted,
            netns,
            attachments: Vec::new(),
            refused: BTreeSet::new(),
            left: BTreeSet::new(),
            voice,
        })
    }

    /// The first round: interfaces that were named must work, of a pattern
    /// those that can. After a takeover an interface may be gone; it is waited
    /// for.
    ///
    /// # Errors
    ///
    /// Nothing is attached, or an interface that was named could not be. Then
    /// nothing is attached that was not before.
    pub fn start(&mut self, resumed: bool) -> anyhow::Result<()> {
        let netns = self.netns.clone();
        netns::within(netns.as_deref(), || self.start_here(resumed))??;
        if let Some(pins) = self.programs.pins().cloned() {
            load::settle_build(&pins, &mut self.programs)?;
        }
        Ok(())
    }

    fn start_here(&mut self, resumed: bool) -> anyhow::Result<()> {
        let all = interfaces::list().context("cannot list the interfaces")?;
        match interfaces::select(self.wanted.patterns(), &all) {
            Err(unknown) if resumed => {
                self.voice.warn(format_args!("{unknown}; waiting for it"));
            }
            unknown => drop(unknown?),
        }
        let wanted = self.wanted.of(&all);
        if wanted.is_empty() && !resumed {
            bail!(self.wanted.nothing_left());
        }
        let pinned = match self.programs.pins() {
            Some(pins) if resumed => self.tidy(&Arc::clone(pins), &all, &wanted)?,
            _ => Vec::new(),
        };
        for interface in &wanted {
            let hooks = self.wanted.hooks(interface);
            match attach::attach(&mut self.programs, interface, self.plan, hooks, &pinned) {
                Ok(attachment) => {
                    self.voice.say(&attachment);
                    self.attachments.push(attachment);
                }
                Err(error) if self.wanted.names(interface) => {
                    self.undo();
                    return Err(error.into());
                }
                Err(error) => {
                    self.refused.insert(interface.index);
                    self.voice.warn(format_args!("left out: {error}"));
                }
            }
        }
        if self.attachments.is_empty() && !resumed {
            bail!("nothing is attached: no interface could be");
        }
        Ok(())
    }

    /// The hooks that are pinned and of use: those of interfaces that are gone
    /// or not wanted any more are removed.
    fn tidy(
        &mut self,
        pins: &Pins,
        all: &[Interface],
        wanted: &[Interface],
    ) -> Result<Vec<HookName>, PinError> {
        let mut kept = Vec::new();
        for hook in pins.hooks()? {
            let path = pins.hook(hook);
            let lives = match hook.via {
                Via::Clsact => all.iter().any(|known| known.index == hook.index),
                _ => bpf::open(&path)
                    .and_then(bpf::index_of)
                    .is_ok_and(|index| index == hook.index),
            };
            if lives && wanted.iter().any(|known| known.index == hook.index) {
                kept.push(hook);
                continue;
            }
            if lives {
                self.left.insert(home(hook.index, hook.egress));
                self.voice.say(format_args!(
                    "interface {} is not asked for any more: detached",
                    hook.index
                ));
                let name = all.iter().find(|known| known.index == hook.index);
                if let (Via::Clsact, Some(interface)) = (hook.via, name) {
                    clsact::remove(&interface.name, hook);
                }
            } else {
                self.voice.say(format_args!(
                    "interface {} is gone, and its hook with it",
                    hook.index
                ));
            }
            unpin(&path)?;
        }
        Ok(kept)
    }

    /// Takes back what this start attached.
    fn undo(&mut self) {
        for attachment in self.attachments.drain(..) {
            let Attachment {
                interface: _,
                ingress,
                egress,
            } = attachment;
            for hook in [ingress, egress].into_iter().flatten() {
                hook.undo();
            }
        }
    }

    /// Interfaces have come or gone: lets go of those that are gone, and returns
    /// the homes that went with them.
    ///
    /// # Errors
    ///
    /// The kernel does not list its interfaces.
    pub fn lose(&mut self) -> anyhow::Result<Vec<u32>> {
        let netns = self.netns.clone();
        netns::within(netns.as_deref(), || self.lose_here())?
    }

    fn lose_here(&mut self) -> anyhow::Result<Vec<u32>> {
        let all = interfaces::list().context("cannot list the interfaces")?;
        let is_there = |index: u32| all.iter().any(|known| known.index == index);
        self.refused.retain(|&index| is_there(index));
        let mut gone = Vec::new();
        for mut attachment in std::mem::take(&mut self.attachments) {
            let (name, index) = (&attachment.interface.name, attachment.interface.index);
            match attachment.standing() {
                _ if !is_there(index) => self.voice.say(format_args!("{name} is gone")),
                Standing::Held => {
                    self.attachments.push(attachment);
                    continue;
                }
                Standing::Gone => self
                    .voice
                    .warn(format_args!("{name}: somebody has taken a hook away")),
                Standing::Displaced => {
                    // Taken back, it would be taken again: perhaps by another
                    // controller.
                    self.refused.insert(index);
                    self.voice.warn(format_args!(
                        "{name}: another program has replaced a filter of this one \
                         (clsact, {}); {name} is not observed any more, until it comes \
                         anew or at a reload",
                        clsact::place()
                    ));
                    for hook in [&mut attachment.ingress, &mut attachment.egress] {
                        hook.as_mut()
                            .into_iter()
                            .for_each(|hook| hook.yield_to(index));
                    }
                }
            }
            gone.extend(homes(&attachment));
            if let Err(error) = attachment.detach() {
                self.voice.warn(error);
            }
        }
        Ok(gone)
    }

    /// One of the hooks is a filter: rtnetlink tells when it goes.
    pub fn has_filters(&self) -> bool {
        self.attachments.iter().any(Attachment::has_filter)
    }

    /// All hooks are where they were, as far as they tell. Nobody else does: of a
    /// link that is detached there is no word.
    pub fn is_whole(&self) -> bool {
        self.attachments.iter().all(Attachment::is_alive)
    }

    /// Attaches to those that are wanted and new; returns their indices.
    ///
    /// # Errors
    ///
    /// The kernel does not list its interfaces.
    pub fn gain(&mut self) -> anyhow::Result<Vec<u32>> {
        let netns = self.netns.clone();
        netns::within(netns.as_deref(), || self.gain_here())?
    }

    fn gain_here(&mut self) -> anyhow::Result<Vec<u32>> {
        let all = interfaces::list().context("cannot list the interfaces")?;
        let mut new = Vec::new();
        for interface in self.wanted.of(&all) {
            let known = |attachment: &Attachment| attachment.interface.index == interface.index;
            if self.attachments.iter().any(known) || self.refused.contains(&interface.index) {
                continue;
            }
            let hooks = self.wanted.hooks(&interface);
            match attach::attach(&mut self.programs, &interface, self.plan, hooks, &[]) {
                Ok(attachment) => {
                    self.voice.say(&attachment);
                    new.push(attachment.interface.index);
                    self.attachments.push(attachment);
                }
                Err(error) => {
                    self.refused.insert(interface.index);
                    self.voice.warn(format_args!("left out: {error}"));
                }
            }
        }
        Ok(new)
    }

    /// What is attached now.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// Homes of the hooks that see something now.
    fn homes(&self) -> impl Iterator<Item = u32> {
        self.attachments.iter().flat_map(homes)
    }

    /// Homes of the hooks that were taken over and had never been let go.
    pub fn unbroken(&self) -> Vec<u32> {
        let unbroken = |known: &Attachment| {
            let index = known.interface.index;
            [(&known.ingress, false), (&known.egress, true)].map(|(hook, egress)| {
                let adopted = hook.as_ref().is_some_and(Hook::is_adopted);
                adopted.then(|| home(index, egress))
            })
        };
        let all = self.attachments.iter().flat_map(unbroken);
        all.flatten().collect()
    }

    /// Homes of hooks that were let go on purpose: nobody watches there any more.
    pub const fn left(&self) -> &BTreeSet<u32> {
        &self.left
    }

    /// Detaches everything, pinned or not.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered, or a pin not removed.
    pub fn detach(&mut self) -> anyhow::Result<()> {
        let attachments = std::mem::take(&mut self.attachments);
        netns::within(self.netns.as_deref(), move || {
            let detached = attachments.into_iter().map(Attachment::detach);
            detached.fold(Ok(()), Result::and)
        })??;
        Ok(())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A filter has to be removed where its interface is.
        let attachments = std::mem::take(&mut self.attachments);
        let _ = netns::within(self.netns.as_deref(), move || drop(attachments));
    }
}

/// Removes everything that is pinned, filters included, of whatever version.
/// Returns the filters that were left because they are in another network
/// namespace.
///
/// # Errors
///
/// What the kernel answered.
pub fn forget(pins: &Pins, netns: Option<&Netns>) -> anyhow::Result<Vec<HookName>> {
    let mut filters = pins.all_hooks()?;
    filters.retain(|hook| hook.via == Via::Clsact);
    if !filters.is_empty() {
        let owner = pins.namespace();
        netns::within(netns, || {
            // Another namespace's index is another interface here.
            if owner.is_some_and(|owner| netns::identity().ok() != Some(owner)) {
                return anyhow::Ok(());
            }
            let all = interfaces::list().context("cannot list the interfaces")?;
            for hook in filters.drain(..) {
                if let Some(known) = all.iter().find(|known| known.index == hook.index) {
                    clsact::remove(&known.name, hook);
                }
            }
            Ok(())
        })??;
    }
    pins.clear()?;
    Ok(filters)
}
