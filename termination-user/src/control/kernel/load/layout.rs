//! Are the maps that are pinned those that this program would make?

use aya::maps::{MapData, MapType};
use termination_common::{
    counters::Counters,
    policy::Settings,
    slot::{Cold, Hot},
    table::{LINE, LOCKS},
    traffic::{self, PrefixKey},
};

use super::{super::programs::PREFIXES, LoadError, Sizes, map_refused};
use crate::control::persistence::pins::Pins;

/// Type, key and value size, entries.
type Shape = (MapType, u32, u32, u32);

/// The maps that this program would make. (META looks after itself.)
fn expected(sizes: Sizes) -> Vec<(&'static str, Shape)> {
    const KEY: u32 = size_of::<u32>() as u32;
    /// The length comes before the rest.
    const PREFIX: u32 = KEY + size_of::<PrefixKey>() as u32;
    let array = |value: usize, entries| (MapType::Array, KEY, value as u32, entries);
    let counters = size_of::<Counters>() as u32;
    let mut maps = vec![
        (
            "FINGERPRINTS",
            array(size_of::<[u64; LINE as usize]>(), sizes.lines),
        ),
        ("HOT", array(size_of::<Hot>(), sizes.slots())),
        ("COLD", array(size_of::<Cold>(), sizes.slots())),
        ("LOCKED", array(size_of::<u64>(), LOCKS)),
        ("SETTINGS", array(size_of::<Settings>(), 1)),
        ("COUNTERS", (MapType::PerCpuArray, KEY, counters, 1)),
        ("PREFIXES", (MapType::LpmTrie, PREFIX, KEY, PREFIXES)),
        ("PORTS", array(size_of::<u64>(), traffic::PORTS)),
        ("EVENTS", (MapType::RingBuf, 0, 0, sizes.ring)),
    ];
    if sizes.level.is_closing() {
        maps.push(("ATTENTION", array(size_of::<u64>(), sizes.attention())));
    }
    maps
}

/// Compares the maps that are pinned with those: aya takes them as they are.
///
/// # Errors
///
/// [`PinError::Layout`](crate::control::persistence::pins::PinError::Layout) names the first that differs.
pub(super) fn check(pins: &Pins, sizes: Sizes) -> Result<(), LoadError> {
    for (name, shape) in expected(sizes) {
        let map = MapData::from_fd(pins.open_map(name)?).map_err(map_refused)?;
        let info = map.info().map_err(map_refused)?;
        let found = (
            info.map_type().map_err(map_refused)?,
            info.key_size(),
            info.value_size(),
            info.max_entries(),
        );
        if found != shape {
            let words = |(kind, key, value, entries): Shape| {
                format!("{entries} entries of {key} + {value} bytes ({kind:?})")
            };
            let reason = format!("{name} has {}, not {}", words(found), words(shape));
            return Err(pins.other(reason).into());
        }
    }
    Ok(())
}
