//! Golden tables.

use termination_common::{
    counters::{self, Counters, Event as Number},
    engine::pending,
    exchange::Record,
    policy::Timers,
    slot::bit,
    state::fact,
    taxonomy::{Answer, By, Ending, Evidence, Holder, Outcome, Phase, Sequel, Verdict},
    time::tick,
    tuple::{Endpoint, Family},
    wire::Skip,
};

use super::{layout::width, *};
use crate::report::{
    Gauges, Report, Stats, Timestamp,
    samples::{CLOCK, EPOCH, SECOND, START, end, graceful, left, open, reset, shown, v4, v6},
    stats::{Held, Live},
    waits::{Census, Ephemeral, Measure, Range},
};

fn report(record: &Record) -> Report {
    Report::from_record(record, EPOCH, &CLOCK).unwrap()
}

/// The longest addresses that IPv4 has.
fn longest() -> termination_common::slot::Slot {
    open(
        Endpoint::v4(0xcb00_71fe, 40_001),
        Endpoint::v4(0xc0a8_64c8, 65_535),
        Family::V4,
    )
}

fn ended(ending: Ending) -> Outcome {
    Outcome {
        ending,
        by: By::Nobody,
        phase: Phase::Transfer,
        verdict: None,
        cause: None,
        evidence: Evidence::None,
        holder: Holder::None,
    }
}

#[track_caller]
fn check(found: &str, golden: &str) {
    let golden = golden.strip_prefix('\n').unwrap();
    assert!(found == golden, "found:\n{found}\nexpected:\n{golden}");
    for line in found.lines() {
        assert!(width(line) <= 80, "{} columns: {line}", width(line));
    }
}

#[test]
fn events_are_one_line_each_and_long_ones_keep_their_columns() {
    let mut events = Events::new(Style::PLAIN);
    let mut text = events.header();
    let closed = graceful(v4());
    let rejected = Record {
        event: Number::RstRejected as u8,
        side: 0,
        detail: Verdict::InWindow as u8,
        time: START,
        copy: v4(),
        ..Record::default()
    };
    let mut reused = left(&closed);
    reused.detail = Sequel::ReusedByTimestamp as u8;
    reused.copy.hot.word = reused.copy.state().with(fact::PENDING).0;
    reused.copy.cold.pending.detail = pending::answered(0, Answer::SynAck);
    for record in [
        closed,
        reset(v4()),
        rejected,
        end(longest(), ended(Ending::Reset), START + SECOND),
        end(
            longest(),
            ended(Ending::HalfOpenDiscoveredByData),
            START + SECOND,
        ),
        graceful(v6()),
        left(&closed),
        reused,
        end(v4(), ended(Ending::IdleExpired), START + 86_400 * SECOND),
    ] {
        text.push_str(&events.row(&report(&record)));
    }
    check(&text, GOLDEN_EVENTS);
}

#[test]
fn a_wide_terminal_keeps_long_rows_in_one_line() {
    let wide = Style {
        width: 200,
        colour: false,
    };
    let mut events = Events::new(wide);
    let row = events.row(&report(&graceful(v6())));
    assert_eq!(row.lines().count(), 2, "date and row: {row}");
}

#[test]
fn connections_show_both_ends() {
    let mut half_closed = v4();
    let first = half_closed.state().originator();
    half_closed.hot.half[first].bits |= bit::FIN | bit::FIN_ACKED;
    half_closed.hot.half[first].sent += 1;
    half_closed.hot.half[first ^ 1].acked += 1;
    half_closed.hot.word = half_closed.state().with(fact::FIN | fact::FIRST_FIN).0;
    let mut half_open = longest();
    half_open.hot.word = half_open.state().without(fact::ESTABLISHED).0;
    let originator = half_open.state().originator();
    half_open.hot.half[originator].bits = bit::SEEN | bit::SYN;
    half_open.hot.half[originator].sent = 101;
    half_open.hot.half[originator ^ 1] = Default::default();
    let list = [
        shown(&v4(), 5 * SECOND),
        shown(&half_closed, 7300 * SECOND),
        shown(&half_open, 2 * SECOND),
        shown(&graceful(v4()).copy, 10 * SECOND),
        shown(&reset(v6()).copy, 80 * SECOND),
    ];
    check(&connections(&list, Style::PLAIN), GOLDEN_CONNECTIONS);
    assert_eq!(connections(&[], Style::PLAIN), "no such connection\n");
}

