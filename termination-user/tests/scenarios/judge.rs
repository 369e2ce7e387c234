//! What a scenario expects, and what came out, in the same words.
//!
//! Each record is a line, in order. An ending is its name and what it has
//! besides: `by=`, `phase=`, `verdict=`, `cause=`, `evidence=`, `holder=` (all
//! of these, where there is one), and of `bytes=`, `segments=`, `retransmits=`,
//! `lost=`, `after=` (payload after the first FIN), `gap=` (milliseconds from
//! the first FIN to its ack and to the other FIN), `first=` (whose FIN that
//! was), `states=` (of the ends), `seen=`, `history=`, `zeek=`, `completeness=`,
//! `duration=` and `ended=` (milliseconds from the first segment, to the last and
//! to the ending) those that the expectation names. Pairs are
//! originator/responder. The end of a TIME_WAIT is
//! `time_wait SEQUEL [restarts=ALL/BY_FIN] [left=MILLISECONDS after the ending]`,
//! with `answer=` where it met a SYN;
//! an event is its name, `rst_rejected` and `rst_guarded` with `by=` and, where
//! there is one, `verdict=`, the second with `guarded=` as well. Events that
//! are commonplace count only where the scenario names them (`no NAME`: where
//! there must be none). A connection that lives on is `live STATE`, with `elsewhere=1` if it passes another hook too.

use termination_common::{
    counters::Event,
    engine::{ELSEWHERE, guard::Guarded},
    exchange::Record,
    facts::{self, closing},
    policy::Level,
    slot::{Slot, bit},
    state::fact,
    taxonomy::{By, Ending, Outcome, Phase, Sequel, Verdict},
    zeek,
};

/// Told only to who asks.
const COMMONPLACE: [&str; 4] = [
    "established",
    "half_closed",
    "stray_segment",
    "time_wait_restarted",
];

/// What came out against what was expected, line by line.
pub(crate) fn compare(
    level: Level,
    expected: &[&str],
    records: &[Record],
    live: &[Slot],
) -> Result<(), String> {
    let asked = |event: &str| {
        let named = |line: &&str| line.strip_prefix("no ").unwrap_or(line) == event;
        expected.iter().any(named) || !COMMONPLACE.contains(&event)
    };
    let came = records
        .iter()
        .map(|record| line(level, record))
        .filter(|line| line.parts[0].0 != "event" || asked(&line.parts[0].1))
        .chain(live.iter().map(|slot| living(level, slot)))
        .collect();
    let present = |line: &&str| !line.starts_with("no ");
    let expected: Vec<_> = expected.iter().copied().filter(present).collect();
    lines(&expected, came)
}

/// The same, of endings and TIME_WAITs alone.
pub(crate) fn compare_endings(
    level: Level,
    expected: &[&str],
    records: &[Record],
) -> Result<(), String> {
    let is_record = |line: &&str| {
        let first = line.split(' ').next().unwrap_or_default();
        first == "time_wait" || Ending::from_name(first).is_some()
    };
    let expected: Vec<_> = expected.iter().copied().filter(is_record).collect();
    let came = records
        .iter()
        .map(|record| line(level, record))
        .filter(|line| line.parts[0].0 != "event")
        .collect();
    lines(&expected, came)
}

fn lines(expected: &[&str], came: Vec<Line>) -> Result<(), String> {
    let matches = expected.len() == came.len()
        && expected
            .iter()
            .zip(&came)
            .all(|(expected, came)| came.fits(expected));
    if matches {
        return Ok(());
    }
    let came: Vec<_> = came.iter().map(Line::to_string).collect();
    Err(format!(
        "expected:\n  {}\ncame:\n  {}",
        expected.join("\n  "),
        came.join("\n  ")
    ))
}

