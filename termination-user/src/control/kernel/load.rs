//! The table in the kernel: made anew, pinned or not, or taken over.

use std::{
    cell::RefCell,
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
};

use aya::{
    maps::{Array, Map, MapData, MapError, PerCpuArray},
    util::KernelVersion,
};
use termination_common::{
    counters::Counters,
    policy::{Level, Settings},
    traffic::{bank, rule},
};

mod error;
mod identity;
mod layout;
mod room;

pub use error::{LoadError, explain, explain_program};
pub use identity::{Identity, Sizes};
pub use room::{Account, Part, Room, fit, is_memory, is_refused, probe};

use super::{
    bpf,
    filter::Filter,
    plain::Raw,
    programs::{Programs, Recipe},
    table::Table,
};
use crate::control::{
    persistence::{
        meta::{Meta, Word},
        pins::{PinError, Pins},
    },
    records::ring::Ring,
};
use crate::policy::Traffic;

/// The kernel programs.
pub const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/termination"));

/// The same, but taking time from the frame's metadata: for tests that drive
/// the programs by BPF_PROG_TEST_RUN.
pub const TEST_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/termination-test"));

/// The same with what they are compared with: for measurements
/// (`termination-ebpf/src/bench.rs`).
pub const BENCH_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/termination-bench"));

/// Name of the program that acts on slots for user space.
const SWEEP: &str = "sweep";

/// Oldest kernel whose BPF has what the programs use: bpf_loop (5.17, commit
/// e6f2dd0f8067).
const OLDEST: KernelVersion = KernelVersion::new(5, 17, 0);

/// The table in the kernel, and what acts on it. It lives as long as this,
/// what was attached to it, and its pins.
pub struct Loaded {
    /// The slots.
    pub table: Table,
    counters: PerCpuArray<MapData, Raw<Counters>>,
    // Written now and then, by a controller that has one thread.
    settings: RefCell<Array<MapData, Raw<Settings>>>,
    // Kept where nobody asks it too: programs that are loaded later refer to
    // its maps by their descriptors.
    filter: RefCell<Filter>,
    /// Key of the hash.
    pub seed: [u64; 2],
    sweep: OwnedFd,
    /// Half of the table's id, new with each table.
    pub epoch: u16,
    /// How large the maps are.
    pub sizes: Sizes,
    /// What was asked for, and what was refused.
    pub account: Account,
    // Programs that are loaded later refer to them by their descriptors.
    _arrays: Vec<Map>,
}

/// Loads an object ([`OBJECT`]) and its `sweep` program; the other programs are
/// loaded when they are attached. Nothing is pinned: all goes with this
/// process. `tunnels`: the innermost packet counts.
///
/// # Errors
///
/// [`LoadError`], in words that say what to do.
pub fn load(
    object: &'static [u8],
    sizes: Sizes,
    tunnels: bool,
) -> Result<(Loaded, Programs, Ring), LoadError> {
    load_room(object, Room::whole(sizes), tunnels)
}

/// The same, of a size that was perhaps not asked for.
///
/// # Errors
///
/// [`LoadError`].
pub fn load_room(
    object: &'static [u8],
    room: Room,
    tunnels: bool,
) -> Result<(Loaded, Programs, Ring), LoadError> {
    require_kernel()?;
    let identity = Identity::new(room.given, tunnels)?;
    let mut programs = Programs::new(Recipe { object, identity }, None)?;
    let sweep = programs.get(SWEEP)?;
    let map = |name| {
        let map = programs
            .object_mut()
            .and_then(|object| object.take_map(name));
        map.ok_or(LoadError::Missing(name))
    };
    let (loaded, ring) = open(identity, sweep, Account::new(room), None, map)?;
    Ok((loaded, programs, ring))
}