/// 1,200 connections that their originator waits for, two that the responder
/// does; all of them entered some time before.
fn waiting() -> Vec<(termination_common::slot::Slot, u64)> {
    let mut list = Vec::new();
    for port in 0..1200 {
        let slot = open(
            Endpoint::v4(0x0a00_0002, 40_000 + port),
            Endpoint::v4(0x0a00_0001, 443),
            Family::V4,
        );
        list.push((graceful(slot).copy, 5 + u64::from(port % 30)));
    }
    for slot in [longest(), v6()] {
        let mut record = graceful(slot);
        let mut outcome = Outcome::unpack(record.copy.cold.outcome).unwrap();
        outcome.holder = Holder::Responder;
        record.copy.cold.outcome = outcome.pack();
        record.copy.hot.half[0].window = 3;
        list.push((record.copy, 20));
    }
    list
}

#[test]
fn time_wait_is_grouped_by_service() {
    let ephemeral = |last: u16, tw_reuse| Ephemeral {
        range: Range {
            first: 40_000,
            last,
            reserved: 0,
            tw_reuse,
        },
        usable: (0..=u16::MAX)
            .map(|port| (40_000..=last).contains(&port))
            .collect(),
        addresses: ["10.0.0.2".parse().unwrap()].into(),
    };
    let now = START + 40 * SECOND;
    let page = |limit, ephemeral, one_in| {
        let measure = Measure {
            now,
            time_wait: Timers::DEFAULT.time_wait,
            window: 10 * SECOND,
        };
        let mut census = Census::new(measure, ephemeral);
        let slots: Vec<_> = waiting()
            .into_iter()
            .map(|(mut slot, ago)| {
                slot.cold.turned_at = now - ago * SECOND;
                for half in &mut slot.hot.half {
                    half.last = tick(slot.cold.turned_at);
                }
                slot
            })
            .collect();
        slots.iter().for_each(|slot| census.count(slot));
        if census.wants_more() {
            slots.iter().for_each(|slot| census.count_ending(slot));
        }
        let (waits, list) = census.finish(&CLOCK, limit, one_in);
        groups(&waits, &list.collect::<Vec<_>>(), Style::PLAIN)
    };
    check(&page(9, Some(ephemeral(60_999, 2)), None), GOLDEN_GROUPS);
    check(
        &page(1, Some(ephemeral(41_399, 1)), None),
        GOLDEN_GROUPS_SHORT,
    );
    check(
        &page(1, Some(ephemeral(41_199, 0)), None),
        GOLDEN_GROUPS_OUT,
    );
    check(&page(1, None, Some(10)), GOLDEN_GROUPS_SAMPLED);
    let list: Vec<_> = waiting()
        .iter()
        .map(|(slot, ago)| shown(slot, ago * SECOND))
        .collect();
    check(
        &sockets(&list[1199..], Some(2), Style::PLAIN),
        GOLDEN_SOCKETS,
    );
    assert_eq!(sockets(&[], None, Style::PLAIN), "0 in TIME_WAIT\n");
}

fn figures() -> Stats {
    let mut sums = Counters::default();
    let mut set = |index: usize, value| sums.0[index] = value;
    set(counters::OPENED, 2_012);
    set(counters::MIDSTREAM, 3);
    set(counters::SEGMENTS, 1_234_567);
    for (ending, number) in [
        (Ending::Graceful, 1_500),
        (Ending::GracefulHalfClose, 301),
        (Ending::Reset, 150),
        (Ending::Refused, 40),
        (Ending::HalfOpenDiscoveredByData, 2),
    ] {
        set(counters::ENDING + ending as usize, number);
    }
    set(counters::VERDICT + Verdict::Exact as usize, 148);
    set(counters::VERDICT + Verdict::Old as usize, 2);
    set(counters::EVENT + Number::RstRejected as usize, 2);
    set(counters::LOSS + counters::Loss::EventLost as usize, 7);
    set(counters::SKIP + Skip::NotTcp as usize, 4_321);
    let gauges = Gauges {
        live: Live {
            established: 10,
            half_closed: 12,
            ..Live::default()
        },
        time_wait: Held {
            originator: 100,
            both: 3,
            ..Held::default()
        },
        lingering: 9,
    };
    Stats::new(&sums, &gauges, Some(Timestamp(0)))
}

#[test]
fn statistics_stand_in_two_columns() {
    check(&stats(&figures(), Style::PLAIN), GOLDEN_STATS);
}

