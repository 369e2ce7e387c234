//! What is attached where: keeps to the interfaces that were asked for while
//! they come and go, and takes over what an earlier controller left.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, bail};

use super::{
    attach::{self, Attachment, Plan},
    bpf,
    hook::{Via, remove_filter},
    interfaces::{self, Interface},
    netns::{self, Netns},
    pins::{HookName, PinError, Pins, unpin},
    programs::Programs,
    voice::Voice,
};

/// Which interfaces were asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Names, patterns, or `any`.
    pub patterns: Vec<String>,
    /// The same of those that are left out all the same.
    pub without: Vec<String>,
}

impl Wanted {
    fn leave_out(&self, interfaces: &mut Vec<Interface>) {
        interfaces.retain(|interface| !interfaces::is_named(&self.without, &interface.name));
    }
}

/// Interfaces and their hooks. Dropping it leaves what is pinned attached, and
/// detaches all else.
pub struct Attached {
    programs: Programs,
    plan: Plan,
    wanted: Wanted,
    netns: Option<Arc<Netns>>,
    attachments: Vec<Attachment>,
    /// Indices that could not be attached to: said once.
    refused: BTreeSet<u32>,
    voice: Voice,
}

impl Attached {
    /// Nothing yet.
    pub const fn new(
        programs: Programs,
        plan: Plan,
        wanted: Wanted,
        netns: Option<Arc<Netns>>,
        voice: Voice,
    ) -> Self {
        Self {
            programs,
            plan,
            wanted,
            netns,
            attachments: Vec::new(),
            refused: BTreeSet::new(),
            voice,
        }
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
            super::load::settle_build(&pins, &mut self.programs)?;
        }
        Ok(())
    }

    fn start_here(&mut self, resumed: bool) -> anyhow::Result<()> {
        let all = interfaces::list().context("cannot list the interfaces")?;
        let mut wanted = match interfaces::select(&self.wanted.patterns, &all) {
            Ok(wanted) => wanted,
            Err(unknown) if resumed => {
                self.voice.warn(format_args!("{unknown}; waiting for it"));
                interfaces::matching(&self.wanted.patterns, &all)
            }
            Err(unknown) => return Err(unknown.into()),
        };
        self.wanted.leave_out(&mut wanted);
        if wanted.is_empty() && !resumed {
            bail!(
                "no interface is left of {}: the policy excludes {}",
                self.wanted.patterns.join(", "),
                self.wanted.without.join(", ")
            );
        }
        let pinned = match self.programs.pins() {
            Some(pins) if resumed => self.tidy(&Arc::clone(pins), &all, &wanted)?,
            _ => Vec::new(),
        };
        for interface in &wanted {
            match attach::attach(&mut self.programs, interface, self.plan, &pinned) {
                Ok(attachment) => {
                    self.voice.say(&attachment);
                    self.attachments.push(attachment);
                }
                Err(error) if self.is_named(interface) => {
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
        &self,
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
                self.voice.say(format_args!(
                    "interface {} is not asked for any more: detached",
                    hook.index
                ));
                let name = all.iter().find(|known| known.index == hook.index);
                if let (Via::Clsact, Some(interface)) = (hook.via, name) {
                    remove_filter(&interface.name, hook);
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

    /// It was asked for by its name.
    fn is_named(&self, interface: &Interface) -> bool {
        self.wanted.patterns.contains(&interface.name)
    }

    /// Interfaces have come or gone: attaches to those that are wanted and
    /// new, lets go of those that are gone. Returns whether anything changed.
    ///
    /// # Errors
    ///
    /// The kernel does not list its interfaces.
    pub fn follow(&mut self) -> anyhow::Result<bool> {
        let netns = self.netns.clone();
        netns::within(netns.as_deref(), || self.follow_here())?
    }

    fn follow_here(&mut self) -> anyhow::Result<bool> {
        let all = interfaces::list().context("cannot list the interfaces")?;
        let mut changed = false;
        let there = |attachment: &Attachment| {
            attachment.is_alive()
                && all
                    .iter()
                    .any(|known| known.index == attachment.interface.index)
        };
        let (kept, gone) = self.attachments.drain(..).partition(there);
        self.attachments = kept;
        for attachment in gone {
            changed = true;
            let name = attachment.interface.name.clone();
            self.voice.say(format_args!("{name} is gone"));
            if let Err(error) = attachment.detach() {
                self.voice.warn(error);
            }
        }
        self.refused
            .retain(|index| all.iter().any(|known| known.index == *index));
        let mut wanted = interfaces::matching(&self.wanted.patterns, &all);
        self.wanted.leave_out(&mut wanted);
        for interface in wanted {
            let known = |attachment: &Attachment| attachment.interface.index == interface.index;
            if self.attachments.iter().any(known) || self.refused.contains(&interface.index) {
                continue;
            }
            match attach::attach(&mut self.programs, &interface, self.plan, &[]) {
                Ok(attachment) => {
                    changed = true;
                    self.voice.say(&attachment);
                    self.attachments.push(attachment);
                }
                Err(error) => {
                    self.refused.insert(interface.index);
                    self.voice.warn(format_args!("left out: {error}"));
                }
            }
        }
        Ok(changed)
    }

    /// What is attached now.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
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
                    remove_filter(&known.name, hook);
                }
            }
            Ok(())
        })??;
    }
    pins.clear()?;
    Ok(filters)
}