/// The same, pinned: this process may end, and the next one goes on.
///
/// # Errors
///
/// [`LoadError`], in words that say what to do.
pub fn load_pinned(
    object: &'static [u8],
    room: Room,
    tunnels: bool,
    pins: &Arc<Pins>,
    netns: [u64; 2],
) -> Result<(Loaded, Programs, Ring), LoadError> {
    require_kernel()?;
    let identity = Identity::new(room.given, tunnels)?;
    let recipe = Recipe { object, identity };
    let (meta, map) = Meta::create().map_err(io("make a map"))?;
    identity.write(&meta);
    room.write(&meta);
    meta.set(Word::Pid, std::process::id().into());
    meta.set(Word::Build, recipe.build());
    meta.set(Word::NetnsDevice, netns[0]);
    meta.set(Word::NetnsInode, netns[1]);
    pins.prepare()?;
    let made = (|| {
        let mut programs = Programs::new(recipe, Some(Arc::clone(pins)))?;
        let sweep = programs.get(SWEEP)?;
        let account = Account::pinned(Meta::open(&map).map_err(io("map a map"))?, room.given);
        let maps = |name| pinned(pins, name);
        let (loaded, ring) = open(identity, sweep, account, Some(meta), maps)?;
        // Last: from here on it is a table.
        bpf::pin(&map, &pins.map("META")).map_err(io("pin a map"))?;
        Ok((loaded, programs, ring))
    })();
    if made.is_err() {
        // What failed half-way leaves nothing behind; that error is the one to
        // tell.
        let _ = pins.clear();
    }
    made
}

/// Goes on with the table that is pinned.
///
/// # Errors
///
/// [`PinError::Layout`] when it is another version's, [`PinError::Elsewhere`]
/// when it is another namespace's, [`LoadError::OtherLevel`] when it is not of
/// `level`.
pub fn resume(
    object: &'static [u8],
    level: Level,
    tunnels: bool,
    pins: &Arc<Pins>,
    netns: [u64; 2],
    meta: Meta,
) -> Result<(Loaded, Programs, Ring), LoadError> {
    require_kernel()?;
    let identity = Identity::read(&meta, tunnels)
        .ok_or_else(|| pins.other("META makes no sense".to_owned()))?;
    layout::check(pins, identity.sizes)?;
    if level != identity.sizes.level {
        return Err(LoadError::OtherLevel {
            directory: pins.directory().to_path_buf(),
            found: identity.sizes.level,
            wanted: level,
        });
    }
    if netns != [Word::NetnsDevice, Word::NetnsInode].map(|word| meta.get(word)) {
        return Err(PinError::Elsewhere(pins.directory().to_path_buf()).into());
    }
    let recipe = Recipe { object, identity };
    let same = meta.get(Word::Build) == recipe.build();
    let mut programs = Programs::resume(recipe, Arc::clone(pins), same);
    if !same {
        // One that the kernel refuses changes nothing.
        programs.verify(&pins.programs()?)?;
        // Killed from here on, the next one replaces them all again.
        meta.set(Word::Build, 0);
    }
    let sweep = programs.get(SWEEP)?;
    meta.set(Word::Pid, std::process::id().into());
    let account = Account::pinned(pinned_meta(pins)?, identity.sizes);
    let maps = |name| pinned(pins, name);
    let (loaded, ring) = open(identity, sweep, account, Some(meta), maps)?;
    Ok((loaded, programs, ring))
}

/// All hooks run the programs of this build now.
///
/// # Errors
///
/// What the kernel answered.
pub fn settle_build(pins: &Pins, programs: &mut Programs) -> Result<(), LoadError> {
    programs.upgraded()?;
    if let Some(meta) = pins.table()? {
        meta.set(Word::Build, programs.build());
    }
    Ok(())
}

/// The counters of a table that nobody controls, and its room.
///
/// # Errors
///
/// [`PinError::Layout`] when it is another version's.
pub fn counters_of(pins: &Pins) -> Result<Option<(Counters, Room)>, LoadError> {
    let Some(meta) = pins.table()? else {
        return Ok(None);
    };
    let identity =
        Identity::read(&meta, false).ok_or_else(|| pins.other("META makes no sense".to_owned()))?;
    layout::check(pins, identity.sizes)?;
    let counters: PerCpuArray<MapData, Raw<Counters>> =
        pinned(pins, "COUNTERS")?.try_into().map_err(map_refused)?;
    let counters = sum(&counters).map_err(map_refused)?;
    Ok(Some((counters, room::of(pins, identity.sizes)?)))
}

/// What the table says of itself, mapped once more.
fn pinned_meta(pins: &Pins) -> Result<Meta, LoadError> {
    Meta::open(pins.open_map("META")?).map_err(io("map a map"))
}

