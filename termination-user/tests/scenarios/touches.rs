//! What a segment touches of the table: fingerprint lines, hot and cold lines,
//! locks, places in the ring. With a million connections each is a cache miss or
//! a locked instruction, so their number is the cost that no noise moves.

use std::{cell::RefCell, collections::BTreeSet};

use termination_common::{
    driver,
    policy::{Level, Settings},
    segment::{Flags, Segment},
    slot::{Cold, Half},
    state::Snapshot,
    table::{Head, HotRef, Memory, SlotRef},
    wire::build::Frame,
};

use crate::machine::{
    Hook, Host, Sight,
    host::{Line, Place, Way, parse},
};

/// How many were touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Touches {
    /// Fingerprint lines.
    lines: usize,
    /// Hot lines.
    hot: usize,
    /// Cold parts, two or three cache lines each.
    cold: usize,
    /// Locked instructions: on a slot's word, on a line's lock.
    locked: u32,
    /// Places in the ring.
    records: u32,
    /// Words of the attention filter.
    filter: usize,
}

/// A table that knows what of it was touched.
struct Touched<'a> {
    host: &'a Host,
    seen: RefCell<Seen>,
    /// Others keep changing the filter.
    contended: bool,
}

/// Which ones: what is touched once is in the cache.
#[derive(Default)]
struct Seen {
    lines: BTreeSet<u32>,
    hot: BTreeSet<u32>,
    cold: BTreeSet<u32>,
    locked: u32,
    records: u32,
    filter: BTreeSet<u32>,
}

impl Touched<'_> {
    fn touches(self) -> Touches {
        let seen = self.seen.into_inner();
        Touches {
            lines: seen.lines.len(),
            hot: seen.hot.len(),
            cold: seen.cold.len(),
            locked: seen.locked,
            records: seen.records,
            filter: seen.filter.len(),
        }
    }
}

/// A slot of it, with its index.
#[derive(Clone, Copy)]
struct Slot<'a>(Place<'a>, u32, &'a Touched<'a>);

impl HotRef for Slot<'_> {
    fn load(&self) -> Snapshot {
        self.0.load()
    }

    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        self.2.seen.borrow_mut().locked += 1;
        self.0.exchange(old, new)
    }

    fn store(&self, new: Snapshot) {
        self.0.store(new);
    }

    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R {
        self.0.halves(f)
    }
}

impl SlotRef for Slot<'_> {
    fn with<R>(&self, f: impl FnOnce(&mut [Half; 2], &mut Cold) -> R) -> R {
        self.2.seen.borrow_mut().cold.insert(self.1);
        self.0.with(f)
    }
}

impl Memory for Touched<'_> {
    type Line<'a>
        = Line<'a>
    where
        Self: 'a;
    type Slot<'a>
        = Slot<'a>
    where
        Self: 'a;
    type Hot<'a>
        = Slot<'a>
    where
        Self: 'a;

    fn mask(&self) -> u32 {
        self.host.mask()
    }

    fn seed(&self) -> [u64; 2] {
        self.host.seed()
    }

    fn line(&self, index: u32) -> Option<Line<'_>> {
        self.seen.borrow_mut().lines.insert(index);
        self.host.line(index)
    }

    fn slot(&self, index: u32) -> Option<Slot<'_>> {
        self.hot(index)
    }

    fn hot(&self, index: u32) -> Option<Slot<'_>> {
        self.seen.borrow_mut().hot.insert(index);
        Some(Slot(self.host.hot(index)?, index, self))
    }

    fn lock_line(&self, lock: u32) -> bool {
        self.seen.borrow_mut().locked += 1;
        self.host.lock_line(lock)
    }

    fn unlock_line(&self, lock: u32) {
        self.host.unlock_line(lock);
    }

    fn count(&self, counter: usize) {
        self.host.count(counter);
    }

    fn report(&self, head: Head) -> bool {
        self.seen.borrow_mut().records += 1;
        self.host.report(head)
    }

    fn settings(&self) -> &Settings {
        self.host.settings()
    }

    fn now(&self) -> u64 {
        self.host.now()
    }

    fn level(&self) -> Level {
        self.host.level()
    }

    fn attention_mask(&self) -> u32 {
        self.host.attention_mask()
    }

    fn attention(&self, index: u32) -> u64 {
        self.seen.borrow_mut().filter.insert(index);
        self.host.attention(index)
    }

    fn attention_exchange(&self, index: u32, old: u64, new: u64) -> bool {
        self.seen.borrow_mut().locked += 1;
        !self.contended && self.host.attention_exchange(index, old, new)
    }

    fn attention_fill(&self, index: u32) {
        self.host.attention_fill(index);
    }
}

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";

