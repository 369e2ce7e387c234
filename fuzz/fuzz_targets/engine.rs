//! The engine and the table's driver: any conversation. Every connection that
//! was opened lives or has ended, once; no RST that its receiver would throw
//! away ends anything. The same segments go through the tracker of captures.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use termination_common::{
    counters::{self, Event},
    exchange::{Operation, Record},
};
use termination_fuzz::{
    heap::Heap,
    script::{Act, Script},
};
use termination_user::{offline::Offline, policy::Policy};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    let crowd = first & 1 != 0;
    table(bytes, crowd);
    capture(bytes, crowd);
});

fn table(bytes: &[u8], crowd: bool) {
    let heap = Heap::new(2);
    let mut script = Script::new(bytes, crowd);
    let mut acts = 0;
    while let Some(act) = script.next() {
        match act {
            Act::Segment(segment) => heap.observe(segment),
            Act::Sweep => heap.sweep(Operation::Visit, script.now()),
            Act::Room(records) => heap.set_room(records),
        }
        acts += 1;
        // What is wrong stays wrong.
        if acts % 16 == 0 {
            heap.check();
        }
    }
    heap.check();
    heap.sweep(Operation::Shutdown, script.now());
    heap.check();
    assert_eq!(heap.used(), 0);
}

fn capture(bytes: &[u8], crowd: bool) {
    let mut endings = HashSet::new();
    let mut out = |record: &Record| {
        if record.event == Event::Ending as u8 {
            let id = (record.slot, record.copy.state().generation());
            assert!(record.copy.state().is_ended());
            assert!(endings.insert(id), "told twice");
        }
    };
    let mut offline = Offline::new(&Policy::default(), false);
    for act in Script::new(bytes, crowd) {
        if let Act::Segment(segment) = act {
            offline.segment(&segment, &mut out);
        }
    }
    offline.finish(&mut out);
    let counters = offline.counters();
    let opened = counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM];
    assert_eq!(offline.live(), 0);
    assert_eq!(opened, counters.endings());
    assert_eq!(opened, endings.len() as u64);
}
