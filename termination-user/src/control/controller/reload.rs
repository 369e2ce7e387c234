//! A policy file anew.

use std::rc::Rc;

use anyhow::{Context as _, bail};
use termination_common::{
    counters::Event,
    policy::{Settings, setting},
};

use super::{super::kernel::load::is_memory, Controller};
use crate::policy::Policy;

impl Controller {
    /// Puts the policy file into effect anew. On failure the old one stays.
    /// Says what has changed about interfaces.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, with line and key; an interface that it names
    /// refuses.
    pub fn reload(&self) -> anyhow::Result<String> {
        let Some(path) = &self.facts.policy else {
            bail!(
                "no policy file was given to `run`, so there is none to read again; \
                 start it with --policy FILE"
            );
        };
        let mut policy = Policy::read(path)?;
        policy
            .fits_running(self.facts.level, self.facts.level_asked)
            .with_context(|| format!("cannot put {} into effect", path.display()))?;
        policy.level = Some(self.facts.level);
        let changed = self
            .apply(policy)
            .with_context(|| format!("cannot put {} into effect", path.display()))?;
        let first = format!("policy {} is in effect", path.display());
        let said: Vec<_> = std::iter::once(first).chain(changed).collect();
        Ok(said.join("; "))
    }

    /// Puts a policy into effect, whole or not at all: first what can be taken
    /// back.
    fn apply(&self, policy: Policy) -> anyhow::Result<Vec<String>> {
        self.expect_gaps()?;
        let (before, guards) = (self.policy().guards, policy.guards);
        let mut attached = self.attached.borrow_mut();
        let change = attached.prepare(&policy.interfaces)?;
        if let Err(error) = self.enforce(policy) {
            attached.abandon(change)?;
            return Err(error);
        }
        let old = attached.left().clone();
        let mut said = attached.commit(change)?;
        let left = attached.left() - &old;
        if guards != before || !said.is_empty() {
            let off = || (guards != before).then(|| "guards: off".to_owned());
            said.extend(guards.words().or_else(off));
            said.extend(guards.blind_spots(attached.attachments()));
        }
        drop(attached);
        if !left.is_empty() {
            self.miss(|home| left.contains(&home))?;
        }
        Ok(said)
    }

    /// Puts into effect what a policy says of connections.
    fn enforce(&self, policy: Policy) -> anyhow::Result<()> {
        let old = self.policy();
        let counters = self.counters()?;
        let settings = settings(&policy, self.facts.rfc1337);
        if let Err(error) = self.loaded.enforce(settings, &policy.traffic) {
            if !is_memory(&error) {
                return Err(error.into());
            }
            self.loaded.account.refuse();
            return Err(anyhow::Error::new(error).context(format!(
                "the kernel refused the memory of its {} prefixes: free memory on the host, \
                 raise the limit of the unit or container, or name fewer",
                policy.traffic.prefixes(0).count()
            )));
        }
        if policy.traffic.sample != old.traffic.sample {
            self.scale
                .borrow_mut()
                .change(&counters, old.traffic.sample);
        }
        if policy.traffic != old.traffic {
            self.narrowed.set(true);
        }
        self.policy.replace(Rc::new(policy));
        Ok(())
    }
}

/// The settings of a policy on this host.
pub const fn settings(policy: &Policy, rfc1337: bool) -> Settings {
    let mut settings = policy.settings;
    settings.flags |= policy.guards.flags();
    if !policy.guards.are_off() {
        // Examples, whoever else wants them.
        settings.events |= 1 << Event::RstGuarded as u32;
    }
    if rfc1337 {
        settings.flags |= setting::RFC1337;
    }
    settings
}
