//! The controller's visits while segments arrive.

use loom::{sync::Arc, thread};
use termination_common::{
    counters::{self, Event},
    exchange::{Operation, swept},
    segment::Segment,
    state::fact,
    taxonomy::{Ending, Outcome},
};

use super::{
    model::{Model, explore},
    script::{Talk, at},
};

/// Each of `segments` on a CPU of its own, and the controller on one more.
fn beside<const N: usize>(
    model: Model,
    segments: [Segment; N],
    operation: Operation,
    now: u64,
) -> (Arc<Model>, u32) {
    let model = Arc::new(model);
    let others = segments.map(|segment| {
        let model = model.clone();
        thread::spawn(move || model.observe(segment))
    });
    let status = model.sweep(operation, now);
    others.into_iter().for_each(|other| other.join().unwrap());
    model.check();
    (model, status)
}

fn endings(model: &Model) -> Vec<Ending> {
    let ending = |packed| Outcome::unpack(packed).unwrap().ending;
    model
        .records(Event::Ending)
        .iter()
        .map(|record| ending(record.copy.cold.outcome))
        .collect()
}

#[test]
fn a_late_segment_and_an_expiry_are_decided_by_the_lock() {
    explore("late segment, expiry", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.handshake());
        let late = talk.later(7876).data();
        let (model, _) = beside(model, [late], Operation::Visit, at(7876));
        assert!(!model.gave_up());
        let slot = model.slot_of(&talk.tuple).unwrap();
        if slot.state().is_live() {
            assert_eq!(slot.hot.half[0].segments, 3);
            assert!(endings(&model).is_empty());
        } else {
            assert_eq!(endings(&model), [Ending::IdleExpired]);
            let strays = counters::EVENT + Event::StraySegment as usize;
            assert_eq!(model.counted(strays), 1);
        }
    });
}

#[test]
fn a_freed_slot_and_a_new_connection_of_its_tuple_never_cross() {
    explore("free, reuse", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.aborted());
        let again = talk.anew().later(11);
        let (model, _) = beside(model, [again.syn()], Operation::Visit, at(11));
        assert!(!model.gave_up());
        assert_eq!(endings(&model), [Ending::Reset]);
        assert_eq!(model.counted(counters::OPENED), 2);
        let slot = model.slot_of(&talk.tuple).unwrap();
        assert!(slot.state().is_live());
        assert_eq!(slot.state().generation(), 2);
    });
}

#[test]
fn a_late_segment_a_free_and_a_reuse_never_lose_or_cross_a_record() {
    explore("stray, free, reuse", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.graceful());
        let again = talk.anew().later(61).syn();
        let stray = talk.later(61).server_last();
        let (model, _) = beside(model, [again, stray], Operation::Visit, at(61));
        if model.gave_up() {
            return;
        }
        assert!(endings(&model).contains(&Ending::Graceful));
    });
}

#[test]
fn a_reused_time_wait_has_one_sequel_whoever_comes_first() {
    explore("free, SYN, SYN-ACK", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.graceful());
        let again = talk.anew().later(61);
        let segments = [again.syn(), again.syn_ack()];
        let (model, _) = beside(model, segments, Operation::Visit, at(61));
        if model.gave_up() {
            return;
        }
        assert_eq!(endings(&model), [Ending::Graceful]);
        assert!(model.records(Event::TimeWait).len() <= 1);
        assert!(model.slot_of(&talk.tuple).is_some());
    });
}

#[test]
fn a_slot_taken_by_another_connection_takes_nothing_from_the_old_one() {
    explore("stray, free, another", || {
        let (old, new) = (Talk::new(40000), Talk::new(40001).later(11));
        let model = Model::new(1, 1);
        model.observe_all(old.aborted());
        let segments = [old.later(11).data(), new.syn()];
        let (model, _) = beside(model, segments, Operation::Visit, at(11));
        if model.gave_up() {
            return;
        }
        assert_eq!(endings(&model), [Ending::Reset]);
        if let Some(slot) = model.slot_of(&new.tuple) {
            assert_eq!(slot.hot.half.map(|half| half.segments), [1, 0]);
            assert!(!slot.state().any(fact::GAPS));
        }
    });
}

#[test]
fn who_gives_up_marks_no_other_connection() {
    explore("stray given up, free, another", || {
        let (old, new) = (Talk::new(40000), Talk::new(40001).later(11));
        let model = Model::new(1, 1).impatient();
        model.observe_all(old.aborted());
        let segments = [old.later(11).data(), new.syn()];
        let (model, _) = beside(model, segments, Operation::Visit, at(11));
        assert_eq!(endings(&model), [Ending::Reset]);
        if let Some(slot) = model.slot_of(&new.tuple) {
            assert!(!slot.state().any(fact::GAPS));
        }
    });
}

#[test]
fn two_controllers_report_and_free_once() {
    explore("two controllers", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.set_room(0);
        model.observe_all(talk.graceful());
        // One place in the ring: ending and sequel cannot both be told.
        model.set_room(1);
        let model = Arc::new(model);
        let there = {
            let model = model.clone();
            thread::spawn(move || model.sweep(Operation::Visit, at(61)))
        };
        let status = model.sweep(Operation::Visit, at(61)) | there.join().unwrap();
        model.check();
        assert!(status & swept::FREED == 0 && status & swept::RING_FULL != 0);
        assert_eq!(endings(&model), [Ending::Graceful]);
        model.set_room(u32::MAX);
        assert!(model.sweep(Operation::Visit, at(62)) & swept::FREED != 0);
        model.check();
        assert_eq!(model.records(Event::TimeWait).len(), 1);
        assert!(model.slots().is_empty());
    });
}

#[test]
fn the_end_of_observation_and_an_ending_are_one_record() {
    explore("shutdown, reset", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.handshake());
        let reset = talk.later(1).server_rst();
        let (model, status) = beside(model, [reset], Operation::Shutdown, at(1));
        assert_ne!(status & swept::FREED, 0);
        let first = endings(&model)[0];
        assert!(matches!(first, Ending::Shutdown | Ending::Reset));
    });
}

/// Between the controller's look at a slot and its lock.
#[test]
fn what_ends_under_the_controllers_eyes_is_freed_under_the_lines_lock() {
    explore("ending, visit", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.handshake());
        // The controller's clock is far ahead: what has ended is over at once.
        let (model, _) = beside(model, [talk.server_rst()], Operation::Visit, at(100));
        assert!(!model.gave_up());
        assert_eq!(endings(&model), [Ending::Reset]);
    });
}

#[test]
fn what_the_controller_saw_is_not_what_it_may_end() {
    explore("shutdown, reuse", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1);
        model.observe_all(talk.aborted());
        let seen = model.id(0).unwrap();
        let model = Arc::new(model);
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(talk.anew().later(1).syn()))
        };
        model.sweep_one(seen, Operation::Shutdown, at(1));
        there.join().unwrap();
        model.check();
        assert_eq!(endings(&model), [Ending::Reset]);
        let state = model.slot_of(&talk.tuple).unwrap().state();
        assert!(state.is_live() && state.generation() == seen.generation + 1);
    });
}