/// One record: names and values; the first names the kind.
struct Line {
    parts: Vec<(&'static str, String)>,
}

/// Where there is one, an expectation must name it.
const MUST: [&str; 8] = [
    "by", "phase", "verdict", "cause", "evidence", "holder", "answer", "guarded",
];

impl Line {
    fn fits(&self, expected: &str) -> bool {
        let mut words = expected.split_whitespace().peekable();
        words.next_if(|word| ["time_wait", "live"].contains(word));
        let same = |name: &str| name.split('|').any(|name| name == self.parts[0].1);
        if !words.next().is_some_and(same) {
            return false;
        }
        let named: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
        let value = |name: &str| named.iter().find(|part| part.0 == name);
        let present = self.parts[1..]
            .iter()
            .all(|(name, came)| match value(name) {
                Some((_, wanted)) => wanted.split('|').any(|wanted| wanted == came),
                None => !MUST.contains(name),
            });
        let known = |name: &str| self.parts.iter().any(|part| part.0 == name);
        present && named.iter().all(|part| known(part.0))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.parts[0].0 == "time_wait" || self.parts[0].0 == "live" {
            write!(f, "{} ", self.parts[0].0)?;
        }
        write!(f, "{}", self.parts[0].1)?;
        for (name, value) in &self.parts[1..] {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

fn line(level: Level, record: &Record) -> Line {
    match Event::ALL
        .iter()
        .find(|&&event| event as u8 == record.event)
    {
        Some(Event::Ending) => ending(level, &record.copy),
        Some(Event::TimeWait) => {
            let sequel = Sequel::from_number(record.detail).expect("a sequel");
            let restarts = facts::restarts(&record.copy);
            let by_fin = restarts
                .by_fin
                .map_or("-".into(), |count| count.to_string());
            let mut parts = vec![
                ("time_wait", sequel.name().into()),
                ("restarts", format!("{}/{by_fin}", restarts.all)),
            ];
            let left = record.time.saturating_sub(record.copy.cold.turned_at);
            parts.push(("left", (left as f64 / 1e6).round().to_string()));
            let answer = facts::answer(&record.copy);
            parts.extend(answer.map(|answer| ("answer", answer.name().into())));
            Line { parts }
        }
        Some(event) => {
            let mut parts = vec![("event", event.name().into())];
            if matches!(event, Event::RstRejected | Event::RstGuarded) {
                let verdict = Verdict::from_number(record.detail & 0xf);
                let originator = usize::from(record.side) == record.copy.state().originator();
                let by = if originator {
                    By::Originator
                } else {
                    By::Responder
                };
                parts.push(("by", by.name().into()));
                parts.extend(verdict.map(|verdict| ("verdict", verdict.name().into())));
            }
            if matches!(event, Event::RstGuarded) {
                let guarded = Guarded::from_number(record.detail >> 4).expect("a guard");
                parts.push(("guarded", guarded.name().into()));
            }
            Line { parts }
        }
        None => panic!("event {}", record.event),
    }
}

fn living(level: Level, slot: &Slot) -> Line {
    let state = facts::live_state(&slot.hot).name().into();
    let mut parts = vec![("live", state)];
    parts.extend(accounts(level, slot));
    let elsewhere = slot.cold.outcome & ELSEWHERE != 0;
    parts.push(("elsewhere", u8::from(elsewhere).to_string()));
    Line { parts }
}

fn ending(level: Level, slot: &Slot) -> Line {
    let Outcome {
        ending,
        by,
        phase,
        verdict,
        cause,
        evidence,
        holder,
    } = facts::outcome(slot).expect("an ended slot has an outcome");
    let phase = match level {
        Level::Full => Some(phase),
        Level::Closing => closing::phase(slot, &facts::outcome(slot).unwrap()),
    };
    let mut parts = vec![
        ("ending", ending.name().to_owned()),
        ("by", by.name().to_owned()),
        ("phase", phase.map_or("-", Phase::name).to_owned()),
    ];
    parts.extend(verdict.map(|verdict| ("verdict", verdict.name().to_owned())));
    parts.extend(cause.map(|cause| ("cause", cause.name().to_owned())));
    let evidence = Some(evidence.name()).filter(|&name| name != "none");
    parts.extend(evidence.map(|name| ("evidence", name.to_owned())));
    let holder = Some(holder.name()).filter(|&name| name != "none");
    parts.extend(holder.map(|name| ("holder", name.to_owned())));
    parts.extend(accounts(level, slot));
    let duration = facts::duration(slot, 0);
    parts.push(("duration", (duration / 1_000_000).to_string()));
    let ended = slot.cold.turned_at.saturating_sub(slot.cold.started_at);
    parts.push(("ended", (ended / 1_000_000).to_string()));
    Line { parts }
}

fn accounts(level: Level, slot: &Slot) -> Vec<(&'static str, String)> {
    let state = slot.state();
    let o = state.originator();
    let pair = |of: &dyn Fn(usize) -> String| format!("{}/{}", of(o), of(o ^ 1));
    let hot = |side: usize| slot.hot.half[side];
    let unknown = || "-".to_owned();
    let alone = level.is_closing() && closing::was_left_alone(slot);
    let bytes = |side| match level {
        Level::Full => Some(facts::bytes(slot, side)),
        Level::Closing => closing::bytes(slot, side),
    };
    let known = |count: Option<u64>| {
        count
            .filter(|_| !alone)
            .map_or_else(unknown, |count| count.to_string())
    };
    let mut parts = vec![
        (
            "bytes",
            pair(&|side| bytes(side).map_or_else(unknown, |count| count.to_string())),
        ),
        (
            "segments",
            pair(&|side| known(Some(hot(side).segments.into()))),
        ),
        (
            "retransmits",
            pair(&|side| known(Some(slot.cold.half[side].retransmits.into()))),
        ),
        ("lost", pair(&|side| known(facts::lost(slot, side)))),
    ];
    if let Some(close) = facts::half_close(slot) {
        let [a, b] = [close.fin_to_ack, close.fin_to_fin].map(|span| {
            span.nanoseconds()
                .map_or_else(unknown, |time| (time as f64 / 1e6).round().to_string())
        });
        parts.push((
            "after",
            pair(&|side| close.bytes_after_fin[side].to_string()),
        ));
        parts.push((
            "segments_after",
            pair(&|side| close.segments_after_fin[side].to_string()),
        ));
        parts.push(("gap", format!("{a}/{b}")));
        let first = match close.first_fin {
            None => By::Both,
            Some(side) if side == o => By::Originator,
            Some(_) => By::Responder,
        };
        parts.push(("first", first.name().into()));
    }
    let seen = [
        (fact::MIDSTREAM, "midstream"),
        (fact::ONE_SIDED, "one_sided"),
        (fact::GAPS | fact::HOLES, "gaps"),
    ]
    .map(|(bit, name)| if state.any(bit) { name } else { "" });
    let seen: Vec<_> = seen.into_iter().filter(|name| !name.is_empty()).collect();
    let seen = if seen.is_empty() {
        "whole".to_owned()
    } else {
        seen.join("+")
    };
    parts.push(("seen", seen));
    parts.push(("history", zeek::history(slot).to_string()));
    parts.push(("zeek", zeek::conn_state(slot).to_string()));
    parts.push(("completeness", zeek::completeness(slot).to_string()));
    let state = |side: usize| {
        facts::end_state(slot, side).map_or_else(unknown, |state| state.name().into())
    };
    parts.push(("states", pair(&state)));
    parts.push((
        "unanswered",
        pair(&|side| u8::from(hot(side).is(bit::UNANSWERED)).to_string()),
    ));
    parts
}
