//! From a capture's packets to endings: any file, not compressed, with tunnels
//! or without. The tracker's sums agree.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use termination_common::counters;
use termination_user::{capture::Capture, offline::Offline, policy::Policy};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, file)) = bytes.split_first() else {
        return;
    };
    let file = Cursor::new(file.to_vec());
    let Ok(mut capture) = Capture::from_reader(String::from("fuzz"), file) else {
        return;
    };
    let mut offline = Offline::new(&Policy::default(), first & 4 != 0);
    while let Ok(Some(packet)) = capture.next() {
        offline.frame(&packet, &mut |_| {});
    }
    offline.finish(&mut |_| {});
    assert_eq!(offline.live(), 0);
    let counters = offline.counters();
    let opened = counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM];
    assert_eq!(opened, counters.endings());
});
