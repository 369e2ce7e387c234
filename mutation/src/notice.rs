//! Do the scenarios on the host notice a mutant? Many in one process, which takes
//! a tenth of the time of one process each.
//!
//! Part of the copy's `equal` test, as `witness` is. `MUTANTS` are the numbers to
//! try.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use termination_common::{
    exchange::Operation,
    mutant,
    policy::{Level, Timers},
};

use crate::{judge, language, machine::{Host, host::Way}, table};

const TIMERS: Timers = Timers::DEFAULT;

/// It says which one is tried, so that it is known which one has run for ever.
#[test]
#[ignore = "asked for by name"]
fn in_one_process() {
    std::panic::set_hook(Box::new(|_| {}));
    let scenarios: Vec<_> = [Level::Full, Level::Closing]
        .into_iter()
        .flat_map(|level| table::at(level).into_iter().map(move |scenario| (level, scenario)))
        .collect();
    for number in env::var("MUTANTS").unwrap_or_default().split_whitespace() {
        println!("\nTRIED {number}");
        mutant::set(number.parse().unwrap());
        let noticed = scenarios
            .iter()
            .any(|&(level, scenario)| !as_expected(level, scenario));
        mutant::set(mutant::NONE);
        if !noticed {
            println!("\nUNNOTICED {number}");
        }
    }
    println!("\nALL TRIED");
}

fn as_expected(level: Level, scenario: &table::Scenario) -> bool {
    scenario.routes().iter().all(|&route| {
        let one = || {
            let mut host = Host::at(level, crate::SETTINGS, Way::Fast);
            for act in language::read(scenario.packets, route) {
                match act {
                    language::Act::See(sight) => {
                        host.see(&sight, &sight.frame.build());
                    }
                    language::Act::Sweep(now) => host.sweep(now, Operation::Visit, &TIMERS),
                    language::Act::Missed(now) => host.sweep(now, Operation::Mark, &TIMERS),
                    language::Act::Flags(which, bits) => {
                        host.settings.flags = host.settings.flags & !which | bits;
                    }
                }
            }
            let mut live = host.slots();
            live.retain(|slot| slot.state().is_live());
            let records = host.records();
            judge::compare(level, scenario.expected, &records, &live).is_ok()
        };
        catch_unwind(AssertUnwindSafe(one)).unwrap_or(false)
    })
}
