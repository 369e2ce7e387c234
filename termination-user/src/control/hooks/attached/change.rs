//! Other interfaces and hooks than before, while running: first what is new is
//! taken ([`Attached::prepare`]), last what is not wanted any more is let go
//! ([`Attached::commit`]); what stays is not touched. In between, all can be
//! taken back ([`Attached::abandon`]).

use anyhow::{Context as _, bail};

use super::{Attached, home};
use crate::{
    control::hooks::{
        attach::{self, AttachError, Attachment},
        hook::Hook,
        interfaces::{self, Interface},
        netns,
        wanted::Wanted,
    },
    policy::Interfaces,
};

/// What was taken, and belongs to nothing yet. To be committed or abandoned.
pub struct Change {
    wanted: Wanted,
    /// By their interface's index.
    hooks: Vec<(u32, bool, Hook)>,
    attachments: Vec<Attachment>,
    refused: Vec<(u32, AttachError)>,
}

impl Attached {
    /// Takes the hooks that a policy wants beside those that are there.
    ///
    /// # Errors
    ///
    /// An interface that is new by its name is not there or refuses, or none is
    /// left; then nothing has changed.
    pub fn prepare(&mut self, policy: &Interfaces) -> anyhow::Result<Change> {
        let wanted = self.named.with(policy)?;
        let netns = self.netns.clone();
        netns::within(netns.as_deref(), || self.prepare_here(wanted))?
    }

    fn prepare_here(&mut self, wanted: Wanted) -> anyhow::Result<Change> {
        let all = interfaces::list().context("cannot list the interfaces")?;
        // One that is waited for may be gone just now, or refuse as before.
        let strict = wanted != self.wanted;
        let mut new = wanted.patterns().to_vec();
        new.retain(|pattern| !self.wanted.patterns().contains(pattern));
        interfaces::select(&new, &all)?;
        let chosen = wanted.of(&all);
        if chosen.is_empty() && strict {
            bail!(wanted.nothing_left());
        }
        let mut change = Change {
            wanted,
            hooks: Vec::new(),
            attachments: Vec::new(),
            refused: Vec::new(),
        };
        for interface in chosen {
            if let Err(error) = self.take_new(&interface, &mut change) {
                if strict && change.wanted.names(&interface) {
                    change.undo();
                    return Err(error.into());
                }
                change.refused.push((interface.index, error));
            }
        }
        Ok(change)
    }

    /// Takes what an interface lacks.
    fn take_new(&mut self, interface: &Interface, change: &mut Change) -> Result<(), AttachError> {
        let hooks = change.wanted.hooks(interface);
        let index = interface.index;
        let known = |attachment: &&mut Attachment| attachment.interface.index == index;
        let Some(known) = self.attachments.iter_mut().find(known) else {
            let (programs, plan) = (&mut self.programs, self.plan);
            let new = attach::attach(programs, interface, plan, hooks, &[])?;
            change.attachments.push(new);
            return Ok(());
        };
        for (egress, wanted) in [(false, hooks.ingress()), (true, hooks.egress())] {
            if wanted && known.hook(egress).is_none() {
                let hook = attach::take(&mut self.programs, interface, egress, self.plan, None)?;
                change.hooks.push((index, egress, hook));
            }
        }
        Ok(())
    }

    /// Makes a change the case; says what has changed, line by line.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered.
    pub fn commit(&mut self, change: Change) -> anyhow::Result<Vec<String>> {
        let netns = self.netns.clone();
        Ok(netns::within(netns.as_deref(), || {
            self.commit_here(change)
        })?)
    }

    fn commit_here(&mut self, change: Change) -> Vec<String> {
        let Change {
            wanted,
            hooks,
            attachments,
            refused,
        } = change;
        let mut said = Vec::new();
        let mut touched = Vec::new();
        for (index, egress, hook) in hooks {
            let known = |attachment: &&mut Attachment| attachment.interface.index == index;
            if let Some(known) = self.attachments.iter_mut().find(known) {
                *known.hook(egress) = Some(hook);
                touched.push(index);
            }
        }
        touched.extend(attachments.iter().map(|new| new.interface.index));
        self.attachments.extend(attachments);
        let refuses = |index: u32| refused.iter().any(|&(refused, _)| refused == index);
        for mut attachment in std::mem::take(&mut self.attachments) {
            let interface = attachment.interface.clone();
            let index = interface.index;
            if wanted.of(std::slice::from_ref(&interface)).is_empty() {
                for egress in [false, true] {
                    self.let_go(&mut attachment, egress);
                }
                said.push(format!("{}: detached", interface.name));
                continue;
            }
            let hooks = wanted.hooks(&interface);
            for (egress, kept) in [(false, hooks.ingress()), (true, hooks.egress())] {
                if !kept && !refuses(index) && self.let_go(&mut attachment, egress) {
                    touched.push(index);
                }
            }
            if touched.contains(&index) {
                said.push(attachment.to_string());
            }
            self.attachments.push(attachment);
        }
        self.attachments.sort_by_key(|known| known.interface.index);
        // What is seen again is not lost for good.
        let seen: Vec<_> = self.homes().collect();
        self.left.retain(|home| !seen.contains(home));
        self.wanted = wanted;
        self.refused = refused.iter().map(|&(index, _)| index).collect();
        said.extend(
            refused
                .iter()
                .map(|(_, error)| format!("left out: {error}")),
        );
        said
    }

    /// Frees a hook; whether there was one.
    fn let_go(&mut self, attachment: &mut Attachment, egress: bool) -> bool {
        let Some(hook) = attachment.hook(egress).take() else {
            return false;
        };
        self.left.insert(home(attachment.interface.index, egress));
        if let Err(error) = hook.detach() {
            self.voice.warn(error);
        }
        true
    }

    /// Takes a change back.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered.
    pub fn abandon(&mut self, change: Change) -> anyhow::Result<()> {
        let netns = self.netns.clone();
        Ok(netns::within(netns.as_deref(), || change.undo())?)
    }
}

impl Change {
    fn undo(self) {
        let Self {
            wanted: _,
            hooks,
            attachments,
            refused: _,
        } = self;
        let hooks = hooks.into_iter().map(|(_, _, hook)| hook);
        let whole = attachments
            .into_iter()
            .flat_map(|new| [new.ingress, new.egress].into_iter().flatten());
        hooks.chain(whole).for_each(Hook::undo);
    }
}
