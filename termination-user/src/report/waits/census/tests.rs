//! Forecasts.

use termination_common::time::ticks_from_seconds;

use super::{super::Range, *};
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
    // 11 and 0.7 a second from ports that connect(2) takes, and those that live.
    assert_eq!(ports.levels_at, 5 + 702);
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
    assert_eq!(runs_out(600, 20.0, &[0; 60], 60.0), Some(30.0));
    // 10 a second come back in the first 20 s.
    let mut ending = [0; 60];
    ending[..20].fill(10);
    assert_eq!(runs_out(600, 20.0, &ending, 60.0), Some(40.0));
    // At first more come back than are taken: 200 more after 20 s, which last until
    // the end; one port more would last longer.
    ending[..20].fill(30);
    assert_eq!(runs_out(600, 20.0, &ending, 60.0), Some(60.0));
    assert_eq!(runs_out(601, 20.0, &ending, 60.0), None);
    assert_eq!(runs_out(5, 20.0, &[0; 60], 60.0), Some(0.25));
    // 20 a second for half a second.
    assert_eq!(runs_out(10, 20.0, &[0], 0.5), Some(0.5));
    assert_eq!(runs_out(11, 20.0, &[0], 0.5), None);
    // As many come back as are taken.
    assert_eq!(runs_out(1, 20.0, &[20; 60], 60.0), None);
}

/// Of the pair's ports: left, level, seconds until none is left.
fn forecast(slots: &[Slot], usable: Ephemeral) -> (u64, u64, Option<f64>) {
    let (_, groups) = census(slots, Some(usable));
    let ports = groups[0].ports.as_ref().unwrap();
    (ports.left, ports.levels_at, ports.runs_out_seconds)
}

#[test]
fn a_burst_that_is_still_held_leaves_too_few_for_a_moment() {
    // 900 of 15 s ago, which come back in 45 s, and 5 a second since: 450 of 1000
    // in the long run. But the 50 that are left last 10 s.
    let mut slots: Vec<_> = (0..900)
        .map(|n| waiting(40_000 + n, 15 * SECOND, Holder::Originator))
        .collect();
    let later = (0..50_u16).map(|n| {
        waiting(
            40_900 + n,
            u64::from(n) * SECOND / 5 + 1,
            Holder::Originator,
        )
    });
    slots.extend(later);
    let here = || ephemeral(40_000, 40_999, &["10.0.0.2"]);
    let (left, levels_at, runs_out) = forecast(&slots, here());
    assert_eq!((left, levels_at), (50, 300));
    assert!((runs_out.unwrap() - 10.0).abs() < 1e-6, "{runs_out:?}");
    // 230 left last 46 s at that rate, but the burst is back after 45.
    let wider = ephemeral(40_000, 41_179, &["10.0.0.2"]);
    assert_eq!(forecast(&slots, wider), (230, 300, None));
    // 220 do not.
    let (left, _, runs_out) = forecast(&slots, ephemeral(40_000, 41_169, &["10.0.0.2"]));
    assert_eq!(left, 220);
    assert!((runs_out.unwrap() - 44.0).abs() < 1e-6, "{runs_out:?}");
    // Nothing new: what is left stays.
    slots.truncate(900);
    assert_eq!(forecast(&slots, here()), (100, 0, None));
}

#[test]
fn only_ports_that_connect_takes_run_out() {
    // 100 ports, ten of them reserved. One of these was bound by hand, and 400 below
    // the range, all within the last 10 s; 30 were the kernel's choice.
    let mut usable = ephemeral(40_000, 40_099, &["10.0.0.2"]);
    usable.range.reserved = 10;
    usable.usable[40_010..40_020].fill(false);
    let mut slots: Vec<_> = (0..30)
        .map(|n| waiting(40_050 + n, 9 * SECOND, Holder::Originator))
        .collect();
    slots.push(waiting(40_010, SECOND, Holder::Originator));
    slots.extend((0..400).map(|n| waiting(1_000 + n, SECOND, Holder::Originator)));
    let (waits, groups) = census(&slots, Some(usable.clone()));
    assert_eq!(waits.ephemeral.unwrap().reserved, 10);
    let (group, ports) = (&groups[0], groups[0].ports.as_ref().unwrap());
    assert_eq!((group.count, group.rate), (431, 43.1));
    assert_eq!((ports.usable, ports.used, ports.left), (90, 30, 60));
    // Three a second: the 60 last 20 s.
    assert_eq!(ports.levels_at, 180);
    assert!((ports.runs_out_seconds.unwrap() - 20.0).abs() < 1e-6);
    // One that lives holds one, from such a port only.
    slots.extend([alive(40_000), alive(40_011), alive(2_000)]);
    assert_eq!(forecast(&slots, usable).0, 59);
}

