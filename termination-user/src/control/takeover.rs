//! What an earlier controller left: taken over, refused, or removed.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use termination_common::counters::Counters;

use super::{
    attached,
    load::{self, Loaded, Sizes},
    netns::{self, Netns},
    options::{RunOptions, Takeover},
    pins::{HookName, Pins},
    programs::Programs,
    ring::Ring,
    voice::Voice,
};

/// What was removed, whose controller had gone.
#[derive(Clone, Debug)]
pub struct Left {
    /// The counters at the end; `None` where they are of another version.
    pub counters: Option<Counters>,
    /// What could not be removed from here, and how to.
    pub filters: Option<String>,
}

/// Removes what an earlier `run --persist` left when nobody controls it;
/// `None` if there is nothing.
///
/// # Errors
///
/// In words for a person.
pub fn forget(pins: &Path, netns: Option<&str>) -> anyhow::Result<Option<Left>> {
    let Some(pins) = Pins::find(pins)? else {
        return Ok(None);
    };
    let netns = netns.map(Netns::open).transpose()?;
    // Another version's cannot be read, but removed.
    let counters = load::counters_of(&pins).ok().flatten();
    let hooks = pins.all_hooks()?;
    let left = attached::forget(&pins, netns.as_ref())?;
    pins.remove()?;
    let found = counters.is_some() || !hooks.is_empty();
    Ok(found.then_some(Left {
        counters,
        filters: left_filters(&left),
    }))
}

/// The pins, if they are asked for; without, what lies there is mentioned.
pub(super) fn claim_pins(
    options: &RunOptions,
    netns: Option<&Netns>,
    voice: Voice,
) -> anyhow::Result<Option<Arc<Pins>>> {
    if !options.persist {
        // Nobody else's business: an error here is none.
        if let Ok(Some(pins)) = Pins::find(&options.pins)
            && pins.all_hooks().is_ok_and(|hooks| !hooks.is_empty())
        {
            voice.warn(format_args!(
                "an earlier `run --persist` is still attached ({}): go on with it by \
                 --persist, or remove it with `termination detach`",
                options.pins.display()
            ));
        }
        return Ok(None);
    }
    let (pins, mounted) = Pins::claim(&options.pins)?;
    if mounted {
        voice.say("mounted a bpffs at /sys/fs/bpf");
    }
    if options.takeover == Takeover::Fresh {
        let left = attached::forget(&pins, netns)?;
        if let Some(left) = left_filters(&left) {
            voice.warn(left);
        }
    }
    Ok(Some(Arc::new(pins)))
}

/// The table and its programs: new, or taken over.
pub(super) fn open_table(
    options: &RunOptions,
    pins: Option<&Arc<Pins>>,
    netns: Option<&Netns>,
    voice: Voice,
) -> anyhow::Result<((Loaded, Programs, Ring), bool)> {
    let sizes = Sizes::new(options.connections, options.ring_bytes)?;
    let Some(pins) = pins else {
        return Ok((load::load(load::OBJECT, sizes, options.tunnels)?, false));
    };
    let here =
        netns::within(netns, netns::identity)?.context("cannot tell the network namespace")?;
    let Some(meta) = pins.table()? else {
        let table = load::load_pinned(load::OBJECT, sizes, options.tunnels, pins, here)?;
        return Ok((table, false));
    };
    let table = load::resume(load::OBJECT, options.tunnels, pins, here, meta)?;
    let (loaded, programs, _) = &table;
    voice.say(format_args!(
        "going on with the table in {}{}",
        pins.directory().display(),
        if programs.is_upgrade() {
            ", with other programs"
        } else {
            ""
        }
    ));
    if loaded.sizes.lines != sizes.lines {
        voice.warn(format_args!(
            "that table keeps its room for {} connections: --connections {} takes effect \
             with --takeover=fresh",
            loaded.sizes.slots(),
            options.connections
        ));
    }
    Ok((table, true))
}

/// What to say of filters that could not be removed from here.
fn left_filters(filters: &[HookName]) -> Option<String> {
    let first = filters.first()?;
    Some(format!(
        "{} filters are left in another network namespace; there, for each interface (the \
         first has index {}): tc filter del dev IFACE ingress pref 1, and egress",
        filters.len(),
        first.index
    ))
}
