//! Loading the object: sizes, globals, maps, and what a refusal means.

use std::{
    cell::RefCell,
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Array, Map, MapData, MapError, PerCpuArray, RingBuf},
    programs::{ProgramError, Xdp},
    util::KernelVersion,
};
use termination_common::{
    counters::Counters,
    policy::Settings,
    slot::{Cold, Hot},
    table::{LINE, LOCKS},
};

use termination_common::wire::tunnel::Follow;

use super::{plain::Raw, table::Table};

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

/// Why the programs are not in the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel lacks what the programs use.
    #[error("this kernel is too old: it takes 5.17 to run, and 6.1 is the oldest that is tested")]
    KernelTooOld,
    /// The table did not fit.
    #[error(
        "the kernel refused the memory of the table: {} connections take {} MiB; \
         ask for fewer with --connections, or for more with the memory limit of the unit or container",
        .slots, .bytes >> 20
    )]
    Memory {
        /// Slots that were asked for.
        slots: u32,
        /// Bytes they take.
        bytes: u64,
    },
    /// More than the layout can number.
    #[error("--connections {0} is too many: at most {max} fit", max = Sizes::MOST)]
    TooMany(u32),
    /// Privileges that look right are not enough.
    #[error(
        "the kernel does not let this process use BPF though it has the capabilities: \
         in a container it needs those of the host; \
         kernel lockdown also forbids it (/sys/kernel/security/lockdown)"
    )]
    Forbidden,
    /// The object has not the map or program.
    #[error(
        "the BPF object has no {0}: the program was built from another version; build it again"
    )]
    Missing(&'static str),
    /// Another system call failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The verifier, the loader or a map said no.
    #[error("cannot load the BPF programs: {0}")]
    Refused(String),
}

/// How large the maps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Lines of [`LINE`] slots, a power of two.
    pub lines: u32,
    /// Bytes of the ring buffer: a power of two and whole pages.
    pub ring: u32,
}

impl Sizes {
    /// Most connections: the largest power of two whose arrays stay below
    /// 4 GiB each for the loader and slots below 2^24 for ids.
    pub const MOST: u32 = 1 << 24;

    /// Sizes for at least `connections` and `ring` bytes.
    ///
    /// # Errors
    ///
    /// [`LoadError::TooMany`].
    pub fn new(connections: u32, ring: u32) -> Result<Self, LoadError> {
        if connections > Self::MOST {
            return Err(LoadError::TooMany(connections));
        }
        // Two lines at least: every tuple has two candidates.
        let lines = connections.div_ceil(LINE).next_power_of_two().max(2);
        let ring = ring.clamp(1 << 16, 1 << 30).next_power_of_two();
        Ok(Self { lines, ring })
    }

    /// Number of slots.
    pub const fn slots(self) -> u32 {
        self.lines * LINE
    }

    /// Bytes the kernel sets aside: fingerprint, hot and cold part of each
    /// slot, the line locks, the ring.
    pub const fn bytes(self) -> u64 {
        let slot = size_of::<u64>() + size_of::<Hot>() + size_of::<Cold>();
        self.slots() as u64 * slot as u64
            + LOCKS as u64 * size_of::<u64>() as u64
            + self.ring as u64
    }
}

/// The programs and maps in the kernel. They live as long as this and what was
/// attached from it.
pub struct Loaded {
    /// The programs.
    pub ebpf: Ebpf,
    /// The slots.
    pub table: Table,
    counters: PerCpuArray<MapData, Raw<Counters>>,
    // Written now and then, by a controller that has one thread.
    settings: RefCell<Array<MapData, Raw<Settings>>>,
    /// Half of the table's id, new with each table.
    pub epoch: u16,
    /// How large the maps are.
    pub sizes: Sizes,
}

