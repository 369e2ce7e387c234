//! The JSON that others script against.

use serde_json::{Value, json};
use termination_common::{
    counters::{self, Counters, Event as Number},
    engine::{closing, pending},
    slot::Slot,
    state::fact,
    taxonomy::{self, Answer, By, Evidence, Holder, Outcome, Phase, Sequel, Verdict},
};

use super::{
    samples::{CLOCK, EPOCH, SECOND, end, graceful, left, reset, shown, v4, v6},
    *,
};

fn report(record: &Record) -> Report {
    Report::from_record(record, EPOCH, &CLOCK).unwrap()
}

/// As JSON, and back again as the same.
fn value(report: &Report) -> Value {
    let line = serde_json::to_string(report).unwrap();
    assert_eq!(&Report::parse(&line).unwrap(), report, "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn an_ending_is_as_fixed() {
    let found = value(&report(&graceful(v4())));
    let expected = json!({
        "schema": 1, "type": "ending", "id": "5f3a-000123-0007",
        "originator": {"ip": "10.0.0.2", "port": 40000},
        "responder": {"ip": "10.0.0.1", "port": 443},
        "ending": "graceful", "by": "originator", "phase": "closing", "verdict": null,
        "cause": null, "kernel_reason": null, "evidence": "none",
        "time_wait": {"holder": "originator", "entered_at": "2026-01-02T12:34:10.011220736Z"},
        "half_close": {
            "first_fin": "originator",
            "fin_to_ack_seconds": 0.000_081,
            "fin_to_fin_seconds": 0.000_199_999_9,
            "bytes_after_fin": {"originator": 0, "responder": 0},
            "segments_after_fin": {"originator": 2, "responder": 1},
        },
        "lost": {"originator": 0, "responder": 0},
        "bytes": {"originator": 150, "responder": 12345},
        "segments": {"originator": 6, "responder": 12},
        "retransmits": {"originator": 0, "responder": 0},
        "duration_seconds": 0.012,
        "started_at": "2026-01-02T12:34:09.999220736Z",
        "ended_at": "2026-01-02T12:34:10.011220736Z",
        "seen": {"midstream": false, "one_sided": false, "gaps": false, "sampled": false, "evicted": false},
        "process": null, "repeated": false,
        "ipfix": {"flow_end_reason": 3},
    });
    for (name, expected) in expected.as_object().unwrap() {
        if name == "half_close" {
            let fin = found[name]["fin_to_fin_seconds"].as_f64().unwrap();
            assert!((fin - 0.0002).abs() < 1e-9, "{fin}");
            continue;
        }
        assert_eq!(&found[name], expected, "{name}");
    }
    // These two come from other modules; here it only matters that they are
    // where the contract has them.
    assert!(found.get("zeek").is_some() && found.get("wireshark").is_some());
}

#[test]
fn a_reset_names_verdict_and_cause_and_leaves_the_closes_null() {
    let found = value(&report(&reset(v6())));
    assert_eq!(
        found["originator"],
        json!({"ip": "2001:db8:85a3:cdef:1234:8a2e:370:7334", "port": 52174})
    );
    assert_eq!(found["ending"], "reset");
    assert_eq!(found["verdict"], "exact");
    assert_eq!(found["cause"], "active_abort");
    assert_eq!(found["evidence"], "wire_strong");
    assert_eq!(found["time_wait"], Value::Null);
    assert_eq!(found["half_close"], Value::Null);
    assert_eq!(found["duration_seconds"], 75.0);
}

#[test]
fn at_closing_what_nobody_saw_is_null() {
    let record = graceful(v4());
    let ending = Ending::from_record(&record, EPOCH, &CLOCK).unwrap();
    let found = value(&Report::Ending(ending.at_closing(&record.copy)));
    assert_eq!(found["level"], "closing");
    assert_eq!(found["phase"], "closing");
    // These follow from sequence numbers, but not how often they went round.
    assert_eq!(found["bytes"]["originator"], 150);
    assert_eq!(found["bytes_modulo"], 1_u64 << 32);
    for name in ["lost", "segments", "retransmits"] {
        assert_eq!(found[name]["responder"], Value::Null, "{name}");
    }
    assert_eq!(found["zeek"]["history"], Value::Null);
    assert_eq!(found["duration_seconds"], 0.012);
    // Of an end that has not spoken since, nothing is known.
    let mut record = reset(v6());
    record.copy.hot.half[0].wraps = closing::STALE;
    let ending = Ending::from_record(&record, EPOCH, &CLOCK).unwrap();
    let found = value(&Report::Ending(ending.at_closing(&record.copy)));
    let side = if record.copy.state().originator() == 0 {
        "originator"
    } else {
        "responder"
    };
    assert_eq!(found["bytes"][side], Value::Null);
}

#[test]
fn the_end_of_a_time_wait_carries_the_same_id_and_folds_into_its_ending() {
    let record = graceful(v4());
    let Report::TimeWait(end) = report(&left(&record)) else {
        panic!("no time_wait");
    };
    let found = value(&Report::TimeWait(end.clone()));
    assert_eq!(found["id"], "5f3a-000123-0007");
    assert_eq!(found["sequel"], "expired");
    assert_eq!(found["restarts"], 2);
    assert_eq!(found["fin_restarts"], 1);
    assert_eq!(found["left_at"], "2026-01-02T12:35:10.011220736Z");

    let mut ending = Ending::from_record(&record, EPOCH, &CLOCK).unwrap();
    ending.fold(&end);
    let found = value(&Report::Ending(ending));
    assert_eq!(
        found["time_wait"],
        json!({
            "holder": "originator", "entered_at": "2026-01-02T12:34:10.011220736Z",
            "sequel": "expired", "restarts": 2, "left_at": "2026-01-02T12:35:10.011220736Z",
            "answer": null,
        })
    );
}

#[test]
fn the_end_of_a_time_wait_says_what_came_back_to_a_syn() {
    let met = |answer: Option<Answer>| {
        let mut record = left(&graceful(v4()));
        record.detail = Sequel::ReusedEarly as u8;
        let detail = pending::syn(0, record.detail, 0xffff, Some(7));
        let slot = &mut record.copy;
        slot.hot.word = slot.state().with(fact::PENDING).0;
        slot.cold.pending.detail = answer.map_or(detail, |one| pending::answered(detail, one));
        value(&report(&record))
    };
    for &answer in Answer::ALL {
        let found = met(Some(answer));
        assert_eq!(found["sequel"], "reused_early");
        assert_eq!(found["answer"], answer.name());
    }
    assert_eq!(met(None)["answer"], "silence");
}

#[test]
fn what_had_to_be_dropped_is_seen_as_evicted() {
    let outcome = Outcome {
        ending: taxonomy::Ending::Evicted,
        by: By::Observer,
        phase: Phase::Transfer,
        verdict: None,
        cause: None,
        evidence: Evidence::None,
        holder: Holder::None,
    };
    let found = value(&report(&end(v4(), outcome, SECOND)));
    assert_eq!(found["ending"], "evicted");
    assert_eq!(found["seen"]["evicted"], true);
}

#[test]
fn an_event_says_whose_segment_it_was_and_where_the_ends_stand() {
    let record = Record {
        event: Number::RstRejected as u8,
        side: 1,
        detail: Verdict::Old as u8,
        time: SECOND,
        copy: v4(),
        ..Record::default()
    };
    let found = value(&report(&record));
    assert_eq!(found["type"], "event");
    assert_eq!(found["event"], "rst_rejected");
    assert_eq!(found["verdict"], "old");
    assert_eq!(found["by"], "originator");
    assert_eq!(
        found["states"],
        json!({"originator": "established", "responder": "established"})
    );
    assert_eq!(found["at"], "2026-01-02T12:34:01.000000000Z");
}

#[test]
fn a_record_that_makes_no_sense_is_none() {
    assert_eq!(
        Report::from_record(&Record::default(), 0, &Clock::default()),
        None
    );
    let alive = Record {
        event: Number::Ending as u8,
        copy: v4(),
        ..Record::default()
    };
    assert_eq!(Report::from_record(&alive, 0, &Clock::default()), None);
}

#[test]
fn a_connection_says_where_both_ends_stand() {
    let found = value(&Report::Connection(shown(&v4(), 5 * SECOND)));
    assert_eq!(found["type"], "connection");
    assert_eq!(found["state"], "established");
    assert_eq!(found["ending"], Value::Null);
    assert_eq!(found["age_seconds"], 5.0);
    let idle = found["idle_seconds"].as_f64().unwrap();
    assert!((idle - 3.0).abs() < 0.002, "{idle}");

    let slot = graceful(v4()).copy;
    let found = value(&Report::Connection(shown(&slot, 5 * SECOND)));
    assert_eq!(found["state"], "time_wait");
    assert_eq!(
        found["states"],
        json!({"originator": "time_wait", "responder": "closed"})
    );
    assert_eq!(found["ending"], "graceful");
    assert_eq!(found["time_wait"]["holder"], "originator");
    let left = found["time_wait"]["remaining_seconds"].as_f64().unwrap();
    assert!((left - 55.0).abs() < 0.02, "{left}");
    assert_eq!(
        Connection::from_slot(
            &Slot::default(),
            0,
            0,
            &CLOCK,
            0,
            &termination_common::policy::Timers::DEFAULT
        ),
        None
    );
}

#[test]
fn state_names_are_in_the_order_of_the_states() {
    for (index, (state, name)) in connection::State::ALL.into_iter().enumerate() {
        assert_eq!(state as usize, index);
        assert_eq!(state.name(), name);
        assert_eq!(serde_json::to_value(state).unwrap(), name);
    }
}

#[test]
fn the_statistics_add_up() {
    let mut sums = Counters::default();
    sums.0[counters::OPENED] = 10;
    sums.0[counters::MIDSTREAM] = 2;
    sums.0[counters::ENDING + taxonomy::Ending::Graceful as usize] = 8;
    sums.0[counters::ENDING + taxonomy::Ending::Reset as usize] = 1;
    sums.0[counters::LOSS + counters::Loss::RingFull as usize] = 4;
    let mut gauges = Gauges::default();
    let ended = graceful(v4()).copy;
    for slot in [v4(), v6(), ended, Slot::default()] {
        gauges.count(&slot.hot, || slot.cold.outcome);
    }
    let stats = Stats::new(&sums, &gauges, Some(Timestamp(0)));
    let found = value(&Report::Stats(stats));
    assert_eq!(found["opened"], 10);
    assert_eq!(
        found["live"],
        json!({"syn_sent": 0, "syn_received": 0, "established": 2, "half_closed": 0, "closing": 0})
    );
    assert_eq!(
        found["time_wait"],
        json!({"originator": 1, "responder": 0, "both": 0})
    );
    assert_eq!(found["endings"]["graceful"], 8);
    assert_eq!(found["endings"]["refused"], 0);
    assert_eq!(found["losses"]["ring_full"], 4);
    assert_eq!(found["difference"], 1);
}

#[test]
fn questions_are_one_line_of_json() {
    let filter = Filter {
        state: Some("Close-Wait".parse().unwrap()),
        address: Some("10.0.0.0/8".parse().unwrap()),
        port: Some(443),
        ended: false,
        limit: Some(5),
    };
    let ask = Ask::Connections(filter);
    let text = serde_json::to_string(&ask).unwrap();
    assert_eq!(
        text,
        r#"{"ask":"connections","state":"close_wait","address":"10.0.0.0/8","port":443,"ended":false,"limit":5}"#
    );
    assert_eq!(serde_json::from_str::<Ask>(&text).unwrap(), ask);
    assert_eq!(
        serde_json::from_str::<Ask>(r#"{"ask":"guards","count":3}"#).unwrap(),
        Ask::Guards { count: 3 }
    );
    let short: Ask = serde_json::from_str(r#"{"ask":"connections"}"#).unwrap();
    assert_eq!(short, Ask::Connections(Filter::default()));
    let events: Ask = serde_json::from_str(r#"{"ask":"events","follow":true}"#).unwrap();
    assert_eq!(
        events,
        Ask::Events {
            follow: true,
            count: None,
            recent: false,
        }
    );
    assert_eq!(
        serde_json::from_str::<Ask>(r#"{"ask":"time_wait"}"#).unwrap(),
        Ask::TimeWait
    );
}

#[test]
fn a_filter_looks_at_both_ends() {
    let open = shown(&v4(), SECOND);
    let waiting = shown(&graceful(v4()).copy, SECOND);
    let with = |change: fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        [filter.matches(&open), filter.matches(&waiting)]
    };
    assert_eq!(with(|_| ()), [true, false]);
    assert_eq!(with(|filter| filter.ended = true), [true, true]);
    assert_eq!(
        with(|filter| filter.state = "time_wait".parse().ok()),
        [false, true]
    );
    assert_eq!(
        with(|filter| filter.state = "established".parse().ok()),
        [true, false]
    );
    assert_eq!(with(|filter| filter.port = Some(443)), [true, false]);
    assert_eq!(with(|filter| filter.port = Some(444)), [false, false]);
    assert_eq!(
        with(|filter| filter.address = "10.0.0.1".parse().ok()),
        [true, false]
    );
    assert_eq!(
        with(|filter| filter.address = "10.0.0.0/30".parse().ok()),
        [true, false]
    );
    assert_eq!(
        with(|filter| filter.address = "10.0.0.4/30".parse().ok()),
        [false, false]
    );
    assert_eq!(
        with(|filter| filter.address = "0.0.0.0/0".parse().ok()),
        [true, false]
    );
    assert_eq!(
        with(|filter| filter.address = "::/0".parse().ok()),
        [false, false]
    );
}

#[test]
fn what_cannot_be_read_says_what_could() {
    let error = "open".parse::<ask::StateName>().unwrap_err().to_string();
    assert!(
        error.contains("\"open\"") && error.contains("fin_wait_2"),
        "{error}"
    );
    let error = "10.0.0.1/33"
        .parse::<ask::Prefix>()
        .unwrap_err()
        .to_string();
    assert!(error.contains("from 0 to 32"), "{error}");
    let error = "example.org"
        .parse::<ask::Prefix>()
        .unwrap_err()
        .to_string();
    assert!(error.contains("example.org"), "{error}");
    let error = Report::parse(r#"{"schema":2,"type":"stats"}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("schema 2"), "{error}");
    let error = Report::parse("hello").unwrap_err().to_string();
    assert!(error.contains("hello"), "{error}");
    assert!("5f3a-000123".parse::<Id>().is_err());
    assert!("5f3a-000123-00g7".parse::<Id>().is_err());
}

#[test]
fn ids_and_times_read_back() {
    let id = Id {
        epoch: 0xff,
        slot: 0x123_4567,
        generation: 0xff_ffff,
    };
    assert_eq!(id.to_string(), "00ff-1234567-ffffff");
    assert_eq!(id.to_string().parse(), Ok(id));
    let time = Timestamp(1_767_357_240_000_000_001);
    assert_eq!(time.to_string(), "2026-01-02T12:34:00.000000001Z");
    assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
    assert_eq!(
        Timestamp(u64::MAX)
            .to_string()
            .parse::<Timestamp>()
            .unwrap(),
        Timestamp(u64::MAX)
    );
    assert_eq!(
        (time.date().as_str(), time.clock().as_str()),
        ("2026-01-02", "12:34:00")
    );
}

#[test]
fn a_row_of_conn_log_has_a_value_for_each_column() {
    let header = zeek_log::header();
    let fields = header
        .lines()
        .find(|line| line.starts_with("#fields"))
        .unwrap();
    let Report::Ending(ending) = report(&graceful(v4())) else {
        panic!("no ending");
    };
    let row = zeek_log::row(&Ending {
        zeek: None,
        ..ending
    });
    assert_eq!(row.split('\t').count(), fields.split('\t').count() - 1);
    assert_eq!(
        row.replace('\t', " "),
        "1767357249.999220 5f3a-000123-0007 10.0.0.2 40000 10.0.0.1 443 tcp - 0.012000 150 12345 - - - - - 6 - 12 -"
    );
}
