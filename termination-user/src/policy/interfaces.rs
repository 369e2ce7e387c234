//! Where a policy attaches.

use toml::Spanned;

use super::file::{self, Refusal};
use crate::control::Hooks;

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
}

impl Interfaces {
    /// Takes the file's table over.
    pub(super) fn build(file: file::Interfaces) -> Result<Self, Refusal> {
        let file::Interfaces {
            include,
            exclude,
            hooks,
        } = file;
        let named = |key: &str, list: Vec<Spanned<String>>| {
            list.into_iter()
                .map(|name| {
                    let empty = name.get_ref().trim().is_empty();
                    let at = name.span().start;
                    if empty {
                        let message = "an interface has a name, or is matched by a pattern";
                        return Err((at, key.to_owned(), message.to_owned()));
                    }
                    Ok(name.into_inner())
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let hooks = match hooks {
            None => None,
            Some(word) => match word.get_ref().as_str() {
                "auto" => None,
                "ingress" => Some(Hooks::Ingress),
                "egress" => Some(Hooks::Egress),
                "both" => Some(Hooks::Both),
                other => {
                    let message =
                        format!("{other:?} is none of \"auto\", \"ingress\", \"egress\", \"both\"");
                    return Err((word.span().start, "interfaces.hooks".to_owned(), message));
                }
            },
        };
        Ok(Self {
            include: named("interfaces.include", include)?,
            exclude: named("interfaces.exclude", exclude)?,
            hooks,
        })
    }

    /// The word for the hooks.
    pub const fn hooks_name(&self) -> &'static str {
        match self.hooks {
            None => "auto",
            Some(Hooks::Ingress) => "ingress",
            Some(Hooks::Egress) => "egress",
            Some(Hooks::Both) => "both",
        }
    }
}