/// Loads an object ([`OBJECT`]) and its `sweep` program; the other programs are
/// loaded when they are attached. Returns the ring buffer apart: whoever pumps
/// it owns it. `tunnels`: the innermost packet counts.
///
/// # Errors
///
/// [`LoadError`], in words that say what to do.
pub fn load(
    object: &[u8],
    sizes: Sizes,
    tunnels: bool,
) -> Result<(Loaded, RingBuf<MapData>), LoadError> {
    if KernelVersion::current().is_ok_and(|version| version < OLDEST) {
        return Err(LoadError::KernelTooOld);
    }
    let [low, high, epoch] = random()?;
    let (mask, seed) = (sizes.lines - 1, [low, high]);
    let follow = u32::from(if tunnels { Follow::ALL.0 } else { 0 });
    let mut ebpf = EbpfLoader::new()
        .override_global("LINE_MASK", &mask, true)
        .override_global("SEED", &seed[..], true)
        .override_global("FOLLOW", &follow, true)
        .map_max_entries("FINGERPRINTS", sizes.lines)
        .map_max_entries("HOT", sizes.slots())
        .map_max_entries("COLD", sizes.slots())
        .map_max_entries("EVENTS", sizes.ring)
        .load(object)
        .map_err(|error| explain(error, sizes))?;

    let program: &mut Xdp = ebpf
        .program_mut(SWEEP)
        .ok_or(LoadError::Missing("program `sweep`"))?
        .try_into()
        .map_err(|error| LoadError::Refused(explain_program(&error)))?;
    program
        .load()
        .map_err(|error| LoadError::Refused(explain_program(&error)))?;

    // They stay in `ebpf`: programs that are loaded later refer to them by
    // their descriptors.
    let arrays = ["FINGERPRINTS", "HOT", "COLD"].map(|name| match ebpf.map(name) {
        Some(Map::Array(data)) => Ok(data.fd()),
        _ => Err(LoadError::Missing(name)),
    });
    let [fingerprints, hot, cold] = arrays;
    let table =
        Table::map(fingerprints?, hot?, cold?, sizes.lines).map_err(|source| LoadError::Io {
            action: "map the table",
            source,
        })?;
    let counters = take(&mut ebpf, "COUNTERS")?
        .try_into()
        .map_err(map_refused)?;
    let settings = take(&mut ebpf, "SETTINGS")?
        .try_into()
        .map_err(map_refused)?;
    let settings = RefCell::new(settings);
    let ring = take(&mut ebpf, "EVENTS")?.try_into().map_err(map_refused)?;
    let epoch = epoch as u16;
    Ok((
        Loaded {
            ebpf,
            table,
            counters,
            settings,
            epoch,
            sizes,
        },
        ring,
    ))
}

impl Loaded {
    /// The program that acts on slots.
    ///
    /// # Errors
    ///
    /// None once [`load`] has succeeded.
    pub fn sweep(&self) -> Result<&Xdp, ProgramError> {
        self.ebpf
            .program(SWEEP)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()
    }

    /// The counters, summed over all CPUs.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn counters(&self) -> Result<Counters, MapError> {
        let mut sum = Counters::default();
        for cpu in self.counters.get(&0, 0)?.iter() {
            sum.add(&cpu.0);
        }
        Ok(sum)
    }

    /// Puts policy into effect for the next segment.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn set(&self, settings: Settings) -> Result<(), MapError> {
        self.settings.borrow_mut().set(0, Raw(settings), 0)
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Missing(name))
}

fn map_refused(error: MapError) -> LoadError {
    LoadError::Refused(format!(
        "{error}: the object was built from another version"
    ))
}

/// 24 bytes that a sender cannot guess.
fn random() -> Result<[u64; 3], LoadError> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| LoadError::Io {
            action: "read /dev/urandom",
            source,
        })?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok([0, 1, 2].map(|index| u64::from_ne_bytes(words[index])))
}

/// What a failure to load means.
fn explain(error: EbpfError, sizes: Sizes) -> LoadError {
    if let EbpfError::MapError(MapError::CreateError { io_error, .. }) = &error {
        match io_error.raw_os_error() {
            Some(libc::ENOMEM | libc::E2BIG) => {
                return LoadError::Memory {
                    slots: sizes.slots(),
                    bytes: sizes.bytes(),
                };
            }
            Some(libc::EPERM) => return LoadError::Forbidden,
            _ => {}
        }
    }
    match &error {
        EbpfError::ProgramError(error) => LoadError::Refused(explain_program(error)),
        _ => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(error) = source {
                let _ = write!(text, ": {error}");
                source = error.source();
            }
            LoadError::Refused(text)
        }
    }
}

/// A program's refusal in a few lines: the end of the verifier's log is where
/// it says what it did not like.
pub fn explain_program(error: &ProgramError) -> String {
    const LINES: usize = 12;
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.to_string();
    };
    let log = verifier_log.to_string();
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    let hint = match io_error.raw_os_error() {
        Some(libc::EPERM) => " (not permitted: lockdown, or capabilities of a container only)",
        _ => "",
    };
    if end.is_empty() {
        format!("the kernel refused the program: {io_error}{hint}")
    } else {
        format!("the kernel's verifier refused the program: {io_error}{hint}\n  {end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_up_and_are_what_design_says() {
        let sizes = Sizes::new(262_144, 8 << 20).unwrap();
        assert_eq!(
            (sizes.slots(), sizes.lines, sizes.ring),
            (262_144, 32_768, 8 << 20)
        );
        assert_eq!(
            sizes.bytes(),
            262_144 * 208 + u64::from(LOCKS) * 8 + (8 << 20)
        );
        assert_eq!(Sizes::new(262_145, 1).unwrap().slots(), 524_288);
        assert_eq!(
            Sizes::new(1, 0).unwrap(),
            Sizes {
                lines: 2,
                ring: 1 << 16
            }
        );
        assert!(matches!(
            Sizes::new(u32::MAX, 0),
            Err(LoadError::TooMany(_))
        ));
    }
}
