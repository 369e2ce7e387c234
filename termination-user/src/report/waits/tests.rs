//! Forecasts.

use termination_common::time::ticks_from_seconds;

use super::*;
use crate::report::samples::{CLOCK, graceful, open};

const T: Tick = ticks_from_seconds(60.0);
const HOUR: u64 = 3600 * SECOND;

fn ephemeral(first: u16, last: u16, addresses: &[&str]) -> Ephemeral {
    Ephemeral {
        range: Range {
            first,
            last,
            reserved: 0,
            tw_reuse: 2,
        },
        usable: (0..=u16::MAX)
            .map(|port| (first..=last).contains(&port))
            .collect(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

/// 10.0.0.2:port to 10.0.0.1:443.
fn alive(port: u16) -> Slot {
    open(
        Endpoint::v4(0x0a00_0002, port),
        Endpoint::v4(0x0a00_0001, 443),
        Family::V4,
    )
}

/// The same in TIME_WAIT, since so many nanoseconds before [`HOUR`].
fn waiting(port: u16, since: u64, holder: Holder) -> Slot {
    let mut slot = graceful(alive(port)).copy;
    let mut outcome = Outcome::unpack(slot.cold.outcome).unwrap();
    outcome.holder = holder;
    slot.cold.outcome = outcome.pack();
    slot.cold.turned_at = HOUR - since;
    for half in &mut slot.hot.half {
        half.last = tick(HOUR - since);
        half.window = 0;
    }
    slot
}

fn census(slots: &[Slot], ephemeral: Option<Ephemeral>) -> (Waits, Vec<Group>) {
    let measure = Measure {
        now: HOUR,
        time_wait: T,
        window: 10 * SECOND,
    };
    let mut census = Census::new(measure, ephemeral);
    for slot in slots {
        census.count(slot);
    }
    if census.wants_more() {
        for slot in slots {
            census.count_ending(slot);
        }
    }
    let (waits, groups) = census.finish(&CLOCK, usize::MAX, None);
    (waits, groups.collect())
}

#[test]
fn who_holds_what_and_whose_ports_are_taken() {
    let mut slots: Vec<_> = (0..300)
        .map(|n| waiting(40_000 + n, u64::from(n % 30) * SECOND, Holder::Originator))
        .collect();
    slots.extend((0..20).map(|n| waiting(41_000 + n, SECOND, Holder::Responder)));
    slots.extend((0..7).map(|n| waiting(42_000 + n, SECOND, Holder::Both)));
    // Bound by hand: no ephemeral port.
    slots.push(waiting(1000, 2 * SECOND, Holder::Originator));
    slots.extend((0..5).map(|n| alive(43_000 + n)));
    let (waits, groups) = census(&slots, Some(ephemeral(32_768, 60_999, &["10.0.0.2"])));
    assert_eq!(waits.held.each().map(|(_, count)| count), [301, 20, 7]);
    assert_eq!(waits.groups, 3);
    let [originator, responder, both] = &groups[..] else {
        panic!("{groups:#?}");
    };
    assert_eq!(
        (originator.count, originator.holder),
        (301, Holder::Originator)
    );
    assert_eq!((responder.count, &responder.ports), (20, &None));
    assert_eq!(originator.responder.to_string(), "10.0.0.1:443");
    // 0 to 10 s ago: eleven in thirty, and the one bound by hand.
    assert!((originator.rate - 11.1).abs() < 1e-9, "{}", originator.rate);
    assert_eq!(originator.levels_at, 666);
    assert!((originator.oldest_seconds - 29.0).abs() < 1e-6);
    assert!((originator.next_seconds - 31.0).abs() < 0.01);
    assert!((originator.last_seconds - 60.0).abs() < 0.01);
    let ports = originator.ports.as_ref().unwrap();
    assert_eq!(ports, both.ports.as_ref().unwrap());
    assert_eq!((ports.usable, ports.used), (28_232, 300 + 7 + 5));
    assert_eq!(ports.left, 28_232 - 312);
    // 11.1 and 0.7 a second, and those that live.
    assert_eq!(ports.levels_at, 5 + 708);
    assert_eq!(ports.runs_out_seconds, None);
    // Somebody else's ports are not known.
    let (_, groups) = census(&slots, Some(ephemeral(32_768, 60_999, &["10.0.0.1"])));
    assert!(groups.iter().all(|group| group.ports.is_none()));
    let (waits, groups) = census(&slots, None);
    assert!(waits.ephemeral.is_none() && groups.iter().all(|group| group.ports.is_none()));
}

#[test]
fn the_forecast_counts_what_comes_back() {
    // 1000 ports, 20 a second for the last 20 s: 400 taken, none comes back for
    // 40 s, and 600 last 30 s.
    let slots: Vec<_> = (0..400_u16)
        .map(|n| {
            waiting(
                40_000 + n,
                u64::from(n) * SECOND / 20 + 1,
                Holder::Originator,
            )
        })
        .collect();
    let (_, groups) = census(&slots, Some(ephemeral(40_000, 40_999, &["10.0.0.2"])));
    let ports = groups[0].ports.as_ref().unwrap();
    assert_eq!((ports.left, ports.levels_at), (600, 1200));
    let runs_out = ports.runs_out_seconds.unwrap();
    assert!((runs_out - 30.0).abs() < 0.1, "{runs_out}");
    // With one more port than the steady state takes, never.
    let (_, groups) = census(&slots, Some(ephemeral(40_000, 41_200, &["10.0.0.2"])));
    let ports = groups[0].ports.as_ref().unwrap();
    assert_eq!((ports.usable, ports.levels_at), (1201, 1200));
    assert_eq!(ports.runs_out_seconds, None);
    // None is left: now.
    let (_, groups) = census(&slots, Some(ephemeral(40_000, 40_399, &["10.0.0.2"])));
    let ports = groups[0].ports.as_ref().unwrap();
    assert_eq!((ports.left, ports.runs_out_seconds), (0, Some(0.0)));
}

#[test]
fn ports_that_come_back_put_it_off() {
    assert_eq!(runs_out(600, 20.0, &[0; 60]), 30.0);
    // 10 a second come back in the first 20 s.
    let mut ending = [0; 60];
    ending[..20].fill(10);
    assert_eq!(runs_out(600, 20.0, &ending), 40.0);
    // At first more come back than are taken.
    ending[..20].fill(30);
    assert_eq!(runs_out(600, 20.0, &ending), 60.0);
    assert_eq!(runs_out(5, 20.0, &[0; 60]), 0.25);
}

#[test]
fn as_many_groups_as_connections_are_cut_to_what_was_asked() {
    const MANY: u64 = 50_000;
    let slot = waiting(40_000, SECOND, Holder::Originator);
    for spread in [0, 1] {
        let measure = Measure {
            now: HOUR,
            time_wait: T,
            window: 10 * SECOND,
        };
        let mut census = Census::new(measure, Some(ephemeral(32_768, 60_999, &["10.0.0.2"])));
        for number in 0..MANY {
            let mut slot = slot;
            slot.cold.tuple.words[1] = 0xffff_0b00_0000 | (number * spread);
            census.count(&slot);
        }
        // All of one group's came within the second: 5,000 a second.
        assert_eq!(census.wants_more(), spread == 0);
        let (waits, groups) = census.finish(&CLOCK, 10, None);
        assert_eq!(waits.held.originator, MANY);
        assert_eq!(waits.groups, 1 + spread * (MANY - 1));
        assert_eq!(groups.count() as u64, if spread == 0 { 1 } else { 10 });
    }
}
