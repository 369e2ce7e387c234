//! What an earlier controller left: taken over, refused, or removed.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use termination_common::{counters::Counters, policy::Level};

use super::pins::{HookName, Pins};
use crate::control::{
    hooks::{
        attached,
        netns::{self, Netns},
    },
    kernel::{
        load::{self, LoadError, Loaded, Room, Sizes},
        programs::Programs,
    },
    options::{RunOptions, Takeover},
    process::voice::Voice,
    records::ring::Ring,
};
use crate::policy::Policy;

/// What was removed, whose controller had gone.
#[derive(Clone, Debug)]
pub struct Left {
    /// The counters at the end, and the room there was; `None` where they are of
    /// another version.
    pub counters: Option<(Counters, Room)>,
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
pub(in crate::control) fn claim_pins(
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

/// The table and its programs: new, or taken over; with the policy in effect,
/// which `enforce` sees to.
///
/// Of a table that is taken over the rules for traffic stay as they are where
/// there is no memory for those of the policy; then it says so, and so does the
/// policy.
pub(in crate::control) fn open_table(
    options: &RunOptions,
    level: Level,
    pins: Option<&Arc<Pins>>,
    netns: Option<&Netns>,
    voice: Voice,
    policy: &mut Policy,
    enforce: impl Fn(&Loaded, &Policy) -> Result<(), LoadError>,
) -> anyhow::Result<((Loaded, Programs, Ring), bool)> {
    let sizes = Sizes::new(options.connections, options.ring_bytes)?.at(level);
    let here =
        netns::within(netns, netns::identity)?.context("cannot tell the network namespace")?;
    let meta = pins.map(|pins| pins.table()).transpose()?.flatten();
    let (Some(pins), Some(meta)) = (pins, meta) else {
        let table = load::fit(sizes, load::probe, |room| {
            let table = match pins {
                Some(pins) => load::load_pinned(load::OBJECT, room, options.tunnels, pins, here),
                None => load::load_room(load::OBJECT, room, options.tunnels),
            }?;
            match enforce(&table.0, policy) {
                Ok(()) => Ok(table),
                Err(error) => {
                    if let Some(pins) = pins {
                        pins.clear()?;
                    }
                    Err(error)
                }
            }
        })?;
        return Ok((table, false));
    };
    let table = load::resume(load::OBJECT, level, options.tunnels, pins, here, meta)?;
    let (loaded, programs, _) = &table;
    match enforce(loaded, policy) {
        Err(error) if load::is_refused(&error) => {
            loaded.account.refuse();
            keep_rules(loaded, policy, voice)?;
            enforce(loaded, policy)
        }
        enforced => enforced,
    }
    .context("the policy of the last controller stays in effect")?;
    voice.say(format_args!(
        "going on with the table in {}{}",
        pins.directory().display(),
        if programs.is_upgrade() {
            ", with other programs"
        } else {
            ""
        }
    ));
    let asked = loaded.account.room().asked;
    if asked.lines != sizes.lines {
        voice.warn(format_args!(
            "that table keeps its room for {} connections: --connections {} takes effect \
             with --takeover=fresh",
            loaded.sizes.slots(),
            options.connections
        ));
    }
    if asked.ring != sizes.ring {
        voice.warn(format_args!(
            "that ring keeps its {} bytes: --ring-bytes {} takes effect with --takeover=fresh",
            loaded.sizes.ring, options.ring_bytes
        ));
    }
    Ok((table, true))
}

/// There is no memory for the rules of a policy: those that are in force stay. They
/// have theirs, and to track the connections of yesterday is better than to leave
/// all endings unread until somebody mends the policy.
fn keep_rules(loaded: &Loaded, policy: &mut Policy, voice: Voice) -> anyhow::Result<()> {
    let in_force = loaded.traffic().map_err(LoadError::Policy)?;
    let prefixes = policy.traffic.prefixes(0).count();
    policy.traffic = in_force;
    voice.warn(format_args!(
        "the kernel refused the memory of the policy's {prefixes} prefixes: [traffic] stays \
         as the last controller had it, all else of the policy is in effect. Free memory on \
         the host, raise the limit of the unit or container, or name fewer; then \
         `termination reload`",
    ));
    Ok(())
}

/// The room there is; if it is less than was asked for, what that means and what
/// to do.
pub(in crate::control) fn say_room(room: &Room, resumed: bool, voice: Voice) {
    let Room { asked, given, .. } = room;
    voice.say(format_args!(
        "room for {} connections: {:.1} MiB of kernel memory",
        given.slots(),
        given.mebibytes(),
    ));
    let fresh = if resumed {
        ", and start with --takeover=fresh"
    } else {
        ""
    };
    if given.lines < asked.lines {
        voice.warn(format_args!(
            "that is less than the {} asked for ({:.1} MiB): the kernel refused the memory. \
             New connections that find no room are counted (table_full), not tracked. Free \
             memory on the host, raise the limit of the unit or container, or ask for fewer \
             with --connections{fresh}",
            asked.slots(),
            asked.mebibytes(),
        ));
    }
    if given.ring < asked.ring {
        voice.warn(format_args!(
            "the ring for records has {} bytes, not the {} asked for: the kernel refused the \
             memory. Endings that find no room there wait in the table (ring_full), events \
             are counted (event_lost). Free memory on the host, raise the limit of the unit \
             or container, or ask for less with --ring-bytes{fresh}",
            given.ring, asked.ring,
        ));
    }
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