/// What this segment touches.
fn touches(host: &Host, frame: Frame) -> Touches {
    touches_while(host, frame, false)
}

/// The same; `contended`: while others keep changing the filter.
fn touches_while(host: &Host, frame: Frame, contended: bool) -> Touches {
    let sight = Sight {
        frame,
        time: 1 << 40,
        hook: Hook::Xdp,
        home: 2,
        gso: 0,
    };
    let mut segment: Segment = parse(&sight, &sight.frame.build()).expect("a good frame");
    let touched = Touched {
        host,
        seen: RefCell::default(),
        contended,
    };
    driver::observe(&touched, &mut segment);
    touched.touches()
}

/// Each segment of a connection, and the most that it may touch: a few more
/// make every packet dearer, by a cache miss or a lock each.
#[test]
fn no_segment_touches_more_than_it_must() {
    const fn most(lines: usize, hot: usize, cold: usize, locked: u32, records: u32) -> Touches {
        Touches {
            lines,
            hot,
            cold,
            locked,
            records,
            filter: 0,
        }
    }
    let host = Host::new(Settings::DEFAULT);
    let there = || Frame::v4(CLIENT, SERVER).window(500);
    let back = || Frame::v4(SERVER, CLIENT).window(500);
    let (fin, syn, rst, ack) = (
        Flags::FIN | Flags::ACK,
        Flags::SYN,
        Flags::RST | Flags::ACK,
        Flags::ACK,
    );
    // What may be the first of its kind is noted in the cold part.
    let mut segments = vec![
        ("SYN", there().tcp(syn).seq(100), most(2, 1, 1, 3, 0)),
        (
            "SYN-ACK",
            back().tcp(syn | ack).seq(900).ack(101),
            most(1, 1, 1, 1, 0),
        ),
        (
            "ACK of SYN",
            there().tcp(ack).seq(101).ack(901),
            most(2, 1, 1, 1, 0),
        ),
    ];
    for round in 0..3 {
        let sent = 101 + round * 10;
        let first = round < 2;
        let data = there().tcp(ack).seq(sent).ack(901).payload(10);
        let acked = back().tcp(ack).seq(901).ack(sent + 10);
        if first {
            segments.push(("early data", data, most(1, 1, 1, 1, 0)));
            segments.push(("early ACK", acked, most(1, 1, 1, 1, 0)));
        } else {
            segments.push(("data", data, most(1, 1, 0, 1, 0)));
            segments.push(("pure ACK", acked, most(1, 1, 0, 1, 0)));
        }
    }
    let last = [
        (
            "FIN",
            there().tcp(fin).seq(131).ack(901),
            most(1, 1, 1, 1, 0),
        ),
        (
            "ACK of FIN",
            back().tcp(ack).seq(901).ack(132),
            most(1, 1, 1, 1, 1),
        ),
        (
            "second FIN",
            back().tcp(fin).seq(901).ack(132),
            most(1, 1, 1, 1, 0),
        ),
        (
            "last ACK",
            there().tcp(ack).seq(132).ack(902),
            most(1, 1, 1, 1, 1),
        ),
        (
            "stray",
            there().tcp(rst).seq(132).ack(902),
            most(1, 1, 1, 1, 0),
        ),
    ];
    segments.extend(last);
    let mut dearer = Vec::new();
    for (name, frame, most) in segments {
        let touches = touches(&host, frame);
        println!("{name:<12} {touches:?}");
        let (
            Touches {
                lines,
                hot,
                cold,
                locked,
                records,
                filter,
            },
            m,
        ) = (touches, most);
        let more = lines > m.lines || hot > m.hot || cold > m.cold;
        if more || locked > m.locked || records > m.records || filter > 0 {
            dearer.push(format!("{name}: {touches:?}, at most {most:?}"));
        }
    }
    assert!(
        dearer.is_empty(),
        "dearer than it was:\n{}",
        dearer.join("\n")
    );
}

