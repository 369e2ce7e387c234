//! The fast way, while others hold the slot, end it or give it away.

use loom::{sync::Arc, thread};
use termination_common::{
    counters::Event,
    exchange::Operation,
    segment::{Fast, Segment},
    taxonomy::Ending,
};

use super::{
    model::{Model, explore},
    script::{Talk, at},
};

/// Both ends have spoken often enough for their next data to go the fast way.
fn talking(talk: Talk) -> Vec<Segment> {
    let mut segments = talk.handshake().to_vec();
    segments.extend((0..4).flat_map(|round| [talk.sends(round), talk.acks(round + 1)]));
    segments
}

fn is_fast(model: &Model, segment: &Segment) -> bool {
    termination_common::driver::fast(model, &Fast::of(segment).unwrap()).is_ok()
}

#[test]
fn both_directions_at_once_are_both_counted() {
    explore("data, ack", || {
        let talk = Talk::new(40000);
        let model = Arc::new(Model::new(1, 1));
        model.observe_all(talking(talk));
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(talk.sends(4)))
        };
        model.observe(talk.answers());
        there.join().unwrap();
        model.check();
        let slot = model.slot_of(&talk.tuple).unwrap();
        assert_eq!(slot.hot.half.map(|half| half.segments), [7, 6]);
        assert_eq!(slot.hot.half[0].sent, talk.sends(4).end());
        assert_eq!(slot.hot.half[1].sent, talk.answers().end());
    });
}

#[test]
fn data_and_an_expiry_are_decided_by_the_lock() {
    explore("data, expiry", || {
        let talk = Talk::new(40000);
        let model = Arc::new(Model::new(1, 1));
        model.observe_all(talking(talk));
        let there = {
            let model = model.clone();
            thread::spawn(move || is_fast(&model, &talk.later(7876).sends(4)))
        };
        model.sweep(Operation::Visit, at(7876));
        let went = there.join().unwrap();
        model.check();
        let slot = model.slot_of(&talk.tuple).unwrap();
        if went {
            assert!(slot.state().is_live());
            assert_eq!(slot.hot.half[0].segments, 7);
        } else {
            // The controller had it, or has ended it.
            assert_eq!(slot.hot.half[0].segments, 6);
        }
    });
}

#[test]
fn data_and_a_reset_leave_one_ending() {
    explore("data, reset", || {
        let talk = Talk::new(40000);
        let model = Arc::new(Model::new(1, 1));
        model.observe_all(talking(talk));
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(talk.sends(4)))
        };
        model.observe(talk.resets());
        there.join().unwrap();
        model.check();
        let records = model.records(Event::Ending);
        assert_eq!(records.len(), 1);
        let outcome = records[0].copy.cold.outcome;
        let ending = termination_common::taxonomy::Outcome::unpack(outcome).unwrap();
        assert_eq!(ending.ending, Ending::Reset);
    });
}