/// 2001:db8::2 or ::1 from `port`, to the same host's port 443.
fn waiting_v6(last: u8, port: u16) -> Slot {
    let end = |last, port| {
        let mut address = [0_u8; 16];
        address[15] = last;
        if last != 1 {
            address[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        }
        Endpoint::v6(address, port)
    };
    let mut slot = graceful(open(end(last, port), end(1, 443), Family::V6)).copy;
    slot.cold.turned_at = HOUR - SECOND;
    for half in &mut slot.hot.half {
        half.last = tick(HOUR - SECOND);
        half.window = 0;
    }
    slot
}

#[test]
fn each_address_has_its_own_ports() {
    // 10.0.0.2 and 2001:db8::2 are this host's, and so is ::1, as ever.
    let mut slots: Vec<_> = (0..50)
        .map(|n| waiting(40_000 + n, SECOND, Holder::Originator))
        .collect();
    slots.extend((0..20).map(|n| waiting_v6(2, 40_000 + n)));
    slots.extend((0..10).map(|n| waiting_v6(1, 40_000 + n)));
    // Another host's.
    slots.extend((0..5).map(|n| waiting_v6(3, 40_000 + n)));
    let here = ephemeral(40_000, 40_099, &["10.0.0.2", "10.0.0.3", "2001:db8::2"]);
    let (waits, groups) = census(&slots, Some(here));
    assert_eq!((waits.held.originator, waits.groups), (85, 4));
    let rows: Vec<_> = groups
        .iter()
        .map(|group| {
            let left = group.ports.as_ref().map(|ports| ports.left);
            (group.originator.ip.to_string(), group.count, left)
        })
        .collect();
    let row = |ip: &str, count, left| (ip.to_owned(), count, left);
    assert_eq!(
        rows,
        [
            row("10.0.0.2", 50, Some(50)),
            row("2001:db8::2", 20, Some(80)),
            row("::1", 10, Some(90)),
            row("2001:db8::3", 5, None),
        ]
    );
    // 5, 2 and 1 a second, and none back for 59 s: 50 last 10 s, 80 last 40 s; 60
    // of 100 are enough for ever.
    let runs_out: Vec<_> = groups
        .iter()
        .map(|group| group.ports.as_ref()?.runs_out_seconds)
        .map(|seconds| seconds.map(|seconds| seconds.round() as u64))
        .collect();
    assert_eq!(runs_out, [Some(10), Some(40), None, None]);
}

#[test]
fn a_wait_that_began_anew_lasts_from_then_on() {
    // Entered 50 s ago, restarted 20 s ago; beside it one of 30 s.
    let mut again = waiting(40_000, 50 * SECOND, Holder::Originator);
    for half in &mut again.hot.half {
        half.last = tick(HOUR - 20 * SECOND);
        half.window = 3;
    }
    let other = waiting(40_001, 30 * SECOND, Holder::Originator);
    let (_, groups) = census(&[again, other], None);
    let group = &groups[0];
    assert_eq!((group.count, group.restarts, group.rate), (2, 3, 0.0));
    assert!((group.next_seconds - 30.0).abs() < 0.01, "{group:?}");
    assert!((group.last_seconds - 40.0).abs() < 0.01, "{group:?}");
    assert!((group.oldest_seconds - 50.0).abs() < 0.01, "{group:?}");
}

#[test]
fn a_rate_is_over_no_more_than_what_is_still_held() {
    // Two a second for the last 60 s; before that the same, and over.
    let slots: Vec<_> = (0..120_u16)
        .map(|n| {
            let since = u64::from(n) * SECOND / 2 + 1;
            waiting(40_000 + n, since, Holder::Responder)
        })
        .collect();
    let mut census = Census::new(
        Measure {
            now: HOUR,
            time_wait: T,
            window: 600 * SECOND,
        },
        None,
    );
    slots.iter().for_each(|slot| census.count(slot));
    let (waits, groups) = census.finish(&CLOCK, 1, None);
    assert!((waits.window_seconds - 60.0).abs() < 0.01, "{waits:?}");
    let group = groups.last().unwrap();
    assert!((group.rate - 2.0).abs() < 0.001, "{group:?}");
    assert_eq!((group.levels_at, &group.ports), (120, &None));
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
