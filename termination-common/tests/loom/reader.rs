//! User space reads slots while programs write them.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering, fence},
    },
    thread,
};
use termination_common::state::Snapshot;

use super::model::explore;

/// A word, and contents that a reader may meet half written: atomics instead
/// of a cell. Both words of the contents always change together.
struct Shared {
    word: AtomicU64,
    contents: [AtomicU64; 2],
}

impl Shared {
    fn new() -> Self {
        Self {
            word: AtomicU64::new(Snapshot::default().transition_to_live(0).0),
            contents: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    /// What a program does. The exchange is a full barrier in the kernel,
    /// which C's memory model only says with a fence beside it.
    fn write(&self) -> bool {
        let state = Snapshot(self.word.load(Ordering::Relaxed));
        let taken = !state.is_locked()
            && self
                .word
                .compare_exchange(
                    state.0,
                    state.locked().0,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                )
                .is_ok();
        fence(Ordering::SeqCst);
        if taken {
            for word in &self.contents {
                let old = word.load(Ordering::Relaxed);
                word.store(old + 1, Ordering::Relaxed);
            }
            self.word.store(state.released().0, Ordering::Release);
        }
        taken
    }

    /// What `termination_user::control::table` does, once.
    fn read(&self) -> Option<[u64; 2]> {
        let before = Snapshot(self.word.load(Ordering::Acquire));
        if before.is_locked() {
            return None;
        }
        let copy = [0, 1].map(|word: usize| self.contents[word].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (self.word.load(Ordering::Relaxed) == before.0).then_some(copy)
    }
}

#[test]
fn a_reader_never_accepts_a_torn_slot() {
    explore("reader, two writers", || {
        let shared = Arc::new(Shared::new());
        let writers = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || u64::from(shared.write()))
        });
        for _ in 0..2 {
            if let Some([one, other]) = shared.read() {
                assert_eq!(one, other, "half of a write");
            }
        }
        let written: u64 = writers.map(|writer| writer.join().unwrap()).iter().sum();
        assert_eq!(shared.read(), Some([written; 2]));
    });
}
