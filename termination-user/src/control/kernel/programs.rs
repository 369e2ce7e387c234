//! The programs: opened where they are pinned, or loaded from the object when
//! the first interface needs them. Verification takes seconds, a pin none.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use aya::{
    Ebpf, EbpfLoader,
    programs::{Program, ProgramError, SchedClassifier},
};

use super::{
    bpf,
    load::{Identity, LoadError, Part, explain, explain_program},
};
use crate::control::persistence::pins::{Pins, unpin};
use crate::policy::MOST_PREFIXES;

/// Maps that hold what is known; the others belong to one loading.
pub const MAPS: [&str; 9] = [
    "FINGERPRINTS",
    "HOT",
    "COLD",
    "LOCKED",
    "COUNTERS",
    "EVENTS",
    "SETTINGS",
    "PREFIXES",
    "PORTS",
];

/// The one that does so at the level `closing` alone.
const ATTENTION: &str = "ATTENTION";

/// Entries of PREFIXES: those of two policies.
pub const PREFIXES: u32 = 2 * MOST_PREFIXES as u32;

/// What the programs are made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The object.
    pub object: &'static [u8],
    /// Its globals, and the sizes of its maps.
    pub identity: Identity,
}

impl Recipe {
    /// Tells programs apart that are not the same: FNV-1a over the object and
    /// the globals that are not the table's own. Never 0.
    pub fn build(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let Identity { follow, sizes, .. } = self.identity;
        let globals = [follow, sizes.level as u32].map(u32::to_ne_bytes);
        for &byte in self.object.iter().chain(globals.as_flattened()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash.max(1)
    }

    /// Parses the object and makes its maps, or opens them where they are
    /// pinned and pins them otherwise. No program is loaded yet.
    fn open(&self, pins: Option<&Pins>) -> Result<Ebpf, LoadError> {
        let Identity {
            sizes,
            seed,
            follow,
            epoch: _,
        } = &self.identity;
        let mask = sizes.lines - 1;
        let level = sizes.level as u32;
        let attention_mask = sizes.attention() - 1;
        let mut loader = EbpfLoader::new();
        loader
            .override_global("LINE_MASK", &mask, true)
            .override_global("SEED", &seed[..], true)
            .override_global("FOLLOW", follow, true)
            .override_global("LEVEL", &level, true)
            .override_global("ATTENTION_MASK", &attention_mask, true)
            .map_max_entries(ATTENTION, sizes.attention())
            .map_max_entries("PREFIXES", PREFIXES)
            .map_max_entries("FINGERPRINTS", sizes.lines)
            .map_max_entries("HOT", sizes.slots())
            .map_max_entries("COLD", sizes.slots())
            .map_max_entries("EVENTS", sizes.ring)
            // In the object for measurements: what the table is compared with.
            .map_max_entries("HASH", sizes.slots())
            .map_max_entries("LRU", sizes.slots());
        if let Some(pins) = pins {
            for name in MAPS {
                loader.map_pin_path(name, pins.map(name));
            }
            if sizes.level.is_closing() {
                loader.map_pin_path(ATTENTION, pins.map(ATTENTION));
            }
        }
        loader
            .load(self.object)
            .map_err(|error| explain(error, *sizes))
    }
}

/// The programs of one recipe.
pub struct Programs {
    recipe: Recipe,
    object: Option<Ebpf>,
    filters: Vec<(&'static str, SchedClassifier)>,
    pins: Option<Arc<Pins>>,
    /// What is pinned is of this recipe.
    pins_are_ours: bool,
    /// What was pinned since.
    replaced: Vec<&'static str>,
}

impl Programs {
    /// Of a new table; its maps are made.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn new(recipe: Recipe, pins: Option<Arc<Pins>>) -> Result<Self, LoadError> {
        let object = recipe.open(pins.as_deref())?;
        Ok(Self {
            recipe,
            object: Some(object),
            filters: Vec::new(),
            pins,
            pins_are_ours: true,
            replaced: Vec::new(),
        })
    }

    /// Of a table that is there. `same`: so are the programs, of this recipe.
    pub const fn resume(recipe: Recipe, pins: Arc<Pins>, same: bool) -> Self {
        Self {
            recipe,
            object: None,
            filters: Vec::new(),
            pins: Some(pins),
            pins_are_ours: same,
            replaced: Vec::new(),
        }
    }

