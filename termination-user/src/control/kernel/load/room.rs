//! Room for connections and records: what was asked for, what the kernel gave,
//! and how often it refused memory.

use std::{cell::Cell, io, thread, time::Duration};

use aya::maps::MapError;

use super::{super::bpf, LoadError, Sizes, pinned_meta};
use crate::control::persistence::{
    meta::{Meta, Word},
    pins::{PinError, Pins},
};

/// What is made smaller when it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The slots; and what else they leave no room for.
    Table,
    /// The ring buffer.
    Ring,
    /// Both together: the one that takes more.
    Larger,
    /// Neither, but a program that is verified beside them.
    Program,
}

impl Part {
    /// What it is the memory of.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Table | Self::Larger => "of a table",
            Self::Ring => "of the ring beside a table",
            Self::Program => "to verify a program beside a table",
        }
    }
}

/// Room, and what was refused on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What was asked for when the table was made.
    pub asked: Sizes,
    /// What there is.
    pub given: Sizes,
    /// Sizes that the kernel had no memory for, and memory that it refused since.
    pub refusals: u64,
}

impl Room {
    /// A table is not made smaller than for so many connections: who has not
    /// even 0.9 MiB for it has other troubles.
    pub const LEAST: u32 = 4096;
    /// Nor a ring than this, which is 292 records.
    pub const LEAST_RING: u32 = 1 << 16;

    /// What was asked for, all of it.
    pub const fn whole(sizes: Sizes) -> Self {
        Self {
            asked: sizes,
            given: sizes,
            refusals: 0,
        }
    }

    /// As much as was asked for.
    pub fn is_whole(&self) -> bool {
        self.given == self.asked
    }

    /// As it is written down; of an older table, which says nothing, whole.
    fn read(meta: &Meta, given: Sizes) -> Self {
        let word = |word, or| match u32::try_from(meta.get(word)) {
            Ok(0) | Err(_) => or,
            Ok(value) => value,
        };
        let mut asked = given;
        asked.lines = word(Word::AskedLines, given.lines);
        asked.ring = word(Word::AskedRing, given.ring);
        Self {
            asked,
            given,
            refusals: meta.get(Word::Refusals),
        }
    }

    /// Writes it down.
    pub(super) fn write(&self, meta: &Meta) {
        meta.set(Word::AskedLines, self.asked.lines.into());
        meta.set(Word::AskedRing, self.asked.ring.into());
        meta.set(Word::Refusals, self.refusals);
    }

    /// With half of what was refused, or of the other; `None` at the minimum.
    fn less(self, refused: Part) -> Option<Self> {
        let table = || {
            let mut half = self.given;
            half.lines /= 2;
            (self.given.slots() > Self::LEAST).then_some(half)
        };
        let records = || {
            let mut half = self.given;
            half.ring /= 2;
            (self.given.ring > Self::LEAST_RING).then_some(half)
        };
        let ring_first = match refused {
            Part::Table | Part::Program => false,
            Part::Ring => true,
            Part::Larger => u64::from(self.given.ring) > self.given.bytes() / 2,
        };
        let given = if ring_first {
            records().or_else(table)
        } else {
            table().or_else(records)
        }?;
        Some(Self {
            given,
            refusals: self.refusals + 1,
            ..self
        })
    }
}

/// Makes a table as large as the kernel has memory for: of what is refused, a
/// half, and again. `probe` says whether there is enough of it, and `make` leaves
/// nothing behind when it fails.
///
/// # Errors
///
/// [`LoadError::NoRoom`] when the least was refused; otherwise what `make`
/// answered.
pub fn fit<T>(
    asked: Sizes,
    mut probe: impl FnMut(Sizes) -> Result<(), LoadError>,
    mut make: impl FnMut(Room) -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    let mut room = Room::whole(asked);
    // A table that was removed before this may be on its way back.
    let mut pauses = 3;
    loop {
        let probed = patiently(pauses, || probe(room.given));
        // A probe that is refused leaves nothing.
        pauses = if probed.is_ok() { 5 } else { 0 };
        let error = match probed.and_then(|()| patiently(pauses, || make(room))) {
            Err(error) => error,
            made => return made,
        };
        let Some(part) = refused(&error) else {
            return Err(error);
        };
        room = room.less(part).ok_or(LoadError::NoRoom {
            asked,
            least: room.given,
        })?;
    }
}

/// Tries again what is refused, after so many pauses, each twice as long as the
/// one before: the kernel frees maps behind our back, a large one in a tenth of a
/// second.
fn patiently<T>(
    pauses: u32,
    mut attempt: impl FnMut() -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    const FIRST: Duration = Duration::from_millis(25);
    for pause in 0..pauses {
        match attempt() {
            Err(error) if refused(&error).is_some() => thread::sleep(FIRST * (1 << pause)),
            done => return done,
        }
    }
    attempt()
}

/// Memory was refused.
pub fn is_refused(error: &LoadError) -> bool {
    refused(error).is_some()
}

/// The memory of which part was refused, if that is what happened.
fn refused(error: &LoadError) -> Option<Part> {
    let (LoadError::Io { source, .. } | LoadError::Pins(PinError::Io { source, .. })) = error
    else {
        return match error {
            LoadError::Memory { part, .. } => Some(*part),
            LoadError::Policy(error) if is_memory(error) => Some(Part::Table),
            _ => None,
        };
    };
    is_refusal(source).then_some(Part::Table)
}

