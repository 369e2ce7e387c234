//! Which interfaces and hooks are asked for: by the command line, which comes
//! first, and by policy.

use anyhow::bail;

use super::interfaces::{self, Interface};
use crate::control::options::{Hooks, RunOptions};
use crate::policy::Interfaces;

/// What the command line says; empty where it says nothing.
#[derive(Clone, Debug)]
pub struct Named {
    /// Names, patterns, or `any`.
    pub interfaces: Vec<String>,
    /// Which directions.
    pub hooks: Option<Hooks>,
}

impl Named {
    /// Of `termination run`.
    pub fn new(options: &RunOptions) -> Self {
        Self {
            interfaces: options.interfaces.clone(),
            hooks: options.hooks,
        }
    }

    /// With what a policy says.
    ///
    /// # Errors
    ///
    /// Neither names an interface.
    pub fn with(&self, policy: &Interfaces) -> anyhow::Result<Wanted> {
        let mut policy = policy.clone();
        if let Some(hooks) = self.hooks {
            policy.hooks = Some(hooks);
            policy.rules.clear();
        }
        if !self.interfaces.is_empty() {
            policy.include.clone_from(&self.interfaces);
        }
        if policy.include.is_empty() {
            bail!(
                "no interface: name at least one with -i or in the policy, \
                 a pattern such as 'veth*', or any"
            );
        }
        Ok(Wanted(policy))
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(Interfaces);

impl Wanted {
    /// Names, patterns, or `any`.
    pub fn patterns(&self) -> &[String] {
        &self.0.include
    }

    /// Those of `all` that are asked for, each once, by their index.
    pub fn of(&self, all: &[Interface]) -> Vec<Interface> {
        let mut wanted = interfaces::matching(self.patterns(), all);
        wanted.retain(|interface| !interfaces::is_named(&self.0.exclude, &interface.name));
        wanted
    }

    /// It was asked for by its name.
    pub fn names(&self, interface: &Interface) -> bool {
        self.patterns().contains(&interface.name)
    }

    /// Which of its hooks.
    pub fn hooks(&self, interface: &Interface) -> Hooks {
        // A loopback receives what it sends: one hook sees both directions, two
        // would count every segment twice.
        let by_kind = if interface.loopback {
            Hooks::Ingress
        } else {
            Hooks::Both
        };
        self.0.hooks_of(&interface.name).unwrap_or(by_kind)
    }

    /// That nothing is left, in words.
    pub fn nothing_left(&self) -> String {
        format!(
            "no interface is left of {}: the policy excludes {}",
            self.patterns().join(", "),
            self.0.exclude.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::interfaces::HooksFor;

    fn interface(name: &str) -> Interface {
        Interface {
            index: 1,
            name: name.to_owned(),
            loopback: name == "lo",
            veth: false,
        }
    }

    #[test]
    fn the_command_line_comes_before_the_policy_and_that_before_the_kind() {
        use Hooks::{Both, Egress, Ingress};
        let mut named = Named {
            interfaces: Vec::new(),
            hooks: None,
        };
        let mut policy = Interfaces::default();
        assert!(named.with(&policy).is_err());
        policy.include = vec!["any".to_owned()];
        policy.rules = vec![HooksFor {
            names: vec!["eth?".to_owned()],
            hooks: Some(Egress),
        }];
        let hooks = |named: &Named, policy: &Interfaces| {
            let wanted = named.with(policy).unwrap();
            ["lo", "eth0", "br0"].map(|name| wanted.hooks(&interface(name)))
        };
        assert_eq!(hooks(&named, &policy), [Ingress, Egress, Both]);
        policy.hooks = Some(Both);
        assert_eq!(hooks(&named, &policy), [Both, Egress, Both]);
        named.hooks = Some(Ingress);
        assert_eq!(hooks(&named, &policy), [Ingress, Ingress, Ingress]);
        named.interfaces = vec!["br*".to_owned()];
        policy.exclude = vec!["br1".to_owned()];
        let all = ["br0", "br1", "eth0"].map(interface);
        let wanted = named.with(&policy).unwrap();
        assert_eq!(wanted.of(&all), [interface("br0")]);
        assert!(!wanted.names(&all[0]));
    }
}