#[test]
fn a_difference_is_said() {
    let mut figures = figures();
    figures.difference = -2;
    let text = stats(
        &figures,
        Style {
            width: 80,
            colour: false,
        },
    );
    assert!(text.contains("differs by -2"), "{text}");
    assert!(text.lines().all(|line| width(line) <= 80), "{text}");
}

#[test]
fn large_numbers_stay_within_the_page() {
    let mut sums = Counters::default();
    for number in &mut sums.0 {
        *number = 987_654_321_098;
    }
    let live = Live {
        established: 262_144,
        ..Live::default()
    };
    let gauges = Gauges {
        live,
        ..Gauges::default()
    };
    let text = stats(&Stats::new(&sums, &gauges, None), Style::PLAIN);
    assert!(text.lines().all(|line| width(line) <= 80), "{text}");
    assert!(
        text.contains("half_open_discovered_by_data    987G"),
        "{text}"
    );
}

#[test]
fn nothing_at_all_is_still_a_page() {
    let nothing = Stats::new(&Counters::default(), &Gauges::default(), None);
    check(&stats(&nothing, Style::PLAIN), GOLDEN_NOTHING);
}

#[test]
fn a_summary_says_what_was_read() {
    let source = Source {
        files: vec![String::from("a.pcap"), String::from("b.pcap")],
        packets: 1_234_567,
        bytes: 987_654_321,
        span: Some((CLOCK.at(0), CLOCK.at(192 * SECOND))),
    };
    let text = summary(&source, &figures(), Style::PLAIN);
    let head: Vec<_> = text.lines().take(4).collect();
    assert_eq!(
        head,
        [
            "a.pcap",
            "b.pcap",
            "1,234,567 packets, 987MB, 3m12 (2026-01-02 12:34:00 to 12:37:12 UTC)",
            "",
        ]
    );
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let coloured = Style {
        width: 80,
        colour: true,
    };
    let strip = |text: &str| {
        let mut plain = String::new();
        let mut parts = text.split('\x1b');
        plain.push_str(parts.next().unwrap());
        for part in parts {
            plain.push_str(part.split_once('m').unwrap().1);
        }
        plain
    };
    let text = stats(&figures(), coloured);
    assert!(text.contains("\x1b["));
    assert_eq!(strip(&text), stats(&figures(), Style::PLAIN));
    let mut events = Events::new(coloured);
    let record = reset(v4());
    let text = events.header() + &events.row(&report(&record));
    let mut events = Events::new(Style::PLAIN);
    assert_eq!(
        strip(&text),
        events.header() + &events.row(&report(&record))
    );
}

const GOLDEN_EVENTS: &str = "
BY who ended it  FIN who closed first  TW who holds TIME_WAIT
O originator  R responder  B both  - nobody  * observer
TIME     ORIGINATOR → RESPONDER                     ENDING BY FIN TW BYTES  TOOK
2026-01-02 UTC
12:34:10 10.0.0.2:40000 → 10.0.0.1:443            graceful  O   O  O 12.4k  12ms
12:35:24 10.0.0.2:40000 → 10.0.0.1:443               reset  R   -  - 12.4k  1m15
12:34:09 10.0.0.2:40000 → 10.0.0.1:443        rst_rejected  R          in_window
12:34:10 203.0.113.254:40001 → 192.168.100.200:65535 reset  -   -  - 12.4k 1.00s
12:34:10 203.0.113.254:40001 → 192.168.100.200:65535
                              half_open_discovered_by_data  -   -  - 12.4k 1.00s
12:34:10 [2001:db8:85a3:cdef:1234:8a2e:370:7334]:52174 → [2001:db8::1]:443
                                                  graceful  O   O  O 12.4k  12ms
12:35:10 10.0.0.2:40000 → 10.0.0.1:443   time_wait expired          O
12:35:10 10.0.0.2:40000 → 10.0.0.1:443
                             time_wait reused_by_timestamp          O    syn_ack
2026-01-03 UTC
12:34:09 10.0.0.2:40000 → 10.0.0.1:443        idle_expired  -   -  - 12.4k 1.99s
";
const GOLDEN_CONNECTIONS: &str = "
ORIGINATOR → RESPONDER                       STATE O/R   AGE  IDLE O SENT R SENT
10.0.0.2:40000 → 10.0.0.1:443              established 5.00s 2.99s    150  12.3k
10.0.0.2:40000 → 10.0.0.1:443    fin_wait_2/close_wait  2h01  2h01    150  12.3k
203.0.113.254:40001 → 192.168.100.200:65535 syn_sent/? 2.00s    0s      0      0
10.0.0.2:40000 → 10.0.0.1:443         time_wait/closed  12ms 9.98s    150  12.3k
[2001:db8:85a3:cdef:1234:8a2e:370:7334]:52174 → [2001:db8::1]:443
                                                 reset  1m15 4.99s    150  12.3k