/// The kernel has not so much memory: ENOMEM; or numbers it otherwise: E2BIG.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::E2BIG))
}

/// The same of a map.
pub fn is_memory(error: &MapError) -> bool {
    match error {
        MapError::SyscallError(error) => is_refusal(&error.io_error),
        MapError::CreateError { io_error, .. } | MapError::IoError(io_error) => {
            is_refusal(io_error)
        }
        _ => false,
    }
}

/// Asks for as much memory as a table takes, and what comes after it, at once,
/// and gives it back. A table that just fits would have the process killed, with
/// the next page that it touches; what is refused in one piece is refused before
/// anything is made.
///
/// What comes after it: to have the largest program verified took 21 MiB of the
/// kernel's memory, and the process grew by 8 meanwhile. To map the table into it
/// takes a 512th of that.
///
/// # Errors
///
/// [`LoadError::Memory`]: then it has to be smaller.
pub fn probe(sizes: Sizes) -> Result<(), LoadError> {
    const PAGE: u32 = 4096;
    const AFTERWARDS: u64 = 32 << 20;
    let bytes = sizes.bytes() + sizes.bytes() / 512 + AFTERWARDS;
    // Below 2^32 pages, as the sizes are bounded.
    let pages = (bytes / u64::from(PAGE)) as u32;
    match bpf::array("PROBE", PAGE, pages, false) {
        Ok(map) => {
            drop(map);
            Ok(())
        }
        Err(error) if is_refusal(&error) => {
            let part = Part::Larger;
            Err(LoadError::Memory { part, sizes })
        }
        Err(source) => Err(LoadError::Io {
            action: "make a map",
            source,
        }),
    }
}

/// The room of a table that is there, and an account of what is refused it.
pub struct Account {
    room: Cell<Room>,
    /// Where it is kept for the next controller.
    meta: Option<Meta>,
}

impl Account {
    /// Of a table of this process alone.
    pub(super) const fn new(room: Room) -> Self {
        Self {
            room: Cell::new(room),
            meta: None,
        }
    }

    /// Of one that is pinned.
    pub(super) fn pinned(meta: Meta, given: Sizes) -> Self {
        Self {
            room: Cell::new(Room::read(&meta, given)),
            meta: Some(meta),
        }
    }

    /// As it is now.
    pub const fn room(&self) -> Room {
        self.room.get()
    }

    /// Memory was refused once more.
    pub fn refuse(&self) {
        let mut room = self.room.get();
        room.refusals += 1;
        self.room.set(room);
        if let Some(meta) = &self.meta {
            room.write(meta);
        }
    }
}

/// The room of a pinned table that nobody controls.
pub(super) fn of(pins: &Pins, given: Sizes) -> Result<Room, LoadError> {
    Ok(Room::read(&pinned_meta(pins)?, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Sizes {
        Sizes::new(1 << 17, 1 << 17).unwrap()
    }

    /// What is given where so many bytes of the table fit, and the tries.
    fn given(most: u64, part: Part) -> (Result<Room, LoadError>, Vec<Sizes>) {
        let mut tried = Vec::new();
        let probe = |sizes: Sizes| {
            tried.push(sizes);
            if sizes.bytes() <= most {
                Ok(())
            } else {
                Err(LoadError::Memory { part, sizes })
            }
        };
        let made = fit(asked(), probe, Ok);
        tried.dedup();
        (made, tried)
    }

    #[test]
    fn what_is_refused_is_asked_for_by_halves() {
        let (room, tried) = given(u64::MAX, Part::Table);
        assert_eq!(room.unwrap(), Room::whole(asked()));
        assert_eq!(tried, [asked()]);

        let quarter = Sizes {
            lines: asked().lines / 4,
            ..asked()
        };
        let (room, _) = given(quarter.bytes(), Part::Table);
        let room = room.unwrap();
        assert_eq!(
            (room.given, room.asked, room.refusals),
            (quarter, asked(), 2)
        );
        assert!(!room.is_whole());

        let (room, _) = given(asked().bytes() - 1, Part::Ring);
        let ring = Sizes {
            ring: 1 << 16,
            ..asked()
        };
        assert_eq!(room.unwrap().given, ring);
    }

    #[test]
    fn below_the_least_is_an_error_that_says_what_was_tried() {
        let (room, tried) = given(0, Part::Table);
        let Err(LoadError::NoRoom {
            asked: tried_first,
            least,
        }) = room
        else {
            panic!("{room:?}");
        };
        assert_eq!(tried_first, asked());
        assert_eq!((least.slots(), least.ring), (Room::LEAST, Room::LEAST_RING));
        // 131072 to 4096 by halves, then the ring once.
        assert_eq!(tried.len(), 7);
        // Another error is not hidden.
        let made: Result<(), _> = fit(asked(), |_| Ok(()), |_| Err(LoadError::KernelTooOld));
        assert!(matches!(made, Err(LoadError::KernelTooOld)));
    }

    #[test]
    fn what_comes_back_late_is_waited_for() {
        let mut tries = 0;
        let made = fit(
            asked(),
            |_| Ok(()),
            |room| {
                tries += 1;
                let (part, sizes) = (Part::Table, room.given);
                if tries == 3 {
                    Ok(room)
                } else {
                    Err(LoadError::Memory { part, sizes })
                }
            },
        );
        assert_eq!(made.unwrap(), Room::whole(asked()));
    }
}