/// At the level `closing` an established segment touches one word of the filter
/// and nothing else, and so does one of a connection that nobody has met; what
/// begins and ends may touch as much as at the level `full`, and that word.
#[test]
fn at_closing_an_established_segment_touches_the_filter_alone() {
    let host = Host::at(Level::Closing, Settings::DEFAULT, Way::Fast);
    let there = || Frame::v4(CLIENT, SERVER).window(500);
    let back = || Frame::v4(SERVER, CLIENT).window(500);
    let (syn, ack, fin) = (Flags::SYN, Flags::ACK, Flags::FIN | Flags::ACK);
    let filter = Touches {
        filter: 1,
        ..Touches::default()
    };
    let slot = |lines: usize, locked: u32, records: u32, filter: usize| Touches {
        lines,
        hot: 1,
        cold: 1,
        locked,
        records,
        filter,
    };
    let stranger = Frame::v4("10.0.0.3:1", SERVER).window(500).tcp(ack).ack(1);
    let segments = [
        ("stranger", stranger, filter),
        ("SYN", there().tcp(syn).seq(100), slot(2, 4, 0, 1)),
        (
            "SYN-ACK",
            back().tcp(syn | ack).seq(900).ack(101),
            slot(1, 1, 0, 0),
        ),
        (
            "ACK of SYN",
            there().tcp(ack).seq(101).ack(901),
            slot(1, 2, 0, 1),
        ),
        (
            "data",
            there().tcp(ack).seq(101).ack(901).payload(10),
            filter,
        ),
        ("pure ACK", back().tcp(ack).seq(901).ack(111), filter),
        (
            "far on",
            back().tcp(ack).seq(5_000_901).ack(777_111),
            filter,
        ),
        (
            "FIN",
            there().tcp(fin).seq(900_131).ack(9),
            slot(1, 2, 0, 1),
        ),
        (
            "ACK of FIN",
            back().tcp(ack).seq(9).ack(900_132),
            slot(1, 1, 1, 1),
        ),
        (
            "second FIN",
            back().tcp(fin).seq(9).ack(900_132),
            slot(1, 1, 0, 0),
        ),
        (
            "last ACK",
            there().tcp(ack).seq(900_132).ack(10),
            slot(1, 2, 1, 1),
        ),
        ("stray", there().tcp(ack).seq(900_132).ack(10), filter),
    ];
    for (name, frame, most) in segments {
        let found = touches(&host, frame);
        println!("{name:<12} {found:?}");
        assert_eq!(found, most, "{name}");
    }
}

/// Who loses every exchange of the filter's word has attention all the same; who
/// does when it needs none any more, keeps it.
#[test]
fn at_closing_a_set_is_never_lost() {
    let host = Host::at(Level::Closing, Settings::DEFAULT, Way::Fast);
    let there = || Frame::v4(CLIENT, SERVER).window(500);
    let back = || Frame::v4(SERVER, CLIENT).window(500);
    let ack = Flags::ACK;
    let data = || there().tcp(ack).seq(101).ack(901).payload(10);
    touches_while(&host, there().tcp(Flags::SYN).seq(100), true);
    let attended = touches(&host, back().tcp(ack).seq(901).ack(101));
    assert_eq!(attended.hot, 1, "it is looked up: {attended:?}");
    touches(&host, back().tcp(Flags::SYN | ack).seq(900).ack(101));
    touches_while(&host, there().tcp(ack).seq(101).ack(901), true);
    assert_eq!(host.slots().len(), 1);
    let later = touches(&host, data());
    assert_eq!((later.hot, later.locked), (1, 0), "in vain: {later:?}");
}