5 connections
";
const GOLDEN_GROUPS: &str = "
1,202 in TIME_WAIT: originator 1,200, responder 2
TIME_WAIT lasts 1m00, rates are over 10.0s; * any ephemeral port (40000-60999)
NEXT, LAST until the first, the last of them is over  OLD age of the oldest
HOLDER     ADDRESS               PEER                    COUNT  NEXT  LAST   OLD
originator 10.0.0.2:*            10.0.0.1:443            1,200 26.0s 55.0s 34.0s
           24.0/s, 19,800 of 21,000 ports left: never out, levels at 1,440
responder  192.168.100.200:65535 203.0.113.254:*             1 40.0s 40.0s 20.0s
responder  [2001:db8::1]:443     [2001:db8:85a3:cdef:1234:8a2e:370:7334]:*
                                                             1 40.0s 40.0s 20.0s
";
const GOLDEN_GROUPS_SHORT: &str = "
1,202 in TIME_WAIT: originator 1,200, responder 2
TIME_WAIT lasts 1m00, rates are over 10.0s; * any ephemeral port (40000-41399)
NEXT, LAST until the first, the last of them is over  OLD age of the oldest
HOLDER     ADDRESS               PEER                    COUNT  NEXT  LAST   OLD
originator 10.0.0.2:*            10.0.0.1:443            1,200 26.0s 55.0s 34.0s
           24.0/s, 200 of 1,400 ports left: none in 8.33s
and 2 groups more (--limit)
tcp_tw_reuse is 1: connect(2) may take a port again after 1 s, if both ends
have timestamps; the forecast is for those that have none
";
const GOLDEN_GROUPS_OUT: &str = "
1,202 in TIME_WAIT: originator 1,200, responder 2
TIME_WAIT lasts 1m00, rates are over 10.0s; * any ephemeral port (40000-41199)
NEXT, LAST until the first, the last of them is over  OLD age of the oldest
HOLDER     ADDRESS               PEER                    COUNT  NEXT  LAST   OLD
originator 10.0.0.2:*            10.0.0.1:443            1,200 26.0s 55.0s 34.0s
           24.0/s, 0 of 1,200 ports left: connect(2) fails now
and 2 groups more (--limit)
";
const GOLDEN_GROUPS_SAMPLED: &str = "
1,202 in TIME_WAIT: originator 1,200, responder 2
TIME_WAIT lasts 1m00, rates are over 10.0s; * any ephemeral port
NEXT, LAST until the first, the last of them is over  OLD age of the oldest
HOLDER     ADDRESS               PEER                    COUNT  NEXT  LAST   OLD
originator 10.0.0.2:*            10.0.0.1:443            1,200 26.0s 55.0s 34.0s
           24.0/s: levels at 1,440
and 2 groups more (--limit)
one connection in 10 is tracked: counts are of these, ports are not known
";
const GOLDEN_SOCKETS: &str = "
3 in TIME_WAIT: originator 1, responder 2
TW who holds TIME_WAIT  LEFT until it is over  AGAIN restarts
O originator  R responder  B both  - nobody  * observer
ORIGINATOR → RESPONDER                                            TW  LEFT AGAIN
10.0.0.2:41199 → 10.0.0.1:443                                      O 26.0s     0
203.0.113.254:40001 → 192.168.100.200:65535                        R 40.0s     3
and 1 connection more (--limit)
";
const GOLDEN_STATS: &str = "
live                                22    ended                            1,993
  established                       10      graceful                       1,500
  half_closed                       12      graceful_half_close              301
                                            reset                            150
in TIME_WAIT, held by              103      refused                           40
  originator                       100      half_open_discovered_by_data       2
  both                               3
                                          events                               2
lingering after other endings        9      rst_rejected                       2

resets, by verdict                 150    losses                               7
  exact                            148      event_lost                         7
  old                                2
                                          frames not tracked               4,321
                                            not_tcp                        4,321

1,234,567 segments; opened 2,012 + midstream 3 = live 22 + ended 1,993: holds
";
const GOLDEN_NOTHING: &str = "
live                                 0    ended                                0

0 segments; opened 0 + midstream 0 = live 0 + ended 0: holds
";
