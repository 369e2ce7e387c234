//! Where a policy attaches.

use toml::Spanned;

use super::file::{self, Refusal};
use crate::control::{Hooks, hooks::interfaces::is_named};

/// Which interfaces, and which of their hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Names and patterns; empty: those of the command line, which otherwise
    /// come before these.
    pub include: Vec<String>,
    /// Names and patterns of those that are left out whoever names them.
    pub exclude: Vec<String>,
    /// Which directions, unless the command line says; `None` decides by kind
    /// of interface.
    pub hooks: Option<Hooks>,
    /// Interfaces that differ from that: the first that names one has it.
    pub rules: Vec<HooksFor>,
}

/// The hooks of some interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HooksFor {
    /// Names and patterns.
    pub names: Vec<String>,
    /// Which directions; `None` decides by kind of interface.
    pub hooks: Option<Hooks>,
}

impl Interfaces {
    /// Takes the file's table over.
    pub(super) fn build(file: file::Interfaces) -> Result<Self, Refusal> {
        let file::Interfaces {
            include,
            exclude,
            hooks,
            rules,
        } = file;
        let rules = rules.into_iter().map(|rule| {
            let at = rule.span().start;
            let file::HooksFor { names, hooks } = rule.into_inner();
            if names.is_empty() {
                let message = "it names no interface";
                return Err((at, "interfaces.for".to_owned(), message.to_owned()));
            }
            Ok(HooksFor {
                names: named("interfaces.for.names", names)?,
                hooks: chosen("interfaces.for.hooks", &hooks)?,
            })
        });
        Ok(Self {
            include: named("interfaces.include", include)?,
            exclude: named("interfaces.exclude", exclude)?,
            hooks: match hooks {
                None => None,
                Some(word) => chosen("interfaces.hooks", &word)?,
            },
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    /// The hooks of an interface; `None` decides by its kind.
    pub fn hooks_of(&self, name: &str) -> Option<Hooks> {
        let rule = self.rules.iter().find(|rule| is_named(&rule.names, name));
        rule.map_or(self.hooks, |rule| rule.hooks)
    }
}

/// The word for hooks.
pub const fn word(hooks: Option<Hooks>) -> &'static str {
    match hooks {
        None => "auto",
        Some(Hooks::Ingress) => "ingress",
        Some(Hooks::Egress) => "egress",
        Some(Hooks::Both) => "both",
    }
}

/// Names and patterns.
fn named(key: &str, list: Vec<Spanned<String>>) -> Result<Vec<String>, Refusal> {
    list.into_iter()
        .map(|name| {
            if name.get_ref().trim().is_empty() {
                let message = "an interface has a name, or is matched by a pattern";
                return Err((name.span().start, key.to_owned(), message.to_owned()));
            }
            Ok(name.into_inner())
        })
        .collect()
}

/// The hooks that a word means.
fn chosen(key: &str, word: &Spanned<String>) -> Result<Option<Hooks>, Refusal> {
    match word.get_ref().as_str() {
        "auto" => Ok(None),
        "ingress" => Ok(Some(Hooks::Ingress)),
        "egress" => Ok(Some(Hooks::Egress)),
        "both" => Ok(Some(Hooks::Both)),
        other => {
            let message =
                format!("{other:?} is none of \"auto\", \"ingress\", \"egress\", \"both\"");
            Err((word.span().start, key.to_owned(), message))
        }
    }
}