/// A pinned map.
fn pinned(pins: &Pins, name: &'static str) -> Result<Map, LoadError> {
    let map = MapData::from_fd(pins.open_map(name)?).map_err(map_refused)?;
    Map::from_map_data(map).map_err(map_refused)
}

/// Opens what the controller needs.
fn open(
    identity: Identity,
    sweep: OwnedFd,
    account: Account,
    meta: Option<Meta>,
    mut map: impl FnMut(&'static str) -> Result<Map, LoadError>,
) -> Result<(Loaded, Ring), LoadError> {
    let Identity { sizes, epoch, .. } = identity;
    let mut arrays = Vec::new();
    for name in ["FINGERPRINTS", "HOT", "COLD"] {
        arrays.push(map(name)?);
    }
    let [Map::Array(fingerprints), Map::Array(hot), Map::Array(cold)] = &arrays[..] else {
        return Err(LoadError::Missing("array of the table"));
    };
    let table = Table::map(fingerprints.fd(), hot.fd(), cold.fd(), sizes.lines)
        .map_err(io("map the table"))?;
    let counters = map("COUNTERS")?.try_into().map_err(map_refused)?;
    let settings = map("SETTINGS")?.try_into().map_err(map_refused)?;
    let Map::RingBuf(events) = map("EVENTS")? else {
        return Err(LoadError::Missing("EVENTS"));
    };
    let ring = Ring::new(events, sizes.ring, meta).map_err(io("map the ring buffer"))?;
    let settings = RefCell::new(settings);
    let prefixes = map("PREFIXES")?.try_into().map_err(map_refused)?;
    let ports = map("PORTS")?.try_into().map_err(map_refused)?;
    let filter = RefCell::new(Filter { prefixes, ports });
    Ok((
        Loaded {
            table,
            counters,
            settings,
            sweep,
            filter,
            seed: identity.seed,
            epoch,
            sizes,
            account,
            _arrays: arrays,
        },
        ring,
    ))
}

fn require_kernel() -> Result<(), LoadError> {
    if KernelVersion::current().is_ok_and(|version| version < OLDEST) {
        return Err(LoadError::KernelTooOld);
    }
    Ok(())
}

fn io(action: &'static str) -> impl FnOnce(io::Error) -> LoadError {
    move |source| LoadError::Io { action, source }
}

impl Loaded {
    /// The program that acts on slots.
    pub fn sweep(&self) -> BorrowedFd<'_> {
        self.sweep.as_fd()
    }

    /// The counters, summed over all CPUs.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn counters(&self) -> Result<Counters, MapError> {
        sum(&self.counters)
    }

    /// Puts policy into effect for the next segment, with its rules for
    /// traffic.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered; then the old policy stays, whole.
    pub fn enforce(&self, mut settings: Settings, traffic: &Traffic) -> Result<(), MapError> {
        // The map knows which bank holds, also from a controller before us.
        let mut bank = bank(self.settings.borrow().get(&0, 0)?.0.flags);
        let mut filter = self.filter.borrow_mut();
        if !traffic.is_all() && !filter.holds(traffic, bank)? {
            bank ^= 1;
            filter.write(traffic, bank)?;
        }
        settings.flags |= traffic.flags() | (bank * rule::BANK);
        settings.sample = traffic.sample;
        self.set(settings)
    }

    /// The rules for traffic that are in force, by the kernel's own word.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn traffic(&self) -> Result<Traffic, MapError> {
        let settings = self.settings.borrow().get(&0, 0)?.0;
        self.filter.borrow().read(&settings, bank(settings.flags))
    }

    /// Puts settings into effect for the next segment.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn set(&self, settings: Settings) -> Result<(), MapError> {
        self.settings.borrow_mut().set(0, Raw(settings), 0)
    }
}

fn sum(counters: &PerCpuArray<MapData, Raw<Counters>>) -> Result<Counters, MapError> {
    let mut sum = Counters::default();
    for cpu in counters.get(&0, 0)?.iter() {
        sum.add(&cpu.0);
    }
    Ok(sum)
}

fn map_refused(error: MapError) -> LoadError {
    LoadError::Refused(format!(
        "{error}: the object was built from another version"
    ))
}
