//! What has to be said of guards: a guard that is not off is no secret, nor where
//! it can judge nothing.

use super::attach::Attachment;
use crate::policy::Guards;

impl Guards {
    /// That there are some.
    pub fn words(self) -> Option<String> {
        let Self { blind, time_wait } = self;
        (!self.are_off()).then(|| {
            format!(
                "guards: blind {}, time_wait {}; `termination guards` tells what they did",
                blind.name(),
                time_wait.name()
            )
        })
    }

    /// Where they judge nothing, and why.
    pub fn blind_spots<'a>(
        self,
        attachments: impl IntoIterator<Item = &'a Attachment>,
    ) -> Vec<String> {
        if self.are_off() {
            return Vec::new();
        }
        let spot = |known: &Attachment| {
            let why = if known.interface.loopback {
                "both directions come in there"
            } else if known.ingress.is_none() || known.egress.is_none() {
                "it is observed in one direction only"
            } else {
                return None;
            };
            let name = &known.interface.name;
            Some(format!("guards judge nothing on {name}: {why}"))
        };
        attachments.into_iter().filter_map(spot).collect()
    }
}