    /// [`Recipe::build`].
    pub fn build(&self) -> u64 {
        self.recipe.build()
    }

    /// The directory in which what is attached is pinned.
    pub const fn pins(&self) -> Option<&Arc<Pins>> {
        self.pins.as_ref()
    }

    /// What is attached there may be of another recipe.
    pub const fn is_upgrade(&self) -> bool {
        !self.pins_are_ours
    }

    /// The object, once something was loaded from it.
    pub const fn object_mut(&mut self) -> Option<&mut Ebpf> {
        self.object.as_mut()
    }

    /// The object, once something was loaded from it.
    pub const fn object(&self) -> Option<&Ebpf> {
        self.object.as_ref()
    }

    /// A program, ready to run.
    ///
    /// # Errors
    ///
    /// The verifier's or the kernel's words.
    pub fn get(&mut self, name: &'static str) -> Result<OwnedFd, LoadError> {
        if self.pins_are_ours
            && let Some(pins) = &self.pins
            && let Ok(program) = bpf::open(&pins.program(name))
        {
            return Ok(program);
        }
        let program = self.loaded(name)?.fd().map_err(refused)?;
        let program = program.as_fd().try_clone_to_owned();
        let program = program.map_err(|source| LoadError::Io {
            action: "keep a program",
            source,
        })?;
        if let Some(pins) = &self.pins
            && !self.replaced.contains(&name)
        {
            pins.replace(&program, &pins.program(name))?;
            self.replaced.push(name);
        }
        Ok(program)
    }

    /// Loads those of `names` that the object has, and replaces nothing yet.
    ///
    /// # Errors
    ///
    /// As [`Programs::get`].
    pub fn verify(&mut self, names: &[String]) -> Result<(), LoadError> {
        for name in ["sweep", "ingress_xdp", "ingress_tc", "egress_tc"] {
            if names.iter().any(|known| known == name) {
                self.loaded(name)?;
            }
        }
        Ok(())
    }

    /// The same as aya's, which can attach it by netlink.
    ///
    /// # Errors
    ///
    /// As [`Programs::get`].
    pub fn filter(&mut self, name: &'static str) -> Result<&mut SchedClassifier, LoadError> {
        let found = self.filters.iter().position(|(known, _)| *known == name);
        let place = if let Some(place) = found {
            place
        } else {
            // Pinned or loaded from here on.
            drop(self.get(name)?);
            let Some(pins) = &self.pins else {
                return self.loaded(name)?.try_into().map_err(refused);
            };
            let filter = SchedClassifier::from_pin(pins.program(name)).map_err(refused)?;
            self.filters.push((name, filter));
            self.filters.len() - 1
        };
        Ok(&mut self.filters[place].1)
    }

    /// A program of the object, loaded.
    fn loaded(&mut self, name: &'static str) -> Result<&mut Program, LoadError> {
        let object = match &mut self.object {
            Some(object) => object,
            none => none.insert(self.recipe.open(self.pins.as_deref())?),
        };
        let program = object.program_mut(name).ok_or(LoadError::Missing(name))?;
        let loaded = match program {
            Program::Xdp(program) => program.load(),
            Program::SchedClassifier(program) => program.load(),
            _ => return Err(LoadError::Missing(name)),
        };
        match loaded {
            Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(program),
            // What the table takes is missing here.
            Err(ProgramError::LoadError { io_error, .. })
                if io_error.raw_os_error() == Some(libc::ENOMEM) =>
            {
                let (part, sizes) = (Part::Program, self.recipe.identity.sizes);
                Err(LoadError::Memory { part, sizes })
            }
            Err(error) => Err(LoadError::Refused(explain_program(&error))),
        }
    }

    /// Every hook runs this recipe now: the programs of another one are
    /// forgotten.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn upgraded(&mut self) -> Result<(), LoadError> {
        if let Some(pins) = &self.pins
            && !self.pins_are_ours
        {
            for name in pins.programs()? {
                if !self.replaced.iter().any(|replaced| *replaced == name) {
                    unpin(&pins.program(&name))?;
                }
            }
            self.pins_are_ours = true;
        }
        Ok(())
    }
}

fn refused(error: ProgramError) -> LoadError {
    LoadError::Refused(explain_program(&error))
}
