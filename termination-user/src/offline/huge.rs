//! Memory that is visited at random: in huge pages, where the system grants
//! them. With small ones every look misses the processor's cache of addresses
//! as well, which costs as much as the miss itself.

use std::{
    alloc::{Layout, handle_alloc_error},
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
};

use memmap2::MmapMut;

use crate::control::kernel::plain::Plain;

/// A fixed number of items; what was never touched takes no memory.
pub(super) struct Huge<T> {
    memory: MmapMut,
    items: PhantomData<T>,
}

impl<T: Plain> Huge<T> {
    /// So many items, all of them zeroes.
    pub(super) fn zeroed(count: usize) -> Self {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= 4096) };
        let layout = Layout::array::<T>(count).expect("a table that has an address");
        let Ok(memory) = MmapMut::map_anon(layout.size()) else {
            // As for every other allocation.
            handle_alloc_error(layout);
        };
        // Who does not have them makes do with small ones.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Self {
            memory,
            items: PhantomData,
        }
    }
}

impl<T: Plain> Deref for Huge<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        let count = self.memory.len() / size_of::<T>();
        // SAFETY: initialized (by the kernel, with zeroes), as long as said, and
        // aligned, for it starts a page; any bytes are a value of a `Plain` type.
        unsafe { slice::from_raw_parts(self.memory.as_ptr().cast(), count) }
    }
}

impl<T: Plain> DerefMut for Huge<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        let count = self.memory.len() / size_of::<T>();
        // SAFETY: as above, and borrowed for this alone.
        unsafe { slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast(), count) }
    }
}
