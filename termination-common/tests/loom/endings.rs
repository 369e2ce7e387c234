//! Two directions end a connection at once.

use loom::{sync::Arc, thread};
use termination_common::{
    counters::Event,
    exchange::Operation,
    segment::Segment,
    state::fact,
    taxonomy::{Ending, Outcome},
};

use super::{
    model::{Model, explore},
    script::{Talk, at},
};

/// Observes `before`, then the segments of each side on a CPU of its own.
fn both(model: Model, before: &[Segment], one: Vec<Segment>, other: Vec<Segment>) -> Arc<Model> {
    let model = Arc::new(model);
    model.observe_all(before.iter().copied());
    let there = {
        let model = model.clone();
        thread::spawn(move || model.observe_all(one))
    };
    model.observe_all(other);
    there.join().unwrap();
    model.check();
    model
}

fn ending(model: &Model) -> Option<Ending> {
    let records = model.records(Event::Ending);
    assert!(records.len() <= 1);
    let outcome = Outcome::unpack(records.first()?.copy.cold.outcome);
    outcome.map(|outcome| outcome.ending)
}

fn crossed() -> Vec<Segment> {
    let talk = Talk::new(40000);
    let fins = [talk.client_fin(), talk.server_fin()];
    talk.handshake().into_iter().chain(fins).collect()
}

#[test]
fn the_last_acks_of_both_sides_yield_one_graceful_ending() {
    explore("last acks", || {
        let talk = Talk::new(40000);
        let (one, other) = (vec![talk.client_last()], vec![talk.server_last()]);
        let model = both(Model::new(1, 1), &crossed(), one, other);
        assert!(!model.gave_up());
        assert_eq!(ending(&model), Some(Ending::GracefulSimultaneous));
    });
}

#[test]
fn fins_and_last_acks_on_two_cpus_yield_one_ending() {
    explore("fins and last acks", || {
        let talk = Talk::new(40000);
        let one = vec![talk.client_fin(), talk.client_last()];
        let other = vec![talk.server_fin(), talk.server_last()];
        let model = both(Model::new(1, 1), &talk.handshake(), one, other);
        assert!(!model.gave_up());
        // An ACK may have been seen before the FIN that it acks, and then the
        // timer decides.
        model.sweep(Operation::Visit, at(61));
        model.check();
        let ending = ending(&model);
        assert!(matches!(
            ending,
            Some(Ending::Graceful | Ending::GracefulSimultaneous | Ending::GracefulUnconfirmed)
        ));
    });
}

#[test]
fn resets_from_both_sides_yield_one_ending() {
    explore("two resets", || {
        let talk = Talk::new(40000);
        let (one, other) = (vec![talk.client_rst()], vec![talk.server_rst()]);
        let model = both(Model::new(1, 1), &talk.handshake(), one, other);
        assert_eq!(ending(&model), Some(Ending::Reset));
    });
}

/// A CPU that loses its turn inside of the lock makes the other give up: what
/// is given up is counted, and nothing is half done.
#[test]
fn a_segment_that_is_given_up_is_counted() {
    explore("given up", || {
        let talk = Talk::new(40000);
        let (one, other) = (vec![talk.client_last()], vec![talk.server_last()]);
        let model = both(Model::new(1, 1).impatient(), &crossed(), one, other);
        let graceful = ending(&model) == Some(Ending::GracefulSimultaneous);
        assert_eq!(graceful, !model.gave_up());
        let gap = model.slots()[0].state().is(fact::GAPS);
        assert!(!gap || model.gave_up());
    });
}

/// Who holds the lock says it for the one that gave up.
#[test]
fn a_segment_that_is_given_up_is_said() {
    explore("given up while held", || {
        let talk = Talk::new(40000);
        let model = Model::new(1, 1).impatient();
        model.observe_all(talk.handshake());
        model.observe(talk.client_fin());
        *model.intruder.lock().unwrap() = Some(talk.client_fin());
        model.observe(talk.server_ack());
        model.check();
        assert!(model.gave_up() && model.slots()[0].state().is(fact::GAPS));
    });
}
