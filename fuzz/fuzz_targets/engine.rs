//! The engine and the table's driver, at both levels, with guards or without: any
//! conversation. Every connection that was opened lives or has ended, once; no RST
//! that its receiver would throw away ends anything; the fast way, and at
//! `closing` the filter, never show. The same segments go through the tracker of
//! captures.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use termination_common::{
    counters::{self, Event},
    exchange::{Operation, Record},
    policy::{Level, Settings, setting},
};
use termination_fuzz::{
    heap::{Heap, Way},
    script::{Act, Script},
};
use termination_user::{offline::Offline, policy::Policy};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    let crowd = first & 1 != 0;
    let guards = first & 6 == 4;
    let level = if first & 2 == 0 {
        Level::Full
    } else {
        Level::Closing
    };
    table(Script::new(bytes, crowd, guards), level, guards);
    if level == Level::Full && !guards {
        capture(Script::new(bytes, crowd, false));
    }
});

fn table(mut script: Script<'_>, level: Level, guards: bool) {
    const ARMED: u32 =
        setting::ARMED << setting::BLIND_SHIFT | setting::ARMED << setting::TIME_WAIT_SHIFT;
    let settings = Settings {
        events: u32::MAX,
        flags: if guards { ARMED } else { 0 },
        ..Settings::DEFAULT
    };
    let [short, whole] = [Way::Short, Way::Whole].map(|way| Heap::new(2, level, settings, way));
    let check = || {
        short.check();
        short.assert_same(&whole);
    };
    let mut acts = 0;
    while let Some(act) = script.next() {
        match act {
            Act::Segment(segment) => {
                assert_eq!(short.observe(segment), whole.observe(segment));
            }
            act => {
                for heap in [&short, &whole] {
                    match act {
                        Act::Sweep => heap.sweep(Operation::Visit, script.now()),
                        Act::Mark => heap.sweep(Operation::Mark, script.now()),
                        Act::Room(records) => heap.set_room(records),
                        Act::Segment(_) => {}
                    }
                }
            }
        }
        acts += 1;
        // What is wrong stays wrong.
        if acts % 16 == 0 {
            check();
        }
    }
    check();
    for heap in [&short, &whole] {
        heap.sweep(Operation::Shutdown, script.now());
    }
    check();
    assert_eq!(short.used(), 0);
}

fn capture(script: Script<'_>) {
    let mut endings = HashSet::new();
    let mut out = |record: &Record| {
        if record.event == Event::Ending as u8 {
            let id = (record.slot, record.copy.state().generation());
            assert!(record.copy.state().is_ended());
            assert!(endings.insert(id), "told twice");
        }
    };
    let mut offline = Offline::new(&Policy::default(), false);
    for act in script {
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
