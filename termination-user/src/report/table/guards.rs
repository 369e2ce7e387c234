//! The guards: how far each goes, how often it dropped, the last examples.

use super::{
    Events,
    layout::{Paint, Style},
    number::grouped,
};
use crate::report::{Guards, Report};

/// The guards by name, and what they are against.
const GUARDS: [(&str, &str); 2] = [
    ("blind", "RSTs graded old or future"),
    ("time_wait", "RSTs that end a TIME_WAIT of this host"),
];

/// The guards and `examples`, oldest first, each line with its end.
pub fn guards(guards: &Guards, examples: &[Report], style: Style) -> String {
    let title = format!(
        "{:<9}  {:<7} {:>9} {:>10}  AGAINST",
        "GUARD", "IS", "DROPPED", "WOULD HAVE"
    );
    let mut text = format!("{}\n", style.paint(Paint::Heading, &title));
    for (name, against) in GUARDS {
        let is = match name {
            "blind" => &guards.blind,
            _ => &guards.time_wait,
        };
        let count = |what: &str| grouped(guards.resets.get(&format!("{name}_{what}")));
        text.push_str(&format!(
            "{name:<9}  {is:<7} {:>9} {:>10}  {against}\n",
            count("dropped"),
            count("would_drop"),
        ));
    }
    text.push_str(&format!(
        "other RSTs that came in meanwhile: judged and passed {}, not judged {}\n",
        grouped(guards.resets.get("passed")),
        grouped(guards.resets.get("not_judged")),
    ));
    if !examples.is_empty() {
        let mut events = Events::new(style);
        text.push('\n');
        text.push_str(&events.titles("THE LAST ONES", "BY", "GRADED"));
        for example in examples {
            text.push_str(&events.row(example));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use termination_common::{
        counters::{self, Counters, Event},
        engine::guard::Guarded,
        exchange::Record,
        taxonomy::Verdict,
    };

    use super::*;
    use crate::{
        policy::{self, Guard},
        report::samples::{CLOCK, EPOCH, START, graceful, v4},
    };

    const GOLDEN: &str = "\
GUARD      IS        DROPPED WOULD HAVE  AGAINST
blind      on      1,234,567         20  RSTs graded old or future
time_wait  dry_run         0          3  RSTs that end a TIME_WAIT of this host
other RSTs that came in meanwhile: judged and passed 5,000, not judged 7

TIME     ORIGINATOR → RESPONDER              THE LAST ONES BY             GRADED
2026-01-02 UTC
12:34:09 10.0.0.2:40000 → 10.0.0.1:443       blind_dropped  R             future
12:34:09 10.0.0.2:40000 → 10.0.0.1:443
                                      time_wait_would_drop  O
";

    #[test]
    fn a_page_of_guards() {
        let mut counted = Counters::default();
        for (guarded, count) in [
            (Guarded::BlindDropped, 1_234_567),
            (Guarded::BlindWouldDrop, 20),
            (Guarded::TimeWaitWouldDrop, 3),
            (Guarded::Passed, 5_000),
            (Guarded::NotJudged, 7),
        ] {
            counted.0[counters::GUARDED + guarded as usize] = count;
        }
        let record = |side, guarded: Guarded, verdict, copy| Record {
            event: Event::RstGuarded as u8,
            side,
            detail: (guarded as u8) << 4 | verdict,
            time: START,
            copy,
            ..Record::default()
        };
        let records = [
            record(0, Guarded::BlindDropped, Verdict::Future as u8, v4()),
            record(1, Guarded::TimeWaitWouldDrop, 0, graceful(v4()).copy),
        ];
        let reports = records.map(|record| Report::from_record(&record, EPOCH, &CLOCK).unwrap());
        let Report::Event(event) = &reports[1] else {
            panic!("{:?}", reports[1]);
        };
        assert_eq!(
            (event.verdict, event.guarded),
            (None, Some(Guarded::TimeWaitWouldDrop))
        );
        let set = policy::Guards {
            blind: Guard::On,
            time_wait: Guard::DryRun,
        };
        let told = Guards::new(set, &counted);
        let line = serde_json::to_string(&told).unwrap();
        assert_eq!(Report::parse(&line).unwrap(), Report::Guards(told.clone()));
        let page = guards(&told, &reports, Style::PLAIN);
        assert!(page == GOLDEN, "found:\n{page}\nexpected:\n{GOLDEN}");
        let bare = guards(&told, &[], Style::PLAIN);
        assert!(
            GOLDEN.starts_with(&bare) && bare.lines().count() == 4,
            "{bare}"
        );
    }
}
