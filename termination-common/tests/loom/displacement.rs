//! A full line: a new attempt takes an old one's place while that goes on.

use loom::{sync::Arc, thread};
use termination_common::{
    counters::{self, Event, Loss},
    exchange::Operation,
    state::fact,
    taxonomy::{Ending, Outcome},
};

use super::{
    model::{Model, explore},
    script::{Talk, at},
};

/// A line with as many attempts as it may have.
fn crowded() -> (Model, [Talk; 4]) {
    let model = Model::new(1, 4);
    let talks = [40000, 40001, 40002, 40003].map(Talk::new);
    model.observe_all(talks.map(|talk| talk.syn()));
    assert_eq!(model.slots().len(), 4);
    (model, talks)
}

/// The attempt that `newcomer` displaces.
fn victim(newcomer: Talk) -> usize {
    let (model, talks) = crowded();
    model.observe(newcomer.syn());
    let gone = |talk: &Talk| model.slot_of(&talk.tuple).is_none();
    talks.iter().position(gone).unwrap()
}

#[test]
fn an_attempt_displaced_while_it_is_answered_is_told_once() {
    explore("displaced while answered", || {
        let newcomer = Talk::new(40004).later(1);
        let victim = victim(newcomer);
        let (model, talks) = crowded();
        let model = Arc::new(model);
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(newcomer.syn()))
        };
        // Answered and acked, it is no attempt any more.
        model.observe(talks[victim].later(1).syn_ack());
        model.observe(talks[victim].later(1).ack());
        there.join().unwrap();
        model.check();
        assert!(!model.gave_up());
        let displaced = model.lost(Loss::AttemptDisplaced);
        let refused = model.lost(Loss::TableFull);
        assert!(displaced + refused >= 1);
        for record in model.records(Event::Ending) {
            let outcome = Outcome::unpack(record.copy.cold.outcome).unwrap();
            assert_eq!(outcome.ending, Ending::Evicted);
            let established = record.copy.state().is(fact::ESTABLISHED);
            assert!(!established, "an attempt by its class, but not any more");
        }
        if model.slot_of(&newcomer.tuple).is_none() {
            // Nobody was sent away for nothing.
            assert!(model.slot_of(&talks[victim].tuple).is_some());
        }
        assert!(model.counted(counters::OPENED) >= 4);
    });
}

#[test]
fn an_ending_that_found_no_room_is_told_before_its_place_is_taken() {
    explore("unreported and displaced", || {
        let model = Arc::new(Model::new(1, 1));
        let (old, new) = (Talk::new(40000), Talk::new(40001).later(1));
        model.set_room(0);
        model.observe_all(old.aborted());
        model.set_room(u32::MAX);
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(new.syn()))
        };
        model.sweep(Operation::Visit, at(1));
        there.join().unwrap();
        model.check();
        assert_eq!(model.records(Event::Ending).len(), 1);
        assert_eq!(model.lost(Loss::RecordLost), 0);
        assert!(model.slot_of(&new.tuple).is_some());
    });
}

#[test]
fn an_ending_that_found_no_room_is_told_before_its_tuple_is_used_again() {
    explore("unreported and reused", || {
        let model = Arc::new(Model::new(1, 1));
        let talk = Talk::new(40000);
        model.set_room(0);
        model.observe_all(talk.aborted());
        model.set_room(u32::MAX);
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(talk.anew().later(1).syn()))
        };
        model.sweep(Operation::Visit, at(1));
        there.join().unwrap();
        model.check();
        assert_eq!(model.records(Event::Ending).len(), 1);
        assert_eq!(model.lost(Loss::RecordLost), 0);
        assert_eq!(model.counted(counters::OPENED), 2);
    });
}
